//! Control data of a message: copied once, looked through, and made to mean in this process what
//! it meant in its caller's.

use super::Context;
use crate::decide::Refusal;
use crate::rights::{Credentials, Rights};
use crate::socket::Family;
use nix::errno::Errno;
use std::os::fd::{AsRawFd, OwnedFd};

/// The kernel's own bound (`net.core.optmem_max`) is lower by default.
const MAX: u64 = 128 * 1024;
/// `struct cmsghdr`: length (8 bytes), level, type; data follow, all aligned to 8.
const HEADER: usize = 16;
const ALIGN: usize = 8;
/// `struct ucred`: pid, user, group.
const CREDENTIALS: usize = 12;
/// A `cmsghdr` with one, in words.
const CREDENTIALS_WORDS: usize = (HEADER + CREDENTIALS).div_ceil(ALIGN);
/// SCM_MAX_FD
const DESCRIPTORS_MAX: usize = 253;

const IP_RETOPTS: i32 = 7;
const IPV6_2292RTHDR: i32 = 5;
const IPV6_RTHDR: i32 = 57;
const SCTP_DSTADDRV4: i32 = 7;
const SCTP_DSTADDRV6: i32 = 8;

/// Control data that may be sent.
#[derive(Debug, Default)]
pub(super) struct Control {
    words: Vec<u64>,
    length: usize,
    /// The first words say that it is its caller's message; all parts of it have to.
    names_caller: bool,
    /// Apart from that nothing but descriptors is in it.
    is_plain: bool,
    /// Descriptors that are being passed; ours until they are sent.
    _passed: Vec<OwnedFd>,
}

impl Control {
    /// Copies and checks. Where the caller has other rights than this process, which sends, a
    /// message that may tell its sender says so (SCM_CREDENTIALS, unix(7)): the user and group
    /// would be this process's own.
    pub(super) fn copy(
        context: &Context<'_>,
        rights: &Rights,
        address: u64,
        length: u64,
    ) -> Result<Self, Errno> {
        if length > MAX {
            return Err(Errno::ENOBUFS);
        }
        let mut words = Vec::new();
        let other = match rights {
            Rights::Other(other) => Some(&**other),
            Rights::Own | Rights::Unknown => None,
        };
        let names_caller = matches!(context.socket.family, Family::Unix | Family::Netlink)
            .then_some(other)
            .flatten()
            .map(|other| words.extend(credentials(context.target.caller.pid, other)))
            .is_some();
        let mut is_plain = true;
        let length = length as usize;
        let mut bytes = vec![0; length.next_multiple_of(ALIGN)];
        let part = bytes.get_mut(..length).ok_or(Errno::EINVAL)?;
        context.memory().read(address, part)?;
        let mut passed = Vec::new();
        let mut rest = part;
        while rest.len() >= HEADER {
            let (level, kind, size) = header(rest).ok_or(Errno::EINVAL)?;
            if size < HEADER || size > rest.len() {
                return Err(Errno::EINVAL);
            }
            let (this, after) = rest.split_at_mut(size);
            let data = this.get_mut(HEADER..).unwrap_or_default();
            is_plain &= (level, kind) == (libc::SOL_SOCKET, libc::SCM_RIGHTS);
            one(context, other, level, kind, data, &mut passed)?;
            let padding = size.next_multiple_of(ALIGN) - size;
            rest = after.get_mut(padding..).unwrap_or_default();
        }
        let before = words.len() * ALIGN;
        words.extend(
            bytes
                .chunks_exact(ALIGN)
                .map(|word| word.try_into().map_or(0, u64::from_ne_bytes)),
        );
        Ok(Self {
            words,
            length: before + length,
            names_caller,
            is_plain,
            _passed: passed,
        })
    }

    /// What goes with the first part of a message, and its length in bytes.
    pub(super) fn first(&self) -> (&[u64], usize) {
        (&self.words, self.length)
    }

    /// The same for the other parts.
    pub(super) fn later(&self) -> (&[u64], usize) {
        match self.words.get(..CREDENTIALS_WORDS) {
            Some(words) if self.names_caller => (words, CREDENTIALS_WORDS * ALIGN),
            _ => (&[], 0),
        }
    }

    /// Whether it says whose message it is.
    pub(super) fn names_caller(&self) -> bool {
        self.names_caller
    }

    /// Whether nothing but descriptors is in it besides.
    pub(super) fn is_plain(&self) -> bool {
        self.is_plain
    }

    /// Says that this process sends, as the caller's user and group: what may be said without
    /// CAP_SYS_ADMIN.
    pub(super) fn name_this_process(&mut self) {
        if self.names_caller
            && let Some(word) = self.words.get_mut(PROCESS_AND_USER)
        {
            let [_, _, _, _, a, b, c, d] = word.to_ne_bytes();
            *word = pair(std::process::id(), u32::from_ne_bytes([a, b, c, d]));
        }
    }
}

/// Two words of 32 bits in one.
fn pair(low: u32, high: u32) -> u64 {
    let [a, b, c, d] = low.to_ne_bytes();
    let [e, f, g, h] = high.to_ne_bytes();
    u64::from_ne_bytes([a, b, c, d, e, f, g, h])
}

/// Which of the words of [`credentials`] that is.
const PROCESS_AND_USER: usize = 2;

/// A `cmsghdr` that says who sends.
fn credentials(pid: u32, of: &Credentials) -> [u64; CREDENTIALS_WORDS] {
    [
        (HEADER + CREDENTIALS) as u64,
        pair(
            libc::SOL_SOCKET.cast_unsigned(),
            libc::SCM_CREDENTIALS.cast_unsigned(),
        ),
        pair(pid, of.real_user),
        pair(of.real_group, 0),
    ]
}

fn header(bytes: &[u8]) -> Option<(i32, i32, usize)> {
    let size = u64::from_ne_bytes(bytes.get(..8)?.try_into().ok()?);
    let level = i32::from_ne_bytes(bytes.get(8..12)?.try_into().ok()?);
    let kind = i32::from_ne_bytes(bytes.get(12..16)?.try_into().ok()?);
    Some((level, kind, usize::try_from(size).ok()?))
}

fn one(
    context: &Context<'_>,
    other: Option<&Credentials>,
    level: i32,
    kind: i32,
    data: &mut [u8],
    passed: &mut Vec<OwnedFd>,
) -> Result<(), Errno> {
    match (level, kind) {
        (libc::IPPROTO_IP, IP_RETOPTS)
        | (libc::IPPROTO_IPV6, IPV6_RTHDR | IPV6_2292RTHDR)
        | (libc::IPPROTO_SCTP, SCTP_DSTADDRV4 | SCTP_DSTADDRV6) => {
            Err(context.refuse(Refusal::Rerouting, Errno::EPERM))
        }
        (libc::SOL_SOCKET, libc::SCM_RIGHTS) if context.socket.family == Family::Unix => {
            for number in data.chunks_exact_mut(size_of::<i32>()) {
                if passed.len() >= DESCRIPTORS_MAX {
                    return Err(Errno::EINVAL);
                }
                let theirs = i32::from_ne_bytes((&*number).try_into().map_err(|_| Errno::EINVAL)?);
                let ours = context.target.descriptor(theirs)?;
                number.copy_from_slice(&ours.as_raw_fd().to_ne_bytes());
                passed.push(ours);
            }
            Ok(())
        }
        // Whoever asks for it is told who sends, and that is this process.
        (libc::SOL_SOCKET, libc::SCM_CREDENTIALS) if data.len() == CREDENTIALS => {
            let id = |at: usize| {
                let bytes = data.get(at..at + 4).and_then(|it| it.try_into().ok());
                bytes.map_or(u32::MAX, u32::from_ne_bytes)
            };
            // The kernel looks at this process's real ids as well.
            if other.is_some_and(|other| !other.may_name(id(4), id(8))) {
                return Err(Errno::EPERM);
            }
            if let Some(pid) = data.get_mut(..4) {
                pid.copy_from_slice(&std::process::id().to_ne_bytes());
            }
            Ok(())
        }
        _ => Ok(()),
    }
}
