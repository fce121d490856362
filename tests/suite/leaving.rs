//! Work that leaves the session, and what a desktop needs: a bus that starts programs, a program
//! that was there before, GTK and Qt programs on a screen.

use crate::guarded::log;
use crate::harness::{Dir, Http, eventually, missing, skipped};
use std::process::{Child, Command, Stdio};

/// A process that ends with the case.
struct Background(Child);

impl Background {
    fn start(command: &mut Command) -> Self {
        Self(command.stdin(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A session bus, which starts `org.example.Fetch` by a service file.
fn bus(dir: &Dir, service: &str) -> Background {
    dir.write(
        "data/dbus-1/services/org.example.Fetch.service",
        format!("[D-BUS Service]\nName=org.example.Fetch\nExec={service}\n"),
    );
    let bus = dir.path("run/bus");
    let mut command = Command::new("dbus-daemon");
    command
        .args(["--session", "--nofork", "--nopidfile"])
        .arg(format!("--address=unix:path={}", bus.display()))
        .env("XDG_DATA_HOME", dir.path("data"))
        .env("XDG_RUNTIME_DIR", dir.path("run"))
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let running = Background::start(&mut command);
    eventually("the bus", || bus.exists().then_some(()));
    running
}

fn coverage(dir: &Dir) -> Vec<String> {
    let lines = log(dir, "coverage").into_iter();
    lines
        .map(|line| line["text"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn what_a_bus_starts_is_not_of_the_session_and_that_is_said() {
    if missing("dbus-daemon") || missing("dbus-send") {
        return;
    }
    let (dir, server) = (Dir::new(), Http::v4());
    let fetch = format!("#!/bin/sh\nexec curl -s -o /dev/null {}\n", server.url());
    let service = dir.script("home/fetch", &fetch);
    let _bus = bus(&dir, &service);
    // Where systemd has it, in a /run of the case's own.
    let script = r#"mount -t tmpfs none /run && mkdir -p /run/user/0 && mount --bind "$0" /run/user/0 &&
        exec "$@""#;
    let run = |flags: &[&str]| {
        let mut words = vec!["unshare", "-rm", "sh", "-c", script];
        let run = dir.path("run");
        words.extend([run.to_str().unwrap(), env!("CARGO_BIN_EXE_hallpass"), "run"]);
        words.extend(["--guard=on", "--prompt=none", "-v"]);
        words.extend(flags);
        words.extend(["--", "dbus-send", "--session", "--dest=org.example.Fetch"]);
        words.extend(["/", "org.example.Fetch.Go"]);
        let address = "unix:path=/run/user/0/bus";
        let run = dir.bare(&words).env("DBUS_SESSION_BUS_ADDRESS", address);
        run.output()
    };
    let can = dir.bare(&["unshare", "-rm", "mount", "-t", "tmpfs", "none", "/run"]);
    if !can.output().status.success() {
        skipped("no mount namespace can be had here");
        return;
    }
    // It asks nothing, and what the bus has started connects.
    run(&["--default=ask", "--deny=127.0.0.1"])
        .ok()
        .says("/bus: ")
        .says("dbus-send")
        .says("uses dbus-daemon[")
        .says("programs that are started over it are not of this session");
    eventually("the activated program", || {
        (server.connections() == 1).then_some(())
    });
    let lines = coverage(&dir);
    assert_eq!(lines.len(), 1, "{lines:?}");
    // Closed by a rule, and where the default is deny.
    for flags in [
        &["--default=ask", "--deny=@desktop"][..],
        &["--default=deny"],
    ] {
        run(flags).failed().says("deny");
    }
    assert_eq!(server.connections(), 1);
}

/// A first instance that takes over: what it is told over its socket it does outside.
#[test]
fn a_program_that_was_there_before_is_named() {
    if missing("socat") {
        return;
    }
    let dir = Dir::new();
    let path = dir.path("home/first.sock");
    let mut first = Command::new("socat");
    first.arg(format!("UNIX-LISTEN:{},fork", path.display()));
    first.arg("EXEC:cat");
    let _first = Background::start(&mut first);
    eventually("the first instance", || path.exists().then_some(()));
    let inside = dir.path("home/inside.sock");
    let script = format!(
        "for i in 1 2; do echo page | socat - UNIX-CONNECT:{0}; done
         socat UNIX-LISTEN:{1} - & until test -S {1}; do sleep 0.05; done
         echo own | socat - UNIX-CONNECT:{1}; wait",
        path.display(),
        inside.display()
    );
    let flags = ["--guard=on", "--prompt=none", "-v", "--default=deny"];
    let outcome = dir.run(&flags, &["sh", "-c", &script]).output().ok();
    outcome.prints("own").says("uses socat[");
    let lines = coverage(&dir);
    // Once; a socket of the session's own is nothing to be said of.
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("home/first.sock: what that connects to is not decided"));
}

#[test]
#[ignore = "long: tests/run --full"]
fn programs_with_windows_start_and_ask_nothing() {
    for tool in ["Xvfb", "xdotool", "dbus-daemon"] {
        if missing(tool) {
            return;
        }
    }
    let (dir, number) = (Dir::new(), std::process::id() % 10_000 + 20_000);
    let display = format!(":{number}");
    let mut server = Command::new("Xvfb");
    server.args([&*display, "-nolisten", "tcp", "-noreset"]);
    let _server = Background::start(server.stderr(Stdio::null()));
    let _bus = bus(&dir, "/bin/false");
    let address = format!("unix:path={}", dir.path("run/bus").display());
    let look = |what: &[&str]| {
        let mut xdotool = Command::new("xdotool");
        let output = xdotool.args(what).env("DISPLAY", &display).output();
        let output = output.unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    eventually("the screen", || {
        look(&["getdisplaygeometry"]).contains("1280").then_some(())
    });
    // GTK, and Qt.
    for program in [&["zenity", "--info", "--text=hello"][..], &["featherpad"]] {
        if missing(program[0]) {
            continue;
        }
        for default in ["--default=ask", "--default=deny"] {
            let flags = ["--guard=on", "--prompt=none", "--ask-timeout=60s", default];
            let running = dir
                .run(&flags, program)
                .env("DISPLAY", &display)
                .env("DBUS_SESSION_BUS_ADDRESS", &address)
                .spawn();
            eventually("its window", || {
                let windows = look(&["search", "--onlyvisible", "--name", "."]);
                (!windows.is_empty()).then_some(())
            });
            running.signal(nix::sys::signal::Signal::SIGTERM);
            running.finish();
            dir.expect_nothing_left();
            assert_eq!(log(&dir, "asked").len(), 0, "{program:?} {default}");
            let denied = log(&dir, "decided")
                .into_iter()
                .filter(|line| line["verdict"] == "deny")
                .map(|line| line["address"].as_str().unwrap_or_default().to_owned());
            for address in denied {
                // Nothing but the bus, over which programs are started, where all is denied.
                assert_eq!(default, "--default=deny", "{address}");
                assert!(address.ends_with("/bus"), "{address}");
            }
        }
    }
    if missing("zenity") && missing("featherpad") {
        skipped("no program with windows to start");
    }
}
