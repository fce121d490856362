//! `hallpass flows` and `hallpass end`: what is open, and its end.

mod ending;
mod listing;

use crate::harness::{Dir, Outcome, Running, eventually};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};

const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

/// Connects, says `hello`, and reads until the end, which it tells.
const READER: &str = r#"
import socket, sys
s = socket.create_connection((sys.argv[1], int(sys.argv[2])))
s.sendall(b"hello")
read = 0
print("connected", flush=True)
try:
    while data := s.recv(4096):
        read += len(data)
    print("end of file after", read, flush=True)
    s.sendall(b"x")
except OSError as error:
    print("error", error.errno, flush=True)
"#;

/// The server's end of one connection, which has had `hello` and 1000 bytes in return.
struct Peer(TcpStream);

impl Peer {
    fn listen(ip: IpAddr) -> TcpListener {
        TcpListener::bind((ip, 0)).unwrap()
    }

    #[track_caller]
    fn accept(listener: &TcpListener) -> Self {
        let (mut stream, _) = listener.accept().unwrap();
        stream
            .set_read_timeout(Some(*crate::harness::PATIENCE))
            .unwrap();
        let mut hello = [0; 5];
        stream.read_exact(&mut hello).unwrap();
        assert_eq!(&hello, b"hello");
        stream.write_all(&[b'x'; 1000]).unwrap();
        Self(stream)
    }

    /// What the server reads next, with nothing more sent to it: 0 is the end.
    fn read(&mut self) -> std::io::Result<usize> {
        self.0.read(&mut [0; 16])
    }
}

/// A home, and a server that nobody has connected to.
fn listening() -> (Dir, TcpListener, SocketAddr) {
    let listener = Peer::listen(V4);
    let at = listener.local_addr().unwrap();
    (Dir::new(), listener, at)
}

fn python(dir: &Dir, options: &[&str], program: &str, at: SocketAddr) -> Running {
    let (ip, port) = (at.ip().to_string(), at.port().to_string());
    dir.run(options, &["python3", "-c", program, &ip, &port])
        .spawn()
}

fn session(dir: &Dir) -> String {
    let session = dir.session();
    session.file_name().unwrap().to_str().unwrap().to_owned()
}

/// The lines of `hallpass flows --json`, once there is one for which `ready` holds.
#[track_caller]
fn flows_when(dir: &Dir, what: &str, ready: impl Fn(&Value) -> bool) -> Vec<Value> {
    let session = session(dir);
    eventually(what, || {
        let list = list(dir, &["--json", "--all", &session]);
        list.iter().any(&ready).then_some(list)
    })
}

fn list(dir: &Dir, arguments: &[&str]) -> Vec<Value> {
    let mut words = vec!["flows"];
    words.extend(arguments);
    let outcome = dir.hallpass(&words).output().ok();
    let lines = outcome.stdout.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The one connection to `at`, with all of the peer's 1000 bytes.
#[track_caller]
fn flow(dir: &Dir, at: SocketAddr) -> Value {
    let is_it = |flow: &Value| flow["port"] == at.port() && flow["received"] == 1000;
    let list = flows_when(dir, "a connection with 1000 bytes", is_it);
    assert_eq!(list.len(), 1, "{list:?}");
    list[0].clone()
}

fn end(dir: &Dir, flow: &Value, options: &[&str]) -> Outcome {
    let name = format!("{}:{}", flow["session"].as_str().unwrap(), flow["id"]);
    let mut words = vec!["end", &name];
    words.extend(options);
    dir.hallpass(&words).output()
}
