//! What happens to a program while its look-up is held (`--hold=name`): signals, jumps, forks, the
//! session's death. With the guard, which holds the call that reports the look-up, and without it,
//! where the hook waits at the ask socket.

use crate::guarded::log;
use crate::harness::{Dir, Http, eventually, missing};
use crate::hold::{GUARDS, allow_once, pending, run};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Looks `localhost` up with a port, and says whether it got anything.
const LOOK_UP: &str = "
import os, signal, socket, sys, threading, time
port = int(sys.argv[1])
def look_up():
    try:
        found = socket.getaddrinfo('localhost', port, socket.AF_INET, socket.SOCK_STREAM)
        print('found', found[0][4][0], flush=True)
    except socket.gaierror as error:
        print('failed', error.errno == socket.EAI_FAIL, flush=True)
";

fn python(script: &str) -> String {
    format!("{LOOK_UP}{script}")
}

/// The handler runs while the question waits, and the same look-up goes on to wait: also where a
/// signal comes again and again, and whether its handler was to restart calls or not.
#[test]
fn signals_are_handled_on_time_and_ask_nothing_again() {
    let upstream = Http::v4();
    let port = upstream.port().to_string();
    let script = python(
        "
r, w = os.pipe()
os.set_blocking(w, False)
signal.set_wakeup_fd(w)
signal.signal(signal.SIGUSR1, lambda *_: None)
signal.siginterrupt(signal.SIGUSR1, sys.argv[2] == 'interrupts')
def watch():
    while os.read(r, 1): print('handled', flush=True)
threading.Thread(target=watch, daemon=True).start()
signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGUSR1])
print('pid', os.getpid(), flush=True)
look_up()
",
    );
    for guard in GUARDS {
        for way in ["interrupts", "restarts"] {
            let dir = Dir::new();
            let words = ["python3", "-c", &script, &port, way];
            let running = run(&dir, guard, "name", &words).spawn();
            pending(&dir);
            let pid: i32 = eventually("its pid", || {
                running
                    .stdout()
                    .strip_prefix("pid ")?
                    .lines()
                    .next()?
                    .parse()
                    .ok()
            });
            for count in 1..=3 {
                kill(Pid::from_raw(pid), Signal::SIGUSR1).unwrap();
                eventually("its handler", || {
                    (running.stdout().matches("handled").count() == count).then_some(())
                });
            }
            assert!(!running.stdout().contains("found"), "{guard} {way}");
            allow_once(&dir);
            running.finish().ok().prints("found 127.0.0.1");
            assert_eq!(log(&dir, "asked").len(), 1, "{guard} {way}");
        }
    }
}

/// wget leaves getaddrinfo by siglongjmp(3) from a SIGALRM handler.
#[test]
fn a_program_may_jump_out() {
    if missing("wget") {
        return;
    }
    for guard in GUARDS {
        let (dir, upstream) = (Dir::new(), Http::v4());
        let script = "wget -4 -qO- --dns-timeout=1 -t1 \"$0\"; echo status $?; \
                      wget -4 -qO- -t1 \"$0\"";
        let url = upstream.url_as("localhost");
        let running = run(&dir, guard, "name", &["sh", "-c", script, &url]).spawn();
        pending(&dir);
        running.expect_stdout("status 4");
        assert_eq!(upstream.connections(), 0, "{guard}");
        // The second one asks in its own right.
        pending(&dir);
        allow_once(&dir);
        running.finish().ok().prints(crate::harness::PAGE);
        assert_eq!(upstream.connections(), 1, "{guard}");
    }
}

/// The child is a program of its own: it has no part in its parent's wait.
#[test]
fn another_thread_may_fork() {
    for guard in GUARDS {
        let (dir, upstream) = (Dir::new(), Http::v4());
        let port = upstream.port().to_string();
        let script = python(
            "
waits = threading.Thread(target=look_up)
waits.start()
while not os.path.exists('fork-now'): time.sleep(0.01)
if os.fork() == 0:
    look_up()
    os._exit(0)
waits.join()
os.wait()
",
        );
        let words = ["python3", "-W", "ignore", "-c", &script, &port];
        let running = run(&dir, guard, "name", &words).spawn();
        assert_eq!(pending(&dir)["waiting"], 1, "{guard}");
        dir.write("home/fork-now", "");
        eventually("the child's look-up in the same question", || {
            (pending(&dir)["waiting"] == 2).then_some(())
        });
        allow_once(&dir);
        let outcome = running.finish().ok();
        assert_eq!(outcome.stdout, "found 127.0.0.1\n".repeat(2), "{outcome}");
        assert_eq!(log(&dir, "asked").len(), 1, "{guard}");
    }
}

#[test]
fn many_wait_at_once() {
    for guard in GUARDS {
        let (dir, upstream) = (Dir::new(), Http::v4());
        let port = upstream.port().to_string();
        let script = python(
            "
all = [threading.Thread(target=look_up) for _ in range(200)]
for it in all: it.start()
for it in all: it.join()
",
        );
        let running = run(&dir, guard, "name", &["python3", "-c", &script, &port]).spawn();
        eventually("200 look-ups in one question", || {
            (pending(&dir)["waiting"] == 200).then_some(())
        });
        dir.hallpass(&["answer", "deny"]).output().ok();
        let outcome = running.finish().ok();
        assert_eq!(outcome.stdout, "failed True\n".repeat(200), "{outcome}");
    }
}

#[test]
fn time_that_runs_out_and_a_session_that_ends_refuse() {
    for guard in GUARDS {
        let (dir, upstream) = (Dir::new(), Http::v4());
        let port = upstream.port().to_string();
        let script = python("look_up()");
        let command = ["python3", "-c", script.as_str(), port.as_str()];
        let flags = ["--default=ask", "--prompt=none", "--hold=name", guard];
        let late = [&flags[..], &["--ask-timeout=1s"]].concat();
        dir.run(&late, &command).output().ok().prints("failed True");
        // The run's time is over before the program's.
        let late = [&flags[..], &["--ask-timeout=60s", "--timeout=2s"]].concat();
        let outcome = dir.run(&late, &command).output().code(124);
        assert!(!outcome.stdout.contains("found"), "{outcome}");
    }
}

#[test]
fn a_killed_session_lets_nothing_through() {
    for guard in GUARDS {
        let (dir, upstream) = (Dir::new(), Http::v4());
        let port = upstream.port().to_string();
        let script = python(
            "
look_up()
try: print(socket.create_connection(('127.0.0.1', port)))
except OSError: print('refused')
",
        );
        let running = run(&dir, guard, "name", &["python3", "-c", &script, &port]).spawn();
        pending(&dir);
        kill(Pid::from_raw(dir.session_pid()), Signal::SIGKILL).unwrap();
        let outcome = running.finish();
        assert!(outcome.stdout.contains("refused"), "{guard}: {outcome}");
        assert_eq!(upstream.connections(), 0, "{guard}");
        dir.expect_nothing_left();
    }
}
