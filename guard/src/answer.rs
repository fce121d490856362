//! How a notified call ends.

use crate::proceed::MayProceed;
use nix::errno::Errno;

/// The kernel's own word for "a signal came first": it makes EINTR of it, or calls again after the
/// handler (SA_RESTART). Never seen by programs.
pub(crate) const ERESTARTSYS: i32 = 512;

#[derive(Debug)]
pub(crate) enum Answer {
    /// It was made by us and returned this.
    Value(i64),
    /// It was made by us, or refused, and failed.
    Error(Errno),
    /// A signal waits for the thread.
    Restart,
    /// The kernel makes it: only [`crate::proceed`] makes permissions.
    Proceed(MayProceed),
}

impl From<Result<i64, Errno>> for Answer {
    fn from(result: Result<i64, Errno>) -> Self {
        match result {
            Ok(value) => Self::Value(value),
            Err(errno) => Self::Error(errno),
        }
    }
}
