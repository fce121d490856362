//! The marks of DESIGN §10, and how far a run is from them.

use crate::stats::Samples;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Samples by work, then by way, in the order of the ways.
pub(crate) type Results = BTreeMap<String, Vec<(String, Samples)>>;

/// A figure and the most that it should be.
pub(crate) struct Mark {
    what: &'static str,
    figure: f64,
    most: f64,
    unit: &'static str,
}

impl Mark {
    /// Those whose work was measured.
    pub(crate) fn all(results: &Results) -> Vec<Self> {
        let median = |work: &str, way: &str| {
            let (_, samples) = results.get(work)?.iter().find(|(name, _)| name == way)?;
            Some(samples.median())
        };
        let ratio = |work| Some(median(work, "hallpass")? / median(work, "bare")?);
        let added = |work| Some(median(work, "hallpass")? - median(work, "bare")?);
        let guarded = |work| Some(median(work, "guarded")? / median(work, "bare")?);
        // What an ask adds to a connect, beside a whole exchange of the same shape.
        let ask = || Some(added("connect-new")? / median("unix-round-trip", "bare")?);
        let marks = [
            ("exec of /bin/true / bare", ratio("exec"), 1.10, "x"),
            ("guarded exec / bare", guarded("exec"), 1.15, "x"),
            ("guarded connect / bare", guarded("connect"), 1.60, "x"),
            ("curl / bare", ratio("curl"), 1.03, "x"),
            ("git / bare", ratio("git"), 1.03, "x"),
            ("node / bare", ratio("node"), 1.03, "x"),
            ("python3 / bare", ratio("python3"), 1.03, "x"),
            ("decided connect / bare", ratio("connect"), 1.05, "x"),
            ("ask / one new AF_UNIX round trip", ask(), 1.5, "x"),
            (
                "a whole run over `true`",
                added("whole-run").map(|nanoseconds| nanoseconds / 1e6),
                5.0,
                "ms",
            ),
        ];
        marks
            .into_iter()
            .filter_map(|(what, figure, most, unit)| {
                Some(Self {
                    what,
                    figure: figure?,
                    most,
                    unit,
                })
            })
            .collect()
    }

    fn is_met(&self) -> bool {
        self.figure <= self.most
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "what": self.what, "figure": self.figure, "most": self.most, "unit": self.unit,
            "met": self.is_met(),
        })
    }
}

/// A line a mark.
pub(crate) fn table(marks: &[Mark]) -> String {
    let mut text = "\nmarks (DESIGN §10)\n".to_owned();
    for mark in marks {
        let Mark {
            what,
            figure,
            most,
            unit,
        } = mark;
        let word = if mark.is_met() { "met" } else { "MISSED" };
        let _ = writeln!(
            text,
            "  {what:<34} {figure:>7.3} {unit:<2} of {most:>5.2}  {word}"
        );
    }
    text
}
