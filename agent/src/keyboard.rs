//! On X11: whether the window has the keyboard, by the server's own word.
//!
//! winit 0.30 takes every FocusIn for the keyboard's coming, also those of detail NotifyPointer,
//! which say that the keyboard belongs to nobody while the pointer is over the window. That
//! happens each time a window that has the keyboard is hidden. From then on it believes itself
//! focused, and is silent when the keyboard really comes: keys that were meant for another window
//! would decide. So a connection of our own listens.

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use x11rb::connection::Connection as _;
use x11rb::errors::{ConnectError, ReplyError};
use x11rb::protocol::Event;
use x11rb::protocol::xproto::{
    ChangeWindowAttributesAux, ConnectionExt as _, EventMask, NotifyDetail,
};
use x11rb::rust_connection::RustConnection;

/// Called when the window may have got the keyboard, before any key of it is taken.
pub(crate) type Came = Box<dyn Fn() + Send + Sync>;

/// Knows whether one window has the keyboard.
#[derive(Clone)]
pub(crate) struct Keyboard {
    shared: Arc<Shared>,
}

struct Shared {
    connection: RustConnection,
    came: Came,
    /// Held while events are taken: whoever has it afterwards knows all that the server has sent.
    is_here: Mutex<bool>,
}

impl Keyboard {
    /// Listens from now on. `changed` is called by a thread of its own after each change.
    ///
    /// # Errors
    /// The X server cannot be spoken to, or there is no thread.
    pub(crate) fn listen(
        window: u32,
        came: Came,
        changed: impl Fn() + Send + 'static,
    ) -> Result<Self, String> {
        let connect = |error: ConnectError| format!("cannot reach the X server: {error}");
        let (connection, _) = x11rb::connect(None).map_err(connect)?;
        let mask = ChangeWindowAttributesAux::new().event_mask(EventMask::FOCUS_CHANGE);
        let asked = connection.change_window_attributes(window, &mask);
        let asked = asked.map_err(ReplyError::from);
        let heard = asked.and_then(|cookie| cookie.check());
        heard.map_err(|error| format!("cannot speak with the X server: {error}"))?;
        let keyboard = Self {
            shared: Arc::new(Shared {
                connection,
                came,
                is_here: Mutex::new(false),
            }),
        };
        let here = keyboard.clone();
        std::thread::Builder::new()
            .name("keyboard".to_owned())
            .spawn(move || {
                while here.wait() && here.take() {
                    changed();
                }
            })
            .map_err(|error| format!("cannot start a thread: {error}"))?;
        Ok(keyboard)
    }

    /// Whether the window has the keyboard, as far as is known.
    pub(crate) fn is_here(&self) -> bool {
        *self.lock()
    }

    /// Before keys are taken: learns of all that the server did before it sent them. Its answer
    /// comes after the events that it made earlier.
    pub(crate) fn settle(&self) {
        let asked = self.shared.connection.get_input_focus();
        // Where it does not answer the window is about to end.
        let _ = asked.map(|cookie| cookie.reply());
        self.take();
    }

    fn lock(&self) -> MutexGuard<'_, bool> {
        let is_here = self.shared.is_here.lock();
        is_here.unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for something to take; false where the server is gone.
    fn wait(&self) -> bool {
        let stream = self.shared.connection.stream();
        loop {
            let mut fds = [PollFd::new(stream.as_fd(), PollFlags::POLLIN)];
            match poll(&mut fds, PollTimeout::NONE) {
                Err(Errno::EINTR) => {}
                done => return done.is_ok(),
            }
        }
    }

    /// Takes the events that are there; false where the server is gone.
    fn take(&self) -> bool {
        let mut is_here = self.lock();
        loop {
            let event = match self.shared.connection.poll_for_event() {
                Ok(Some(event)) => event,
                Ok(None) => return true,
                Err(_) => return false,
            };
            match event {
                Event::FocusIn(event) => {
                    *is_here |= is_ours(event.detail);
                    // Whatever kind it is: to hold keys back once too often does no harm.
                    (self.shared.came)();
                }
                Event::FocusOut(event) => *is_here &= !leaves(event.detail),
                _ => {}
            }
        }
    }
}

/// Whether a FocusIn of this detail says that the window, or one in it, has the keyboard (Xlib
/// manual, "Input Focus Events").
fn is_ours(detail: NotifyDetail) -> bool {
    !is_pointers(detail)
}

/// Whether after a FocusOut of this detail the window has it no more.
fn leaves(detail: NotifyDetail) -> bool {
    // INFERIOR: a window in it gets the keyboard.
    !is_pointers(detail) && detail != NotifyDetail::INFERIOR
}

/// Whether an event only tells where the pointer is while the keyboard belongs to no window.
fn is_pointers(detail: NotifyDetail) -> bool {
    let those = [
        NotifyDetail::POINTER,
        NotifyDetail::POINTER_ROOT,
        NotifyDetail::NONE,
    ];
    those.contains(&detail)
}

#[cfg(test)]
mod tests {
    use super::{is_ours, leaves};
    use x11rb::protocol::xproto::NotifyDetail;

    #[test]
    fn where_the_pointer_is_says_nothing() {
        assert!(!is_ours(NotifyDetail::POINTER));
        assert!(!leaves(NotifyDetail::POINTER));
        for detail in [NotifyDetail::NONLINEAR, NotifyDetail::ANCESTOR] {
            assert!(is_ours(detail) && leaves(detail), "{detail:?}");
        }
        assert!(is_ours(NotifyDetail::INFERIOR));
        assert!(!leaves(NotifyDetail::INFERIOR));
    }
}
