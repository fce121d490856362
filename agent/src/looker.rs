//! The thread that asks for live connections while they are on screen. It sleeps otherwise.

use crate::desk::Desk;
use crate::model::live::EVERY;
use std::thread::{Builder, Thread, park, park_timeout};
use std::time::Instant;

/// Starts the thread; whoever puts connections on screen unparks it.
pub(crate) fn start(desk: Desk) -> std::io::Result<Thread> {
    let thread = Builder::new().name("looker".to_owned()).spawn(move || {
        loop {
            while !desk.with(|model| model.live().is_on_screen()) {
                park();
            }
            desk.with(|model| model.look(Instant::now()));
            let next = Instant::now() + EVERY;
            // It is unparked more often than there is something to do.
            while let Some(left) = next.checked_duration_since(Instant::now())
                && !left.is_zero()
            {
                park_timeout(left);
            }
        }
    })?;
    Ok(thread.thread().clone())
}
