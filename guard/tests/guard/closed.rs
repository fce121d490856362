//! What is closed altogether fails with an honest errno and is named.

use crate::support::{Decider, Tcp, fixture, start, text};
use hallpass_guard::Refusal;
use std::process::Command;

#[test]
fn ways_around_are_closed() {
    let tcp = Tcp::start();
    let mut older = Command::new("sleep").arg("60").spawn().unwrap();
    let decider = Decider::allow();
    let mut command = Command::new(fixture("closed"));
    command.args([tcp.port.to_string(), older.id().to_string()]);
    let (child, granted) = start(&mut command, &decider);
    let said = text(&child.wait_with_output().unwrap());
    older.kill().unwrap();
    older.wait().unwrap();
    let mut expected = vec![
        "io_uring_setup: ENOSYS",
        "io_uring_enter: ENOSYS",
        "clone3: ENOSYS",
        "clone files: EPERM",
        "packet: EAFNOSUPPORT",
        "packet of another family: EAFNOSUPPORT",
        "vsock: EAFNOSUPPORT",
        "smc: EAFNOSUPPORT",
        "bluetooth: EAFNOSUPPORT",
        "raw header: EPERM",
        "raw header 6: EPERM",
        "source route: EPERM",
        "no options: works",
        "routing header: EPERM",
        "routing header control: EPERM",
        "source route control: EPERM",
        "tiocsti: EPERM",
        "tioclinux: EPERM",
        "ptrace older: EPERM",
        "write older: EPERM",
    ];
    // Before Landlock could scope (Linux 6.12) this one stays open.
    if granted.landlock {
        expected.push("mem of older: EACCES");
    }
    expected.push("pidfd_getfd older: EPERM");
    if cfg!(target_arch = "x86_64") {
        expected.extend([
            "i386 connect: ENOSYS",
            "i386 socketcall: ENOSYS",
            "x32 connect: ENOSYS",
            "x32 sendmsg: ENOSYS",
        ]);
    }
    let said: Vec<&str> = said
        .lines()
        .filter(|line| granted.landlock || !line.starts_with("mem of older"))
        .collect();
    assert_eq!(said, expected);
    assert_eq!(tcp.count(), 0);
    let refused = decider.refused.lock().unwrap();
    for refusal in [
        Refusal::IoUring,
        Refusal::Family(17),
        Refusal::Family(40),
        Refusal::RawHeader,
        Refusal::Rerouting,
        Refusal::Typing,
    ] {
        assert!(refused.contains(&refusal), "{refusal}");
    }
    if cfg!(target_arch = "x86_64") {
        assert!(refused.contains(&Refusal::Convention));
    }
}

#[test]
fn a_second_guard_is_refused_and_says_so() {
    // Inside a guarded program this very test binary tries to install one.
    if std::env::var_os("GUARD_INSIDE").is_some() {
        let error = hallpass_guard::install(|| Ok(())).map(drop).unwrap_err();
        assert!(
            matches!(error, hallpass_guard::InstallError::AlreadyGuarded),
            "{error}"
        );
        return;
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "closed::a_second_guard_is_refused_and_says_so"])
        .env("GUARD_INSIDE", "1");
    let (child, _) = start(&mut command, &Decider::allow());
    let output = child.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
}

#[test]
fn a_report_of_the_hook_arrives_and_is_a_bad_descriptor() {
    let decider = Decider::allow();
    let mut command = Command::new("python3");
    command.args([
        "-c",
        "import ctypes, errno
libc = ctypes.CDLL(None, use_errno=True)
for report, n in (b'report' * 500, 3000), (b'x' * 5000, 5000), (b'', 0), (None, 50):
    r = libc.connect(-1, report, n)
    print(r, errno.errorcode[ctypes.get_errno()])
",
    ]);
    let said = text(&crate::support::run(&mut command, &decider));
    assert_eq!(said, ["-1 EBADF"; 4].join("\n"));
    assert_eq!(*decider.reports.lock().unwrap(), [b"report".repeat(500)]);
}
