//! One line for a person: what `-v`, `hallpass events` and `hallpass pending` print.
//!
//! ```text
//! allow  curl[4711] → printer.lan:631/tcp (192.168.1.9)      flag: allow @lan
//! deny   python3[812] → 10.0.0.7:22/tcp                      nobody was there to be asked
//! ```
//! The verdict stands first, in a column of its own; who and where to follow; the reason comes
//! last, in a column where the rest leaves room. Everything that comes from outside is escaped
//! already where it entered the session, and clipped here.

mod live;

pub use live::{age, amount, live, live_facts, live_reason};

use crate::address::Address;
use crate::control::protocol::Question;
use crate::escape::clip;
use crate::event::{Event, FlowLine, Kind};
use crate::flow::Name;
use crate::hold::Hold;
use crate::verdict::{Source, Verdict};
use hallpass_policy::Protocol;
use std::net::IpAddr;

/// Where the reason begins, if what comes before it is not longer.
const REASON_COLUMN: usize = 64;
/// Longest app name and command line on a line, in characters.
const MAX_APP: usize = 40;
const MAX_COMMAND: usize = 160;
/// A host name is at most 253 bytes (RFC 1035); longer than this it would hide the rest.
const MAX_NAME: usize = 100;

/// An event as one line, without newline and without the `hallpass: ` that stderr gets.
#[must_use]
pub fn event(event: &Event) -> String {
    match &event.kind {
        Kind::Started { command } => format!(
            "start  session {}: {}",
            event.session,
            self::command(command)
        ),
        Kind::Asked { question, flow, .. } => {
            columns("ask", &self::flow(flow), &format!("question {question}"))
        }
        Kind::Decided {
            flow,
            verdict,
            source,
            count,
        } => {
            let mut flow = self::flow(flow);
            if *count > 1 {
                flow.push_str(&format!(" ×{count}"));
            }
            columns(self::verdict(*verdict), &flow, &self::source(source))
        }
        Kind::Refused {
            pid,
            app,
            what,
            source,
            ..
        } => {
            let flow = format!("{}: {}", process(app, *pid), clip(what, MAX_COMMAND));
            columns("deny", &flow, &self::source(source))
        }
        Kind::Answered {
            question,
            verdict,
            by,
            rule,
            settled,
        } => answered(*question, *verdict, by, rule.as_deref(), *settled),
        Kind::Disconnected {
            flow,
            by,
            reset,
            rule,
        } => {
            let how = if *reset { "reset" } else { "ended" };
            let rule = rule.as_ref().map(|rule| format!(": {rule}"));
            let why = format!("{how} by {by}{}", rule.unwrap_or_default());
            columns("cut", &self::flow(flow), &why)
        }
        Kind::Coverage { text } => format!("note   {text}"),
        Kind::Ended { status } => format!("end    the command ended with status {status}"),
        Kind::Totals { allowed, denied } => format!("total  {allowed} allowed, {denied} refused"),
    }
}

fn answered(
    question: u64,
    verdict: Option<Verdict>,
    by: &str,
    rule: Option<&str>,
    settled: u64,
) -> String {
    let Some(verdict) = verdict else {
        return format!("gone   question {question}: nobody waits for an answer any more");
    };
    let rule = rule.map(|rule| format!(": {rule}")).unwrap_or_default();
    let calls = count(settled, "call", "calls");
    format!(
        "{:<6} question {question}, answered by {by}{rule} ({calls})",
        self::verdict(verdict)
    )
}

/// Whether a line for this event is what `-v` prints: a decision, an end, or something about the run
/// that a person should know.
#[must_use]
pub fn is_for_verbose(event: &Event) -> bool {
    matches!(
        event.kind,
        Kind::Decided { .. }
            | Kind::Refused { .. }
            | Kind::Disconnected { .. }
            | Kind::Coverage { .. }
    )
}

/// `allow` or `deny`.
#[must_use]
pub fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Allow => "allow",
        Verdict::Deny => "deny",
    }
}

/// Why, in a few words.
#[must_use]
pub fn source(source: &Source) -> String {
    match source {
        Source::Rule { layer, rule } => match layer.as_str() {
            "answer" => format!("your answer: {rule}"),
            "policy" => format!("policy file: {rule}"),
            "saved" => format!("saved rule: {rule}"),
            layer => format!("{layer}: {rule}"),
        },
        Source::Person { by } => format!("answered by {by}"),
        Source::Standing { group } => format!("{group} is allowed unless denied"),
        Source::Default => "default".to_owned(),
        Source::Nested { run, name, source } => {
            format!("{} of the nested run {run} ({name})", self::source(source))
        }
        Source::Audit { would } => format!("audit; would be refused: {}", self::source(would)),
        Source::Fallback { reason } => reason.sentence().to_owned(),
    }
}

/// Who, and where to: `curl[4711] → printer.lan:631/tcp (192.168.1.9)`.
#[must_use]
pub fn flow(flow: &FlowLine) -> String {
    let process = process(&flow.app, flow.pid);
    match flow.names.first() {
        Some(name) if flow.look_up => {
            let name = clip(&name.name, MAX_NAME);
            let port = match flow.port {
                0 => String::new(),
                port => format!(":{port}/{}", flow.proto),
            };
            format!("{process} → look-up of {name}{port} ({})", flow.address)
        }
        _ => {
            let to = destination(&flow.address, flow.port, flow.proto, &flow.names);
            format!("{process} → {to}")
        }
    }
}

/// The last part of a program's path, and its process id.
fn process(app: &str, pid: u32) -> String {
    let name = app.rsplit('/').next().filter(|name| !name.is_empty());
    format!("{}[{pid}]", clip(name.unwrap_or("?"), MAX_APP))
}

/// Where to, as a rule would be written, then the address if that is not the same:
/// `printer.lan:631/tcp (192.168.1.9)`, `[fd00::1]:53/udp`, `10.0.0.1/icmp`, `unix:/run/x.sock`.
#[must_use]
pub fn destination(address: &Address, port: u16, protocol: Protocol, names: &[Name]) -> String {
    if let Address::Unix(_) = address {
        return clip(&address.to_string(), MAX_NAME);
    }
    let suffix = if protocol.has_ports() {
        format!(":{port}/{protocol}")
    } else {
        format!("/{protocol}")
    };
    match (names.first(), address) {
        (Some(name), address) => format!("{}{suffix} ({address})", clip(&name.name, MAX_NAME)),
        (None, Address::Ip(IpAddr::V6(address))) if protocol.has_ports() => {
            format!("[{address}]{suffix}")
        }
        (None, address) => format!("{address}{suffix}"),
    }
}

/// Where a question is about, as [`destination`] has it; for a look-up that did not say its port
/// `printer.lan, any port (192.168.1.9)`.
#[must_use]
pub fn asked_about(question: &Question) -> String {
    match (question.hold, question.port, question.names.first()) {
        (Hold::Name, 0, Some(name)) => {
            let name = clip(&name.name, MAX_NAME);
            format!("{name}, any port ({})", question.address)
        }
        _ => destination(
            &question.address,
            question.port,
            question.protocol,
            &question.names,
        ),
    }
}

/// A question as one line: `curl[4711] → printer.lan:631/tcp (192.168.1.9)   lan, 2 calls wait`.
#[must_use]
pub fn question(question: &Question) -> String {
    let to = asked_about(question);
    let flow = format!(
        "{}[{}] → {to}",
        clip(&question.app.subject.name, MAX_APP),
        question.pid
    );
    let mut facts = vec![question.place.clone(), waiting(question)];
    if let Some(left) = question.time_left_ms {
        facts.push(format!("{} s left", left.div_ceil(1000)));
    }
    let padding = REASON_COLUMN.saturating_sub("allow  ".len());
    format!("{flow:<padding$}  {}", facts.join(", "))
}

/// Who waits for the answer: `2 calls wait`, `1 look-up waits`, `refused 3 times, may try again`.
#[must_use]
pub fn waiting(question: &Question) -> String {
    match (question.hold, question.waiting) {
        (Hold::Retry, _) => {
            let times = match question.told_no {
                0 | 1 => "once".to_owned(),
                times => format!("{times} times"),
            };
            format!("refused {times}, may try again")
        }
        (Hold::Name, 1) => "1 look-up waits".to_owned(),
        (Hold::Name, calls) => format!("{calls} look-ups wait"),
        (Hold::Block, 1) => "1 call waits".to_owned(),
        (Hold::Block, calls) => format!("{calls} calls wait"),
    }
}

/// A command line, quoted where a shell would need it, clipped.
#[must_use]
pub fn command(argv: &[String]) -> String {
    let mut line = String::new();
    for argument in argv {
        if !line.is_empty() {
            line.push(' ');
        }
        let plain = |c: char| c.is_alphanumeric() || "-_./:=@%+,~…".contains(c);
        if !argument.is_empty() && argument.chars().all(plain) {
            line.push_str(argument);
        } else {
            line.push_str(&format!("'{}'", argument.replace('\'', "'\\''")));
        }
        // A command line may be a megabyte.
        if line.len() > 4 * MAX_COMMAND {
            break;
        }
    }
    clip(&line, MAX_COMMAND)
}

/// `1 call`, `2 calls`.
#[must_use]
pub fn count(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

fn columns(first: &str, middle: &str, last: &str) -> String {
    let padding = REASON_COLUMN.saturating_sub("allow  ".len());
    format!("{first:<6} {middle:<padding$}  {last}")
}

#[cfg(test)]
mod tests;
