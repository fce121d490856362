//! With the guard a name counts where the session has looked it up itself. Each case has a network
//! and a name server of its own.

use crate::guarded::log;
use crate::harness::{Dir, Outcome, eventually, missing, skipped};

const SERVER: &str = include_str!("fixtures/name_server.py");

/// What the programs of the cases share: `attempt(what)` says how a call went, and `claim(name,
/// address)` tells the session what no look-up gave.
const PROGRAM: &str = r#"
import ctypes, errno, os, socket, struct, sys, threading, time
libc = ctypes.CDLL(None, use_errno=True)
def attempt(what, *args):
    try: return what(*args) or 'yes'
    except OSError as e: return errno.errorcode.get(e.errno, str(e))
def note(body):
    bytes = b'hpNT\4\0' + body
    libc.connect(-1, bytes, len(bytes))
def claim(name, address):
    note(b'\2\0' + struct.pack('BB', len(name), 1) + bytes(4) + name + b'\4' + bytes(7) + socket.inet_aton(address) + bytes(12))
def connect(address, port=8080):
    s = socket.socket(); s.settimeout(20)
    s.connect((address, port))
def by_name(name):
    found = socket.getaddrinfo(name, 8080, socket.AF_INET, socket.SOCK_STREAM)
    connect(found[0][4][0])
    return found[0][4][0]
def listen(address, port=8080):
    s = socket.socket(); s.bind((address, port)); s.listen(50); return s
"#;

/// A network of its own for every case, with a name server.
struct Net {
    dir: Dir,
}

impl Net {
    /// None where it cannot be had.
    fn new() -> Option<Self> {
        if missing("python3") || missing("unshare") || missing("ip") {
            return None;
        }
        let dir = Dir::new();
        let may = dir.bare(&["unshare", "-r", "-m", "-n", "true"]).output();
        if !may.status.success() {
            skipped("this user may not make user, mount and network namespaces");
            return None;
        }
        dir.write("home/server.py", SERVER);
        dir.write("resolv.conf", "nameserver 127.0.0.1\n");
        dir.write("hosts", "127.0.0.5 written.test\n");
        dir.write("nsswitch.conf", "hosts: files dns\n");
        Some(Self { dir })
    }

    /// Runs a program with servers at 127.0.0.5 to .9, port 8080, outside of the session.
    fn run(&self, flags: &[&str], program: &str) -> Outcome {
        self.dir
            .write("home/case.py", format!("{PROGRAM}\n{program}"));
        let keep = "import socket, time
keep = []
for last in range(5, 10):
    s = socket.socket(); s.bind(('127.0.0.%d' % last, 8080)); s.listen(50); keep.append(s)
open('listening', 'w').write('yes')
time.sleep(300)";
        self.dir.write("home/keep.py", keep);
        let mut flags = flags.join(" ");
        if !flags.contains("--guard") {
            flags.push_str(" --guard=on");
        }
        let script = format!(
            "set -e; ip link set lo up
             for file in hosts resolv.conf nsswitch.conf; do mount --bind ../$file /etc/$file; done
             rm -f listening asked
             python3 server.py asked & server=$!
             python3 keep.py & keep=$!
             trap 'kill $server $keep' EXIT
             until test -s asked && test -s listening; do sleep 0.05; done
             set +e
             {} run {flags} -- python3 case.py",
            env!("CARGO_BIN_EXE_hallpass"),
        );
        self.dir
            .bare(&["unshare", "-r", "-m", "-n", "sh", "-c", &script])
            .output()
    }

    /// How often a name was asked for, by whomever.
    fn asked(&self, question: &str) -> usize {
        let text = std::fs::read_to_string(self.dir.path("home/asked")).unwrap();
        text.lines().filter(|line| *line == question).count()
    }

    /// Verdicts to addresses other than the name server's: address, verdict, why.
    fn decided(&self) -> Vec<(String, String, String)> {
        eventually("the log", || {
            let lines = log(&self.dir, "decided");
            (!log(&self.dir, "totals").is_empty()).then_some(lines)
        })
        .into_iter()
        .filter(|line| line["port"] != 53)
        .map(|line| {
            let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
            let source = &line["source"];
            let why = [&source["rule"], &source["reason"], &source["from"]]
                .into_iter()
                .find(|it| it.is_string())
                .unwrap();
            (text(&line["address"]), text(&line["verdict"]), text(why))
        })
        .collect()
    }
}

#[test]
fn a_name_of_a_rule_is_looked_up_by_the_session() {
    let Some(net) = Net::new() else { return };
    let program = "print(attempt(by_name, 'one.test'), attempt(by_name, 'written.test'))
print(attempt(connect, '127.0.0.7'), attempt(connect, '127.0.0.8'))";
    let flags = [
        "--default=deny",
        "--allow=one.test:8080",
        "--allow=written.test",
    ];
    let outcome = net.run(&flags, program).ok();
    // The second line: whoever connects to an address that the session has seen for the name.
    assert_eq!(
        outcome.stdout, "127.0.0.7 127.0.0.5\nyes ECONNREFUSED\n",
        "{outcome}"
    );
    let names = log(&net.dir, "decided");
    let verified = names
        .iter()
        .filter(|line| line["names"][0]["trust"] == "verified");
    assert_eq!(verified.count(), 3);
}

#[test]
fn a_name_that_is_only_claimed_allows_nothing() {
    let Some(net) = Net::new() else { return };
    let program = "claim(b'one.test', '127.0.0.9')
print(attempt(connect, '127.0.0.9'))
claim(b'other.test', '127.0.0.8')
print(attempt(connect, '127.0.0.8'))";
    let flags = ["--default=deny", "--allow=one.test"];
    let outcome = net.run(&flags, program).ok();
    assert_eq!(outcome.stdout, "ECONNREFUSED\nECONNREFUSED\n", "{outcome}");
    assert_eq!(
        net.decided()
            .iter()
            .map(|(address, verdict, why)| format!("{address} {verdict} {why}"))
            .collect::<Vec<_>>(),
        ["127.0.0.9 deny name-not-verified", "127.0.0.8 deny default"]
    );
    // Three times, and not once for a name that no rule could allow.
    assert_eq!(net.asked("one.test A"), 3);
    assert_eq!(net.asked("other.test A"), 0);
}

#[test]
fn a_name_with_other_addresses_each_time_is_looked_up_again() {
    let Some(net) = Net::new() else { return };
    let program =
        "print(all(attempt(by_name, 'rotating.test').startswith('127') for _ in range(6)))";
    let flags = ["--default=deny", "--allow=rotating.test"];
    net.run(&flags, program).ok().prints("True");
}

#[test]
fn a_denied_name_is_denied_to_programs_that_say_none() {
    let Some(net) = Net::new() else { return };
    let program = "print(attempt(connect, '127.0.0.7'), attempt(connect, '127.0.0.6'))
claim(b'one.test', '127.0.0.6')
print(attempt(connect, '127.0.0.6'))";
    let flags = ["--default=allow", "--deny=one.test"];
    let outcome = net.run(&flags, program).ok();
    // Whoever claims a name that is denied is believed.
    assert_eq!(
        outcome.stdout, "ECONNREFUSED yes\nECONNREFUSED\n",
        "{outcome}"
    );
}

#[test]
fn where_the_program_may_not_ask_name_servers_the_session_does_not_for_it() {
    let Some(net) = Net::new() else { return };
    let program = "claim(b'secret.one.test', '127.0.0.7')
print(attempt(connect, '127.0.0.7'))
print(attempt(by_name, 'one.test'))";
    let flags = ["--default=deny", "--allow=*.one.test", "--deny=@dns"];
    let outcome = net.run(&flags, program).ok();
    assert!(outcome.stdout.starts_with("ECONNREFUSED\n"), "{outcome}");
    assert_eq!(net.asked("secret.one.test A"), 0);
    assert_eq!(net.asked("one.test A"), 0, "@dns is denied");
}

#[test]
fn name_servers_are_no_question_and_a_rule_can_ask() {
    let Some(net) = Net::new() else { return };
    let program = "print(len(socket.getaddrinfo('many.test', 80, type=socket.SOCK_STREAM)))";
    let nobody = ["--default=ask", "--prompt=none"];
    net.run(&nobody, program).ok().prints("3\n");
    let asks = [&nobody[..], &["--ask=@dns"]].concat();
    net.run(&asks, program).failed();
}

#[test]
fn a_public_name_of_a_local_address_is_pointed_out() {
    let Some(net) = Net::new() else { return };
    let program = "print(attempt(by_name, 'inside.example'))";
    let flags = ["-v", "--default=deny", "--allow=inside.example"];
    let outcome = net.run(&flags, program).ok();
    assert_eq!(outcome.stdout, "ECONNREFUSED\n");
    outcome.says("DNS rebinding");
}

#[test]
fn a_look_up_of_many_addresses_asks_nobody_and_sorts_as_it_does_bare() {
    let Some(net) = Net::new() else { return };
    let program =
        "print([a[4][0] for a in socket.getaddrinfo('many.test', 80, type=socket.SOCK_STREAM)])
print([a[4][0] for a in socket.getaddrinfo(None, 80, type=socket.SOCK_STREAM)])";
    let flags = ["--default=deny", "--allow=many.test:1", "--fail-on-block"];
    let strict = net.run(&flags, program).ok();
    assert_eq!(net.decided(), [], "a probe was decided");
    let free = net.run(&["--default=allow"], program).ok();
    assert_eq!(strict.stdout, free.stdout);
    assert!(strict.stdout.contains("127.0.0.8"), "{strict}");
}

#[test]
fn a_name_that_no_rule_could_allow_is_told_to_nobody() {
    let Some(net) = Net::new() else { return };
    let program = "
def resolve(name): return socket.getaddrinfo(name, 8080, socket.AF_INET)[0][4][0]
libc.gethostbyname.restype = ctypes.POINTER(ctypes.c_char)
libc.__h_errno_location.restype = ctypes.POINTER(ctypes.c_int)
def host(name): return 'yes' if libc.gethostbyname(name.encode()) else str(libc.__h_errno_location()[0])
for name in 'one.test', 'x.zone.test', 'other.test', 'zone.test', 'written.test', '127.0.0.9':
    print(name, attempt(resolve, name), attempt(host, name))
";
    for guard in ["--guard=on", "--guard=off"] {
        let rules = [
            "--default=deny",
            "--allow=one.test:1",
            "--allow=*.zone.test",
        ];
        let flags = [&[guard, "-v"], &rules[..]].concat();
        let outcome = net.run(&flags, program).ok();
        let lines: Vec<&str> = outcome.stdout.lines().collect();
        assert_eq!(lines[0], "one.test 127.0.0.7 yes", "{outcome}");
        assert!(lines[1].contains("No address associated"), "{outcome}");
        for line in &lines[2..4] {
            assert!(
                line.contains("Non-recoverable failure in name resolution"),
                "{outcome}"
            );
            assert!(line.ends_with("3"), "gethostbyname: {outcome}");
        }
        assert_eq!(
            lines[4..],
            ["written.test 127.0.0.5 yes", "127.0.0.9 127.0.0.9 yes",],
            "{outcome}"
        );
        let outcome = outcome.says("a look-up of other.test");
        outcome.says("no rule could allow it");
        assert!(net.asked("one.test A") > 0 && net.asked("x.zone.test A") > 0);
        assert_eq!(net.asked("other.test A") + net.asked("zone.test A"), 0);
        // An address may have any name; who is asked may allow it; nothing is refused in an audit.
        for opens in [
            &[guard, "--default=deny", "--allow=127.0.0.0/8"][..],
            &[guard, "--default=ask", "--prompt=none"],
            &[guard, "--default=deny", "--audit"],
            &[guard, "--default=deny", "--ask=other.test"],
        ] {
            net.run(opens, program).ok();
            assert!(net.asked("other.test A") > 0, "{opens:?}");
        }
        let blocked = [guard, "--default=deny", "--fail-on-block"];
        net.run(&blocked, program).code(111);
    }
}

#[test]
fn a_nested_run_has_nothing_looked_up_that_it_could_not_open() {
    let Some(net) = Net::new() else { return };
    let inner = "
import subprocess
inner = \"\"\"
import socket
for name in 'one.test', 'other.test', 'written.test':
    try: print(name, socket.getaddrinfo(name, 8080, socket.AF_INET)[0][4][0])
    except OSError as error: print(name, error)
\"\"\"
rules = ['--default=deny', '--allow=one.test']
subprocess.run([HALLPASS, 'run', *rules, '--', 'python3', '-c', inner], check=True)
";
    let program = format!("HALLPASS = '{}'{inner}", env!("CARGO_BIN_EXE_hallpass"));
    for guard in ["--guard=on", "--guard=off"] {
        let outcome = net.run(&[guard, "-v", "--default=allow"], &program).ok();
        let lines: Vec<&str> = outcome.stdout.lines().collect();
        assert_eq!(lines[0], "one.test 127.0.0.7", "{outcome}");
        assert!(lines[1].contains("Non-recoverable failure"), "{outcome}");
        assert_eq!(lines[2], "written.test 127.0.0.5", "{outcome}");
        outcome.says("a look-up of other.test");
        assert!(net.asked("one.test A") > 0);
        assert_eq!(net.asked("other.test A"), 0);
    }
}

#[test]
fn a_program_that_pretends_to_look_up_sends_nothing() {
    let Some(net) = Net::new() else { return };
    let program = "there = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
there.bind(('127.0.0.1', 9999)); there.settimeout(0.5)
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
note(b'\\1\\0\\0\\0')
print(attempt(s.connect, ('127.0.0.1', 9999)), s.getsockname()[0])
print(attempt(s.send, b'x'), attempt(os.write, s.fileno(), b'x'), attempt(s.sendmsg, [b'x', b'y']))
print(attempt(s.sendto, b'x', ('127.0.0.1', 9999)))
print(attempt(there.recv, 10))";
    let outcome = net.run(&["--default=deny"], program).ok();
    let lines: Vec<&str> = outcome.stdout.lines().collect();
    assert_eq!(lines[0], "yes 127.0.0.1", "{outcome}");
    assert_eq!(lines[1], "EPIPE EPIPE EPIPE", "{outcome}");
    assert!(["EPIPE", "ECONNREFUSED"].contains(&lines[2]), "{outcome}");
    assert!(lines[3].contains("timed out"), "{outcome}");
}
