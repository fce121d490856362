//! `hallpass run` inside a session: it joins, and narrows what it starts.
//!
//! A case runs under a guard and without one, unless it is about one of them.

use crate::harness::{Control, Dir, Http, Outcome, TestCommand};
use nix::sys::signal::Signal;
use std::time::Duration;

pub(crate) const HALLPASS: &str = env!("CARGO_BIN_EXE_hallpass");
pub(crate) const GUARDS: [&str; 2] = ["--guard=on", "--guard=off"];

/// `hallpass run OUTER -- hallpass run INNER -- COMMAND`.
pub(crate) fn nested(dir: &Dir, outer: &[&str], inner: &[&str], command: &[&str]) -> TestCommand {
    let words = [&[HALLPASS, "run"], inner, &["--"], command].concat();
    dir.run(outer, &words)
}

/// Whether curl got the page.
#[track_caller]
fn curl(dir: &Dir, outer: &[&str], inner: &[&str], server: &Http) -> Outcome {
    let before = server.connections();
    let outcome = nested(dir, outer, inner, &["curl", "-sS", &server.url()]).output();
    let came = server.connections() - before;
    assert_eq!(came, usize::from(outcome.status.success()), "{outcome}");
    outcome
}

#[test]
fn what_either_refuses_is_refused() {
    let (dir, server) = (Dir::new(), Http::v4());
    for guard in GUARDS {
        let outer = |default| [guard, "-v", "--default", default];
        let allow = &outer("allow");
        curl(&dir, allow, &["--deny", "127.0.0.1"], &server)
            .code(7)
            .says("flag: deny 127.0.0.1 of the nested run ")
            .says("(curl)");
        curl(&dir, allow, &["--default", "deny"], &server)
            .code(7)
            .says("default of the nested run ");
        curl(&dir, allow, &["--deny", "127.0.0.2"], &server).ok();
        // An allow is an exception from what the nested run itself refuses, no more.
        let exception = ["--default", "deny", "--allow", "127.0.0.1"];
        curl(&dir, allow, &exception, &server).ok();
        for inner in [&exception[..], &["--default", "allow"], &[]] {
            let outcome = curl(&dir, &outer("deny"), inner, &server).code(7);
            assert!(!outcome.stderr.contains("of the nested run"), "{outcome}");
        }
    }
}

#[test]
fn rules_of_files_and_lists_narrow_too() {
    let (dir, server) = (Dir::new(), Http::v4());
    let policy = dir.write(
        "home/policy.json",
        r#"{"version":1,"default":"deny","rules":[{"do":"allow","to":["127.0.0.2"]}]}"#,
    );
    let list = dir.write("home/list", "127.0.0.0/8\n");
    let (policy, list) = (policy.to_str().unwrap(), list.to_str().unwrap());
    for guard in GUARDS {
        let outer = [guard, "--default", "allow"];
        curl(&dir, &outer, &["--policy", policy], &server).code(7);
        let both = ["--policy", policy, "--allow-list", list];
        curl(&dir, &outer, &both, &server).ok();
        nested(&dir, &outer, &["--policy", "/nonexistent"], &["true"])
            .output()
            .code(125)
            .says("/nonexistent");
    }
}

#[test]
fn a_file_of_many_parts_arrives_whole() {
    let (dir, server) = (Dir::new(), Http::v4());
    let lines: String = (0..20_000).map(|n| format!("host{n}.test\n")).collect();
    let list = dir.write("home/list", lines);
    let list = list.to_str().unwrap();
    for guard in GUARDS {
        let outer = [guard, "--default", "allow"];
        let inner = ["--default", "deny", "--allow-list", list];
        curl(&dir, &outer, &inner, &server).code(7);
        let with = [&inner[..], &["--allow", "127.0.0.1"]].concat();
        curl(&dir, &outer, &with, &server).ok();
    }
    // More than a session takes.
    let lines: String = (0..200_000).map(|n| format!("host{n}.test\n")).collect();
    dir.write("home/list", lines);
    nested(
        &dir,
        &["--default", "allow"],
        &["--allow-list", list],
        &["true"],
    )
    .output()
    .code(125)
    .says("outer");
}

#[test]
fn three_levels_compose() {
    let (dir, server) = (Dir::new(), Http::v4());
    for guard in GUARDS {
        for (denies, by) in [
            (0, "flag: deny"),
            (1, "nested run"),
            (2, "nested run"),
            (3, ""),
        ] {
            let level = |n| match n == denies {
                true => ["--deny", "127.0.0.1"],
                false => ["--deny", "127.0.0.2"],
            };
            let url = server.url();
            let [outer, middle, inner] = [level(0), level(1), level(2)];
            let innermost = [&[HALLPASS, "run"], &inner[..], &["--", "curl", "-sS", &url]].concat();
            let flags = [&[guard, "-v", "--default", "allow"], &outer[..]].concat();
            let outcome = nested(&dir, &flags, &middle, &innermost).output();
            match denies {
                3 => outcome.ok(),
                _ => outcome.code(7).says(by),
            };
        }
    }
    assert_eq!(server.connections(), 2);
}

#[test]
fn neighbours_and_what_comes_after_are_not_narrowed() {
    let (dir, server) = (Dir::new(), Http::v4());
    let script = format!(
        "{HALLPASS} run --deny 127.0.0.1 -- curl -sS $0 && exit 1; curl -sS $0 && \
         {HALLPASS} run --deny 127.0.0.2 -- curl -sS $0"
    );
    for guard in GUARDS {
        let flags = [guard, "--default", "allow"];
        let command = ["sh", "-c", &script, &server.url()];
        dir.run(&flags, &command).output().ok();
    }
    assert_eq!(server.connections(), 4);
}

#[test]
fn a_question_names_the_nested_run_and_its_answer_opens_nothing_else() {
    let (dir, server) = (Dir::new(), Http::v4());
    let url = server.url();
    for guard in GUARDS {
        let outer = [
            guard,
            "-v",
            "--default",
            "allow",
            "--deny",
            "127.0.0.1:1",
            "--prompt=none",
            "--ask-timeout=60s",
        ];
        let script = format!("curl -sS {url} && curl -sS {url} && curl -sS http://127.0.0.1:1/");
        let inner = ["--ask", "127.0.0.1"];
        let running = nested(&dir, &outer, &inner, &["sh", "-c", &script]).spawn();
        let mut control = Control::connect(&dir);
        control.subscribe();
        let question = control.question();
        let why = question["why"].as_str().unwrap();
        assert!(
            why.starts_with("flag: ask 127.0.0.1 of the nested run "),
            "{why}"
        );
        assert!(why.ends_with("(sh)"), "{why}");
        assert_eq!(question["may_save"], false);
        let listed = dir.hallpass(&["pending"]).output().ok();
        listed.prints("of the nested run");
        let answer = ["answer", "allow", "--for", "run", "--scope", "any"];
        dir.hallpass(&answer).output().ok();
        // Once answered it is not asked again; what the session refuses stays refused.
        running.finish().code(7).says("deny 127.0.0.1:1");
    }
    assert_eq!(server.connections(), 4);
}

#[test]
fn both_ask_in_one_question() {
    let (dir, server) = (Dir::new(), Http::v4());
    let outer = ["--default", "ask", "--prompt=none", "--ask-timeout=60s"];
    let running = nested(
        &dir,
        &outer,
        &["--ask", "@loopback"],
        &["curl", "-sS", &server.url()],
    )
    .spawn();
    let mut control = Control::connect(&dir);
    control.subscribe();
    let question = control.question();
    let why = question["why"].as_str().unwrap();
    assert!(
        why.starts_with("no rule matches, and the default is ask; and flag: ask @loopback"),
        "{why}"
    );
    control.answer(&question, "allow");
    running.finish().ok();
    assert_eq!(server.connections(), 1);
}

#[test]
fn a_nested_run_that_asks_nobody_refuses() {
    let (dir, server) = (Dir::new(), Http::v4());
    for guard in GUARDS {
        let outer = [guard, "-v", "--default", "allow", "--ask-timeout=60s"];
        curl(&dir, &outer, &["--prompt=none", "--ask", "@any"], &server)
            .code(7)
            .says("nobody was there to be asked of the nested run");
    }
}

#[test]
fn it_ends_as_its_command_ends() {
    let dir = Dir::new();
    for guard in GUARDS {
        let outer = [guard, "--default", "allow"];
        let run = |inner: &[&str], script: &str| {
            nested(&dir, &outer, inner, &["sh", "-c", script]).output()
        };
        run(&["--deny", "@lan"], "cat; exit 3").code(3);
        run(&["--deny", "@lan"], "kill -TERM $$").signal(Signal::SIGTERM);
        run(&["--timeout", "100ms"], "sleep 60").code(124);
        nested(&dir, &outer, &[], &["/nonexistent/x"])
            .output()
            .code(127);
        nested(&dir, &outer, &[], &["/etc/passwd"])
            .output()
            .code(126);
        // A background process holds up nobody but with --wait.
        let start = std::time::Instant::now();
        run(&["--wait"], "sleep 0.4 & exit 0").ok();
        assert!(start.elapsed() > Duration::from_millis(400));
        dir.expect_nothing_left();
    }
}

#[test]
fn fail_on_block_is_about_the_nested_run_alone() {
    let (dir, server) = (Dir::new(), Http::v4());
    let url = server.url();
    let blocked = format!("curl -s {url}; curl -s {url}; true");
    for guard in GUARDS {
        let outer = [guard, "--default", "allow"];
        let inner = ["--fail-on-block", "--deny", "127.0.0.1"];
        nested(&dir, &outer, &inner, &["sh", "-c", &blocked])
            .output()
            .code(111)
            .says("2 refused, 0 allowed");
        let around = format!(
            "{HALLPASS} run --deny 127.0.0.1 -- sh -c '{blocked}'; \
                              {HALLPASS} run --fail-on-block=3 -- sh -c '{blocked}'"
        );
        dir.run(&outer, &["sh", "-c", &around]).output().ok();
        // What the session refuses in it counts as well.
        let denying = [guard, "--default", "deny"];
        let inner = ["--fail-on-block=5"];
        nested(&dir, &denying, &inner, &["sh", "-c", &blocked])
            .output()
            .code(5);
    }
}

#[test]
fn flags_that_are_the_outer_runs_are_125_and_say_so() {
    let dir = Dir::new();
    for flag in [
        "--audit",
        "--report=text",
        "--ask-timeout=5s",
        "--hold=retry",
        "--guard=off",
    ] {
        nested(
            &dir,
            &["--guard=on", "--default", "allow"],
            &[flag],
            &["true"],
        )
        .output()
        .code(125)
        .says(flag.split('=').next().unwrap())
        .says("session");
    }
    let learn = [HALLPASS, "learn", "-o", "p.json", "--", "true"];
    dir.run(&["--default", "allow"], &learn)
        .output()
        .code(125)
        .says("learn");
}

#[test]
fn a_stale_variable_is_no_session_and_a_silent_one_is_125() {
    let (dir, server) = (Dir::new(), Http::v4());
    let url = server.url();
    let run = |value: &str, flags: &[&str]| {
        dir.run(flags, &["curl", "-sS", &url])
            .env("HALLPASS", value)
            .output()
    };
    // Nobody is told by the kernel that there is a guard.
    run("1-00000000;guard=on", &["--default", "allow"]).ok();
    run("1-00000000;guard=on", &["--default", "deny"]).code(7);
    assert_eq!(server.connections(), 1);
    run("999999-00000000;guard=off", &["--default", "allow"])
        .code(125)
        .says("unset HALLPASS");
    run("nonsense", &["--default", "allow"])
        .code(125)
        .says("unset");
    // One that lives, and is another's.
    let other = Dir::new();
    let living = other
        .run(
            &["--guard=off", "--default", "allow"],
            &["sh", "-c", "echo $HALLPASS; sleep 30"],
        )
        .spawn();
    living.expect_stdout("guard=off");
    run(living.stdout().trim(), &["--default", "allow"]).ok();
    run(living.stdout().trim(), &["--default", "deny"]).code(7);
    assert_eq!(server.connections(), 2);
}
