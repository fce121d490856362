//! One session's thread: what the session says goes to the window, commands go to the session.

use super::{Links, MAX_COMMANDS, MAX_FOLLOWED, Wire};
use crate::model::{Command, Key, Report};
use hallpass_session::control::client::{Client, ClientError};
use hallpass_session::control::protocol::{Call, Message, QuestionId};
use hallpass_session::runtime_dir::Session;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::io::{PipeReader, Read};
use std::os::fd::AsFd;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

/// As whom the window speaks: events say "answered by agent".
const NAME: &str = "agent";
/// A session binds its socket a moment after its directory appears.
const FIRST_TRIES: [u64; 6] = [0, 5, 10, 25, 50, 100];

/// Whether a session that could not be followed is worth another try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Again {
    Later,
    Never,
}

/// Starts to follow a session, unless it is followed or too many are.
pub(super) fn follow(links: &Links, session: Session, ended: impl FnOnce(Again) + Send + 'static) {
    let name = session.name.to_string();
    let (commands, waiting) = sync_channel(MAX_COMMANDS);
    {
        let mut wires = links.wires();
        if wires.contains_key(&name) || wires.len() >= MAX_FOLLOWED {
            return;
        }
        let Ok((woken, wake)) = std::io::pipe() else {
            return;
        };
        wires.insert(name.clone(), Wire { commands, wake });
        drop(wires);
        let here = links.clone();
        let thread = std::thread::Builder::new().name(name.clone());
        let started = thread.spawn(move || {
            let again = run(&here, &session, &waiting, woken);
            leave(&here, session.name.to_string(), &waiting);
            ended(again);
        });
        if started.is_err() {
            links.wires().remove(&name);
        }
    }
}

fn leave(links: &Links, name: String, waiting: &Receiver<Command>) {
    links.wires().remove(&name);
    // What was sent and is not carried out any more.
    for command in waiting.try_iter() {
        let ended = Err("the session has ended".to_owned());
        links.report(Report::Replied(command.ticket, ended));
    }
    links.report(Report::Left(name));
}

fn run(links: &Links, session: &Session, waiting: &Receiver<Command>, woken: PipeReader) -> Again {
    let mut client = match connect(session) {
        Ok(client) => client,
        // We are one of its targets, or it speaks another version: that will not change.
        Err(ClientError::Refused(_) | ClientError::Nonsense(_)) => return Again::Never,
        Err(_) => return Again::Later,
    };
    links.report(Report::Joined(client.hello().clone()));
    let result = client
        .subscribe(true, true)
        .and_then(|()| serve(links, session, &mut client, waiting, woken));
    match result {
        Err(ClientError::Nonsense(_)) => Again::Never,
        _ => Again::Later,
    }
}

fn connect(session: &Session) -> Result<Client, ClientError> {
    let mut result = Err(ClientError::Gone);
    for wait in FIRST_TRIES {
        std::thread::sleep(Duration::from_millis(wait));
        result = Client::connect(session, NAME);
        if !matches!(result, Err(ClientError::Gone)) {
            break;
        }
    }
    result
}

/// Until the session has gone.
fn serve(
    links: &Links,
    session: &Session,
    client: &mut Client,
    waiting: &Receiver<Command>,
    mut woken: PipeReader,
) -> Result<(), ClientError> {
    loop {
        for command in waiting.try_iter() {
            carry_out(links, session, client, command)?;
        }
        while let Some(message) = client.next(Some(Duration::ZERO))? {
            links.report(Report::Said(session.name.to_string(), message));
        }
        let mut fds = [
            PollFd::new(client.as_fd(), PollFlags::POLLIN),
            PollFd::new(woken.as_fd(), PollFlags::POLLIN),
        ];
        match poll(&mut fds, PollTimeout::NONE) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(ClientError::Io(error.into())),
        }
        let is_woken = fds[1].any().unwrap_or(false);
        if is_woken && woken.read(&mut [0; 256])? == 0 {
            return Ok(());
        }
    }
}

/// The list is the whole answer: nothing else is reported, or the window would be painted for it.
fn look(links: &Links, name: &str, client: &mut Client, ticket: u64) -> Result<(), ClientError> {
    let error = match client.call(Call::Flows) {
        Ok(reply @ Message::Flows { .. }) => {
            links.report(Report::Said(name.to_owned(), reply));
            return Ok(());
        }
        Ok(_) => ClientError::Nonsense("no list of connections".to_owned()),
        Err(error) => error,
    };
    links.report(Report::Replied(ticket, Err(error.to_string())));
    match error {
        ClientError::Refused(_) => Ok(()),
        error => Err(error),
    }
}

/// On a connection of its own: an answer must not wait until a large file has been read.
fn checksum(links: &Links, session: &Session, question: QuestionId) {
    let (here, asked) = (links.clone(), session.clone());
    let thread = std::thread::Builder::new().name("checksum".to_owned());
    let started = thread.spawn(move || {
        let call = Call::Checksum { question };
        let connected = Client::connect(&asked, NAME);
        let files = match connected.and_then(|mut client| client.call(call)) {
            Ok(Message::Checksum { files, .. }) => Ok(files),
            Ok(_) => Err("the session does not say".to_owned()),
            Err(error) => Err(error.to_string()),
        };
        let session = asked.name.to_string();
        here.report(Report::Summed(Key { session, question }, files));
    });
    if let Err(error) = started {
        let session = session.name.to_string();
        let why = format!("cannot start a thread: {error}");
        links.report(Report::Summed(Key { session, question }, Err(why)));
    }
}

fn carry_out(
    links: &Links,
    session: &Session,
    client: &mut Client,
    command: Command,
) -> Result<(), ClientError> {
    let name = session.name.to_string();
    if command.call == Call::Flows {
        return look(links, &name, client, command.ticket);
    }
    let result = match command.call {
        Call::Checksum { question } => {
            checksum(links, session, question);
            return Ok(());
        }
        Call::Pending => client.call(Call::Pending).map(|reply| {
            if matches!(reply, Message::Pending { .. }) {
                links.report(Report::Said(name, reply));
            }
            0
        }),
        call => client.request(call),
    };
    let said = match &result {
        Ok(settled) => Ok(*settled),
        Err(error) => Err(error.to_string()),
    };
    links.report(Report::Replied(command.ticket, said));
    match result {
        Ok(_) | Err(ClientError::Refused(_)) => Ok(()),
        Err(error) => Err(error),
    }
}
