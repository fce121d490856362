//! Compiles the C fixtures once, and runs them bare or under the hook.

use crate::session::Session;
use std::io::Read;
use std::net::{TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// The hook that the build script made.
pub(crate) const HOOK: &str = env!("HALLPASS_HOOK");

/// How a fixture ended.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) stdout: String,
    pub(crate) took: Duration,
}

impl Run {
    pub(crate) fn lines(&self) -> Vec<&str> {
        self.stdout.lines().collect()
    }
}

/// `tests/fixtures/NAME.c`, compiled; arguments are added with [`Fixture::arg`].
pub(crate) struct Fixture {
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<String>,
}

impl Fixture {
    pub(crate) fn new(name: &str) -> Self {
        Self {
            program: compile(name),
            args: Vec::new(),
        }
    }

    pub(crate) fn arg(mut self, arg: impl ToString) -> Self {
        self.args.push(arg.to_string());
        self
    }

    /// A command without hook, its environment free of ours.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(&self.args)
            .env_remove("HALLPASS")
            .env_remove("LD_PRELOAD");
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// A command under the hook that belongs to `session`.
    pub(crate) fn hooked_command(&self, session: &Session) -> Command {
        self.hooked_command_with(&session.variable())
    }

    pub(crate) fn hooked_command_with(&self, variable: &str) -> Command {
        let mut command = self.command();
        command.env("HALLPASS", variable).env("LD_PRELOAD", HOOK);
        command
    }

    pub(crate) fn bare(&self) -> Run {
        run(self.command())
    }

    pub(crate) fn hooked(&self, session: &Session) -> Run {
        run(self.hooked_command(session))
    }

    /// Runs bare and under a session that allows everything, and wants the same output.
    #[track_caller]
    pub(crate) fn same(&self) -> Run {
        let bare = self.bare();
        let hooked = self.hooked(&Session::allowing());
        assert_eq!(
            hooked.stdout, bare.stdout,
            "hooked (left) differs from bare (right)"
        );
        hooked
    }
}

/// Runs a command to its end, which must be 0 without a word on stderr.
#[track_caller]
pub(crate) fn run(mut command: Command) -> Run {
    let start = Instant::now();
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    let (stdout, stderr) = (text(stdout), text(stderr));
    assert!(
        status.success() && stderr.is_empty(),
        "{status}\n{stdout}{stderr}"
    );
    Run {
        stdout,
        took: start.elapsed(),
    }
}

/// Sends a signal to a program that was spawned.
pub(crate) fn kill(signal: &str, child: &Child) {
    let pid = child.id().to_string();
    let status = Command::new("kill")
        .arg(format!("-{signal}"))
        .arg(pid)
        .status();
    assert!(status.unwrap().success());
}

/// Waits for a spawned program, which must end with 0, and gives its output.
pub(crate) fn output(child: &mut Child) -> String {
    let mut text = String::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    assert!(child.wait().unwrap().success(), "{text}");
    text
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

/// Compiles a fixture; if there is a `NAME_library.c` it becomes a library of the program.
fn compile(name: &str) -> PathBuf {
    let library = format!("{name}_library");
    if sources().join(format!("{library}.c")).exists() {
        let library = gcc(&library, &["-shared", "-fPIC"]);
        return gcc(name, &[library.to_str().unwrap()]);
    }
    gcc(name, &[])
}

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures")
}

/// Compiles under a name of this thread's own, then renames: tests run side by side.
fn gcc(name: &str, more: &[&str]) -> PathBuf {
    let source = sources().join(format!("{name}.c"));
    let made = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("hook-{name}"));
    let modified = |path: &Path| path.metadata().and_then(|data| data.modified()).ok();
    if modified(&made) > modified(&source).max(modified(&sources().join("fixture.h"))) {
        return made;
    }
    let (process, thread) = (std::process::id(), std::thread::current().id());
    let own = made.with_extension(format!("{process}-{thread:?}"));
    let status = Command::new("gcc")
        .args(["-Wall", "-O1", "-pthread", "-o"])
        .arg(&own)
        .arg(&source)
        .args(more)
        .status()
        .expect("gcc (Debian: apt-get install gcc libc6-dev)");
    assert!(status.success(), "gcc {}", source.display());
    std::fs::rename(&own, &made).unwrap();
    made
}

/// A TCP port of the loopback that accepts.
pub(crate) fn tcp() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// A TCP port of the loopback that accepts any number of connections.
pub(crate) fn accepting() -> u16 {
    let (listener, port) = tcp();
    std::thread::spawn(move || listener.incoming().for_each(drop));
    port
}

/// A UDP port of the loopback.
pub(crate) fn udp() -> (UdpSocket, u16) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket
        .set_read_timeout(Some(Duration::from_millis(300)))
        .unwrap();
    let port = socket.local_addr().unwrap().port();
    (socket, port)
}
