//! The desktop window, the real one: on a screen of its own (Xvfb with openbox), with keys and
//! clicks from xdotool, asked by real programs under `hallpass run`.
//!
//! With `HALLPASS_SCREENSHOTS=DIR` the last cases leave their pictures there.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    missing_docs,
    unreachable_pub
)]

mod desktops;
mod fallbacks;
mod menu;
mod pictures;
mod run;
mod screen;

use run::server;
use screen::{ARMED, Screen, eventually};
use std::time::{Duration, Instant};

const SIZE: &str = "1280x900x24";
/// curl's own status for a connection that was refused.
const REFUSED: Option<i32> = Some(7);

#[test]
fn a_question_opens_a_window_that_takes_no_keys_until_it_is_looked_at() {
    let Some(screen) = Screen::new(SIZE, "1") else {
        return;
    };
    let url = server();
    let curl = screen.run(&[], &["curl", "-sS", &url]);
    screen.wait_for_title("curl asks");
    assert!(!screen.is_focused(), "it has taken the keyboard");
    // What somebody types elsewhere, for longer than arming takes.
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(1500) {
        for key in ["a", "d", "Return", "space"] {
            screen.key(key);
        }
    }
    assert_eq!(screen.pending(), 1);
    screen.focus();
    for key in ["Return", "space", "Tab", "Return", "Tab", "space"] {
        screen.key(key);
    }
    assert_eq!(screen.pending(), 1);
    screen.key("a");
    assert_eq!(curl.end(), (Some(0), "hello".to_owned(), String::new()));
    screen.wait_until_gone();
}

#[test]
fn deny_and_escape_refuse_and_an_answer_for_good_is_kept() {
    let Some(mut screen) = Screen::new(SIZE, "1") else {
        return;
    };
    screen.agent(&["--background"]);
    let url = server();
    let rules = screen.path(".config/hallpass/rules.json");
    for key in ["d", "Escape"] {
        let curl = screen.run(&[], &["curl", "-sS", &url]);
        screen.wait_for_title("curl asks");
        screen.focus();
        screen.key(key);
        assert_eq!(curl.end().0, REFUSED, "{key}");
        screen.wait_until_gone();
        assert!(!rules.exists(), "{key} has made a rule");
    }
    let curl = screen.run(&[], &["curl", "-sS", &url]);
    screen.wait_for_title("curl asks");
    screen.focus();
    screen.key("4");
    screen.key("a");
    assert_eq!(curl.end().0, Some(0));
    let saved = std::fs::read_to_string(rules).unwrap();
    assert!(
        saved.contains("127.0.0.1") && saved.contains("/curl"),
        "{saved}"
    );
    screen.wait_until_gone();
    let again = screen.run(&[], &["curl", "-sS", &url]);
    assert_eq!(again.end().1, "hello", "without a question");
}

#[test]
fn the_rest_of_a_run_is_denied_with_one_key_and_asked_about_again_after_a_release() {
    let Some(screen) = Screen::new(SIZE, "1") else {
        return;
    };
    let url = server();
    let go = screen.path("go");
    let three = "for n in 1 2; do curl -sS $0; echo $?; done
        until [ -e $1 ]; do sleep 0.1; done; curl -sS $0";
    let shell = screen.run(&[], &["sh", "-c", three, &url, go.to_str().unwrap()]);
    screen.wait_for_title("curl asks");
    screen.focus();
    screen.key("shift+r");
    screen.wait_until_gone();
    let released = screen.hallpass(&["release"]);
    assert!(released.status.success(), "{released:?}");
    std::fs::write(go, "").unwrap();
    screen.wait_for_title("curl asks");
    screen.focus();
    screen.key("a");
    assert_eq!(shell.end().1, "7\n7\nhello");
}

#[test]
fn closing_the_window_tells_first_and_then_refuses() {
    let Some(screen) = Screen::new(SIZE, "1") else {
        return;
    };
    let url = server();
    let mut curl = screen.run(&[], &["curl", "-sS", &url]);
    screen.wait_for_title("curl asks");
    screen.focus();
    screen.key("alt+F4");
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(screen.pending(), 1, "only told so far");
    screen.close_until_refused(&mut curl);
    assert_eq!(curl.end().0, REFUSED);
    screen.wait_until_gone();
}

#[test]
fn a_window_that_waits_hidden_comes_back_without_the_keyboard_and_is_pointed_out() {
    let Some(mut screen) = Screen::new(SIZE, "1") else {
        return;
    };
    screen.agent(&["--background"]);
    let url = server();
    let urgent = |screen: &Screen| screen.property("WM_HINTS").contains("urgency hint");
    let mut window = None;
    for showing in 1..=3 {
        let curl = screen.run(&[], &["curl", "-sS", &url]);
        screen.wait_for_title("curl asks");
        assert!(!screen.is_focused(), "it has taken the keyboard");
        eventually(&format!("urgency hint {showing}"), || {
            urgent(&screen).then_some(())
        });
        assert!(!screen.is_focused(), "it has taken the keyboard");
        let this = screen.window();
        assert!(window.is_none() || window == this, "another window");
        window = this;
        screen.focus();
        eventually("no urgency hint", || (!urgent(&screen)).then_some(()));
        screen.key("a");
        assert_eq!(curl.end().1, "hello");
        screen.wait_until_gone();
    }
}

#[test]
fn keys_on_their_way_when_the_keyboard_comes_decide_nothing_however_often_it_was_shown() {
    let Some(mut screen) = Screen::new(SIZE, "1") else {
        return;
    };
    screen.agent(&["--background"]);
    let url = server();
    let mut tried = 0;
    for showing in 1..=3 {
        let curl = screen.run(&[], &["curl", "-sS", &url]);
        screen.wait_for_title("curl asks");
        // Long armed, and never looked at.
        std::thread::sleep(ARMED);
        let took = screen.focus_and_type("a");
        if took < Duration::from_millis(700) {
            std::thread::sleep(Duration::from_millis(300));
            assert_eq!(screen.pending(), 1, "showing {showing}, after {took:?}");
            // The first showing was never in doubt.
            tried += usize::from(showing > 1);
            std::thread::sleep(ARMED);
            screen.key("a");
        }
        assert_eq!(curl.end().1, "hello");
        screen.wait_until_gone();
    }
    assert!(tried > 0, "no try was quick enough to tell anything");
}

#[test]
fn an_answer_from_a_shell_takes_the_question_off_the_window() {
    let Some(screen) = Screen::new(SIZE, "1") else {
        return;
    };
    let url = server();
    let curl = screen.run(&[], &["curl", "-sS", &url]);
    screen.wait_for_title("curl asks");
    let answered = screen.hallpass(&["answer", "allow"]);
    assert!(answered.status.success(), "{answered:?}");
    assert_eq!(curl.end().1, "hello");
    screen.wait_until_gone();
}

#[test]
fn two_hundred_asks_of_five_programs_in_three_sessions_are_all_answered() {
    let Some(mut screen) = Screen::new(SIZE, "1") else {
        return;
    };
    screen.agent(&["--background"]);
    let url = server();
    let port: u16 = url
        .trim_end_matches('/')
        .rsplit(':')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    // 14 connections to 14 addresses, and the same 14 again, by each of five programs.
    let script = "import socket, sys, threading\n\
        def go(n):\n    socket.create_connection((f'127.0.0.{n}', int(sys.argv[1]))).close()\n\
        threads = [threading.Thread(target=go, args=(1 + n % 7,)) for n in range(14)]\n\
        [t.start() for t in threads]; [t.join() for t in threads]\n";
    let mut programs = Vec::new();
    for number in 0..5 {
        let path = screen.path(&format!("program-{number}.py"));
        std::fs::write(&path, script).unwrap();
        programs.push(path.to_str().unwrap().to_owned());
    }
    let all = programs
        .iter()
        .map(|program| format!("python3 {program} {port} &"))
        .collect::<Vec<_>>()
        .join(" ");
    let all = format!("{all} wait");
    let _everywhere = std::net::TcpListener::bind(("127.0.0.2", port));
    let runs: Vec<_> = (0..3)
        .map(|_| screen.run(&[], &["sh", "-c", &all]))
        .collect();
    eventually("all questions", || (screen.pending() >= 105).then_some(()));
    screen.wait_for_title("more");
    screen.focus();
    let start = Instant::now();
    while screen.pending() > 0 {
        assert!(
            start.elapsed() < screen::PATIENCE,
            "{} still wait",
            screen.pending()
        );
        screen.key("shift+A");
        std::thread::sleep(Duration::from_millis(400));
    }
    for run in runs {
        assert_eq!(run.end().0, Some(0));
    }
    screen.wait_until_gone();
}

#[test]
fn a_second_start_shows_the_first_and_ends() {
    let Some(mut screen) = Screen::new(SIZE, "1") else {
        return;
    };
    screen.agent(&["--background"]);
    std::thread::sleep(Duration::from_millis(300));
    assert!(screen.window().is_none(), "nothing to show yet");
    assert!(screen.hallpass(&["agent"]).status.success());
    screen.wait_for_title("hallpass");
}
