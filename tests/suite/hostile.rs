//! Input from somebody who wishes us ill, or has slipped: a clear word, nothing lost, and the
//! session goes on deciding.

use crate::harness::{Control, Dir, Http, Running, eventually, missing};
use serde_json::json;
use std::os::unix::fs::PermissionsExt;

/// A session with a target that waits until `go` exists, then fetches the page.
fn waiting_session(dir: &Dir, server: &Http, flags: &[&str]) -> Running {
    let script = format!(
        "echo ready; while ! [ -e go ]; do sleep 0.05; done; curl -s {}",
        server.url()
    );
    let running = dir.run(flags, &["sh", "-c", &script]).spawn();
    running.expect_stdout("ready");
    running
}

/// The session still decides: the target gets its page.
#[track_caller]
fn still_decides(dir: &Dir, server: &Http, running: Running) {
    dir.write("home/go", "");
    running.finish().ok().prints("page from");
    assert_eq!(server.connections(), 1);
    dir.expect_nothing_left();
}

#[test]
fn control_lines_that_are_no_requests_are_told_what_is_wrong() {
    let (dir, server) = (Dir::new(), Http::v4());
    let running = waiting_session(&dir, &server, &["--default", "allow"]);
    // What is no object may be the start of anything: the client is told, and hung up on.
    for line in [
        "not json\n",
        "{\n",
        "[]\n",
        "\u{feff}\u{202e}\n",
        "\0\n",
        "\n\n\n",
    ] {
        let mut control = Control::connect(&dir);
        assert!(control.send_raw(line.as_bytes()));
        let reply = control.line().expect("hung up without a word");
        assert!(reply.get("error").is_some(), "{line:?} → {reply}");
        assert_eq!(control.line(), None, "{line:?}");
    }
    // An object that is no request is told what is wrong with it, and the next one is read.
    for line in [
        "{\"id\": 1}\n",
        "{\"id\": 1, \"do\": \"no-such-thing\"}\n",
        "{\"id\": -1, \"do\": \"pending\"}\n",
        "{\"id\": 1, \"do\": \"pending\", \"more\": 1}\n",
        "{\"id\": 1, \"do\": \"subscribe\", \"earlier\": true}\n",
        "{\"id\": 1, \"do\": \"answer\", \"question\": 99, \"verdict\": \"allow\"}\n",
        "{\"id\": 1, \"do\": \"answer\", \"question\": 1, \"verdict\": \"perhaps\"}\n",
    ] {
        let mut control = Control::connect(&dir);
        assert!(control.send_raw(line.as_bytes()));
        let reply = control.line().expect("hung up without a word");
        assert!(reply.get("error").is_some(), "{line:?} → {reply}");
        let reply = control.request(json!({"do": "pending"}));
        assert!(reply.get("pending").is_some(), "{line:?} → {reply}");
    }
    let mut control = Control::connect(&dir);
    assert!(control.send_raw(b"\xff\xfe\x00\n"));
    if let Some(reply) = control.line() {
        assert!(reply.get("error").is_some(), "{reply}");
    }
    still_decides(&dir, &server, running);
}

#[test]
fn a_control_line_without_end_is_cut_off() {
    let (dir, server) = (Dir::new(), Http::v4());
    let running = waiting_session(&dir, &server, &["--default", "allow"]);
    let mut control = Control::connect(&dir);
    let mut sent = 0_usize;
    while sent < 64 << 20 && control.send_raw(&[b'x'; 65536]) {
        sent += 65536;
    }
    // Far less than 64 MB were taken before the other side had enough.
    assert!(sent < 16 << 20, "took {sent} bytes of one line");
    still_decides(&dir, &server, running);
}

#[test]
fn a_control_client_of_another_version_is_told_which() {
    let (dir, server) = (Dir::new(), Http::v4());
    let running = waiting_session(&dir, &server, &["--default", "allow"]);
    let mut control = Control::raw(&dir.session());
    let reply = control.request(json!({"do": "hello", "version": 999, "client": "suite"}));
    let error = reply["error"]["error"].as_str().unwrap_or_default();
    assert!(error.contains('1') && error.contains("999"), "{reply}");
    let mut control = Control::raw(&dir.session());
    let reply = control.request(json!({"do": "pending"}));
    assert!(reply.get("error").is_some(), "no hello needed: {reply}");
    still_decides(&dir, &server, running);
}

#[test]
fn clients_that_never_read_hold_nothing_up() {
    let (dir, server) = (Dir::new(), Http::v4());
    let running = waiting_session(&dir, &server, &["--default", "allow"]);
    let mut deaf = Vec::new();
    for _ in 0..8 {
        let mut control = Control::connect(&dir);
        control.subscribe();
        // Replies pile up that nobody reads.
        for _ in 0..20_000 {
            if !control.send_raw(b"{\"id\":5,\"do\":\"pending\"}\n") {
                break;
            }
        }
        deaf.push(control);
    }
    still_decides(&dir, &server, running);
}

/// Talks to the ask socket from inside the session, as a hostile target would.
const FRAMES: &str = r"
import os, socket, struct, sys, time
session = os.environ['HALLPASS'].split(';')[0]
def dial():
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    s.settimeout(10)
    s.connect('\0hallpass/' + session + '/ask')
    return s
frames = [b'', b'\0', b'\xff' * 7, b'\0' * 4096, b'\xff' * 4096, os.urandom(1 << 20),
          struct.pack('<I', 0xffffffff) * 64, struct.pack('>Q', 1 << 32) * 64,
          b'GET / HTTP/1.0\r\n\r\n', b'{}\n' * 500]
for frame in frames:
    s = dial()
    try: s.sendall(frame); s.shutdown(socket.SHUT_WR)
    except OSError: pass
    got = b''
    try:
        while True:
            part = s.recv(4096)
            if not part: break
            got += part
    except OSError: pass
    s.close()
    assert len(got) < 65536, len(got)
# Byte by byte, then never finished.
slow = [dial() for _ in range(50)]
for s in slow: s.send(b'\1')
print('frames sent')
";

#[test]
fn frames_that_are_truncated_oversized_or_noise_are_refused_and_the_next_is_read() {
    if missing("python3") {
        return;
    }
    let (dir, server) = (Dir::new(), Http::v4());
    let script = dir.script("frames.py", FRAMES);
    let both = format!("python3 {script} && curl -s {}", server.url());
    dir.run(&["--guard=off", "--default", "allow"], &["sh", "-c", &both])
        .output()
        .ok()
        .prints("frames sent")
        .prints("page from");
}

#[test]
fn the_ask_socket_answers_nobody_outside_the_session() {
    use std::io::Read;
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixStream};
    let (dir, server) = (Dir::new(), Http::v4());
    let running = waiting_session(&dir, &server, &["--guard=off", "--default", "allow"]);
    let session = dir.session();
    let name = session.file_name().unwrap().to_str().unwrap();
    let address = SocketAddr::from_abstract_name(format!("hallpass/{name}/ask")).unwrap();
    // Refused is right as well as hung up on; a verdict is not.
    if let Ok(mut stream) = UnixStream::connect_addr(&address) {
        use std::io::Write;
        stream
            .set_read_timeout(Some(*crate::harness::PATIENCE))
            .unwrap();
        let _ = stream.write_all(&[0; 4096]);
        let mut reply = Vec::new();
        let _ = stream.read_to_end(&mut reply);
        assert!(reply.len() <= 64, "{reply:?}");
    }
    still_decides(&dir, &server, running);
}

#[test]
fn the_control_socket_refuses_the_sessions_own_targets() {
    if missing("python3") {
        return;
    }
    let dir = Dir::new();
    let script = dir.script(
        "self_answer.py",
        r#"
import glob, os, socket
path = glob.glob(os.environ['XDG_RUNTIME_DIR'] + '/hallpass/*/control')[0]
s = socket.socket(socket.AF_UNIX)
s.settimeout(10)
try:
    s.connect(path)
    s.sendall(b'{"id":1,"do":"hello","version":1,"client":"target"}\n')
    got = s.recv(65536)
except OSError as e:
    got = b''
print('let in' if b'"hello"' in got else 'kept out')
"#,
    );
    dir.run(&["--default", "allow"], &["python3", &script])
        .output()
        .ok()
        .prints("kept out");
}

#[test]
fn a_megabyte_of_arguments_is_decided_and_shown_clipped() {
    let (dir, server) = (Dir::new(), Http::v4());
    // One argument may be 128 KB; many make a megabyte.
    let script = format!(
        "set --; i=0; while [ $i -lt 10 ]; do set -- \"$@\" \"$(printf '%0100000d' 0)\"; i=$((i+1)); done; \
         curl -s {} -H \"X: y\" --next -s file:///dev/null; \
         exec env python3 -c 'import urllib.request as r, sys; print(r.urlopen(sys.argv[1]).read().decode())' {} \"$@\"",
        server.url(),
        server.url()
    );
    let running = dir
        .run(
            &[
                "--default",
                "ask",
                "--prompt",
                "none",
                "--ask-timeout",
                "60s",
            ],
            &["sh", "-c", &script],
        )
        .spawn();
    let mut control = Control::connect(&dir);
    control.subscribe();
    let first = control.question();
    control.answer(&first, "allow");
    let second = control.wait_for("question", |question| question["id"] != first["id"]);
    let size = second.to_string().len();
    assert!(size < 256 * 1024, "a question of {size} bytes");
    control.answer(&second, "allow");
    running.finish().ok().prints("page from");
    assert_eq!(server.connections(), 2);
}

#[test]
fn control_and_bidi_characters_in_names_and_arguments_are_escaped() {
    let (dir, server) = (Dir::new(), Http::v4());
    let evil = "evil\u{1b}[2J\u{202e}\u{200b}\n\r\u{7}name";
    let curl = dir.path("home").join(evil);
    std::fs::copy("/usr/bin/curl", &curl).unwrap();
    let running = dir
        .run(
            &[
                "--default",
                "ask",
                "--prompt",
                "none",
                "--ask-timeout",
                "60s",
            ],
            &[curl.to_str().unwrap(), "-s", "-A", evil, &server.url()],
        )
        .spawn();
    let mut control = Control::connect(&dir);
    control.subscribe();
    let question = control.question();
    for text in strings(&question) {
        assert!(
            !text
                .chars()
                .any(|c| c.is_control() || "\u{202e}\u{200b}".contains(c)),
            "not escaped: {text:?}"
        );
    }
    let pending = dir.hallpass(&["pending"]).output().ok();
    assert!(
        !pending
            .stdout
            .chars()
            .any(|c| c != '\n' && c.is_control() || "\u{202e}\u{200b}".contains(c)),
        "{:?}",
        pending.stdout
    );
    control.answer(&question, "deny");
    let outcome = running.finish().code(7);
    assert!(
        !outcome.stderr.chars().any(|c| c != '\n' && c.is_control()),
        "{outcome:?}"
    );
}

fn strings(value: &serde_json::Value) -> Vec<String> {
    use serde_json::Value;
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items.iter().flat_map(strings).collect(),
        Value::Object(fields) => fields.values().flat_map(strings).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn policy_files_that_cannot_be_used_are_125_with_place_and_remedy() {
    let dir = Dir::new();
    let refused = |name: &str, contents: &[u8], says: &[&str]| {
        let file = dir.write(name, contents);
        let outcome = dir
            .run(&["--policy", file.to_str().unwrap()], &["touch", "ran"])
            .output()
            .code(125);
        for text in says {
            assert!(outcome.stderr.contains(text), "no {text:?}: {outcome}");
        }
        assert!(!dir.path("home/ran").exists());
    };
    refused("empty.json", b"", &["empty.json"]);
    refused("blank.json", b"  \n\n", &["blank.json"]);
    refused("words.json", b"allow example.com\n", &["words.json:1:1"]);
    refused(
        "cut.json",
        b"{ \"version\": 1,\n  \"rules\": [",
        &["cut.json:2:"],
    );
    refused(
        "newer.json",
        b"{ \"version\": 2, \"rules\": [] }",
        &["newer.json", "2"],
    );
    refused(
        "versionless.json",
        b"{ \"rules\": [] }",
        &["versionless.json", "version"],
    );
    refused(
        "unknown.json",
        b"{ \"version\": 1,\n  \"ruls\": [] }",
        &["unknown.json:2:", "ruls"],
    );
    refused(
        "field.json",
        b"{ \"version\": 1, \"rules\": [\n { \"do\": \"allow\", \"to\": [\"@lan\"], \"form\": \"x\" } ] }",
        &["field.json:2:", "form"],
    );
    refused(
        "nowhere.json",
        b"{ \"version\": 1, \"rules\": [\n { \"do\": \"allow\", \"to\": [] } ] }",
        &["nowhere.json"],
    );
    refused(
        "twice.json",
        b"{ \"version\": 1, \"default\": \"deny\", \"default\": \"allow\", \"rules\": [] }",
        &["twice.json", "default"],
    );
    refused("deep.json", "[".repeat(200_000).as_bytes(), &["deep.json"]);
    refused("binary.json", b"\x7fELF\0\xff\xfe", &["binary.json"]);
    refused("bom.json", b"\xef\xbb\xbf{ \"version\": 2 }", &["bom.json"]);
}

#[test]
fn policy_paths_that_are_no_readable_file_are_125_and_do_not_hang() {
    let dir = Dir::new();
    let refused = |path: &str| {
        dir.run(&["--policy", path], &["touch", "ran"])
            .output()
            .code(125)
            .says(path);
        assert!(!dir.path("home/ran").exists());
    };
    refused(dir.path("home").to_str().unwrap());
    let fifo = dir.path("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    refused(fifo.to_str().unwrap());
    refused("/dev/zero");
    refused("/dev/null");
    refused("no-such-file.json");
    let file = dir.write("unreadable.json", "{ \"version\": 1, \"rules\": [] }");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o000)).unwrap();
    if nix::unistd::geteuid().is_root() {
        crate::harness::skipped("root reads unreadable files");
    } else {
        refused(file.to_str().unwrap());
    }
}

#[test]
fn saved_rules_that_cannot_be_used_are_125_and_never_overwritten() {
    let dir = Dir::new();
    for contents in [
        "",
        "not json",
        "{ \"version\": 2, \"rules\": [] }",
        "{ \"version\": 1, \"rules\": [], \"extra\": 1 }",
    ] {
        let file = dir.write("config/hallpass/rules.json", contents);
        dir.run(&[], &["touch", "ran"])
            .output()
            .code(125)
            .says("rules.json");
        dir.hallpass(&["rules", "add", "allow", "10.0.0.7"])
            .output()
            .code(125)
            .says("rules.json");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), contents);
        assert!(!dir.path("home/ran").exists());
    }
    std::fs::remove_file(dir.rules_file()).unwrap();
    std::fs::create_dir(dir.rules_file()).unwrap();
    dir.run(&[], &["true"])
        .output()
        .code(125)
        .says("rules.json");
    std::fs::remove_dir(dir.rules_file()).unwrap();
    nix::unistd::mkfifo(&dir.rules_file(), nix::sys::stat::Mode::S_IRWXU).unwrap();
    dir.run(&[], &["true"])
        .output()
        .code(125)
        .says("rules.json");
    // A hermetic run has no use for them.
    dir.run(&["--default", "deny"], &["true"]).output().ok();
}

#[test]
fn a_flood_of_questions_is_bounded_and_refused_by_name() {
    if missing("python3") {
        return;
    }
    let dir = Dir::new();
    let script = dir.script(
        "flood.py",
        r"
import socket, sys, threading
def one(port):
    s = socket.socket()
    try: s.connect(('127.0.0.1', port))
    except OSError: pass
    s.close()
threads = [threading.Thread(target=one, args=(20000 + i,)) for i in range(3000)]
threading.stack_size(65536)
for t in threads: t.start()
for t in threads: t.join()
print('done')
",
    );
    let mut running = dir
        .run(
            &[
                "--default",
                "ask",
                "--prompt",
                "none",
                "--ask-timeout",
                "5s",
            ],
            &["python3", &script],
        )
        .spawn();
    let mut control = Control::connect(&dir);
    control.subscribe();
    let refused = control.wait_for("event", |event| {
        event["source"]["reason"] == "too-many-waiting"
    });
    assert_eq!(refused["verdict"], "deny");
    let memory = eventually("the session's memory", || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", dir.session_pid())).ok()?;
        let line = status.lines().find(|line| line.starts_with("VmRSS"))?;
        line.split_whitespace().nth(1)?.parse::<u64>().ok()
    });
    assert!(memory < 200 * 1024, "{memory} kB");
    running.wait_within(std::time::Duration::from_secs(30));
    running.finish().ok().prints("done");
}
