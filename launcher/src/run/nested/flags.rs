//! Which flags of `hallpass run` work inside a session, and what to write instead of the others.

use super::channel::Channel;
use super::keeper::Plan;
use crate::run::args::{Guard, HoldBy, Prompt, RunArgs};
use crate::run::policy;
use crate::say::say;
use hallpass_session::nested::Narrowing;
use std::path::Path;

/// What there is to do for a nested run. The error is for a person.
pub(in crate::run) fn plan(args: &RunArgs, channel: Channel) -> Result<Plan, String> {
    check(args, channel.has_guard())?;
    let program = args.command.first();
    let name = program.map(|program| Path::new(program).file_name().unwrap_or(program));
    let narrowing = Narrowing {
        name: name.map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
        policy: policy::of_nested(&args.flags.rules)?,
        asks_nobody: args.flags.prompt == Prompt::None,
    };
    if args.flags.verbose {
        say("inside a session: its decisions are shown by -v of the outer `hallpass run`");
    }
    if !channel.has_guard() {
        say(
            "the session that this runs in has no guard (--guard=off): static programs and raw \
             system calls get around its rules, and these",
        );
    }
    Ok(Plan {
        channel,
        rules: narrowing.encode()?,
    })
}

fn check(args: &RunArgs, has_guard: bool) -> Result<(), String> {
    let outer = |flag: &str| {
        Err(format!(
            "{flag} cannot be used inside a session, which decides, asks and reports for all that \
             runs in it: give it to the outer `hallpass run`"
        ))
    };
    if args.learning.is_some() {
        return Err(
            "hallpass learn cannot be used inside a session: learn there what the whole \
                    session needs"
                .to_owned(),
        );
    }
    if args.flags.audit {
        return outer("--audit");
    }
    if !args.flags.report.is_empty() {
        return outer("--report");
    }
    if args.flags.save_answers.is_some() {
        return outer("--save-answers");
    }
    if args.flags.ask_timeout.is_some() {
        return outer("--ask-timeout");
    }
    if args.flags.hold != HoldBy::Block {
        return outer("--hold");
    }
    if has_guard && args.flags.guard == Guard::Off {
        return Err(
            "--guard=off: the session that this runs in has a guard, which stays on; \
                    leave it out"
                .to_owned(),
        );
    }
    if matches!(args.flags.prompt, Prompt::Gui | Prompt::Tty) {
        return Err(
            "--prompt: questions are asked where the outer `hallpass run` asks them; \
                    leave it out, or write --prompt=none"
                .to_owned(),
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::run::args::RunArgs;

    fn checked(line: &[&str], has_guard: bool) -> Result<(), String> {
        check(&RunArgs::of_flags(line), has_guard)
    }

    #[test]
    fn flags_of_the_outer_run_say_so() {
        for line in [
            &["--audit"][..],
            &["--report", "text"],
            &["--save-answers", "f"],
            &["--ask-timeout", "5s"],
            &["--hold", "retry"],
            &["--guard", "off"],
            &["--prompt", "tty"],
            &["--prompt", "gui"],
        ] {
            let error = checked(line, true).unwrap_err();
            assert!(error.contains(line[0]), "{error}");
        }
    }

    #[test]
    fn what_works_for_the_nested_run_alone_is_let_be() {
        for line in [
            &["--deny", "@lan", "--allow", "a.example", "--ask", "@any"][..],
            &["--default", "deny", "--timeout", "5s", "--wait"],
            &["--fail-on-block", "--prompt", "none", "-v"],
            &["--guard", "on"],
        ] {
            assert_eq!(checked(line, true), Ok(()), "{line:?}");
        }
        assert_eq!(checked(&["--guard", "off"], false), Ok(()));
    }
}
