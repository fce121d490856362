//! The running sessions, as the shell commands meet them.

use super::failure::Failure;
use crate::say::say;
use hallpass_session::control::client::{self, Client, ClientError};
use hallpass_session::control::protocol::Call;
use hallpass_session::paths;
use hallpass_session::problem::Problem;
use hallpass_session::runtime_dir::{Session, bases, find, sessions};
use hallpass_wire::{VARIABLE, Variable};
use std::os::unix::ffi::OsStrExt;

/// What the commands call themselves; people see it as `answered by shell`.
const NAME: &str = "shell";

/// All running sessions, oldest first.
pub(super) fn all() -> Vec<Session> {
    sessions(&bases(&paths::environment))
}

/// The session that was named, else all; there is at least one.
pub(super) fn named_or_all(name: Option<&str>) -> Result<Vec<Session>, Problem> {
    if let Some(name) = name {
        return named(name).map(|session| vec![session]);
    }
    let all = all();
    if all.is_empty() {
        return Err(none());
    }
    Ok(all)
}

/// The session that was named, by its name or the beginning of it.
pub(super) fn named(name: &str) -> Result<Session, Problem> {
    find(&bases(&paths::environment), name)
}

fn none() -> Problem {
    Problem {
        place: "no session".to_owned(),
        what: "nothing runs under hallpass".to_owned(),
        instead: "start something with `hallpass run -- COMMAND`".to_owned(),
    }
}

/// Connects to a session.
pub(super) fn connect(session: &Session) -> Result<Client, ClientError> {
    Client::connect(session, NAME)
}

/// What a person is told where a session did not do what it was asked.
pub(super) fn problem(session: &Session, error: &ClientError) -> Problem {
    if matches!(error, ClientError::Gone) && is_around(session) {
        return Problem {
            place: format!("session {}", session.name),
            // As a session says it whose guard lets them get so far.
            what: "programs that run under hallpass cannot control their own session; use \
                   another terminal"
                .to_owned(),
            instead: String::new(),
        };
    }
    client::problem(session, error)
}

/// Whether this is one of the session's programs, by their variable.
fn is_around(session: &Session) -> bool {
    let variable = std::env::var_os(VARIABLE).unwrap_or_default();
    Variable::parse(variable.as_bytes()).is_ok_and(|it| it.session == session.name)
}

/// Does something with each session at once, so that one that is stopped holds up no other.
/// A session that ends meanwhile counts as one that was not there.
pub(super) fn with_each<T: Send>(
    sessions: &[Session],
    act: impl Fn(&mut Client) -> Result<T, ClientError> + Sync,
) -> Vec<(Session, Result<T, ClientError>)> {
    let results = std::thread::scope(|scope| {
        let start = |session| {
            let act = &act;
            scope.spawn(move || connect(session).and_then(|mut client| act(&mut client)))
        };
        let threads: Vec<_> = sessions.iter().map(start).collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, _>| {
            thread
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        threads.into_iter().map(join).collect::<Vec<_>>()
    });
    let pairs = sessions.iter().cloned().zip(results);
    pairs
        .filter(|(session, result)| !matches!(result, Err(ClientError::Gone)) || is_around(session))
        .collect()
}

/// Says what went wrong with which session; those that went well are given back.
pub(super) fn complain<T>(
    results: Vec<(Session, Result<T, ClientError>)>,
) -> (Vec<(Session, T)>, Result<(), Failure>) {
    let mut well = Vec::new();
    let mut outcome = Ok(());
    for (session, result) in results {
        match result {
            Ok(value) => well.push((session, value)),
            Err(error) => {
                say(&problem(&session, &error).to_string());
                outcome = Err(Failure::Said);
            }
        }
    }
    (well, outcome)
}

/// Makes all running sessions read the saved rules again. Gives the number of sessions; the
/// rules are in force in them when this returns.
pub(super) fn tell_rules_changed() -> (usize, Result<(), Failure>) {
    let results = with_each(&all(), |client| client.request(Call::RulesChanged));
    let (well, outcome) = complain(results);
    (well.len(), outcome)
}
