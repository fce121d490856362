//! Datagram sockets that are connected to learn an address of one's own, and never send
//! (docs/policy.md, "UDP that only asks the way").

use crate::column::same;
use crate::harness::{Control, Dir, eventually, missing, skipped};
use nix::unistd::geteuid;

/// The log's lines of one kind.
fn lines(dir: &Dir, kind: &str) -> Vec<serde_json::Value> {
    eventually("the session's end", || {
        dir.sessions().is_empty().then_some(())
    });
    let files = std::fs::read_dir(dir.path("state/hallpass")).unwrap();
    files
        .flatten()
        .filter(|file| file.path().extension().is_some_and(|it| it == "jsonl"))
        .flat_map(|file| {
            let text = std::fs::read_to_string(file.path()).unwrap();
            text.lines().map(str::to_owned).collect::<Vec<_>>()
        })
        .map(|line| serde_json::from_str::<serde_json::Value>(&line).unwrap())
        .filter(|line| line["kind"] == kind)
        .collect()
}

/// Sorting several addresses glibc connects a socket to each, by a name of its own inside.
#[test]
fn look_ups_by_the_c_library_ask_nothing() {
    if !geteuid().is_root() {
        skipped("only root may give a program a hosts file of its own");
        return;
    }
    let dir = Dir::new();
    let hosts: String = (1..=8)
        .map(|i| format!("127.0.0.{i} many.test\n"))
        .collect();
    let hosts = dir.write("home/hosts", hosts);
    let script = format!(
        "mount --bind {} /etc/hosts && exec getent ahosts many.test",
        hosts.display()
    );
    let words = ["unshare", "-m", "sh", "-c", &script];
    if !dir.bare(&words).output().status.success() {
        skipped("no mount namespaces here");
        return;
    }
    let outcome = dir
        .run(&["--prompt=none", "--default", "deny"], &words)
        .output()
        .ok();
    assert_eq!(outcome.stdout.matches("STREAM").count(), 8, "{outcome}");
    assert!(lines(&dir, "decided").is_empty());
}

const PROBES: &str = r"
import errno, socket, sys
seen = set()
for _ in range(100):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try: s.connect(('127.0.0.1', 9)); seen.add(s.getsockname()[0])
    except OSError as e: seen.add(errno.errorcode[e.errno])
    s.close()
print(seen)
";

#[test]
fn a_hundred_probes_of_one_address_are_one_question() {
    if missing("python3") {
        return;
    }
    same(|it| it.run(&["python3", "-c", PROBES]))
        .ok()
        .prints("{'127.0.0.1'}");
    for (verdict, seen) in [("allow", "{'127.0.0.1'}"), ("deny", "{'ECONNREFUSED'}")] {
        let dir = Dir::new();
        let flags = ["--prompt=none", "--default", "ask", "--ask-timeout", "20s"];
        let running = dir.run(&flags, &["python3", "-c", PROBES]).spawn();
        let mut control = Control::connect(&dir);
        control.subscribe();
        let question = control.question();
        control.answer(&question, verdict);
        running.finish().ok().prints(seen);
        assert_eq!(lines(&dir, "asked").len(), 1);
        let decided = lines(&dir, "decided");
        let count: u64 = decided
            .iter()
            .filter_map(|line| line["count"].as_u64())
            .sum();
        assert_eq!(count, 100);
    }
}
