//! `hallpass agent`: opens the desktop window.

use super::failure::Outcome;
use crate::run::window;
use hallpass_session::problem::Problem;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Open the window that asks, and shows what runs; where one is open already, show that.
#[derive(Debug, clap::Args)]
pub(crate) struct AgentArgs {
    /// Light or dark [default: what the desktop says].
    #[arg(long, value_name = "THEME", value_parser = ["system", "light", "dark"])]
    theme: Option<String>,
}

/// Runs `hallpass agent`: becomes the window's program.
pub(crate) fn run(args: &AgentArgs) -> Outcome {
    let program = window::beside_us().map_err(|what| Problem {
        place: "hallpass agent".to_owned(),
        what,
        instead: String::new(),
    })?;
    let mut command = Command::new(&program);
    if let Some(theme) = &args.theme {
        command.args(["--theme", theme]);
    }
    // Comes back only where it failed.
    let error = command.exec();
    Err(Problem::io(&program, "start", &error, "").into())
}
