//! What is asked: who wants to connect where, and what more is known of it.

use super::{MAX_LINE, MAX_PROGRAM};
use crate::prompt::look::{Look, Style, Text};
use hallpass_policy::{Protocol, is_public_name};
use hallpass_session::control::protocol::{Question, Scope};
use hallpass_session::escape::clip;
use hallpass_session::flow::Trust;
use hallpass_session::hold::Hold;

/// Longest command line of the details, in characters.
const MAX_ARGV: usize = 2000;
/// How many parents the details name.
const MAX_PARENTS: usize = 8;

/// `hallpass ─ curl wants to connect to printer.lan, port 631/tcp`
pub(super) fn headline(question: &Question, look: &Look) -> Text {
    let does = match question.protocol {
        _ if question.hold == Hold::Name => "wants to look up, and connect to,",
        Protocol::Tcp | Protocol::Unix => "wants to connect to",
        Protocol::Udp => "wants to send to",
        Protocol::Icmp => "wants to ping",
        Protocol::Raw => "wants to send raw packets to",
    };
    let to = match question.names.first() {
        Some(name) => name.name.clone(),
        None => address(question),
    };
    let text = Text::new()
        .with(Style::Strong, "hallpass")
        .with(Style::Dim, format!(" {} ", look.glyph("─")))
        .with(Style::Strong, clip(&question.app.subject.name, MAX_PROGRAM))
        .with(Style::Plain, format!(" {does} "))
        .with(Style::Strong, to);
    if !question.protocol.has_ports() {
        return text;
    }
    if question.hold == Hold::Name && question.port == 0 {
        return text.with(Style::Plain, ", any port");
    }
    text.with(Style::Plain, ", port ")
        .with(Style::Strong, question.port.to_string())
        .with(Style::Plain, format!("/{}", question.protocol))
}

/// `address   192.168.1.9  [LAN]`
pub(super) fn place(question: &Question) -> Text {
    let (style, badge) = match question.place.as_str() {
        "lan" => (Style::Caution, "LAN"),
        "loopback" => (Style::Info, "this machine"),
        "socket" => (Style::Caution, "acts for others"),
        other => (Style::Info, other),
    };
    labelled("address", &address(question))
        .with(Style::Plain, "  ")
        .with(style, format!("[{badge}]"))
}

fn address(question: &Question) -> String {
    if question.scope_id == 0 {
        clip(&question.address.to_string(), MAX_LINE)
    } else {
        format!("{}%{}", question.address, question.scope_id)
    }
}

pub(super) fn labelled(label: &str, text: &str) -> Text {
    Text::new()
        .with(Style::Dim, format!("{label:<9} "))
        .with(Style::Plain, text.to_owned())
}

/// The script and who runs it, else the executable.
pub(super) fn program(question: &Question) -> String {
    let subject = &question.app.subject;
    let text = match &subject.script {
        Some(script) => format!("{script} (run by {})", subject.exe),
        None => subject.exe.clone(),
    };
    clip(&text, MAX_LINE)
}

/// A name that a rule cannot be written with would be read as if it could.
pub(super) fn name_note(question: &Question) -> Option<String> {
    let name = &question.names.first()?.name;
    let host = question
        .offers
        .iter()
        .find(|offer| offer.scope == Scope::Host)?;
    let is_name = question
        .names
        .iter()
        .any(|name| host.to.contains(&name.name));
    let is_rebound = is_public_name(name) && question.place != "internet";
    let why = match is_rebound {
        true => "is a public name at a local address",
        false => "is only the program's word",
    };
    (!is_name).then(|| {
        format!(
            "{} {why}: an answer is for the address",
            clip(name, MAX_PROGRAM)
        )
    })
}

pub(super) fn details(question: &Question) -> Vec<Text> {
    let app = &question.app;
    let user = match &app.subject.user {
        Some(user) => format!("{user} (uid {})", app.uid),
        None => format!("uid {}", app.uid),
    };
    let argv = app.argv.join(" ");
    let mut lines = vec![
        labelled("in full", &clip(&argv, MAX_ARGV)),
        labelled("process", &format!("{}, user {user}", question.pid)),
        labelled("in", &clip(&app.cwd, MAX_LINE)),
    ];
    let parents: Vec<String> = app
        .subject
        .parents
        .iter()
        .take(MAX_PARENTS)
        .map(|parent| format!("{}[{}]", clip(&parent.name, MAX_PROGRAM), parent.pid))
        .collect();
    if !parents.is_empty() {
        lines.push(labelled("started by", &format!(" {}", parents.join(" < "))));
    }
    for name in &question.names {
        let trust = match name.trust {
            Trust::Claimed => "as the program says",
            Trust::Verified => "looked up by hallpass as well",
        };
        lines.push(labelled("name", &format!("{} ({trust})", name.name)));
    }
    if !app.subject.packages.is_empty() {
        let packages = app.subject.packages.iter().chain(&app.step);
        let packages: Vec<&str> = packages.map(String::as_str).collect();
        lines.push(labelled("package", &clip(&packages.join(", "), MAX_LINE)));
    }
    lines
}
