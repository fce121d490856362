//! What the session decides with: the engine, its sockets, its log, and the threads of each.
//!
//! [`Plan::bind`] makes what CMD must find when it starts; [`Bound::serve`] starts threads, so it
//! comes after CMD has been forked.

use super::command::Command;
use super::coverage;
use super::guard::Decider;
use super::link::End;
use super::problem::in_one_line;
use super::totals::Totals;
use crate::report::Reports;
use hallpass_guard::{Granted, Listener, Supervisor};
use hallpass_policy::Policy;
use hallpass_session::ask_server::{AskServer, Stopper};
use hallpass_session::control::Controlled;
use hallpass_session::control::server::{ControlServer, Serving};
use hallpass_session::core::{Config, Core, SavedRules, Sink};
use hallpass_session::environment;
use hallpass_session::escape::escape_bytes;
use hallpass_session::event::{Event, Kind};
use hallpass_session::hold::Hold;
use hallpass_session::log::{Log, LogWriter};
use hallpass_session::page::SharedPage;
use hallpass_session::paths;
use hallpass_session::runtime_dir::{self, RuntimeDir};
use hallpass_session::verdict::Fallback;
use hallpass_wire::{GuardMode, VARIABLE, Variable};
use std::ffi::OsString;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::thread::Builder;
use std::time::Duration;

/// The loader's variable.
const PRELOAD: &str = "LD_PRELOAD";
/// How long the last words to clients and log may take.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// How long the front's prompt may take to turn up.
const FRONT_EXPECTED: Duration = Duration::from_secs(5);
/// Characters of an argument that are shown.
const SHOWN_ARGUMENT: usize = 1024;

/// What the session is to decide with.
pub(super) struct Plan {
    /// Rules and default.
    pub(super) policy: Policy,
    /// Where answers for good go; none for a hermetic run.
    pub(super) saved: Option<Box<dyn SavedRules>>,
    /// `--ask-timeout`.
    pub(super) ask_timeout: Option<Duration>,
    /// `--hold`.
    pub(super) hold: Hold,
    /// Let go on what would be refused.
    pub(super) audit: bool,
    /// What is counted and written in the end.
    pub(super) reports: Option<Reports>,
    /// Whether the front will ask on the terminal.
    pub(super) front_asks: bool,
    /// Whether the guard decides, and not the hook.
    pub(super) guard: bool,
    /// The hook's file.
    pub(super) hook: PathBuf,
    /// What CMD cannot be covered in, in words.
    pub(super) coverage: Vec<String>,
    /// CMD's file, where it has been named in these words.
    pub(super) named: Option<PathBuf>,
}

/// Bound sockets that nobody serves yet.
pub(super) struct Bound {
    plan: Plan,
    dir: RuntimeDir,
    /// None under a guard: nobody asks there.
    asks: Vec<UnixListener>,
    control: ControlServer,
}

/// A running engine.
pub(super) struct Engine {
    path: PathBuf,
    core: Core,
    asks: Option<Stopper>,
    guard: Option<Supervisor>,
    reports: Option<Reports>,
    /// Reports that could not be written.
    trouble: Vec<String>,
    ends: Option<Ends>,
}

/// What is taken apart at the end.
struct Ends {
    dir: RuntimeDir,
    control: Serving,
    log: Option<LogWriter>,
}

impl Plan {
    /// Makes the runtime directory and the sockets in it.
    pub(super) fn bind(self) -> Result<Bound, String> {
        let bases = runtime_dir::bases(&paths::environment);
        let dir = RuntimeDir::create(&bases).map_err(|problem| problem.to_string())?;
        let asks = if self.guard {
            Vec::new()
        } else {
            bind_asks(&dir)?
        };
        let control = ControlServer::bind(&dir.control_socket(), dir.name().pid)
            .map_err(cannot_bind(&dir.control_socket()))?;
        Ok(Bound {
            plan: self,
            dir,
            asks,
            control,
        })
    }
}

/// The sockets that hooks ask at: by a name that is still there after chroot, and by a path that
/// is still there in another network namespace.
fn bind_asks(dir: &RuntimeDir) -> Result<Vec<UnixListener>, String> {
    let abstract_name = format!("hallpass/{}/ask", dir.name());
    let by_name = SocketAddr::from_abstract_name(&abstract_name)
        .and_then(|address| UnixListener::bind_addr(&address))
        .map_err(|error| format!("cannot bind the socket @{abstract_name}: {error}"))?;
    let by_path = UnixListener::bind(dir.ask_socket()).map_err(cannot_bind(&dir.ask_socket()))?;
    Ok(vec![by_name, by_path])
}

fn cannot_bind(what: &Path) -> impl FnOnce(io::Error) -> String {
    let place = hallpass_session::problem::show_path(what);
    move |error| format!("{place}: cannot bind the socket: {error}")
}

impl Bound {
    /// Gives CMD the hook and the session's name.
    pub(super) fn prepare(&self, command: &mut Command) -> Result<(), String> {
        let mut preload = self.plan.hook.clone().into_os_string();
        if let Some(others) = command.variable(PRELOAD).filter(|value| !value.is_empty()) {
            preload.push(":");
            preload.push(others);
        }
        command.set(PRELOAD, preload);
        let variable = Variable {
            session: self.dir.name(),
            guard: match self.plan.guard {
                false => GuardMode::Off,
                true if hallpass_look::is_needed() => GuardMode::OnDumpable,
                true => GuardMode::On,
            },
            dir: Some(self.dir.path().as_os_str().as_bytes()),
        };
        let text = variable
            .encode()
            .map_err(|error| format!("{}: {error}", self.dir.path().display()))?;
        command.set(VARIABLE, OsString::from_vec(text.as_bytes().to_vec()));
        Ok(())
    }

    /// Starts to decide about `command`, the process of `argv`, for the hooks or for the guard's listener. From here on there are threads.
    pub(super) fn serve(
        self,
        argv: &[OsString],
        command: u32,
        guard: Option<(Listener, Granted)>,
    ) -> Result<Engine, String> {
        let name = self.dir.name().to_string();
        let environment = environment::read();
        // The log is needed to make the engine, which the log's complaint is recorded by.
        let late_core: Arc<OnceLock<Core>> = Arc::default();
        let (mut sinks, log) = start_log(&name, &late_core);
        if let Some(reports) = &self.plan.reports {
            sinks.push(reports.collector().sink());
        }
        // This thread, the session's first, lives as long as the session. A run without the page
        // is slower, not weaker. Hooks keep no verdicts where a guard decides.
        let page = match guard {
            None => SharedPage::create(self.dir.path()).ok(),
            Some(_) => None,
        };
        let core = Core::new(Config {
            session: name,
            command: argv
                .iter()
                .map(|argument| escape_bytes(argument.as_bytes(), SHOWN_ARGUMENT))
                .collect(),
            policy: self.plan.policy,
            environment: environment.clone(),
            saved: self.plan.saved,
            ask_timeout: self.plan.ask_timeout,
            hold: self.plan.hold,
            audit: self.plan.audit,
            client_expected_within: self.plan.front_asks.then_some(FRONT_EXPECTED),
            sinks,
            page,
        });
        // Only set here, so it cannot have been set before.
        let _ = late_core.set(core.clone());
        for text in self.plan.coverage {
            core.record(Kind::Coverage { text });
        }
        // A rule saved after ours were read and before there was a control socket: whoever saved
        // it could not tell this session.
        if let Err(text) = core.rules_changed() {
            core.record(Kind::Coverage { text });
        }
        let named = coverage::Named::new(self.plan.named);
        if let Some(missing) = coverage::Missing::of(guard.as_ref().map(|(_, granted)| granted)) {
            let (watched, hook, named) = (core.clone(), self.plan.hook, named.clone());
            thread("coverage", move || {
                let report = |text| watched.record(Kind::Coverage { text });
                coverage::watch::run(missing, &hook, named, report);
            })?;
        }
        let pid = self.dir.name().pid;
        let (asks, guard) = match guard {
            Some((listener, _)) => {
                let dir = self.dir.path();
                let decider = Decider::new(core.clone(), pid, command, dir, named);
                let guard = Supervisor::start(listener, Arc::new(decider))
                    .map_err(|error| format!("cannot start the guard: {error}"))?;
                (None, Some(guard))
            }
            None => {
                let server = AskServer::new(core.clone(), pid, command, self.asks)
                    .map_err(|error| format!("cannot serve the ask socket: {error}"))?;
                let stopper = server.stopper();
                // A session whose ask server has failed refuses everything: the hook sees no
                // answer.
                thread("asks", move || drop(server.run()))?;
                (Some(stopper), None)
            }
        };
        let clock = core.clone();
        thread("clock", move || clock.run_clock())?;
        let fresh = core.clone();
        thread("environment", move || {
            environment::keep_fresh(&fresh, environment)
        })?;
        let control = self
            .control
            .serve(core.clone())
            .map_err(|error| format!("cannot serve the control socket: {error}"))?;
        Ok(Engine {
            path: self.dir.path().to_path_buf(),
            core,
            asks,
            guard,
            reports: self.plan.reports,
            trouble: Vec::new(),
            ends: Some(Ends {
                dir: self.dir,
                control,
                log,
            }),
        })
    }
}

/// Starts the log. A run without one is better than none.
fn start_log(name: &str, core: &Arc<OnceLock<Core>>) -> (Vec<Sink>, Option<LogWriter>) {
    let Ok(dir) = paths::state_dir(&paths::environment) else {
        return (Vec::new(), None);
    };
    let core = Arc::clone(core);
    let (log, writer) = Log::start(&paths::log_file(&dir, name), move |problem| {
        // It may be known before there is anybody to record it.
        core.wait().record(Kind::Coverage {
            text: in_one_line(&problem),
        });
    });
    let sink: Sink = Box::new(move |event: &Event| log.record(event.clone()));
    (vec![sink], Some(writer))
}

fn thread(name: &str, body: impl FnOnce() + Send + 'static) -> Result<(), String> {
    Builder::new()
        .name(name.to_owned())
        .spawn(body)
        .map(drop)
        .map_err(|error| format!("cannot start a thread: {error}"))
}

impl Engine {
    /// The runtime directory.
    pub(super) fn dir(&self) -> &Path {
        &self.path
    }

    /// CMD has ended; its background processes may go on.
    pub(super) fn command_ended(&self, end: End) {
        if let Some(guard) = &self.guard {
            guard.let_go();
        }
        self.core.record(Kind::Ended {
            status: end.shell_status(),
        });
    }

    /// `--timeout` ends the program: nothing waits for an answer any more.
    pub(super) fn refuse_waiting(&self, reason: Fallback) {
        self.core.refuse_waiting(reason);
    }

    /// Calls so far.
    pub(super) fn totals(&self) -> Totals {
        let totals = self.core.totals();
        let collector = self.reports.as_ref().map(Reports::collector);
        Totals {
            allowed: totals.allowed,
            denied: totals.denied,
            audited: collector.map_or(0, |collector| collector.would_be_refused()),
        }
    }

    /// Reports that could not be written.
    pub(super) fn take_trouble(&mut self) -> Vec<String> {
        std::mem::take(&mut self.trouble)
    }

    /// Ends it all and removes the runtime directory. Only the first call does anything.
    pub(super) fn finish(&mut self) {
        let Some(ends) = self.ends.take() else {
            return;
        };
        self.core.shut_down(Fallback::SessionEnding);
        if let Some(reports) = &self.reports {
            self.trouble = reports.write(self.core.answers());
        }
        if let Some(asks) = &self.asks {
            asks.stop();
        }
        // First, so that a command that looks for sessions does not find one that is over.
        drop(ends.dir);
        ends.control.finish(LAST_WORDS);
        if let Some(log) = ends.log {
            // What a slow disk has not taken by then is lost; the totals were said in time.
            let _ = log.finish(LAST_WORDS);
        }
    }
}
