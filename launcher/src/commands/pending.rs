//! `hallpass pending`: which questions wait for an answer.

use super::failure::{Failure, Outcome};
use super::output::{Output, say_nothing};
use super::sessions;
use crate::say::say;
use hallpass_session::control::protocol::Question;
use hallpass_session::escape::clip;
use hallpass_session::render;
use hallpass_session::runtime_dir::Session;

/// Characters of the reason that are shown.
const MAX_WHY: usize = 300;

/// List the questions that wait for an answer, in all sessions.
#[derive(Debug, clap::Args)]
pub(crate) struct PendingArgs {
    /// Print each question as one line of JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) fn run(args: &PendingArgs) -> Outcome {
    let running = sessions::all();
    let (waiting, outcome) = ask(&running);
    let mut output = Output::new();
    for (session, question) in &waiting {
        output.of_session(args.json, session, question, text)?;
    }
    output.finish()?;
    if waiting.is_empty() && outcome.is_ok() && !args.json {
        say_nothing("no question waits", &running);
    }
    if !args.json {
        say_what_is_not_asked(&running);
    }
    outcome
}

/// Why a program may stand still, or fail, without a question.
fn say_what_is_not_asked(running: &[Session]) {
    let results = sessions::with_each(running, |client| Ok(client.hello().clone()));
    for (session, hello) in results {
        let Ok(hello) = hello else { continue };
        let name = session.name;
        if hello.halted {
            say(&format!(
                "{name} is halted: its calls wait, and nobody is asked, until `hallpass release`"
            ));
        }
        if hello.denies_rest {
            say(&format!(
                "{name} refuses what would be asked, until `hallpass release`"
            ));
        }
    }
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
        "{name}  {}\n    {command}\n    asked because: {}\n    scopes: {scopes}",
        render::question(question),
        clip(&question.why, MAX_WHY),
    )
}

#[cfg(test)]
mod tests {
    use super::{Session, text};
    use hallpass_session::control::protocol::Question;
    use std::path::PathBuf;

    /// The question of docs/control.md.
    fn question() -> Question {
        let page = include_str!("../../../docs/control.md");
        let line = page
            .lines()
            .find(|line| line.starts_with("{\"question\":"))
            .unwrap();
        let object: serde_json::Value = serde_json::from_str(line).unwrap();
        serde_json::from_value(object["question"].clone()).unwrap()
    }

    #[test]
    fn a_question_shows_its_number_command_and_scopes() {
        let session = Session::at(PathBuf::from("/run/user/1000/hallpass/4711-0badcafe")).unwrap();
        assert_eq!(
            text(&session, &question()),
            "4711-0badcafe:7  curl[4712] → printer.lan:631/tcp (192.168.1.9)             lan, 1 call waits, 30 s left\n    \
             curl http://printer.lan:631/\n    \
             asked because: no rule matches, and the default is ask\n    \
             scopes: port, host"
        );
    }
}
