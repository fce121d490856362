//! Programs that read the terminal themselves while a question is asked on it: the answer goes to
//! the question, what is typed afterwards to the program, and line editing works as before.

use crate::harness::{Dir, Http, Running, Terminal, eventually, missing};
use nix::sys::signal::Signal;
use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

/// `hallpass run -- COMMAND` in a terminal, asking there.
fn in_terminal(dir: &Dir, flags: &[&str], command: &[&str]) -> Terminal {
    let mut all = vec!["--prompt=tty", "--default", "ask"];
    all.extend(flags);
    Terminal::spawn(dir.run(&all, command).env("PS1", "inner> "))
}

/// An interactive bash under hallpass.
fn bash(dir: &Dir, flags: &[&str]) -> Terminal {
    let mut terminal = in_terminal(dir, flags, &["bash", "--norc", "--noprofile", "-i"]);
    terminal.expect("inner> ");
    terminal
}

/// A cat that says when it reads: a line typed earlier would meet the shell's terminal modes.
const CAT: &str = "sh -c 'echo ready-$((40+2)); exec cat'";

/// Line editing works: type 12, go left, type a plus.
#[track_caller]
fn editing_works(terminal: &mut Terminal, prompt: &str) {
    terminal.send("echo $((12\u{1b}[D+\u{1b}[C))\r");
    terminal.expect("\n3\n");
    terminal.expect(prompt);
}

#[test]
fn python_interactive_is_asked_about_and_goes_on() {
    if missing("python3") {
        return;
    }
    let (dir, server) = (Dir::new(), Http::v4());
    let mut terminal = in_terminal(&dir, &[], &["python3", "-i", "-q"]);
    terminal.expect(">>> ");
    terminal.send_line("import urllib.request as r");
    terminal.expect(">>> ");
    terminal.send_line(&format!("r.urlopen('{}').read()", server.url()));
    terminal.question();
    terminal.send("y");
    terminal.expect("page from the test");
    terminal.expect(">>> ");
    terminal.send("12\u{1b}[D+\u{1b}[C\r");
    terminal.expect("\n3\n");
    terminal.expect(">>> ");
    terminal.send_line("exit()");
    assert_eq!(terminal.wait().code(), Some(0));
    dir.expect_nothing_left();
}

#[test]
fn twenty_of_twenty_answers_arrive_while_the_program_reads_the_terminal() {
    if missing("python3") {
        return;
    }
    let (dir, server) = (Dir::new(), Http::v4());
    // A thread connects while the main thread sits in read() on the same terminal.
    let script = dir.script(
        "reader.py",
        r"
import socket, sys, threading
port = int(sys.argv[1])
def connects():
    for i in range(20):
        s = socket.socket()
        try: s.connect(('127.0.0.1', port)); print(f'call {i} allowed', flush=True)
        except OSError: print(f'call {i} refused', flush=True)
        s.close()
    print('all calls made', flush=True)
threading.Thread(target=connects).start()
for line in sys.stdin: print(f'read {line!r}', flush=True)
",
    );
    let port = server.port().to_string();
    let mut terminal = in_terminal(&dir, &[], &["python3", "-u", &script, &port]);
    for i in 0..20 {
        terminal.question();
        // Once: the next call asks again.
        terminal.answer_once(i % 3 != 0);
        let expected = if i % 3 == 0 { "refused" } else { "allowed" };
        terminal.expect(&format!("call {i} {expected}"));
    }
    terminal.expect("all calls made");
    terminal.send_line("after");
    terminal.expect("read 'after\\n'");
    // Not one of the answers was read by the program.
    assert_eq!(terminal.plain().matches("read '").count(), 1);
    terminal.send("\u{4}");
    assert_eq!(terminal.wait().code(), Some(0));
    assert_eq!(server.connections(), 13);
}

#[test]
fn a_background_job_asks_while_a_command_is_half_typed() {
    let (dir, server) = (Dir::new(), Http::v4());
    let mut terminal = bash(&dir, &[]);
    terminal.send_line(&format!("(sleep 1; curl -s {} > page) &", server.url()));
    terminal.expect("inner> ");
    terminal.send("echo hel");
    terminal.question();
    terminal.send("y");
    eventually("the background curl's page", || {
        std::fs::read_to_string(dir.path("home/page"))
            .is_ok_and(|page| page.contains("page from"))
            .then_some(())
    });
    terminal.send("lo-$((40+2))\r");
    terminal.expect("hello-42");
    editing_works(&mut terminal, "inner> ");
    terminal.send_line("exit");
    assert_eq!(terminal.wait().code(), Some(0));
    dir.expect_nothing_left();
}

#[test]
fn job_control_inside_works_ctrl_z_fg_and_ctrl_c() {
    let dir = Dir::new();
    let mut terminal = bash(&dir, &[]);
    terminal.send_line(CAT);
    terminal.expect("ready-42\n");
    terminal.send_line("one");
    terminal.expect("one\none\n");
    terminal.send("\u{1a}");
    terminal.expect("Stopped");
    terminal.expect("inner> ");
    terminal.send_line("jobs");
    terminal.expect("Stopped");
    terminal.expect("inner> ");
    terminal.send_line("fg");
    terminal.expect("exec cat'\n");
    terminal.send_line("two");
    terminal.expect("two\ntwo\n");
    terminal.send("\u{3}");
    terminal.expect("inner> ");
    terminal.send_line("echo status $?");
    terminal.expect("status 130");
    terminal.send_line("exit");
    terminal.wait();
    dir.expect_nothing_left();
}

#[test]
fn a_foreground_curl_of_an_inner_shell_is_asked_about() {
    let (dir, server) = (Dir::new(), Http::v4());
    let mut terminal = bash(&dir, &[]);
    terminal.send_line(&format!("curl -s {}", server.url()));
    terminal.question();
    terminal.send("y");
    terminal.expect("page from the test's server");
    terminal.expect("inner> ");
    editing_works(&mut terminal, "inner> ");
    terminal.send_line("exit");
    assert_eq!(terminal.wait().code(), Some(0));
}

fn full_screen_program(name: &str, quit: &str) {
    if missing(name) {
        return;
    }
    let (dir, server) = (Dir::new(), Http::v4());
    let text: String = (1..=500)
        .map(|i| format!("line {i} of the file\n"))
        .collect();
    dir.write("home/file", text);
    let mut terminal = bash(&dir, &[]);
    // A question in the middle of a full-screen program, from a job in the background.
    terminal.send_line(&format!("(sleep 2; curl -s {} > page) &", server.url()));
    terminal.expect("inner> ");
    terminal.send_line(&format!("{name} file"));
    eventually("the file on the screen", || {
        terminal
            .screen()
            .contains("line 5 of the file")
            .then_some(())
    });
    terminal.question();
    terminal.send("y");
    eventually("the background curl's page", || {
        dir.path("home/page")
            .metadata()
            .is_ok_and(|it| it.len() > 0)
            .then_some(())
    });
    // It still takes its keys, and no answer was taken for one of them.
    terminal.send("G");
    eventually("the end of the file on the screen", || {
        terminal
            .screen()
            .contains("line 500 of the file")
            .then_some(())
    });
    terminal.send(quit);
    terminal.expect("inner> ");
    editing_works(&mut terminal, "inner> ");
    terminal.send_line("exit");
    terminal.wait();
    let file = std::fs::read_to_string(dir.path("home/file")).unwrap();
    assert!(file.starts_with("line 1 of the file\nline 2"));
    dir.expect_nothing_left();
}

#[test]
fn less_is_interrupted_by_a_question_and_goes_on() {
    full_screen_program("less", "q");
}

#[test]
fn vi_is_interrupted_by_a_question_and_goes_on() {
    full_screen_program("vi", "\u{1b}:q!\r");
}

#[test]
fn ctrl_z_stops_the_command_and_us_and_fg_goes_on() {
    let dir = Dir::new();
    let mut terminal = Terminal::shell(&dir);
    let hallpass = env!("CARGO_BIN_EXE_hallpass");
    terminal.send_line(&format!("{hallpass} run --default allow -- {CAT}"));
    terminal.expect("ready-42\n");
    terminal.send_line("one");
    terminal.expect("one\none\n");
    terminal.send("\u{1a}");
    terminal.expect("Stopped");
    terminal.expect("outer> ");
    terminal.send_line("fg");
    terminal.expect("exec cat'\n");
    terminal.send_line("two");
    terminal.expect("two\ntwo\n");
    terminal.send("\u{3}");
    terminal.expect("outer> ");
    terminal.send_line("echo status $?");
    terminal.expect("status 130");
    editing_works(&mut terminal, "outer> ");
    terminal.send_line("exit");
    terminal.wait();
    dir.expect_nothing_left();
}

#[test]
fn a_question_while_we_are_a_background_job_waits_for_the_foreground() {
    let (dir, server) = (Dir::new(), Http::v4());
    let mut terminal = Terminal::shell(&dir);
    let hallpass = env!("CARGO_BIN_EXE_hallpass");
    terminal.send_line(&format!(
        "{hallpass} run --prompt=tty --default ask -- curl -s {} &",
        server.url()
    ));
    terminal.expect("outer> ");
    std::thread::sleep(Duration::from_secs(1));
    // The shell has the terminal: nothing of ours may take it.
    editing_works(&mut terminal, "outer> ");
    assert_eq!(server.connections(), 0);
    terminal.send_line("fg");
    terminal.question();
    terminal.send("y");
    terminal.expect("page from the test's server");
    terminal.expect("outer> ");
    terminal.send_line("exit");
    terminal.wait();
}

#[test]
fn ctrl_c_reaches_the_command_once() {
    if missing("python3") {
        return;
    }
    let dir = Dir::new();
    let mut terminal = Terminal::spawn(dir.run(
        &["--default", "allow"],
        &[
            "python3",
            "-uc",
            "import signal, time\n\
             signal.signal(signal.SIGINT, lambda *_: print('interrupted'))\n\
             print('ready')\n\
             end = time.time() + 1\n\
             while time.time() < end: time.sleep(0.05)\n\
             print('done')",
        ],
    ));
    terminal.expect("ready\n");
    terminal.send("\u{3}");
    let between = terminal.expect("done");
    assert_eq!(between.matches("interrupted").count(), 1, "{between}");
    assert_eq!(terminal.wait().code(), Some(0));
}

#[test]
fn ctrl_backslash_reaches_the_command() {
    let dir = Dir::new();
    let mut terminal = Terminal::spawn(dir.run(
        &["--default", "allow"],
        &["sh", "-c", "ulimit -c 0; echo ready; exec sleep 30"],
    ));
    terminal.expect("ready");
    terminal.send("\u{1c}");
    assert_eq!(terminal.wait().signal(), Some(Signal::SIGQUIT as i32));
    dir.expect_nothing_left();
}

#[test]
fn the_window_size_reaches_the_command_also_when_it_changes() {
    let dir = Dir::new();
    let mut terminal = Terminal::spawn(dir.run(
        &["--default", "allow"],
        &[
            "sh",
            "-c",
            "trap 'stty size' WINCH; stty size; echo ready; while :; do sleep 0.05; done",
        ],
    ));
    terminal.expect("30 100");
    terminal.expect("ready");
    terminal.resize(41, 133);
    terminal.expect("41 133");
    terminal.send("\u{3}");
    assert_eq!(terminal.wait().signal(), Some(Signal::SIGINT as i32));
}

/// The test's SSH server, and its port.
fn ssh_server(dir: &Dir) -> (Running, String) {
    let script = dir.script("ssh_server.py", include_str!("fixtures/ssh_server.py"));
    let server = dir.bare(&["python3", &script]).spawn();
    server.expect_stdout("port ");
    let port = eventually("the whole line with the port", || {
        let text = server.stdout();
        let line = text.lines().next().filter(|_| text.contains('\n'))?;
        line.strip_prefix("port ").map(str::to_owned)
    });
    (server, port)
}

#[test]
fn a_question_during_sshs_password_prompt_leaves_the_password_to_ssh() {
    if missing("ssh") || missing("python3") {
        return;
    }
    let (dir, web) = (Dir::new(), Http::v4());
    let (server, port) = ssh_server(&dir);
    let ssh = format!(
        "ssh -p {port} -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null \
         -o PreferredAuthentications=password -o LogLevel=ERROR user@127.0.0.1 hello"
    );
    let mut terminal = bash(&dir, &["--allow", &format!("127.0.0.1:{port}")]);
    terminal.send_line(&format!("(sleep 2; curl -s {} > page) &", web.url()));
    terminal.expect("inner> ");
    terminal.send_line(&ssh);
    terminal.expect("password:");
    terminal.question();
    terminal.send("y");
    eventually("the background curl's page", || {
        dir.path("home/page")
            .metadata()
            .is_ok_and(|it| it.len() > 0)
            .then_some(())
    });
    terminal.send_line("correct horse");
    terminal.expect("ran hello");
    terminal.expect("inner> ");
    server.expect_stdout("password 'correct horse'");
    // The password was not echoed: ssh's terminal mode was put back.
    assert!(!terminal.plain().contains("correct horse"));
    editing_works(&mut terminal, "inner> ");
    terminal.send_line("exit");
    terminal.wait();
}

#[test]
fn ssh_is_asked_about_and_then_reads_its_password() {
    if missing("ssh") || missing("python3") {
        return;
    }
    let dir = Dir::new();
    let (server, port) = ssh_server(&dir);
    let mut terminal = in_terminal(
        &dir,
        &[],
        &[
            "ssh",
            "-p",
            &port,
            "-o",
            "StrictHostKeyChecking=no",
            "-o",
            "UserKnownHostsFile=/dev/null",
            "-o",
            "PreferredAuthentications=password",
            "-o",
            "LogLevel=ERROR",
            "user@127.0.0.1",
            "hello",
        ],
    );
    terminal.question();
    terminal.send("y");
    terminal.expect("password:");
    terminal.send_line("battery staple");
    terminal.expect("ran hello");
    assert_eq!(terminal.wait().code(), Some(0));
    server.expect_stdout("password 'battery staple'");
    assert!(!terminal.plain().contains("battery staple"));
}

#[test]
fn a_line_half_typed_in_canonical_mode_is_announced_as_gone() {
    let (dir, server) = (Dir::new(), Http::v4());
    let script = format!(
        "(sleep 1; curl -s {} > page) & echo ready; exec cat",
        server.url()
    );
    let mut terminal = in_terminal(&dir, &[], &["sh", "-c", &script]);
    terminal.expect("ready");
    terminal.send("half a li");
    terminal.expect("half a li");
    let question = terminal.question();
    assert!(question.contains("type it again"), "{question}");
    terminal.send("y");
    eventually("the background curl's page", || {
        dir.path("home/page")
            .metadata()
            .is_ok_and(|it| it.len() > 0)
            .then_some(())
    });
    // The program gets a whole line, without the half and without the answer.
    terminal.send_line("whole line");
    terminal.expect("whole line\nwhole line\n");
    terminal.send("\u{4}");
    assert_eq!(terminal.wait().code(), Some(0));
}

#[test]
fn python_interactive_is_asked_twenty_times_in_a_row() {
    if missing("python3") {
        return;
    }
    let (dir, server) = (Dir::new(), Http::v4());
    let mut terminal = in_terminal(&dir, &[], &["python3", "-i", "-q"]);
    terminal.expect(">>> ");
    for i in 0..20 {
        terminal.send_line(&format!(
            "__import__('socket').socket().connect_ex(('127.0.0.1', {})) + {i}000",
            server.port()
        ));
        terminal.question();
        terminal.answer_once(i % 2 == 0);
        // 0, or ECONNREFUSED.
        let result = i * 1000 + if i % 2 == 0 { 0 } else { 111 };
        terminal.expect(&format!("\n{result}\n"));
        terminal.expect(">>> ");
    }
    terminal.send_line("exit()");
    assert_eq!(terminal.wait().code(), Some(0));
    assert_eq!(server.connections(), 10);
    dir.expect_nothing_left();
}
