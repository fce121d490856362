//! How a program waits for a person (`--hold`, docs/hold.md).

use serde::{Deserialize, Serialize};
use std::fmt;

/// How a call that somebody has to be asked about waits for the answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Hold {
    /// It is held until there is an answer.
    #[default]
    Block,
    /// The look-up of its name is held before it, where event loops wait in another thread.
    Name,
    /// It is refused at once; the answer is for the program's next try.
    Retry,
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Block => "block",
            Self::Name => "name",
            Self::Retry => "retry",
        })
    }
}
