//! What a process has used, from proc(5).

use std::fs;
use std::io;
use std::time::Duration;

/// USER_HZ, in which proc_pid_stat(5) counts: 100 on every Linux that runs this.
const TICKS_A_SECOND: f64 = 100.0;

/// Over some time, and at its end.
pub(super) struct Usage {
    /// Of one core, user and system time.
    pub(super) percent: f64,
    /// VmRSS.
    pub(super) resident_mb: f64,
    /// Its share of what it shares (PSS), where that may be read.
    pub(super) share_mb: Option<f64>,
}

/// Watches a process for some time.
pub(super) fn usage(pid: u32, time: Duration) -> io::Result<Usage> {
    let before = ticks(pid)?;
    std::thread::sleep(time);
    let used = (ticks(pid)? - before) / TICKS_A_SECOND;
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let share = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"));
    Ok(Usage {
        percent: used / time.as_secs_f64() * 100.0,
        resident_mb: megabytes(&status, "VmRSS:").unwrap_or(f64::NAN),
        share_mb: share.ok().and_then(|text| megabytes(&text, "Pss:")),
    })
}

/// utime and stime, in ticks.
fn ticks(pid: u32) -> io::Result<f64> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name may hold anything, also brackets; what follows the last one are numbers.
    let numbers = text.rsplit(')').next().unwrap_or_default();
    let field = |number: usize| {
        let word = numbers.split_whitespace().nth(number - 3);
        word.and_then(|word| word.parse::<f64>().ok())
    };
    let sum = field(14).zip(field(15)).map(|(user, system)| user + system);
    sum.ok_or_else(|| io::Error::other(format!("/proc/{pid}/stat has no times")))
}

fn megabytes(text: &str, key: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    let kib: f64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024.0 / 1e6)
}
