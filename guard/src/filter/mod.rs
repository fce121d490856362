//! The seccomp program: which calls the supervisor is told of. It can only look at registers, so
//! it decides nothing that hangs on memory; what it lets through cannot carry an address.
//!
//! [`table`] says what happens to which call, and why; [`assemble`] makes instructions of it.

mod assemble;
mod table;
#[cfg(test)]
mod tests;

pub(crate) use assemble::Machine;

/// What the program depends on.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Options {
    /// No Landlock domain keeps targets away from older processes, so the calls that reach into
    /// other processes are closed.
    pub(crate) close_foreign_processes: bool,
    /// Targets get sockets that the supervisor has made: it is told of every one that is wanted,
    /// and of what may depend on its having a copy.
    pub(crate) make_sockets: bool,
}

/// The program for this machine.
pub(crate) fn program(options: Options) -> Vec<libc::sock_filter> {
    assemble::program(&machine(), options)
}

/// What this machine runs.
pub(crate) fn machine() -> Machine {
    table::MACHINE
}

/// Whether a call made under `arch` is of this machine's own convention, not of a 32-bit one.
pub(crate) fn is_native(arch: u32, number: i32) -> bool {
    arch == table::MACHINE.arch && (number.cast_unsigned() < table::X32_BIT)
}
