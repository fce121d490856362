//! The line at the end of a run in which something was refused.

/// The line, without `hallpass: `.
pub(super) fn line(allowed: u64, denied: u64) -> String {
    format!("{denied} refused, {allowed} allowed")
}

#[cfg(test)]
mod tests {
    use super::line;

    #[test]
    fn refused_first() {
        assert_eq!(line(0, 2), "2 refused, 0 allowed");
    }
}
