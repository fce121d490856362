//! The flags of `hallpass run` as words: what a shim repeats each time.

use crate::report::Wanted;
use crate::run::args::RunFlags;
use clap::parser::ValueSource;
use clap::{ArgAction, ArgMatches, Args, Command, FromArgMatches};
use std::ffi::{OsStr, OsString};
use std::path::Path;

/// Flags that were checked, and the words that say the same wherever they are read.
#[derive(Debug)]
pub(super) struct Flags {
    /// What they mean.
    pub(super) parsed: RunFlags,
    /// `--flag` and `--flag=value`; files are named by absolute paths.
    pub(super) words: Vec<OsString>,
    /// Those of them that a run inside a session takes.
    pub(super) inner: Vec<OsString>,
}

/// Flags that narrow a session, or are about the program alone.
const INNER: [&str; 10] = [
    "allow",
    "deny",
    "ask",
    "default",
    "policy",
    "allow-list",
    "user-rules",
    "fail-on-block",
    "timeout",
    "wait",
];

impl Args for Flags {
    fn augment_args(command: Command) -> Command {
        RunFlags::augment_args(command)
    }

    fn augment_args_for_update(command: Command) -> Command {
        RunFlags::augment_args_for_update(command)
    }
}

impl FromArgMatches for Flags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let parsed = RunFlags::from_arg_matches(matches)?;
        let words = words(matches)?;
        // What refuses nothing outside must not refuse inside.
        let is_inner = |long: &str| !parsed.audit && INNER.contains(&long);
        let inner = words.iter().filter(|(long, _)| is_inner(long));
        Ok(Self {
            inner: inner.map(|(_, word)| word.clone()).collect(),
            words: words.into_iter().map(|(_, word)| word).collect(),
            parsed,
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// Each flag's name, and how it is written.
fn words(matches: &ArgMatches) -> Result<Vec<(String, OsString)>, clap::Error> {
    let definition = RunFlags::augment_args(Command::new("run"));
    let mut words = Vec::new();
    for arg in definition.get_arguments() {
        let id = arg.get_id().as_str();
        let Some(long) = arg.get_long() else { continue };
        if matches.value_source(id) != Some(ValueSource::CommandLine) {
            continue;
        }
        let flag = OsString::from(format!("--{long}"));
        if matches!(arg.get_action(), ArgAction::SetTrue) {
            words.push((long.to_owned(), flag));
            continue;
        }
        for occurrence in matches.get_raw_occurrences(id).into_iter().flatten() {
            let mut word = flag.clone();
            for value in occurrence {
                word.push("=");
                word.push(elsewhere(long, value)?);
            }
            words.push((long.to_owned(), word));
        }
    }
    Ok(words)
}

/// The value of a flag as it reads from another working directory: a policy must never be picked
/// up from wherever a program happens to be started.
fn elsewhere(long: &str, value: &OsStr) -> Result<OsString, clap::Error> {
    let absolute = |path: &Path| {
        std::path::absolute(path).map_err(|error| {
            let text = format!("--{long}: there is no working directory: {error}\n");
            clap::Error::raw(clap::error::ErrorKind::Io, text)
        })
    };
    match long {
        "policy" | "allow-list" | "save-answers" => Ok(absolute(Path::new(value))?.into()),
        "report" => match Wanted::split(value) {
            (_, None) => Ok(value.to_owned()),
            (format, Some(file)) => {
                let mut word = format.to_owned();
                word.push("=");
                word.push(absolute(Path::new(file))?);
                Ok(word)
            }
        },
        _ => Ok(value.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        flags: Flags,
        #[arg(required = true)]
        name: Vec<String>,
    }

    fn flags_of(line: &[&str]) -> Flags {
        let all = ["wrap"].iter().chain(line);
        let line = Line::try_parse_from(all).unwrap_or_else(|error| panic!("{error}"));
        line.flags
    }

    fn words_of(line: &[&str]) -> Vec<String> {
        let words = flags_of(line).words.into_iter();
        words.map(|word| word.into_string().unwrap()).collect()
    }

    #[test]
    fn a_session_gets_what_narrows_it() {
        let inner = |line: &[&str]| flags_of(line).inner;
        let line = [
            "--deny=@lan",
            "--fail-on-block",
            "--report=text",
            "--prompt=none",
            "-v",
            "npm",
        ];
        assert_eq!(inner(&line), ["--deny=@lan", "--fail-on-block"]);
        assert!(inner(&["--audit", "--default=deny", "npm"]).is_empty());
    }

    #[test]
    fn flags_are_repeated_and_files_are_absolute() {
        let here = std::env::current_dir().unwrap();
        let file = |name: &str| here.join(name).display().to_string();
        let line = [
            "--policy",
            "ci/net.json",
            "npm",
            "--allow=a.test:443",
            "--allow",
            "@lan",
            "-v",
            "--report=json=out/a=b.json",
            "--report",
            "text",
            "--policy=/etc/p.json",
            "--fail-on-block",
            "--ask-timeout",
            "5m",
        ];
        assert_eq!(
            words_of(&line),
            [
                "--allow=a.test:443".to_owned(),
                "--allow=@lan".to_owned(),
                format!("--policy={}", file("ci/net.json")),
                "--policy=/etc/p.json".to_owned(),
                "--ask-timeout=5m".to_owned(),
                format!("--report=json={}", file("out/a=b.json")),
                "--report=text".to_owned(),
                "--fail-on-block".to_owned(),
                "--verbose".to_owned(),
            ]
        );
        assert_eq!(
            words_of(&["--fail-on-block=7", "npm"]),
            ["--fail-on-block=7"]
        );
        assert!(words_of(&["npm"]).is_empty());
    }

    /// Every flag that takes a file has to be made absolute above: whoever adds one is told here.
    #[test]
    fn no_flag_that_names_a_file_is_forgotten() {
        let definition = RunFlags::augment_args(Command::new("run"));
        let mut files: Vec<&str> = definition
            .get_arguments()
            .filter(|arg| {
                let names = arg.get_value_names().unwrap_or_default();
                names.iter().any(|name| name.contains("FILE"))
            })
            .filter_map(|arg| arg.get_long())
            .collect();
        files.sort_unstable();
        assert_eq!(files, ["allow-list", "policy", "report", "save-answers"]);
    }
}
