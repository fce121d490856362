//! What the guard needs of the kernel: tried in a process of our own.

use super::Check;
use crate::run::cannot_install;
use crate::sys;
use hallpass_guard::{Granted, InstallError, ptrace_scope};
use hallpass_look::Sight;
use hallpass_session::escape::escape;
use nix::errno::Errno;
use nix::unistd::{ForkResult, Pid};
use rustix::process::{PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};
use std::fs;
use std::io::{self, Read};
use std::os::fd::AsRawFd;

/// Characters of a setting that are shown.
const SHOWN: usize = 100;

/// Kernel, listener, the targets' sockets, Yama, Landlock, user namespaces. Inside a session there
/// is nothing to try: a run has its guard, or has none like it.
pub(super) fn checks(session_has_guard: Option<bool>) -> Vec<Check> {
    let mut checks = vec![kernel()];
    match session_has_guard {
        Some(true) => checks.push(Check::ok("guard", "that of the session which this runs in")),
        Some(false) => checks.push(Check::note(
            "guard",
            "the session which this runs in has none",
        )),
        None => checks.extend(tried()),
    }
    checks.extend([yama(), namespaces()]);
    checks
}

fn tried() -> Vec<Check> {
    let mut checks = Vec::new();
    match trial() {
        Ok((granted, socket)) => {
            checks.push(listener(granted));
            checks.push(match socket {
                Ok(()) => Check::ok("sockets", "sockets of programs can be taken hold of"),
                // Tried as well: the listener would not have been granted.
                Err(errno) if granted.makes_sockets => made_sockets(errno),
                Err(errno) => no_sockets(errno),
            });
            checks.push(landlock(granted));
            checks.extend(users(hallpass_look::sight(), granted.makes_sockets));
        }
        Err(error) => {
            let text = cannot_install(&error);
            let (found, instead) = text.split_once("; ").unwrap_or((&text, ""));
            checks.push(Check::missing("guard", found).instead(instead));
        }
    }
    checks
}

fn kernel() -> Check {
    match setting("/proc/sys/kernel/osrelease") {
        Some(release) => Check::ok(
            "kernel",
            format!("Linux {release}, {}", std::env::consts::ARCH),
        ),
        None => Check::missing("kernel", "/proc cannot be read")
            .instead("mount it: mount -t proc proc /proc"),
    }
}

fn listener(granted: Granted) -> Check {
    if granted.no_new_privs {
        Check::note(
            "guard",
            "the kernel grants a seccomp listener; set-user-id programs (sudo, ping) run without \
             their privileges",
        )
        .instead("start hallpass as root where a program needs those")
    } else {
        Check::ok("guard", "the kernel grants a seccomp listener")
    }
}

fn made_sockets(errno: Errno) -> Check {
    Check::note(
        "sockets",
        format!(
            "pidfd_getfd is refused ({}), so the guard makes programs' sockets itself: nothing \
             gets past it, but live connections cannot be ended, and descriptors that programs of \
             several threads send each other are refused",
            errno.desc()
        ),
    )
    .instead("nothing has to be done; Docker: --cap-add=SYS_PTRACE lifts that")
}

fn no_sockets(errno: Errno) -> Check {
    Check::missing(
        "sockets",
        format!(
            "sockets of programs cannot be taken hold of (pidfd_getfd: {})",
            errno.desc()
        ),
    )
    .instead(match errno {
        Errno::ENOSYS => "Linux 5.6 or later is needed, or --guard=off",
        _ => "in a container allow pidfd_getfd (Docker: --cap-add=SYS_PTRACE); or --guard=off",
    })
}

fn landlock(granted: Granted) -> Check {
    if granted.landlock {
        Check::ok("landlock", "programs cannot reach into older processes")
    } else {
        Check::note(
            "landlock",
            "has no scopes here (Linux 6.12): ptrace is closed to programs altogether",
        )
        .instead("nothing has to be done; gdb and strace below hallpass will not work")
    }
}

/// What root may look into without CAP_SYS_PTRACE.
fn users(sight: Sight, makes_sockets: bool) -> Option<Check> {
    let found = match sight {
        Sight::Usual => return None,
        Sight::AsTheirUser if makes_sockets => {
            "root has no CAP_SYS_PTRACE here: calls of other users' processes are decided as usual \
             (su, sudo, apt, nginx), but those of static programs that change their user and go on \
             themselves are refused"
        }
        Sight::AsTheirUser | Sight::Own => {
            "root has no CAP_SYS_PTRACE here: calls of other users' processes (su, apt, nginx) are \
             refused"
        }
    };
    let check = Check::note("users", found);
    Some(check.instead("Docker: --cap-add=SYS_PTRACE; apt: -o APT::Sandbox::User=root"))
}

fn yama() -> Check {
    match ptrace_scope() {
        None => Check::ok("yama", "is not in this kernel"),
        Some(scope @ (0 | 1)) => Check::ok("yama", format!("ptrace_scope is {scope}")),
        Some(scope) => Check::note(
            "yama",
            match scope {
                2 => "ptrace_scope is 2: only who has CAP_SYS_PTRACE may look into programs"
                    .to_owned(),
                _ => format!("ptrace_scope is {scope}: nobody may look into programs"),
            },
        )
        .instead("sysctl kernel.yama.ptrace_scope=1 (/proc/sys/kernel/yama/ptrace_scope)"),
    }
}

fn namespaces() -> Check {
    let is_zero = |path| setting(path).is_some_and(|value| value == "0");
    let is_one = |path| setting(path).is_some_and(|value| value == "1");
    let closed = is_zero("/proc/sys/user/max_user_namespaces")
        || is_zero("/proc/sys/kernel/unprivileged_userns_clone")
        || is_one("/proc/sys/kernel/apparmor_restrict_unprivileged_userns");
    match closed {
        false => Check::ok("namespaces", "the kernel's settings allow user namespaces"),
        true => Check::ok(
            "namespaces",
            "user namespaces are restricted; hallpass needs none, sandboxes of browsers may",
        ),
    }
}

/// One line of /proc.
fn setting(path: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    Some(escape(text.trim(), SHOWN))
}

/// Installs the guard's filter as `hallpass run` does, over a child that does nothing, and takes
/// a descriptor of that.
fn trial() -> Result<(Granted, Result<(), Errno>), InstallError> {
    let (mut reader, writer) = io::pipe().map_err(InstallError::Start)?;
    let number = reader.as_raw_fd();
    let (_listener, granted, child) = hallpass_guard::install(|| match sys::fork()? {
        ForkResult::Parent { child } => Ok(child),
        ForkResult::Child => {
            // Until the parent has closed its own.
            sys::close_inherited(writer.as_raw_fd());
            let _ = reader.read(&mut [0]);
            sys::exit_now(0)
        }
    })?;
    let taken = take(child, number);
    drop(writer);
    // Where the caller ignores SIGCHLD there is nothing to wait for.
    let _ = nix::sys::wait::waitpid(child, None);
    Ok((granted, taken))
}

fn take(child: Pid, number: i32) -> Result<(), Errno> {
    let errno = |errno: rustix::io::Errno| Errno::from_raw(errno.raw_os_error());
    let child = rustix::process::Pid::from_raw(child.as_raw()).ok_or(Errno::ESRCH)?;
    let process = pidfd_open(child, PidfdFlags::empty()).map_err(errno)?;
    pidfd_getfd(&process, number, PidfdGetfdFlags::empty())
        .map(drop)
        .map_err(errno)
}
