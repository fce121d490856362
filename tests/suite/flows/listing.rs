//! What is listed: each connection once, whatever it is made of.

use super::{Peer, READER, V4, V6, end, flow, flows_when, list, listening, python, session};
use crate::harness::{Dir, eventually, missing, no_ending, no_ipv6};
use serde_json::Value;
use std::io::Read;
use std::net::{TcpStream, UdpSocket};

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
