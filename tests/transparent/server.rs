//! A server on loopback that remembers every byte it gets, and the descriptors of whoever it is
//! connected to at that moment: what a hook leaves open would be among them.

use nix::sys::socket::{Backlog, listen};
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// What its page says.
pub(crate) const PAGE: &str = "page from the test's server\n";

/// One connection.
pub(crate) struct Heard {
    /// All up to the end of the first request, or of what was sent.
    pub(crate) bytes: Vec<u8>,
    /// A line for each process that held the other end: its name and open descriptors.
    pub(crate) holders: Vec<String>,
}

#[derive(Default)]
struct Log {
    accepted: usize,
    heard: Vec<Heard>,
}

/// The server. It serves until the test's process ends.
pub(crate) struct Server {
    address: SocketAddr,
    log: Arc<Mutex<Log>>,
}

impl Default for Server {
    fn default() -> Self {
        Self::at(Ipv4Addr::LOCALHOST, None)
    }
}

impl Server {
    /// One that serves the files under `root`; without a root each path is the page.
    pub(crate) fn files(root: PathBuf) -> Self {
        Self::at(Ipv4Addr::LOCALHOST, Some(root))
    }

    /// One at this address.
    pub(crate) fn at(ip: Ipv4Addr, root: Option<PathBuf>) -> Self {
        let listener = TcpListener::bind((ip, 0)).unwrap();
        listen(&listener, Backlog::new(4096).unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let log = Arc::new(Mutex::new(Log::default()));
        let shared = Arc::clone(&log);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                shared.lock().unwrap().accepted += 1;
                let (shared, root) = (Arc::clone(&shared), root.clone());
                thread::spawn(move || serve(stream, &shared, root.as_deref()));
            }
        });
        Self { address, log }
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// How many connections have been made since the last [`Self::take`].
    pub(crate) fn connections(&self) -> usize {
        self.settle();
        self.log.lock().unwrap().heard.len()
    }

    /// What was heard since the last time; forgets it.
    pub(crate) fn take(&self) -> Vec<Heard> {
        self.settle();
        let mut log = self.log.lock().unwrap();
        log.accepted = 0;
        std::mem::take(&mut log.heard)
    }

    /// Waits until every connection made so far has been heard to its end. The backlog is first
    /// come, first served: when one of our own is accepted, all before it are.
    fn settle(&self) {
        let before = self.log.lock().unwrap().accepted;
        drop(TcpStream::connect(self.address).unwrap());
        let start = Instant::now();
        loop {
            let mut log = self.log.lock().unwrap();
            if log.accepted > before && log.heard.len() == log.accepted {
                // Our own is the one that said nothing and is held by nobody any more.
                let own = log.heard.iter().rposition(|it| it.bytes.is_empty());
                log.heard.remove(own.expect("our own connection"));
                log.accepted -= 1;
                return;
            }
            drop(log);
            assert!(
                start.elapsed() < *crate::harness::PATIENCE,
                "a connection stays open"
            );
            thread::sleep(Duration::from_millis(2));
        }
    }
}

fn serve(mut stream: TcpStream, log: &Mutex<Log>, root: Option<&Path>) {
    let _ = stream.set_read_timeout(Some(*crate::harness::PATIENCE / 2));
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    while !bytes.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut chunk) {
            Ok(length @ 1..) => bytes.extend(&chunk[..length]),
            _ => break,
        }
    }
    let holders = holders(&stream);
    let answer = answer(&bytes, root);
    log.lock().unwrap().heard.push(Heard { bytes, holders });
    let _ = stream.write_all(&answer);
}

/// An HTTP response to what may be a request.
fn answer(request: &[u8], root: Option<&Path>) -> Vec<u8> {
    let request = String::from_utf8_lossy(request);
    let path = request.split(' ').nth(1).unwrap_or("/");
    let body = match root {
        None => Some(PAGE.into()),
        Some(root) => read(root, path),
    };
    let status = if body.is_some() {
        "200 OK"
    } else {
        "404 Not Found"
    };
    let body = body.unwrap_or_default();
    let kind = if body.starts_with(b"{") {
        "application/json"
    } else {
        "text/html"
    };
    let mut answer = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nContent-Type: {kind}\r\nConnection: close\r\n\r\n",
        body.len()
    )
    .into_bytes();
    answer.extend(body);
    answer
}

fn read(root: &Path, path: &str) -> Option<Vec<u8>> {
    let path = path.split('?').next()?.trim_start_matches('/');
    let mut file = root.join(path);
    if file.is_dir() {
        file.push("index.html");
    }
    let inside = Path::new(path)
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    (inside || path.is_empty())
        .then(|| fs::read(file).ok())
        .flatten()
}

/// Who holds the other end of this connection, and which descriptors they have.
fn holders(stream: &TcpStream) -> Vec<String> {
    let inode = || {
        let (near, far) = (stream.local_addr().ok()?, stream.peer_addr().ok()?);
        inode(far, near)
    };
    let Some(inode) = inode() else {
        return Vec::new();
    };
    let held = format!("socket:[{inode}]");
    let mut holders: Vec<String> = processes()
        .filter_map(|process| {
            let open = descriptors(&process)?;
            open.iter()
                .any(|(_, target)| *target == held)
                .then(|| describe(&process, &open))
        })
        .collect();
    holders.sort();
    holders
}

/// The socket from `local` to `remote`, by /proc/net/tcp (proc_pid_net(5)): addresses in hex,
/// the inode in the tenth column.
fn inode(local: SocketAddr, remote: SocketAddr) -> Option<u64> {
    let hex = |address: SocketAddr| match address {
        SocketAddr::V4(v4) => {
            let octets = u32::from_le_bytes(v4.ip().octets());
            format!("{octets:08X}:{:04X}", v4.port())
        }
        SocketAddr::V6(_) => String::new(),
    };
    let table = fs::read_to_string("/proc/net/tcp").ok()?;
    let pair = format!(" {} {} ", hex(local), hex(remote));
    let line = table.lines().find(|line| line.contains(&pair))?;
    line.split_whitespace()
        .nth(9)?
        .parse()
        .ok()
        .filter(|inode| *inode != 0)
}

fn processes() -> impl Iterator<Item = PathBuf> {
    fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter(|entry| entry.file_name().as_encoded_bytes()[0].is_ascii_digit())
        .map(|entry| entry.path())
}

/// Number and target of each; none where the process is gone or not ours to look at.
fn descriptors(process: &Path) -> Option<Vec<(u32, String)>> {
    let mut open: Vec<_> = fs::read_dir(process.join("fd"))
        .ok()?
        .flatten()
        .filter_map(|entry| {
            let number = entry.file_name().to_str()?.parse().ok()?;
            let target = fs::read_link(entry.path()).ok()?;
            Some((number, target.to_string_lossy().into_owned()))
        })
        .collect();
    open.sort();
    Some(open)
}

/// `curl: 0 pipe, 1 pipe, 2 pipe, 5 socket`: kinds without their inodes.
fn describe(process: &Path, open: &[(u32, String)]) -> String {
    let name = fs::read_to_string(process.join("comm")).unwrap_or_default();
    let open: Vec<String> = open
        .iter()
        .map(|(number, target)| {
            let kind = match target.split_once(":[") {
                Some((kind, _)) => kind,
                None => target,
            };
            format!("{number} {kind}")
        })
        .collect();
    format!("{}: {}", name.trim(), open.join(", "))
}
