//! `hallpass learn`: a run that refuses nothing and writes down what it needed.

use super::args::{Default, Guard, HoldBy, PolicyArgs, Prompt, RunArgs, RunFlags};
use super::span;
use hallpass_policy::{Action, RuleFile};
use hallpass_session::problem::Problem;
use hallpass_session::rules_file;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Run a program, let all of its connections go on, and write a policy that allows them.
///
/// The program's exit status is passed through; hallpass's own are those of `hallpass run`.
#[derive(Debug, clap::Args)]
pub(crate) struct LearnArgs {
    /// Write the policy to this file.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,

    /// Add to the policy that is in the file. What it allows already is not added again, what it
    /// denies stays denied, and notes, order and rules of yours stay as they are.
    #[arg(long)]
    merge: bool,

    /// How a rule says for which program it is. Packages keep their names.
    #[arg(long, value_enum, value_name = "HOW", default_value = "path")]
    programs: Programs,

    /// How calls are caught; see `hallpass run`.
    #[arg(long, value_enum, value_name = "ON|OFF", default_value = "on")]
    guard: Guard,

    /// End the program after this time (30s, 5m, 2h): SIGTERM, SIGKILL 5 s later, exit 124.
    #[arg(long, value_name = "TIME", value_parser = span::parse)]
    timeout: Option<Duration>,

    /// Print each decision as a line on stderr.
    #[arg(short, long)]
    verbose: bool,

    /// The program to start, and its arguments.
    #[arg(
        value_name = "CMD",
        required = true,
        trailing_var_arg = true,
        value_hint = clap::ValueHint::CommandWithArguments
    )]
    command: Vec<OsString>,
}

/// How a learned rule says for which program it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Programs {
    /// By its path, here /usr/bin/curl, or of a script script:/usr/local/bin/deploy.py.
    Path,
    /// By its name, wherever it is, so that the list is good for other machines, too.
    Name,
    /// For every program.
    Any,
}

/// Where a run's needs are written, and what they are added to.
#[derive(Clone, Debug)]
pub(crate) struct Learning {
    /// The policy file.
    pub(crate) output: PathBuf,
    /// The policy so far.
    pub(crate) so_far: RuleFile,
    /// Whether the file is there already.
    pub(crate) is_there: bool,
    /// How its rules name programs.
    pub(crate) programs: Programs,
}

/// Runs the command and tells the status to end with.
pub(crate) fn main(args: LearnArgs) -> ExitCode {
    match run_args(args) {
        Ok(args) => super::main(&args),
        Err(problem) => {
            crate::say::say(&super::problem::in_one_line(&problem));
            crate::exit::Exit::Ours.into()
        }
    }
}

/// An audit of the policy so far, in which whatever it does not allow is what is to be learned.
fn run_args(args: LearnArgs) -> Result<RunArgs, Problem> {
    let is_there = std::fs::symlink_metadata(&args.output).is_ok();
    if is_there && !args.merge {
        return Err(Problem::at(
            &args.output,
            "is there already",
            "write --merge to add to it, or name another file with -o",
        ));
    }
    let so_far = if is_there {
        rules_file::load_named(&args.output)?
    } else {
        RuleFile {
            default: Some(Action::Deny),
            ..RuleFile::default()
        }
    };
    let policy = if is_there {
        vec![args.output.clone()]
    } else {
        Vec::new()
    };
    Ok(RunArgs {
        flags: RunFlags {
            rules: PolicyArgs {
                default: Some(Default::Deny),
                policy,
                ..PolicyArgs::default()
            },
            prompt: Prompt::None,
            guard: args.guard,
            audit: true,
            timeout: args.timeout,
            wait: true,
            verbose: args.verbose,
            ask_timeout: None,
            hold: HoldBy::Block,
            report: Vec::new(),
            save_answers: None,
            fail_on_block: None,
        },
        command: args.command,
        user: None,
        learning: Some(Learning {
            output: args.output,
            so_far,
            is_there,
            programs: args.programs,
        }),
    })
}
