//! `--report` and `--audit`: what a run tells of itself when it is over.

use crate::harness::{Dir, Http, Outcome, TestCommand, missing};
use std::fs;

/// A command that reaches one server, is refused at another, and says 0.
fn two_calls(allowed: &Http, refused: &Http) -> String {
    format!(
        "curl -s {} >/dev/null; curl -s {} ; curl -s {}; true",
        allowed.url(),
        refused.url(),
        refused.url()
    )
}

fn allow(server: &Http) -> String {
    format!("--allow={}", server.address)
}

/// Runs the two calls with these flags on top.
fn run(dir: &Dir, flags: &[&str]) -> (TestCommand, Http) {
    let (allowed, refused) = (Http::v4(), Http::v4());
    let rule = allow(&allowed);
    let mut all = vec!["--prompt=none", "--default=deny", &rule];
    all.extend(flags);
    let command = two_calls(&allowed, &refused);
    (dir.run(&all, &["sh", "-c", &command]), refused)
}

/// Python's own readers: the document parses, and what `code` says of it holds.
#[track_caller]
fn python(dir: &Dir, code: &str) -> Outcome {
    dir.bare(&["/usr/bin/python3", "-c", code]).output().ok()
}

#[test]
fn every_format_at_once_and_each_reads_back() {
    if missing("curl") || missing("python3") {
        return;
    }
    let dir = Dir::new();
    let (command, refused) = run(
        &dir,
        &[
            "--report=json=r.json",
            "--report=junit=r.xml",
            "--report=sarif=r.sarif",
            "--report=gitlab=r.gl.json",
            "--report=github=r.md",
            "--report=text=r.txt",
            "--report=text",
            "--fail-on-block",
        ],
    );
    let outcome = command.output().code(111).says("2 refused");
    let to = refused.address.to_string();
    assert!(
        outcome
            .stderr
            .contains(&format!("2× curl → {to}/tcp: default")),
        "{outcome}"
    );
    python(
        &dir,
        &format!(
            "import json, xml.etree.ElementTree as E
r = json.load(open('r.json'))
assert r['version'] == 1 and r['status'] == 0 and not r['audit'], r
assert r['totals'] == {{'allowed': 1, 'refused': 2, 'would_be_refused': 0}}, r['totals']
first = r['entries'][0]
assert (first['outcome'], first['count'], first['to']) == ('refused', 2, '{to}/tcp'), first
assert first['source'] == {{'from': 'default'}} and first['app'].endswith('/curl')
suite = E.parse('r.xml').getroot()
assert (suite.get('tests'), suite.get('failures')) == ('2', '1')
case = suite.find('testsuite/testcase')
assert case.get('name') == '{to}/tcp' and case.find('failure') is not None
s = json.load(open('r.sarif'))
assert s['version'] == '2.1.0' and len(s['runs'][0]['results']) == 1
g = json.load(open('r.gl.json'))
assert len(g) == 1 and g[0]['severity'] == 'critical' and g[0]['fingerprint']
"
        ),
    );
    let summary = fs::read_to_string(dir.path("home/r.md")).unwrap();
    assert!(
        summary.contains(&format!("| `curl` | `{to}/tcp` |")),
        "{summary}"
    );
    let text = fs::read_to_string(dir.path("home/r.txt")).unwrap();
    assert!(text.contains("allowed:"), "{text}");
    dir.expect_nothing_left();
}

#[test]
fn fail_on_block_says_what_was_refused_and_how_to_allow_it() {
    if missing("curl") {
        return;
    }
    let dir = Dir::new();
    let (command, refused) = run(&dir, &["--fail-on-block"]);
    let outcome = command.output().code(111);
    let to = format!("{}/tcp", refused.address);
    let lines: Vec<&str> = outcome.stderr.lines().collect();
    let said = format!("hallpass: refused: curl → {to}, 2 calls: default");
    assert!(lines.contains(&&*said), "{outcome}");
    let how = format!("--allow {to}; or for the whole list: hallpass learn --merge");
    assert!(outcome.stderr.contains(&how), "{outcome}");
    // What it says is right.
    let allow = format!("--allow={to}");
    let (command, _) = run(&dir, &["--fail-on-block", &allow]);
    let again = command.output().code(111);
    assert!(!again.stderr.contains(&format!("{to}, ")), "{again}");
    // Once, not twice.
    let (command, refused) = run(&dir, &["--fail-on-block", "--report=text"]);
    let outcome = command.output().code(111);
    let count = outcome.stderr.matches(&refused.address.to_string()).count();
    assert_eq!(count, 1, "{outcome}");
}

#[test]
fn arguments_are_in_no_report() {
    if missing("curl") {
        return;
    }
    let dir = Dir::new();
    let server = Http::v4();
    let url = format!("{}?token=hunter2", server.url());
    let mut flags = vec!["--prompt=none", "--default=deny"];
    let formats = ["text", "json", "junit", "sarif", "github", "gitlab"];
    let reports: Vec<String> = formats
        .iter()
        .map(|format| format!("--report={format}=r.{format}"))
        .collect();
    flags.extend(reports.iter().map(String::as_str));
    dir.run(&flags, &["curl", "-s", &url]).output().code(7);
    for format in formats {
        let text = fs::read_to_string(dir.path(&format!("home/r.{format}"))).unwrap();
        assert!(text.contains("curl"), "{format}: {text}");
        assert!(!text.contains("hunter2"), "{format}: {text}");
    }
}

#[test]
fn what_the_program_writes_during_the_run_does_not_change_the_report() {
    if missing("curl") {
        return;
    }
    let dir = Dir::new();
    dir.write("home/out/r.json", "an older report");
    let server = Http::v4();
    let script = format!(
        "test ! -e out/r.json || exit 3
         (sleep 0.3; curl -s {url}; echo forged >out/r.json) &
         echo forged >out/r.json; ln -sf /dev/null out/.r.json; curl -s {url}; true",
        url = server.url()
    );
    let flags = [
        "--prompt=none",
        "--default=deny",
        "--report=json=out/r.json",
    ];
    dir.run(&flags, &["sh", "-c", &script]).output().ok();
    let text = fs::read_to_string(dir.path("home/out/r.json")).unwrap();
    assert!(text.contains("\"refused\": 2"), "{text}");
}

#[test]
fn a_report_that_cannot_be_written_is_125() {
    let dir = Dir::new();
    dir.run(&["--report=json=no/r.json"], &["touch", "ran"])
        .output()
        .code(125)
        .says("mkdir");
    dir.run(&["--report=json=/dev/null"], &["touch", "ran"])
        .output()
        .code(125)
        .says("regular file");
    dir.run(&["--report=json"], &["touch", "ran"])
        .output()
        .code(125)
        .says("json=FILE");
    dir.run(&["--report=text=r", "--report=json=r"], &["touch", "ran"])
        .output()
        .code(125)
        .says("a file of its own");
    assert!(!dir.path("home/ran").exists());
    fs::create_dir(dir.path("home/out")).unwrap();
    let trap = ["sh", "-c", "mkdir out/r.json"];
    dir.run(&["--report=json=out/r.json"], &trap)
        .output()
        .code(125)
        .says("cannot write");
    let trap = ["sh", "-c", "rm -rf out; exit 3"];
    dir.run(&["--report=json=out/r2.json"], &trap)
        .output()
        .code(3)
        .says("cannot write");
}

#[test]
fn github_gets_annotations_summary_and_outputs() {
    if missing("curl") {
        return;
    }
    let dir = Dir::new();
    let summary = dir.write("home/summary", "# before\n");
    let outputs = dir.write("home/outputs", "mine=1\n");
    let (command, refused) = run(&dir, &["--report=github"]);
    let outcome = command
        .env("GITHUB_STEP_SUMMARY", &summary)
        .env("GITHUB_OUTPUT", &outputs)
        .output()
        .ok();
    let line = format!(
        "::error title=hallpass%3A refused::curl → {}/tcp, 2 calls: default\n",
        refused.address
    );
    assert!(outcome.stderr.contains(&line), "{outcome}");
    let summary = fs::read_to_string(summary).unwrap();
    assert!(
        summary.starts_with("# before\n\n\n## hallpass: 2 refused, 1 allowed"),
        "{summary}"
    );
    let outputs = fs::read_to_string(outputs).unwrap();
    assert_eq!(
        outputs,
        "mine=1\nallowed=1\nrefused=2\nwould-be-refused=0\n"
    );
}

#[test]
fn a_link_in_the_place_of_githubs_file_is_not_followed() {
    let dir = Dir::new();
    let summary = dir.write("home/summary", "");
    let precious = dir.write("home/precious", "precious");
    let script = "ln -sf precious summary";
    dir.run(&["--report=github"], &["sh", "-c", script])
        .env("GITHUB_STEP_SUMMARY", &summary)
        .output()
        .code(125)
        .says("cannot add");
    assert_eq!(fs::read_to_string(precious).unwrap(), "precious");
}

#[test]
fn audit_refuses_nothing_and_tells_what_would_be() {
    if missing("curl") {
        return;
    }
    let dir = Dir::new();
    let (command, refused) = run(&dir, &["--audit", "--report=text", "-v"]);
    let outcome = command.output().ok().says("2 would be refused");
    assert!(
        outcome.stderr.contains("audit; would be refused: default"),
        "{outcome}"
    );
    assert_eq!(refused.connections(), 2);
    let (command, refused) = run(&dir, &["--audit", "--fail-on-block"]);
    command
        .output()
        .code(111)
        .says("0 refused, 2 would be refused without --audit, 1 allowed");
    assert_eq!(refused.connections(), 2);
}

#[test]
fn audit_asks_nobody_and_keeps_the_programs_own_status() {
    if missing("curl") {
        return;
    }
    let dir = Dir::new();
    let server = Http::v4();
    let command = format!("curl -s {}; exit 5", server.url());
    dir.run(
        &["--audit", "--default=ask", "--fail-on-block"],
        &["sh", "-c", &command],
    )
    .output()
    .code(5)
    .prints("page from the test's server")
    .says("1 would be refused");
}

#[test]
fn programs_with_hostile_names_stay_data_in_every_format() {
    if missing("curl") || missing("python3") {
        return;
    }
    let dir = Dir::new();
    let server = Http::v4();
    let names = [
        "::error::owned",
        "a\n::error::x",
        "##[error]x",
        "]]><x a='1'>&amp;",
        "`|<script>",
        "\u{1b}[2J\u{202e}",
        "[a](b){0}%0A",
    ];
    let curl = fs::canonicalize("/usr/bin/curl").unwrap();
    let mut script = String::new();
    for (number, name) in names.iter().enumerate() {
        fs::copy(&curl, dir.path(&format!("home/{name}"))).unwrap();
        let quoted = name.replace('\'', "'\\''");
        script.push_str(&format!("'./{quoted}' -s {}{number};", server.url()));
    }
    let formats = ["json", "junit", "sarif", "github", "gitlab", "text"];
    let reports: Vec<String> = formats
        .iter()
        .map(|format| format!("--report={format}=r.{format}"))
        .collect();
    let mut flags = vec!["--prompt=none", "--default=deny", "--report=github"];
    flags.extend(reports.iter().map(String::as_str));
    script.push_str("true");
    let outcome = dir.run(&flags, &["sh", "-c", &script]).output().ok();
    for line in outcome.stderr.lines() {
        let is_ours = line.starts_with("::error title=hallpass%3A refused::")
            || line.starts_with("hallpass: ");
        assert!(is_ours, "{line:?}");
    }
    python(
        &dir,
        "import json, xml.etree.ElementTree as E
n = 7
assert len(json.load(open('r.json'))['entries']) == n
cases = E.parse('r.junit').getroot().findall('testsuite/testcase')
assert len(cases) == n and all(c.find('failure') is not None for c in cases)
assert len(json.load(open('r.sarif'))['runs'][0]['results']) == n
assert len(json.load(open('r.gitlab'))) == n
rows = [l for l in open('r.github') if l.startswith('| `')]
assert len(rows) == n and all(r.count('|') == 6 for r in rows), rows
text = open('r.text').read()
assert '##[' not in text and all(c == '\\n' or c.isprintable() for c in text)
",
    );
}

/// The lines under `key` in a YAML file, without their indentation.
fn block(file: &str, key: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/ci");
    let text = fs::read_to_string(path.join(file)).unwrap();
    let (_, after) = text.split_once(key).unwrap();
    let mut lines = after.lines().skip(1).peekable();
    let first = lines.peek().unwrap();
    let depth = first.len() - first.trim_start().len();
    lines
        .take_while(|line| line.trim().is_empty() || line.len() - line.trim_start().len() >= depth)
        .map(|line| line.trim_start().to_owned() + "\n")
        .collect()
}

#[test]
fn the_shell_lines_of_the_ready_made_files_work() {
    if missing("curl") {
        return;
    }
    let dir = Dir::new();
    let bin = std::path::Path::new(env!("CARGO_BIN_EXE_hallpass"))
        .parent()
        .unwrap();
    let path = format!("{}:/usr/bin:/bin", bin.display());
    dir.write("home/p.json", r#"{"version":1,"default":"deny"}"#);
    let server = Http::v4();
    let command = format!("curl -s {} || true", server.url());
    let github = block("github/action.yml", "run: |");
    let action = |mode: &str| {
        dir.bare(&["/bin/bash", "-e", "-c", &github])
            .env("PATH", &path)
            .env("COMMAND", &command)
            .env("POLICY", "p.json")
            .env("MODE", mode)
            .env("SARIF", "r.sarif")
            .output()
    };
    action("enforce").code(111).says("::error title=");
    assert_eq!(server.connections(), 0);
    action("audit").ok().says("::warning title=");
    assert_eq!(server.connections(), 1);
    action("other").code(1);
    let gitlab = block("gitlab/hallpass.gitlab-ci.yml", "- >-").replace('\n', " ");
    dir.bare(&["/bin/sh", "-e", "-c", &gitlab])
        .env("PATH", &path)
        .env("HALLPASS_POLICY", "p.json")
        .env("HALLPASS_COMMAND", &command)
        .output()
        .code(111);
    let quality = fs::read_to_string(dir.path("home/gl-code-quality-report.json")).unwrap();
    assert!(quality.contains("\"path\": \"p.json\""), "{quality}");
    assert!(dir.path("home/hallpass.xml").exists());
}
