//! The counts in the events are the listener's, also where most calls never reach the session.

use crate::harness::Dir;
use crate::nasty::{Counting, compile};
use std::time::Duration;

/// Allowed and denied, from the log's last line; and the sum of its decided lines.
fn counts(dir: &Dir) -> (u64, u64, u64) {
    let logs = std::fs::read_dir(dir.path("state/hallpass")).unwrap();
    let logs: Vec<_> = logs
        .flatten()
        .map(|it| it.path())
        .filter(|it| it.extension().is_some_and(|it| it == "jsonl"))
        .collect();
    let [log] = logs.as_slice() else {
        panic!("not one log: {logs:?}")
    };
    let text = std::fs::read_to_string(log).unwrap();
    let lines: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let decided = lines
        .iter()
        .inspect(|line| {
            if line["verdict"] == "deny" || line["kind"] == "refused" {
                println!("denied: {line}");
            }
        })
        .filter(|line| line["kind"] == "decided")
        .map(|line| line["count"].as_u64().unwrap())
        .sum();
    let totals = lines.iter().find(|line| line["kind"] == "totals").unwrap();
    let number = |name: &str| totals[name].as_u64().unwrap();
    (number("allowed"), number("denied"), decided)
}

struct Rush {
    processes: usize,
    threads: usize,
    time: Duration,
    killed: usize,
}

impl Rush {
    /// Gives what the program, the listeners and the events have counted.
    fn run(&self) -> [u64; 3] {
        let dir = Dir::new();
        let program = compile(&dir, "rush", &[]);
        let listeners: Vec<Counting> = (0..4).map(|_| Counting::new()).collect();
        let mut words = vec![program];
        words.extend([self.processes, self.threads].map(|it| it.to_string()));
        words.extend([self.time.as_millis().to_string(), self.killed.to_string()]);
        words.extend(listeners.iter().map(|it| it.port.to_string()));
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let outcome = dir
            .run(&["--prompt=none", "--default", "allow", "--wait"], &words)
            .spawn()
            .finish_within(self.time + Duration::from_secs(60))
            .ok();
        let told = outcome
            .stdout
            .split_whitespace()
            .nth(1)
            .unwrap()
            .parse()
            .unwrap();
        assert!(outcome.stdout.contains("failed 0"), "{outcome}");
        let accepted = listeners.iter().map(Counting::accepted).sum::<usize>() as u64;
        crate::harness::eventually("the session's end", || {
            dir.sessions().is_empty().then_some(())
        });
        let (allowed, denied, decided) = counts(&dir);
        assert_eq!(denied, 0);
        assert_eq!(allowed, decided, "totals and lines of the log");
        println!("connected {told}, accepted {accepted}, events {allowed}");
        [told, accepted, allowed]
    }

    /// All three are equal.
    fn is_exact(&self) {
        let [told, accepted, events] = self.run();
        assert!(told > 1000, "it was no rush: {told}");
        assert_eq!(told, accepted);
        assert_eq!(events, accepted);
    }

    /// A thread that is killed between its verdict and its connect has one event and no
    /// connection: one at most for each thread killed, and never the other way round.
    fn is_exact_but_for_the_killed(&self) {
        let [told, accepted, events] = self.run();
        let killed = (self.killed * self.threads) as u64;
        assert!(told > 1000, "it was no rush: {told}");
        assert!(
            (told..=told + killed).contains(&accepted),
            "told {told}, accepted {accepted}"
        );
        assert!(
            (accepted..=accepted + killed).contains(&events),
            "accepted {accepted}, events {events}"
        );
    }
}

const SHORT: Duration = Duration::from_secs(2);
const LONG: Duration = Duration::from_secs(10);

const fn rush(processes: usize, time: Duration, killed: usize) -> Rush {
    Rush {
        processes,
        threads: 64 / processes,
        time,
        killed,
    }
}

#[test]
fn sixty_four_threads_are_counted_exactly() {
    rush(1, SHORT, 0).is_exact();
}

#[test]
fn half_the_processes_are_killed_on_the_way() {
    rush(8, SHORT, 4).is_exact_but_for_the_killed();
}

#[test]
#[ignore = "long: tests/run --full"]
fn full_sixty_four_threads_are_counted_exactly() {
    rush(1, LONG, 0).is_exact();
    rush(8, LONG, 0).is_exact();
}

#[test]
#[ignore = "long: tests/run --full"]
fn full_half_the_processes_are_killed_on_the_way() {
    rush(8, LONG, 4).is_exact_but_for_the_killed();
}
