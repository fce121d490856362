//! Medians, ratios, and how they are printed.

use crate::marks::{Mark, Results};
use crate::measure::Measured;
use crate::work::Work;
use std::fmt::Write;

pub(crate) const MEDIAN: f64 = 0.5;
pub(crate) const TENTH: f64 = 0.1;

/// Nanoseconds, one an operation or one a batch of operations divided by its size.
#[derive(Default)]
pub(crate) struct Samples(pub(crate) Vec<f64>);

impl Samples {
    pub(crate) fn median(&self) -> f64 {
        self.quantile(MEDIAN)
    }

    pub(crate) fn push(&mut self, taken: std::time::Duration) {
        self.0.push(taken.as_secs_f64() * 1e9);
    }

    pub(crate) fn quantile(&self, q: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        #[allow(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "an index into a few thousand samples"
        )]
        let index = (q * (sorted.len().saturating_sub(1)) as f64).round() as usize;
        sorted.get(index).copied().unwrap_or(f64::NAN)
    }
}

/// One block of lines: the work, then a line a way.
pub(crate) fn table(work: &Work, measured: &Measured) -> String {
    let mut text = format!("\n{}: {}\n", work.name, work.what);
    if let Some(reason) = &measured.impossible {
        let _ = writeln!(text, "  not measured: {reason}");
    }
    let bare = measured.quantile("bare", MEDIAN).unwrap_or(f64::NAN);
    for (way, samples) in &measured.samples {
        let median = samples.median();
        let _ = writeln!(
            text,
            "  {way:<14} {:>10}  {:>6.3} x   +{:<9}  (p10 {}, p90 {}, n {})",
            show(median),
            median / bare,
            show(median - bare),
            show(samples.quantile(TENTH)),
            show(samples.quantile(0.9)),
            samples.0.len(),
        );
    }
    for (way, reason) in &measured.failed {
        let _ = writeln!(text, "  {way:<14} could not: {reason}");
    }
    text
}

pub(crate) fn show(nanoseconds: f64) -> String {
    match nanoseconds.abs() {
        n if n >= 1e6 => format!("{:.2} ms", nanoseconds / 1e6),
        n if n >= 1e3 => format!("{:.2} us", nanoseconds / 1e3),
        _ => format!("{nanoseconds:.0} ns"),
    }
}

pub(crate) fn json(machine: &str, results: &Results, left_out: &[(&str, String)]) -> String {
    let works: serde_json::Map<String, serde_json::Value> = results
        .iter()
        .map(|(work, measured)| (work.clone(), work_json(measured)))
        .collect();
    let marks: Vec<_> = Mark::all(results).iter().map(Mark::json).collect();
    let without: serde_json::Map<String, serde_json::Value> = left_out
        .iter()
        .map(|(way, reason)| ((*way).to_owned(), reason.clone().into()))
        .collect();
    serde_json::json!({
        "machine": machine, "works": works, "marks": marks, "without": without,
    })
    .to_string()
}

/// An object by way; a way that failed has only `error`. `error` for the whole work where nothing
/// was measured.
fn work_json(measured: &Measured) -> serde_json::Value {
    if let Some(reason) = &measured.impossible {
        return serde_json::json!({ "error": reason });
    }
    let mut ways = serde_json::Map::new();
    for (way, samples) in &measured.samples {
        let value = serde_json::json!({
            "median_ns": samples.median(),
            "p10_ns": samples.quantile(TENTH),
            "p90_ns": samples.quantile(0.9),
            "samples": samples.0.len(),
        });
        ways.insert(way.clone(), value);
    }
    for (way, error) in &measured.failed {
        ways.insert(way.clone(), serde_json::json!({ "error": error }));
    }
    ways.into()
}
