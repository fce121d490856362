//! The processes of a session: all that descend from it.

use crate::identity::parent_of;
use std::collections::HashMap;

/// The processes that descend from `session`, lowest number first, in a picture of the process
/// table that is out of date as soon as it is taken.
pub(super) fn of(session: u32) -> Vec<u32> {
    let Ok(listing) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    let pids = listing.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let parents: HashMap<u32, u32> = pids
        .filter_map(|pid| Some((pid, parent_of(pid)?)))
        .collect();
    let mut found = descendants(&parents, session);
    found.sort_unstable();
    found
}

fn descendants(parents: &HashMap<u32, u32>, session: u32) -> Vec<u32> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for (pid, parent) in parents {
        children.entry(*parent).or_default().push(*pid);
    }
    let mut found = Vec::new();
    // Taken out of the table as they are met, so a circle (the picture is not of one moment)
    // ends.
    let mut next = children.remove(&session).unwrap_or_default();
    while let Some(pid) = next.pop() {
        if pid != session {
            found.push(pid);
        }
        next.extend(children.remove(&pid).unwrap_or_default());
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{descendants, of};
    use std::process::{Command, Stdio};

    #[test]
    fn children_and_theirs_descend_and_strangers_do_not() {
        let parents = [(2, 1), (3, 2), (4, 3), (5, 1), (1, 0)].into();
        let mut found = descendants(&parents, 2);
        found.sort_unstable();
        assert_eq!(found, [3, 4]);
        let circle = [(2, 3), (3, 2)].into();
        assert_eq!(descendants(&circle, 2), [3]);
    }

    #[test]
    fn a_child_of_ours_is_found() {
        let mut child = Command::new("sleep")
            .arg("30")
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        assert!(of(std::process::id()).contains(&child.id()));
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
