//! `hallpass wrap`: a program that always runs through hallpass.

mod flags;
mod shim;

use super::failure::{Failure, Outcome};
use super::output::Output;
use crate::run::policy;
use crate::say::say;
use flags::Flags;
use hallpass_session::escape::{WHOLE_PATH, escape_bytes};
use hallpass_session::paths;
use hallpass_session::problem::{Problem, show_path};
use std::ffi::{OsStr, OsString};
use std::fs::{DirBuilder, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Make a program always run through hallpass: write a small shim of its name, to be put first on
/// PATH.
///
/// The shim looks for the program on PATH, passes by itself and other shims, and starts what it
/// finds with `hallpass run` and the flags given here. Arguments, status and signals are the
/// program's own. Inside a session the rules among the flags narrow that session.
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "hallpass wrap [OPTIONS] <NAME>...\n       hallpass wrap --remove [--dir <DIR>] <NAME>...\n       hallpass wrap --list [--dir <DIR>]"
)]
pub(crate) struct WrapArgs {
    /// Write shims to this directory [default: $XDG_DATA_HOME/hallpass/bin].
    #[arg(long, value_name = "DIR", help_heading = "Shims")]
    dir: Option<PathBuf>,

    /// Remove the shims of these names.
    #[arg(long, conflicts_with = "list", help_heading = "Shims")]
    remove: bool,

    /// List the shims, what each starts now, and its flags.
    #[arg(long, conflicts_with = "names", help_heading = "Shims")]
    list: bool,

    #[command(flatten)]
    flags: Flags,

    /// The programs, as one types them: npm, cargo.
    #[arg(value_name = "NAME", required_unless_present = "list")]
    names: Vec<OsString>,
}

/// Runs the command.
pub(crate) fn run(args: &WrapArgs) -> Outcome {
    let dir = directory(args.dir.as_deref())?;
    if (args.list || args.remove) && !args.flags.words.is_empty() {
        let flag = if args.list { "--list" } else { "--remove" };
        return Err(problem(
            flag,
            format!(
                "takes no flags of `hallpass run`, and {} is one",
                shim::shown(&args.flags.words[0])
            ),
            "leave it out",
        ));
    }
    if args.list {
        return list(&dir);
    }
    for name in &args.names {
        check_name(name)?;
    }
    if args.remove {
        return remove(&dir, &args.names);
    }
    write_all(&dir, args)
}

fn problem(place: &str, what: impl Into<String>, instead: &str) -> Failure {
    Failure::Problem(Problem {
        place: place.to_owned(),
        what: what.into(),
        instead: instead.to_owned(),
    })
}

/// Where the shims are, as an absolute path that PATH can hold.
fn directory(given: Option<&Path>) -> Result<PathBuf, Failure> {
    let dir = match given {
        Some(given) => std::path::absolute(given)
            .map_err(|error| Problem::io(given, "find", &error, "name it by its absolute path"))?,
        None => paths::data_dir(&paths::environment)?.join("bin"),
    };
    let is_odd = |byte: &u8| *byte == b':' || byte.is_ascii_control();
    if dir.as_os_str().as_bytes().iter().any(is_odd) {
        return Err(Problem::at(
            &dir,
            "has a colon or a control character in its path, and PATH cannot hold that",
            "name another directory with --dir",
        )
        .into());
    }
    Ok(dir)
}

fn check_name(name: &OsStr) -> Outcome {
    let bytes = name.as_bytes();
    let shown = escape_bytes(bytes, WHOLE_PATH);
    if bytes.contains(&b'/') || matches!(bytes, b"" | b"." | b"..") {
        let last = Path::new(name).file_name().unwrap_or(OsStr::new("npm"));
        let instead = format!("write a name alone, such as {}", shim::shown(last));
        return Err(problem(
            &format!("\"{shown}\""),
            "is no name of a program",
            &instead,
        ));
    }
    if bytes.iter().any(u8::is_ascii_control) {
        return Err(problem(
            &shown,
            "has a control character",
            "write the program's name alone",
        ));
    }
    if bytes == b"hallpass" {
        return Err(problem(
            "hallpass",
            "cannot be wrapped: it is what shims start",
            "name the program that it should start",
        ));
    }
    Ok(())
}

fn write_all(dir: &Path, args: &WrapArgs) -> Outcome {
    // Now, and not at the first start, is when somebody looks.
    if let Err(text) = policy::assemble(&args.flags.parsed.rules) {
        say(&text);
        return Err(Failure::Said);
    }
    if let Some(odd) = args
        .flags
        .words
        .iter()
        .find(|word| word.as_bytes().contains(&b'\n'))
    {
        let what = "has a line break in it, which a shim cannot hold";
        return Err(problem(&shim::shown(odd), what, "name the file otherwise"));
    }
    let hallpass = std::env::current_exe()
        .and_then(std::fs::canonicalize)
        .map_err(|error| {
            Problem::io(
                Path::new("/proc/self/exe"),
                "find",
                &error,
                "start hallpass by its path",
            )
        })?;
    let made = DirBuilder::new().recursive(true).mode(0o755).create(dir);
    made.map_err(|error| Problem::io(dir, "create", &error, "name another directory with --dir"))?;
    // All or none, as far as that can be known before.
    for name in &args.names {
        refuse_others(&dir.join(name))?;
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut output = Output::new();
    for name in &args.names {
        let file = dir.join(name);
        write(&file, &shim::text(&hallpass, dir, name, &args.flags))?;
        let what = match shim::real(name, &path) {
            Some(real) => format!("{} through hallpass", show_path(&real)),
            None => format!("{} through hallpass, once it is on PATH", shim::shown(name)),
        };
        output.line(&format!("{} runs {what}", show_path(&file)))?;
    }
    output.finish()?;
    tell_what_to_put_on_path(dir, &args.names, &path);
    Ok(())
}

/// Only what a shim of ours is may be replaced or removed.
fn refuse_others(file: &Path) -> Outcome {
    let is_there = std::fs::symlink_metadata(file).is_ok();
    if is_there && read(file)?.is_none() {
        return Err(Problem::at(
            file,
            "is there already, and `hallpass wrap` did not write it",
            "name another directory with --dir; it is to hold shims only",
        )
        .into());
    }
    Ok(())
}

fn read(file: &Path) -> Result<Option<Vec<u8>>, Failure> {
    shim::read(file).map_err(|error| Problem::io(file, "read", &error, "").into())
}

/// In one step: the shim may be in use, and the shell reads it as it goes.
fn write(file: &Path, text: &[u8]) -> Outcome {
    let mut name = OsString::from(format!(".{}-", std::process::id()));
    name.push(file.file_name().unwrap_or_default());
    let new = file.with_file_name(name);
    let written = OpenOptions::new()
        .create_new(true)
        .write(true)
        .mode(0o600)
        .open(&new)
        .and_then(|mut opened| {
            opened.write_all(text)?;
            opened.set_permissions(Permissions::from_mode(0o755))?;
            std::fs::rename(&new, file)
        });
    written.map_err(|error| {
        let _ = std::fs::remove_file(&new);
        Problem::io(file, "write", &error, "name another directory with --dir").into()
    })
}

/// Where another program, or nothing, is found by the name.
fn tell_what_to_put_on_path(dir: &Path, names: &[OsString], path: &OsStr) {
    let is_first = |name: &OsString| shim::first(name, path).is_some_and(|it| it == dir.join(name));
    if !names.iter().all(is_first) {
        say(&format!(
            "put the directory first on PATH, and the shims are used: export PATH={}:\"$PATH\"",
            shim::shown(dir.as_os_str())
        ));
    }
}

fn remove(dir: &Path, names: &[OsString]) -> Outcome {
    for name in names {
        let file = dir.join(name);
        refuse_others(&file)?;
        if read(&file)?.is_none() {
            let instead = format!(
                "see `hallpass wrap --dir {} --list`",
                shim::shown(dir.as_os_str())
            );
            return Err(Problem::at(&file, "is not there", instead).into());
        }
    }
    for name in names {
        let file = dir.join(name);
        std::fs::remove_file(&file).map_err(|error| Problem::io(&file, "remove", &error, ""))?;
    }
    Ok(())
}

fn list(dir: &Path) -> Outcome {
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            say(&format!("no shims: {} is not there", show_path(dir)));
            return Ok(());
        }
        Err(error) => return Err(Problem::io(dir, "read", &error, "").into()),
    };
    let mut names: Vec<OsString> = entries.flatten().map(|entry| entry.file_name()).collect();
    names.sort();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut output = Output::new();
    let mut found = false;
    for name in names {
        let Some(text) = read(&dir.join(&name))? else {
            continue;
        };
        found = true;
        let real = match shim::real(&name, &path) {
            Some(real) => show_path(&real),
            None => "not on PATH".to_owned(),
        };
        let flags = escape_bytes(shim::flags(&text).unwrap_or_default(), WHOLE_PATH);
        let line = format!("{} → {real}  {flags}", shim::shown(&name));
        output.line(line.trim_end())?;
    }
    output.finish()?;
    if !found {
        say(&format!("no shims in {}", show_path(dir)));
    }
    Ok(())
}
