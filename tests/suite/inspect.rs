//! `explain`, `check` and `rules list`: what would happen, before anything does.

use crate::harness::Dir;
use serde_json::{Value, json};

#[test]
fn explain_says_what_wins_what_else_matched_and_what_no_rule_means() {
    let dir = Dir::new();
    dir.hallpass(&["rules", "add", "deny", "10.0.0.0/8", "--note", "office"])
        .output()
        .ok();
    dir.hallpass(&[
        "rules",
        "add",
        "allow",
        "10.0.0.7:443",
        "--app",
        "/usr/bin/curl",
    ])
    .output()
    .ok();
    dir.hallpass(&["explain", "10.0.0.7:443", "--app", "/usr/bin/curl"])
        .output()
        .ok()
        .prints("allow")
        .prints("10.0.0.7:443")
        .prints("10.0.0.0/8");
    dir.hallpass(&["explain", "10.0.0.7:443", "--app", "/usr/bin/wget"])
        .output()
        .ok()
        .prints("deny");
    dir.hallpass(&["explain", "192.0.2.1"])
        .output()
        .ok()
        .prints("ask");
    dir.hallpass(&["explain", "192.0.2.1", "--default", "deny"])
        .output()
        .ok()
        .prints("deny");
    dir.hallpass(&["explain", "127.1"])
        .output()
        .code(125)
        .says("127.0.0.1");
}

#[test]
fn explain_as_json_is_one_object() {
    let dir = Dir::new();
    let outcome = dir
        .hallpass(&["explain", "10.0.0.7:443", "--allow", "@lan", "--json"])
        .output()
        .ok();
    let value: Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert!(value.is_object(), "{outcome}");
    assert!(value.to_string().contains("allow"), "{outcome}");
}

#[test]
fn what_explain_says_is_what_run_does() {
    use crate::harness::Http;
    let (dir, server) = (Dir::new(), Http::v4());
    let (to, url) = (server.address.to_string(), server.url());
    for (flags, allowed) in [
        (vec!["--default", "deny"], false),
        (vec!["--default", "deny", "--allow", "@local"], true),
        (vec!["--allow", "@any", "--deny", "@loopback"], false),
        (vec!["--deny", "@any", "--allow", "127.0.0.0/8"], true),
        (vec!["--deny", "127.0.0.1", "--allow", &to], true),
        (vec!["--allow", "127.0.0.1:1-65535", "--deny", &to], false),
        (vec!["--allow", "127.0.0.1/udp", "--default", "deny"], false),
    ] {
        let mut explain = vec!["explain", &to, "--app", "/usr/bin/curl"];
        explain.extend(&flags);
        let said = dir.hallpass(&explain).output().ok();
        let word = if allowed { "allow" } else { "deny" };
        let first = said.stdout.lines().next().unwrap_or_default();
        assert!(first.contains(word), "{said}");
        let mut all = vec!["--prompt", "none"];
        all.extend(&flags);
        let ran = dir.run(&all, &["curl", "-s", &url]).output();
        assert_eq!(ran.status.success(), allowed, "{flags:?}: {ran}");
    }
}

#[test]
fn check_accepts_a_good_file_and_names_the_place_in_a_bad_one() {
    let dir = Dir::new();
    let good = dir.write(
        "good.json",
        json!({"version": 1, "default": "deny", "rules": [
            {"do": "allow", "to": ["*.example.com:443"], "app": "/usr/bin/curl", "note": "n",
             "until": "2036-12-31T00:00:00Z"},
            {"do": "ask", "to": ["@lan", "10.0.0.5-10.0.0.50:80,443/tcp", "[::1]:53"]},
        ]})
        .to_string(),
    );
    let good = good.to_str().unwrap();
    dir.hallpass(&["check", good]).output().ok();
    let bad = dir.write(
        "bad.json",
        "{ \"version\": 1,\n  \"rules\": [\n    { \"do\": \"alow\", \"to\": [\"@lan\"] } ] }\n",
    );
    dir.hallpass(&["check", good, bad.to_str().unwrap()])
        .output()
        .code(125)
        .says("bad.json:3:")
        .says("alow");
}

#[test]
fn what_a_shell_writes_into_a_pipe_is_read_like_a_file() {
    let dir = Dir::new();
    let hallpass = env!("CARGO_BIN_EXE_hallpass");
    let policy = r#"{"version":1,"default":"deny","rules":[{"do":"allow","to":["@loopback"]}]}"#;
    let piped = |words: &str, text: &str| {
        let script = format!("text=$1; pipe() {{ printf %s \"$text\"; }}; \"$0\" {words}");
        dir.bare(&["bash", "-c", &script, hallpass, text]).output()
    };
    piped("check <(pipe)", policy).ok();
    piped("explain --policy <(pipe) 127.0.0.1", policy)
        .ok()
        .prints("allow: ");
    piped("explain --policy <(sleep 0.3; pipe) 127.0.0.1", policy)
        .ok()
        .prints("allow: ");
    piped(
        "explain --default deny --allow-list <(pipe) 127.0.0.1",
        "127.0.0.1\n",
    )
    .ok()
    .prints("allow: ");
    piped("import deno <(pipe)", "--allow-net=127.0.0.1:80")
        .ok()
        .prints("127.0.0.1:80");
    piped("run --policy <(pipe) -- true", policy).ok();
    piped("run --policy <(pipe) -- touch ran", "{")
        .code(125)
        .says("/dev/fd/");
    piped("run --policy <(:) -- touch ran", "").code(125);
    assert!(!dir.path("home/ran").exists());
}

#[test]
fn rules_list_as_json_is_what_rules_add_wrote() {
    let dir = Dir::new();
    dir.hallpass(&[
        "rules",
        "add",
        "allow",
        "EXAMPLE.com.",
        "--note",
        "a remark",
    ])
    .output()
    .ok();
    let outcome = dir.hallpass(&["rules", "list", "--json"]).output().ok();
    let text = outcome.stdout.clone();
    let value: Value = serde_json::from_str(&text).unwrap();
    assert!(value.to_string().contains("\"example.com\""), "{outcome}");
    assert!(value.to_string().contains("a remark"), "{outcome}");
    dir.hallpass(&["rules", "remove", "no-such.example"])
        .output()
        .code(125)
        .says("no-such.example");
    dir.hallpass(&["rules", "remove", "1"]).output().ok();
    let saved: Value = serde_json::from_slice(&std::fs::read(dir.rules_file()).unwrap()).unwrap();
    assert_eq!(saved["rules"], json!([]));
}
