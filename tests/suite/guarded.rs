//! With the guard: programs that no library reaches are held, asked about, released and named like
//! any other, once for each call.

use crate::harness::{Control, Dir, Http, Terminal, eventually, missing};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::time::{Duration, Instant};

/// Connects by the bare system call, without a C library's connect, and says how that went.
/// Sends a line where it is to.
const RAW: &str = r#"
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
static long raw(long n, long a, long b, long c) {
#ifdef __x86_64__
    long r;
    __asm__ volatile("syscall" : "=a"(r) : "a"(n), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
    return r;
#else
    long r = syscall(n, a, b, c);
    return r < 0 ? -errno : r;
#endif
}
int main(int argc, char **argv) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1]))};
    inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
    for (int i = argc > 2 ? atoi(argv[2]) : 1; i > 0; i--) {
        int s = socket(AF_INET, SOCK_STREAM, 0);
        long r = raw(SYS_connect, s, (long)&to, sizeof to);
        printf("raw: %s\n", r < 0 ? strerrorname_np(-r) : "connected");
        fflush(stdout);
        close(s);
    }
    return 0;
}
"#;

const GO: &str = r#"
package main
import ("fmt"; "io"; "net/http"; "os")
func main() {
    r, err := http.Get(os.Args[1])
    if err != nil { fmt.Println(err); os.Exit(7) }
    io.Copy(os.Stdout, r.Body)
}
"#;

/// The fixture that connects by itself, statically linked.
pub(crate) fn raw(dir: &Dir) -> String {
    let source = dir.write("home/raw.c", RAW);
    let program = dir.path("home/raw").to_str().unwrap().to_owned();
    let words = ["cc", "-static", "-o", &program, source.to_str().unwrap()];
    dir.bare(&words).output().ok();
    program
}

const ASKING: [&str; 7] = [
    "--guard=on",
    "-v",
    "--default",
    "ask",
    "--prompt=none",
    "--ask-timeout",
    "60s",
];

/// Lines of the log of one kind.
pub(crate) fn log(dir: &Dir, kind: &str) -> Vec<serde_json::Value> {
    dir.expect_nothing_left();
    let files = std::fs::read_dir(dir.path("state/hallpass")).unwrap();
    let lines = files
        .flatten()
        .map(|file| std::fs::read_to_string(file.path()).unwrap_or_default());
    lines
        .flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>())
        .map(|line| serde_json::from_str::<serde_json::Value>(&line).unwrap())
        .filter(|line| line["kind"] == kind)
        .collect()
}

#[test]
fn a_static_program_is_asked_about_once_and_named() {
    let (dir, server) = (Dir::new(), Http::v4());
    let (program, port) = (raw(&dir), server.port().to_string());
    for (verdict, said, reached) in [
        ("deny", "raw: ECONNREFUSED\n", 0),
        ("allow", "raw: connected\n", 1),
    ] {
        let running = dir.run(&ASKING, &[&program, &port]).spawn();
        let mut control = Control::connect(&dir);
        control.subscribe();
        let question = control.question();
        assert_eq!(question["app"]["exe"], program.as_str());
        assert_eq!(question["waiting"], 1);
        assert_eq!(server.connections(), 0, "not held");
        control.answer(&question, verdict);
        let outcome = running.finish().ok().says(&format!("{verdict}  "));
        assert_eq!(outcome.stdout, said);
        assert!(outcome.stderr.contains("raw["), "{outcome}");
        assert!(!outcome.stderr.contains("NOT decided"), "{outcome}");
        eventually("the connection", || {
            (server.connections() == reached).then_some(())
        });
    }
    assert_eq!(log(&dir, "asked").len(), 2, "one question for each call");
    let decided = log(&dir, "decided");
    assert!(decided.iter().all(|line| line["count"] == 1));
    assert_eq!(decided.len(), 2);
}

#[test]
fn calls_of_a_static_program_are_counted_exactly() {
    let (dir, server) = (Dir::new(), Http::v4());
    let (program, port) = (raw(&dir), server.port().to_string());
    let flags = ["--guard=on", "--default", "allow"];
    dir.run(&flags, &[&program, &port, "500"]).output().ok();
    let totals = log(&dir, "totals");
    assert_eq!(totals[0]["allowed"], 500);
    eventually("all connections", || {
        (server.connections() == 500).then_some(())
    });
}

#[test]
fn busybox_and_go_get_their_page_or_are_refused() {
    let (dir, server) = (Dir::new(), Http::v4());
    let (url, port) = (server.url(), server.port().to_string());
    let mut commands = Vec::new();
    if !missing("busybox") {
        commands.push(vec!["busybox", "wget", "-q", "-O-", &url]);
        let script = "printf 'GET / HTTP/1.0\\r\\n\\r\\n' | exec busybox nc 127.0.0.1 \"$0\"";
        commands.push(vec!["busybox", "sh", "-c", script, &port]);
    }
    if !missing("go") {
        let source = dir.write("home/get.go", GO);
        let source = source.to_str().unwrap();
        dir.bare(&["go", "build", "-o", "get", source])
            .env("GOCACHE", dir.path("cache"))
            .env("GO111MODULE", "off")
            .output()
            .ok();
        commands.push(vec!["./get", &url]);
    }
    for command in &commands {
        let before = server.connections();
        dir.run(&["--guard=on", "--default", "deny"], command)
            .output()
            .failed();
        assert_eq!(server.connections(), before, "{command:?}");
        let flags = ["--guard=on", "--default", "deny", "--allow", "@loopback"];
        dir.run(&flags, command).output().ok().prints("page from");
    }
}

#[test]
fn halt_holds_a_static_program_and_release_lets_it_go() {
    let (dir, server) = (Dir::new(), Http::v4());
    let (program, port) = (raw(&dir), server.port().to_string());
    let script = format!("echo ready; read line; {program} {port}");
    let mut terminal = Terminal::spawn(dir.run(
        &["--guard=on", "--default", "allow"],
        &["sh", "-c", &script],
    ));
    terminal.expect("ready");
    dir.hallpass(&["halt"]).output().ok();
    terminal.send_line("");
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(server.connections(), 0);
    assert!(!terminal.plain().contains("raw:"));
    dir.hallpass(&["release"]).output().ok();
    terminal.expect("raw: connected");
    assert_eq!(terminal.wait().code(), Some(0));
}

#[test]
fn the_terminal_asks_about_a_static_program_and_its_answer_arrives() {
    let (dir, server) = (Dir::new(), Http::v4());
    let (program, port) = (raw(&dir), server.port().to_string());
    let flags = ["--guard=on", "--prompt=tty", "--default", "ask"];
    for allow in [true, false] {
        let mut terminal = Terminal::spawn(dir.run(&flags, &[&program, &port]));
        let question = terminal.question();
        assert!(question.contains(&program), "{question}");
        assert!(question.contains("(1 call waits)"), "{question}");
        terminal.answer_once(allow);
        terminal.expect(if allow {
            "raw: connected"
        } else {
            "raw: ECONNREFUSED"
        });
        terminal.wait();
    }
}

/// Programs whose own clock ends a held call: the words, and what they exit with.
#[test]
fn a_programs_own_timeout_ends_a_held_call_on_time() {
    let (dir, server) = (Dir::new(), Http::v4());
    let url = server.url();
    let perl = format!(
        "use Socket; $SIG{{ALRM}} = sub {{ print qq(alarm\\n); exit 3 }}; alarm 1;
         socket(S, PF_INET, SOCK_STREAM, 0);
         connect(S, sockaddr_in({}, inet_aton('127.0.0.1'))); exit 0",
        server.port()
    );
    let commands: [(&str, &[&str], i32); 2] = [
        (
            "wget",
            &["wget", "--timeout=1", "--tries=1", "-O-", &url],
            4,
        ),
        ("perl", &["perl", "-e", &perl], 3),
    ];
    for (program, command, status) in commands {
        if missing(program) {
            continue;
        }
        let start = Instant::now();
        dir.run(&ASKING, command).output().code(status);
        // A program that freezes while it is held would wait for --ask-timeout.
        assert!(start.elapsed() < Duration::from_secs(15), "{program}");
    }
    assert_eq!(server.connections(), 0);
}

#[test]
fn ctrl_c_ends_a_held_call() {
    let (dir, server) = (Dir::new(), Http::v4());
    let program = raw(&dir);
    let flags = &ASKING[..];
    let mut terminal = Terminal::spawn(dir.run(flags, &[&program, &server.port().to_string()]));
    let mut control = Control::connect(&dir);
    control.subscribe();
    control.question();
    terminal.send("\u{3}");
    let status = terminal.wait();
    assert_eq!(
        std::os::unix::process::ExitStatusExt::signal(&status),
        Some(Signal::SIGINT as i32)
    );
    assert_eq!(server.connections(), 0);
    dir.expect_nothing_left();
}

#[test]
fn when_the_session_is_killed_calls_fail_and_the_front_says_so_once() {
    let (dir, server) = (Dir::new(), Http::v4());
    let program = raw(&dir);
    let script = format!("{program} {0}; {program} {0}", server.port());
    let running = dir.run(&ASKING, &["sh", "-c", &script]).spawn();
    let mut control = Control::connect(&dir);
    control.subscribe();
    control.question();
    kill(Pid::from_raw(dir.session_pid()), Signal::SIGKILL).unwrap();
    let outcome = running.finish().ok();
    assert_eq!(outcome.stdout, "raw: ENOSYS\nraw: ENOSYS\n");
    let said = outcome.stderr.matches("the session was killed").count();
    assert_eq!(said, 1, "{outcome}");
    assert!(outcome.stderr.contains("ENOSYS"), "{outcome}");
    assert_eq!(server.connections(), 0);
    dir.expect_nothing_left();
}

/// A session that is stopped decides nothing and loses nothing.
#[test]
fn a_call_held_by_a_session_that_is_stopped_waits_for_it() {
    let (dir, server) = (Dir::new(), Http::v4());
    let program = raw(&dir);
    let running = dir
        .run(&ASKING, &[&program, &server.port().to_string()])
        .spawn();
    let mut control = Control::connect(&dir);
    control.subscribe();
    let question = control.question();
    let session = Pid::from_raw(dir.session_pid());
    kill(session, Signal::SIGSTOP).unwrap();
    std::thread::sleep(Duration::from_secs(6));
    assert_eq!(running.stdout(), "");
    kill(session, Signal::SIGCONT).unwrap();
    control.answer(&question, "allow");
    running.finish().ok().prints("raw: connected");
}

/// Takes the one listener that the kernel allows, or refuses seccomp(2) altogether, or both ways to
/// a program's sockets, then starts what it is given.
const OUTER: &str = r#"
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(int argc, char **argv) {
    struct sock_filter nothing[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    struct sock_filter closed[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, !strcmp(argv[1], "sockets") ? SYS_pidfd_getfd : SYS_seccomp,
                 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        // SECCOMP_IOCTL_NOTIF_ADDFD, which came with Linux 5.9.
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ioctl, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x40182103, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    struct sock_fprog listener = {1, nothing}, refusal = {8, closed};
    int takes = !strcmp(argv[1], "taken");
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    long fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                      takes ? SECCOMP_FILTER_FLAG_NEW_LISTENER : 0, takes ? &listener : &refusal);
    // It is a listener for as long as somebody has it open.
    if (fd < 0 || (takes && fcntl(fd, F_SETFD, 0)))
        return 99;
    execv(argv[2], argv + 2);
    return 98;
}
"#;

/// The program that does so: it takes `taken` or `refused`, and what to start.
pub(crate) fn outer(dir: &Dir) -> String {
    let source = dir.write("home/outer.c", OUTER);
    let program = dir.path("home/outer").to_str().unwrap().to_owned();
    dir.bare(&["cc", "-o", &program, source.to_str().unwrap()])
        .output()
        .ok();
    program
}

#[test]
fn where_the_kernel_refuses_a_guard_the_run_does_not_begin() {
    let (dir, server) = (Dir::new(), Http::v4());
    let program = outer(&dir);
    let (url, hallpass) = (server.url(), env!("CARGO_BIN_EXE_hallpass"));
    for (way, why) in [
        ("taken", "a second seccomp listener"),
        ("refused", "Operation not permitted"),
        // Docker's default profile, and an old kernel.
        ("sockets", "--cap-add SYS_PTRACE"),
    ] {
        let run = |guard| {
            let run = ["run", guard, "--default", "allow", "--", "curl", "-s", &url];
            let mut command = vec![program.as_str(), way, hallpass];
            command.extend(run);
            dir.bare(&command).output()
        };
        let outcome = run("--guard=on").code(125).says("--guard=off").says(why);
        assert_eq!(outcome.stderr.lines().count(), 1, "{outcome}");
        assert_eq!(server.connections(), 0);
        dir.expect_nothing_left();
    }
    let off = [
        "run",
        "--guard=off",
        "--default",
        "allow",
        "--",
        "curl",
        "-s",
        &url,
    ];
    let mut command = vec![program.as_str(), "refused", hallpass];
    command.extend(off);
    dir.bare(&command).output().ok().prints("page from");
}

const DIAL: &str = "
import os, socket, sys
for path in sys.argv[1:]:
    s = socket.socket(socket.AF_UNIX)
    try: s.connect(path)
    except OSError as e: print(e.strerror)
    else: print('cannot control' in s.recv(4096).decode() and 'turned away')
";

#[test]
fn no_control_socket_is_within_a_targets_reach() {
    if missing("python3") {
        return;
    }
    let (mine, other) = (Dir::new(), Dir::new());
    // A session whose socket stands elsewhere: its directory's shape tells; moved away it tells
    // by itself, as soon as the two know of each other.
    let waits = other
        .run(&["--default", "allow"], &["sh", "-c", "read line"])
        .env("XDG_RUNTIME_DIR", mine.path("run"));
    let waits = Terminal::spawn(waits);
    let foreign = mine.session().join("control");
    let script = mine.script("dial.py", DIAL);
    let command = format!(
        "cd $XDG_RUNTIME_DIR/hallpass/${{HALLPASS%%;*}}/ && \
         python3 {script} control $PWD/control {0} && mv control ../moved && \
         python3 {script} ../moved; ln -s {0} link; python3 {script} link; \
         mv {0} ../other; python3 {script} ../other",
        foreign.display(),
    );
    let flags = ["--guard=on", "-v", "--default", "allow"];
    let outcome = mine.run(&flags, &["sh", "-c", &command]).output().ok();
    let expected = "Connection refused\n".repeat(5) + "turned away\n";
    assert_eq!(outcome.stdout, expected, "{outcome}");
    outcome.says("control socket");
    waits.send_line("");
}
