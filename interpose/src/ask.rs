//! The exchange with the session, and what its outcome means for the call.

use crate::cancel::{self, Signalled};
use crate::channel::{Channel, Failure};
use crate::kept;
use crate::notes;
use crate::settings;
use crate::signals::{Blocked, Due};
use hallpass_wire::{Ask, NameReport, REQUEST_LEN, Refused, Reply};

/// How a held call ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It goes on to the kernel.
    Allow,
    /// It fails with ECONNREFUSED.
    Deny(Refusal),
    /// It fails with EINTR: a handler has run.
    Interrupted,
}

/// Why a call is refused. The caller sees ECONNREFUSED for each; only the first was decided.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The session said so.
    Verdict,
    /// There is no session, or it has died, fallen silent, or is another process than it should be.
    NoSession,
    /// The session's reply makes no sense.
    BadFrame,
    /// The family of the socket or of the address cannot be decided.
    UnknownFamily,
}

/// Asks about a call and waits as long as it takes. `always_interrupted` is for a socket with a
/// send timeout, whose calls no signal handler restarts (signal(7)).
pub(crate) fn ask(mut ask: Ask, always_interrupted: impl Fn() -> bool) -> Answer {
    if let Some(allow) = kept::verdict(&ask) {
        return answer(allow);
    }
    loop {
        match exchange(&stamped(ask.encode()), false) {
            Ok(Reply::Verdict { allow, keep, .. }) => {
                if let Some(keep) = keep {
                    kept::keep(&ask, allow, keep);
                }
                return answer(allow);
            }
            Ok(Reply::Held | Reply::Noted) | Err(Failure::BadFrame) => {
                return Answer::Deny(Refusal::BadFrame);
            }
            Err(Failure::NoSession) => return Answer::Deny(Refusal::NoSession),
            Err(Failure::Signal(Due {
                handler,
                interrupts,
            })) => {
                if interrupts || (handler && always_interrupted()) {
                    return Answer::Interrupted;
                }
                ask.resumed = true;
            }
        }
    }
}

fn answer(allow: bool) -> Answer {
    if allow {
        Answer::Allow
    } else {
        Answer::Deny(Refusal::Verdict)
    }
}

/// Tells the session that the hook has refused a call by itself.
pub(crate) fn tell_refused(refused: Refused) {
    tell(&stamped(refused.encode()));
}

/// Tells the session which addresses a name has.
pub(crate) fn tell_names(report: &NameReport) {
    if settings::is_guarded() {
        return notes::found(report);
    }
    tell(&stamped(report.encode()));
}

/// Waits until the session has taken something in; one that does not is left alone. Signals may
/// come in between, then it is told again.
fn tell(request: &[u8; REQUEST_LEN]) {
    const TRIES: u32 = 8;
    for _ in 0..TRIES {
        match exchange(request, true) {
            Err(Failure::Signal(_)) => {}
            _ => return,
        }
    }
}

/// Says in a request which program image sends it.
fn stamped(mut request: [u8; REQUEST_LEN]) -> [u8; REQUEST_LEN] {
    hallpass_wire::stamp(&mut request, settings::image());
    request
}

/// One request and its last reply. When this returns nothing of ours is open, and signal handlers
/// and cancellation have had their turn.
fn exchange(request: &[u8; REQUEST_LEN], report: bool) -> Result<Reply, Failure> {
    let session = settings::session().ok_or(Failure::NoSession)?;
    cancel::point();
    let reply = {
        let blocked = Blocked::new();
        // Dropped before `blocked`, like everything in `converse`.
        let _signalled = Signalled::new();
        let channel = Channel::open(session, &blocked);
        channel.and_then(|channel| converse(channel, request, report))
    };
    if matches!(reply, Err(Failure::Signal(_))) {
        cancel::point();
    }
    reply
}

fn converse(
    mut channel: Channel<'_>,
    request: &[u8; REQUEST_LEN],
    report: bool,
) -> Result<Reply, Failure> {
    channel.send(request)?;
    let mut held = false;
    loop {
        match channel.reply(held)? {
            Reply::Held if !report => held = true,
            reply @ Reply::Verdict { .. } if !report => return Ok(reply),
            Reply::Noted if report => return Ok(Reply::Noted),
            _ => return Err(Failure::BadFrame),
        }
    }
}
