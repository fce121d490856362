//! What others take for the same list.

use super::ENTRIES;
use super::made::{Kind, host, inside, network};
use crate::stats::{Samples, show};
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::process::{Command, Stdio};
use std::time::Instant;

/// How many names and addresses are looked for, half of them on the list.
const NAMES: u32 = 1_000_000;
const ADDRESSES: u32 = 20_000;

/// Loading, and looking for one thing.
#[derive(Default)]
pub(super) struct Yardstick {
    load: Samples,
    each: Samples,
    /// Where it cannot be had.
    failed: Option<String>,
}

impl Yardstick {
    pub(super) fn round(&mut self, measure: fn() -> io::Result<(f64, f64)>) {
        match measure() {
            Ok((load, each)) => {
                self.load.0.push(load);
                self.each.0.push(each);
            }
            Err(error) => self.failed = Some(error.to_string()),
        }
    }

    pub(super) fn words(&self) -> String {
        match &self.failed {
            Some(error) => format!("not measured: {error}"),
            None => format!(
                "loaded in {}, {} for each one looked for",
                show(self.load.median()),
                show(self.each.median())
            ),
        }
    }

    pub(super) fn json(&self) -> serde_json::Value {
        match &self.failed {
            Some(error) => serde_json::json!({ "error": error }),
            None => serde_json::json!({
                "load_s": self.load.median() / 1e9, "look_up_ns": self.each.median(),
            }),
        }
    }
}

/// grep reads the list each time; what many lines take more than one is the looking.
pub(super) fn grep() -> io::Result<(f64, f64)> {
    let scratch = tempfile::tempdir()?;
    let list = scratch.path().join("list");
    let names: String = (0..ENTRIES).map(|n| host(n) + "\n").collect();
    fs::write(&list, names)?;
    let look_for = |count: u32| -> io::Result<f64> {
        let lines: String = (0..count)
            .filter_map(|n| Kind::Hosts.sought(n, ENTRIES, n.is_multiple_of(2)).name)
            .map(|name| name + "\n")
            .collect();
        let input = scratch.path().join("input");
        fs::write(&input, lines)?;
        let start = Instant::now();
        let output = Command::new("grep")
            .args(["-F", "-x", "-c", "-f"])
            .args([&list, &input])
            .env("LC_ALL", "C")
            .output()?;
        let taken = start.elapsed().as_secs_f64() * 1e9;
        let found = String::from_utf8_lossy(&output.stdout);
        if found.trim() != count.div_ceil(2).to_string() {
            return Err(io::Error::other(format!("grep found {}", found.trim())));
        }
        Ok(taken)
    };
    let load = look_for(1)?;
    let all = look_for(NAMES)?;
    Ok((load, (all - load).max(0.0) / f64::from(NAMES)))
}

/// In a network of its own. Each look-up asks the kernel over netlink.
pub(super) fn ipset() -> io::Result<(f64, f64)> {
    let scratch = tempfile::tempdir()?;
    let mut set = String::from("create list hash:net hashsize 1048576 maxelem 2000000\n");
    for n in 0..ENTRIES {
        let _ = writeln!(set, "add list {}", network(n));
    }
    let mut tests = String::new();
    for n in 0..ADDRESSES {
        let n = n.wrapping_mul(2_654_435_761) % ENTRIES;
        let _ = writeln!(tests, "test list {}", inside(n, n.is_multiple_of(2)));
    }
    fs::write(scratch.path().join("set"), set)?;
    fs::write(scratch.path().join("tests"), tests)?;
    // The shell's own clock: a set lives no longer than its network.
    let script = "now() { date +%s%N; }
        now; ipset restore <set || exit; now; ipset - <tests >/dev/null 2>&1; now";
    let output = Command::new("unshare")
        .args(["-r", "-n", "sh", "-c", script])
        .current_dir(scratch.path())
        .stdin(Stdio::null())
        .output()?;
    let times: Vec<f64> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| line.parse().ok())
        .collect();
    let [start, loaded, looked] = times[..] else {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(io::Error::other(format!(
            "ipset(8) does not work here: {said}"
        )));
    };
    Ok((loaded - start, (looked - loaded) / f64::from(ADDRESSES)))
}
