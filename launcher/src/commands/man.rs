//! `hallpass man`: manual pages, made of what `--help` says.

use super::failure::{Failure, Outcome};
use hallpass_session::problem::Problem;
use std::path::PathBuf;

/// Write manual pages to a directory, one for hallpass and one for each command.
#[derive(Debug, clap::Args)]
pub(crate) struct ManArgs {
    /// The directory, such as ~/.local/share/man/man1; it is made where it is not there.
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

/// Runs the command.
pub(crate) fn run(args: &ManArgs, cli: clap::Command) -> Outcome {
    std::fs::create_dir_all(&args.dir)
        .and_then(|()| clap_mangen::generate_to(cli, &args.dir))
        .map_err(|error| {
            let instead = "name a directory that you may write to";
            Failure::Problem(Problem::io(&args.dir, "write to", &error, instead))
        })
}
