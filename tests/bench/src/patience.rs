//! Runs a command to its end, but not for ever: a rival that hangs must not hang the others.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

/// Far longer than any sample takes.
const LONGEST: Duration = Duration::from_secs(60);

/// What it printed on stdout. Files in `scratch` take what it prints: a pipe would be waited for
/// as long as any process that it has left behind.
///
/// # Errors
/// How it ended, and the first line that was said on stderr.
pub(crate) fn run(command: &mut Command, scratch: &Path) -> io::Result<String> {
    let (out, err) = (scratch.join("stdout"), scratch.join("stderr"));
    let mut child = command
        .stdin(Stdio::null())
        .stdout(File::create(&out)?)
        .stderr(File::create(&err)?)
        .spawn()?;
    let pid = i32::try_from(child.id()).map_err(io::Error::other)?;
    let (ended, end) = channel::<()>();
    let status = std::thread::scope(|scope| {
        let watch = scope.spawn(move || {
            let late = end.recv_timeout(LONGEST).is_err();
            if late {
                let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
            }
            late
        });
        let status = child.wait();
        let _ = ended.send(());
        match watch.join() {
            Ok(true) => Err(io::Error::other(format!("not done after {LONGEST:?}"))),
            _ => status,
        }
    })?;
    if status.success() {
        return fs::read_to_string(out);
    }
    let said = String::from_utf8_lossy(&fs::read(err)?).into_owned();
    let first = said.lines().find(|line| !line.trim().is_empty());
    Err(io::Error::other(format!(
        "{status}: {}",
        first.unwrap_or_default()
    )))
}
