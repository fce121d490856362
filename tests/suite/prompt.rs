//! The question on the terminal, over a real pseudo-terminal: what it shows, and what each key
//! does to the call that waits.

use crate::harness::{Dir, Http, Terminal, eventually};
use nix::sys::signal::Signal;
use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

/// A curl that has been asked about.
fn asked(dir: &Dir, server: &Http, flags: &[&str]) -> (Terminal, String) {
    let mut all = vec!["--prompt=tty", "--default", "ask"];
    all.extend(flags);
    let url = server.url_as("localhost");
    let mut terminal = Terminal::spawn(dir.run(&all, &["curl", "-4", "-sS", &url]));
    let question = terminal.question();
    assert_eq!(server.connections(), 0, "not held");
    (terminal, question)
}

#[test]
fn the_question_shows_program_command_line_name_address_and_port() {
    let (dir, server) = (Dir::new(), Http::v4());
    let (mut terminal, question) = asked(&dir, &server, &[]);
    for text in [
        "curl",
        "/usr/bin/curl",
        "-sS",
        "localhost",
        "127.0.0.1",
        &server.port().to_string(),
    ] {
        assert!(question.contains(text), "no {text:?} in:\n{question}");
    }
    terminal.send("n");
    terminal.wait();
}

#[test]
fn y_lets_curl_get_its_page() {
    let (dir, server) = (Dir::new(), Http::v4());
    let (mut terminal, _) = asked(&dir, &server, &[]);
    terminal.send("y");
    terminal.expect("page from the test's server");
    assert_eq!(terminal.wait().code(), Some(0));
    dir.expect_nothing_left();
}

#[test]
fn n_makes_curl_say_connection_refused() {
    let (dir, server) = (Dir::new(), Http::v4());
    let (mut terminal, _) = asked(&dir, &server, &[]);
    terminal.send("n");
    terminal.expect("curl: (7) Failed to connect to localhost");
    assert_eq!(terminal.wait().code(), Some(7));
    assert_eq!(server.connections(), 0);
    dir.expect_nothing_left();
}

#[test]
fn ctrl_c_refuses_and_ends_both() {
    let (dir, server) = (Dir::new(), Http::v4());
    let (mut terminal, _) = asked(&dir, &server, &[]);
    terminal.send("\u{3}");
    assert_eq!(terminal.wait().signal(), Some(Signal::SIGINT as i32));
    assert_eq!(server.connections(), 0);
    dir.expect_nothing_left();
}

#[test]
fn no_answer_within_ask_timeout_refuses_and_says_so() {
    let (dir, server) = (Dir::new(), Http::v4());
    let start = Instant::now();
    let (mut terminal, _) = asked(&dir, &server, &["--ask-timeout", "2s"]);
    assert_eq!(terminal.wait().code(), Some(7));
    assert!(start.elapsed() >= Duration::from_millis(1900));
    terminal.expect("no answer within --ask-timeout");
    assert!(terminal.plain().contains("curl: (7)"));
    assert_eq!(server.connections(), 0);
}

#[test]
fn keys_typed_before_the_question_do_not_answer_it() {
    let (dir, server) = (Dir::new(), Http::v4());
    let script = format!("echo ready; sleep 1; curl -sS {}", server.url());
    let mut terminal = Terminal::spawn(dir.run(
        &["--prompt=tty", "--default", "ask"],
        &["sh", "-c", &script],
    ));
    terminal.expect("ready");
    terminal.send("yyyy\ryy");
    terminal.question();
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(server.connections(), 0, "a key typed ahead answered");
    terminal.send("n");
    assert_eq!(terminal.wait().code(), Some(7));
}

#[test]
fn keys_that_mean_nothing_answer_nothing() {
    let (dir, server) = (Dir::new(), Http::v4());
    let (mut terminal, _) = asked(&dir, &server, &[]);
    terminal.send("\u{1b}[A\u{1b}[5~zZ%\t");
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(server.connections(), 0);
    terminal.send("n");
    assert_eq!(terminal.wait().code(), Some(7));
    assert_eq!(server.connections(), 0);
}

#[test]
fn the_same_question_is_answered_from_another_terminal() {
    let (dir, server) = (Dir::new(), Http::v4());
    let (mut terminal, _) = asked(&dir, &server, &[]);
    let pending = dir.hallpass(&["pending"]).output().ok();
    assert!(
        pending.stdout.contains(&server.port().to_string()),
        "{pending}"
    );
    dir.hallpass(&["answer", "allow"]).output().ok();
    terminal.expect("page from the test's server");
    assert_eq!(terminal.wait().code(), Some(0));
    dir.expect_nothing_left();
}

#[test]
fn a_question_that_another_terminal_refused_leaves_the_terminal_usable() {
    let (dir, server) = (Dir::new(), Http::v4());
    let mut terminal = Terminal::shell(&dir);
    let hallpass = env!("CARGO_BIN_EXE_hallpass");
    terminal.send_line(&format!(
        "{hallpass} run --prompt=tty --default ask -- curl -sS {}",
        server.url()
    ));
    terminal.question();
    dir.hallpass(&["answer", "deny"]).output().ok();
    terminal.expect("curl: (7)");
    terminal.expect("outer> ");
    // Line editing: type 12, go left, type a plus.
    terminal.send("echo $((12\u{1b}[D+\u{1b}[C))\r");
    terminal.expect("\n3\n");
    terminal.expect("outer> ");
    terminal.send_line("exit");
    terminal.wait();
    dir.expect_nothing_left();
}

#[test]
fn an_asker_that_is_killed_leaves_the_terminal_restored() {
    asker_is_killed(|_| {});
}

/// On a busy machine the shell has its terminal back by then, and it must stay so.
#[test]
fn a_session_that_hears_late_that_the_asker_was_killed_leaves_the_terminal_alone() {
    asker_is_killed(|dir| {
        let session = dir.session_pid().to_string();
        let words = ["chrt", "--all-tasks", "--idle", "--pid", "0", &session];
        dir.bare(&words).output().ok();
    });
}

#[track_caller]
fn asker_is_killed(before: impl FnOnce(&Dir)) {
    let (dir, server) = (Dir::new(), Http::v4());
    let mut terminal = Terminal::shell(&dir);
    terminal.send_line("stty -a > before");
    terminal.expect("outer> ");
    let hallpass = env!("CARGO_BIN_EXE_hallpass");
    terminal.send_line(&format!(
        "{hallpass} run --prompt=tty --default ask -- curl -sS {}; echo ended",
        server.url()
    ));
    terminal.question();
    before(&dir);
    let front = front_of(&dir);
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(front), Signal::SIGKILL).unwrap();
    terminal.expect("ended");
    terminal.expect("outer> ");
    eventually("the session's end", || {
        dir.sessions().is_empty().then_some(())
    });
    terminal.send_line("stty -a > after");
    terminal.expect("outer> ");
    terminal.send_line("exit");
    terminal.wait();
    let read = |name| std::fs::read_to_string(dir.path(name)).unwrap();
    assert_eq!(read("home/before"), read("home/after"));
    assert_eq!(server.connections(), 0);
    dir.expect_nothing_left();
}

/// The front is the session's parent.
fn front_of(dir: &Dir) -> i32 {
    let session = dir.session_pid();
    let status = std::fs::read_to_string(format!("/proc/{session}/status")).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("PPid:"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn with_no_terminal_there_is_nobody_to_ask_and_the_call_is_refused_by_name() {
    let (dir, server) = (Dir::new(), Http::v4());
    let start = Instant::now();
    dir.run(&["--default", "ask"], &["curl", "-sS", &server.url()])
        .output()
        .code(7)
        .says("nobody");
    assert!(start.elapsed() < Duration::from_secs(3));
    assert_eq!(server.connections(), 0);
}

#[test]
fn prompt_tty_without_a_terminal_is_125() {
    let dir = Dir::new();
    dir.run(&["--prompt=tty", "--default", "ask"], &["touch", "ran"])
        .output()
        .code(125)
        .says("/dev/tty");
    assert!(!dir.path("home/ran").exists());
}

#[test]
fn hostile_names_are_escaped_and_the_choices_stay_on_the_screen() {
    let (dir, server) = (Dir::new(), Http::v4());
    let evil = "x\u{1b}[2J\u{1b}[1;1HAllow everything? \u{202e}\n\u{7}";
    let agent = evil.repeat(200);
    let mut terminal = Terminal::spawn(dir.run(
        &["--prompt=tty", "--default", "ask"],
        &["curl", "-sS", "-A", &agent, &server.url()],
    ));
    terminal.question();
    let screen = terminal.screen();
    assert!(screen.contains("curl"), "{screen}");
    assert!(screen.contains(&server.port().to_string()), "{screen}");
    assert!(!screen.contains('\u{202e}'), "{screen}");
    terminal.send("n");
    assert_eq!(terminal.wait().code(), Some(7));
    assert_eq!(server.connections(), 0);
}

#[test]
fn a_flood_of_questions_leaves_the_prompt_readable() {
    let (dir, server) = (Dir::new(), Http::v4());
    let url = server.url();
    let script = format!("for i in $(seq 40); do curl -s {url} & done; wait");
    let mut terminal = Terminal::spawn(dir.run(
        &["--prompt=tty", "--default", "ask"],
        &["sh", "-c", &script],
    ));
    terminal.question();
    terminal.send("y");
    assert_eq!(terminal.wait().code(), Some(0));
    assert_eq!(server.connections(), 40);
}

#[test]
fn escape_refuses_what_waits_and_makes_no_rule() {
    let (dir, server) = (Dir::new(), Http::v4());
    let script = format!("curl -sS {0}; curl -sS {0}", server.url());
    let mut terminal = Terminal::spawn(dir.run(
        &["--prompt=tty", "--default", "ask"],
        &["sh", "-c", &script],
    ));
    terminal.question();
    terminal.send("\u{1b}");
    terminal.expect("curl: (7)");
    // The second call is asked about anew.
    terminal.question();
    terminal.send("y");
    terminal.expect("page from the test's server");
    assert_eq!(terminal.wait().code(), Some(0));
    assert_eq!(server.connections(), 1);
    assert!(!dir.rules_file().exists());
}

#[test]
fn an_answer_for_good_on_the_terminal_is_saved() {
    let (dir, server) = (Dir::new(), Http::v4());
    let (mut terminal, _) = asked(&dir, &server, &[]);
    terminal.choose("4");
    terminal.choose("p");
    terminal.send("y");
    terminal.expect("page from the test's server");
    terminal.wait();
    let saved = std::fs::read_to_string(dir.rules_file()).unwrap();
    assert!(saved.contains(&format!(":{}", server.port())), "{saved}");
    assert!(saved.contains("/usr/bin/curl"), "{saved}");
    dir.run(&["--prompt", "none"], &["curl", "-4", "-s", &server.url()])
        .output();
}

#[test]
fn questions_that_queue_are_asked_one_after_the_other() {
    let dir = Dir::new();
    let servers: Vec<Http> = (0..4).map(|_| Http::v4()).collect();
    let fetches: String = servers
        .iter()
        .map(|server| format!("curl -s {} & ", server.url()))
        .collect();
    let mut terminal = Terminal::spawn(dir.run(
        &["--prompt=tty", "--default", "ask"],
        &["sh", "-c", &format!("{fetches} wait; echo all done")],
    ));
    let mut allowed = Vec::new();
    for i in 0..4 {
        let question = terminal.question();
        let port = servers
            .iter()
            .map(Http::port)
            .find(|port| question.contains(&format!("port {port}")));
        let port = port.unwrap_or_else(|| panic!("which port? {question}"));
        if i % 2 == 0 {
            allowed.push(port);
        }
        // This port only, or the first answer would settle all.
        terminal.choose("p");
        terminal.send(if i % 2 == 0 { "y" } else { "n" });
        // What stays on the screen is the answer.
        terminal.expect(&port.to_string());
    }
    terminal.expect("all done");
    terminal.wait();
    for server in &servers {
        let expected = usize::from(allowed.contains(&server.port()));
        assert_eq!(server.connections(), expected);
    }
    dir.expect_nothing_left();
}

#[test]
fn a_pipeline_is_asked_about_on_the_terminal() {
    let (dir, server) = (Dir::new(), Http::v4());
    let hallpass = env!("CARGO_BIN_EXE_hallpass");
    let script = format!(
        "echo body | {hallpass} run --prompt=tty --default ask -- curl -sS -d @- {} | tr a-z A-Z; \
         echo statuses ${{PIPESTATUS[@]}}",
        server.url()
    );
    let mut terminal = Terminal::spawn(dir.bare(&["bash", "-c", &script]));
    terminal.question();
    terminal.send("y");
    terminal.expect("PAGE FROM THE TEST'S SERVER");
    terminal.expect("statuses 0 0 0");
    terminal.wait();
    dir.expect_nothing_left();
}

#[test]
fn a_script_without_job_control_is_asked_about_each_time() {
    let (dir, server) = (Dir::new(), Http::v4());
    let hallpass = env!("CARGO_BIN_EXE_hallpass");
    let run = format!(
        "{hallpass} run --prompt=tty --default ask -- curl -sS {}",
        server.url()
    );
    let script = format!("{run}; echo first $?; {run}; echo second $?");
    let mut terminal = Terminal::spawn(dir.bare(&["sh", "-c", &script]));
    terminal.question();
    terminal.send("n");
    terminal.expect("first 7");
    terminal.question();
    terminal.send("y");
    terminal.expect("second 0");
    assert_eq!(terminal.wait().code(), Some(0));
    assert_eq!(server.connections(), 1);
}

#[test]
fn ctrl_z_at_the_question_stops_the_job_and_fg_asks_again() {
    let (dir, server) = (Dir::new(), Http::v4());
    let mut terminal = Terminal::shell(&dir);
    let hallpass = env!("CARGO_BIN_EXE_hallpass");
    terminal.send_line(&format!(
        "{hallpass} run --prompt=tty --default ask -- curl -sS {}",
        server.url()
    ));
    terminal.question();
    terminal.send("\u{1a}");
    terminal.expect("Stopped");
    terminal.expect("outer> ");
    terminal.send("echo $((12\u{1b}[D+\u{1b}[C))\r");
    terminal.expect("\n3\n");
    assert_eq!(server.connections(), 0);
    terminal.send_line("fg");
    terminal.question();
    terminal.send("y");
    terminal.expect("page from the test's server");
    terminal.expect("outer> ");
    terminal.send_line("exit");
    terminal.wait();
    dir.expect_nothing_left();
}

#[test]
fn what_runs_on_after_the_command_has_no_terminal_and_nobody_to_ask() {
    let (dir, server) = (Dir::new(), Http::v4());
    let result = dir.path("result");
    let script = format!(
        "trap '' HUP; (sleep 1; curl -s {}; echo curl $? >{}) >/dev/null 2>&1 </dev/null & echo returned",
        server.url(),
        result.display()
    );
    let mut terminal = Terminal::spawn(dir.run(
        &["--prompt=tty", "--default", "ask"],
        &["sh", "-c", &script],
    ));
    terminal.expect("returned");
    assert_eq!(terminal.wait().code(), Some(0));
    eventually("the background's result", || {
        std::fs::read_to_string(&result)
            .is_ok_and(|text| text.contains("curl 7"))
            .then_some(())
    });
    assert_eq!(server.connections(), 0);
    dir.expect_nothing_left();
}

#[test]
fn the_question_survives_a_change_of_the_windows_size() {
    let (dir, server) = (Dir::new(), Http::v4());
    let (mut terminal, _) = asked(&dir, &server, &[]);
    for (rows, columns) in [(10, 40), (6, 20), (50, 200), (30, 100)] {
        terminal.resize(rows, columns);
        std::thread::sleep(Duration::from_millis(150));
    }
    assert_eq!(server.connections(), 0);
    terminal.send("y");
    terminal.expect("page from the test's server");
    assert_eq!(terminal.wait().code(), Some(0));
}

#[test]
fn details_and_help_are_shown_and_change_nothing() {
    let (dir, server) = (Dir::new(), Http::v4());
    let (mut terminal, _) = asked(&dir, &server, &[]);
    terminal.choose("?");
    terminal.choose("d");
    let screen = terminal.screen();
    assert!(screen.contains("/usr/bin/curl"), "{screen}");
    assert_eq!(server.connections(), 0);
    terminal.send("n");
    assert_eq!(terminal.wait().code(), Some(7));
}
