//! The desktop window of hallpass: puts the questions of all running sessions to a person, and
//! shows at a glance what runs.
//!
//! It is a client of the sessions like any other (docs/control.md). It must never decide by
//! itself, touch the network, take the keyboard away, or be needed: when it dies sessions go on,
//! and refuse what nobody answers.
#![forbid(unsafe_code)]

mod args;
mod curtain;
mod desk;
mod desktop_theme;
mod icon;
mod keyboard;
mod letters;
pub mod link;
mod looker;
pub mod model;
pub mod show;
pub mod view;
mod warm;
mod window;
pub mod words;

use args::Args;
use desk::{Desk, Reason};
use hallpass_session::{paths, runtime_dir};
use link::instance;
use std::process::ExitCode;
use std::time::Duration;

/// Ends a process that has had no session for this long and shows no window.
const IDLE: Duration = Duration::from_secs(60);
/// Something of ours went wrong; the same as `hallpass` itself.
const OURS: u8 = 125;

/// The program `hallpass-agent`, whole.
#[must_use]
pub fn main() -> ExitCode {
    end_on_panic();
    let args = match Args::parse(std::env::args_os().skip(1)) {
        Ok(Some(args)) => args,
        Ok(None) => {
            say_out(args::HELP);
            return ExitCode::SUCCESS;
        }
        Err(error) => return fail(&error),
    };
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

/// A thread that has panicked is missed by all others: the process ends, with one line, and
/// whoever still asks opens another. At once: what else would run at its end (the libraries that
/// draw have much to do there) may wait for a lock that this thread holds, and a window that
/// hangs is worse than none.
fn end_on_panic() {
    std::panic::set_hook(Box::new(|panic| {
        let what = panic.payload_as_str().unwrap_or("no reason given");
        let place = panic.location().map(ToString::to_string);
        say_err(&fault(what, place.as_deref()));
        std::process::abort();
    }));
}

fn fault(what: &str, place: Option<&str>) -> String {
    let what = show::clip(what, 300);
    let place = place.unwrap_or("an unknown place");
    format!("hallpass-agent: ends by a fault of its own: {what} ({place})\n")
}

fn fail(error: &str) -> ExitCode {
    say_err(&format!("hallpass-agent: {error}\n"));
    ExitCode::from(OURS)
}

fn say_out(text: &str) {
    use std::io::Write;
    // Nobody is there to be told that nobody is there.
    let _ = std::io::stdout().write_all(text.as_bytes());
}

fn say_err(text: &str) {
    use std::io::Write;
    let _ = std::io::stderr().write_all(text.as_bytes());
}

fn run(args: &Args) -> Result<(), String> {
    if !args::has_display(&paths::environment) {
        return Err(
            "there is no display (DISPLAY and WAYLAND_DISPLAY are empty); answer with \
             `hallpass answer`, or start it from your desktop"
                .to_owned(),
        );
    }
    // A target of the same user must not read or steer the hand that answers.
    nix::sys::prctl::set_dumpable(false)
        .map_err(|error| format!("cannot protect itself: {error}"))?;
    if args.background {
        // Whoever started it may hang up its terminal or be stopped with its job.
        let _ = nix::unistd::setsid();
    }
    let bases = runtime_dir::bases(&paths::environment);
    let started = instance::start(&bases, !args.background);
    let Some(instance) = started.map_err(|problem| problem.to_string())? else {
        return Ok(());
    };
    let rules = paths::rules_file(&paths::environment).ok();
    let no_thread = |error: std::io::Error| format!("cannot start a thread: {error}");
    let desk = Desk::start(bases, rules).map_err(no_thread)?;
    let summoned = desk.clone();
    std::thread::Builder::new()
        .name("instance".to_owned())
        .spawn(move || instance.serve(|| summoned.summon()))
        .map_err(no_thread)?;
    let no_window = |error: eframe::Error| format!("no window: {error}");
    let mut reason = (!args.background).then_some(Reason::Person);
    if curtain::exists(&paths::environment) {
        // One window for the life of the process; it ends when nothing has run for a while.
        return window::run(&desk, reason, args.theme).map_err(no_window);
    }
    loop {
        let why = match reason.take() {
            Some(why) => why,
            None => match desk.wait(IDLE) {
                Some(why) => why,
                None => return Ok(()),
            },
        };
        window::run(&desk, Some(why), args.theme).map_err(no_window)?;
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::Command;

    /// The panic is a real one, of this test program started once more.
    #[test]
    fn a_panic_of_any_thread_ends_the_process_at_once_with_one_line() {
        const TO_PANIC: &str = "HALLPASS_TEST_PANICS";
        const HERE: &str = "tests::a_panic_of_any_thread_ends_the_process_at_once_with_one_line";
        if std::env::var_os(TO_PANIC).is_some() {
            super::end_on_panic();
            std::thread::spawn(|| panic!("left\nright"));
            std::thread::sleep(std::time::Duration::from_secs(60));
        }
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", HERE, "--nocapture"])
            .env(TO_PANIC, "1")
            .output()
            .unwrap();
        assert_eq!(output.status.signal(), Some(6), "{output:?}");
        let said = String::from_utf8_lossy(&output.stderr);
        let mut lines = said.lines().filter(|line| line.contains("hallpass-agent"));
        let line = lines.next().unwrap_or_default();
        assert!(line.contains(r"fault of its own: left\nright"), "{said}");
        assert_eq!(lines.next(), None);
    }

    #[test]
    fn a_fault_is_one_line() {
        let text = super::fault("left == right\n  left: 1", Some("agent/src/x.rs:1:2"));
        assert_eq!(text.lines().count(), 1);
        assert!(text.contains("x.rs:1:2") && text.contains("left == right"));
    }
}
