//! Who a process is, where `/proc/PID` does not say it any more: its first thread has ended while
//! another goes on, or it has written a title over its command line.

use crate::harness::{Dir, Http, eventually, missing, no_ending};
use serde_json::Value;
use std::net::TcpListener;

/// A thread connects, is refused or not, and reads until the end.
const HEADLESS: &str = r#"
import ctypes, os, socket, sys, threading, time
def go():
    while open(f"/proc/{os.getpid()}/stat").read().rsplit(")", 1)[1].split()[0] != "Z":
        time.sleep(0.005)
    try:
        s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
        os.write(1, b"connected\n")
        s.recv(1)
        os.write(1, b"end of file\n")
    except OSError as error:
        os.write(1, f"error {error.errno}\n".encode())
    os._exit(0)
threading.Thread(target=go).start()
ctypes.CDLL(None).pthread_exit(None)
"#;

/// The executable behind `python3`, which may be a script that looks for one.
fn python(dir: &Dir) -> String {
    let program = r"import os; print(os.readlink('/proc/self/exe'))";
    let outcome = dir.bare(&["python3", "-c", program]).output().ok();
    outcome.stdout.trim_end().to_owned()
}

fn policy(dir: &Dir, default: &str, verdict: &str) -> String {
    let policy = serde_json::json!({
        "version": 1,
        "default": default,
        "rules": [{"do": verdict, "to": ["@loopback"], "app": python(dir)}],
    });
    let path = dir.write("policy.json", policy.to_string());
    path.into_os_string().into_string().unwrap()
}

#[test]
fn a_rule_for_a_program_holds_after_its_first_thread_has_ended() {
    if missing("python3") {
        return;
    }
    let server = Http::v4();
    for (default, verdict, said) in [
        ("allow", "deny", "error 111"),
        ("deny", "allow", "connected"),
    ] {
        let dir = Dir::new();
        let policy = policy(&dir, default, verdict);
        let flags = ["--policy", policy.as_str(), "--prompt=none"];
        let command = ["python3", "-c", HEADLESS, &server.port().to_string()];
        let running = dir.run(&flags, &command).spawn();
        running.expect_stdout(said);
        running.signal(nix::sys::signal::Signal::SIGTERM);
        running.finish();
    }
}

#[test]
fn the_connection_of_a_process_whose_first_thread_has_ended_is_listed_and_ended() {
    if missing("python3") || no_ending() {
        return;
    }
    let (dir, listener) = (Dir::new(), TcpListener::bind("127.0.0.1:0").unwrap());
    let port = listener.local_addr().unwrap().port();
    let command = ["python3", "-c", HEADLESS, &port.to_string()];
    let running = dir.run(&["--default=allow"], &command).spawn();
    running.expect_stdout("connected");
    let _kept = listener.accept().unwrap();
    let flow: Value = eventually("the connection", || {
        let listed = dir.hallpass(&["flows", "--json"]).output().ok();
        listed
            .stdout
            .lines()
            .next()
            .map(|line| serde_json::from_str(line).unwrap())
    });
    assert_eq!(flow["app"], python(&dir).as_str(), "{flow}");
    assert_eq!(flow["port"], port);
    let name = format!("{}:{}", flow["session"].as_str().unwrap(), flow["id"]);
    dir.hallpass(&["end", &name]).output().ok().prints("ended");
    running.finish().ok().prints("end of file");
}

/// Node programs that write over their command line first; what they do then, and what it says.
#[test]
fn a_script_is_known_under_the_title_that_it_gives_itself() {
    if missing("node") {
        return;
    }
    let connects = r#"
const socket = require("net").connect(+process.argv[2], "127.0.0.1");
socket.on("connect", () => { console.log("connected"); socket.end(); });
socket.on("error", (error) => console.log(error.code));
"#;
    let starts = r#"
const url = `http://127.0.0.1:${process.argv[2]}/`;
const curl = require("child_process").spawn("curl", ["-sS", url]);
curl.on("exit", (status) => console.log("curl", status));
"#;
    for (body, app, said) in [
        (connects, "script:PATH", "ECONNREFUSED"),
        (starts, "parent:titled.js", "curl 7"),
    ] {
        let (dir, server) = (Dir::new(), Http::v4());
        let title = "process.title = 'longer than the command line, which is gone'.repeat(9);";
        let script = dir.script("titled.js", &format!("{title}{body}"));
        let policy = serde_json::json!({
            "version": 1,
            "default": "allow",
            "rules": [{"do": "deny", "to": ["@loopback"], "app": app.replace("PATH", &script)}],
        });
        let policy = dir.write("policy.json", policy.to_string());
        let flags = ["--policy", policy.to_str().unwrap(), "--prompt=none"];
        let command = ["node", &script, &server.port().to_string()];
        dir.run(&flags, &command).output().prints(said);
        assert_eq!(server.connections(), 0);
    }
}

/// docs/threat-model.md says so: a rule for a program is about its file.
#[test]
fn a_copy_under_another_name_is_another_program() {
    if missing("curl") {
        return;
    }
    let (dir, server) = (Dir::new(), Http::v4());
    let original = std::fs::read("/usr/bin/curl").unwrap();
    let copy = dir.script("another-name", "");
    std::fs::write(&copy, original).unwrap();
    let policy = serde_json::json!({
        "version": 1,
        "default": "allow",
        "rules": [{"do": "deny", "to": ["@loopback"], "app": "/usr/bin/curl"}],
    });
    let policy = dir.write("policy.json", policy.to_string());
    let flags = ["--policy", policy.to_str().unwrap(), "--prompt=none"];
    let url = server.url();
    dir.run(&flags, &["/usr/bin/curl", "-sS", &url])
        .output()
        .code(7);
    assert_eq!(server.connections(), 0);
    dir.run(&flags, &[&copy, "-sS", &url]).output().ok();
    assert_eq!(server.connections(), 1);
}
