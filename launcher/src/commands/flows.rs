//! `hallpass flows`: which connections are open.

use super::failure::{Failure, Outcome};
use super::output::{Output, say_nothing};
use super::sessions;
use crate::say::say;
use hallpass_session::control::protocol::{Direction, Flows, LiveFlow};
use hallpass_session::render;
use hallpass_session::runtime_dir::Session;
use std::net::SocketAddr;

/// Where the reason begins, if what comes before it is not longer.
const REASON_COLUMN: usize = 72;

/// List the live connections of the programs that run under hallpass, and what decided them.
///
/// Also those that hallpass did not decide: that came from elsewhere, or, with --guard=off, of
/// programs that its library does not reach. What is listed stays open whatever rules say later;
/// `hallpass end` ends it.
#[derive(Debug, clap::Args)]
pub(crate) struct FlowsArgs {
    /// Which session, by the beginning of its name [default: all].
    #[arg(value_name = "SESSION")]
    session: Option<String>,

    /// Also connections that came in from outside, to a port that the program listens on.
    #[arg(long)]
    all: bool,

    /// Print each connection as one line of JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) fn run(args: &FlowsArgs) -> Outcome {
    let running = match &args.session {
        Some(name) => vec![sessions::named(name)?],
        None => sessions::all(),
    };
    let (lists, outcome) = ask(&running);
    let mut output = Output::new();
    let (mut shown, mut came_in) = (0_u64, 0_u64);
    for (session, list) in &lists {
        for flow in &list.flows {
            if flow.direction == Direction::In && !args.all {
                came_in += 1;
                continue;
            }
            shown += 1;
            output.of_session(args.json, session, flow, text)?;
        }
    }
    output.finish()?;
    for (session, list) in &lists {
        for missing in &list.missing {
            say(&format!("session {}: not seen: {missing}", session.name));
        }
        if list.more > 0 {
            say(&format!("session {}: {} more", session.name, list.more));
        }
    }
    if came_in > 0 {
        let number = render::count(came_in, "connection", "connections");
        say(&format!("{number} from outside, listed with --all"));
    }
    if shown == 0 && outcome.is_ok() && !args.json {
        say_nothing("no connection is open", &running);
    }
    outcome
}

/// The live connections of these sessions.
pub(super) fn ask(running: &[Session]) -> (Vec<(Session, Flows)>, Result<(), Failure>) {
    sessions::complain(sessions::with_each(running, |client| client.flows()))
}

/// A connection, its number, and how it is.
pub(super) fn text(session: &Session, flow: &LiveFlow) -> String {
    let what = format!("{}:{}  {}", session.name, flow.id, render::live(flow));
    let local = SocketAddr::new(flow.local_address, flow.local_port);
    format!(
        "{what:<REASON_COLUMN$}  {}\n    {}, local end {local}",
        render::live_reason(flow),
        render::live_facts(flow)
    )
}

#[cfg(test)]
mod tests {
    use super::{LiveFlow, Session, text};
    use std::path::PathBuf;

    #[test]
    fn a_connection_shows_its_number_reason_and_state() {
        let page = include_str!("../../../docs/control.md");
        let line = page
            .lines()
            .find(|line| line.starts_with("{\"flows\":"))
            .unwrap();
        let object: serde_json::Value = serde_json::from_str(line).unwrap();
        let flow: LiveFlow = serde_json::from_value(object["flows"]["flows"][0].clone()).unwrap();
        let session = Session::at(PathBuf::from("/run/user/1000/hallpass/4711-0badcafe")).unwrap();
        assert_eq!(
            text(&session, &flow),
            "4711-0badcafe:3  curl[4712] → printer.lan:631/tcp (192.168.1.9)           flag: allow @lan\n    \
             established, 12 s, 420 B sent, 1.2 MB received, local end 192.168.1.5:40122"
        );
    }
}
