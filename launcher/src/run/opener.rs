//! The opener: what the front leaves behind where it goes and processes of the program stay. It
//! sees to it that their questions find the desktop window, as the front did.
//!
//! The session cannot do that itself: whatever descends from it is a target, and may not answer.
//! So the front forks the opener, only where there is a display and something to ask for. It has
//! no descriptor but its connection and no terminal, answers nothing, and ends with the session,
//! or when no window can be opened: then nobody can be asked, and the session knows.

use super::window::{Step, Window};
use crate::sys;
use hallpass_session::control::client::{Client, ClientError};
use hallpass_session::control::protocol::Message;
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::prctl;
use nix::sys::signal::SigSet;
use nix::sys::stat::Mode;
use nix::unistd::{ForkResult, setsid};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// What it calls itself, to a session and in a list of processes.
const NAME: &std::ffi::CStr = c"hallpass-opener";

/// What the front hands over.
pub(super) struct Handover {
    /// The front's connection, open until the opener has one of its own: meanwhile there is
    /// somebody who can ask.
    pub(super) connection: Client,
    /// The control socket, and whose it must be.
    pub(super) socket: (PathBuf, u32),
    /// The window, as the front knows it.
    pub(super) window: Window,
}

/// Forks it. True in the opener, which then holds nothing of the front's but `Handover` and has
/// [`main`] to call; false in the front.
pub(super) fn fork() -> Result<bool, Errno> {
    match sys::fork()? {
        ForkResult::Parent { .. } => Ok(false),
        ForkResult::Child => Ok(true),
    }
}

/// Serves to the end of the session.
pub(super) fn main(handover: Handover) {
    // Each of these only makes it a worse guest; without a window the session could not ask.
    let _ = prctl::set_name(NAME);
    let _ = setsid();
    let _ = let_go();
    let _ = SigSet::empty().thread_set_mask();
    let _ = serve(handover);
}

/// Neither a terminal nor a pipe of our caller's is kept open, nor a directory busy.
fn let_go() -> Result<(), Errno> {
    nix::unistd::chdir("/")?;
    let null = open("/dev/null", OFlag::O_RDWR | OFlag::O_CLOEXEC, Mode::empty())?;
    nix::unistd::dup2_stdin(&null)?;
    nix::unistd::dup2_stdout(&null)?;
    nix::unistd::dup2_stderr(&null)
}

fn serve(handover: Handover) -> Result<(), ClientError> {
    let Handover {
        connection: before,
        socket: (path, pid),
        mut window,
    } = handover;
    let name = NAME.to_string_lossy();
    let mut connection = Client::connect_to(&path, Some(pid), &name)?;
    // All that waits is said again.
    window.forget_questions();
    connection.subscribe(false, true)?;
    drop(before);
    loop {
        let left = window.wakes_at().map(|at| {
            let left = at.saturating_duration_since(Instant::now());
            left + Duration::from_millis(1)
        });
        let message = connection.next(left)?;
        let now = Instant::now();
        let step = match message {
            Some(Message::Question(question)) => window.question(*question, now),
            Some(Message::Settled { question, .. }) => {
                window.settled(question);
                Step::Nothing
            }
            Some(Message::Answering { clients }) => window.answering(&clients, now),
            _ => Step::Nothing,
        };
        for step in [step, window.step(now)] {
            if matches!(step, Step::GiveUp(..)) {
                return Ok(());
            }
        }
    }
}
