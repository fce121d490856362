//! What is measured. Work inside a running session is done by this program again, as a worker:
//! the session's own start does not count, except where it is the thing measured.

use crate::way::{Way, find};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

pub(crate) const WORKER: &str = "worker";

pub(crate) struct Work {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    kind: Kind,
}

enum Kind {
    /// The worker's own loop, by this name.
    Loop,
    /// The worker starts this command over and over.
    Start(&'static [&'static str]),
    /// The way itself starts `true`: the price of a whole run.
    Whole,
}

impl Work {
    pub(crate) fn all() -> Vec<Self> {
        let work = |name, what, kind| Self { name, what, kind };
        vec![
            work(
                "exec",
                "start /bin/true, inside a running session",
                Kind::Start(&["/bin/true"]),
            ),
            work(
                "connect",
                "connect + close on loopback, always to the same port",
                Kind::Loop,
            ),
            work(
                "connect-new",
                "connect + close, each time to another address: nothing is cached",
                Kind::Loop,
            ),
            work(
                "unix-round-trip",
                "one new AF_UNIX connection, a question, an answer: the yardstick for an ask",
                Kind::Loop,
            ),
            work(
                "curl",
                "curl --version, inside a running session",
                Kind::Start(&["curl", "--version"]),
            ),
            work(
                "git",
                "git --version, inside a running session",
                Kind::Start(&["git", "--version"]),
            ),
            work(
                "python3",
                "python3 -c pass, inside a running session",
                Kind::Start(&["python3", "-c", "pass"]),
            ),
            work(
                "node",
                "node -e 0, inside a running session",
                Kind::Start(&["node", "-e", "0"]),
            ),
            work(
                "whole-run",
                "`true`, the session's start and end included",
                Kind::Whole,
            ),
        ]
    }

    /// Nanoseconds; none where the program is not installed.
    pub(crate) fn sample(&self, way: &Way) -> io::Result<Option<Vec<f64>>> {
        match self.kind {
            Kind::Whole => {
                let start = Instant::now();
                let status = way
                    .command(Path::new("/bin/true"))
                    .stdin(Stdio::null())
                    .status()?;
                let taken = nanoseconds(start);
                status
                    .success()
                    .then_some(())
                    .ok_or_else(|| io::Error::other(status.to_string()))?;
                Ok(Some(vec![taken]))
            }
            Kind::Start(words) => {
                let Some(program) = find(words[0].trim_start_matches("/bin/")) else {
                    return Ok(None);
                };
                let count = if words.len() == 1 { "100" } else { "5" };
                let mut arguments = vec!["start".into(), count.into(), program.into_os_string()];
                arguments.extend(words[1..].iter().map(Into::into));
                self.worker(way, &arguments).map(Some)
            }
            Kind::Loop => {
                let name = format!("hallpass-bench-{}.sock", std::process::id());
                let socket = std::env::temp_dir().join(name);
                serve(&socket)?;
                let tcp = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0))?;
                let port = tcp.local_addr()?.port().to_string();
                std::thread::spawn(move || for _ in tcp.incoming() {});
                let arguments = [self.name.into(), port.into(), socket.into_os_string()];
                self.worker(way, &arguments).map(Some)
            }
        }
    }

    fn worker(&self, way: &Way, arguments: &[std::ffi::OsString]) -> io::Result<Vec<f64>> {
        let me = std::env::current_exe()?;
        let output = way
            .command(&me)
            .arg(WORKER)
            .args(arguments)
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()?;
        if !output.status.success() {
            return Err(io::Error::other(format!("worker: {}", output.status)));
        }
        let text = String::from_utf8_lossy(&output.stdout);
        Ok(text.lines().filter_map(|line| line.parse().ok()).collect())
    }
}

/// Answers one byte with one byte on a new connection each.
fn serve(path: &PathBuf) -> io::Result<()> {
    let _ = std::fs::remove_file(path);
    let listener = UnixListener::bind(path)?;
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut stream: UnixStream = stream;
            let mut byte = [0];
            if stream.read_exact(&mut byte).is_ok() {
                let _ = stream.write_all(&byte);
            }
        }
    });
    Ok(())
}

pub(crate) fn run_worker(arguments: &[String]) -> ExitCode {
    match work_on(arguments) {
        Ok(samples) => {
            let mut out = io::stdout().lock();
            for sample in samples {
                let _ = writeln!(out, "{sample}");
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("hallpass-bench worker: {error}");
            ExitCode::FAILURE
        }
    }
}

fn work_on(arguments: &[String]) -> io::Result<Vec<f64>> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["start", count, program, rest @ ..] => {
            let count = count.parse().map_err(io::Error::other)?;
            repeat(count, 1, |_| {
                let mut command = Command::new(program);
                command
                    .args(rest)
                    .stdin(Stdio::null())
                    .stdout(Stdio::null());
                command.status().map(|_| ())
            })
        }
        ["connect", port, _] => {
            let to =
                SocketAddr::from((Ipv4Addr::LOCALHOST, port.parse().map_err(io::Error::other)?));
            repeat(100, 20, |_| TcpStream::connect(to).map(|_| ()))
        }
        ["connect-new", port, _] => {
            let port = port.parse().map_err(io::Error::other)?;
            repeat(100, 20, |n| {
                let [_, a, b, c] = n.to_be_bytes();
                let address = Ipv4Addr::new(127, a, b, c.saturating_add(1));
                TcpStream::connect(SocketAddr::from((address, port))).map(|_| ())
            })
        }
        ["unix-round-trip", _, socket] => repeat(100, 20, |_| {
            let mut stream = UnixStream::connect(socket)?;
            stream.write_all(&[1])?;
            stream.read_exact(&mut [0])
        }),
        _ => Err(io::Error::other("unknown work")),
    }
}

/// `batches` samples of `size` operations each, in nanoseconds an operation; some go unmeasured
/// first.
fn repeat(
    batches: u32,
    size: u32,
    mut operation: impl FnMut(u32) -> io::Result<()>,
) -> io::Result<Vec<f64>> {
    let mut number = 0;
    let mut batch = || {
        let start = Instant::now();
        for _ in 0..size {
            operation(number)?;
            number += 1;
        }
        Ok(nanoseconds(start) / f64::from(size))
    };
    for _ in 0..batches / 10 {
        batch()?;
    }
    (0..batches)
        .map(|_| batch())
        .collect::<io::Result<Vec<f64>>>()
}

fn nanoseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e9
}
