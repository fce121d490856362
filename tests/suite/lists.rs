//! `--allow-list`, and what `hallpass check` says of policies.

use crate::harness::{Dir, Http, missing};

#[test]
fn what_is_on_the_list_is_allowed_and_nothing_else() {
    if missing("curl") {
        return;
    }
    let dir = Dir::new();
    let (listed, other) = (Http::v4(), Http::v4());
    let list = format!(
        "# ours\n||example.com^\n{}   # the server\n",
        listed.address
    );
    dir.write("home/list", list);
    let command = format!("curl -sf {}; curl -sf {}; true", listed.url(), other.url());
    let flags = ["--allow-list=list", "--default=deny", "--fail-on-block"];
    dir.run(&flags, &["sh", "-c", &command])
        .output()
        .code(111)
        .says("1 refused, 1 allowed");
    assert_eq!((listed.connections(), other.connections()), (1, 0));
}

#[test]
fn a_list_that_cannot_be_used_starts_nothing_and_says_where() {
    let dir = Dir::new();
    for (text, part) in [
        ("", "empty"),
        ("# only a comment\n", "empty"),
        ("a.test\n  http://b.test/\n", "list:2:3"),
        ("@@||a.test^\n", "list:1:1"),
    ] {
        dir.write("home/list", text);
        dir.run(&["--allow-list=list", "--default=allow"], &["touch", "ran"])
            .output()
            .code(125)
            .says(part);
    }
    dir.run(&["--allow-list=none"], &["touch", "ran"])
        .output()
        .code(125)
        .says("no such file");
    assert!(!dir.path("home/ran").exists());
}

#[test]
fn check_warns_in_words_and_in_json() {
    let dir = Dir::new();
    dir.write(
        "home/p.json",
        r#"{"version":1,"default":"deny","rules":[
            {"do":"allow","to":["a.test","no-such-name.invalid"]},
            {"do":"deny","to":["a.test"]}]}"#,
    );
    dir.write("home/bad.json", "{\n  \"version\": 2 }");
    let said = dir.hallpass(&["check", "p.json"]).output().ok();
    let said = said
        .prints("p.json: warning: rule 1: ")
        .prints("always wins");
    assert!(!said.stdout.contains("no-such-name.invalid has"), "{said}");
    dir.hallpass(&["check", "--resolve", "p.json"])
        .output()
        .ok()
        .prints("no-such-name.invalid has no address");
    let json = dir
        .hallpass(&["check", "--json", "p.json", "bad.json"])
        .output()
        .code(125);
    let lines: Vec<&str> = json.stdout.lines().collect();
    assert_eq!(lines.len(), 2, "{json}");
    assert!(
        lines[0].contains(r#""rule":1,"kind":"overruled","other":2"#),
        "{json}"
    );
    assert!(
        lines[1].contains(r#""error":{"place":"bad.json:2:"#),
        "{json}"
    );
}

#[test]
fn import_writes_a_policy_that_check_takes_and_names_what_it_cannot_say() {
    let dir = Dir::new();
    dir.write(
        "home/endpoints",
        "example.com:443\n*.example.org:443 nowhere\n",
    );
    let made = dir
        .hallpass(&["import", "harden-runner", "endpoints"])
        .output()
        .ok()
        .says("left out: nowhere");
    dir.write("home/p.json", made.stdout);
    let checked = dir.hallpass(&["check", "p.json"]).output().ok();
    let checked = checked.prints("ok, 1 rule, default deny");
    assert!(!checked.stdout.contains("warning"), "{checked}");
    let flags = ["explain", "example.com:443", "--policy=p.json"];
    dir.hallpass(&flags).output().ok().prints("allow");
    dir.write("home/bad", "{\n");
    dir.hallpass(&["import", "opensnitch", "bad"])
        .output()
        .code(125)
        .says("bad:2:");
    dir.write("home/colon", "{\"a\" 1}\n");
    let once = dir.hallpass(&["import", "lsrules", "colon"]).output();
    let once = once.code(125).says("colon:1:6: expected `:`\n");
    assert!(!once.stderr.contains("at line"), "{once}");
    for format in ["lsrules", "opensnitch", "deno", "harden-runner"] {
        dir.write("home/empty", "\n");
        dir.hallpass(&["import", format, "empty"])
            .output()
            .code(125)
            .says("empty: is empty");
    }
    dir.write("home/flags", "--allow-net=*.a.test --deny-net=x..a.test");
    dir.hallpass(&["import", "deno", "flags"])
        .output()
        .ok()
        .prints("\"do\": \"ask\"")
        .says("ask instead of allow");
}
