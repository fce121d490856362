//! `hallpass pending`: which questions wait for an answer.

use super::failure::{Failure, Outcome};
use super::output::Output;
use super::sessions;
use crate::say::say;
use hallpass_session::control::protocol::Question;
use hallpass_session::render;
use hallpass_session::runtime_dir::Session;
use serde::Serialize;

/// List the questions that wait for an answer, in all sessions.
#[derive(Debug, clap::Args)]
pub(crate) struct PendingArgs {
    /// Print each question as one line of JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Line<'a> {
    session: String,
    #[serde(flatten)]
    question: &'a Question,
}

/// Runs the command.
pub(crate) fn run(args: &PendingArgs) -> Outcome {
    let running = sessions::all();
    let (waiting, outcome) = ask(&running);
    let mut output = Output::new();
    for (session, question) in &waiting {
        if args.json {
            output.json(&Line {
                session: session.name.to_string(),
                question,
            })?;
        } else {
            output.line(&text(session, question))?;
        }
    }
    output.finish()?;
    if waiting.is_empty() && outcome.is_ok() && !args.json {
        let sessions = render::count(running.len() as u64, "session runs", "sessions run");
        say(&format!("no question waits ({sessions})"));
    }
    outcome
}

/// All questions that wait in these sessions, oldest first in each.
pub(super) fn ask(running: &[Session]) -> (Vec<(Session, Question)>, Result<(), Failure>) {
    let results = sessions::with_each(running, |client| client.pending());
    let (lists, outcome) = sessions::complain(results);
    let each = |(session, list): (Session, Vec<Question>)| {
        list.into_iter()
            .map(move |question| (session.clone(), question))
    };
    (lists.into_iter().flat_map(each).collect(), outcome)
}

/// A question, its command line and its number, for somebody who is about to answer it.
pub(super) fn text(session: &Session, question: &Question) -> String {
    let name = format!("{}:{}", session.name, question.id);
    let command = render::command(&question.app.argv);
    let scopes: Vec<String> = question
        .offers
        .iter()
        .map(|offer| offer.scope.to_string())
        .collect();
    let scopes = scopes.join(", ");
    format!(
        "{name}  {}\n    {command}\n    scopes: {scopes}",
        render::question(question)
    )
}
