//! What a list of a million entries costs: loading it, memory, and a look-up, beside `grep -F` on
//! the same file as a yardstick.
//!
//! `cargo run --release -p hallpass-policy --example lists [-- ENTRIES]`. Nothing here passes or
//! fails: docs/performance.md has the marks and the last figures.

#![allow(
    clippy::print_stdout,
    reason = "a program for people; its output is the point"
)]

use hallpass_policy::{
    Action, Endpoint, Environment, Layer, Policy, Protocol, Query, Rule, Subject, parse_list,
};
use std::error::Error;
use std::hint::black_box;
use std::net::IpAddr;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How many look-ups are measured.
const LOOK_UPS: u32 = 200_000;

fn main() -> Result<(), Box<dyn Error>> {
    let entries: u32 = match std::env::args().nth(1) {
        Some(number) => number.parse()?,
        None => 1_000_000,
    };
    let text = list(entries);
    println!("{entries} entries, {} MB of text", text.len() / 1_000_000);
    let before = memory()?;
    let start = Instant::now();
    let to = parse_list(text.as_bytes(), "list")?;
    let parsed = start.elapsed();
    let mut policy = Policy::new();
    policy.set_default(Action::Deny);
    policy.set_layer(Layer::Policy, vec![Rule::new(Action::Allow, to)]);
    let loaded = start.elapsed();
    println!("load      {loaded:>10.1?}  (parsing {parsed:.1?})");
    println!(
        "memory    {:>7} MB",
        memory()?.saturating_sub(before) / 1024
    );
    for (what, hits) in [("a hit", true), ("a miss", false)] {
        let each = look_ups(&policy, entries, hits);
        println!("look-up   {each:>10.1?}  ({what}, by a name of four labels)");
    }
    println!(
        "grep -F   {:>10.1?}  (one name, the whole file)",
        grep(&text)?
    );
    Ok(())
}

/// Eight in ten are names, one in ten domains, one in ten networks.
fn list(entries: u32) -> String {
    let line = |n: u32| match n % 10 {
        0 => format!("||d{n}.zone.example^\n"),
        1 => {
            let [_, a, b, c] = n.to_be_bytes();
            format!("{}.{b}.{c}.0/24\n", 11 + a)
        }
        _ => format!("0.0.0.0 host{n}.zone{}.example.com\n", n % 5000),
    };
    (0..entries).map(line).collect()
}

fn look_ups(policy: &Policy, entries: u32, hits: bool) -> Duration {
    let environment = Environment::default();
    let subject = Subject::default();
    let names: Vec<String> = (0..LOOK_UPS)
        .map(|n| {
            // Scattered, so that the caches of the machine do not answer.
            let n = n.wrapping_mul(2_654_435_761) % (entries / 10).max(1) * 10 + 5;
            let top = if hits { "com" } else { "org" };
            format!("host{n}.zone{}.example.{top}", n % 5000)
        })
        .collect();
    let start = Instant::now();
    for name in &names {
        let names = [name.as_str()];
        let query = Query {
            subject: &subject,
            protocol: Protocol::Tcp,
            endpoint: Endpoint::Ip {
                address: IpAddr::from([203, 0, 113, 7]),
                port: 443,
            },
            names: &names,
        };
        let decision = policy.decide(&query, &environment, jiff::Timestamp::UNIX_EPOCH);
        assert_eq!(black_box(decision.action) == Action::Allow, hits);
    }
    start.elapsed() / LOOK_UPS
}

fn grep(text: &str) -> Result<Duration, Box<dyn Error>> {
    let path = std::env::temp_dir().join(format!("hallpass-list-{}", std::process::id()));
    std::fs::write(&path, text)?;
    let start = Instant::now();
    let status = Command::new("grep")
        .args(["-F", "-c", "no-such-name.example"])
        .arg(&path)
        .stdout(Stdio::null())
        .status();
    let took = start.elapsed();
    std::fs::remove_file(&path)?;
    status?;
    Ok(took)
}

/// Resident memory in KiB, from /proc/self/status (proc(5)).
fn memory() -> Result<u64, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_ascii_whitespace().next());
    Ok(number.ok_or("no VmRSS")?.parse()?)
}
