//! Which of the signals that reach the front are meant for CMD and have not reached it already.
//!
//! What the terminal sends goes to the whole foreground group, CMD included, and must not come
//! twice. What a process sends to the front's number alone is meant for CMD. A signal sent to the
//! group looks the same as one sent to the front alone (sigaction(2) does not tell), so a CMD that
//! handles it may see `kill -TERM -GROUP` twice; the other way round, `hallpass run … & kill $!`
//! in a script, whose shell is in the same group, would never end.

use crate::procs::Table;
use nix::sys::signalfd::siginfo;
use nix::unistd::{Pid, getpgrp, getpid};

/// True where the front must pass the signal on.
pub(super) fn is_for_command(info: &siginfo, session: Pid) -> bool {
    let signal = info.ssi_signo.cast_signed();
    // Children's changes and the window's size reach CMD by themselves.
    if signal == libc::SIGCHLD || info.ssi_code > 0 {
        return false;
    }
    let sender = info.ssi_pid.cast_signed();
    if sender == getpid().as_raw() || sender == session.as_raw() {
        return false;
    }
    // A process of the program that signals its own group has reached CMD with it. One that has
    // a group of its own means the front.
    let table = Table::read();
    let is_target_in_group = table
        .select(|process| process.pid == sender)
        .first()
        .is_some_and(|process| {
            process.group == getpgrp().as_raw() && table.descends(sender, session.as_raw())
        });
    !is_target_in_group
}
