//! Verdicts that the session lets us use again, until the shared page says otherwise.
//!
//! A fixed table in a page of its own: no lock, no allocation, usable in signal handlers. The
//! page is wiped in a child made by fork, so each process keeps, and counts, for itself.

use crate::settings;
use crate::signals::Blocked;
use crate::sys;
use core::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering, fence};
use hallpass_wire::{Address, Ask, Keep, Page};

/// Bytes of the table's page.
const TABLE_LEN: usize = 4096;
const ENTRIES: usize = TABLE_LEN / size_of::<Entry>();
const KEY_WORDS: usize = 3;

/// One kept verdict. All zero is an empty one: generation 0 is never current.
#[repr(C, align(64))]
struct Entry {
    /// Odd while somebody writes the rest.
    sequence: AtomicU32,
    /// 1 for allow.
    allow: AtomicU32,
    counter: AtomicU32,
    unused: AtomicU32,
    generation: AtomicU64,
    key: [AtomicU64; KEY_WORDS],
}

type Table = [Entry; ENTRIES];

const _: () = assert!(size_of::<Table>() == TABLE_LEN);

static TABLE: AtomicPtr<Table> = AtomicPtr::new(core::ptr::null_mut());
static PAGE: AtomicPtr<Page> = AtomicPtr::new(core::ptr::null_mut());

/// The kept verdict for an equal call, if it still holds; its use is counted.
pub(crate) fn verdict(ask: &Ask) -> Option<bool> {
    let (table, page) = (table()?, page()?);
    let generation = page.generation()?;
    let key = key(ask);
    let entry = table.get(slot(&key))?;
    let before = entry.sequence.load(Ordering::Acquire);
    let is_same = entry
        .key
        .iter()
        .zip(key)
        .all(|(kept, asked)| kept.load(Ordering::Relaxed) == asked);
    let kept_for = entry.generation.load(Ordering::Relaxed);
    let allow = entry.allow.load(Ordering::Relaxed) == 1;
    let counter = entry.counter.load(Ordering::Relaxed);
    fence(Ordering::Acquire);
    let after = entry.sequence.load(Ordering::Relaxed);
    if before != after || before & 1 == 1 || !is_same || kept_for != generation {
        return None;
    }
    page.count(counter);
    Some(allow)
}

/// Keeps a verdict. What cannot be kept is asked again: nothing is lost but time.
pub(crate) fn keep(ask: &Ask, allow: bool, keep: Keep) {
    if PAGE.load(Ordering::Acquire).is_null() {
        map();
    }
    let Some(table) = table() else {
        return;
    };
    let key = key(ask);
    let Some(entry) = table.get(slot(&key)) else {
        return;
    };
    let before = entry.sequence.load(Ordering::Relaxed);
    let odd = before.wrapping_add(1);
    // Another thread, or the code that a handler of ours interrupted, is writing: let it.
    if before & 1 == 1
        || entry
            .sequence
            .compare_exchange(before, odd, Ordering::Acquire, Ordering::Relaxed)
            .is_err()
    {
        return;
    }
    fence(Ordering::Release);
    for (kept, word) in entry.key.iter().zip(key) {
        kept.store(word, Ordering::Relaxed);
    }
    entry.allow.store(u32::from(allow), Ordering::Relaxed);
    entry.counter.store(keep.counter, Ordering::Relaxed);
    entry.generation.store(keep.generation, Ordering::Relaxed);
    entry
        .sequence
        .store(before.wrapping_add(2), Ordering::Release);
}

/// Maps the session's page and a table for us; whoever comes second gives its mapping back to
/// nobody, which costs a page once in a while.
fn map() {
    // A handler that leaves by siglongjmp must not take our descriptor with it.
    let _blocked = Blocked::new();
    let mut path = [0; sys::PATH_LEN];
    let Some(page) = settings::page_path(&mut path).and_then(|()| sys::map_page(&path)) else {
        return;
    };
    let Some(table) = sys::private_page(TABLE_LEN) else {
        return;
    };
    TABLE.store(table.cast(), Ordering::Release);
    PAGE.store(page, Ordering::Release);
}

fn table() -> Option<&'static Table> {
    // SAFETY: null, or what `map` stores: a zeroed, page-aligned mapping of TABLE_LEN bytes, made
    // of atomics only and never unmapped.
    unsafe { TABLE.load(Ordering::Acquire).as_ref() }
}

fn page() -> Option<&'static Page> {
    // SAFETY: null, or what `map` stores: a shared mapping of the whole page, never unmapped.
    unsafe { PAGE.load(Ordering::Acquire).as_ref() }
}

/// All that policy can tell calls apart by, besides who calls.
fn key(ask: &Ask) -> [u64; KEY_WORDS] {
    let (family, octets, scope_id) = match ask.address {
        Address::V4([a, b, c, d]) => (4_u64, [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], 0),
        Address::V6 { octets, scope_id } => (6, octets, scope_id),
    };
    let address = u128::from_ne_bytes(octets);
    let rest = family << 56
        | u64::from(ask.protocol.number()) << 48
        | u64::from(ask.port) << 32
        | u64::from(scope_id);
    [address as u64, (address >> 64) as u64, rest]
}

/// Fibonacci hashing; the top bits are the best mixed.
fn slot(key: &[u64; KEY_WORDS]) -> usize {
    const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
    const BITS: u32 = ENTRIES.trailing_zeros();
    let mixed = key.iter().fold(0_u64, |mixed, word| {
        (mixed ^ word).wrapping_mul(GOLDEN).rotate_left(29)
    });
    (mixed.wrapping_mul(GOLDEN) >> (64 - BITS)) as usize
}
