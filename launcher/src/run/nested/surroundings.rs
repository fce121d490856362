//! Whether this runs inside a session. The kernel's word counts, not the variable's: that may have
//! been copied out of a session, or taken away inside.

use super::channel::{Channel, Silence};
use hallpass_session::escape::escape_bytes;
use hallpass_wire::{Nested, VARIABLE, Variable};
use std::os::unix::ffi::OsStrExt;

/// See the module's text.
#[derive(Debug)]
pub(in crate::run) enum Surroundings {
    /// A run of its own. A variable that is there is stale.
    Outside,
    /// It is reached this way.
    Inside(Channel),
}

/// Looks. The error is for a person: it cannot be said, or the session is gone.
pub(in crate::run) fn surroundings() -> Result<Surroundings, String> {
    match Channel::Guard.say(Nested::Hello) {
        Ok(true) => return Ok(Surroundings::Inside(Channel::Guard)),
        Err(Silence::Killed) => {
            return Err(
                "the session that this runs in was killed, and its guard with it: every \
                 connection fails from now on; start the outer `hallpass run` again"
                    .to_owned(),
            );
        }
        Ok(false) | Err(Silence::Nobody | Silence::Stranger) => {}
    }
    let Some(value) = std::env::var_os(VARIABLE) else {
        return Ok(Surroundings::Outside);
    };
    let shown = escape_bytes(value.as_bytes(), 200);
    let variable = Variable::parse(value.as_bytes())
        .map_err(|error| format!("{VARIABLE}={shown}: {error}; unset it"))?;
    if variable.guard.is_on() {
        // No guard has heard: the variable comes from elsewhere.
        return Ok(Surroundings::Outside);
    }
    let channel = Channel::Asks {
        session: variable.session,
        dir: variable.dir.map(<[u8]>::to_vec),
    };
    match channel.say(Nested::Hello) {
        Ok(true) => Ok(Surroundings::Inside(channel)),
        // It lives, and this is none of its processes.
        Ok(false) => Ok(Surroundings::Outside),
        // Whatever still runs of a session that was killed looks the same as a variable that was
        // copied from one that is over.
        Err(_) => Err(format!(
            "{VARIABLE}={shown} names a session that does not answer: it was killed, or is over; \
             if it is over, unset {VARIABLE}"
        )),
    }
}
