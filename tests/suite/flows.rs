//! `hallpass flows` and `hallpass end`: what is open, and its end.

use crate::harness::{Dir, Outcome, Running, eventually, missing, no_ending, no_ipv6};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

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
            .set_read_timeout(Some(Duration::from_secs(20)))
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

#[test]
fn a_connection_is_listed_with_bytes_state_and_rule_and_ended_in_order() {
    if no_ending() {
        return;
    }
    let (dir, listener, at) = listening();
    let running = python(
        &dir,
        &["--default", "deny", "--allow", "@loopback"],
        READER,
        at,
    );
    let mut peer = Peer::accept(&listener);
    let flow = flow(&dir, at);
    let fields: Vec<&str> = flow
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(
        fields,
        [
            "address",
            "age_is_exact",
            "age_ms",
            "app",
            "direction",
            "id",
            "local_address",
            "local_port",
            "names",
            "pids",
            "port",
            "proto",
            "received",
            "sent",
            "session",
            "shared_by",
            "source",
            "state"
        ],
        "the fields are a promise (docs/control.md)"
    );
    assert_eq!(flow["address"], "127.0.0.1");
    assert_eq!(flow["local_address"], "127.0.0.1");
    assert_eq!(flow["local_port"], peer.0.peer_addr().unwrap().port());
    assert_eq!(
        (&flow["proto"], &flow["state"]),
        (&"tcp".into(), &"established".into())
    );
    assert_eq!(
        (&flow["sent"], &flow["received"]),
        (&5.into(), &1000.into())
    );
    assert_eq!(
        (&flow["direction"], &flow["shared_by"]),
        (&"out".into(), &1.into())
    );
    assert_eq!(flow["source"]["rule"], "allow @loopback", "{flow}");
    assert_eq!(flow["age_is_exact"], true, "{flow}");
    assert!(flow["app"].as_str().unwrap().contains("python3"), "{flow}");

    // For people: the same, in words.
    let outcome = dir.hallpass(&["flows"]).output().ok();
    for text in [
        "established",
        "1.0 kB received",
        "5 B sent",
        "allow @loopback",
    ] {
        assert!(outcome.stdout.contains(text), "no {text:?}: {outcome}");
    }

    end(&dir, &flow, &[]).ok().prints("ended");
    assert_eq!(peer.read().unwrap(), 0, "the server sees the end");
    let outcome = running.finish().ok();
    // 32: EPIPE
    assert!(
        outcome.stdout.contains("end of file after 1000\nerror 32"),
        "{outcome}"
    );
}

#[test]
fn a_reset_is_seen_by_the_server() {
    if no_ending() {
        return;
    }
    let (dir, listener, at) = listening();
    let running = python(&dir, &["--default", "allow"], READER, at);
    let mut peer = Peer::accept(&listener);
    let flow = flow(&dir, at);
    end(&dir, &flow, &["--reset"]).ok().prints("reset");
    let error = peer.read().unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    running.finish().ok().prints("error");
}

#[test]
fn with_deny_it_does_not_come_back() {
    if no_ending() {
        return;
    }
    let (dir, listener, at) = listening();
    let program = format!("{READER}\nsocket.create_connection((sys.argv[1], int(sys.argv[2])))");
    let running = python(&dir, &["--default", "allow", "-v"], &program, at);
    let mut peer = Peer::accept(&listener);
    let flow = flow(&dir, at);
    end(&dir, &flow, &["--deny"])
        .ok()
        .prints("deny 127.0.0.1 for ");
    assert_eq!(peer.read().unwrap(), 0);
    let outcome = running.finish().failed().says("ConnectionRefusedError");
    assert!(
        outcome.stderr.contains("ended by shell: deny 127.0.0.1"),
        "{outcome}"
    );
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_err(), "nothing came a second time");
}

#[test]
fn without_deny_it_may_come_back() {
    if no_ending() {
        return;
    }
    let (dir, listener, at) = listening();
    let program = format!("{READER}\nsocket.create_connection((sys.argv[1], int(sys.argv[2])))");
    let running = python(&dir, &["--default", "allow"], &program, at);
    let _peer = Peer::accept(&listener);
    let flow = flow(&dir, at);
    end(&dir, &flow, &[]).ok();
    running.finish().ok();
}

#[test]
fn a_refusal_names_what_stays_open() {
    if no_ending() {
        return;
    }
    let (dir, listener, at) = listening();
    let again = "import time\n\
                 try: socket.create_connection((sys.argv[1], int(sys.argv[2])))\n\
                 except OSError: print('refused', flush=True)";
    let program = READER.replace("print(\"connected\", flush=True)", again);
    assert_ne!(program, READER);
    let options = [
        "--default",
        "ask",
        "--prompt",
        "none",
        "--ask-timeout",
        "60s",
    ];
    let running = python(&dir, &options, &program, at);
    let session = session(&dir);
    let answer = |words: &[&str]| {
        eventually("a question", || {
            let outcome = dir.hallpass(words).output();
            outcome.status.success().then_some(outcome)
        })
    };
    answer(&["answer", "allow", "--for", "once"]);
    let mut peer = Peer::accept(&listener);
    let outcome = answer(&["answer", "deny"]);
    running.expect_stdout("refused");
    let command = format!("hallpass end {session}:1");
    assert!(outcome.stderr.contains(&command), "{outcome}");
    dir.hallpass(&["end", &format!("{session}:1")])
        .output()
        .ok();
    assert_eq!(peer.read().unwrap(), 0);
    running.finish().ok().prints("end of file after 1000");
}

#[test]
fn ipv6_and_a_mapped_ipv4_address() {
    if no_ending() {
        return;
    }
    if no_ipv6() {
        return;
    }
    let dir = Dir::new();
    let listener = Peer::listen(V6);
    let at = listener.local_addr().unwrap();
    let running = python(&dir, &["--default", "allow"], READER, at);
    let mut peer = Peer::accept(&listener);
    let found = flow(&dir, at);
    assert_eq!(
        (&found["address"], &found["local_address"]),
        (&"::1".into(), &"::1".into())
    );
    end(&dir, &found, &[]).ok();
    assert_eq!(peer.read().unwrap(), 0);
    running.finish().ok();

    let (dir, listener, at) = listening();
    let program = READER.replace("sys.argv[1]", "'::ffff:' + sys.argv[1]");
    let running = python(&dir, &["--default", "allow"], &program, at);
    let _peer = Peer::accept(&listener);
    let found = flow(&dir, at);
    assert_eq!(
        found["address"], "127.0.0.1",
        "one form of an address: {found}"
    );
    assert_eq!(found["source"]["from"], "default", "{found}");
    end(&dir, &found, &[]).ok();
    running.finish().ok();
}

#[test]
fn connected_udp_is_listed_and_ended() {
    if no_ending() {
        return;
    }
    let dir = Dir::new();
    let server = UdpSocket::bind((V4, 0)).unwrap();
    let at = server.local_addr().unwrap();
    let program = r#"
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.connect((sys.argv[1], int(sys.argv[2])))
print("read", s.recv(10), flush=True)
try:
    s.send(b"x")
except OSError as error:
    print("error", error.errno, flush=True)
input()
"#;
    // A terminal would ask for input; a pipe that stays open would wait. Here stdin ends at once,
    // so the last line ends the program.
    let mut running = python(&dir, &["--default", "allow"], program, at);
    let list = flows_when(&dir, "the UDP socket", |flow| flow["port"] == at.port());
    assert_eq!(list.len(), 1, "{list:?}");
    assert_eq!(
        (&list[0]["proto"], &list[0]["sent"]),
        (&"udp".into(), &Value::Null)
    );
    assert_eq!(list[0]["source"]["from"], "default");
    end(&dir, &list[0], &["--reset"]).code(125).says("only TCP");
    assert!(running.is_running());
    end(&dir, &list[0], &[]).ok();
    running.finish().failed().prints("read b''\nerror 32");
}

#[test]
fn a_socket_that_processes_share_is_one_connection() {
    if no_ending() {
        return;
    }
    let (dir, listener, at) = listening();
    let program = r#"
import os, socket, sys
s = socket.create_connection((sys.argv[1], int(sys.argv[2])))
t = s.dup()
s.sendall(b"hello")
if os.fork() == 0:
    while s.recv(4096): pass
    print("child: end", flush=True)
    os._exit(0)
os.wait()
print("parent:", s.recv(10), flush=True)
"#;
    let running = python(&dir, &["--default", "allow"], program, at);
    let mut peer = Peer::accept(&listener);
    let list = flows_when(&dir, "a shared socket", |flow| flow["shared_by"] == 2);
    assert_eq!(list.len(), 1, "{list:?}");
    assert_eq!(list[0]["pids"].as_array().unwrap().len(), 2);
    end(&dir, &list[0], &[]).ok();
    assert_eq!(peer.read().unwrap(), 0);
    running
        .finish()
        .ok()
        .prints("child: end")
        .prints("parent: b''");
}

#[test]
fn what_came_in_is_listed_only_with_all() {
    if no_ending() {
        return;
    }
    let dir = Dir::new();
    let program = r#"
import socket
l = socket.socket()
l.bind(("127.0.0.1", 0))
l.listen()
print(l.getsockname()[1], flush=True)
s, _ = l.accept()
s.recv(10)
"#;
    let running = dir
        .run(&["--default", "deny"], &["python3", "-c", program])
        .spawn();
    let port = eventually("its port", || running.stdout().trim().parse::<u16>().ok());
    let mut own = TcpStream::connect((V4, port)).unwrap();
    let list = flows_when(&dir, "what came in", |flow| flow["local_port"] == port);
    assert_eq!(list.len(), 1, "{list:?}");
    assert_eq!(list[0]["direction"], "in");
    assert_eq!(list[0]["source"], Value::Null);
    let outcome = dir.hallpass(&["flows"]).output().ok().says("--all");
    assert_eq!(outcome.stdout, "");
    end(&dir, &list[0], &[]).ok();
    assert_eq!(own.read(&mut [0; 1]).unwrap(), 0);
    running.finish().ok();
}

#[test]
fn a_static_program_is_listed_as_not_decided() {
    if no_ending() {
        return;
    }
    if missing("busybox") {
        return;
    }
    let (dir, listener, at) = listening();
    let port = at.port().to_string();
    let script = format!("(echo -n hello; exec sleep 30) | busybox nc 127.0.0.1 {port}");
    let mut running = dir
        .run(
            &["--guard=off", "--default", "deny"],
            &["sh", "-c", &script],
        )
        .spawn();
    let connected = eventually("busybox, or its refusal", || {
        if !running.is_running() {
            return Some(false);
        }
        listener.set_nonblocking(true).unwrap();
        let accepted = listener.accept();
        accepted.ok().map(|(stream, _)| {
            stream.set_nonblocking(false).unwrap();
            std::mem::forget(stream);
            true
        })
    });
    if !connected {
        crate::harness::skipped("busybox is not static here, or something decides it");
        return;
    }
    let list = flows_when(&dir, "busybox", |flow| flow["port"] == at.port());
    let flow = list.iter().find(|flow| flow["port"] == at.port()).unwrap();
    assert_eq!(flow["source"], Value::Null, "{flow}");
    assert_eq!(flow["age_ms"], Value::Null);
    assert!(flow["app"].as_str().unwrap().contains("busybox"), "{flow}");
    let outcome = dir.hallpass(&["flows"]).output().ok();
    assert!(
        outcome.stdout.contains("not decided by hallpass"),
        "{outcome}"
    );
    end(&dir, flow, &["--deny"]).ok().says("may not see");
    assert!(
        list_is_empty(&dir, at.port()),
        "it is gone, whoever decided it"
    );
}

#[test]
fn a_static_program_is_decided_under_the_guard() {
    if no_ending() {
        return;
    }
    if missing("busybox") {
        return;
    }
    let (dir, listener, at) = listening();
    let port = at.port().to_string();
    let running = dir
        .run(
            &["--guard=on", "--default", "deny", "--allow", "@loopback"],
            &["busybox", "nc", "127.0.0.1", &port],
        )
        .stdin("hello")
        .spawn();
    let _peer = Peer::accept(&listener);
    let flow = flow(&dir, at);
    assert_eq!(flow["source"]["rule"], "allow @loopback", "{flow}");
    // It has closed its side, as stdin is at its end, and reads until ours is.
    end(&dir, &flow, &[]).ok();
    running.finish();
}

#[test]
fn mptcp_is_listed_once() {
    if no_ending() {
        return;
    }
    let (dir, listener, at) = listening();
    let program = READER.replace(
        "s = socket.create_connection((sys.argv[1], int(sys.argv[2])))",
        "try: s = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)\n\
         except OSError: s = socket.socket()\n\
         s.connect((sys.argv[1], int(sys.argv[2])))",
    );
    assert_ne!(program, READER);
    let running = python(&dir, &["--default", "allow"], &program, at);
    let mut peer = Peer::accept(&listener);
    let list = flows_when(&dir, "an MPTCP socket", |flow| flow["port"] == at.port());
    assert_eq!(list.len(), 1, "{list:?}");
    assert_eq!(list[0]["source"]["from"], "default");
    assert_eq!(flow(&dir, at)["sent"], 5);
    end(&dir, &list[0], &[]).ok();
    assert_eq!(peer.read().unwrap(), 0);
    running.finish().ok();
}

#[test]
fn nothing_of_it_needs_root() {
    if no_ending() {
        return;
    }
    if missing("setpriv") {
        return;
    }
    let (dir, listener, at) = listening();
    let port = at.port().to_string();
    // Root's capabilities would hide what the kernel refuses to everybody else.
    let hallpass = env!("CARGO_BIN_EXE_hallpass");
    let mut words = vec!["setpriv", "--inh-caps=-all"];
    if nix::unistd::geteuid().is_root() {
        words.push("--bounding-set=-all");
    }
    words.extend([hallpass, "run", "--default", "allow", "--"]);
    words.extend(["python3", "-c", READER, "127.0.0.1", &port]);
    let running = dir.bare(&words).spawn();
    let mut peer = Peer::accept(&listener);
    let flow = flow(&dir, at);
    let outcome = dir.hallpass(&["flows"]).output().ok();
    assert_eq!(outcome.stderr, "", "all of it could be seen: {outcome}");
    end(&dir, &flow, &[]).ok();
    assert_eq!(peer.read().unwrap(), 0);
    running.finish().ok();
}

/// Waits until nothing to `port` is open any more.
fn list_is_empty(dir: &Dir, port: u16) -> bool {
    let session = session(dir);
    eventually("its end", || {
        let list = list(dir, &["--json", &session]);
        let open = |flow: &Value| flow["port"] == port && flow["state"] == "established";
        (!list.iter().any(open)).then_some(true)
    })
}

#[test]
fn what_is_gone_or_never_was_is_told_apart() {
    let (dir, listener, at) = listening();
    let program = format!("{READER}\nprint('done', flush=True)\nimport time\ntime.sleep(60)");
    let running = python(&dir, &["--default", "allow"], &program, at);
    let peer = Peer::accept(&listener);
    let flow = flow(&dir, at);
    // The server ends it, the program notices and closes; the number is not used again.
    drop(peer);
    running.expect_stdout("done");
    let name = session(&dir);
    eventually("the close", || {
        let outcome = dir
            .hallpass(&["end", &format!("{name}:{}", flow["id"])])
            .output();
        // Python keeps the socket open until it is collected: until then there is one to end.
        outcome.stderr.contains("has ended").then_some(())
    });
    let outcome = dir.hallpass(&["end", &format!("{name}:99")]).output();
    outcome.code(125).says("there is no connection 99");
    for (wrong, says) in [
        ("1:2:x", "is no connection"),
        ("", "is no connection"),
        ("-1", "unexpected argument"),
        ("+1", "is no connection"),
        ("18446744073709551616", "is no connection"),
        ("99999-00000000:1", "99999-00000000"),
        ("../../etc:1", "../../etc"),
        ("\u{1b}[2J:1", "\\u{1b}[2J"),
        (":1", "session"),
    ] {
        let outcome = dir.hallpass(&["end", wrong]).output().code(125).says(says);
        assert!(!outcome.stderr.contains('\u{1b}'), "{outcome}");
    }
    dir.hallpass(&["flows", "\u{1b}[2J"]).output().code(125);
    drop(running);
}

#[test]
fn a_program_with_thousands_of_descriptors_is_looked_through() {
    if no_ending() {
        return;
    }
    let (dir, listener, at) = listening();
    let program = format!(
        "import resource\nsoft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)\n\
         number = min(hard, 20000)\nresource.setrlimit(resource.RLIMIT_NOFILE, (number, hard))\n\
         import os\nfor i in range(number - 50): os.dup(0)\n{READER}"
    );
    let running = python(&dir, &["--default", "allow"], &program, at);
    let mut peer = Peer::accept(&listener);
    let flow = flow(&dir, at);
    end(&dir, &flow, &[]).ok();
    assert_eq!(peer.read().unwrap(), 0);
    running.finish().ok();
}
