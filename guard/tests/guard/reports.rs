//! Reports of a hook that wait for a reply, on no socket: held as calls are.

use crate::support::{Decider, start, text, wait_until};
use hallpass_guard::{Verdict, Withdrawn};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Reports by `say()`, which returns the name of the errno.
const SAY: &str = "
import ctypes, errno, os, signal, threading, time
libc = ctypes.CDLL(None, use_errno=True)
def say(text=b'report'):
    assert libc.connect(-1, text, len(text)) == -1
    return errno.errorcode[ctypes.get_errno()]
";

fn saying(script: &str) -> Command {
    let mut command = Command::new("python3");
    command.args(["-c", &format!("{SAY}{script}")]);
    command
}

fn holding() -> Arc<Decider> {
    let decider = Decider::allow();
    decider.reports_wait.store(true, Ordering::Relaxed);
    decider
}

fn reports(decider: &Decider) -> usize {
    decider.reports.lock().unwrap().len()
}

#[test]
fn a_held_report_fails_by_its_verdict() {
    for (verdict, said) in [
        (Some(Verdict::Allow), "EBADF"),
        (Some(Verdict::Deny), "ECONNREFUSED"),
        // The reply is dropped.
        (None, "ECONNREFUSED"),
    ] {
        let decider = holding();
        let (child, _) = start(&mut saying("print(say())"), &decider);
        decider.wait_for_held(1);
        match verdict {
            Some(verdict) => decider.settle(verdict),
            None => decider.held.lock().unwrap().clear(),
        }
        assert_eq!(text(&child.wait_with_output().unwrap()), said);
    }
}

#[test]
fn hundreds_wait_at_once_and_delay_nobody() {
    let decider = holding();
    let script = "
seen = []
all = [threading.Thread(target=lambda: seen.append(say())) for _ in range(300)]
for it in all: it.start()
for it in all: it.join()
print(len(seen), set(seen))
";
    let (child, _) = start(&mut saying(script), &decider);
    decider.wait_for_held(300);
    decider.settle(Verdict::Allow);
    let said = text(&child.wait_with_output().unwrap());
    assert_eq!(said, "300 {'EBADF'}");
    assert_eq!(reports(&decider), 300);
}

/// ctypes' call returns to the interpreter only after the handler's restart or EINTR; the handler
/// in C is the interpreter's own, which only writes to this descriptor.
#[test]
fn a_signal_comes_through() {
    let decider = holding();
    let script = "
r, w = os.pipe()
os.set_blocking(w, False)
signal.set_wakeup_fd(w)
signal.signal(signal.SIGALRM, lambda *_: None)
signal.setitimer(signal.ITIMER_REAL, 0.2)
print(say(), os.read(r, 1) == bytes([signal.SIGALRM]))
";
    let (child, _) = start(&mut saying(script), &decider);
    let output = child.wait_with_output().unwrap();
    assert_eq!(text(&output), "EINTR True");
    let withdrawn = decider.withdrawn.lock().unwrap().clone();
    assert_eq!(withdrawn, [Withdrawn::Interrupted]);
}

#[test]
fn a_signal_with_restart_reports_again() {
    let decider = holding();
    let script = "
signal.signal(signal.SIGALRM, lambda *_: None)
signal.siginterrupt(signal.SIGALRM, False)
signal.setitimer(signal.ITIMER_REAL, 0.2)
print(say())
";
    let (child, _) = start(&mut saying(script), &decider);
    decider.wait_for_held(2);
    decider.settle(Verdict::Deny);
    let said = text(&child.wait_with_output().unwrap());
    assert_eq!(said, "ECONNREFUSED");
    assert_eq!(reports(&decider), 2);
}

#[test]
fn a_stopped_process_keeps_its_place() {
    let decider = holding();
    let script = "
pid = os.fork()
if pid == 0:
    print(say(), flush=True)
    os._exit(0)
time.sleep(0.3)
os.kill(pid, signal.SIGSTOP)
os.waitpid(pid, os.WUNTRACED)
os.kill(pid, signal.SIGCONT)
os.waitpid(pid, 0)
";
    let (child, _) = start(&mut saying(script), &decider);
    decider.wait_for_held(1);
    std::thread::sleep(std::time::Duration::from_millis(1500));
    decider.settle(Verdict::Allow);
    let said = text(&child.wait_with_output().unwrap());
    assert_eq!(said, "EBADF");
    assert_eq!(reports(&decider), 1, "it was reported again");
    assert!(decider.withdrawn.lock().unwrap().is_empty());
}

#[test]
fn a_death_withdraws() {
    let decider = holding();
    let (mut child, _) = start(&mut saying("say()"), &decider);
    decider.wait_for_held(1);
    child.kill().unwrap();
    child.wait().unwrap();
    wait_until(|| !decider.withdrawn.lock().unwrap().is_empty());
    let withdrawn = decider.withdrawn.lock().unwrap().clone();
    assert_eq!(withdrawn, [Withdrawn::Gone]);
}
