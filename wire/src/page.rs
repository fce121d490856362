//! The page that a session shares with its targets: is the session alive, has anything changed
//! since a verdict was given, and how often was a cached verdict used.
//!
//! A file of [`PAGE_LEN`] bytes, `DIR/page`, mapped shared by both (docs/wire.md). The session
//! writes all but the counters, which hooks add to and the session takes from. A target can
//! write what it likes here; that is no worse than the hook, which lives in its memory as well.

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// Bytes of the file, and of the mapping.
pub const PAGE_LEN: usize = 64 * 1024;
/// How many counters there are.
pub const COUNTERS: usize = (PAGE_LEN - 32) / 8;

/// `hpPG` and the version of this layout, as a number.
const MAGIC: u64 = u64::from_le_bytes([b'h', b'p', b'P', b'G', 1, 0, 0, 0]);
/// Set by the kernel when the thread that holds a robust futex dies, however it dies
/// (FUTEX_OWNER_DIED, linux/futex.h; get_robust_list(2)).
const OWNER_DIED: u32 = 0x4000_0000;

/// The shared memory. Valid for any content, so that mapping a strange file does no harm.
#[repr(C)]
pub struct Page {
    magic: AtomicU64,
    /// A robust futex that a thread of the session holds as long as it lives; its thread id.
    owner: AtomicU32,
    reserved: AtomicU32,
    generation: AtomicU64,
    reserved_too: AtomicU64,
    counters: [AtomicU64; COUNTERS],
}

const _: () = assert!(size_of::<Page>() == PAGE_LEN);

impl Page {
    /// Makes a fresh (zeroed) page valid, held by the session's thread `owner`. Generations
    /// start at 1: 0 is never current.
    pub fn open(&self, owner: u32) {
        self.generation.store(1, Ordering::Release);
        self.owner.store(owner, Ordering::Release);
        self.magic.store(MAGIC, Ordering::Release);
    }

    /// The futex for the robust list of the session's thread.
    #[must_use]
    pub fn owner(&self) -> &AtomicU32 {
        &self.owner
    }

    /// The generation that cached verdicts must be of; none where the session is dead, or the
    /// page is not one of this version.
    #[must_use]
    pub fn generation(&self) -> Option<u64> {
        let owner = self.owner.load(Ordering::Acquire);
        let is_alive = owner != 0 && owner & OWNER_DIED == 0;
        let is_ours = self.magic.load(Ordering::Acquire) == MAGIC;
        (is_alive && is_ours).then(|| self.generation.load(Ordering::Acquire))
    }

    /// Makes every cached verdict invalid. Returns the new generation.
    pub fn bump(&self) -> u64 {
        self.generation
            .fetch_add(1, Ordering::AcqRel)
            .wrapping_add(1)
    }

    /// A cached verdict was used. An index out of range counts nothing.
    pub fn count(&self, counter: u32) {
        let index = usize::try_from(counter).unwrap_or(usize::MAX);
        if let Some(counter) = self.counters.get(index) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Takes what has been counted since the last time.
    #[must_use]
    pub fn take(&self, counter: u32) -> u64 {
        let index = usize::try_from(counter).unwrap_or(usize::MAX);
        let counter = self.counters.get(index);
        counter.map_or(0, |counter| match counter.load(Ordering::Relaxed) {
            // Most are: leave the cache line alone.
            0 => 0,
            _ => counter.swap(0, Ordering::Relaxed),
        })
    }
}
