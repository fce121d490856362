//! `hallpass events`: follows what sessions decide.

use super::failure::{Failure, Outcome};
use super::output::Output;
use super::sessions;
use crate::say::say;
use hallpass_session::control::client::ClientError;
use hallpass_session::control::protocol::Message;
use hallpass_session::event::{Event, Kind};
use hallpass_session::render;
use hallpass_session::runtime_dir::Session;
use hallpass_wire::SessionName;
use std::collections::HashSet;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

/// How often new sessions are looked for.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Follow what sessions decide, a line for each event, until they have ended. Where nothing runs
/// yet, it waits for the first.
#[derive(Debug, clap::Args)]
pub(crate) struct EventsArgs {
    /// Which session, by the beginning of its name [default: all, also those that start later].
    #[arg(value_name = "SESSION")]
    session: Option<String>,

    /// Print each event as one line of JSON (docs/control.md).
    #[arg(long)]
    json: bool,
}

enum News {
    Event(Box<Event>),
    /// A session can no longer be followed.
    Over(Box<Session>, ClientError),
}

/// Runs the command.
pub(crate) fn run(args: &EventsArgs) -> Outcome {
    let (sender, news) = channel();
    let first = match &args.session {
        Some(name) => vec![sessions::named(name)?],
        None => sessions::all(),
    };
    if first.is_empty() {
        say("nothing runs under hallpass yet; this waits for it (Ctrl-C ends it)");
    }
    let mut known: HashSet<SessionName> = HashSet::new();
    let mut following = 0_usize;
    for session in first {
        known.insert(session.name);
        following += follow(session, &sender);
    }
    let mut output = Output::new();
    let mut outcome = Ok(());
    while following > 0 || known.is_empty() {
        match next(&news, &mut output)? {
            Some(News::Event(event)) if args.json => output.json(&event)?,
            Some(News::Event(event)) => output.line(&text(&event, args.session.is_some()))?,
            Some(News::Over(session, error)) => {
                following -= 1;
                outcome = outcome.and(over(&session, &error));
            }
            None => {}
        }
        if args.session.is_none() {
            for session in sessions::all() {
                if known.insert(session.name) {
                    following += follow(session, &sender);
                }
            }
        }
    }
    output.finish()?;
    outcome
}

/// The next piece of news. Readers see what was written so far before it is waited for.
fn next(news: &Receiver<News>, output: &mut Output) -> Result<Option<News>, Failure> {
    if let Ok(news) = news.try_recv() {
        return Ok(Some(news));
    }
    output.flush()?;
    match news.recv_timeout(LOOK_EVERY) {
        Ok(news) => Ok(Some(news)),
        Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => Ok(None),
    }
}

/// Follows a session in a thread of its own; the number of sessions that adds.
fn follow(session: Session, news: &Sender<News>) -> usize {
    let news = news.clone();
    std::thread::spawn(move || {
        let error = read(&session, &news);
        let _ = news.send(News::Over(Box::new(session), error));
    });
    1
}

fn read(session: &Session, news: &Sender<News>) -> ClientError {
    let mut client = match sessions::connect(session) {
        Ok(client) => client,
        Err(error) => return error,
    };
    if let Err(error) = client.subscribe(true, false) {
        return error;
    }
    loop {
        match client.next(None) {
            Ok(Some(Message::Event(event))) => {
                if news.send(News::Event(event)).is_err() {
                    return ClientError::Gone;
                }
            }
            Ok(_) => {}
            Err(error) => return error,
        }
    }
}

/// The end of a session is no failure; being dropped by one that goes on is.
fn over(session: &Session, error: &ClientError) -> Outcome {
    let goes_on = || {
        sessions::all()
            .iter()
            .any(|other| other.name == session.name)
    };
    match error {
        ClientError::Gone if !goes_on() => Ok(()),
        error => {
            say(&sessions::problem(session, error).to_string());
            Err(Failure::Said)
        }
    }
}

/// Lines as `-v` prints them; where several sessions are followed, with their names before.
fn text(event: &Event, only_one: bool) -> String {
    let line = render::event(event);
    match &event.kind {
        Kind::Started { .. } => line,
        _ if only_one => line,
        _ => format!("{}  {line}", event.session),
    }
}
