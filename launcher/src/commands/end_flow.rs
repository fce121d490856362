//! `hallpass end`: ends a live connection.

use super::failure::{Failure, Outcome};
use super::output::Output;
use super::{flows, sessions};
use crate::say::say;
use hallpass_session::control::client::Client;
use hallpass_session::control::protocol::{Call, Direction, FlowId, LiveFlow, Message};
use hallpass_session::escape::escape;
use hallpass_session::event::Kind;
use hallpass_session::problem::Problem;
use hallpass_session::render;
use hallpass_session::runtime_dir::Session;
use std::time::Duration;

/// End a live connection; `hallpass flows` lists them.
///
/// The program reads end of file, and gets a broken pipe where it writes; the other end sees the
/// connection closed. Rules stay as they are: the program may connect again, unless --deny.
#[derive(Debug, clap::Args)]
pub(crate) struct EndArgs {
    /// Which connection. The beginning of the session's name is enough; where only one session
    /// runs, the connection's number alone.
    #[arg(value_name = "SESSION:FLOW")]
    flow: String,

    /// Break it off (TCP): the other end gets "connection reset", the program that or "broken
    /// pipe", instead of an end in good order.
    #[arg(long)]
    reset: bool,

    /// And refuse the program this host from now on, until the session ends.
    #[arg(long)]
    deny: bool,
}

/// Runs the command.
pub(crate) fn run(args: &EndArgs) -> Outcome {
    let (session, number) = named(&args.flow)?;
    let failed = |error| Failure::from(sessions::problem(&session, &error));
    let mut client = sessions::connect(&session).map_err(failed)?;
    // What was ended, in the session's words, comes as an event before the reply.
    client.subscribe(true, false).map_err(failed)?;
    let list = client.flows().map_err(failed)?;
    let flow = list.flows.into_iter().find(|flow| flow.id == number);
    let call = Call::End {
        flow: number,
        reset: args.reset,
        deny: args.deny,
    };
    let settled = client.request(call).map_err(failed)?;
    let mut output = Output::new();
    output.line(&summary(&session, number, flow.as_ref(), args.reset))?;
    if args.deny {
        let rule = new_rule(&mut client).unwrap_or_else(|| "deny this host".to_owned());
        let calls = match settled {
            0 => String::new(),
            _ => format!(
                " ({} settled)",
                render::count(settled as u64, "call", "calls")
            ),
        };
        output.line(&format!("{rule}, until the session ends{calls}"))?;
    }
    output.finish()?;
    if args.deny
        && flow.is_some_and(|flow| flow.direction == Direction::Out && flow.source.is_none())
    {
        say(
            "hallpass knows of no decision on this connection: it may not see this program's calls, \
             and then --deny does not keep it from connecting again",
        );
    }
    Ok(())
}

/// The rule that ending a connection has made; the event has come with the reply.
fn new_rule(client: &mut Client) -> Option<String> {
    while let Ok(Some(message)) = client.next(Some(Duration::ZERO)) {
        if let Message::Event(event) = message
            && let Kind::Disconnected { rule, .. } = event.kind
        {
            return rule;
        }
    }
    None
}

/// `FLOW` or `SESSION:FLOW`.
fn named(name: &str) -> Result<(Session, FlowId), Failure> {
    let wrong = |what: &str, instead: &str| Problem {
        place: escape(name, 60),
        what: what.to_owned(),
        instead: instead.to_owned(),
    };
    let no_number = || {
        wrong(
            "is no connection",
            "name it SESSION:FLOW, as `hallpass flows` lists it",
        )
    };
    let (session, number) = match name.rsplit_once(':') {
        Some((session, number)) => (Some(session), number),
        None => (None, name),
    };
    // Like 7, not +7 or 007: written as it is listed.
    let number: FlowId = number
        .parse()
        .ok()
        .filter(|parsed: &FlowId| parsed.to_string() == number)
        .ok_or_else(no_number)?;
    if let Some(session) = session {
        return Ok((sessions::named(session)?, number));
    }
    let mut running = sessions::named_or_all(None)?;
    match running.pop() {
        Some(session) if running.is_empty() => Ok((session, number)),
        _ => {
            let problem = wrong(
                "could be of several sessions",
                "name it SESSION:FLOW, as listed here:",
            );
            say(&problem.to_string());
            for (session, list) in flows::ask(&sessions::all()).0 {
                for flow in list.flows.iter().filter(|flow| flow.id == number) {
                    crate::say::line(&flows::text(&session, flow));
                }
            }
            Err(Failure::Said)
        }
    }
}

/// What was done, in one line.
fn summary(session: &Session, number: FlowId, flow: Option<&LiveFlow>, reset: bool) -> String {
    let done = if reset { "reset " } else { "ended " };
    let flow = flow.map(render::live).unwrap_or_default();
    format!("{done} {}:{number}  {flow}", session.name)
}
