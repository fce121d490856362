//! The marks of DESIGN §10, and how far a run is from them.

use crate::measure::Measured;
use std::collections::BTreeMap;
use std::fmt::Write;

/// By work.
pub(crate) type Results = BTreeMap<String, Measured>;

/// A figure and the most that it should be.
pub(crate) struct Mark {
    what: String,
    figure: f64,
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
        let median = |work: &str, way: &str| results.get(work)?.median(way);
        let mut marks = Vec::new();
        let mut add = |what: String, figure: Option<f64>, most, unit| {
            marks.extend(figure.map(|figure| Self {
                what,
                figure,
                most,
                unit,
            }));
        };
        let over =
            |work: &str, way: &str, other: &str| Some(median(work, way)? / median(work, other)?);
        for (work, way, most) in RATIOS {
            add(
                format!("{work}, {way} / bare"),
                over(work, way, "bare"),
                most,
                "x",
            );
        }
        for rival in RIVALS {
            add(
                format!("connect, {ON} / {rival}"),
                over("connect", ON, rival),
                1.0,
                "x",
            );
        }
        let added = |work| Some(median(work, OFF)? - median(work, "bare")?);
        // What an ask adds to a connect, beside a whole exchange of the same shape.
        let ask = || Some(added("connect-new")? / median("unix-round-trip", "bare")?);
        add(
            "ask / one new AF_UNIX round trip".to_owned(),
            ask(),
            1.5,
            "x",
        );
        for way in [OFF, ON] {
            let whole = || Some(median("whole-run", way)? - median("whole-run", "bare")?);
            add(
                format!("a whole run over `true`, {way}"),
                whole().map(|nanoseconds| nanoseconds / 1e6),
                5.0,
                "ms",
            );
        }
        marks
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
    let mut text = "\nmarks (DESIGN §10), by medians\n".to_owned();
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
            "  {what:<36} {figure:>7.3} {unit:<2} of {most:>5.2}  {word}"
        );
    }
    text
}
