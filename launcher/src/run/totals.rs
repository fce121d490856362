//! What a run comes to, and the line about it at its end.

use serde::{Deserialize, Serialize};

/// Numbers of calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Totals {
    /// Went on, those of `audited` included.
    pub(crate) allowed: u64,
    /// Failed.
    pub(crate) denied: u64,
    /// Went on only because of `--audit`.
    pub(crate) audited: u64,
}

impl Totals {
    /// Whether something was refused, or would have been.
    pub(super) fn is_blocked(self) -> bool {
        self.denied > 0 || self.audited > 0
    }
}

/// The line, without `hallpass: `; with a hint where nobody has said what was refused.
pub(super) fn line(totals: Totals, is_named: bool) -> String {
    let mut line = numbers(totals);
    if !is_named {
        line.push_str(" (-v says what)");
    }
    line
}

fn numbers(totals: Totals) -> String {
    let Totals {
        allowed,
        denied,
        audited,
    } = totals;
    if audited > 0 {
        let allowed = allowed.saturating_sub(audited);
        return format!(
            "{denied} refused, {audited} would be refused without --audit, {allowed} allowed"
        );
    }
    format!("{denied} refused, {allowed} allowed")
}

#[cfg(test)]
mod tests {
    use super::{Totals, line};

    #[test]
    fn refused_first() {
        let totals = Totals {
            denied: 2,
            ..Totals::default()
        };
        assert_eq!(line(totals, true), "2 refused, 0 allowed");
        assert_eq!(line(totals, false), "2 refused, 0 allowed (-v says what)");
        let totals = Totals {
            allowed: 5,
            denied: 0,
            audited: 3,
        };
        assert_eq!(
            line(totals, true),
            "0 refused, 3 would be refused without --audit, 2 allowed"
        );
    }
}
