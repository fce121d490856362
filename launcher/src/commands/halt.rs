//! `hallpass halt`, `hallpass deny-rest` and `hallpass release`: hold everything, refuse all that
//! would be asked, and take either back.

use super::failure::Outcome;
use super::output::Output;
use super::sessions;
use hallpass_session::control::protocol::Call;
use hallpass_session::render;

/// Hold every connection from now on and ask nobody, until `hallpass release`.
#[derive(Debug, clap::Args)]
pub(crate) struct HaltArgs {
    /// Which session, by the beginning of its name [default: all].
    #[arg(value_name = "SESSION")]
    session: Option<String>,
}

/// Refuse all that is asked now, and all that would be asked, until the session ends or `hallpass
/// release`. What rules allow stays allowed.
#[derive(Debug, clap::Args)]
pub(crate) struct DenyRestArgs {
    /// Which session, by the beginning of its name [default: all].
    #[arg(value_name = "SESSION")]
    session: Option<String>,
}

/// End a halt or deny-rest: everything that waits is decided anew.
#[derive(Debug, clap::Args)]
pub(crate) struct ReleaseArgs {
    /// Which session, by the beginning of its name [default: all].
    #[arg(value_name = "SESSION")]
    session: Option<String>,
}

/// Runs `hallpass halt`.
pub(crate) fn halt(args: &HaltArgs) -> Outcome {
    tell(args.session.as_deref(), &Call::Halt, "halted")
}

/// Runs `hallpass deny-rest`.
pub(crate) fn deny_rest(args: &DenyRestArgs) -> Outcome {
    tell(args.session.as_deref(), &Call::DenyRest, "denies the rest")
}

/// Runs `hallpass release`.
pub(crate) fn release(args: &ReleaseArgs) -> Outcome {
    tell(args.session.as_deref(), &Call::Release, "released")
}

fn tell(session: Option<&str>, call: &Call, done: &str) -> Outcome {
    let running = sessions::named_or_all(session)?;
    let results = sessions::with_each(&running, |client| {
        client.request(call.clone())?;
        Ok(client.hello().command.clone())
    });
    let (well, outcome) = sessions::complain(results);
    let mut output = Output::new();
    for (session, command) in well {
        output.line(&format!(
            "{done}  {}  {}",
            session.name,
            render::command(&command)
        ))?;
    }
    output.finish()?;
    outcome
}
