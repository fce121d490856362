//! `hallpass run`: starts a program under a session and ends as the program ends.
//!
//! The process that our caller started becomes the [`front`]; it forks the [`session`], which
//! forks CMD ([`command`]). Both forks come before any thread is started.

use crate::exit::Exit;
use crate::report::Reports;
use crate::say::say;
use crate::sys;
use command::Command;
use descriptors::Keep;
use nested::Surroundings;
use nix::errno::Errno;
use nix::sys::prctl;
use nix::unistd::{ForkResult, getpid};
use role::Task;
use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::os::fd::RawFd;
use std::process::ExitCode;

pub(crate) mod args;
mod client;
mod command;
pub(crate) mod coverage;
mod descriptors;
mod engine;
mod forward;
mod front;
mod guard;
pub(crate) mod hook_file;
pub(crate) mod learn;
mod link;
mod nested;
mod opener;
pub(crate) mod policy;
mod problem;
mod reap;
mod role;
mod saved;
mod session;
mod signals;
mod span;
mod surroundings;
mod terminal;
mod timeout;
mod totals;
mod user;
pub(crate) mod window;

pub(crate) use guard::cannot_install;
pub(crate) use problem::in_one_line;

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
fn start(args: &args::RunArgs, inherited: Vec<RawFd>) -> Result<ExitCode, String> {
    surroundings::check()?;
    let (task, front) = match nested::surroundings()? {
        Surroundings::Outside => decide(args)?,
        Surroundings::Inside(channel) => keep(args, channel)?,
    };
    fork(args, inherited, task, front)
}

/// What the front needs to know, whoever decides.
struct AsFront {
    places: Places,
    printed: Option<File>,
    nested: bool,
    guard: bool,
}

/// A run inside a session: it joins.
fn keep(args: &args::RunArgs, channel: nested::Channel) -> Result<(Task, AsFront), String> {
    let (program, search) = program(args);
    if channel.has_guard() {
        coverage::check_privileges(program, search.as_deref())?;
    } else if let Some((line, _)) = coverage::warning(program, search.as_deref()) {
        say(&line);
    }
    let front = AsFront {
        places: Places::default(),
        printed: None,
        nested: true,
        guard: channel.has_guard(),
    };
    Ok((Task::Keep(nested::plan(args, channel)?), front))
}

/// CMD, and where it is looked for.
fn program(args: &args::RunArgs) -> (&OsStr, Option<OsString>) {
    let program = args.command.first();
    let program = program.map_or(OsStr::new(""), OsString::as_os_str);
    (program, std::env::var_os("PATH"))
}

/// A run of its own.
fn decide(args: &args::RunArgs) -> Result<(Task, AsFront), String> {
    let flags = &args.flags;
    let places = places(flags.prompt)?;
    let policy::Assembled { policy, saved } = policy::assemble(&flags.rules)?;
    let (program, search) = program(args);
    let is_guarded = flags.guard == args::Guard::On;
    let warning = if is_guarded {
        coverage::check_privileges(program, search.as_deref())?;
        None
    } else {
        coverage::warning(program, search.as_deref())
    };
    let (coverage, named): (Vec<String>, _) = match warning {
        Some((line, file)) => (vec![line], Some(file)),
        None => (Vec::new(), None),
    };
    for line in &coverage {
        say(line);
    }
    let reports = reports(args)?;
    let printed = match &reports {
        Some(reports) if reports.write_something() => Some(
            reports
                .printed()
                .map_err(|error| format!("cannot make room for a report: {error}"))?,
        ),
        _ => None,
    };
    let plan = engine::Plan {
        audit: flags.audit,
        reports,
        policy,
        saved,
        ask_timeout: flags.ask_timeout,
        hold: flags.hold.into(),
        front_asks: places.terminal || places.window.is_some(),
        guard: is_guarded,
        hook: hook_file::place()?,
        coverage,
        named,
    };
    let front = AsFront {
        places,
        printed,
        nested: false,
        guard: is_guarded,
    };
    Ok((Task::Decide(Box::new(plan)), front))
}

/// Forks the session process, and becomes the front.
fn fork(
    args: &args::RunArgs,
    inherited: Vec<RawFd>,
    task: Task,
    as_front: AsFront,
) -> Result<ExitCode, String> {
    let mut command = Command::new(&args.command);
    if let Some(user) = &args.user {
        command.start_as(user::User::find(user)?);
    }
    let trouble =
        |what: &'static str| move |errno: Errno| format!("cannot {what}: {}", errno.desc());
    let (front_link, session_link) = link::Link::pair().map_err(trouble("make a socket pair"))?;
    let mask = signals::block_all().map_err(trouble("block signals"))?;
    sys::reap_children().map_err(trouble("wait for children"))?;
    // A keeper has to be looked into once more.
    if !as_front.nested {
        prctl::set_dumpable(false).map_err(trouble("become undumpable"))?;
    }
    // Should the session be killed, CMD becomes a child of the front, which can then still end
    // as CMD does.
    prctl::set_child_subreaper(true).map_err(trouble("become a subreaper"))?;
    let front = getpid();
    match sys::fork().map_err(trouble("start a process"))? {
        ForkResult::Child => {
            drop(front_link);
            let start = session::Start {
                link: session_link,
                front,
                mask,
                inherited,
                command,
                timeout: args.flags.timeout,
                wait: args.flags.waits_for_all(),
                guard: as_front.guard,
            };
            drop(as_front);
            session::main(&start, task);
            Ok(Exit::Success.into())
        }
        ForkResult::Parent { child } => {
            drop((session_link, task, command));
            prctl::set_dumpable(false).map_err(trouble("become undumpable"))?;
            descriptors::let_go(&inherited, Keep::Stderr)
                .map_err(|error| format!("cannot open /dev/null: {error}"))?;
            Ok(front::main(front::Follow {
                link: front_link,
                session: child,
                wait: args.flags.waits_for_all(),
                guard: as_front.guard,
                nested: as_front.nested,
                fail_on_block: args.flags.status_if_blocked(),
                printed: as_front.printed,
                tells_totals: args.learning.is_none(),
                names_refused: args.flags.names_refused(),
                client: client::Client::new(args.flags.verbose, as_front.places),
            }))
        }
    }
}

/// Whether this runs inside a session, which a run would join, and whether that has the guard. The
/// error is for a person: neither can be said.
pub(crate) fn session_around() -> Result<Option<bool>, String> {
    Ok(match nested::surroundings()? {
        nested::Surroundings::Outside => None,
        nested::Surroundings::Inside(channel) => Some(channel.has_guard()),
    })
}

/// What is counted and reported; none where nobody wants to know.
fn reports(args: &args::RunArgs) -> Result<Option<Reports>, String> {
    let flags = &args.flags;
    let says_what_was_refused = flags.fail_on_block.is_some() && !flags.verbose;
    let writes = !flags.report.is_empty() || flags.save_answers.is_some();
    if !writes && !flags.audit && !says_what_was_refused {
        return Ok(None);
    }
    let variable = |name: &str| std::env::var_os(name);
    let mut reports = Reports::open(&flags.report, &flags.rules.policy, flags.audit, variable)?;
    if says_what_was_refused {
        reports.summarise(&flags.rules.policy);
    }
    if let Some(learning) = &args.learning {
        reports.learn(learning)?;
    }
    if let Some(file) = &flags.save_answers {
        reports.save_answers(file)?;
    }
    Ok(Some(reports))
}

/// Where the front may put questions.
#[derive(Default)]
pub(crate) struct Places {
    /// The desktop window's program, where there is a display for it.
    window: Option<std::path::PathBuf>,
    /// The terminal; after the window, where both are there.
    terminal: bool,
}

fn places(prompt: args::Prompt) -> Result<Places, String> {
    let opened = || OpenOptions::new().read(true).write(true).open("/dev/tty");
    let (window, terminal) = match prompt {
        args::Prompt::None => (None, false),
        args::Prompt::Auto => (window::program().ok(), opened().is_ok()),
        args::Prompt::Gui => {
            let program = window::program();
            (
                Some(program.map_err(|why| format!("--prompt=gui: {why}"))?),
                false,
            )
        }
        args::Prompt::Tty => {
            opened().map_err(|error| {
                format!(
                    "--prompt=tty: there is no terminal (/dev/tty: {error}); start it from one, \
                     or write --prompt=none and allow what it needs with --allow"
                )
            })?;
            (None, true)
        }
    };
    Ok(Places { window, terminal })
}
