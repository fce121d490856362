use super::bounded::BoundedLog;
use super::*;
use crate::event::{FlowLine, Kind};
use crate::verdict::{Source, Verdict};
use hallpass_policy::Protocol;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::mpsc::channel;
use std::time::SystemTime;

fn scratch(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("hallpass-log-{}-{name}", std::process::id()));
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir(&path).unwrap();
    path
}

fn event(seq: u64, kind: Kind) -> Event {
    Event {
        v: 1,
        seq,
        time: format!("2026-01-01T00:00:{:02}Z", seq % 60),
        session: "7-0000000a".to_owned(),
        kind,
    }
}

fn decided(seq: u64, pid: u32, port: u16, verdict: Verdict) -> Event {
    let flow = FlowLine {
        pid,
        app: "/usr/bin/curl".to_owned(),
        script: false,
        package: None,
        step: None,
        proto: Protocol::Tcp,
        address: "192.168.1.9".parse().unwrap(),
        port,
        names: Vec::new(),
        look_up: false,
    };
    event(
        seq,
        Kind::Decided {
            flow,
            verdict,
            source: Source::Default,
            count: 1,
        },
    )
}

fn read(bytes: &[u8]) -> Vec<Event> {
    let lines = std::str::from_utf8(bytes)
        .unwrap()
        .lines()
        .filter(|line| !line.is_empty());
    lines
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

/// Allowed, denied: what the lines of a log add up to, the unlisted ones included.
fn sums(events: &[Event]) -> (u64, u64) {
    let mut sums = (0, 0);
    for event in events {
        match &event.kind {
            Kind::Decided {
                verdict: Verdict::Allow,
                count,
                ..
            } => sums.0 += count,
            Kind::Decided {
                verdict: Verdict::Deny,
                count,
                ..
            } => sums.1 += count,
            Kind::Coverage { text } if text.contains("not listed") => {
                let numbers: Vec<u64> = text
                    .split_whitespace()
                    .filter_map(|word| word.parse().ok())
                    .collect();
                sums.0 += numbers[0];
                sums.1 += numbers[1];
            }
            _ => {}
        }
    }
    sums
}

#[test]
fn a_log_is_lines_of_json_for_its_user_only() {
    let dir = scratch("plain");
    let path = dir.join("hallpass/7-0000000a.jsonl");
    let (log, writer) = Log::start(&path, |problem| panic!("{problem}"));
    let events = [
        event(
            1,
            Kind::Started {
                command: vec!["curl".to_owned()],
            },
        ),
        decided(2, 70, 80, Verdict::Allow),
        event(
            3,
            Kind::Totals {
                allowed: 1,
                denied: 0,
            },
        ),
    ];
    events.iter().for_each(|event| log.record(event.clone()));
    assert!(writer.finish(Duration::from_secs(10)));
    assert_eq!(read(&std::fs::read(&path).unwrap()), events);
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(
        path.parent()
            .unwrap()
            .metadata()
            .unwrap()
            .permissions()
            .mode()
            & 0o777,
        0o700
    );
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn beyond_the_limit_equal_decisions_become_one_line_and_totals_stay_exact() {
    const SMALL: usize = 5 * 1024 * 1024;
    let mut bytes = Vec::new();
    let mut log = BoundedLog::new(&mut bytes, SMALL);
    let calls: u64 = 20_000;
    for seq in 0..calls {
        let verdict = if seq % 10 == 0 {
            Verdict::Deny
        } else {
            Verdict::Allow
        };
        log.write(decided(
            seq,
            u32::try_from(seq).unwrap(),
            (seq % 100) as u16,
            verdict,
        ))
        .unwrap();
    }
    log.write(event(
        calls,
        Kind::Totals {
            allowed: 18_000,
            denied: 2_000,
        },
    ))
    .unwrap();
    log.finish().unwrap();
    assert!(bytes.len() <= SMALL);
    let events = read(&bytes);
    assert_eq!(sums(&events), (18_000, 2_000));
    assert!(matches!(events.last().unwrap().kind, Kind::Totals { .. }));
    let merged: Vec<_> = events
        .iter()
        .filter(|event| matches!(event.kind, Kind::Decided { count, .. } if count > 1))
        .collect();
    assert_eq!(merged.len(), 100, "one line for each port");
}

#[test]
fn decisions_that_are_all_different_are_counted_when_there_is_no_room() {
    const SMALL: usize = 4 * 1024 * 1024 + 100_000;
    let mut bytes = Vec::new();
    let mut log = BoundedLog::new(&mut bytes, SMALL);
    for seq in 0..60_000_u64 {
        log.write(decided(seq, 1, seq as u16, Verdict::Allow))
            .unwrap();
    }
    log.finish().unwrap();
    assert!(bytes.len() <= SMALL);
    assert_eq!(sums(&read(&bytes)), (60_000, 0));
}

/// Takes so many bytes and then has no space left, in the middle of a line.
struct Full<'a>(&'a mut Vec<u8>, usize);

impl Write for Full<'_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let take = buf.len().min(self.1);
        if take == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.1 -= take;
        self.0.extend_from_slice(&buf[..take]);
        Ok(take)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_is_an_error_once_and_then_a_count() {
    let mut bytes = Vec::new();
    let mut log = BoundedLog::new(Full(&mut bytes, 1000), LIMIT);
    let results: Vec<bool> = (0..100)
        .map(|seq| log.write(decided(seq, 1, 80, Verdict::Deny)).is_ok())
        .collect();
    assert_eq!(results.iter().filter(|ok| !**ok).count(), 1);
    assert!(log.finish().is_err());
}

#[test]
fn a_log_that_cannot_be_made_is_reported_once_and_stops_nothing() {
    let dir = scratch("broken");
    std::fs::write(dir.join("hallpass"), "in the way").unwrap();
    let (complain, complaints) = channel();
    let (log, writer) = Log::start(&dir.join("hallpass/7-0000000a.jsonl"), move |problem| {
        complain.send(problem).unwrap()
    });
    for seq in 0..20_000 {
        log.record(decided(seq, 1, 80, Verdict::Allow));
    }
    assert!(writer.finish(Duration::from_secs(10)));
    let complaints: Vec<_> = complaints.iter().collect();
    assert_eq!(complaints.len(), 1);
    assert!(
        complaints[0].to_string().contains("goes on without a log"),
        "{}",
        complaints[0]
    );
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn a_disk_that_hangs_delays_nobody() {
    let dir = scratch("hang");
    let path = dir.join("7-0000000a.jsonl");
    // As if the writer never came to read its queue.
    let (queue, _events) = sync_channel(2);
    let log = Log {
        queue,
        late: Arc::default(),
    };
    for seq in 0..1000 {
        log.record(decided(seq, 1, 80, Verdict::Allow));
    }
    let (_done, done) = sync_channel(1);
    let (hurry, _hurried) = sync_channel(1);
    assert!(
        !LogWriter {
            log: log.clone(),
            hurry,
            done
        }
        .finish(Duration::from_millis(20))
    );
    let late = std::mem::take(&mut *log.late.lock().unwrap());
    let mut bytes = Vec::new();
    let mut bounded = BoundedLog::new(&mut bytes, LIMIT);
    bounded.write(decided(0, 1, 80, Verdict::Allow)).unwrap();
    bounded.write(decided(1, 1, 80, Verdict::Allow)).unwrap();
    bounded.absorb(late);
    bounded.finish().unwrap();
    let events = read(&bytes);
    assert_eq!(sums(&events), (1000, 0));
    assert_eq!(events.len(), 3, "equal ones are one line");
    assert!(!path.exists());
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn old_and_large_logs_of_ended_sessions_go_and_nothing_else() {
    let dir = scratch("prune");
    let hours = |hours: u64| SystemTime::now() - Duration::from_secs(hours * 3600);
    let make = |name: &str, bytes: usize, modified: SystemTime| {
        let path = dir.join(name);
        std::fs::write(&path, vec![b'x'; bytes]).unwrap();
        let file = File::options().write(true).open(&path).unwrap();
        file.set_modified(modified).unwrap();
        file
    };
    make("1-00000001.jsonl", 100, hours(1));
    make("2-00000002.jsonl", 100, hours(2));
    let alive = make("3-00000003.jsonl", 100, hours(3));
    alive.lock().unwrap();
    make("4-00000004.jsonl", 100, hours(4));
    make("5-00000005.jsonl", 10, hours(100));
    make("notes.jsonl", 1000, hours(1000));
    make("6-00000006.txt", 1000, hours(1000));
    let left = || {
        let mut names: Vec<_> = std::fs::read_dir(&dir)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names.join(" ")
    };
    prune_to_hours(&dir, 50, 10_000);
    assert_eq!(
        left(),
        "1-00000001.jsonl 2-00000002.jsonl 3-00000003.jsonl 4-00000004.jsonl 6-00000006.txt notes.jsonl"
    );
    prune_to_hours(&dir, 50, 250);
    assert_eq!(
        left(),
        "1-00000001.jsonl 2-00000002.jsonl 3-00000003.jsonl 6-00000006.txt notes.jsonl"
    );
    prune_to_hours(&dir, 0, 0);
    assert_eq!(left(), "3-00000003.jsonl 6-00000006.txt notes.jsonl");
    std::fs::remove_dir_all(dir).unwrap();
}

fn prune_to_hours(dir: &Path, hours: u64, bytes: u64) {
    prune::prune_to(dir, Duration::from_secs(hours * 3600), bytes);
}
