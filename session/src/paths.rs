//! Where hallpass keeps things, by the XDG base directory specification (version 0.8).

use crate::problem::Problem;
use nix::unistd::{Uid, User};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Looks a variable of the environment up; tests bring their own.
pub type Variables<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// The caller's environment.
#[must_use]
pub fn environment(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// The saved rules: `$XDG_CONFIG_HOME/hallpass/rules.json`.
///
/// # Errors
/// Neither the variable nor a home directory says where that is.
pub fn rules_file(variables: Variables<'_>) -> Result<PathBuf, Problem> {
    Ok(base(variables, "XDG_CONFIG_HOME", ".config")?.join("hallpass/rules.json"))
}

/// Where the logs of sessions are: `$XDG_STATE_HOME/hallpass`.
///
/// # Errors
/// Neither the variable nor a home directory says where that is.
pub fn state_dir(variables: Variables<'_>) -> Result<PathBuf, Problem> {
    Ok(base(variables, "XDG_STATE_HOME", ".local/state")?.join("hallpass"))
}

/// What hallpass keeps for the user: `$XDG_DATA_HOME/hallpass`.
///
/// # Errors
/// Neither the variable nor a home directory says where that is.
pub fn data_dir(variables: Variables<'_>) -> Result<PathBuf, Problem> {
    Ok(base(variables, "XDG_DATA_HOME", ".local/share")?.join("hallpass"))
}

/// A session's log: `$XDG_STATE_HOME/hallpass/SESSION.jsonl`.
#[must_use]
pub fn log_file(state_dir: &Path, session: &str) -> PathBuf {
    state_dir.join(format!("{session}.jsonl"))
}

/// `$XDG_RUNTIME_DIR`, where it is set and absolute.
#[must_use]
pub fn xdg_runtime_dir(variables: Variables<'_>) -> Option<PathBuf> {
    absolute(variables, "XDG_RUNTIME_DIR")
}

/// A variable's directory, else that one below the home directory.
fn base(variables: Variables<'_>, variable: &str, below_home: &str) -> Result<PathBuf, Problem> {
    if let Some(dir) = absolute(variables, variable) {
        return Ok(dir);
    }
    let home = absolute(variables, "HOME").or_else(|| {
        let user = User::from_uid(Uid::effective()).ok()??;
        user.dir.is_absolute().then_some(user.dir)
    });
    match home {
        Some(home) => Ok(home.join(below_home)),
        None => Err(Problem {
            place: format!("${variable}"),
            what: "is not set, and there is no home directory".to_owned(),
            instead: format!("set HOME or {variable} to an absolute path"),
        }),
    }
}

/// The specification: "all paths must be absolute; if a relative path is set, ignore it".
fn absolute(variables: Variables<'_>, name: &str) -> Option<PathBuf> {
    let path = PathBuf::from(variables(name)?);
    path.is_absolute().then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with<'a>(pairs: &'a [(&'a str, &'a str)]) -> impl Fn(&str) -> Option<OsString> + 'a {
        move |name| {
            let pair = pairs.iter().find(|pair| pair.0 == name)?;
            Some(pair.1.into())
        }
    }

    #[test]
    fn the_variable_wins_over_the_home_directory() {
        let variables = with(&[
            ("HOME", "/home/a"),
            ("XDG_CONFIG_HOME", "/cfg"),
            ("XDG_STATE_HOME", "/st"),
        ]);
        assert_eq!(
            rules_file(&variables).unwrap(),
            Path::new("/cfg/hallpass/rules.json")
        );
        let logs = state_dir(&variables).unwrap();
        assert_eq!(
            log_file(&logs, "7-0000000a"),
            Path::new("/st/hallpass/7-0000000a.jsonl")
        );
    }

    #[test]
    fn unset_empty_and_relative_mean_the_home_directory() {
        for xdg in [None, Some(""), Some("cfg"), Some("./cfg")] {
            let pairs: Vec<_> = [("HOME", "/home/a")]
                .into_iter()
                .chain(xdg.map(|dir| ("XDG_CONFIG_HOME", dir)))
                .collect();
            let file = rules_file(&with(&pairs)).unwrap();
            assert_eq!(file, Path::new("/home/a/.config/hallpass/rules.json"));
        }
    }

    #[test]
    fn without_a_home_variable_the_user_database_says() {
        let home = User::from_uid(Uid::effective()).unwrap().unwrap().dir;
        assert_eq!(
            state_dir(&with(&[])).unwrap(),
            home.join(".local/state/hallpass")
        );
    }
}
