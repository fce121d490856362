//! On X11: a window that is made once, kept behind a curtain, and shown when it is wanted.
//!
//! A window costs a few hundred milliseconds, nearly all of them for its OpenGL context. Made
//! when a question comes up, it would come late; kept, it only has to be mapped and painted.
//!
//! When it opens by itself it must not take the keyboard. eframe maps its window with
//! `with_active(false)` and window managers focus it all the same. `_NET_WM_USER_TIME` of 0 on a
//! window that is not mapped yet tells them not to (EWMH 1.5, "_NET_WM_USER_TIME").
//!
//! Wayland has no windows that are made and not shown; there each question makes one anew, and
//! arming is the protection.

use crate::desktop_theme;
use eframe::egui::Theme;
use hallpass_session::paths::Variables;
use raw_window_handle::{HasWindowHandle, RawWindowHandle};
use x11rb::errors::{ConnectError, ReplyError};
use x11rb::protocol::xproto::{Atom, AtomEnum, ConnectionExt as _, PropMode};
use x11rb::rust_connection::RustConnection;
use x11rb::wrapper::ConnectionExt as _;

x11rb::atom_manager! {
    /// What is spoken about with window managers.
    Atoms: AtomsCookie {
        _NET_WM_STATE,
        _NET_WM_STATE_HIDDEN,
        _NET_WM_USER_TIME,
        _XSETTINGS_SETTINGS,
    }
}

/// The curtain before one window.
pub(crate) struct Curtain {
    connection: RustConnection,
    screen: usize,
    window: u32,
    atoms: Atoms,
}

/// Whether windows of this desktop can wait behind a curtain.
pub(crate) fn exists(variables: Variables<'_>) -> bool {
    // winit's own order: Wayland where there is one.
    ["WAYLAND_DISPLAY", "WAYLAND_SOCKET"]
        .iter()
        .all(|name| variables(name).is_none_or(|value| value.is_empty()))
}

impl Curtain {
    /// Hangs one before the window that is being made. None where it is no window of X11.
    ///
    /// # Errors
    /// The X server cannot be spoken to.
    pub(crate) fn hang(creation: &eframe::CreationContext<'_>) -> Result<Option<Self>, String> {
        let window = match creation.window_handle().map(|handle| handle.as_raw()) {
            Ok(RawWindowHandle::Xlib(handle)) => u32::try_from(handle.window).ok(),
            Ok(RawWindowHandle::Xcb(handle)) => Some(handle.window.get()),
            _ => None,
        };
        let Some(window) = window else {
            return Ok(None);
        };
        let connect = |error: ConnectError| format!("cannot reach the X server: {error}");
        let (connection, screen) = x11rb::connect(None).map_err(connect)?;
        let speak = |error: ReplyError| format!("cannot speak with the X server: {error}");
        let cookie = Atoms::new(&connection).map_err(|error| speak(error.into()))?;
        let atoms = cookie.reply().map_err(speak)?;
        Ok(Some(Self {
            connection,
            screen,
            window,
            atoms,
        }))
    }

    /// The window behind it.
    pub(crate) fn window(&self) -> u32 {
        self.window
    }

    /// Keeps a window that has not been shown yet from being painted and shown: eframe shows it
    /// with its first frame, and makes none for a window that is hidden.
    ///
    /// # Errors
    /// The X server does not listen any more.
    pub(crate) fn close(&self) -> Result<(), ReplyError> {
        let hidden = [self.atoms._NET_WM_STATE_HIDDEN];
        self.set(self.atoms._NET_WM_STATE, AtomEnum::ATOM, &hidden)
    }

    /// Before a window is mapped: lets it be painted, and says whether it may have the keyboard.
    ///
    /// # Errors
    /// The X server does not listen any more.
    pub(crate) fn open(&self, takes_keyboard: bool) -> Result<(), ReplyError> {
        let connection = &self.connection;
        let state = connection.delete_property(self.window, self.atoms._NET_WM_STATE)?;
        let user_time = self.atoms._NET_WM_USER_TIME;
        match takes_keyboard {
            true => connection
                .delete_property(self.window, user_time)?
                .check()?,
            false => self.set(user_time, AtomEnum::CARDINAL, &[0])?,
        }
        state.check()
    }

    /// Done when it returns: the window is mapped over another connection.
    fn set(&self, property: Atom, kind: AtomEnum, values: &[u32]) -> Result<(), ReplyError> {
        let connection = &self.connection;
        let mode = PropMode::REPLACE;
        connection
            .change_property32(mode, self.window, property, kind, values)?
            .check()
    }

    /// Light or dark, where the desktop's settings say so.
    pub(crate) fn theme(&self) -> Option<Theme> {
        let name = format!("_XSETTINGS_S{}", self.screen);
        let connection = &self.connection;
        let selection = connection.intern_atom(true, name.as_bytes()).ok()?;
        let selection = selection.reply().ok()?.atom;
        let manager = connection.get_selection_owner(selection).ok()?;
        let manager = manager.reply().ok()?.owner;
        let settings = self.atoms._XSETTINGS_SETTINGS;
        let longs = desktop_theme::MAX_BYTES / 4;
        let reply = connection.get_property(false, manager, settings, settings, 0, longs);
        desktop_theme::read(&reply.ok()?.reply().ok()?.value)
    }
}

#[cfg(test)]
mod tests {
    use super::exists;

    #[test]
    fn there_is_none_on_wayland() {
        assert!(exists(&|name| (name == "DISPLAY").then(|| ":0".into())));
        assert!(exists(
            &|name| (name == "WAYLAND_DISPLAY").then(Default::default)
        ));
        assert!(!exists(&|_| Some("wayland-0".into())));
    }
}
