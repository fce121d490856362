//! One spelling for each address: in a rule the others are errors that say what to write; in a
//! program they meet the same rule.

use crate::harness::{Dir, Http, missing, no_ipv6};

#[test]
fn addresses_in_other_spellings_are_errors_that_say_what_to_write() {
    let dir = Dir::new();
    for (spelling, canonical) in [
        ("2130706433", "127.0.0.1"),
        ("0x7f.1", "127.0.0.1"),
        ("127.1", "127.0.0.1"),
        ("010.0.0.1", "10.0.0.1"),
    ] {
        for flag in ["--allow", "--deny", "--ask"] {
            let outcome = dir
                .run(&[flag, spelling], &["touch", "ran"])
                .output()
                .code(125);
            assert!(outcome.stderr.contains(spelling), "{outcome}");
            assert!(outcome.stderr.contains(canonical), "no remedy: {outcome}");
            assert!(!dir.path("home/ran").exists());
        }
    }
}

#[test]
fn addresses_in_other_spellings_are_errors_in_a_file_with_line_and_column() {
    let dir = Dir::new();
    let file = dir.write(
        "policy.json",
        "{ \"version\": 1,\n  \"rules\": [ { \"do\": \"allow\",\n  \"to\": [\"127.1\"] } ] }\n",
    );
    let file = file.to_str().unwrap();
    dir.run(&["--policy", file], &["true"])
        .output()
        .code(125)
        .says("policy.json:3:")
        .says("127.0.0.1");
}

/// Connects to the address as given and prints what came of it.
const CONNECT: &str = r"
import errno, socket, sys
host, port = sys.argv[1], int(sys.argv[2])
s = socket.socket(socket.AF_INET6 if ':' in host else socket.AF_INET)
s.settimeout(10)
try:
    s.connect((host, port)); print('connected')
except OSError as e:
    print(errno.errorcode.get(e.errno, e))
";

#[test]
fn every_way_to_this_machine_meets_the_loopback_rule() {
    if missing("python3") {
        return;
    }
    let (dir, server) = (Dir::new(), Http::v4());
    let script = dir.script("connect.py", CONNECT);
    let port = server.port().to_string();
    for host in [
        "127.0.0.1",
        "0.0.0.0",
        "::ffff:127.0.0.1",
        "::ffff:0.0.0.0",
        "127.9.8.7",
    ] {
        if host.contains(':') && no_ipv6() {
            continue;
        }
        let connect = |flags: &[&str]| {
            dir.run(flags, &["python3", &script, host, &port])
                .output()
                .ok()
        };
        let before = server.connections();
        connect(&["--default", "allow", "--deny", "@loopback"]).prints("ECONNREFUSED");
        assert_eq!(server.connections(), before, "{host}");
        if !host.ends_with("127.9.8.7") {
            connect(&["--default", "deny", "--allow", "@loopback"]).prints("connected");
        }
    }
}

#[test]
fn a_mapped_address_meets_the_rule_for_the_ipv4_address() {
    if missing("python3") || no_ipv6() {
        return;
    }
    let (dir, server) = (Dir::new(), Http::v4());
    let script = dir.script("connect.py", CONNECT);
    let port = server.port().to_string();
    dir.run(
        &["--default", "allow", "--deny", "127.0.0.1"],
        &["python3", &script, "::ffff:127.0.0.1", &port],
    )
    .output()
    .ok()
    .prints("ECONNREFUSED");
    assert_eq!(server.connections(), 0);
}
