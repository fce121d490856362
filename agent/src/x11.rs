//! On X11: a window that opens by itself must not take the keyboard.
//!
//! eframe maps its window with `with_active(false)` and window managers focus it all the same.
//! `_NET_WM_USER_TIME` of 0 on a window that is not mapped yet tells them not to (EWMH 1.5,
//! "_NET_WM_USER_TIME"). Elsewhere arming is the protection.

use raw_window_handle::{HasWindowHandle, RawWindowHandle};
use x11rb::connection::Connection;
use x11rb::errors::ReplyOrIdError;
use x11rb::protocol::xproto::{AtomEnum, ConnectionExt as _, PropMode};
use x11rb::wrapper::ConnectionExt as _;

/// Asks the window manager not to focus the window when it appears.
pub(crate) fn take_no_focus(creation: &eframe::CreationContext<'_>) {
    let id = match creation.window_handle().map(|handle| handle.as_raw()) {
        Ok(RawWindowHandle::Xlib(handle)) => u32::try_from(handle.window).ok(),
        Ok(RawWindowHandle::Xcb(handle)) => Some(handle.window.get()),
        _ => None,
    };
    if let Some(id) = id {
        // Where it cannot be set the window may take the focus; arming still protects.
        let _ = set_user_time(id);
    }
}

fn set_user_time(window: u32) -> Result<(), ReplyOrIdError> {
    let (connection, _) =
        x11rb::connect(None).map_err(|_| x11rb::errors::ConnectionError::UnknownError)?;
    let atom = connection
        .intern_atom(false, b"_NET_WM_USER_TIME")?
        .reply()?
        .atom;
    let cookie =
        connection.change_property32(PropMode::REPLACE, window, atom, AtomEnum::CARDINAL, &[0])?;
    // Done before the window is mapped.
    cookie.check()?;
    connection.flush()?;
    Ok(())
}
