//! Windows that die, displays that are lost, programs that were left running: nothing gets through,
//! somebody else asks where there is one, and the person is told.

use crate::run::server;
use crate::screen::{Screen, eventually, processes};
use crate::{REFUSED, SIZE};
use std::time::Duration;

#[test]
fn a_window_that_is_killed_is_replaced_and_nothing_gets_through() {
    let Some(mut screen) = Screen::new(SIZE, "1") else {
        return;
    };
    screen.agent(&["--background"]);
    let url = server();
    let curl = screen.run(&[], &["curl", "-sS", &url]);
    screen.wait_for_title("curl asks");
    screen.replaced_after("KILL");
    screen.focus();
    screen.key("a");
    let (status, page, said) = curl.end();
    assert_eq!((status, page.as_str()), (Some(0), "hello"));
    assert!(said.contains("window has gone"), "{said}");
}

/// What a fault of its own, or of the libraries that draw, comes to: `end_on_panic` aborts.
#[test]
fn a_window_that_crashes_is_replaced_too_and_the_person_is_told() {
    let Some(mut screen) = Screen::new(SIZE, "1") else {
        return;
    };
    let url = server();
    screen.agent(&["--background"]);
    let mut hidden = String::new();
    // Not SEGV: Rust takes the first for a stack that has overflown, and goes on where it was sent
    // by somebody.
    for signal in ["ABRT", "ILL"] {
        let curl = screen.run(&[], &["curl", "-sS", &url]);
        screen.wait_for_title("curl asks");
        screen.replaced_after(signal);
        hidden = screen.window_process();
        screen.focus();
        screen.key("d");
        let (status, _, said) = curl.end();
        assert_eq!(status, REFUSED, "{signal}");
        assert!(said.contains("window has gone; opening another"), "{said}");
        screen.wait_until_gone();
    }
    // Nothing waits when it dies: the next question opens another.
    screen.signal(&hidden, "ABRT");
    let curl = screen.run(&[], &["curl", "-sS", &url]);
    screen.wait_for_title("curl asks");
    screen.focus();
    screen.key("a");
    assert_eq!(curl.end().1, "hello");
}

#[test]
fn when_the_display_is_lost_calls_are_refused_and_it_is_said() {
    let Some(mut screen) = Screen::new(SIZE, "1") else {
        return;
    };
    let url = server();
    let curl = screen.run_without_terminal(&["curl", "-sS", &url]);
    screen.wait_for_title("curl asks");
    screen.lose_display();
    let (status, page, said) = curl.end();
    assert_eq!((status, page.as_str()), (REFUSED, ""), "{said}");
    assert!(said.contains("window has gone"), "{said}");
    assert!(said.contains("no hallpass window"), "{said}");
}

#[test]
fn when_the_display_is_lost_the_terminal_asks() {
    let Some(mut screen) = Screen::new(SIZE, "1") else {
        return;
    };
    let url = server();
    let mut curl = screen.run_on_terminal(&[], &["curl", "-sS", &url]);
    screen.wait_for_title("curl asks");
    screen.lose_display();
    // What is typed before the question is there does not count.
    eventually("an answer", || {
        curl.type_in("y");
        std::thread::sleep(Duration::from_millis(700));
        curl.has_ended().then_some(())
    });
    let (status, said, _) = curl.end();
    assert_eq!(status, Some(0), "{said}");
    assert!(said.contains("asking here instead"), "{said}");
    assert!(said.contains("curl wants to connect"), "{said}");
    assert!(said.contains("hello"), "{said}");
}

#[test]
fn without_a_window_or_a_terminal_it_is_refused_and_said() {
    let Some(screen) = Screen::new(SIZE, "1") else {
        return;
    };
    let url = server();
    let mut command = screen.command(env!("CARGO_BIN_EXE_hallpass"));
    // A display that nobody serves.
    command.env("DISPLAY", ":54321");
    command.args(["run", "--ask", "@loopback", "--", "curl", "-sS", &url]);
    // A session without a controlling terminal.
    let mut detached = screen.command("setsid");
    detached
        .env("DISPLAY", ":54321")
        .arg("--wait")
        .arg(command.get_program());
    detached
        .args(command.get_args())
        .stderr(std::process::Stdio::piped());
    let output = detached.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), REFUSED, "{said}");
    assert!(said.contains("no hallpass window"), "{said}");
}

/// Runs what leaves a curl running that waits for the file `go`, and leaves its status in the file
/// `status`; the script that did.
fn leave_running(screen: &Screen, url: &str) -> String {
    let script = screen.path("leave.sh");
    let leave = "while [ ! -e go ]; do sleep 0.1; done; curl -sS -o page \"$1\"; echo $? >status";
    let start = format!("({leave}) </dev/null >/dev/null 2>&1 &\n");
    std::fs::write(&script, start).unwrap();
    let script = script.to_str().unwrap();
    let run = screen.run(&[], &["sh", script, url]);
    // To the end of its pipes: what stays behind holds none of them.
    assert_eq!(run.end(), (Some(0), String::new(), String::new()));
    // It gives itself its name a moment after its parent has gone.
    eventually("the opener", || {
        (processes("hallpass-opener", script).len() == 1).then_some(())
    });
    script.to_owned()
}

#[test]
fn what_was_left_running_gets_a_window_and_another_when_that_is_killed() {
    let Some(screen) = Screen::new(SIZE, "1") else {
        return;
    };
    let script = leave_running(&screen, &server());
    std::fs::write(screen.path("go"), "").unwrap();
    screen.wait_for_title("curl asks");
    screen.replaced_after("KILL");
    screen.focus();
    screen.key("a");
    eventually("the page", || {
        let page = std::fs::read_to_string(screen.path("page"));
        page.is_ok_and(|page| page == "hello").then_some(())
    });
    eventually("the opener's end", || {
        processes("hallpass-opener", &script)
            .is_empty()
            .then_some(())
    });
}

#[test]
fn what_was_left_running_is_refused_where_no_window_can_be_opened() {
    let Some(mut screen) = Screen::new(SIZE, "1") else {
        return;
    };
    let script = leave_running(&screen, &server());
    screen.lose_display();
    std::fs::write(screen.path("go"), "").unwrap();
    eventually("a refusal", || {
        let status = std::fs::read_to_string(screen.path("status"));
        status.is_ok_and(|status| status == "7\n").then_some(())
    });
    eventually("the opener's end", || {
        processes("hallpass-opener", &script)
            .is_empty()
            .then_some(())
    });
}
