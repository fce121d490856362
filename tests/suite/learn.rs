//! `hallpass learn`: what it writes is enough for the same command, and no more.

use crate::harness::{Dir, Http, missing};
use std::fs;
use std::path::Path;

/// Learns, checks, runs with what was learned: nothing is refused and nothing is warned of.
#[track_caller]
fn round_trip(dir: &Dir, command: &[&str]) {
    let _ = fs::remove_file(dir.path("home/policy.json"));
    let learn = |flags: &[&str]| {
        let mut args = vec!["learn", "-o", "policy.json"];
        args.extend(flags);
        args.push("--");
        args.extend(command);
        dir.hallpass(&args).output().ok()
    };
    learn(&[]).says("learned, in policy.json");
    let checked = dir
        .hallpass(&["check", "policy.json"])
        .output()
        .ok()
        .prints("ok, ");
    assert!(!checked.stdout.contains("warning"), "{checked}");
    let flags = ["--policy=policy.json", "--prompt=none", "--fail-on-block"];
    let outcome = dir.run(&flags, command).output().ok();
    assert!(!outcome.stderr.contains("refused"), "{outcome}");
    let before = fs::read(dir.path("home/policy.json")).unwrap();
    let again = learn(&["--merge"]).says("lacks nothing");
    assert!(!again.stderr.contains("not learned"), "{again}");
    // Nor does an audit find fault with it.
    let audit = ["--policy=policy.json", "--audit", "--fail-on-block"];
    dir.run(&audit, command).output().ok();
    assert_eq!(fs::read(dir.path("home/policy.json")).unwrap(), before);
    let none = dir.run(
        &["--default=deny", "--prompt=none", "--fail-on-block"],
        command,
    );
    none.output().failed();
    dir.expect_nothing_left();
}

#[test]
fn curl_by_address_and_python_by_name() {
    if missing("curl") || missing("python3") {
        return;
    }
    let dir = Dir::new();
    let (one, other) = (Http::v4(), Http::v4());
    round_trip(&dir, &["curl", "-sSf", "-o", "/dev/null", &one.url()]);
    // curl knows what localhost is and looks nothing up.
    let connect = format!(
        "import socket; socket.create_connection(('localhost', {}))",
        other.port()
    );
    round_trip(&dir, &["/usr/bin/python3", "-c", &connect]);
    let text = fs::read_to_string(dir.path("home/policy.json")).unwrap();
    assert!(
        text.contains(&format!("localhost:{}/tcp", other.port())),
        "{text}"
    );
}

/// Its server is at another port each time.
#[test]
fn a_program_that_talks_to_a_server_of_its_own() {
    if missing("python3") {
        return;
    }
    let dir = Dir::new();
    let script = "import socket
server = socket.socket(); server.bind(('127.0.0.1', 0)); server.listen()
client = socket.create_connection(server.getsockname())
server.accept()[0].sendall(b'x'); assert client.recv(1) == b'x'
";
    round_trip(&dir, &["/usr/bin/python3", "-c", script]);
    let text = fs::read_to_string(dir.path("home/policy.json")).unwrap();
    assert!(text.contains("for servers of its own"), "{text}");
    // Somebody else's is at the same one: nothing wider is learned.
    let other = Http::v4();
    round_trip(&dir, &["curl", "-s", "-o", "/dev/null", &other.url()]);
    let text = fs::read_to_string(dir.path("home/policy.json")).unwrap();
    assert!(!text.contains("for servers of its own"), "{text}");
    assert!(text.contains(&format!("{}/tcp", other.address)), "{text}");
}

#[test]
fn git_clone() {
    if missing("git") {
        return;
    }
    let dir = Dir::new();
    let script = "set -e; git init -q repo; cd repo; git -c user.name=a -c user.email=a@b.test commit -q --allow-empty -m x; git update-server-info";
    dir.bare(&["sh", "-c", script]).output().ok();
    let server = Http::start([127, 0, 0, 1].into(), Some(dir.path("home/repo/.git")));
    let url = format!("http://{}/", server.address);
    let clone = format!("rm -rf copy; git clone -q {url} copy");
    round_trip(&dir, &["sh", "-c", &clone]);
}

#[test]
fn python_and_its_script() {
    if missing("python3") {
        return;
    }
    let dir = Dir::new();
    let server = Http::v4();
    let script = format!(
        "import urllib.request\nurllib.request.urlopen('{}').read()\n",
        server.url()
    );
    let script = dir.write("home/get.py", script);
    round_trip(&dir, &["/usr/bin/python3", script.to_str().unwrap()]);
    let text = fs::read_to_string(dir.path("home/policy.json")).unwrap();
    assert!(text.contains("\"app\": \"script:/"), "{text}");
}

#[test]
fn everything_goes_on_and_the_status_is_the_commands_own() {
    if missing("curl") {
        return;
    }
    let dir = Dir::new();
    let server = Http::v4();
    let command = format!("curl -s {}; exit 7", server.url());
    let args = ["learn", "-o", "p.json", "--", "sh", "-c", &command];
    let outcome = dir.hallpass(&args).output().code(7);
    assert!(!outcome.stderr.contains("refused"), "{outcome}");
    assert_eq!(server.connections(), 1);
    // Not by accident over what is there.
    dir.hallpass(&args).output().code(125).says("--merge");
    assert_eq!(server.connections(), 1);
}

#[test]
fn a_list_by_names_holds_where_the_program_is_elsewhere() {
    let (dir, server) = (Dir::new(), Http::v4());
    let curl = dir.path("home/curl");
    fs::copy("/usr/bin/curl", &curl).unwrap();
    let options = ["-sSf", "-o", "/dev/null", &server.url()];
    for how in ["path", "name", "any"] {
        let file = format!("{how}.json");
        let programs = format!("--programs={how}");
        let mut learn = vec!["learn", "-o", &file, &programs, "--", "/usr/bin/curl"];
        learn.extend(options);
        dir.hallpass(&learn).output().ok();
        let policy = format!("--policy={file}");
        let mut elsewhere = vec![curl.to_str().unwrap()];
        elsewhere.extend(options);
        let outcome = dir.run(&[&policy, "--prompt=none"], &elsewhere).output();
        match how {
            "path" => outcome.failed(),
            _ => outcome.ok(),
        };
    }
}

#[test]
fn a_persons_policy_is_added_to_and_its_denials_are_kept() {
    if missing("curl") {
        return;
    }
    let dir = Dir::new();
    let (new, denied) = (Http::v4(), Http::v4());
    let mine = format!(
        r#"{{ "version": 1, "default": "deny", "rules": [
  {{ "do": "deny", "to": ["{}"], "note": "never" }},
  {{ "do": "allow", "to": ["example.com"], "note": "by hand" }} ] }}"#,
        denied.address
    );
    let path = dir.write("home/p.json", mine);
    let command = format!("curl -s {}; curl -s {}", new.url(), denied.url());
    dir.hallpass(&[
        "learn", "-o", "p.json", "--merge", "--", "sh", "-c", &command,
    ])
    .output()
    .ok()
    .says("not learned")
    .says("1 destination learned");
    let text = read(&path);
    let (never, by_hand, learned) = (
        text.find("never").unwrap(),
        text.find("by hand").unwrap(),
        text.find("learned: 1 call").unwrap(),
    );
    assert!(never < by_hand && by_hand < learned, "{text}");
    assert!(text.contains(&new.address.to_string()), "{text}");
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}
