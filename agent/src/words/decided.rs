//! What was decided, and why.

use super::{HOST, readable};
use crate::show::{clip, clip_middle};
use hallpass_policy::Protocol;
use hallpass_session::address::Address;
use hallpass_session::event::FlowLine;
use hallpass_session::verdict::Source;
use std::net::IpAddr;

/// Why a call was decided as it was.
#[must_use]
pub fn source(source: &Source) -> String {
    match source {
        Source::Rule { layer, rule } => {
            format!("{}: {}", whose(layer), clip_middle(rule, 160))
        }
        Source::Person { by } if by == "agent" => "you, in this window".to_owned(),
        Source::Person { by } => format!("you, in the {}", clip(by, 20)),
        Source::Standing { group } => format!(
            "{} is allowed unless a rule says otherwise",
            clip(group, 40)
        ),
        Source::Default => "no rule matched; the default".to_owned(),
        Source::Nested { run, name, source } => format!(
            "{} of the nested run {run} ({})",
            self::source(source),
            clip(name, 20)
        ),
        Source::Audit { would } => format!("audit; would be refused: {}", self::source(would)),
        Source::Fallback { reason } => reason.sentence().to_owned(),
    }
}

fn whose(layer: &str) -> String {
    match layer {
        "answer" => "your answer".to_owned(),
        "flag" => "your flag".to_owned(),
        "policy" => "policy file".to_owned(),
        "saved" => "saved rule".to_owned(),
        other => clip(other, 20),
    }
}

/// Whereto a call went, short: `printer.lan:631`.
#[must_use]
pub fn target(flow: &FlowLine) -> String {
    let host = match (flow.names.first(), &flow.address) {
        (Some(name), _) => clip_middle(&readable(&name.name), HOST),
        (None, Address::Ip(IpAddr::V6(address))) if flow.port != 0 => format!("[{address}]"),
        (None, address) => address.to_string(),
    };
    match flow.port {
        0 if flow.proto == Protocol::Unix => clip_middle(&host, HOST),
        0 => format!("{host} ({})", flow.proto),
        port if flow.proto == Protocol::Tcp => format!("{host}:{port}"),
        port => format!("{host}:{port}/{}", flow.proto),
    }
}
