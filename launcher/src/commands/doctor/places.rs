//! What hallpass needs of its surroundings: directories, the rules file, somewhere to ask.

use super::Check;
use crate::run::{hook_file, window};
use hallpass_session::problem::{Problem, show_path};
use hallpass_session::runtime_dir::{RuntimeDir, bases};
use hallpass_session::{log, paths, rules_file};
use std::fs::OpenOptions;

/// Runtime directory, hook, rules, logs, window, terminal.
pub(super) fn checks() -> Vec<Check> {
    let mut checks = vec![runtime(), hook(), rules(), logs()];
    let (window, terminal) = (window::program(), has_terminal());
    let is_nowhere = window.is_err() && !terminal;
    checks.push(match window {
        Ok(program) => Check::ok(
            "window",
            format!("questions open one ({})", show_path(&program)),
        ),
        Err(why) => with_remedy(Check::note, "window", &why),
    });
    checks.push(match terminal {
        true => Check::ok("terminal", "questions can be asked here"),
        false => Check::note("terminal", "there is none (/dev/tty)"),
    });
    if is_nowhere {
        checks.push(
            Check::note(
                "questions",
                "nobody can be asked: what no rule covers is refused",
            )
            .instead("--ask-timeout 5m waits for `hallpass answer`, or write rules (--allow)"),
        );
    }
    checks
}

fn runtime() -> Check {
    match RuntimeDir::create(&bases(&paths::environment)) {
        Ok(dir) => {
            let base = dir.path().parent().map(show_path).unwrap_or_default();
            Check::ok("runtime", format!("sessions are below {base}"))
        }
        Err(problem) => trouble("runtime", &problem),
    }
}

fn hook() -> Check {
    match hook_file::place() {
        Ok(path) => Check::ok("hook", show_path(&path)),
        Err(why) => with_remedy(Check::missing, "hook", &why),
    }
}

fn rules() -> Check {
    let path = match paths::rules_file(&paths::environment) {
        Ok(path) => path,
        Err(problem) => return trouble("rules", &problem),
    };
    match rules_file::load(&path) {
        Ok(file) => {
            let count = hallpass_session::render::count(file.rules.len() as u64, "rule", "rules");
            Check::ok("rules", format!("{count} saved in {}", show_path(&path)))
        }
        Err(problem) => trouble("rules", &problem),
    }
}

/// A run without a log is better than none.
fn logs() -> Check {
    let tried = paths::state_dir(&paths::environment).and_then(|dir| {
        log::try_in(&dir)?;
        Ok(dir)
    });
    match tried {
        Ok(dir) => Check::ok("logs", format!("of sessions are in {}", show_path(&dir))),
        Err(problem) => Check::note("logs", format!("{}: {}", problem.place, problem.what))
            .instead("sessions go on without one; XDG_STATE_HOME names another place"),
    }
}

fn has_terminal() -> bool {
    let tty = OpenOptions::new().read(true).write(true).open("/dev/tty");
    tty.is_ok()
}

fn trouble(check: &'static str, problem: &Problem) -> Check {
    let found = Check::missing(check, format!("{}: {}", problem.place, problem.what));
    match problem.instead.is_empty() {
        true => found,
        false => found.instead(problem.instead.clone()),
    }
}

/// A text for a person, split where it goes on with what to do.
fn with_remedy(
    make: impl Fn(&'static str, String) -> Check,
    check: &'static str,
    text: &str,
) -> Check {
    match text.rsplit_once("; ") {
        Some((found, instead)) => make(check, found.to_owned()).instead(instead),
        None => make(check, text.to_owned()),
    }
}
