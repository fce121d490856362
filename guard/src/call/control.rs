//! Control data of a message: copied once, looked through, and made to mean in this process what
//! it meant in its caller's.

use super::Context;
use crate::decide::Refusal;
use crate::socket::Family;
use crate::target::Status;
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
    /// The first words say whose message it is; all parts of it have to.
    names_sender: bool,
    /// Descriptors that are being passed; ours until they are sent.
    _passed: Vec<OwnedFd>,
}

impl Control {
    /// Copies and checks. Where the caller has other credentials than this process, which sends,
    /// a UNIX message says so (SCM_CREDENTIALS, unix(7)): whoever asks for the sender's is told
    /// the caller's. Other control data may do what only this process may, and are refused then.
    pub(super) fn copy(context: &Context<'_>, address: u64, length: u64) -> Result<Self, Errno> {
        let is_unix = context.socket.family == Family::Unix;
        if length == 0 && !is_unix {
            return Ok(Self::default());
        }
        if length > MAX {
            return Err(Errno::ENOBUFS);
        }
        let caller = context.target.caller;
        let differs = context.surroundings.differs_in_credentials(caller.tid);
        let refuse = || context.refuse(Refusal::Credentials, Errno::EPERM);
        if length == 0 && !differs {
            return Ok(Self::default());
        }
        if differs && !is_unix {
            return Err(refuse());
        }
        let mut words = Vec::new();
        if differs {
            let status = Status::read(caller.tid).map_err(|_| refuse())?;
            words.extend(credentials(caller.pid, status.uids[0], status.gids[0]));
        }
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
            if differs && (level, kind) != (libc::SOL_SOCKET, libc::SCM_RIGHTS) {
                return Err(refuse());
            }
            one(context, level, kind, data, &mut passed)?;
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
            names_sender: differs,
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
            Some(words) if self.names_sender => (words, CREDENTIALS_WORDS * ALIGN),
            _ => (&[], 0),
        }
    }

    /// Whether it says that another process than this one has sent it.
    pub(super) fn names_sender(&self) -> bool {
        self.names_sender
    }
}

/// A `cmsghdr` that says who sends.
fn credentials(pid: u32, user: u32, group: u32) -> [u64; CREDENTIALS_WORDS] {
    let pair = |low: u32, high: u32| {
        let [a, b, c, d] = low.to_ne_bytes();
        let [e, f, g, h] = high.to_ne_bytes();
        u64::from_ne_bytes([a, b, c, d, e, f, g, h])
    };
    [
        (HEADER + CREDENTIALS) as u64,
        pair(
            libc::SOL_SOCKET.cast_unsigned(),
            libc::SCM_CREDENTIALS.cast_unsigned(),
        ),
        pair(pid, user),
        pair(group, 0),
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
            if let Some(pid) = data.get_mut(..4) {
                pid.copy_from_slice(&std::process::id().to_ne_bytes());
            }
            Ok(())
        }
        _ => Ok(()),
    }
}
