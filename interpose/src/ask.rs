//! The exchange with the session, and what its outcome means for the call.

use crate::cancel::{self, Signalled};
use crate::channel::{Channel, Failure};
use crate::kept;
use crate::notes;
use crate::settings;
use crate::signals::{Blocked, Due};
use hallpass_wire::{Ask, NameReport, REQUEST_LEN, Refused, Reply, Request};

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
        match exchange(&stamped(ask.encode()), Last::Verdict, &mut false) {
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

/// Has the session look who the program is, which has just started.
pub(crate) fn tell_started() {
    if settings::is_guarded() {
        return notes::started();
    }
    tell(&stamped(Request::started()));
}

/// What becomes of a look-up that has succeeded.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum LookUp {
    /// The program gets its result.
    GoesOn,
    /// It fails.
    Refused,
}

/// Tells the session which addresses a name has, and waits where it holds the look-up for that
/// (`--hold=name`): as long as it takes, since no signal ends a look-up.
///
/// A session that is not there is left alone, because the calls that follow are refused. One that
/// goes while it holds the look-up refuses it.
pub(crate) fn tell_names(report: &NameReport) -> LookUp {
    if settings::is_guarded() {
        return notes::found(report);
    }
    let request = stamped(report.encode());
    let mut held = false;
    let mut tries = TRIES;
    loop {
        match exchange(&request, Last::NotedOrDeny, &mut held) {
            Ok(Reply::Noted) => return LookUp::GoesOn,
            Err(Failure::Signal(_)) if held => {}
            Err(Failure::Signal(_)) if tries > 1 => tries = tries.saturating_sub(1),
            Err(_) if !held => return LookUp::GoesOn,
            Ok(_) | Err(_) => return LookUp::Refused,
        }
    }
}

/// How often something is told that signals come in between of.
const TRIES: u32 = 8;

/// Waits until the session has taken something in; one that does not is left alone. Signals may
/// come in between, then it is told again.
fn tell(request: &[u8; REQUEST_LEN]) {
    for _ in 0..TRIES {
        match exchange(request, Last::Noted, &mut false) {
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

/// What the last reply may be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Last {
    /// To an ask.
    Verdict,
    /// To a report.
    Noted,
    /// To a look-up.
    NotedOrDeny,
}

/// One request and its last reply; `held` becomes true once the session lets us wait. When this returns nothing of ours is open, and signal handlers
/// and cancellation have had their turn.
fn exchange(request: &[u8; REQUEST_LEN], last: Last, held: &mut bool) -> Result<Reply, Failure> {
    let session = settings::session().ok_or(Failure::NoSession)?;
    cancel::point();
    let reply = {
        let blocked = Blocked::new();
        // Dropped before `blocked`, like everything in `converse`.
        let _signalled = Signalled::new();
        let channel = Channel::open(session, &blocked);
        channel.and_then(|channel| converse(channel, request, last, held))
    };
    if matches!(reply, Err(Failure::Signal(_))) {
        cancel::point();
    }
    reply
}

fn converse(
    mut channel: Channel<'_>,
    request: &[u8; REQUEST_LEN],
    last: Last,
    held: &mut bool,
) -> Result<Reply, Failure> {
    channel.send(request)?;
    let mut waits = false;
    loop {
        match (last, channel.reply(waits)?) {
            (Last::Verdict | Last::NotedOrDeny, Reply::Held) => (waits, *held) = (true, true),
            (Last::Verdict, reply @ Reply::Verdict { .. })
            | (Last::NotedOrDeny, reply @ Reply::Verdict { allow: false, .. })
            | (Last::Noted | Last::NotedOrDeny, reply @ Reply::Noted) => return Ok(reply),
            _ => return Err(Failure::BadFrame),
        }
    }
}
