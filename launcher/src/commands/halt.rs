//! `hallpass halt` and `hallpass release`: hold everything, and let go again.

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

/// End a halt: everything that waits is decided anew.
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
