//! Why a text is no destination, and what to write instead.

use crate::NameError;
use std::fmt;

/// Why a text is no destination. Safe to show: what it repeats of the input is escaped and
/// clipped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DestinationError {
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub remedy: String,
}

impl DestinationError {
    pub(super) fn new(message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            remedy: remedy.into(),
        }
    }
}

impl fmt::Display for DestinationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.message, self.remedy)
    }
}

impl std::error::Error for DestinationError {}

impl From<NameError> for DestinationError {
    fn from(error: NameError) -> Self {
        Self::new(error.message, error.remedy)
    }
}
