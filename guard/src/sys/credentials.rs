//! The rights of the calling thread alone: by the system calls themselves, since the C library
//! would change all threads of the process.

use super::check;
use nix::errno::Errno;

/// Leaves an id as it is.
const KEEP: u32 = u32::MAX;

/// Supplementary groups.
pub(crate) fn set_groups(groups: &[u32]) -> Result<(), Errno> {
    // SAFETY: the kernel reads as many ids as are said, from a slice that outlives the call.
    check(unsafe { libc::syscall(libc::SYS_setgroups, groups.len(), groups.as_ptr()) }).map(drop)
}

/// The effective user. The real and the saved one stay: they say who may send this thread a
/// signal, and let it return.
pub(crate) fn set_user(effective: u32) -> Result<(), Errno> {
    // SAFETY: three integers, no memory.
    check(unsafe { libc::syscall(libc::SYS_setresuid, KEEP, effective, KEEP) }).map(drop)
}

/// The effective group.
pub(crate) fn set_group(effective: u32) -> Result<(), Errno> {
    // SAFETY: three integers, no memory.
    check(unsafe { libc::syscall(libc::SYS_setresgid, KEEP, effective, KEEP) }).map(drop)
}

/// The user that files are opened as. The call tells nothing but what was before, so it is made
/// twice.
pub(crate) fn set_file_user(user: u32) -> Result<(), Errno> {
    let set = || {
        // SAFETY: an integer, no memory.
        unsafe { libc::syscall(libc::SYS_setfsuid, user) }
    };
    set();
    took(set(), user)
}

/// The group that files are opened as.
pub(crate) fn set_file_group(group: u32) -> Result<(), Errno> {
    let set = || {
        // SAFETY: an integer, no memory.
        unsafe { libc::syscall(libc::SYS_setfsgid, group) }
    };
    set();
    took(set(), group)
}

fn took(is: libc::c_long, wanted: u32) -> Result<(), Errno> {
    if is as u32 == wanted {
        Ok(())
    } else {
        Err(Errno::EPERM)
    }
}

/// capabilities(7)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Capabilities {
    pub(crate) effective: u64,
    pub(crate) permitted: u64,
    inheritable: u64,
}

#[repr(C)]
struct Header {
    version: u32,
    pid: i32,
}

/// One half of three sets.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Half {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

/// `_LINUX_CAPABILITY_VERSION_3`, for this thread.
const HEADER: Header = Header {
    version: 0x2008_0522,
    pid: 0,
};

impl Capabilities {
    /// The calling thread's.
    pub(crate) fn own() -> Result<Self, Errno> {
        let mut header = HEADER;
        let mut halves = [Half::default(); 2];
        // SAFETY: a header, and room for the two halves that its version has; both outlive the
        // call.
        check(unsafe { libc::syscall(libc::SYS_capget, &raw mut header, halves.as_mut_ptr()) })?;
        let [low, high] = halves;
        let join = |low: u32, high: u32| u64::from(low) | u64::from(high) << 32;
        Ok(Self {
            effective: join(low.effective, high.effective),
            permitted: join(low.permitted, high.permitted),
            inheritable: join(low.inheritable, high.inheritable),
        })
    }

    /// The same with another effective set, as far as it is permitted.
    pub(crate) fn with_effective(self, effective: u64) -> Self {
        Self {
            effective: effective & self.permitted,
            ..self
        }
    }

    /// Makes them the calling thread's.
    pub(crate) fn take(self) -> Result<(), Errno> {
        let half = |shift: u32| {
            let of = |set: u64| (set >> shift) as u32;
            Half {
                effective: of(self.effective),
                permitted: of(self.permitted),
                inheritable: of(self.inheritable),
            }
        };
        let (mut header, halves) = (HEADER, [half(0), half(32)]);
        // SAFETY: a header and two halves, which outlive the call.
        check(unsafe { libc::syscall(libc::SYS_capset, &raw mut header, halves.as_ptr()) })
            .map(drop)
    }
}
