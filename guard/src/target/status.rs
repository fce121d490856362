//! What the kernel says of a thread: its process, its state, its signals.

use super::errno;
use nix::errno::Errno;
use std::fs::File;
use std::io::Read;

/// What `/proc/TID/status` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Status {
    /// The process of the thread.
    pub(crate) pid: u32,
    /// It is the first thread of its process.
    pub(crate) is_leader: bool,
    pub(crate) threads: u32,
    /// Its letter: S, T, …
    pub(crate) state: char,
    /// Signals that wait for the thread, and for its process.
    pub(crate) pending: u64,
    pub(crate) pending_for_process: u64,
    pub(crate) blocked: u64,
    pub(crate) ignored: u64,
    pub(crate) caught: u64,
}

impl Status {
    pub(crate) fn read(tid: u32) -> Result<Self, Errno> {
        let text = status_of(&tid.to_string()).map_err(errno)?;
        let status = Self::parse(&text);
        Ok(Self {
            is_leader: status.pid == tid,
            ..status
        })
    }

    fn parse(text: &str) -> Self {
        let mut status = Self::default();
        let hex = |value: &str| u64::from_str_radix(value, 16).unwrap_or(0);
        // The program's name comes first and is its own word, but escapes line ends.
        for line in text.lines() {
            let Some((key, value)) = line.split_once(':') else {
                continue;
            };
            let value = value.trim();
            match key {
                "State" => status.state = value.chars().next().unwrap_or('?'),
                "Tgid" => status.pid = value.parse().unwrap_or(0),
                "Threads" => status.threads = value.parse().unwrap_or(0),
                "SigPnd" => status.pending = hex(value),
                "ShdPnd" => status.pending_for_process = hex(value),
                "SigBlk" => status.blocked = hex(value),
                "SigIgn" => status.ignored = hex(value),
                "SigCgt" => status.caught = hex(value),
                _ => {}
            }
        }
        status
    }
}

/// `/proc/TASK/status`, whole: what stands behind the groups counts, and there may be 65,536.
pub(crate) fn status_of(task: &str) -> std::io::Result<String> {
    const MAX: u64 = 1024 * 1024;
    // Room for what is usual.
    let mut text = Vec::with_capacity(4096);
    let file = File::open(format!("/proc/{task}/status"))?;
    file.take(MAX).read_to_end(&mut text)?;
    // Only the program's name may be no UTF-8.
    Ok(String::from_utf8_lossy(&text).into_owned())
}

#[cfg(test)]
mod tests {
    use super::Status;

    #[test]
    fn a_status_is_read() {
        let status = Status::parse(
            "Name:\ta\\nTgid:\nState:\tS (sleeping)\nTgid:\t7\nUid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\n\
             Threads:\t3\nSigPnd:\t0000000000000400\nShdPnd:\t0000000000002000\nSigBlk:\t1\n\
             SigIgn:\t2\nSigCgt:\t4\n",
        );
        assert_eq!((status.pid, status.threads, status.state), (7, 3, 'S'));
        assert_eq!(
            (status.pending, status.pending_for_process),
            (0x400, 0x2000)
        );
        assert_eq!((status.blocked, status.ignored, status.caught), (1, 2, 4));
        assert_eq!(
            Status::read(std::process::id()).unwrap().pid,
            std::process::id()
        );
    }

    /// The signals stand behind the groups.
    #[test]
    fn a_status_with_many_groups_is_read_to_its_end() {
        if !nix::unistd::geteuid().is_root() {
            println!("skipped: only root sets groups");
            return;
        }
        let groups: Vec<String> = (10_000..12_000).map(|group| group.to_string()).collect();
        let mut child = std::process::Command::new("setpriv")
            .args(["--groups", &groups.join(","), "sleep", "60"])
            .spawn()
            .unwrap();
        let end = std::time::Instant::now() + std::time::Duration::from_secs(20);
        let text = loop {
            let text = super::status_of(&child.id().to_string()).unwrap();
            if text.contains(" 11999") || std::time::Instant::now() > end {
                break text;
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        };
        let status = Status::read(child.id()).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(text.len() > 10_000, "{text}");
        assert!(text.contains("\nSigCgt:"), "{text}");
        assert_eq!(status.threads, 1);
    }
}
