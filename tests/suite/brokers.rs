//! Brokers: UNIX sockets of programs that connect, or start programs, for whoever asks. Stand-ins
//! listen at the known paths, in a /run of the case's own.

use crate::guarded::log;
use crate::harness::{Control, Dir, Outcome, TestCommand, missing};

/// Listens at paths, says hello to each caller, and writes down at which path it came; of nscd's
/// also which of its tables was wanted (`hosts`, `passwd`).
const EAR: &str = "
import os, selectors, socket, sys
arrived, paths = sys.argv[1], sys.argv[2:]
ears = selectors.DefaultSelector()
for path in paths:
    s = socket.socket(socket.AF_UNIX)
    if path[0] == '@':
        s.bind('\\0' + path[1:])
    else:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        s.bind(path)
    s.listen(64)
    ears.register(s, selectors.EVENT_READ, path)
open(arrived + '.ready', 'w').close()
while True:
    for key, _ in ears.select():
        connection, _ = key.fileobj.accept()
        wanted = ''
        if 'nscd' in key.data:
            connection.settimeout(2)
            try: wanted = ' ' + ascii(connection.recv(256)[12:])
            except TimeoutError: pass
        with open(arrived, 'a') as file: file.write(key.data + wanted + '\\n')
        connection.send(b'hello')
        connection.close()
";

/// Connects to each path, and says how that went.
const DIAL: &str = "
import socket, sys
for path in sys.argv[1:]:
    s = socket.socket(socket.AF_UNIX)
    try: s.connect(path.replace('@', '\\0', 1) if path[0] == '@' else path)
    except OSError as e: print(path, e.strerror)
    else: print(path, s.recv(9).decode())
";

/// In a mount namespace of its own: a fresh /run, the listener, what the case prepares, and then
/// the program.
const STAGE: &str = r#"
mount -t tmpfs none /run || exit 97
arrived=$1 prepare=$2 paths=$3; shift 3
python3 "$HOME/ear.py" "$arrived" $paths & ear=$!
n=0; until test -e "$arrived.ready"; do n=$((n+1)); test $n = 200 && exit 96; sleep 0.05; done
eval "$prepare" || exit 95
"$@"; status=$?
kill $ear; exit $status
"#;

const DOCKER: &str = "/run/docker.sock";
const BROKERS: &[&str] = &[
    DOCKER,
    "/run/user/0/docker.sock",
    "/run/podman/podman.sock",
    "/run/user/0/podman/podman.sock",
    "/run/containerd/containerd.sock",
    "/run/systemd/private",
    "/run/user/0/systemd/private",
    "/run/dbus/system_bus_socket",
];
const NAME_SERVICES: &[&str] = &[
    "/run/nscd/socket",
    "/run/systemd/resolve/io.systemd.Resolve",
];
const ASKING: [&str; 5] = [
    "--default=ask",
    "--prompt=none",
    "--ask-timeout",
    "60s",
    "-v",
];

/// A case's own /run.
struct Stage {
    dir: Dir,
}

impl Stage {
    /// None where it cannot be made here.
    fn new() -> Option<Self> {
        if missing("python3") || missing("unshare") {
            return None;
        }
        let dir = Dir::new();
        let can = dir.bare(&["unshare", "-rm", "mount", "-t", "tmpfs", "none", "/run"]);
        if !can.output().status.success() {
            crate::harness::skipped("no mount namespace can be had here");
            return None;
        }
        dir.write("home/ear.py", EAR);
        Some(Self { dir })
    }

    /// `hallpass run FLAGS -- COMMAND` with listeners at `paths`, after `prepare` (shell).
    fn command(&self, prepare: &str, paths: &[&str], flags: &[&str], run: &[&str]) -> TestCommand {
        let arrived = self.dir.path("home/arrived");
        for file in [arrived.clone(), self.dir.path("home/arrived.ready")] {
            std::fs::remove_file(file).ok();
        }
        let (arrived, paths) = (arrived.to_str().unwrap(), paths.join(" "));
        let mut words = vec!["unshare", "-rm", "sh", "-c", STAGE, "sh"];
        words.extend([arrived, prepare, &paths]);
        words.extend([env!("CARGO_BIN_EXE_hallpass"), "run"]);
        words.extend(flags);
        words.push("--");
        words.extend(run);
        self.dir.bare(&words)
    }

    /// Dials each of `dialled` and gives the outcome.
    fn dial(&self, prepare: &str, paths: &[&str], flags: &[&str], dialled: &[&str]) -> Outcome {
        let script = self.dir.script("dial.py", DIAL);
        let mut run = vec!["python3", script.as_str()];
        run.extend(dialled);
        self.command(prepare, paths, flags, &run).output().ok()
    }

    /// The paths at which somebody arrived.
    fn arrived(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.dir.path("home/arrived")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}

fn said(paths: &[&str], word: &str) -> String {
    paths
        .iter()
        .map(|path| format!("{path} {word}\n"))
        .collect()
}

const REFUSED: &str = "Connection refused";

#[test]
fn brokers_are_refused_where_the_default_is_deny_and_allowed_by_rule() {
    let Some(stage) = Stage::new() else { return };
    let all: Vec<&str> = BROKERS.iter().chain(NAME_SERVICES).copied().collect();
    let outcome = stage.dial("", &all, &["--default=deny", "-v"], &all);
    assert_eq!(outcome.stdout, said(&all, REFUSED), "{outcome}");
    // hallpass itself has nscd look up who runs it.
    let mut arrived = stage.arrived();
    arrived.retain(|path| !path.starts_with("/run/nscd/socket"));
    assert!(arrived.is_empty(), "{arrived:?}");
    let decided = log(&stage.dir, "decided");
    assert_eq!(decided.len(), BROKERS.len(), "{outcome}");
    for (line, path) in decided.iter().zip(BROKERS) {
        assert_eq!(line["address"], format!("unix:{path}"));
        assert_eq!(
            (&line["proto"], &line["verdict"]),
            (&"unix".into(), &"deny".into())
        );
    }
    outcome.says("unix:/run/docker.sock");

    let flags = ["--default=deny", "--allow=@broker"];
    let outcome = stage.dial("", &all, &flags, &all);
    assert_eq!(outcome.stdout, said(&all, "hello"), "{outcome}");
    let arrived = stage.arrived();
    assert!(
        all.iter()
            .all(|path| arrived.iter().any(|it| it.starts_with(path)))
    );

    // Another name of the same directory, and a rule that is about one socket only.
    let flags = ["--default=deny", "--allow=unix:/var/run/docker.sock"];
    let outcome = stage.dial("", &all, &flags, &[DOCKER, "/run/podman/podman.sock"]);
    let expected = format!("{DOCKER} hello\n/run/podman/podman.sock {REFUSED}\n");
    assert_eq!(outcome.stdout, expected, "{outcome}");

    let flags = ["--default=allow", "--deny=unix:/run/docker.sock"];
    let outcome = stage.dial("", &all, &flags, &[DOCKER, "/run/podman/podman.sock"]);
    let expected = format!("{DOCKER} {REFUSED}\n/run/podman/podman.sock hello\n");
    assert_eq!(outcome.stdout, expected, "{outcome}");
}

#[test]
fn a_broker_is_asked_about() {
    let Some(stage) = Stage::new() else { return };
    let script = stage.dir.script("dial.py", DIAL);
    for (verdict, word, arrived) in [("deny", REFUSED, 0), ("allow", "hello", 1)] {
        let run = ["python3", script.as_str(), DOCKER];
        let running = stage.command("", &[DOCKER], &ASKING, &run).spawn();
        let mut control = Control::connect(&stage.dir);
        control.subscribe();
        let question = control.question();
        assert_eq!(question["address"], "unix:/run/docker.sock");
        assert_eq!(question["protocol"], "unix");
        assert_eq!(question["place"], "socket");
        let offers = question["offers"].as_array().unwrap();
        let widths: Vec<_> = offers
            .iter()
            .map(|it| (&it["scope"], &it["to"][0]))
            .collect();
        assert_eq!(
            format!("{widths:?}"),
            r#"[(String("host"), String("unix:/run/docker.sock")), (String("any"), String("@broker"))]"#
        );
        assert!(stage.arrived().is_empty(), "not held");
        control.answer(&question, verdict);
        let outcome = running.finish().ok().says(&format!("{verdict}  "));
        assert_eq!(outcome.stdout, said(&[DOCKER], word), "{outcome}");
        assert_eq!(stage.arrived().len(), arrived);
    }
}

#[test]
fn a_broker_is_known_by_its_file() {
    let Some(stage) = Stage::new() else { return };
    let home = stage.dir.path("home");
    let at = |name: &str| home.join(name).to_str().unwrap().to_owned();
    let (link, mounted) = (at("link"), at("mounted"));
    let prepare = format!(
        "ln -s {DOCKER} {link} && touch {mounted} && mount --bind {DOCKER} {mounted} && \
         ln {DOCKER} /run/hard && mkdir -p /run/user/0 && ln -s {DOCKER} /run/user/0/wayland-0"
    );
    let again = format!("rm -f {link} {mounted}; {prepare}");
    let dialled = [&link, &mounted, "/run/hard", "/run/user/0/wayland-0"];
    let outcome = stage.dial(&again, &[DOCKER], &["--default=deny", "-v"], &dialled);
    assert_eq!(outcome.stdout, said(&dialled, REFUSED), "{outcome}");
    assert!(stage.arrived().is_empty());
    let addresses = log(&stage.dir, "decided");
    assert!(
        addresses
            .iter()
            .all(|it| it["address"] == "unix:/run/docker.sock")
    );

    // A path that is allowed does not allow a broker that was linked or mounted there.
    let rules = [&link, &mounted, "/run/hard"].map(|path| format!("--allow=unix:{path}"));
    let mut flags = vec!["--default=deny", "--allow=@desktop"];
    flags.extend(rules.iter().map(String::as_str));
    let outcome = stage.dial(&again, &[DOCKER], &flags, &dialled);
    // @desktop names the last one, which is a broker all the same.
    assert_eq!(outcome.stdout, said(&dialled, REFUSED), "{outcome}");

    // But a deny of a further path holds.
    let flags = ["--default=allow", "--deny=unix:/run/hard"];
    let outcome = stage.dial(&again, &[DOCKER], &flags, &[DOCKER, "/run/hard"]);
    assert_eq!(
        outcome.stdout,
        said(&[DOCKER, "/run/hard"], REFUSED),
        "{outcome}"
    );

    // The program moves it away, or mounts it where only it sees that.
    let script = stage.dir.script("dial.py", DIAL);
    for hide in [
        format!("mv {DOCKER} /run/moved && python3 {script} /run/moved"),
        format!(
            "touch /run/moved && unshare -rm sh -c 'mount --bind {DOCKER} /run/moved && \
             umount -l /run/none 2>/dev/null; python3 {script} /run/moved'"
        ),
    ] {
        let run = ["sh", "-c", hide.as_str()];
        let outcome = stage
            .command("", &[DOCKER], &["--default=deny"], &run)
            .output();
        assert!(stage.arrived().is_empty(), "{outcome}");
        assert_eq!(outcome.stdout, said(&["/run/moved"], REFUSED), "{outcome}");
    }
}

#[test]
fn other_sockets_pass_without_a_word_unless_a_rule_names_them() {
    let Some(stage) = Stage::new() else { return };
    let (own, other) = ("/run/own.sock", "@hallpass-test-own");
    let outcome = stage.dial("", &[own, other], &["--default=deny", "-v"], &[own, other]);
    assert_eq!(outcome.stdout, said(&[own, other], "hello"), "{outcome}");
    assert!(log(&stage.dir, "decided").is_empty(), "{outcome}");
    let flags = ["--default=allow", "--deny=unix:/run/own.sock", "-v"];
    let flags = [&flags[..], &["--deny=unix:@hallpass-test-own"]].concat();
    let outcome = stage.dial("", &[own, other], &flags, &[own, other]);
    assert_eq!(outcome.stdout, said(&[own, other], REFUSED), "{outcome}");
    outcome
        .says("unix:/run/own.sock")
        .says("flag: deny unix:@hallpass-test-own");
}

#[test]
fn what_a_desktop_needs_asks_no_question() {
    let Some(stage) = Stage::new() else { return };
    let (wayland, bus) = ("/run/user/0/wayland-0", "/run/user/0/bus");
    let both = [wayland, bus];
    let outcome = stage.dial("", &both, &ASKING, &both);
    assert_eq!(outcome.stdout, said(&both, "hello"), "{outcome}");
    assert!(log(&stage.dir, "asked").is_empty() && log(&stage.dir, "decided").is_empty());
    // Programs can be started over the bus.
    let outcome = stage.dial("", &both, &["--default=deny", "-v"], &both);
    let expected = format!("{wayland} hello\n{bus} {REFUSED}\n");
    assert_eq!(outcome.stdout, expected, "{outcome}");
    for (rule, word) in [("--allow=@desktop", "hello"), ("--deny=@desktop", REFUSED)] {
        let outcome = stage.dial("", &both, &["--default=deny", rule], &both);
        assert_eq!(outcome.stdout, said(&both, word), "{outcome}");
    }
}

#[test]
fn look_ups_go_on_without_nscd_and_quietly() {
    let Some(stage) = Stage::new() else { return };
    let paths = ["/run/nscd/socket"];
    let lookups = "for i in 1 2 3; do getent hosts localhost >/dev/null || exit 9; done";
    // hallpass itself has nscd look up who runs it.
    let hosts = || {
        let arrived = stage.arrived();
        arrived.iter().filter(|it| it.contains("hosts")).count()
    };
    for default in ["--default=deny", "--default=ask"] {
        let flags = [default, "--prompt=none", "-v"];
        let run = ["sh", "-c", lookups];
        let outcome = stage.command("", &paths, &flags, &run).output().ok();
        assert_eq!(hosts(), 0, "{outcome}");
        let lines = outcome
            .stderr
            .matches("through unix:/run/nscd/socket,")
            .count();
        assert_eq!(lines, 1, "{outcome}");
    }
    for kind in ["decided", "asked", "refused"] {
        let about = |line: &&serde_json::Value| line["proto"] == "unix" || kind != "decided";
        assert_eq!(
            log(&stage.dir, kind).iter().filter(about).count(),
            0,
            "{kind}"
        );
    }
    let flags = ["--default=deny", "--allow=unix:/run/nscd/socket"];
    let outcome = stage
        .command("", &paths, &flags, &["sh", "-c", lookups])
        .output()
        .ok();
    assert!(hosts() > 0, "{outcome}");
}

#[test]
fn a_real_bus_is_a_broker() {
    if missing("dbus-daemon") || missing("dbus-send") {
        return;
    }
    let Some(stage) = Stage::new() else { return };
    for address in [
        "unix:path=/run/dbus/system_bus_socket",
        "unix:abstract=/tmp/dbus-hallpass-test",
    ] {
        let prepare = format!(
            "mkdir -p /run/dbus && dbus-daemon --session --nosyslog --fork --address={address} \
             --print-pid >/run/pid && trap 'kill $(cat /run/pid)' EXIT"
        );
        let bus = format!("--bus={address}");
        let list = [
            "dbus-send",
            &bus,
            "--print-reply",
            "--dest=org.freedesktop.DBus",
            "/",
        ];
        let list = [&list[..], &["org.freedesktop.DBus.ListNames"]].concat();
        let run = |flags: &[&str]| stage.command(&prepare, &[], flags, &list).output();
        let outcome = run(&["--default=deny"]);
        assert!(!outcome.status.success(), "{outcome}");
        assert_eq!(outcome.stdout, "");
        run(&["--default=deny", "--allow=@broker", "--allow=@desktop"])
            .ok()
            .prints("org.freedesktop.DBus");
        run(&["--default=allow"])
            .ok()
            .prints("org.freedesktop.DBus");
        let outcome = run(&["--default=allow", "--deny=@broker", "--deny=@desktop"]);
        assert!(!outcome.status.success(), "{outcome}");
    }
}

#[test]
fn without_the_guard_brokers_are_not_seen() {
    let Some(stage) = Stage::new() else { return };
    let flags = ["--guard=off", "--default=deny"];
    let outcome = stage.dial("", &[DOCKER], &flags, &[DOCKER]);
    assert_eq!(
        outcome.stdout,
        said(&[DOCKER], "hello"),
        "docs/threat-model.md says so"
    );
}
