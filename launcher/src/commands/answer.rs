//! `hallpass answer`: answers a question from any shell.

use super::failure::{Failure, Outcome};
use super::output::Output;
use super::{pending, sessions};
use crate::say::say;
use hallpass_policy::AppPattern;
use hallpass_session::control::client::Client;
use hallpass_session::control::protocol::{
    Answer, Call, Direction, Duration, LiveFlow, Question, QuestionId, Scope,
};
use hallpass_session::escape::escape;
use hallpass_session::flow::Name;
use hallpass_session::hold::Hold;
use hallpass_session::problem::Problem;
use hallpass_session::render;
use hallpass_session::runtime_dir::Session;
use hallpass_session::verdict;

/// Answer a question. `hallpass pending` lists them.
#[derive(Debug, clap::Args)]
#[command(allow_missing_positional = true)]
pub(crate) struct AnswerArgs {
    /// Which question; may be left out where only one waits. The beginning of the session's
    /// name is enough.
    #[arg(value_name = "SESSION:QUESTION")]
    question: Option<String>,

    /// Let it connect, or refuse it.
    #[arg(value_enum, value_name = "allow|deny", hide_possible_values = true)]
    verdict: Verdict,

    /// For how long: `once` (what waits now), `run` (until the session ends), a time such as
    /// 5m or 2h, or `always` (saved for later runs).
    #[arg(long = "for", value_name = "HOW LONG", default_value = "run")]
    duration: Duration,

    /// How wide: this port, this host, its subnet, its domain, or anywhere.
    #[arg(
        long,
        value_name = "port|host|subnet|domain|any",
        default_value = "host"
    )]
    scope: Scope,

    /// A destination of your own instead, written as in a rule; it must cover the question. May
    /// be repeated.
    #[arg(long, value_name = "DEST", conflicts_with = "scope")]
    to: Vec<String>,
}

/// The two answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Verdict {
    /// Let it connect.
    Allow,
    /// Refuse it.
    Deny,
}

/// Runs the command.
pub(crate) fn run(args: &AnswerArgs) -> Outcome {
    let verdict = match args.verdict {
        Verdict::Allow => verdict::Verdict::Allow,
        Verdict::Deny => verdict::Verdict::Deny,
    };
    let (session, question) = match &args.question {
        Some(name) => named(name)?,
        None => the_only_one()?,
    };
    let answer = Answer {
        verdict,
        duration: args.duration,
        scope: args.scope,
    };
    let failed = |error| Failure::from(sessions::problem(&session, &error));
    let mut client = sessions::connect(&session).map_err(failed)?;
    let call = call(args, question.id, &answer);
    let settled = client.request(call).map_err(failed)?;
    let mut output = Output::new();
    output.line(&summary(&question, &answer, &args.to, settled))?;
    output.finish()?;
    if verdict == verdict::Verdict::Deny {
        tell_what_stays_open(&session, &mut client, &question);
    }
    if args.duration == Duration::Always {
        // The session that was answered has the rule; the others take it from the file.
        return sessions::tell_rules_changed().1;
    }
    Ok(())
}

/// A refusal ends nothing that is open already, which a person may well expect of it.
fn tell_what_stays_open(session: &Session, client: &mut Client, question: &Question) {
    // Somebody else's trouble, if it cannot be listed: the answer has been given.
    let Ok(list) = client.flows() else {
        return;
    };
    for flow in list.flows.iter().filter(|flow| is_meant(flow, question)) {
        say(&format!(
            "still open: {}; `hallpass end {}:{}` ends it",
            render::live(flow),
            session.name,
            flow.id
        ));
    }
}

/// Whether a connection is one of the same program to the same host.
fn is_meant(flow: &LiveFlow, question: &Question) -> bool {
    let same_name = |one: &Name| question.names.iter().any(|other| one.name == other.name);
    flow.direction == Direction::Out
        && flow.app == question.app.identity()
        && (question.address == flow.address || flow.names.iter().any(same_name))
}

fn call(args: &AnswerArgs, question: QuestionId, answer: &Answer) -> Call {
    if args.to.is_empty() {
        let answer = answer.clone();
        return Call::Answer { question, answer };
    }
    Call::AnswerTo {
        question,
        verdict: answer.verdict,
        duration: answer.duration,
        to: args.to.clone(),
    }
}

/// `SESSION:QUESTION`.
fn named(name: &str) -> Result<(Session, Question), Failure> {
    let wrong = || Problem {
        place: escape(name, 60),
        what: "is no question".to_owned(),
        instead: "name it SESSION:QUESTION, as `hallpass pending` lists it".to_owned(),
    };
    let (session, number) = name.rsplit_once(':').ok_or_else(wrong)?;
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let session = sessions::named(session)?;
    let (waiting, outcome) = pending::ask(std::slice::from_ref(&session));
    outcome?;
    let found = waiting
        .into_iter()
        .find(|(_, question)| question.id == number);
    found.ok_or_else(|| {
        Failure::from(Problem {
            place: escape(name, 60),
            what: "waits no more: it was answered, or its callers have gone".to_owned(),
            instead: "see `hallpass pending`".to_owned(),
        })
    })
}

/// The question that waits, where it is only one; an answer must never go to another question
/// than the person has seen.
fn the_only_one() -> Result<(Session, Question), Failure> {
    let (mut waiting, outcome) = pending::ask(&sessions::all());
    outcome?;
    match waiting.len() {
        1 => waiting.pop().ok_or(Failure::Said),
        0 => Err(Failure::from(Problem {
            place: "answer".to_owned(),
            what: "no question waits".to_owned(),
            instead: String::new(),
        })),
        number => {
            say(&format!(
                "{number} questions wait; name the one that you mean: hallpass answer SESSION:QUESTION allow|deny"
            ));
            for (session, question) in &waiting {
                crate::say::line(&pending::text(session, question));
            }
            Err(Failure::Said)
        }
    }
}

/// What the answer did, in one line.
fn summary(question: &Question, answer: &Answer, own: &[String], settled: usize) -> String {
    let offer = question
        .offers
        .iter()
        .find(|offer| offer.scope == answer.scope);
    let to = match offer {
        _ if !own.is_empty() => escape(&own.join(", "), 200),
        Some(offer) => offer.to.join(", "),
        None => answer.scope.to_string(),
    };
    let until = match answer.duration {
        Duration::Once if question.hold == Hold::Retry => "for its next try".to_owned(),
        Duration::Once => "for what waits now".to_owned(),
        Duration::Run => "until the session ends".to_owned(),
        Duration::Seconds(_) => format!("for {}", answer.duration),
        Duration::Always => "for good".to_owned(),
    };
    let verdict = render::verdict(answer.verdict);
    // As its rule names it: a script is not a path there.
    let app = AppPattern::for_subject(&question.app.subject);
    if question.hold == Hold::Retry {
        // It was refused, and nothing of it waits.
        return format!("{verdict} {to} for {app}, {until} (it may try again)");
    }
    let calls = render::count(settled as u64, "call", "calls");
    format!("{verdict} {to} for {app}, {until} ({calls} settled)")
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        answer: AnswerArgs,
    }

    fn parse(line: &str) -> Result<AnswerArgs, String> {
        let words = ["answer"].into_iter().chain(line.split_whitespace());
        Line::try_parse_from(words)
            .map(|line| line.answer)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn the_question_may_be_left_out() {
        let args = parse("allow").unwrap();
        assert_eq!((args.question, args.verdict), (None, Verdict::Allow));
        assert_eq!((args.duration, args.scope), (Duration::Run, Scope::Host));
        let args = parse("4711:3 deny --for 5m --scope subnet").unwrap();
        assert_eq!(
            (args.question.as_deref(), args.verdict),
            (Some("4711:3"), Verdict::Deny)
        );
        assert_eq!(
            (args.duration, args.scope),
            (Duration::Seconds(300), Scope::Subnet)
        );
    }

    #[test]
    fn the_summary_says_what_the_answer_did() {
        let page = include_str!("../../../docs/control.md");
        let line = page
            .lines()
            .find(|line| line.starts_with("{\"question\":"))
            .unwrap();
        let object: serde_json::Value = serde_json::from_str(line).unwrap();
        let mut question: Question = serde_json::from_value(object["question"].clone()).unwrap();
        let said = |question: &Question, line: &str| {
            let args = parse(line).unwrap();
            let verdict = verdict::Verdict::Allow;
            let answer = Answer {
                verdict,
                duration: args.duration,
                scope: args.scope,
            };
            summary(question, &answer, &args.to, 2)
        };
        assert_eq!(
            said(&question, "allow"),
            "allow printer.lan for /usr/bin/curl, until the session ends (2 calls settled)"
        );
        assert_eq!(
            said(&question, "allow --for 5m --scope port"),
            "allow printer.lan:631/tcp for /usr/bin/curl, for 5m (2 calls settled)"
        );
        assert_eq!(
            said(&question, "allow --for always --to *.lan"),
            "allow *.lan for /usr/bin/curl, for good (2 calls settled)"
        );
        assert_eq!(
            said(&question, "allow --for once"),
            "allow printer.lan for /usr/bin/curl, for what waits now (2 calls settled)"
        );
        question.app.subject.script = Some("/x/agent.js".to_owned());
        assert_eq!(
            said(&question, "allow"),
            "allow printer.lan for script:/x/agent.js, until the session ends (2 calls settled)"
        );
    }

    #[test]
    fn mistakes_are_refused_with_what_to_write() {
        for (line, instead) in [
            ("", "allow"),
            ("4711:3", "allow, deny"),
            ("allow --for 5y", "5m"),
            ("allow --scope all", "port, host, subnet"),
        ] {
            let error = parse(line).unwrap_err();
            assert!(error.contains(instead), "{line}: {error}");
        }
    }
}
