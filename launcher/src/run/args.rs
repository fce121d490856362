//! The flags of `hallpass run`.

use super::learn::Learning;
use super::span;
use crate::exit::Exit;
use crate::report::{Format, Wanted};
use hallpass_session::hold::Hold;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// Start a program and decide its outgoing connections.
///
/// The program's exit status is passed through. hallpass's own: 111 a connection was refused
/// (--fail-on-block), 124 --timeout ran out, 125 hallpass failed, 126 the program could not be
/// started, 127 it was not found.
#[derive(Debug, clap::Args)]
#[command(override_usage = "hallpass run [OPTIONS] -- <CMD>...")]
pub(crate) struct RunArgs {
    /// How it is run.
    #[command(flatten)]
    pub(crate) flags: RunFlags,

    /// Start the program as this user (a name or a number; root only), with its groups and home.
    /// So `sudo hallpass run --user "$SUDO_USER" -- CMD` starts it as you, and sudo, su and ping
    /// inside keep the privileges that they lose when hallpass itself is started as you.
    #[arg(long, value_name = "USER")]
    pub(crate) user: Option<String>,

    /// Set by `hallpass learn`.
    #[arg(skip = None)]
    pub(crate) learning: Option<Learning>,

    /// The program to start, and its arguments.
    #[arg(
        value_name = "CMD",
        required = true,
        trailing_var_arg = true,
        value_hint = clap::ValueHint::CommandWithArguments
    )]
    pub(crate) command: Vec<OsString>,
}

/// How a program is run: shared by `hallpass run` and `hallpass wrap`.
#[derive(Debug, clap::Args)]
pub(crate) struct RunFlags {
    /// The rules.
    #[command(flatten)]
    pub(crate) rules: PolicyArgs,

    /// Where questions are asked. Other terminals can answer at any time: `hallpass answer`.
    #[arg(long, value_enum, value_name = "WHERE", default_value = "auto")]
    pub(crate) prompt: Prompt,

    /// How calls are caught. The guard is the kernel's own (seccomp): no program gets around it,
    /// static ones and raw system calls included. Without it the preloaded library decides alone.
    #[arg(long, value_enum, value_name = "ON|OFF", default_value = "on")]
    pub(crate) guard: Guard,

    /// Refuse a connection that nobody has answered for after this time (30s, 5m, 2h).
    #[arg(long, value_name = "TIME", value_parser = span::parse)]
    pub(crate) ask_timeout: Option<Duration>,

    /// How a connection waits for your answer: `block` holds the call itself; `name` holds the
    /// look-up of the name before it, so that event loops go on; `retry` refuses at once, keeps
    /// the question for ten minutes and honours the answer at the next try.
    #[arg(long, value_enum, value_name = "HOW", default_value = "block")]
    pub(crate) hold: HoldBy,

    /// Refuse nothing: let go on what would be refused or asked about, and say so (-v, --report).
    #[arg(long)]
    pub(crate) audit: bool,

    /// Write a report when the program has ended: text or github on stderr, or text, json, junit,
    /// sarif, github or gitlab to a file. May be repeated. Waits for all processes of the program,
    /// as --wait does.
    #[arg(long, value_name = "FORMAT[=FILE]", value_parser = Wanted::parser())]
    pub(crate) report: Vec<Wanted>,

    /// When the program has ended, add the answers that were given for this run or for good to this
    /// policy file; where there is none, one with `"default": "deny"` is made. Waits for all
    /// processes of the program, as --wait does.
    #[arg(long, value_name = "FILE")]
    pub(crate) save_answers: Option<PathBuf>,

    /// Exit with STATUS (111) where a connection was refused, or would be without --audit,
    /// although the program itself said 0. Waits for all processes of the program, as --wait does.
    #[arg(
        long,
        value_name = "STATUS",
        num_args = 0..=1,
        require_equals = true,
        value_parser = clap::value_parser!(u8).range(1..),
    )]
    pub(crate) fail_on_block: Option<Option<u8>>,

    /// End the program after this time (30s, 5m, 2h): SIGTERM, SIGKILL 5 s later, exit 124.
    #[arg(long, value_name = "TIME", value_parser = span::parse)]
    pub(crate) timeout: Option<Duration>,

    /// Wait until all processes of the program have ended, also those in the background.
    #[arg(long)]
    pub(crate) wait: bool,

    /// Print each decision as a line on stderr.
    #[arg(short, long)]
    pub(crate) verbose: bool,
}

/// Which rules decide: shared by `hallpass run` and `hallpass explain`.
#[derive(Debug, std::default::Default, clap::Args)]
pub(crate) struct PolicyArgs {
    /// Allow connections to this destination: an address, range, name, `*.name`, `@lan`,
    /// `@internet`, `@any` …, then `:port` and `/tcp` if need be. May be repeated.
    #[arg(long, value_name = "DEST")]
    pub(crate) allow: Vec<String>,

    /// Refuse connections to this destination. May be repeated.
    #[arg(long, value_name = "DEST")]
    pub(crate) deny: Vec<String>,

    /// Ask about connections to this destination. May be repeated.
    #[arg(long, value_name = "DEST")]
    pub(crate) ask: Vec<String>,

    /// What happens to a connection that no rule covers [default: the policy file's, else the
    /// saved rules', else ask].
    #[arg(long, value_enum, value_name = "ACTION")]
    pub(crate) default: Option<Default>,

    /// Take rules from this file. May be repeated. Saved rules are then left out, unless
    /// --user-rules.
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Vec<PathBuf>,

    /// Allow the destinations in this file: one a line, or a hosts file, or a domain list
    /// (`||example.com^`); `#` begins a comment. May be repeated. Saved rules are then left out,
    /// unless --user-rules.
    #[arg(long, value_name = "FILE")]
    pub(crate) allow_list: Vec<PathBuf>,

    /// Use the saved rules also with --policy, --allow-list or --default deny.
    #[arg(long)]
    pub(crate) user_rules: bool,
}

/// What happens where no rule matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Default {
    /// Hold the call and ask.
    Ask,
    /// Let it go on.
    Allow,
    /// Refuse it.
    Deny,
}

/// Whether the kernel's guard is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Guard {
    /// The guard decides.
    On,
    /// The library decides.
    Off,
}

/// Who is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Prompt {
    /// The desktop window where there is a display, else this terminal, else nobody.
    Auto,
    /// The desktop window.
    Gui,
    /// This terminal (/dev/tty).
    Tty,
    /// Nobody: what would be asked is refused at once, or with --ask-timeout waits that long
    /// for `hallpass answer`.
    None,
}

/// How a call waits for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum HoldBy {
    /// The call is held.
    Block,
    /// The look-up of its name is held; calls to bare addresses are held themselves.
    Name,
    /// The call is refused, and the answer is for the program's next try.
    Retry,
}

impl From<HoldBy> for Hold {
    fn from(by: HoldBy) -> Self {
        match by {
            HoldBy::Block => Self::Block,
            HoldBy::Name => Self::Name,
            HoldBy::Retry => Self::Retry,
        }
    }
}

impl RunFlags {
    /// The status that `--fail-on-block` asks for.
    pub(crate) fn status_if_blocked(&self) -> Option<u8> {
        self.fail_on_block
            .map(|status| status.unwrap_or(Exit::Blocked.code()))
    }

    /// Whether what was refused is said on stderr, line by line.
    pub(crate) fn names_refused(&self) -> bool {
        let names = |wanted: &Wanted| match wanted.format {
            Format::Text => wanted.file.is_none(),
            format => format == Format::Github,
        };
        self.verbose || self.fail_on_block.is_some() || self.report.iter().any(names)
    }

    /// True where the front stays until the last process of the program has ended.
    pub(crate) fn waits_for_all(&self) -> bool {
        self.wait
            || self.fail_on_block.is_some()
            || self.save_answers.is_some()
            || !self.report.is_empty()
    }
}

#[cfg(test)]
impl RunArgs {
    /// Of `hallpass run FLAGS -- true`.
    pub(crate) fn of_flags(flags: &[&str]) -> Self {
        #[derive(clap::Parser)]
        struct Line {
            #[command(flatten)]
            run: RunArgs,
        }
        let words = ["run"].iter().chain(flags).chain(&["--", "true"]);
        let line: Line = clap::Parser::try_parse_from(words).expect("a valid line");
        line.run
    }
}
