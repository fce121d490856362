//! In containers: what Docker's default profile refuses, and what works all the same.

use crate::guarded::raw;
use crate::harness::{
    Dir, Http, Outcome, TestCommand, Udp, eventually, has_capability, missing, skipped,
};
use std::io::Read;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};

/// Compiles the program that starts another as Docker does.
fn container(dir: &Dir) -> String {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/container.c");
    let program = dir.path("home/container").to_str().unwrap().to_owned();
    dir.bare(&["cc", "-o", &program, source]).output().ok();
    program
}

/// `hallpass run FLAGS -- COMMAND` under the profile.
fn run(dir: &Dir, flags: &[&str], command: &[&str]) -> TestCommand {
    let program = container(dir);
    let hallpass = [
        program.as_str(),
        "filter",
        env!("CARGO_BIN_EXE_hallpass"),
        "run",
    ];
    let words = [&hallpass, flags, &["--"], command].concat();
    dir.bare(&words)
}

#[test]
fn programs_of_all_kinds_are_allowed_and_refused() {
    let (dir, server) = (Dir::new(), Http::v4());
    let (url, port) = (server.url(), server.port().to_string());
    let python = "import sys, urllib.request as u; print(u.urlopen(sys.argv[1]).read().decode())";
    let node = "fetch(process.argv[1]).then(r => r.text()).then(console.log)";
    let raw = raw(&dir);
    let mut all = vec![
        vec!["curl", "-sS", &url],
        vec!["sh", "-c", "page=$(curl -sS $0) && echo $page", &url],
        vec!["python3", "-c", python, &url],
        vec!["wget", "-qO-", "--tries=1", &url],
        vec![&raw, &port],
    ];
    if !missing("node") {
        all.push(vec!["node", "-e", node, &url]);
    }
    let got_there = |outcome: &Outcome| {
        let signs = ["page from", "connected"];
        signs.iter().any(|it| outcome.stdout.contains(it))
    };
    for command in all {
        let before = server.connections();
        let outcome = run(&dir, &["--allow", "127.0.0.1"], &command).output().ok();
        assert!(got_there(&outcome), "{outcome}");
        assert_eq!(server.connections(), before + 1, "{outcome}");
        let outcome = run(&dir, &["--default", "deny"], &command).output();
        assert!(!got_there(&outcome), "{outcome}");
        assert_eq!(server.connections(), before + 1, "{outcome}");
    }
    dir.expect_nothing_left();
}

/// What connects nowhere but is reached, and sends answers by address.
#[test]
fn a_server_of_datagrams() {
    if missing("python3") {
        return;
    }
    let (dir, udp) = (Dir::new(), Udp::echo(Ipv4Addr::LOCALHOST.into()));
    let code = "
import socket, sys
to = ('127.0.0.1', int(sys.argv[1]))
s = socket.socket(type=socket.SOCK_DGRAM)
s.sendto(b'one', to); s.sendmsg([b'tw', b'o'], [], 0, to)
address = s.getsockname(); s.close()
# Bound again at once by the next one.
for _ in range(100):
    s = socket.socket(type=socket.SOCK_DGRAM); s.bind(address); s.close()
print('bound')
";
    let port = udp.port().to_string();
    let command = ["python3", "-c", code, &port];
    let outcome = run(&dir, &["--allow", "127.0.0.1"], &command).output();
    outcome.ok().prints("bound");
    assert_eq!(udp.datagrams(), 2);
    run(&dir, &["--default", "deny"], &command)
        .output()
        .failed();
    assert_eq!(udp.datagrams(), 2);
    dir.expect_nothing_left();
}

/// A peer meets the end when the program closes its socket, though that runs on.
#[test]
fn the_end_of_a_connection_is_seen_at_once() {
    if missing("python3") {
        return;
    }
    let dir = Dir::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let code = "
import socket, sys
for blocking in True, False:
    s = socket.socket(); s.setblocking(blocking)
    s.connect_ex(('127.0.0.1', int(sys.argv[1]))); s.setblocking(True); s.sendall(b'x'); s.close()
print('closed', flush=True)
# Nothing of it sees to the end any more.
import signal; signal.pause()
";
    let command = ["python3", "-c", code, &port];
    let running = run(&dir, &["--allow", "127.0.0.1"], &command).spawn();
    for _ in 0..2 {
        let (mut stream, _) = listener.accept().unwrap();
        let mut all = Vec::new();
        stream.read_to_end(&mut all).unwrap();
        assert_eq!(all, b"x");
    }
    running.expect_stdout("closed");
    running.signal(nix::sys::signal::Signal::SIGTERM);
    running.finish().signal(nix::sys::signal::Signal::SIGTERM);
    dir.expect_nothing_left();
}

/// What CMD had bound is free when it has ended, though a process of it goes on.
#[test]
fn a_port_is_free_for_whoever_comes_next() {
    if missing("python3") {
        return;
    }
    let dir = Dir::new();
    let code = "
import os, socket
s = socket.socket(type=socket.SOCK_DGRAM); s.bind(('127.0.0.1', 0)); port = s.getsockname()[1]
if not os.fork():
    s.close(); null = os.open('/dev/null', os.O_RDWR)
    for fd in 0, 1, 2: os.dup2(null, fd)
    os.execlp('sleep', 'sleep', '3')
import time; time.sleep(0.2)
print(port)
";
    for _ in 0..3 {
        let outcome = run(&dir, &["--default", "deny"], &["python3", "-c", code]);
        let outcome = outcome.output().ok();
        let port: u16 = outcome.stdout.trim().parse().unwrap();
        UdpSocket::bind(("127.0.0.1", port)).unwrap();
    }
    dir.expect_nothing_left();
}

/// The way is chosen by trying, and the doctor says which it is.
#[test]
fn the_doctor_says_which_way_it_is() {
    let dir = Dir::new();
    let program = container(&dir);
    let doctor = [env!("CARGO_BIN_EXE_hallpass"), "doctor"];
    let words = [&[program.as_str(), "filter"], doctor.as_slice()].concat();
    let outcome = dir.bare(&words).output().ok();
    let outcome = outcome.prints("the guard makes programs' sockets itself");
    outcome.prints("`hallpass run -- CMD` works here");
}

/// Nothing is held on to while a person thinks, and what is answered is done.
#[test]
fn a_held_call_is_answered() {
    let (dir, server) = (Dir::new(), Http::v4());
    let url = server.url();
    let flags = ["--prompt=none", "--ask-timeout", "60s"];
    let running = run(&dir, &flags, &["curl", "-sS", &url]).spawn();
    eventually("the question", || {
        let outcome = dir.hallpass(&["pending"]).output();
        outcome.stdout.contains("curl").then_some(())
    });
    assert_eq!(server.connections(), 0);
    dir.hallpass(&["answer", "allow"]).output().ok();
    running.finish().ok().prints("page from");
}

/// What starts a command as root of a container; none where that cannot be had, and nothing where
/// this is one.
fn as_containers_root(dir: &Dir) -> Option<Vec<String>> {
    const SYS_PTRACE: u32 = 19;
    if !nix::unistd::geteuid().is_root() {
        skipped("only root can make a place like a container");
        return None;
    }
    if !has_capability(SYS_PTRACE) {
        return Some(Vec::new());
    }
    if !dir
        .bare(&["unshare", "-m", "true"])
        .output()
        .status
        .success()
    {
        skipped("unshare(2) is refused, and a place cannot be made without");
        return None;
    }
    Some(vec![container(dir), "place".to_owned()])
}

/// `SCRIPT` with `$hallpass run` for `hallpass run -v --prompt=none` and a server at `$port`.
fn in_place(place: &[String], dir: &Dir, script: &str) -> Outcome {
    // Where other users find it, and the library.
    let hallpass = dir.path("hallpass");
    std::fs::copy(env!("CARGO_BIN_EXE_hallpass"), &hallpass).unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr();
    let port = port.unwrap().port();
    let whole = format!(
        "port={port}; run='{hallpass} run -v --prompt=none'
         python3 -m http.server --bind 127.0.0.1 $port >served 2>&1 & server=$!
         trap 'kill $server' EXIT
         until curl -s -o /dev/null 127.0.0.1:$port/; do sleep 0.05; done
         : >served
         {script}",
        hallpass = hallpass.display(),
    );
    let mut words: Vec<&str> = place.iter().map(String::as_str).collect();
    words.extend(["sh", "-c", &whole]);
    let shared = dir.path("shared");
    dir.bare(&words).env("XDG_CACHE_HOME", shared).output()
}

/// A home that every user may look into.
fn open_to_all() -> Dir {
    use std::os::unix::fs::PermissionsExt;
    let dir = Dir::new();
    for place in ["", "home"] {
        let open = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(dir.path(place), open).unwrap();
    }
    dir
}

/// A home for [`in_place`], and what starts a command there.
fn home_and_place() -> Option<(Dir, Vec<String>)> {
    if missing("python3") {
        return None;
    }
    let dir = open_to_all();
    let place = as_containers_root(&dir)?;
    Some((dir, place))
}

/// Gives its user up and connects, in the same program.
const DROPS: &str = "
import os, socket, sys
os.setgroups([]); os.setresgid(65534, 65534, 65534); os.setresuid(65534, 65534, 65534)
print('connect', socket.socket().connect_ex(('127.0.0.1', int(sys.argv[1]))))
s = socket.socket(type=socket.SOCK_DGRAM)
try: print('sent', s.sendmsg([b'x'], [], 0, ('127.0.0.1', int(sys.argv[1]))))
except OSError as error: print('sent', error.errno)
";

#[test]
fn root_without_its_capability_decides_calls_of_other_users() {
    let Some((dir, place)) = home_and_place() else {
        return;
    };
    dir.write("home/drops.py", DROPS);
    let su = "su nobody -s /bin/sh -c \"curl -s -o /dev/null -w '%{http_code} ' 127.0.0.1:$port/\"";
    let script = format!(
        "$run --default=deny --allow=127.0.0.1 -- {su}
         $run --default=deny -- {su}
         $run --default=allow -- python3 drops.py $port
         $run --default=deny -- python3 drops.py $port
         grep -c GET served"
    );
    let outcome = in_place(&place, &dir, &script).ok();
    assert_eq!(
        outcome.stdout.lines().collect::<Vec<_>>(),
        [
            "200 000 connect 0",
            "sent 1",
            "connect 111",
            "sent 111",
            "1"
        ],
        "{outcome}"
    );
    // By their programs' names, and for a reason of the rules'.
    let is_named = |line: &&str| line.contains("curl[") || line.contains("drops.py[");
    let lines: Vec<&str> = outcome.stderr.lines().filter(is_named).collect();
    assert_eq!(lines.len(), 6, "{outcome}");
    assert!(!outcome.stderr.contains("not visible"), "{outcome}");
}

/// What forbids to be looked into stays so, and says what it takes.
#[test]
fn who_hides_there_is_refused_with_what_to_do() {
    let Some((dir, place)) = home_and_place() else {
        return;
    };
    let hides = format!("import ctypes; ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)\n{DROPS}");
    dir.write("home/hides.py", &hides);
    let script = "$run --default=allow -- python3 hides.py $port; grep -c GET served";
    let outcome = in_place(&place, &dir, script);
    outcome.prints("connect 111").says("--cap-add SYS_PTRACE");
}

#[test]
fn apt_of_root_in_a_container_is_decided() {
    if missing("apt-get") {
        return;
    }
    let Some((dir, place)) = home_and_place() else {
        return;
    };
    let package = "Package: hallpass-nothing\nVersion: 1\nArchitecture: all\n\
                   Maintainer: nobody <nobody@example.com>\nDescription: nothing\n\
                   Filename: ./nothing.deb\nSize: 1\nSHA256: 00\n";
    dir.write("home/Packages", package);
    let update = "apt-get update -q -o Dir::Etc::sourcelist=$PWD/list -o Dir::Etc::sourceparts=- \
                  -o Dir::State=$PWD/state -o Dir::Cache=$PWD/cache -o Acquire::Retries=0";
    let script = format!(
        "mkdir -p state/lists/partial cache/archives/partial
         echo \"deb [trusted=yes] http://127.0.0.1:$port/ ./\" >list
         $run --default=deny -- {update} >/dev/null; grep -c GET served
         $run --default=deny --allow=127.0.0.1 -- {update} >/dev/null; echo updated $?
         grep -c '\\./Packages HTTP/1.1. 200' served"
    );
    let outcome = in_place(&place, &dir, &script).ok();
    let lines: Vec<&str> = outcome.stdout.lines().collect();
    assert_eq!(lines, ["0", "updated 0", "1"], "{outcome}");
    assert!(!outcome.stderr.contains("not visible"), "{outcome}");
}

/// A run inside a run, where the outer one makes the sockets.
#[test]
fn a_run_inside_a_run_narrows_it() {
    let (dir, server) = (Dir::new(), Http::v4());
    let (program, url) = (container(&dir), server.url());
    let hallpass = env!("CARGO_BIN_EXE_hallpass");
    for way in ["getfd", "filter"] {
        let before = server.connections();
        let tried = |outer: &str, inner: &str| {
            let script = format!("{hallpass} run {inner} -- curl -sS {url}");
            let words = [
                &program, way, hallpass, "run", outer, "--", "sh", "-c", &script,
            ];
            dir.bare(&words).output()
        };
        tried("--default=allow", "--default=allow")
            .ok()
            .prints("page from");
        assert_eq!(server.connections(), before + 1, "{way}");
        tried("--default=allow", "--deny=127.0.0.1").failed();
        tried("--default=deny", "--allow=127.0.0.1").failed();
        assert_eq!(server.connections(), before + 1, "{way}");
    }
    dir.expect_nothing_left();
}
