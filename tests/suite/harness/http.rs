//! A web server on loopback that counts who came: zero is the proof that a refusal held.

use nix::sys::socket::{Backlog, listen};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// What every page says, unless files are served.
pub(crate) const PAGE: &str = "page from the test's server\n";

/// The server. It serves until the test's process ends.
pub(crate) struct Http {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    connections: AtomicUsize,
    requests: Mutex<Vec<String>>,
}

impl Http {
    /// One on 127.0.0.1.
    pub(crate) fn v4() -> Self {
        Self::start(Ipv4Addr::LOCALHOST.into(), None)
    }

    /// One on `ip` that serves the files under `root`, or the page where there is none.
    pub(crate) fn start(ip: IpAddr, root: Option<PathBuf>) -> Self {
        let listener = TcpListener::bind((ip, 0)).unwrap();
        // std's 128 are too few for the loads: a connection that finds no room is lost to us.
        listen(&listener, Backlog::new(4096).unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Seen::default());
        let shared = Arc::clone(&seen);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                shared.connections.fetch_add(1, Ordering::SeqCst);
                let (shared, root) = (Arc::clone(&shared), root.clone());
                thread::spawn(move || drop(serve(&stream, &shared, root.as_deref())));
            }
        });
        Self { address, seen }
    }

    /// Its port.
    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// Its URL.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Its URL under a name, which must mean this machine.
    pub(crate) fn url_as(&self, name: &str) -> String {
        format!("http://{name}:{}/", self.port())
    }

    /// How many connections have been made to it since it started. Exact: the backlog is first
    /// come, first served, so once a connection of our own has been counted, all before it are.
    #[track_caller]
    pub(crate) fn connections(&self) -> usize {
        let own = TcpStream::connect(self.address).unwrap();
        own.set_read_timeout(Some(*super::PATIENCE)).unwrap();
        (&own).write_all(b"GET /count HTTP/1.0\r\n\r\n").unwrap();
        let mut answer = String::new();
        (&own).read_to_string(&mut answer).unwrap();
        self.seen.connections.fetch_sub(1, Ordering::SeqCst);
        self.seen.connections.load(Ordering::SeqCst)
    }

    /// The paths asked for.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.seen.requests.lock().unwrap().clone()
    }
}

fn serve(stream: &TcpStream, seen: &Seen, root: Option<&Path>) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line.trim().is_empty() {
            break;
        }
    }
    let path = first.split(' ').nth(1).unwrap_or("/").to_owned();
    let body = match root {
        _ if path == "/count" => Some(Vec::new()),
        None => Some(PAGE.as_bytes().to_vec()),
        Some(root) => read(root, &path),
    };
    if path != "/count" {
        seen.requests.lock().unwrap().push(path);
    }
    let status = if body.is_some() {
        "200 OK"
    } else {
        "404 Not Found"
    };
    let body = body.unwrap_or_default();
    let mut stream = stream;
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    )?;
    stream.write_all(&body)
}

fn read(root: &Path, path: &str) -> Option<Vec<u8>> {
    let path = path.split('?').next()?.trim_start_matches('/');
    let path = if path.is_empty() { "index.html" } else { path };
    let inside = Path::new(path)
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    inside
        .then(|| std::fs::read(root.join(path)).ok())
        .flatten()
}
