//! Programs inside a nested run that would rather not be: whatever they do, its rules hold for them.
//!
//! A case runs under a guard and without one, unless it is about one of them.

use crate::harness::{Dir, Http, eventually, missing, skipped};
use crate::nested::{GUARDS, HALLPASS, nested};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Connects without a library in it.
fn static_program(dir: &Dir) -> String {
    let source = dir.write(
        "home/dial.c",
        "#include <arpa/inet.h>\n#include <stdlib.h>\n#include <sys/socket.h>\n\
         int main(int c, char **v) {\n\
         struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(atoi(v[1]))};\n\
         inet_pton(AF_INET, \"127.0.0.1\", &to.sin_addr);\n\
         return connect(socket(AF_INET, SOCK_STREAM, 0), (void *)&to, sizeof to) ? 7 : 0;\n}\n",
    );
    let program = dir.path("home/dial").to_str().unwrap().to_owned();
    let words = ["cc", "-static", "-o", &program, source.to_str().unwrap()];
    dir.bare(&words).output().ok();
    program
}

#[test]
fn static_programs_and_cleared_environments_are_narrowed_under_a_guard() {
    let (dir, server) = (Dir::new(), Http::v4());
    let (program, port) = (static_program(&dir), server.port().to_string());
    let outer = ["--guard=on", "--default", "allow"];
    let inner = ["--deny", "127.0.0.1"];
    nested(&dir, &outer, &inner, &[&program, &port])
        .output()
        .code(7);
    let cleared = ["env", "-i", &program, &port];
    nested(&dir, &outer, &inner, &cleared).output().code(7);
    assert_eq!(server.connections(), 0);
    nested(&dir, &outer, &[], &cleared).output().ok();
    // A run that has lost the variable joins all the same: the kernel says where it is.
    let inner = format!("env -i {HALLPASS} run --deny 127.0.0.1 -- {program} {port}");
    dir.run(&outer, &["sh", "-c", &inner]).output().code(7);
    assert_eq!(server.connections(), 1);
}

/// Forks twice, and connects when its parent is gone and the nested run's command has ended.
const DAEMON: &str = "import os, socket, sys, time\n\
    if os.fork(): os._exit(0)\n\
    os.setsid()\n\
    for fd in range(3): os.dup2(os.open('/dev/null', os.O_RDWR), fd)\n\
    if os.fork(): os._exit(0)\n\
    while not os.path.exists('go'): time.sleep(0.01)\n\
    try:\n    \
        socket.create_connection(('127.0.0.1', int(sys.argv[1])), 5); said = 'connected'\n\
    except OSError as error: said = type(error).__name__\n\
    open('said.new', 'w').write(said)\n\
    os.rename('said.new', 'said')\n";

fn said(dir: &Dir) -> String {
    let path = dir.path("home/said");
    let said = eventually("the daemon's word", || std::fs::read_to_string(&path).ok());
    std::fs::remove_file(path).unwrap();
    said
}

#[test]
fn a_daemon_stays_narrowed() {
    let (dir, server) = (Dir::new(), Http::v4());
    let port = server.port().to_string();
    dir.write("home/daemon.py", DAEMON);
    for guard in GUARDS {
        let _ = std::fs::remove_file(dir.path("home/go"));
        let flags = [guard, "--default", "allow"];
        let daemon = ["python3", "daemon.py", &port];
        // The run has ended, and so has the outer command.
        nested(&dir, &flags, &["--deny", "127.0.0.1"], &daemon)
            .output()
            .ok();
        dir.write("home/go", "");
        assert_eq!(said(&dir), "ConnectionRefusedError");
        dir.expect_nothing_left();
    }
    assert_eq!(server.connections(), 0);
}

/// The process `first` and those below it that are hallpass, oldest first.
fn hallpasses(dir: &Dir, first: i32) -> Vec<i32> {
    let outcome = dir
        .bare(&["pgrep", "-f", &format!("^{HALLPASS} run")])
        .output();
    let all = outcome.stdout.lines().map(|line| line.parse().unwrap());
    all.filter(|pid: &i32| {
        let mut line = std::iter::successors(Some(*pid), |pid| parent(*pid));
        line.any(|pid| pid == first)
    })
    .collect()
}

fn parent(pid: i32) -> Option<i32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // PID (NAME) STATE PARENT; the name may have anything in it.
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_ascii_whitespace().nth(1)?.parse().ok()
}

#[test]
fn a_killed_keeper_loosens_nothing_and_narrows_no_other() {
    let (dir, server) = (Dir::new(), Http::v4());
    let port = server.port().to_string();
    dir.write("home/daemon.py", DAEMON);
    let script = format!(
        "{HALLPASS} run --deny 127.0.0.1 -- python3 daemon.py {port}; echo ended; \
         while [ ! -e killed ]; do sleep 0.02; done; curl -sS {url} && \
         {HALLPASS} run --deny 127.0.0.2 -- curl -sS {url}",
        url = server.url()
    );
    let flags = ["--guard=on", "--default", "allow"];
    let running = dir.run(&flags, &["sh", "-c", &script]).spawn();
    running.expect_stdout("ended");
    // Front and session of the outer run, and the keeper, which started last.
    let found = || hallpasses(&dir, running.pid());
    let keeper = *found().last().unwrap();
    assert_eq!(found().len(), 3);
    kill(Pid::from_raw(keeper), Signal::SIGKILL).unwrap();
    eventually("the keeper's end", || (found().len() == 2).then_some(()));
    dir.write("home/go", "");
    assert_eq!(said(&dir), "ConnectionRefusedError");
    assert_eq!(server.connections(), 0);
    dir.write("home/killed", "");
    running.finish().ok();
    assert_eq!(server.connections(), 2);
}

/// Kills what keeps it and, once the front has ended, takes its number.
const SUCCESSOR: &str = "import os, signal, socket, sys, time\n\
    def parent(pid): return int(open(f'/proc/{pid}/stat').read().rsplit(')', 1)[1].split()[1])\n\
    keeper = os.getppid(); front = parent(keeper)\n\
    if os.fork(): os._exit(0)\n\
    os.setsid()\n\
    os.kill(keeper, signal.SIGKILL)\n\
    while os.path.exists(f'/proc/{front}'): time.sleep(0.01)\n\
    me = os.getpid()\n\
    for _ in range(1000):\n    \
        open('/proc/sys/kernel/ns_last_pid', 'w').write(str(front - 1))\n    \
        child = os.fork()\n    \
        if child == front: os._exit(0)\n    \
        if child: os.waitpid(child, 0); continue\n    \
        if os.getpid() != front: os._exit(0)\n    \
        while os.getppid() == me: time.sleep(0.01)\n    \
        try: socket.create_connection(('127.0.0.1', int(sys.argv[1])), 5); said = 'connected'\n    \
        except OSError as error: said = type(error).__name__\n    \
        open('said.new', 'w').write(said)\n    \
        os.rename('said.new', 'said')\n    \
        os._exit(0)\n";

#[test]
fn an_orphan_that_takes_an_ancestors_number_stays_narrowed() {
    let (dir, server) = (Dir::new(), Http::v4());
    dir.write("home/successor.py", SUCCESSOR);
    let port = server.port().to_string();
    // Where it may choose numbers, and disturbs nobody by that.
    let apart = ["unshare", "-rpf", "--mount-proc"];
    let choose = "echo 77 >/proc/sys/kernel/ns_last_pid && exec sh -c true";
    let probe = dir.bare(&[&apart[..], &["sh", "-c", choose]].concat());
    if missing("unshare") || !probe.output().status.success() {
        skipped("this user may not make a process namespace and choose numbers in it");
        return;
    }
    let outer = [
        HALLPASS,
        "run",
        "--guard=on",
        "--default=allow",
        "--wait",
        "--",
    ];
    let inner = [HALLPASS, "run", "--deny=127.0.0.1", "--"];
    let command = ["python3", "successor.py", &port];
    // It may end before its keeper could tell of its end, or after.
    dir.bare(&[&apart[..], &outer, &inner, &command].concat())
        .output();
    assert_eq!(said(&dir), "ConnectionRefusedError");
    assert_eq!(server.connections(), 0);
}

/// Frames that a program makes up, by the guard's way and by the ask socket's.
const HOSTILE: &str = r#"
import ctypes, json, os, socket, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
guarded = "guard=on" in os.environ["HALLPASS"]
def say(body):
    if guarded:
        note = b"hpNT" + struct.pack("<HBB", 4, 5, 0) + body
        libc.syscall(42 if os.uname().machine == "x86_64" else 203, -1, note, len(note))
        return ctypes.get_errno() == 111
    client = socket.socket(socket.AF_UNIX)
    client.connect("\0hallpass/" + os.environ["HALLPASS"].split(";")[0] + "/ask")
    client.sendall(b"hpRQ" + struct.pack("<HBB", 4, 4, 0) + body.ljust(1032, b"\0") + bytes(8))
    return client.recv(24)[6:7] == b"\2"
def frame(kind, data=b""): return say(struct.pack("<BBH", kind, 0, len(data)) + data)
def join(text):
    parts = [text[i:i + 1000] for i in range(0, len(text), 1000)]
    return all(frame(2, part) for part in parts) and frame(3, struct.pack("<I", len(text)))
def rules(**more):
    layer = {"version": 1, "rules": []}
    return json.dumps({"name": "x", "asks_nobody": False, "default": "allow", "flag": layer,
                       "policy": layer, "saved": layer, **more}).encode()
def dial(port):
    try: socket.create_connection(("127.0.0.1", port), 5); return "connected"
    except OSError as error: return type(error).__name__
port = int(sys.argv[1])
assert frame(1), "hello"
for bad in [b"", b"\0" * 4, b"\x09\0\0\0", b"\x01\1\0\0", b"\x02\0\xff\xff", b"\x02\0\0\0", b"\x03\0\1\0x"]:
    assert not say(bad), bad
assert not frame(3, struct.pack("<I", 5)), "nothing was sent"
assert not frame(4), "a mark without a run"
assert not frame(5), "an end without a run"
assert not frame(6, bytes(8)), "a number without a run"
assert not join(b"{}") and not join(b"\xff" * 3000) and not join(b"[" * 100000)
assert not join(rules(answer={"version": 1, "rules": []}))
assert not join(rules(default="let it all through"))
assert frame(2, b"x") and not frame(3, struct.pack("<I", 2)), "another length"
sent = 0
while frame(2, b" " * 1000) and sent < 5000: sent += 1
assert 900 < sent < 1100, sent
print("before:", dial(port))
allow = {"version": 1, "rules": [{"do": "allow", "to": ["@any"]}]}
assert join(rules(flag=allow)), "rules that allow everything are rules"
print("after allowing:", dial(port))
deny = {"version": 1, "rules": [{"do": "deny", "to": ["@any"]}]}
child = os.fork()
if child == 0:
    assert join(rules(flag=deny))
    print("in the child:", dial(port), flush=True)
    if os.fork() == 0:
        print("in its child:", dial(port), flush=True)
        # The end of a run that it does not keep.
        assert not frame(5)
        os._exit(0)
    os.wait(); os._exit(0)
os.waitpid(child, 0)
print("its parent:", dial(port))
joined = 0
while join(rules()) and joined < 1000: joined += 1
assert joined < 300, joined
print("still:", dial(port))
"#;

#[test]
fn a_hostile_program_narrows_itself_and_its_children_and_nobody_else() {
    let (dir, server) = (Dir::new(), Http::v4());
    let port = server.port().to_string();
    dir.write("home/hostile.py", HOSTILE);
    for guard in GUARDS {
        for (default, verdict) in [("allow", "connected"), ("deny", "ConnectionRefusedError")] {
            let flags = [guard, "--default", default];
            let outcome = dir
                .run(&flags, &["python3", "hostile.py", &port])
                .output()
                .ok();
            let refused = "ConnectionRefusedError";
            let expected = format!(
                "before: {verdict}\nafter allowing: {verdict}\nin the child: {refused}\n\
                 in its child: {refused}\nits parent: {verdict}\nstill: {verdict}\n"
            );
            let mut lines: Vec<&str> = outcome.stdout.lines().collect();
            let mut expected: Vec<&str> = expected.lines().collect();
            // What it writes before it forks is written by its children once more.
            lines.sort_unstable();
            lines.dedup();
            expected.sort_unstable();
            assert_eq!(lines, expected, "{outcome}");
        }
    }
}

#[test]
fn as_nobody_it_is_the_same() {
    use std::os::unix::fs::PermissionsExt;
    if !nix::unistd::geteuid().is_root() {
        skipped("the other cases run as an ordinary user already");
        return;
    }
    let (dir, server) = (Dir::new(), Http::v4());
    let open = |path: &std::path::Path| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777)).unwrap();
    };
    for place in ["", "home", "config", "state", "cache"] {
        open(&dir.path(place));
    }
    std::fs::copy(HALLPASS, dir.path("hallpass")).unwrap();
    open(&dir.path("hallpass"));
    let hallpass = dir.path("hallpass").to_str().unwrap().to_owned();
    let program = static_program(&dir);
    let port = server.port().to_string();
    for (inner, code) in [("127.0.0.1", 7), ("127.0.0.2", 0)] {
        let setpriv = [
            "setpriv",
            "--reuid=65534",
            "--regid=65534",
            "--clear-groups",
        ];
        let outer = [&hallpass, "run", "--guard=on", "--default=allow", "--"];
        let inner = [
            &hallpass,
            "run",
            "--fail-on-block=9",
            "--deny",
            inner,
            "--",
            &program,
            &port,
        ];
        dir.bare(&[&setpriv[..], &outer, &inner].concat())
            .env("XDG_RUNTIME_DIR", "/nonexistent")
            .output()
            .code(code);
    }
    assert_eq!(server.connections(), 1);
}

#[test]
fn a_nested_process_cannot_reach_into_its_neighbours() {
    let dir = Dir::new();
    let ptrace = "import ctypes, sys\n\
        libc = ctypes.CDLL(None, use_errno=True)\n\
        attached = libc.ptrace(16, int(sys.argv[1]), 0, 0)\n\
        print('attached' if attached == 0 else 'refused')\n";
    dir.write("home/reach.py", ptrace);
    let script = format!("sleep 60 & {HALLPASS} run --deny @lan -- python3 reach.py $!; kill $!");
    let flags = ["--guard=on", "--default", "allow"];
    let outcome = dir.run(&flags, &["sh", "-c", &script]).output();
    assert_eq!(outcome.stdout, "refused\n", "{outcome}");
}
