//! `--report json`: for programs; docs/report.schema.json is its shape.

use super::{Counts, Entry, Outcome, Report, Target};
use hallpass_policy::Protocol;
use hallpass_session::address::Address;
use hallpass_session::flow::Name;
use hallpass_session::verdict::Source;
use serde::Serialize;

/// Version of the format. New fields are no new version.
const VERSION: u32 = 1;

#[derive(Serialize)]
struct Shape<'a> {
    version: u32,
    tool: Tool,
    session: &'a str,
    started: &'a str,
    ended: &'a str,
    status: Option<i32>,
    audit: bool,
    totals: Counts,
    unlisted: Counts,
    entries: Vec<Line<'a>>,
    notes: &'a [String],
}

#[derive(Serialize)]
struct Tool {
    name: &'static str,
    version: &'static str,
}

#[derive(Serialize)]
struct Line<'a> {
    outcome: Outcome,
    count: u64,
    app: &'a str,
    script: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    package: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    step: Option<&'a str>,
    to: String,
    #[serde(flatten)]
    target: Where<'a>,
    source: &'a Source,
    reason: String,
    first: &'a str,
    last: &'a str,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Where<'a> {
    Flow {
        proto: Protocol,
        port: u16,
        names: &'a [Name],
        addresses: &'a [Address],
        more_addresses: bool,
    },
    Call {
        call: &'a str,
    },
}

/// The report, indented.
pub(super) fn render(report: &Report) -> serde_json::Result<String> {
    let shape = Shape {
        version: VERSION,
        tool: Tool {
            name: "hallpass",
            version: env!("CARGO_PKG_VERSION"),
        },
        session: &report.session,
        started: &report.started,
        ended: &report.ended,
        status: report.status,
        audit: report.audit,
        totals: report.totals,
        unlisted: report.unlisted,
        entries: report.entries.iter().map(line).collect(),
        notes: &report.notes,
    };
    // `<` for readers that put it into a page; it means the same in JSON.
    let text = serde_json::to_string_pretty(&shape)?;
    Ok(text.replace('<', "\\u003c") + "\n")
}

fn line(entry: &Entry) -> Line<'_> {
    Line {
        outcome: entry.outcome,
        count: entry.count,
        app: &entry.app,
        script: entry.is_script,
        package: entry.package.as_deref(),
        step: entry.step.as_deref(),
        to: entry.destination(),
        target: match &entry.target {
            Target::Call(call) => Where::Call { call },
            Target::Flow { proto, port, names } => Where::Flow {
                proto: *proto,
                port: *port,
                names,
                addresses: &entry.addresses,
                more_addresses: entry.has_more_addresses,
            },
        },
        source: &entry.source,
        reason: entry.reason(),
        first: &entry.first,
        last: &entry.last,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;
    use serde_json::Value;

    fn value(report: &Report) -> Value {
        serde_json::from_str(&render(report).unwrap()).unwrap()
    }

    #[test]
    fn the_shape_is_the_published_one() {
        let schema = include_str!("../../../docs/report.schema.json");
        let schema: Value = serde_json::from_str(schema).unwrap();
        let page = include_str!("../../../docs/ci/README.md");
        let (_, example) = page.split_once("```json\n").unwrap();
        let (example, _) = example.split_once("```").unwrap();
        let example: Value = serde_json::from_str(example).unwrap();
        let reports = [samples::ordinary(), samples::hostile()];
        for value in reports.iter().map(value).chain([example]) {
            // All that the schema names and nothing else; what the values are is for a validator.
            assert_eq!(keys(&value), keys(&schema["properties"]));
            let entry = &schema["$defs"]["entry"]["properties"];
            for line in value["entries"].as_array().unwrap() {
                for key in keys(line) {
                    assert!(entry.get(&key).is_some(), "{key} is not in the schema");
                }
            }
        }
    }

    fn keys(value: &Value) -> Vec<String> {
        let keys = value.as_object().unwrap().keys();
        let mut keys: Vec<String> = keys.cloned().collect();
        keys.sort();
        keys
    }

    #[test]
    fn hostile_names_come_back_as_they_are() {
        let value = value(&samples::hostile());
        let first = &value["entries"][1];
        assert_eq!(first["names"][0]["name"], samples::HOSTILE[0]);
        let text = render(&samples::hostile()).unwrap();
        assert!(!text.contains('<'));
        assert!(!text.chars().any(|c| c.is_control() && c != '\n'));
    }
}
