//! Which sockets a program sends to others by itself (SCM_RIGHTS). They may be long on their way,
//! in no process's table; it only matters so that their copies are not dropped too early, so what
//! cannot be read, or is too much, is left.

use super::Copies;
use crate::target::Memory;

/// `struct msghdr` and `struct mmsghdr`.
const HEADER: usize = 56;
const MANY_HEADER: u64 = 64;
/// `struct cmsghdr`
const CONTROL_HEADER: usize = 16;
const CONTROL_MAX: usize = 4096;
const MESSAGES_MAX: u64 = 16;

impl Copies {
    /// The thread `tid` sends `count` messages whose headers are at `at`.
    pub(crate) fn sends_rights(&self, tid: u32, at: u64, count: u64) {
        if self.table().kept.is_empty() {
            return;
        }
        for index in 0..count.min(MESSAGES_MAX) {
            let header = at.wrapping_add(index * MANY_HEADER);
            for fd in passed(Memory::of(tid), header).unwrap_or_default() {
                self.is_passed(tid, fd);
            }
        }
    }
}

fn passed(memory: Memory, header: u64) -> Option<Vec<i32>> {
    let mut bytes = [0; HEADER];
    memory.read(header, &mut bytes).ok()?;
    let word = |at: usize| Some(u64::from_ne_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
    let (control, length) = (word(32)?, usize::try_from(word(40)?).ok()?);
    let mut bytes = vec![0; length.min(CONTROL_MAX)];
    memory.read(control, &mut bytes).ok()?;
    Some(rights(&bytes))
}

/// The descriptors in control data.
fn rights(mut bytes: &[u8]) -> Vec<i32> {
    let mut rights = Vec::new();
    while let Some(header) = bytes.get(..CONTROL_HEADER) {
        let (size, kind) = header.split_at(8);
        let size = size.try_into().map_or(0, usize::from_ne_bytes);
        let Some(data) = bytes.get(CONTROL_HEADER..size) else {
            break;
        };
        let is_rights = [libc::SOL_SOCKET, libc::SCM_RIGHTS].map(i32::to_ne_bytes);
        if kind == is_rights.as_flattened() {
            let number = |it: &[u8]| Some(i32::from_ne_bytes(it.try_into().ok()?));
            rights.extend(data.chunks_exact(4).filter_map(number));
        }
        bytes = bytes.get(size.next_multiple_of(8)..).unwrap_or_default();
    }
    rights
}

#[cfg(test)]
mod tests {
    use super::rights;

    #[test]
    fn rights_are_read() {
        let one = |size: u64, kind: [i32; 2], data: &[i32]| {
            let mut bytes = size.to_ne_bytes().to_vec();
            bytes.extend(kind.into_iter().flat_map(i32::to_ne_bytes));
            bytes.extend(data.iter().flat_map(|it| it.to_ne_bytes()));
            bytes.resize(bytes.len().next_multiple_of(8), 0);
            bytes
        };
        let (fds, creds) = ([libc::SOL_SOCKET, 1], [libc::SOL_SOCKET, 2]);
        let both = [one(28, creds, &[1, 2, 3]), one(24, fds, &[7, 8])].concat();
        assert_eq!(rights(&both), [7, 8]);
        for size in [0, 15, 1 << 40, u64::MAX] {
            assert!(rights(&one(size, fds, &[7])).is_empty(), "{size}");
        }
        assert!(rights(&[]).is_empty());
    }
}
