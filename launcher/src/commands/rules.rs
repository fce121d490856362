//! `hallpass rules`: the saved rules, shown and changed, and told to running sessions.

mod add;
mod list;
mod remove;

use super::failure::Outcome;
use super::output::Output;
use super::sessions::tell_rules_changed;
use crate::say::say;
use hallpass_session::paths;
use hallpass_session::problem::{Problem, show_path};
use hallpass_session::{render, rules_file};
use std::path::PathBuf;

/// Show and change the saved rules. Changes are in force in all running sessions when the
/// command ends.
#[derive(Debug, clap::Args)]
pub(crate) struct RulesArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    List(list::ListArgs),
    Add(add::AddArgs),
    Remove(remove::RemoveArgs),
    Reload(ReloadArgs),
}

/// Make running sessions read the file again, after it was changed by hand.
#[derive(Debug, clap::Args)]
struct ReloadArgs {}

/// Runs the command.
pub(crate) fn run(args: &RulesArgs) -> Outcome {
    match &args.command {
        Command::List(args) => list::run(args),
        Command::Add(args) => add::run(args),
        Command::Remove(args) => remove::run(args),
        Command::Reload(ReloadArgs {}) => reload(),
    }
}

fn file() -> Result<PathBuf, Problem> {
    paths::rules_file(&paths::environment)
}

fn reload() -> Outcome {
    let path = file()?;
    let rules = rules_file::load(&path)?.rules.len();
    let rules = render::count(rules as u64, "rule", "rules");
    in_force(&[format!("{}: {rules}", show_path(&path))])
}

/// Prints what was done to the file, tells the sessions, and says in how many it is in force.
fn in_force(done: &[String]) -> Outcome {
    let mut output = Output::new();
    for line in done {
        output.line(line)?;
    }
    output.flush()?;
    let (sessions, outcome) = tell_rules_changed();
    if sessions > 0 {
        let sessions = render::count(sessions as u64, "running session", "running sessions");
        output.line(&format!("told {sessions}"))?;
    }
    output.finish()?;
    if outcome.is_err() {
        say("the file is as it should be; the sessions named above go on with the rules of before");
    }
    outcome
}
