//! Measures what hallpass costs, beside a bare run of the same work, in one run.
//!
//! `cargo run --release -p hallpass-bench [-- [--quick] [--json] [WORK…]]`. Each way of running (bare,
//! under hallpass, under rivals that are installed) takes its turn in every round, so that a
//! machine that slows down slows all of them; medians of all samples are compared. Nothing here
//! passes or fails: docs/performance.md has the marks to reach and the last figures.
//!
//! `hallpass-bench window [--quick] [--json]` measures the desktop window instead, on a screen of
//! its own; the rest needs none.

mod machine;
mod marks;
mod stats;
mod way;
mod window;
mod work;

use stats::Samples;
use std::collections::BTreeMap;
use std::process::ExitCode;
use way::Way;
use work::Work;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [first, rest @ ..] = arguments.as_slice()
        && first == work::WORKER
    {
        return work::run_worker(rest);
    }
    if arguments == [window::ASKER] {
        return window::asker();
    }
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    if has(window::WINDOW)
        && arguments.len() == 1 + usize::from(has("--quick")) + usize::from(has("--json"))
    {
        return window::main(has("--quick"), has("--json"));
    }
    let is_flag = |a: &str| matches!(a, "--json" | "--quick");
    let works = Work::all();
    let known: Vec<&str> = works.iter().map(|work| work.name).collect();
    if let Some(unknown) = arguments
        .iter()
        .find(|a| !is_flag(a) && !known.contains(&a.as_str()))
    {
        eprintln!(
            "hallpass-bench: unknown argument {unknown}; there are --json, --quick, {} (alone), and {}",
            window::WINDOW,
            known.join(", ")
        );
        return ExitCode::from(125);
    }
    let wants_all = arguments.iter().all(|a| is_flag(a));
    let rounds = if has("--quick") { 3 } else { 15 };
    let ways = match Way::all() {
        Ok(ways) => ways,
        Err(error) => {
            eprintln!("hallpass-bench: {error}");
            return ExitCode::from(125);
        }
    };
    let mut results = BTreeMap::new();
    for work in works {
        if !wants_all && !has(work.name) {
            continue;
        }
        let measured = measure(&work, &ways, rounds);
        if !has("--json") {
            print!("{}", stats::table(&work, &measured));
        }
        results.insert(work.name.to_owned(), measured);
    }
    if has("--json") {
        println!("{}", stats::json(&machine::describe(), &results));
    } else {
        print!("{}", marks::table(&marks::Mark::all(&results)));
        println!("\n{}", machine::describe());
    }
    ExitCode::SUCCESS
}

/// Samples by way, in the order of [`Way::all`].
fn measure(work: &Work, ways: &[Way], rounds: usize) -> Vec<(String, Samples)> {
    let mut samples: Vec<Samples> = ways.iter().map(|_| Samples::default()).collect();
    for round in 0..rounds {
        for turn in 0..ways.len() {
            // Another one goes first in each round.
            let index = (round + turn) % ways.len();
            match work.sample(&ways[index]) {
                Ok(Some(mut nanoseconds)) => samples[index].0.append(&mut nanoseconds),
                Ok(None) => {}
                Err(error) => eprintln!("{} / {}: {error}", work.name, ways[index].name),
            }
        }
    }
    let named = ways.iter().map(|way| way.name.to_owned()).zip(samples);
    named.filter(|(_, samples)| !samples.0.is_empty()).collect()
}
