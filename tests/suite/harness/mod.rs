//! What a case needs: a home of its own, commands that cannot hang, servers that count, a
//! pseudo-terminal, a client of the control socket. Nothing here uses hallpass's own crates, so
//! that a mistake in them cannot hide itself.

mod command;
mod compare;
mod control;
mod dir;
mod http;
mod terminal;
mod udp;

pub(crate) use command::{Outcome, Running, TestCommand};
pub(crate) use compare::same_as_bare;
pub(crate) use control::Control;
pub(crate) use dir::Dir;
pub(crate) use http::{Http, PAGE};
pub(crate) use terminal::Terminal;
pub(crate) use udp::Udp;

use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// How long anything may take before a case calls it hung. Generous: the machine may have two
/// busy cores. Where it is slower still (tests/kernel) HALLPASS_TEST_PATIENCE says how many seconds.
pub(crate) static PATIENCE: LazyLock<Duration> = LazyLock::new(|| {
    let seconds = std::env::var("HALLPASS_TEST_PATIENCE");
    Duration::from_secs(seconds.map_or(20, |it| it.parse().expect("a number of seconds")))
});

/// Asks `ready` until it gives a value, for [`PATIENCE`] at most.
#[track_caller]
pub(crate) fn eventually<T>(what: &str, ready: impl FnMut() -> Option<T>) -> T {
    eventually_within(*PATIENCE, what, ready)
}

/// Asks `ready` until it gives a value, for `limit` at most.
#[track_caller]
pub(crate) fn eventually_within<T>(
    limit: Duration,
    what: &str,
    mut ready: impl FnMut() -> Option<T>,
) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = ready() {
            return value;
        }
        assert!(
            start.elapsed() < limit,
            "waited {limit:?} in vain for {what}"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// True, with a line that says so, where `program` is not installed: the case then has nothing
/// to try. `tests/run` installs the common ones, `tests/run --full` all.
pub(crate) fn missing(program: &str) -> bool {
    let found = dir::PATH
        .split(':')
        .any(|folder| std::path::Path::new(folder).join(program).exists());
    if !found {
        skipped(&format!(
            "{program} is not installed (tests/run --full installs all)"
        ));
    }
    !found
}

/// Whether nobody may duplicate sockets here (pidfd_getfd), as in most containers: the guard makes
/// them then.
pub(crate) fn makes_sockets() -> bool {
    use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};
    let own = pidfd_open(getpid(), PidfdFlags::empty()).unwrap();
    let number = std::os::fd::AsRawFd::as_raw_fd(&own);
    pidfd_getfd(&own, number, PidfdGetfdFlags::empty()).is_err()
}

/// Whether this process may have a capability (capabilities(7)); root of a container lacks most.
pub(crate) fn has_capability(number: u32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let permitted = status.lines().find_map(|it| it.strip_prefix("CapPrm:"));
    u64::from_str_radix(permitted.unwrap().trim(), 16).unwrap() >> number & 1 == 1
}

/// Whether the whole suite runs without the guard.
pub(crate) fn is_guard_off() -> bool {
    std::env::var("HALLPASS_TEST_GUARD").is_ok_and(|it| it == "off")
}

/// True, with a line that says so, where open connections cannot be ended.
pub(crate) fn no_ending() -> bool {
    let none = makes_sockets();
    if none {
        skipped("sockets of other processes cannot be taken hold of (pidfd_getfd)");
    }
    none
}

/// True, with a line that says so, where this machine has no IPv6 loopback.
pub(crate) fn no_ipv6() -> bool {
    let none = std::net::TcpListener::bind("[::1]:0").is_err();
    if none {
        skipped("no IPv6 on the loopback interface");
    }
    none
}

/// Says that a case had nothing to try, and why.
pub(crate) fn skipped(why: &str) {
    println!("skipped: {why}");
}
