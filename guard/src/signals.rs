//! Whether a signal waits for a thread that we keep from seeing it.
//!
//! A call that the supervisor has received can only be ended by it or by a fatal signal, so while
//! it takes its time somebody must look. Ending it with ERESTARTSYS does exactly what the kernel
//! would have done, but only on a thread that the kernel has marked for the signal: on another
//! thread the program would see the number 512.

use crate::target::Status;
use std::fs;

/// Whether a call must end for a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pending {
    Nothing,
    /// The kernel will look for a signal when the call ends.
    Surely,
    /// The same, and all that the signal does is to stop the process: when that is continued the
    /// kernel makes the same call again.
    Stop,
    /// Some thread of the process is to take it, and it may be this one.
    Perhaps,
}

const fn bit(signal: i32) -> u64 {
    1 << (signal - 1)
}

/// Nothing happens for these unless there is a handler.
const HARMLESS: u64 =
    bit(libc::SIGCHLD) | bit(libc::SIGURG) | bit(libc::SIGWINCH) | bit(libc::SIGCONT);

const STOPS: u64 =
    bit(libc::SIGSTOP) | bit(libc::SIGTSTP) | bit(libc::SIGTTIN) | bit(libc::SIGTTOU);

/// What comes of these signals, which the thread acts on.
fn surely(status: &Status, signals: u64) -> Pending {
    if signals & !(STOPS & !status.caught) == 0 {
        Pending::Stop
    } else {
        Pending::Surely
    }
}

/// Of `signals`, those that the thread would act on.
fn acted_on(status: &Status, signals: u64) -> u64 {
    signals & !status.blocked & !status.ignored & !(HARMLESS & !status.caught)
}

/// Looks at the thread `tid` of the process `pid`.
pub(crate) fn pending(pid: u32, tid: u32) -> Pending {
    let Ok(status) = Status::read(tid) else {
        return Pending::Nothing;
    };
    let others = || {
        fs::read_dir(format!("/proc/{pid}/task"))
            .into_iter()
            .flatten()
            .filter_map(|it| it.ok()?.file_name().to_str()?.parse().ok())
            .filter(|it| *it != tid)
            .filter_map(|it| Status::read(it).ok())
            .collect()
    };
    let leader_is_stopped = || Status::read(pid).is_ok_and(|it| it.state == 'T');
    judge(&status, &leader_is_stopped, &others)
}

fn judge(
    status: &Status,
    leader_is_stopped: &dyn Fn() -> bool,
    others: &dyn Fn() -> Vec<Status>,
) -> Pending {
    let leads = status.is_leader;
    let shared = acted_on(status, status.pending_for_process);
    let own = acted_on(status, status.pending);
    if own != 0 {
        return surely(status, own | shared);
    }
    // The kernel wakes the first thread where that takes the signal.
    if (leads || status.threads <= 1) && shared != 0 {
        return surely(status, shared);
    }
    if shared == 0 {
        // A stop of the whole process waits for this thread as well.
        return if !leads && leader_is_stopped() {
            Pending::Stop
        } else {
            Pending::Nothing
        };
    }
    let others = others();
    let takes = |it: &Status| it.state != 'Z' && acted_on(it, shared) != 0;
    if others.iter().any(|it| it.is_leader && takes(it)) {
        Pending::Nothing
    } else if others.iter().any(takes) {
        Pending::Perhaps
    } else {
        surely(status, shared)
    }
}

#[cfg(test)]
mod tests {
    use super::{Pending, bit, judge};
    use crate::target::Status;

    const ALARM: u64 = bit(libc::SIGALRM);

    fn thread() -> Status {
        Status {
            threads: 1,
            state: 'S',
            is_leader: true,
            caught: ALARM,
            ..Status::default()
        }
    }

    fn alone(status: &Status) -> Pending {
        judge(status, &|| panic!("it is the leader"), &|| {
            panic!("there are no others")
        })
    }

    #[test]
    fn one_thread() {
        assert_eq!(alone(&thread()), Pending::Nothing);
        let of_process = Status {
            pending_for_process: ALARM,
            ..thread()
        };
        assert_eq!(alone(&of_process), Pending::Surely);
        let of_thread = Status {
            pending: ALARM,
            ..thread()
        };
        assert_eq!(alone(&of_thread), Pending::Surely);
        let blocked = Status {
            blocked: ALARM,
            ..of_process.clone()
        };
        assert_eq!(alone(&blocked), Pending::Nothing);
        let ignored = Status {
            ignored: ALARM,
            ..of_process
        };
        assert_eq!(alone(&ignored), Pending::Nothing);
        let stopped = Status {
            pending_for_process: bit(libc::SIGTSTP),
            ..thread()
        };
        assert_eq!(alone(&stopped), Pending::Stop, "Ctrl-Z has no handler");
        let handled = Status {
            caught: ALARM | bit(libc::SIGTSTP),
            ..stopped.clone()
        };
        assert_eq!(alone(&handled), Pending::Surely);
        let both = Status {
            pending: ALARM,
            ..stopped
        };
        assert_eq!(alone(&both), Pending::Surely);
        let window = Status {
            pending_for_process: bit(libc::SIGWINCH),
            ..thread()
        };
        assert_eq!(alone(&window), Pending::Nothing);
    }

    fn with(status: &Status, others: &[Status]) -> Pending {
        judge(status, &|| false, &|| others.to_vec())
    }

    #[test]
    fn many_threads() {
        let leader = Status {
            threads: 3,
            pending_for_process: ALARM,
            ..thread()
        };
        assert_eq!(with(&leader, &[]), Pending::Surely);
        let it = Status {
            is_leader: false,
            ..leader.clone()
        };
        let blocking = |status: &Status| Status {
            blocked: ALARM,
            ..status.clone()
        };
        assert_eq!(with(&it, &[leader.clone(), it.clone()]), Pending::Nothing);
        assert_eq!(
            with(&it, &[blocking(&leader), it.clone()]),
            Pending::Perhaps
        );
        assert_eq!(
            with(&it, &[blocking(&leader), blocking(&it)]),
            Pending::Surely
        );
        let gone = Status {
            state: 'Z',
            ..leader
        };
        assert_eq!(with(&it, &[gone]), Pending::Surely);
    }

    #[test]
    fn a_stop_of_all_threads() {
        let it = Status {
            threads: 2,
            is_leader: false,
            ..thread()
        };
        assert_eq!(judge(&it, &|| true, &Vec::new), Pending::Stop);
        assert_eq!(judge(&it, &|| false, &Vec::new), Pending::Nothing);
    }
}
