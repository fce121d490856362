//! Control data of a message: copied once, looked through, and made to mean in this process what
//! it meant in its caller's.

use super::Context;
use crate::decide::Refusal;
use crate::socket::Family;
use nix::errno::Errno;
use std::os::fd::{AsRawFd, OwnedFd};

/// The kernel's own bound (`net.core.optmem_max`) is lower by default.
const MAX: u64 = 128 * 1024;
/// `struct cmsghdr`: length (8 bytes), level, type; data follow, all aligned to 8.
const HEADER: usize = 16;
const ALIGN: usize = 8;
/// `struct ucred`: pid first.
const CREDENTIALS: usize = 12;
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
    /// Descriptors that are being passed; ours until they are sent.
    _passed: Vec<OwnedFd>,
}

impl Control {
    /// Copies and checks.
    pub(super) fn copy(context: &Context<'_>, address: u64, length: u64) -> Result<Self, Errno> {
        if length == 0 {
            return Ok(Self::default());
        }
        if length > MAX {
            return Err(Errno::ENOBUFS);
        }
        if context
            .surroundings
            .differs_in_credentials(context.target.caller.tid)
        {
            return Err(context.refuse(Refusal::Credentials, Errno::EPERM));
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
            one(context, level, kind, data, &mut passed)?;
            let padding = size.next_multiple_of(ALIGN) - size;
            rest = after.get_mut(padding..).unwrap_or_default();
        }
        let words = bytes
            .chunks_exact(ALIGN)
            .map(|word| word.try_into().map_or(0, u64::from_ne_bytes))
            .collect();
        Ok(Self {
            words,
            length,
            _passed: passed,
        })
    }

    pub(super) fn words(&self) -> &[u64] {
        &self.words
    }

    pub(super) fn length(&self) -> usize {
        self.length
    }
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
