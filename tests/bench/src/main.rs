//! Measures what hallpass costs, beside a bare run of the same work, in one run.
//!
//! `cargo run --release -p hallpass-bench [-- [--quick] [--json] [WORK…]]`. Each way of running
//! (bare, under hallpass, under rivals that are installed) takes its turn in every round, so that
//! a machine that slows down slows all of them; medians of all samples are compared. A way that
//! cannot run says why. Nothing here passes or fails: docs/performance.md has the marks to reach
//! and the last figures.
//!
//! `hallpass-bench window [--quick] [--json]` measures the desktop window instead, on a screen of
//! its own; the rest needs none. `hallpass-bench lists [--quick] [--json]` measures lists of a
//! million entries.

mod fixtures;
mod lists;
mod machine;
mod marks;
mod measure;
mod patience;
mod servers;
mod stats;
mod way;
mod window;
mod work;
mod worker;

use measure::{Effort, Measured};
use std::collections::BTreeMap;
use std::process::ExitCode;
use work::Work;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [first, rest @ ..] = arguments.as_slice()
        && first == worker::WORD
    {
        return worker::run(rest);
    }
    if arguments == [window::ASKER] {
        return window::asker();
    }
    if let [first, rest @ ..] = arguments.as_slice()
        && first == lists::CHILD
    {
        return lists::child(rest);
    }
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let flags = usize::from(has("--quick")) + usize::from(has("--json"));
    let is_alone = |word: &str| has(word) && arguments.len() == 1 + flags;
    if is_alone(window::WINDOW) {
        return window::main(has("--quick"), has("--json"));
    }
    if is_alone(lists::LISTS) {
        return lists::main(has("--quick"), has("--json"));
    }
    let known = Work::all().iter().map(|work| work.name).collect::<Vec<_>>();
    let is_flag = |a: &str| matches!(a, "--json" | "--quick");
    if let Some(unknown) = arguments
        .iter()
        .find(|a| !is_flag(a) && !known.contains(&a.as_str()))
    {
        eprintln!(
            "hallpass-bench: unknown argument {unknown}; there are --json, --quick, {} and {} (each alone), and {}",
            window::WINDOW,
            lists::LISTS,
            known.join(", ")
        );
        return ExitCode::from(125);
    }
    match run(&arguments, arguments.iter().all(|a| is_flag(a))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("hallpass-bench: {error}");
            ExitCode::from(125)
        }
    }
}

fn run(arguments: &[String], wants_all: bool) -> std::io::Result<()> {
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let scratch = tempfile::Builder::new()
        .prefix("hallpass-bench-")
        .tempdir()?;
    let fixtures = fixtures::Fixtures::make(scratch.path())?;
    let (ways, left_out) = way::all(scratch.path())?;
    let effort = if has("--quick") {
        Effort::QUICK
    } else {
        Effort::FULL
    };
    let mut results: BTreeMap<String, Measured> = BTreeMap::new();
    for work in Work::all() {
        if !wants_all && !has(work.name) {
            continue;
        }
        let measured = measure::measure(&work, &ways, &fixtures, effort);
        if !has("--json") {
            print!("{}", stats::table(&work, &measured));
        }
        results.insert(work.name.to_owned(), measured);
    }
    if has("--json") {
        println!("{}", stats::json(&machine::describe(), &results, &left_out));
        return Ok(());
    }
    print!("{}", marks::table(&marks::Mark::all(&results)));
    for (way, reason) in left_out {
        println!("\nwithout {way}: {reason}");
    }
    println!("\n{}", machine::describe());
    Ok(())
}
