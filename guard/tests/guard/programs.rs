//! Programs that people have: hooked or static, with event loops, threads and alarms.

use crate::support::{Decider, Tcp, run, scratch, start, text, wait_until};
use hallpass_guard::Verdict;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Command;
use std::time::{Duration, Instant};

/// An HTTP server that says "hello".
fn web() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            std::thread::spawn(move || {
                let mut stream = stream.unwrap();
                let mut request = [0; 4096];
                let _ = stream.read(&mut request);
                let _ = stream.write_all(
                    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello",
                );
            });
        }
    });
    port
}

fn shell(script: &str, port: u16) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh", &port.to_string()]);
    command
}

const GETTERS: [&str; 4] = [
    "curl -sS http://127.0.0.1:$1/ 2>&1",
    "busybox wget -q -O - http://127.0.0.1:$1/ 2>&1",
    "python3 -c 'import sys, urllib.request as u; print(u.urlopen(\"http://127.0.0.1:\" + sys.argv[1]).read().decode())' $1 2>&1",
    "python3 -c '
import asyncio, sys
async def get():
    r, w = await asyncio.open_connection(\"127.0.0.1\", sys.argv[1])
    w.write(b\"GET / HTTP/1.0\\r\\n\\r\\n\")
    print((await r.read()).decode())
asyncio.run(get())' $1 2>&1",
];

#[test]
fn programs_get_what_is_allowed() {
    let port = web();
    for getter in GETTERS {
        let decider = Decider::allow();
        let said = text(&run(&mut shell(getter, port), &decider));
        assert!(said.ends_with("hello"), "{getter}: {said}");
        assert!(!decider.calls.lock().unwrap().is_empty());
    }
}

#[test]
fn programs_are_told_what_is_denied() {
    let tcp = Tcp::start();
    for getter in GETTERS {
        let decider = Decider::deny(tcp.port);
        let output = run(&mut shell(getter, tcp.port), &decider);
        let said = String::from_utf8_lossy(&output.stdout).to_lowercase();
        assert!(
            said.contains("refused")
                || said.contains("failed to connect")
                || said.contains("connect to"),
            "{getter}: {said}"
        );
    }
    assert_eq!(tcp.count(), 0);
}

#[test]
fn programs_wait_for_a_verdict() {
    let port = web();
    for getter in GETTERS {
        let decider = Decider::hold();
        let (child, _) = start(&mut shell(getter, port), &decider);
        decider.wait_for_held(1);
        std::thread::sleep(Duration::from_millis(300));
        decider.settle(Verdict::Allow);
        let said = text(&child.wait_with_output().unwrap());
        assert!(said.ends_with("hello"), "{getter}: {said}");
    }
}

#[test]
fn a_go_program_is_guarded() {
    let directory = scratch("go");
    let source = crate::support::source("get.go");
    let built = directory.join("get");
    let go = Command::new("go")
        .args(["build", "-o"])
        .arg(&built)
        .arg(source)
        .env("GOCACHE", directory.join("cache"))
        .env("GO111MODULE", "off")
        .env("CGO_ENABLED", "0")
        .output();
    let Ok(go) = go else {
        eprintln!("no go: skipped");
        return;
    };
    assert!(
        go.status.success(),
        "{}",
        String::from_utf8_lossy(&go.stderr)
    );
    let (port, tcp) = (web(), Tcp::start());
    let get = |port: u16, count: u32| {
        let mut command = Command::new(&built);
        command.args([format!("http://127.0.0.1:{port}/"), count.to_string()]);
        command
    };
    assert_eq!(text(&run(&mut get(port, 100), &Decider::allow())), "100");
    let denied = text(&run(&mut get(tcp.port, 1), &Decider::deny(tcp.port)));
    assert!(denied.contains("connection refused"), "{denied}");
    assert_eq!(tcp.count(), 0);
    // Held long enough for the runtime to want its thread back.
    let decider = Decider::hold();
    let (child, _) = start(&mut get(port, 20), &decider);
    decider.wait_for_held(10);
    std::thread::sleep(Duration::from_millis(300));
    while decider.calls.lock().unwrap().len() < 20 {
        decider.settle(Verdict::Allow);
        std::thread::sleep(Duration::from_millis(20));
    }
    decider.settle(Verdict::Allow);
    assert_eq!(text(&child.wait_with_output().unwrap()), "20");
}

#[test]
fn a_programs_own_timeout_ends_a_held_call() {
    let tcp = Tcp::start();
    for script in [
        "wget -q --tries=1 --timeout=1 http://127.0.0.1:$1/; echo $?",
        "busybox timeout 1 busybox wget -q -O - http://127.0.0.1:$1/; echo $?",
        "perl -e 'use Socket; $SIG{ALRM} = sub { die \"alarm\\n\" }; alarm 1;
            socket(S, AF_INET, SOCK_STREAM, 0); connect(S, sockaddr_in($ARGV[0], inet_aton(\"127.0.0.1\")))' $1 2>/dev/null; echo $?",
        "python3 -c '
import signal, socket, sys
def ring(*_): raise TimeoutError
signal.signal(signal.SIGALRM, ring)
signal.alarm(1)
try: socket.socket().connect((\"127.0.0.1\", int(sys.argv[1])))
except TimeoutError: sys.exit(3)' $1; echo $?",
    ] {
        let decider = Decider::hold();
        let begun = Instant::now();
        let output = run(&mut shell(script, tcp.port), &decider);
        let said = String::from_utf8_lossy(&output.stdout);
        assert_ne!(said.trim(), "0", "{script}");
        assert!(begun.elapsed() < Duration::from_secs(8), "{script}");
        // One that was killed is missed a moment later.
        wait_until(|| !decider.withdrawn.lock().unwrap().is_empty());
    }
    assert_eq!(tcp.count(), 0);
}
