//! `hallpass completions`: a shell's script that completes commands and flags.

use super::failure::Outcome;
use clap_complete::Shell;
use std::io::Write;

/// Print a completion script for a shell, to be put where that shell looks for them.
#[derive(Debug, clap::Args)]
pub(crate) struct CompletionsArgs {
    /// For which shell.
    #[arg(value_enum, value_name = "SHELL")]
    shell: Shell,
}

/// Runs the command.
pub(crate) fn run(args: &CompletionsArgs, mut cli: clap::Command) -> Outcome {
    let name = cli.get_name().to_owned();
    // clap_complete panics where it cannot write.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut cli, name, &mut script);
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(&script)?;
    Ok(stdout.flush()?)
}
