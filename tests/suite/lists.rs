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
