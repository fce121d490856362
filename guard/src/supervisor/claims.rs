//! Sockets whose send timeout one of our threads has put aside just now.

use crate::sys::socket as sys;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Our own descriptors of them: as long as one is claimed it is open.
#[derive(Debug, Default)]
pub(super) struct Claims {
    claimed: Mutex<Vec<RawFd>>,
}

impl Claims {
    /// False where the same socket is claimed by another descriptor. Nearly always nothing is
    /// claimed: only else the sockets are compared.
    pub(super) fn claim(&self, socket: BorrowedFd<'_>) -> bool {
        let mut claimed = self.lock();
        let is_free = claimed.iter().all(|other| {
            match (sys::inode(*other), sys::inode(socket.as_raw_fd())) {
                (Ok(other), Ok(own)) => other != own,
                _ => false,
            }
        });
        if is_free {
            claimed.push(socket.as_raw_fd());
        }
        is_free
    }

    pub(super) fn unclaim(&self, socket: BorrowedFd<'_>) {
        self.lock().retain(|other| *other != socket.as_raw_fd());
    }

    fn lock(&self) -> MutexGuard<'_, Vec<RawFd>> {
        self.claimed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
