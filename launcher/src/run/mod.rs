//! `hallpass run`: starts a program under a session and ends as the program ends.
//!
//! The process that our caller started becomes the [`front`]; it forks the [`session`], which
//! forks CMD ([`command`]). Both forks come before any thread is started.

use crate::exit::Exit;
use crate::say::say;
use crate::sys;
use command::Command;
use descriptors::Keep;
use nix::sys::prctl;
use nix::unistd::{ForkResult, getpid};
use std::process::ExitCode;

pub(crate) mod args;
mod client;
mod command;
mod descriptors;
mod engine;
mod forward;
mod front;
mod link;
mod reap;
mod session;
mod signals;
mod span;
mod terminal;
mod timeout;
mod totals;

/// Runs the command and tells the status to end with.
pub(crate) fn main(args: &args::RunArgs) -> ExitCode {
    // Before anything is opened.
    let inherited = descriptors::inherited();
    match start(args, inherited) {
        Ok(code) => code,
        Err(text) => {
            say(&text);
            Exit::Ours.into()
        }
    }
}

/// Forks the session and goes on as the front.
fn start(args: &args::RunArgs, inherited: Vec<std::os::fd::RawFd>) -> Result<ExitCode, String> {
    let plan = engine::Plan {};
    let trouble = |what: &'static str| {
        move |errno: nix::errno::Errno| format!("cannot {what}: {}", errno.desc())
    };
    let (front_link, session_link) = link::Link::pair().map_err(trouble("make a socket pair"))?;
    let mask = signals::block_all().map_err(trouble("block signals"))?;
    sys::reap_children().map_err(trouble("wait for children"))?;
    prctl::set_dumpable(false).map_err(trouble("become undumpable"))?;
    // Should the session be killed, CMD becomes a child of the front, which can then still end
    // as CMD does.
    prctl::set_child_subreaper(true).map_err(trouble("become a subreaper"))?;
    let front = getpid();
    match sys::fork().map_err(trouble("start a process"))? {
        ForkResult::Child => {
            drop(front_link);
            session::main(session::Start {
                link: session_link,
                front,
                mask,
                inherited,
                command: Command::new(&args.command),
                plan,
                timeout: args.timeout,
                wait: args.waits_for_all(),
            });
            Ok(Exit::Success.into())
        }
        ForkResult::Parent { child } => {
            drop(session_link);
            descriptors::let_go(&inherited, Keep::Stderr)
                .map_err(|error| format!("cannot open /dev/null: {error}"))?;
            Ok(front::main(front::Follow {
                link: front_link,
                session: child,
                wait: args.waits_for_all(),
                fail_on_block: args.fail_on_block,
                client: client::Client {},
            }))
        }
    }
}
