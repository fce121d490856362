//! All `unsafe` of this crate: a shared mapping, and a futex that outlives its holder.

use hallpass_wire::{PAGE_LEN, Page};
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::ptr;
use std::sync::atomic::AtomicU32;

/// Maps a file of [`PAGE_LEN`] bytes, shared, for the rest of the process.
///
/// # Errors
/// The file is shorter, or mmap(2) fails.
pub(crate) fn map_page(file: &File) -> io::Result<&'static Page> {
    let length = file.metadata()?.len();
    if length < PAGE_LEN as u64 {
        return Err(io::Error::other("the shared page's file is too short"));
    }
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: a new mapping at an address of the kernel's choice touches no memory of ours, and
    // the descriptor is open for the length of the call.
    let address = unsafe {
        libc::mmap(
            ptr::null_mut(),
            PAGE_LEN,
            protection,
            libc::MAP_SHARED,
            file.as_raw_fd(),
            0,
        )
    };
    if address == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the mapping is PAGE_LEN bytes (the size of Page), page-aligned, never unmapped, and
    // Page is made of atomics only: any content is valid, and others may write it meanwhile.
    Ok(unsafe { &*address.cast::<Page>() })
}

/// struct robust_list_head (linux/futex.h), with one entry that is its own list.
#[repr(C)]
struct RobustList {
    list: *const RobustList,
    futex_offset: libc::c_long,
    list_op_pending: *const RobustList,
    /// The entry: a pointer to the next one, the head.
    entry: *const RobustList,
}

/// Puts `futex`, which holds this thread's id, on this thread's robust list: when the thread
/// dies, however it dies, the kernel sets FUTEX_OWNER_DIED in it (set_robust_list(2)).
///
/// The thread's earlier list (the C library's, empty unless it holds a robust mutex) is replaced.
///
/// # Errors
/// The kernel has no robust futexes.
pub(crate) fn hold_robustly(futex: &'static AtomicU32) -> io::Result<()> {
    // Leaked: the kernel reads it when the thread dies.
    let head: *mut RobustList = Box::leak(Box::new(RobustList {
        list: ptr::null(),
        futex_offset: 0,
        list_op_pending: ptr::null(),
        entry: ptr::null(),
    }));
    // SAFETY: `head` is a valid, leaked allocation.
    let entry = unsafe { &raw const (*head).entry };
    #[allow(
        clippy::cast_possible_wrap,
        reason = "a difference of two addresses may be negative"
    )]
    let offset = (ptr::from_ref(futex).addr().wrapping_sub(entry.addr())) as libc::c_long;
    // SAFETY: as above; nobody else knows of it yet.
    unsafe {
        head.write(RobustList {
            list: entry.cast(),
            futex_offset: offset,
            list_op_pending: ptr::null(),
            entry: head,
        });
    }
    // The kernel knows the head without our entry behind it.
    let head_len = size_of::<RobustList>() - size_of::<*const RobustList>();
    // SAFETY: head and entry live for ever, and so does the futex's mapping.
    let result = unsafe { libc::syscall(libc::SYS_set_robust_list, head, head_len) };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
