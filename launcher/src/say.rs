//! The one place that writes to stderr, which belongs to the started program: whole lines, in
//! one write each, and never a failure because nobody reads them.

use std::io::Write;

/// Writes `hallpass: TEXT` as one line to stderr. `text` must already be escaped.
pub(crate) fn say(text: &str) {
    line(&format!("hallpass: {text}"));
}

/// Writes `text` as one line to stderr. `text` must already be escaped.
pub(crate) fn line(text: &str) {
    // One write, so that lines of several processes do not mix; a closed stderr is no reason
    // to stop the program that runs.
    let _ = std::io::stderr().write_all(format!("{text}\n").as_bytes());
}
