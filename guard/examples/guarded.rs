//! Runs a command under the guard and says what it does: `guarded [deny PORT]… [hold MS] -- CMD`.
//!
//! A tool for working on the guard. What a deny names is refused; `hold` settles every call
//! later; everything else is allowed at once.
#![allow(clippy::print_stderr, clippy::unwrap_used, clippy::exit)]

#[cfg(not(target_os = "linux"))]
fn main() {}

#[cfg(target_os = "linux")]
fn main() {
    use hallpass_guard::{
        Call, Caller, Decide, Destination, Refusal, Reply, Supervisor, Verdict, Withdraw, install,
    };
    use std::process::Command;
    use std::sync::Arc;
    use std::time::Duration;

    struct Settings {
        deny: Vec<u16>,
        hold: Option<Duration>,
        quiet: bool,
    }

    impl Decide for Settings {
        fn decide(&self, call: Call, reply: Reply) -> Option<Withdraw> {
            let verdict = match &call.destination {
                Destination::Ip(_, address) if self.deny.contains(&address.port()) => Verdict::Deny,
                _ => Verdict::Allow,
            };
            if !self.quiet {
                eprintln!("guarded: {call:?} {verdict:?}");
            }
            if let Some(hold) = self.hold {
                std::thread::spawn(move || {
                    std::thread::sleep(hold);
                    reply.settle(verdict);
                });
                return Some(Box::new(move |why| eprintln!("guarded: {call:?} {why:?}")));
            }
            reply.settle(verdict);
            None
        }

        fn refused(&self, caller: Caller, refusal: Refusal) {
            eprintln!("guarded: {caller:?} {refusal}");
        }
    }

    let mut settings = Settings {
        deny: Vec::new(),
        hold: None,
        quiet: std::env::var_os("QUIET").is_some(),
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(word) = arguments.next() {
        match word.as_str() {
            "deny" => settings
                .deny
                .push(arguments.next().unwrap().parse().unwrap()),
            "hold" => {
                let millis = arguments.next().unwrap().parse().unwrap();
                settings.hold = Some(Duration::from_millis(millis));
            }
            _ => break,
        }
    }
    let mut command = Command::new(arguments.next().unwrap());
    command.args(arguments);
    // As the session is.
    nix::sys::prctl::set_dumpable(false).unwrap();
    let (listener, granted, mut child) = install(|| command.spawn()).unwrap();
    if !settings.quiet {
        eprintln!("guarded: {granted:?}");
    }
    Supervisor::start(listener, Arc::new(settings)).unwrap();
    let status = child.wait().unwrap();
    std::process::exit(status.code().unwrap_or(255));
}
