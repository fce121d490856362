//! The twelve things that users of other programs of this kind ask for most: a test for each, by
//! its name, with the real program from end to end.

mod places;

use crate::harness::{Dir, Http, Outcome, Terminal, is_guard_off, missing, skipped};
use std::fs;
use std::os::unix::fs::PermissionsExt;

/// Nobody is there to ask.
const UNATTENDED: [&str; 2] = ["--prompt=none", "--default=deny"];
const ASKED: [&str; 2] = ["--prompt=tty", "--default=ask"];

fn deny_by_default(dir: &Dir, flags: &[&str], command: &[&str]) -> Outcome {
    dir.run(&[&UNATTENDED, flags].concat(), command).output()
}

/// A policy that allows one address and nothing else.
fn allow_only(dir: &Dir, name: &str, server: &Http) -> String {
    let (version, to) = (1, server.address);
    let policy = format!(
        r#"{{ "version": {version}, "default": "deny", "rules": [ {{ "do": "allow", "to": ["{to}"] }} ] }}"#
    );
    dir.write(name, policy).to_str().unwrap().to_owned()
}

#[test]
fn status_when_blocked() {
    let (dir, allowed, refused) = (Dir::new(), Http::v4(), Http::v4());
    let allow = format!("--allow={}", allowed.address);
    // A program that does not mind makes a step that is green; unless somebody asks.
    let shrug = format!("curl -s {} || true", refused.url());
    let run = |flags: &[&str], command: &str| {
        let flags = [&[allow.as_str()], flags].concat();
        deny_by_default(&dir, &flags, &["sh", "-c", command])
    };
    run(&[], &shrug).code(0);
    run(&["--fail-on-block"], &shrug).code(111);
    run(&["--fail-on-block=9"], &shrug).code(9);
    run(&["--fail-on-block"], &format!("{shrug}; exit 3")).code(3);
    run(&["--fail-on-block"], &format!("curl -s {}", allowed.url())).code(0);
    // Also what runs on in the background counts.
    run(&["--fail-on-block"], &format!("(sleep 1; {shrug}) &")).code(111);
    assert_eq!((allowed.connections(), refused.connections()), (1, 0));
    dir.expect_nothing_left();
}

#[test]
fn no_sudo() {
    let (dir, allowed, refused) = (Dir::new(), Http::v4(), Http::v4());
    let (hallpass, allow) = (dir.path("hallpass"), format!("--allow={}", allowed.address));
    fs::copy(env!("CARGO_BIN_EXE_hallpass"), &hallpass).unwrap();
    let mut words = Vec::new();
    if nix::unistd::geteuid().is_root() {
        // Somebody without any rights.
        for place in ["", "home", "config", "state", "cache", "hallpass"] {
            let open = fs::Permissions::from_mode(0o777);
            fs::set_permissions(dir.path(place), open).unwrap();
        }
        words.extend([
            "setpriv",
            "--reuid=65534",
            "--regid=65534",
            "--clear-groups",
            "--no-new-privs",
        ]);
    }
    let script = format!(
        "grep -E 'CapEff|Seccomp:' /proc/self/status; curl -s {}; curl -s {}; busybox wget -q -O- {}",
        allowed.url(),
        refused.url(),
        refused.url()
    );
    words.extend([hallpass.to_str().unwrap(), "run", "--guard=on", &allow]);
    words.extend(UNATTENDED);
    words.extend(["--", "sh", "-c", &script]);
    let outcome = dir
        .bare(&words)
        .env("XDG_RUNTIME_DIR", "/nonexistent")
        .output();
    let outcome = outcome
        .failed()
        .prints("page from")
        .prints("CapEff:\t0000000000000000")
        .prints("Seccomp:\t2");
    outcome.says("2 refused, 1 allowed");
    assert_eq!((allowed.connections(), refused.connections()), (1, 0));
}

#[test]
fn per_step_list() {
    let (dir, one, two) = (Dir::new(), Http::v4(), Http::v4());
    let lists = [
        allow_only(&dir, "ci/one.json", &one),
        allow_only(&dir, "ci/two.json", &two),
    ];
    // What the person has saved is for the person's own runs.
    dir.hallpass(&["rules", "add", "allow", "@any"])
        .output()
        .ok();
    let both = format!(
        "curl -s {} || echo no one; curl -s {} || echo no two",
        one.url(),
        two.url()
    );
    let step = |list: &str| {
        dir.run(&["--policy", list, "--fail-on-block"], &["sh", "-c", &both])
            .output()
            .code(111)
    };
    assert_eq!(
        step(&lists[0]).stdout,
        format!("{}no two\n", crate::harness::PAGE)
    );
    assert_eq!(
        step(&lists[1]).stdout,
        format!("no one\n{}", crate::harness::PAGE)
    );
    // A step that needs no network at all.
    let none = dir.write("ci/none.json", r#"{ "version": 1, "default": "deny" }"#);
    let outcome = step(none.to_str().unwrap());
    assert_eq!(outcome.stdout, "no one\nno two\n");
    assert_eq!((one.connections(), two.connections()), (1, 1));
}

#[test]
fn save_answers_as_policy() {
    let (dir, good, bad, brief) = (Dir::new(), Http::v4(), Http::v4(), Http::v4());
    let fetch = |server: &Http| format!("curl -s {} || echo refused; ", server.url());
    let script = fetch(&good) + &fetch(&bad) + &fetch(&good);
    let script = script.as_str();
    let flags = [&ASKED[..], &["--save-answers", "ci.json"]].concat();
    let mut terminal =
        Terminal::spawn(dir.run(&flags, &["sh", "-c", &(script.to_owned() + &fetch(&brief))]));
    for answer in ["y", "n"] {
        terminal.question();
        terminal.choose("p");
        terminal.send(answer);
    }
    terminal.question();
    terminal.choose("p");
    terminal.choose("3");
    terminal.send("y");
    terminal.expect("1 answer for a time only");
    terminal.expect("2 answers saved in ci.json");
    terminal.wait();
    let text = fs::read_to_string(dir.path("home/ci.json")).unwrap();
    for part in [
        "\"default\": \"deny\"",
        "/usr/bin/curl",
        &good.address.to_string(),
        &bad.address.to_string(),
        "\"note\": \"answered ",
    ] {
        assert!(text.contains(part), "no {part} in {text}");
    }
    assert!(!text.contains(&brief.port().to_string()), "{text}");
    assert!(!dir.rules_file().exists());
    let checked = dir.hallpass(&["check", "ci.json"]).output().ok();
    assert!(!checked.stdout.contains("warning"), "{checked}");
    // The same again, without anybody.
    let again = ["--policy=ci.json", "--prompt=none"];
    let outcome = dir.run(&again, &["sh", "-c", script]).output().ok();
    let page = crate::harness::PAGE;
    assert_eq!(outcome.stdout, format!("{page}refused\n{page}"));
    assert_eq!(
        (good.connections(), bad.connections(), brief.connections()),
        (4, 0, 1)
    );
    // A further answer joins what is there, a person's own words included.
    let mine = text.replace("\"answered ", "\"mine, answered ");
    dir.write("home/ci.json", &mine);
    let flags = ["--policy=ci.json", "--save-answers=ci.json"];
    let flags = [&ASKED[..], &flags].concat();
    let all = script.to_owned() + &fetch(&brief);
    let mut terminal = Terminal::spawn(dir.run(&flags, &["sh", "-c", &all]));
    terminal.question();
    terminal.choose("p");
    terminal.send("y");
    terminal.expect("1 answer saved");
    terminal.wait();
    let text = fs::read_to_string(dir.path("home/ci.json")).unwrap();
    assert_eq!(text.matches("\"mine, answered ").count(), 2, "{text}");
    assert!(text.contains(&brief.port().to_string()), "{text}");
    // What cannot be added to is said before anything starts.
    dir.write("home/broken.json", "{");
    let flags = [&UNATTENDED[..], &["--save-answers=broken.json"]].concat();
    dir.run(&flags, &["touch", "ran"])
        .output()
        .code(125)
        .says("broken.json:1");
    assert!(!dir.path("home/ran").exists());
}

#[test]
fn deny_all_key() {
    let (dir, allowed) = (Dir::new(), Http::v4());
    let refused: Vec<Http> = (0..3).map(|_| Http::v4()).collect();
    let url = |server: &Http| server.url();
    let [a, b, c] = [&refused[0], &refused[1], &refused[2]].map(url);
    // Of several programs, some at once.
    let script = format!(
        "curl -s {a} & wget -q -O- {b} & wait; curl -s {}; curl -s {c}; wget -q -O- {a}; echo done; cat",
        allowed.url()
    );
    let allow = format!("--allow={}", allowed.address);
    let flags = [&ASKED[..], &[&allow]].concat();
    let mut terminal = Terminal::spawn(dir.run(&flags, &["sh", "-c", &script]));
    terminal.question();
    terminal.send("r");
    terminal.expect("denied whatever would be asked, until the session ends");
    let rest = terminal.expect("done");
    assert!(rest.contains("page from"), "{rest}");
    assert!(!rest.contains("wants to connect"), "{rest}");
    for server in &refused {
        assert_eq!(server.connections(), 0);
    }
    // The terminal is the program's again.
    terminal.send_line("echo this");
    terminal.expect("echo this\necho this");
    terminal.send("\u{4}");
    assert_eq!(terminal.wait().code(), Some(0));
    assert!(!dir.rules_file().exists());
    dir.expect_nothing_left();
}

#[test]
fn deny_all_from_another_terminal_and_taken_back() {
    let (dir, server) = (Dir::new(), Http::v4());
    let script = format!(
        "curl -s {0} || echo first; while ! [ -e go ]; do sleep 0.05; done; curl -s {0}",
        server.url()
    );
    let flags = ["--prompt=none", "--default=ask", "--ask-timeout=60s"];
    let running = dir.run(&flags, &["sh", "-c", &script]).spawn();
    let session = dir.session();
    let session = session.file_name().unwrap().to_str().unwrap();
    dir.hallpass(&["deny-rest", session])
        .output()
        .ok()
        .prints("denies the rest");
    running.expect_stdout("first");
    dir.hallpass(&["release", session]).output().ok();
    dir.write("home/go", "");
    crate::harness::eventually("the second question", || {
        let pending = dir.hallpass(&["pending"]).output().ok();
        pending.stdout.contains(session).then_some(())
    });
    dir.hallpass(&["answer", "allow"]).output().ok();
    running.finish().ok().prints("page from");
}

#[test]
fn refusals_reach_the_callers_exit_and_stderr() {
    if missing("make") {
        return;
    }
    let (dir, server) = (Dir::new(), Http::v4());
    let hallpass = env!("CARGO_BIN_EXE_hallpass");
    dir.write(
        "home/Makefile",
        format!(
            "fetch:\n\t{hallpass} run --prompt=none --default=deny $(FLAGS) -- curl -sS {0}\n\
             shrug:\n\t{hallpass} run --prompt=none --default=deny --fail-on-block $(FLAGS) -- sh -c 'curl -sS {0} || true'\n",
            server.url()
        ),
    );
    let make = |target: &str, flags: &str| {
        dir.bare(&["make", target, &format!("FLAGS={flags}")])
            .output()
            .code(2)
    };
    // The program's own words and status, and one line of hallpass's.
    make("fetch", "")
        .says("curl: (7)")
        .says("1 refused, 0 allowed")
        .says("error 7");
    make("shrug", "")
        .says("curl: (7)")
        .says("1 refused, 0 allowed")
        .says("error 111");
    // Who, where to, and why.
    let why = make("shrug", "-v")
        .says("curl[")
        .says(&server.address.to_string())
        .says("default");
    assert!(
        why.stdout.lines().count() <= 1,
        "only make's own echo: {why}"
    );
    make("shrug", "--report=text")
        .says(&server.address.to_string())
        .says("curl →");
    assert_eq!(server.connections(), 0);
}

#[test]
fn one_off_allow() {
    let (dir, usual, extra) = (Dir::new(), Http::v4(), Http::v4());
    let list = allow_only(&dir, "ci.json", &usual);
    let before = fs::read(&list).unwrap();
    let step = |flags: &[&str]| {
        let flags = [&["--policy", list.as_str(), "--fail-on-block"], flags].concat();
        dir.run(&flags, &["curl", "-s", &extra.url()]).output()
    };
    step(&[]).code(7);
    step(&["--allow", &extra.address.to_string()])
        .ok()
        .prints("page from");
    step(&[]).code(7);
    assert_eq!(extra.connections(), 1);
    assert_eq!(fs::read(&list).unwrap(), before);
    assert!(!dir.rules_file().exists());
}

#[test]
fn clients_that_ignore_proxy_variables() {
    let (dir, proxy, direct) = (Dir::new(), Http::v4(), Http::v4());
    let allow = format!("--allow={}", proxy.address);
    let (address, port) = (direct.address.ip().to_string(), direct.port().to_string());
    let python = format!("import socket; socket.create_connection(('{address}', {port}))");
    let perl = format!("use IO::Socket; IO::Socket::INET->new('{address}:{port}') or die $!");
    let url = direct.url();
    let run = |command: &[&str]| {
        let command = dir.run(
            &[&UNATTENDED[..], &[&allow, "--fail-on-block"]].concat(),
            command,
        );
        let mut command = command.env("no_proxy", "");
        for name in ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"] {
            command = command.env(name, proxy.url());
        }
        command.output()
    };
    // One that obeys: all it needs is the proxy.
    run(&["curl", "-s", &url]).ok().prints("page from");
    assert_eq!(proxy.requests(), [url.as_str()]);
    for command in [
        &["curl", "-s", "--noproxy", "*", &url][..],
        &["wget", "-q", "--no-proxy", "-O-", &url],
        &["python3", "-c", &python],
        &["perl", "-e", &perl],
        &["nc", "-w", "5", &address, &port],
        &["busybox", "nc", "-w", "5", &address, &port],
    ] {
        if missing(command[0]) {
            continue;
        }
        if is_guard_off() && command[0] == "busybox" {
            skipped("busybox is static, and the guard is off");
            continue;
        }
        run(command).failed().says("1 refused, 0 allowed");
    }
    assert_eq!((proxy.connections(), direct.connections()), (1, 0));
}

#[test]
fn clear_scope_of_dont_ask_again() {
    let (dir, one, two) = (Dir::new(), Http::v4(), Http::v4());
    let (first, second) = (one.url(), two.url());
    let run = |script: &str| Terminal::spawn(dir.run(&ASKED, &["sh", "-c", script]));
    // The question says for which program, where to and for how long, before it is answered.
    let port = format!("127.0.0.1:{}/tcp for /usr/bin/curl", one.port());
    let script = format!(
        "curl -s {first}; curl -s {first}; curl -s {second}; wget -q -O- {first}; echo end"
    );
    let mut terminal = run(&script);
    let question = terminal.question();
    assert!(
        question.contains("127.0.0.1 for /usr/bin/curl, for this run"),
        "{question}"
    );
    terminal.send("p");
    let question = terminal.question();
    assert!(
        question.contains(&format!("{port}, for this run")),
        "{question}"
    );
    terminal.send("y");
    // What it said then is what stays on the screen.
    terminal.expect(&format!("allowed {port}, for this run (1 call)"));
    // The same again: not asked. Another port: asked.
    let before = terminal.expect("wants to connect");
    assert_eq!(before.matches("page from").count(), 2, "{before}");
    terminal.expect("allow? y/n");
    terminal.send("\u{1b}");
    // Another program to the same place: asked.
    terminal.expect("wget wants to connect");
    terminal.expect("allow? y/n");
    terminal.send("\u{1b}");
    terminal.expect("end");
    terminal.wait();
    assert_eq!((one.connections(), two.connections()), (2, 0));
    // "This run" is over with the run.
    let mut terminal = run(&format!("curl -s {first}; echo end"));
    terminal.question();
    terminal.choose("p");
    terminal.send("4");
    let question = terminal.question();
    assert!(
        question.contains(&format!("{port}, for good (saved)")),
        "{question}"
    );
    terminal.send("y");
    terminal.expect("end");
    terminal.wait();
    // For good is a rule that can be seen, holds for as much as was said, and can be removed.
    let rules = dir.hallpass(&["rules", "list"]).output().ok();
    assert!(rules.stdout.contains(&port), "{rules}");
    let mut terminal = run(&format!("curl -s {first}; curl -s {second}; echo end"));
    let before = terminal.expect("wants to connect");
    assert_eq!(before.matches("page from").count(), 1, "{before}");
    terminal.expect("allow? y/n");
    terminal.send("\u{1b}");
    terminal.expect("end");
    terminal.wait();
}
