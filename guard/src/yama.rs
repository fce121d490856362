//! Yama, a security module that says who may look into whose processes
//! (Documentation/admin-guide/LSM/Yama.rst).

use crate::sys::credentials::Capabilities;
use std::fs;

/// CAP_SYS_PTRACE
const TRACE: u64 = 1 << 19;

/// `kernel.yama.ptrace_scope`; none where there is no Yama, or /proc is not to be read.
#[must_use]
pub fn ptrace_scope() -> Option<u8> {
    let text = fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope").ok()?;
    text.trim().parse().ok()
}

/// [`ptrace_scope`] where it keeps this process from looking into those it starts.
pub(crate) fn closes_all() -> Option<u8> {
    let scope = ptrace_scope()?;
    let may_trace = || Capabilities::own().is_ok_and(|own| own.effective & TRACE != 0);
    is_closed(scope, may_trace).then_some(scope)
}

/// 0: as without it. 1: descendants may be looked into, which all targets are. 2: with the
/// capability. 3: nobody may.
fn is_closed(scope: u8, may_trace: impl FnOnce() -> bool) -> bool {
    match scope {
        0 | 1 => false,
        2 => !may_trace(),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::is_closed;

    #[test]
    fn only_descendants_is_enough() {
        for (scope, may_trace, closed) in [
            (0, false, false),
            (1, false, false),
            (2, false, true),
            (2, true, false),
            (3, true, true),
        ] {
            assert_eq!(is_closed(scope, || may_trace), closed, "{scope}");
        }
    }
}
