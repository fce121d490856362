//! `hallpass-bench lists`: what an `--allow-list` of a million entries costs to load, to keep and
//! to look into, beside what grep(1) and ipset(8) take for the same list.
//!
//! Each list is read by a process of its own, so that its memory is its own. Every round reads
//! every list once, and the yardsticks take their turn in it.

mod made;
mod read;
mod yardstick;

use crate::machine;
use crate::stats::{Samples, show};
use made::Kind;
pub(crate) use read::child;
use std::fmt::Write as _;
use std::io;
use std::process::{Command, ExitCode};
use yardstick::Yardstick;

/// The word for it on the command line.
pub(crate) const LISTS: &str = "lists";
/// What a process that reads a list is told to be.
pub(crate) const CHILD: &str = "list-reader";

/// Entries of each list.
const ENTRIES: u32 = 1_000_000;
/// What the marks of DESIGN §10 allow, of each list.
const LOAD_S: f64 = 1.0;
const LOOK_UP_NS: f64 = 1000.0;
const MEMORY_MB: f64 = 200.0;

/// Measures it all, and prints it.
pub(crate) fn main(quick: bool, json: bool) -> ExitCode {
    match measure(if quick { 1 } else { 5 }) {
        Ok(found) => {
            let text = if json { found.json() } else { found.table() };
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("hallpass-bench: {error}");
            ExitCode::from(125)
        }
    }
}

/// What one list has cost in each round.
#[derive(Default)]
struct Costs {
    text_mb: f64,
    load: Samples,
    parse: Samples,
    on: Samples,
    off: Samples,
    memory_mb: f64,
}

struct Found {
    lists: Vec<(Kind, Costs)>,
    grep: Yardstick,
    ipset: Yardstick,
}

fn measure(rounds: u32) -> io::Result<Found> {
    let mut found = Found {
        lists: Kind::ALL.map(|kind| (kind, Costs::default())).into(),
        grep: Yardstick::default(),
        ipset: Yardstick::default(),
    };
    for _ in 0..rounds {
        for (kind, costs) in &mut found.lists {
            costs.add(&read_by_child(*kind)?)?;
        }
        found.grep.round(yardstick::grep);
        found.ipset.round(yardstick::ipset);
    }
    Ok(found)
}

fn read_by_child(kind: Kind) -> io::Result<serde_json::Value> {
    let output = Command::new(std::env::current_exe()?)
        .args([CHILD, kind.word(), &ENTRIES.to_string()])
        .output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(io::Error::other(format!("{}: {said}", kind.word())));
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

impl Costs {
    fn add(&mut self, line: &serde_json::Value) -> io::Result<()> {
        let number = |name: &str| {
            let missing = || io::Error::other(format!("no {name} in {line}"));
            line[name].as_f64().ok_or_else(missing)
        };
        self.text_mb = number("text_mb")?;
        self.memory_mb = self.memory_mb.max(number("memory_mb")?);
        self.load.0.push(number("load_ns")?);
        self.parse.0.push(number("parse_ns")?);
        self.on.0.push(number("on_ns")?);
        self.off.0.push(number("off_ns")?);
        Ok(())
    }

    /// What, figure, unit, mark.
    fn marks(&self) -> [(&'static str, f64, &'static str, f64); 4] {
        [
            ("loaded", self.load.median() / 1e9, "s", LOAD_S),
            ("look-up, on the list", self.on.median(), "ns", LOOK_UP_NS),
            ("look-up, not on it", self.off.median(), "ns", LOOK_UP_NS),
            ("memory", self.memory_mb, "MB", MEMORY_MB),
        ]
    }
}

impl Found {
    fn table(&self) -> String {
        let mut text = String::new();
        for (kind, costs) in &self.lists {
            let _ = writeln!(
                text,
                "{}: {ENTRIES} entries, {:.0} MB of text ({})",
                kind.word(),
                costs.text_mb,
                kind.what()
            );
            for (what, samples) in [
                ("loaded", &costs.load),
                ("  of which parsed", &costs.parse),
                ("look-up, on the list", &costs.on),
                ("look-up, not on it", &costs.off),
            ] {
                let _ = writeln!(text, "  {what:<24} {}", spread(samples));
            }
            let _ = writeln!(text, "  {:<24} {:>10.0} MB\n", "memory", costs.memory_mb);
        }
        for (name, yardstick) in self.yardsticks() {
            let _ = writeln!(text, "{name}: {}", yardstick.words());
        }
        text.push_str("\nmarks (DESIGN §10)\n");
        for (kind, costs) in &self.lists {
            for (what, figure, unit, most) in costs.marks() {
                let word = if figure < most { "met" } else { "MISSED" };
                let _ = writeln!(
                    text,
                    "  {:<8} {what:<22} {figure:>8.2} {unit:<2} of {most:>6.0}  {word}",
                    kind.word()
                );
            }
        }
        let _ = write!(text, "\n{}", machine::describe());
        text
    }

    fn yardsticks(&self) -> [(&'static str, &Yardstick); 2] {
        [
            ("grep -F -x -f LIST (the names of hosts)", &self.grep),
            ("ipset hash:net (the networks of cidr)", &self.ipset),
        ]
    }

    fn json(&self) -> String {
        let lists: serde_json::Map<String, serde_json::Value> = self
            .lists
            .iter()
            .map(|(kind, costs)| {
                let marks = costs.marks().map(|(what, figure, unit, most)| {
                    serde_json::json!({
                        "what": what, "figure": figure, "unit": unit, "most": most,
                        "met": figure < most,
                    })
                });
                let parse = costs.parse.median() / 1e9;
                let list = serde_json::json!({ "parse_s": parse, "marks": marks });
                (kind.word().to_owned(), list)
            })
            .collect();
        let yardsticks: serde_json::Map<String, serde_json::Value> = self
            .yardsticks()
            .into_iter()
            .map(|(name, yardstick)| (name.to_owned(), yardstick.json()))
            .collect();
        serde_json::json!({
            "machine": machine::describe(), "entries": ENTRIES,
            "lists": lists, "yardsticks": yardsticks,
        })
        .to_string()
    }
}

fn spread(samples: &Samples) -> String {
    format!(
        "{:>10}  ({} to {}, n {})",
        show(samples.median()),
        show(samples.quantile(0.0)),
        show(samples.quantile(1.0)),
        samples.0.len()
    )
}
