//! A number that stays the same for the same finding in every run, on every machine: what
//! SARIF and GitLab tell an old finding from a new one by.

use super::{Entry, Target};

/// FNV-1a, 128 bits (draft-eastlake-fnv): fixed for good, unlike std's hasher. Findings of one
/// run are few, so chance collisions do not matter; who makes one on purpose hides one of their
/// own findings behind another of their own.
const OFFSET: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;

/// Of who, where to, and what came of it: neither addresses behind a name nor counts nor the
/// rule that refused, which change from run to run.
pub(super) fn of(entry: &Entry) -> String {
    let target = match &entry.target {
        Target::Call(what) => what.clone(),
        Target::Flow { .. } => entry.destination(),
    };
    let package = entry.package.as_deref().unwrap_or_default();
    let parts = [entry.outcome.word(), &entry.app, package, &target];
    let parts = parts.into_iter().chain(entry.step.as_deref());
    let hash = parts.fold(OFFSET, |hash, part| {
        let bytes = part.bytes().chain([0]);
        bytes.fold(hash, |hash, byte| {
            (hash ^ u128::from(byte)).wrapping_mul(PRIME)
        })
    });
    format!("{hash:032x}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples::refused;

    #[test]
    fn the_same_finding_has_the_same_number_for_good() {
        let one = refused("/usr/bin/curl", "evil.test", 443);
        assert_eq!(of(&one), "200210411c0d9e5e4b22aada1dd16d88");
        let mut again = one.clone();
        again.count = 99;
        again.addresses.clear();
        assert_eq!(of(&again), of(&one));
        assert_ne!(of(&refused("/usr/bin/curl", "evil.test", 80)), of(&one));
        assert_ne!(of(&refused("/usr/bin/wget", "evil.test", 443)), of(&one));
    }
}
