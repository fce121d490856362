//! The command line, defined once: parsing, `--help`, completions and manual pages
//! come from here.

use crate::commands::{
    agent::AgentArgs,
    answer::AnswerArgs,
    check::CheckArgs,
    completions::CompletionsArgs,
    doctor::DoctorArgs,
    end,
    end_flow::EndArgs,
    events::EventsArgs,
    explain::ExplainArgs,
    flows::FlowsArgs,
    halt::{DenyRestArgs, HaltArgs, ReleaseArgs},
    import::ImportArgs,
    man::ManArgs,
    pending::PendingArgs,
    rules::RulesArgs,
    wrap::WrapArgs,
};
use crate::exit::Exit;
use crate::{commands, run};
use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};
use std::process::ExitCode;

/// What the first minutes need.
const EXAMPLES: &str = "\
Examples:
  hallpass run -- curl http://example.com/       be asked about each connection
  hallpass run --default deny --allow @loopback -- make test
                                                 refuse all but this machine
  hallpass doctor                                what works here";

/// Monitors, holds and releases the outgoing network connections of a program that you start
/// through it.
#[derive(Debug, Parser)]
#[command(
    name = "hallpass",
    version,
    max_term_width = 100,
    arg_required_else_help = true,
    after_help = EXAMPLES
)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    command: Command,
}

/// The subcommands; each lives in a module of its own.
#[derive(Debug, Subcommand)]
enum Command {
    Run(Box<run::args::RunArgs>),
    Learn(run::learn::LearnArgs),
    Pending(PendingArgs),
    Answer(AnswerArgs),
    Events(EventsArgs),
    Flows(FlowsArgs),
    End(EndArgs),
    Halt(HaltArgs),
    DenyRest(DenyRestArgs),
    Release(ReleaseArgs),
    Rules(RulesArgs),
    Explain(ExplainArgs),
    Check(CheckArgs),
    Import(ImportArgs),
    Wrap(Box<WrapArgs>),
    Agent(AgentArgs),
    Doctor(DoctorArgs),
    Completions(CompletionsArgs),
    Man(ManArgs),
}

/// Parses the command line, does what it says, and tells the status to end with.
pub(crate) fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    match cli.command {
        Command::Run(args) => run::main(&args),
        Command::Learn(args) => run::learn::main(args),
        Command::Pending(args) => end(commands::pending::run(&args)),
        Command::Answer(args) => end(commands::answer::run(&args)),
        Command::Events(args) => end(commands::events::run(&args)),
        Command::Flows(args) => end(commands::flows::run(&args)),
        Command::End(args) => end(commands::end_flow::run(&args)),
        Command::Halt(args) => end(commands::halt::halt(&args)),
        Command::DenyRest(args) => end(commands::halt::deny_rest(&args)),
        Command::Release(args) => end(commands::halt::release(&args)),
        Command::Rules(args) => end(commands::rules::run(&args)),
        Command::Explain(args) => end(commands::explain::run(&args)),
        Command::Check(args) => end(commands::check::run(&args)),
        Command::Import(args) => end(commands::import::run(&args)),
        Command::Wrap(args) => end(commands::wrap::run(&args)),
        Command::Agent(args) => end(commands::agent::run(&args)),
        Command::Doctor(args) => commands::doctor::run(&args),
        Command::Completions(args) => end(commands::completions::run(&args, Cli::command())),
        Command::Man(args) => end(commands::man::run(&args, Cli::command())),
    }
}

/// Prints what clap has to say: help and version are a success, all else is 125, because 2 could
/// just as well be the started program's own status.
fn usage(error: &clap::Error) -> ExitCode {
    // Nobody reads it: nothing to be done about that.
    let _ = error.print();
    if error.kind() == ErrorKind::InvalidSubcommand {
        crate::say::line("\nTo start a program, write: hallpass run -- CMD");
    }
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Exit::Success.into(),
        _ => Exit::Ours.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }
}
