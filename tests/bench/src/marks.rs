//! The marks of DESIGN §10, and how far a run is from them.

use crate::measure::Measured;
use crate::stats::{MEDIAN, TENTH};
use std::collections::BTreeMap;
use std::fmt::Write;

/// By work.
pub(crate) type Results = BTreeMap<String, Measured>;

/// A figure and the most that it should be.
pub(crate) struct Mark {
    what: String,
    /// By medians: this one is held against the mark.
    figure: f64,
    /// By tenth percentiles: what a machine does that is disturbed by nobody.
    undisturbed: f64,
    most: f64,
    unit: &'static str,
}

const OFF: &str = "guard off";
const ON: &str = "guard on";

/// Ways that a guarded connect must be ahead of.
const RIVALS: [&str; 3] = ["sandlock", "syd", "strace"];

/// Work, way, most of it beside bare.
const RATIOS: [(&str, &str, f64); 11] = [
    ("exec", OFF, 1.10),
    ("exec", ON, 1.15),
    ("connect", OFF, 1.05),
    ("connect", ON, 1.60),
    ("send", ON, 1.05),
    ("sendto", ON, 1.05),
    ("sendmsg", ON, 1.05),
    ("curl", OFF, 1.03),
    ("git", OFF, 1.03),
    ("node", OFF, 1.03),
    ("python3", OFF, 1.03),
];

impl Mark {
    /// Those whose work was measured.
    pub(crate) fn all(results: &Results) -> Vec<Self> {
        let medians = figures(results, MEDIAN).into_iter();
        let both = medians.zip(figures(results, TENTH));
        both.filter_map(|((what, figure, most, unit), (_, undisturbed, ..))| {
            Some(Self {
                what,
                figure: figure?,
                undisturbed: undisturbed?,
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
            "what": self.what, "figure": self.figure, "figure_p10": self.undisturbed, "most": self.most, "unit": self.unit,
            "met": self.is_met(),
        })
    }
}

/// What, how much by this quantile of the samples, the most that it should be, and its unit.
type Figure = (String, Option<f64>, f64, &'static str);

/// Each mark, always in the same order.
fn figures(results: &Results, quantile: f64) -> Vec<Figure> {
    let taken = |work: &str, way: &str| results.get(work)?.quantile(way, quantile);
    let over = |work: &str, way: &str, other: &str| Some(taken(work, way)? / taken(work, other)?);
    let added = |work: &str, way: &str| Some(taken(work, way)? - taken(work, "bare")?);
    let mut figures = Vec::new();
    for (work, way, most) in RATIOS {
        let what = format!("{work}, {way} / bare");
        figures.push((what, over(work, way, "bare"), most, "x"));
    }
    for rival in RIVALS {
        let what = format!("connect, {ON} / {rival}");
        figures.push((what, over("connect", ON, rival), 1.0, "x"));
    }
    // What an ask adds to a connect, beside a whole exchange of the same shape.
    let ask = || Some(added("connect-new", OFF)? / taken("unix-round-trip", "bare")?);
    let what = "ask / one new AF_UNIX round trip".to_owned();
    figures.push((what, ask(), 1.5, "x"));
    for way in [OFF, ON] {
        let what = format!("a whole run over `true`, {way}");
        let milliseconds = added("whole-run", way).map(|nanoseconds| nanoseconds / 1e6);
        figures.push((what, milliseconds, 5.0, "ms"));
    }
    figures
}

/// A line a mark.
pub(crate) fn table(marks: &[Mark]) -> String {
    let mut text =
        "\nmarks (DESIGN §10), by medians; by tenth percentiles in brackets\n".to_owned();
    for mark in marks {
        let Mark {
            what,
            figure,
            undisturbed,
            most,
            unit,
        } = mark;
        let word = if mark.is_met() { "met" } else { "MISSED" };
        let _ = writeln!(
            text,
            "  {what:<36} {figure:>7.3} ({undisturbed:>7.3}) {unit:<2} of {most:>5.2}  {word}"
        );
    }
    text
}
