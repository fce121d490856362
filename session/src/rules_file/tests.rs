use super::*;
use hallpass_policy::{Action, Rule};
use nix::sys::stat::Mode;
use proptest::prelude::*;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

struct Scratch(tempfile::TempDir);

impl Scratch {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("config/hallpass/rules.json")
    }

    fn with(content: &[u8]) -> Self {
        let scratch = Self::new();
        std::fs::create_dir_all(scratch.file().parent().unwrap()).unwrap();
        std::fs::write(scratch.file(), content).unwrap();
        scratch
    }

    /// What stands beside the rules.
    fn litter(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.file().parent().unwrap()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name != "rules.json").collect()
    }
}

fn rule(destination: &str) -> Rule {
    Rule::new(Action::Allow, vec![destination.parse().unwrap()])
}

fn destinations(file: &RuleFile) -> Vec<String> {
    file.rules
        .iter()
        .map(|rule| rule.to[0].to_string())
        .collect()
}

/// A process of its own that adds rules `PREFIX0.test`, `PREFIX1.test`, … to `path`.
fn writer(path: &Path, prefix: &str, count: u32) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([
        "--ignored",
        "--exact",
        "rules_file::tests::adds_rules_for_other_tests",
    ]);
    command
        .env("RULES", path)
        .env("PREFIX", prefix)
        .env("COUNT", count.to_string());
    command.stdout(std::process::Stdio::null());
    command.spawn().unwrap()
}

#[test]
#[ignore = "other tests start it in a process of its own"]
fn adds_rules_for_other_tests() {
    let variable = |name| std::env::var(name).expect("other tests start this one");
    let (path, prefix) = (PathBuf::from(variable("RULES")), variable("PREFIX"));
    for number in 0..variable("COUNT").parse().unwrap() {
        let new = rule(&format!("{prefix}{number}.test"));
        update(&path, |file| file.rules.push(new)).unwrap();
    }
}

#[test]
fn no_file_means_no_rules_and_the_first_rule_makes_one() {
    let scratch = Scratch::new();
    assert_eq!(load(&scratch.file()).unwrap(), RuleFile::default());
    assert!(
        load_named(&scratch.file())
            .unwrap_err()
            .what
            .contains("no such file")
    );
    update(&scratch.file(), |_| ()).unwrap();
    assert!(!scratch.file().exists(), "nothing changed, nothing written");
    update(&scratch.file(), |file| file.rules.push(rule("example.com"))).unwrap();
    assert_eq!(
        destinations(&load(&scratch.file()).unwrap()),
        ["example.com"]
    );
    assert_eq!(
        scratch.file().metadata().unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert_eq!(scratch.litter(), [""; 0]);
}

#[test]
fn what_the_person_wrote_stays_in_its_order() {
    let scratch = Scratch::with(
        br#"{"version":1,"default":"deny","rules":[
            {"do":"deny","to":["b.test"],"note":"second thoughts"},
            {"do":"allow","to":["a.test:443"],"app":"/usr/bin/curl","until":"2999-01-01T00:00:00Z"}]}"#,
    );
    std::fs::set_permissions(scratch.file(), std::fs::Permissions::from_mode(0o644)).unwrap();
    let before = load(&scratch.file()).unwrap();
    update(&scratch.file(), |file| file.rules.push(rule("c.test"))).unwrap();
    let after = load(&scratch.file()).unwrap();
    assert_eq!(after.rules[..2], before.rules);
    assert_eq!((after.default, after.rules.len()), (Some(Action::Deny), 3));
    assert_eq!(after.rules[0].note.as_deref(), Some("second thoughts"));
    assert_eq!(
        scratch.file().metadata().unwrap().permissions().mode() & 0o777,
        0o644
    );
}

#[test]
fn files_that_are_no_rules_are_refused_by_name_and_left_alone() {
    for (content, what, instead) in [
        (&b""[..], "is empty", r#""version": 1"#),
        (b" \n\t\n", "is empty", "remove it"),
        (b"allow example.com\n", "", ""),
        (br#"{"version":2,"rules":[]}"#, "version", ""),
        (br#"{"version":1,"rules":[],"ruls":[]}"#, "ruls", ""),
        (
            br#"{"version":1,"rules":[{"do":"allow","to":["127.1"]}]}"#,
            "127.1",
            "127.0.0.1",
        ),
        (b"\xff\xfe{\0", "", ""),
        (&[b'['; 200_000], "", ""),
    ] {
        let scratch = Scratch::with(content);
        for problem in [
            load(&scratch.file()).unwrap_err(),
            update(&scratch.file(), |file| file.rules.clear()).unwrap_err(),
        ] {
            let text = problem.to_string();
            assert!(
                problem.what.contains(what) && problem.instead.contains(instead),
                "{text}"
            );
            assert!(
                problem.place.contains("/config/hallpass/rules.json"),
                "{text}"
            );
            assert!(
                content.iter().all(u8::is_ascii_whitespace)
                    || problem.place.ends_with(|c: char| c.is_ascii_digit()),
                "{text}"
            );
            assert!(crate::escape::is_plain(&problem.what), "{text}");
        }
        assert_eq!(std::fs::read(scratch.file()).unwrap(), content);
        assert_eq!(scratch.litter(), [""; 0]);
    }
}

#[test]
fn the_line_and_column_of_a_mistake_are_named() {
    let scratch = Scratch::with(b"{ \"version\": 1,\n  \"rules\": [\n    { \"do\": \"perhaps\", \"to\": [\"a.test\"] }\n] }");
    let problem = load(&scratch.file()).unwrap_err();
    let place = format!("{}:3:", scratch.file().display());
    assert!(problem.place.starts_with(&place), "{problem}");
}

#[test]
fn what_is_no_regular_file_is_refused_without_waiting() {
    let scratch = Scratch::with(b"");
    let refused = |what: &str| {
        for problem in [
            load(&scratch.file()).unwrap_err(),
            update(&scratch.file(), |_| ()).unwrap_err(),
        ] {
            assert!(problem.what.contains(what), "{problem}");
            assert!(!problem.instead.is_empty(), "{problem}");
        }
    };
    std::fs::remove_file(scratch.file()).unwrap();
    nix::unistd::mkfifo(&scratch.file(), Mode::S_IRWXU).unwrap();
    refused("is a FIFO");
    std::fs::remove_file(scratch.file()).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(scratch.file()).unwrap();
    refused("cannot read it");
    std::fs::remove_file(scratch.file()).unwrap();
    symlink("/dev/zero", scratch.file()).unwrap();
    assert!(
        load(&scratch.file())
            .unwrap_err()
            .what
            .contains("is a device")
    );
    std::fs::remove_file(scratch.file()).unwrap();
    symlink("/nonexistent/rules.json", scratch.file()).unwrap();
    refused("leads nowhere");
    std::fs::remove_file(scratch.file()).unwrap();
    std::fs::create_dir(scratch.file()).unwrap();
    refused("is a directory");
}

#[test]
fn a_file_that_may_not_be_read_is_refused() {
    let scratch = Scratch::with(b"{}");
    for dir in [
        scratch.0.path(),
        &scratch.0.path().join("config"),
        &scratch.0.path().join("config/hallpass"),
    ] {
        std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    std::fs::set_permissions(scratch.file(), std::fs::Permissions::from_mode(0o0)).unwrap();
    if !nix::unistd::Uid::effective().is_root() {
        let problem = load(&scratch.file()).unwrap_err();
        assert!(
            problem.what.contains("Permission denied") && problem.instead.contains("chmod"),
            "{problem}"
        );
        return;
    }
    // Root reads everything: somebody else has to try.
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([
        "--exact",
        "rules_file::tests::cannot_read_for_other_tests",
        "--ignored",
    ]);
    let status = command
        .env("RULES", scratch.file())
        .uid(65534)
        .stdout(std::process::Stdio::null())
        .status();
    match status {
        Ok(status) => assert!(status.success()),
        // The test program itself is where nobody else may go.
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied),
    }
}

#[test]
#[ignore = "another test starts it as another user"]
fn cannot_read_for_other_tests() {
    let path = PathBuf::from(std::env::var("RULES").expect("another test starts this one"));
    let problem = load(&path).unwrap_err();
    assert!(
        problem.what.contains("Permission denied") && problem.instead.contains("chmod"),
        "{problem}"
    );
}

#[test]
fn a_file_that_is_too_long_is_neither_read_nor_written() {
    let scratch = Scratch::with(&vec![b' '; FILE_MAX + 1]);
    assert!(
        load(&scratch.file())
            .unwrap_err()
            .what
            .contains("longer than")
    );
    std::fs::remove_file(scratch.file()).unwrap();
    update(&scratch.file(), |file| file.rules.push(rule("a.test"))).unwrap();
    let long = Rule {
        note: Some("x".repeat(1000)),
        ..rule("b.test")
    };
    let problem = update(&scratch.file(), |file| file.rules.resize(9000, long)).unwrap_err();
    assert!(problem.what.contains("would grow"), "{problem}");
    assert_eq!(destinations(&load(&scratch.file()).unwrap()), ["a.test"]);
}

#[test]
fn a_link_to_a_repository_of_dotfiles_stays_a_link() {
    let scratch = Scratch::with(b"");
    let repository = scratch.0.path().join("dotfiles");
    std::fs::create_dir(&repository).unwrap();
    let real = repository.join("hallpass.json");
    std::fs::write(&real, br#"{"version":1,"rules":[]}"#).unwrap();
    std::fs::remove_file(scratch.file()).unwrap();
    symlink("../../dotfiles/hallpass.json", scratch.file()).unwrap();
    update(&scratch.file(), |file| file.rules.push(rule("a.test"))).unwrap();
    assert!(scratch.file().symlink_metadata().unwrap().is_symlink());
    assert_eq!(destinations(&load(&real).unwrap()), ["a.test"]);
    assert_eq!(
        std::fs::read_dir(&repository).unwrap().count(),
        1,
        "no litter in the repository"
    );
}

#[test]
fn writers_in_many_threads_and_processes_lose_no_rule() {
    let scratch = Scratch::new();
    let path = scratch.file();
    let children = [writer(&path, "c", 100), writer(&path, "d", 100)];
    std::thread::scope(|scope| {
        for thread in ["a", "b"] {
            let path = &path;
            scope.spawn(move || {
                for number in 0..100 {
                    let new = rule(&format!("{thread}{number}.test"));
                    update(path, |file| file.rules.push(new)).unwrap();
                }
            });
        }
    });
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let mut found = destinations(&load(&path).unwrap());
    found.sort();
    let mut expected: Vec<String> = ["a", "b", "c", "d"]
        .iter()
        .flat_map(|prefix| (0..100).map(move |number| format!("{prefix}{number}.test")))
        .collect();
    expected.sort();
    assert_eq!(found, expected);
    assert_eq!(scratch.litter(), [""; 0]);
}

#[test]
fn a_writer_that_is_killed_leaves_the_old_rules_or_the_new() {
    let scratch = Scratch::new();
    let path = scratch.file();
    update(&path, |file| file.rules.push(rule("first.test"))).unwrap();
    for round in 0..25 {
        let before = load(&path).unwrap().rules.len();
        let mut child = writer(&path, &format!("r{round}x"), 100_000);
        let start = Instant::now();
        while load(&path).unwrap().rules.len() == before {
            assert!(
                start.elapsed() < Duration::from_secs(60),
                "the writer gets nowhere"
            );
        }
        std::thread::sleep(Duration::from_micros(700 * round));
        child.kill().unwrap();
        child.wait().unwrap();
        let rules = load(&path).unwrap();
        assert_eq!(rules.rules[0], rule("first.test"));
        assert!(rules.rules.len() > before);
        let ours = destinations(&rules).into_iter().skip(before).enumerate();
        assert!(
            ours.clone()
                .all(|(number, to)| to == format!("r{round}x{number}.test")),
            "{ours:?}"
        );
    }
    // Whatever the killed ones left behind is in nobody's way, and goes.
    update(&path, |file| file.rules.push(rule("last.test"))).unwrap();
    assert_eq!(scratch.litter(), [""; 0]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Whatever is in the file, it is read or refused; and what is refused is not touched.
    #[test]
    fn no_content_is_lost(content in prop::collection::vec(any::<u8>(), 0..300), json in any::<bool>()) {
        let content = if json { format!("{{\"version\":1,\"rules\":[{}", String::from_utf8_lossy(&content)).into_bytes() } else { content };
        let scratch = Scratch::with(&content);
        match update(&scratch.file(), |file| file.rules.push(rule("a.test"))) {
            Ok(()) => prop_assert!(destinations(&load(&scratch.file()).unwrap()).contains(&"a.test".to_owned())),
            Err(_) => prop_assert_eq!(std::fs::read(scratch.file()).unwrap(), content),
        }
    }
}
