//! This program again, inside whatever is measured: it does a piece of work over and over and
//! prints the nanoseconds of each.

mod messages;

use std::fs;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

/// The argument that makes this program a worker.
pub(crate) const WORD: &str = "worker";

/// Samples of a loop that one worker takes.
const BATCHES: u32 = 25;

/// In an argument of a command: a path where nothing is yet, another one each time.
pub(crate) const FRESH: &str = "{fresh}";

pub(crate) fn run(arguments: &[String]) -> ExitCode {
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

/// `start COUNT FRESH PROGRAM ARGUMENT…`, or the name of a loop with what
/// [`crate::fixtures::Fixtures::loop_arguments`] gives.
fn work_on(arguments: &[String]) -> io::Result<Vec<f64>> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let port = |text: &str| text.parse::<u16>().map_err(io::Error::other);
    match words.as_slice() {
        ["start", count, fresh, program, rest @ ..] => {
            let count = count.parse().map_err(io::Error::other)?;
            start(count, fresh, program, rest)
        }
        ["connect", ..] => connect(|_| Ipv4Addr::LOCALHOST),
        ["connect-new", ..] => connect(|number| {
            let [_, a, b, c] = number.to_be_bytes();
            Ipv4Addr::new(127, a, b, c.saturating_add(1))
        }),
        ["unix-round-trip", socket, ..] => repeat(BATCHES, 20, |_| {
            let mut stream = UnixStream::connect(socket)?;
            stream.write_all(&[1])?;
            stream.read_exact(&mut [0])
        }),
        ["http", _, http] => {
            let to = SocketAddr::from((Ipv4Addr::LOCALHOST, port(http)?));
            repeat(10, 100, |_| request(to))
        }
        ["getppid", ..] => repeat(BATCHES, 100, |_| {
            std::hint::black_box(nix::unistd::getppid());
            Ok(())
        }),
        [name, ..] => messages::work_on(name),
        [] => Err(io::Error::other("no work")),
    }
}

/// Connects to a listener of the worker's own, on all addresses: each of 127.0.0.0/8 is one of
/// ours. Nobody waits for it, so that no sample hangs on whether somebody had to be woken; what
/// has connected is accepted and closed between the batches. Each worker has another port, or
/// those in TIME_WAIT would add up.
fn connect(address: impl Fn(u32) -> Ipv4Addr) -> io::Result<Vec<f64>> {
    const SIZE: u32 = 20;
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    let port = listener.local_addr()?.port();
    let operation = |number| {
        let to = SocketAddr::from((address(number), port));
        TcpStream::connect(to).map(|_| ())
    };
    repeat_after(BATCHES, SIZE, operation, || {
        (0..SIZE).try_for_each(|_| listener.accept().map(|_| ()))
    })
}

fn start(count: u32, fresh: &str, program: &str, rest: &[&str]) -> io::Result<Vec<f64>> {
    let uses_fresh = rest.iter().any(|word| word.contains(FRESH));
    repeat(count, 1, |number| {
        let mut command = Command::new(program);
        if uses_fresh {
            // Of the one before: two of them are never there at once. What is left at the end
            // goes with the scratch directory.
            let _ = fs::remove_dir_all(format!("{fresh}-{}", number.wrapping_sub(1)));
            let path = format!("{fresh}-{number}");
            command.args(rest.iter().map(|word| word.replace(FRESH, &path)));
        } else {
            command.args(rest);
        }
        let status = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .status()?;
        match status.success() {
            true => Ok(()),
            false => Err(io::Error::other(format!("{program}: {status}"))),
        }
    })
}

/// One short HTTP request on a connection of its own.
fn request(to: SocketAddr) -> io::Result<()> {
    let mut stream = TcpStream::connect(to)?;
    stream.write_all(b"GET /short HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    if answer.starts_with(b"HTTP/1.1 200 ") {
        return Ok(());
    }
    Err(io::Error::other("the server did not answer"))
}

/// `batches` samples of `size` operations each, in nanoseconds an operation; some go unmeasured
/// first.
fn repeat(
    batches: u32,
    size: u32,
    operation: impl FnMut(u32) -> io::Result<()>,
) -> io::Result<Vec<f64>> {
    repeat_after(batches, size, operation, || Ok(()))
}

/// The same, with something to do after each batch that is not measured.
fn repeat_after(
    batches: u32,
    size: u32,
    mut operation: impl FnMut(u32) -> io::Result<()>,
    mut after: impl FnMut() -> io::Result<()>,
) -> io::Result<Vec<f64>> {
    let mut number = 0;
    let mut batch = || {
        let start = Instant::now();
        for _ in 0..size {
            operation(number)?;
            number += 1;
        }
        let taken = nanoseconds(start) / f64::from(size);
        after().map(|()| taken)
    };
    let warming = if batches == 1 {
        0
    } else {
        batches.div_ceil(10)
    };
    for _ in 0..warming {
        batch()?;
    }
    (0..batches)
        .map(|_| batch())
        .collect::<io::Result<Vec<f64>>>()
}

pub(crate) fn nanoseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e9
}
