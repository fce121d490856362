//! The process that reads one list, and says what it took.

use super::made::{Kind, Sought};
use hallpass_policy::{
    Action, Endpoint, Environment, Layer, Policy, Protocol, Query, Rule, Subject, parse_list,
};
use std::hint::black_box;
use std::io;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// How many look-ups are measured.
const LOOK_UPS: u32 = 200_000;

/// Reads the list that the arguments name, and prints a line of JSON.
pub(crate) fn child(arguments: &[String]) -> ExitCode {
    match measured(arguments) {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(125)
        }
    }
}

#[allow(clippy::cast_precision_loss, reason = "sizes for people")]
fn measured(arguments: &[String]) -> io::Result<serde_json::Value> {
    let wrong = || io::Error::other("a list's kind and number of entries are wanted");
    let [kind, entries] = arguments else {
        return Err(wrong());
    };
    let kind = Kind::ALL.into_iter().find(|it| it.word() == kind);
    let kind = kind.ok_or_else(wrong)?;
    let entries: u32 = entries.parse().map_err(|_| wrong())?;
    let text = kind.text(entries);
    let before = resident_kb()?;
    let start = Instant::now();
    let to = parse_list(text.as_bytes(), "list").map_err(io::Error::other)?;
    let parsed = start.elapsed();
    let mut policy = Policy::new();
    policy.set_default(Action::Deny);
    policy.set_layer(Layer::Policy, vec![Rule::new(Action::Allow, to)]);
    let loaded = start.elapsed();
    let memory = resident_kb()?.saturating_sub(before);
    Ok(serde_json::json!({
        "text_mb": text.len() as f64 / 1e6,
        "parse_ns": parsed.as_secs_f64() * 1e9,
        "load_ns": loaded.as_secs_f64() * 1e9,
        "memory_mb": memory as f64 / 1024.0,
        "on_ns": look_up(&policy, kind, entries, true),
        "off_ns": look_up(&policy, kind, entries, false),
    }))
}

/// Nanoseconds of each look-up.
fn look_up(policy: &Policy, kind: Kind, entries: u32, is_on: bool) -> f64 {
    let environment = Environment::default();
    let subject = Subject::default();
    let sought: Vec<Sought> = (0..LOOK_UPS)
        .map(|n| kind.sought(n, entries, is_on))
        .collect();
    let start = Instant::now();
    for one in &sought {
        let name = one.name.as_deref();
        let query = Query {
            subject: &subject,
            protocol: Protocol::Tcp,
            endpoint: Endpoint::Ip {
                address: one.address,
                port: 443,
            },
            names: name.as_slice(),
        };
        let decision = policy.decide(&query, &environment, jiff::Timestamp::UNIX_EPOCH);
        assert_eq!(black_box(decision.action) == Action::Allow, is_on);
    }
    let taken: Duration = start.elapsed();
    taken.as_secs_f64() * 1e9 / f64::from(LOOK_UPS)
}

/// Resident memory, from /proc/self/status (proc(5)).
fn resident_kb() -> io::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_ascii_whitespace().next());
    let number = number.and_then(|number| number.parse().ok());
    number.ok_or_else(|| io::Error::other("no VmRSS in /proc/self/status"))
}
