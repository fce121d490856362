//! What the reports of an evil run must say, in every format.

use crate::world::{Run, World};
use serde_json::Value;
use std::fs;

const FORMATS: [&str; 6] = ["json", "junit", "sarif", "github", "gitlab", "text"];

/// One refusal that must be named.
pub(crate) struct Finding {
    /// `npm:evil-beacon`.
    pub(crate) package: String,
    /// `postinstall`.
    pub(crate) step: &'static str,
    /// The last part of the program's path.
    pub(crate) app: String,
    /// Where to, or what it tried; a part of it.
    pub(crate) to: String,
}

/// Runs it under the policy that was learned: 111, nothing out, and all of these named.
#[track_caller]
pub(crate) fn expect_refused(world: &World, run: &Run<'_>, findings: &[Finding]) {
    let policy = fs::read(world.dir.path("home/policy.json")).unwrap();
    fs::create_dir_all(world.dir.path("home/reports")).unwrap();
    let reports: Vec<String> = FORMATS
        .iter()
        .map(|format| format!("--report={format}=reports/r.{format}"))
        .collect();
    let mut args = vec![
        "run",
        "--policy=policy.json",
        "--prompt=none",
        "--fail-on-block",
    ];
    args.extend(reports.iter().map(String::as_str));
    args.push("--");
    let outcome = run.of(world, &args).code(111);
    world.expect_nothing_out();
    let asked = world.names.asked();
    assert!(asked.iter().any(|name| name == "registry.test"));
    for format in FORMATS {
        let path = world.dir.path(&format!("home/reports/r.{format}"));
        let text = fs::read_to_string(path).unwrap();
        for finding in findings {
            let is_named = if format == "json" {
                finding.is_in_json(&text)
            } else {
                finding.is_in(format, &text)
            };
            let (package, app) = (&finding.package, &finding.app);
            assert!(is_named, "{format} lacks {package}, {app}: {text}");
        }
    }
    for finding in findings {
        let who = finding.who();
        assert!(outcome.stderr.contains(&who), "{who}: {outcome}");
    }
    // For the next one: a package may have rewritten it, as anybody with this user id can.
    fs::write(world.dir.path("home/policy.json"), policy).unwrap();
}

impl Finding {
    /// As people read it.
    fn who(&self) -> String {
        let Self {
            package, step, app, ..
        } = self;
        format!("{app} of package {package}, {step} → ")
    }

    fn is_in(&self, format: &str, text: &str) -> bool {
        let Self {
            package,
            step,
            app,
            to,
        } = self;
        text.lines().any(|line| {
            let named = match format {
                "github" => line.starts_with(&format!("| `{app}` (`{package}, {step}`) |")),
                _ => line.contains(&self.who()),
            };
            named && line.contains(to.as_str())
        })
    }

    fn is_in_json(&self, text: &str) -> bool {
        let report: Value = serde_json::from_str(text).unwrap();
        report["entries"].as_array().unwrap().iter().any(|entry| {
            entry["outcome"] == "refused"
                && entry["package"] == *self.package
                && entry["step"] == self.step
                && base(&entry["app"]) == &*self.app
                && entry["to"].as_str().unwrap().contains(&self.to)
        })
    }
}

fn base(path: &Value) -> &str {
    path.as_str().unwrap().rsplit('/').next().unwrap()
}
