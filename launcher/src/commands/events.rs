//! `hallpass events`: follows what sessions decide.

use super::failure::{Failure, Outcome};
use super::output::Output;
use super::sessions;
use crate::say::say;
use hallpass_session::control::client::ClientError;
use hallpass_session::control::protocol::Message;
use hallpass_session::event::{Event, Kind};
use hallpass_session::paths;
use hallpass_session::problem::show_path;
use hallpass_session::render;
use hallpass_session::runtime_dir::Session;
use hallpass_wire::SessionName;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

/// How often new sessions are looked for.
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// Follow what sessions decide, a line for each event, until they have ended. Where nothing runs
/// yet, it waits for the first.
///
/// A run that is over in a moment may be missed; each has a log in
/// $XDG_STATE_HOME/hallpass.
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
        following += follow(session, &sender, false);
    }
    let mut output = Output::new();
    let mut outcome = Ok(());
    // Those that have started since, until their first event.
    let mut new: HashSet<String> = HashSet::new();
    while following > 0 || known.is_empty() {
        let news = next(&news, &mut output)?;
        if let Some(News::Event(event)) = &news
            && new.remove(&event.session)
            && let Some(line) = missed(event, log_of(&event.session).as_deref())
        {
            say(&line);
        }
        match news {
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
                    new.insert(session.name.to_string());
                    following += follow(session, &sender, true);
                }
            }
        }
    }
    output.finish()?;
    outcome
}

/// A session is found a moment after it has started, and tells what was before if that is not much.
fn missed(first: &Event, log: Option<&Path>) -> Option<String> {
    let count = first.seq.saturating_sub(1);
    let log = log.map_or(String::new(), |log| {
        format!("; see its log, {}", show_path(log))
    });
    (count > 0).then(|| {
        let events = render::count(count, "event", "events");
        format!("{}: {events} came before it was found{log}", first.session)
    })
}

fn log_of(session: &str) -> Option<PathBuf> {
    let dir = paths::state_dir(&paths::environment).ok()?;
    Some(paths::log_file(&dir, session)).filter(|log| log.exists())
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

/// Follows a session in a thread of its own, one that is new from its beginning; the number of
/// sessions that adds.
fn follow(session: Session, news: &Sender<News>, is_new: bool) -> usize {
    let news = news.clone();
    std::thread::spawn(move || {
        let error = read(&session, &news, is_new);
        let _ = news.send(News::Over(Box::new(session), error));
    });
    1
}

fn read(session: &Session, news: &Sender<News>, is_new: bool) -> ClientError {
    let mut client = match sessions::connect(session) {
        Ok(client) => client,
        Err(error) => return error,
    };
    let subscribed = if is_new {
        client.subscribe_from_the_beginning()
    } else {
        client.subscribe(true, false)
    };
    if let Err(error) = subscribed {
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

#[cfg(test)]
mod tests {
    use super::missed;
    use hallpass_session::event::Event;
    use std::path::Path;

    #[test]
    fn what_came_before_a_session_was_found_is_counted() {
        let page = include_str!("../../../docs/control.md");
        let line = page.lines().find(|line| line.starts_with("{\"event\":"));
        let line: serde_json::Value = serde_json::from_str(line.unwrap()).unwrap();
        let mut event: Event = serde_json::from_value(line["event"].clone()).unwrap();
        assert_eq!(event.seq, 5);
        assert_eq!(
            missed(&event, Some(Path::new("/x"))).unwrap(),
            "4711-0badcafe: 4 events came before it was found; see its log, /x"
        );
        event.seq = 1;
        assert_eq!(missed(&event, None), None);
    }
}
