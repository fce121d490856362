//! The question as rows of text, and the lines that stay on the screen when it is gone. No I/O.
//!
//! Facts come first and are never cut away: who, where to, what the answer would do. What is
//! comfort goes first where the terminal is small.

use super::choice::{Choice, Page, key_of};
use super::look::{Look, Style, Text};
use hallpass_policy::{AppPattern, Protocol};
use hallpass_session::control::protocol::{Duration, Offer, Question, Scope};
use hallpass_session::escape::clip;
use hallpass_session::flow::Trust;
use hallpass_session::hold::Hold;
use hallpass_session::render;
use hallpass_session::verdict::Verdict;

/// Longest program name in the first line, in characters.
const MAX_PROGRAM: usize = 40;
/// Longest rule, reason or path on a line of its own, in characters.
const MAX_LINE: usize = 300;
/// Longest command line of the details, in characters.
const MAX_ARGV: usize = 2000;
/// How many parents the details name.
const MAX_PARENTS: usize = 8;

/// What else is true of the moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Scene {
    /// How many questions come after this one.
    pub(crate) queued: usize,
    /// Something typed before the question was thrown away.
    pub(crate) dropped_input: bool,
    /// Whole seconds until `--ask-timeout` refuses.
    pub(crate) seconds_left: Option<u64>,
    /// Keys count now.
    pub(crate) armed: bool,
}

/// A paragraph and how easily it is given up; 0 is never.
struct Part {
    comfort: u8,
    text: Text,
}

/// The panel without its last row, as rows ready to be written.
pub(crate) fn panel(choice: &Choice, scene: &Scene, look: &Look) -> Vec<String> {
    let mut parts = parts(choice, scene, look);
    let bar = look.glyph("│");
    let width = look.columns.saturating_sub(3);
    let mut rows: Vec<(u8, Text)> = Vec::new();
    loop {
        rows.clear();
        for part in &parts {
            let indent = 2;
            let laid_out = part.text.rows(width, indent);
            rows.extend(laid_out.into_iter().map(|row| (part.comfort, row)));
        }
        // One more for the last row.
        let too_many = rows.len() + 1 > look.rows;
        let least = parts.iter().map(|part| part.comfort).max().unwrap_or(0);
        if !too_many || least == 0 {
            break;
        }
        // The last of the least important goes first.
        if let Some(index) = parts.iter().rposition(|part| part.comfort == least) {
            parts.remove(index);
        }
    }
    rows.iter()
        .enumerate()
        .map(|(index, (_, row))| {
            let edge = if index == 0 { look.glyph("┌") } else { bar };
            let edge = Text::new().with(Style::Dim, format!("{edge} "));
            format!("{}{}", edge.paint(look), row.paint(look))
        })
        .collect()
}

/// The last row, behind which the cursor stands. Nothing asks for a key before keys count.
pub(crate) fn last_row(scene: &Scene, look: &Look) -> String {
    let edge = Text::new().with(Style::Dim, look.glyph("└"));
    if !scene.armed {
        return edge.paint(look);
    }
    let seconds = scene.seconds_left;
    let long = seconds.map_or_else(String::new, |seconds| format!(" ({seconds} s left)"));
    let short = seconds.map_or_else(String::new, |seconds| format!(" ({seconds} s)"));
    let variants = [("allow? ", long), ("", short), ("", String::new())];
    // The last one fits every terminal.
    let fits = |(question, clock): &&(&str, String)| {
        "└ y/n> ".chars().count() + question.len() + clock.len() < look.columns
    };
    let (question, clock) = variants.iter().find(fits).unwrap_or(&variants[2]);
    edge.with(Style::Plain, " ")
        .with(Style::Strong, *question)
        .with(Style::Plain, "y/n")
        .with(Style::Caution, clock.clone())
        .with(Style::Plain, "> ")
        .paint(look)
}

fn parts(choice: &Choice, scene: &Scene, look: &Look) -> Vec<Part> {
    let question = &choice.question;
    let part = |comfort, text| Part { comfort, text };
    let mut parts = vec![
        part(0, headline(question, look)),
        part(0, place(question)),
        part(1, labelled("command", &render::command(&question.app.argv))),
        part(6, labelled("program", &program(question))),
    ];
    if question.hold == Hold::Retry {
        let told = format!(
            "{}; the answer is for its next try",
            render::waiting(question)
        );
        parts.push(part(1, labelled("told no", &told)));
    }
    parts.push(part(
        5,
        labelled("asked by", &clip(&question.why, MAX_LINE)),
    ));
    if let Some(text) = name_note(question) {
        parts.push(part(1, Text::new().with(Style::Caution, text)));
    }
    if scene.dropped_input {
        let text = "What was typed before this question is gone; type it again afterwards.";
        parts.push(part(3, Text::new().with(Style::Caution, text)));
    }
    match choice.page {
        Page::Choices => {}
        Page::Details => parts.extend(details(question).into_iter().map(|text| part(2, text))),
        Page::Help => parts.extend(help(choice).into_iter().map(|text| part(2, text))),
    }
    parts.push(part(2, durations(choice)));
    parts.push(part(2, widths(choice, look)));
    parts.push(part(0, outcome(choice)));
    parts.push(part(4, other_keys(look)));
    if scene.queued > 0 {
        let count = render::count(scene.queued as u64, "more question", "more questions");
        parts.push(part(
            3,
            Text::new().with(Style::Dim, format!("{count} after this one")),
        ));
    }
    if let Some(note) = &choice.note {
        parts.push(part(1, Text::new().with(Style::Caution, note.clone())));
    }
    parts
}

/// `hallpass ─ curl wants to connect to printer.lan, port 631/tcp`
fn headline(question: &Question, look: &Look) -> Text {
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
fn place(question: &Question) -> Text {
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

fn labelled(label: &str, text: &str) -> Text {
    Text::new()
        .with(Style::Dim, format!("{label:<9} "))
        .with(Style::Plain, text.to_owned())
}

/// The script and who runs it, else the executable.
fn program(question: &Question) -> String {
    let subject = &question.app.subject;
    let text = match &subject.script {
        Some(script) => format!("{script} (run by {})", subject.exe),
        None => subject.exe.clone(),
    };
    clip(&text, MAX_LINE)
}

/// A name that a rule cannot be written with would be read as if it could.
fn name_note(question: &Question) -> Option<String> {
    let name = &question.names.first()?.name;
    let host = question
        .offers
        .iter()
        .find(|offer| offer.scope == Scope::Host)?;
    let is_name = question
        .names
        .iter()
        .any(|name| host.to.contains(&name.name));
    (!is_name).then(|| {
        format!(
            "{} leads here, but an answer is for the address: this name does not count",
            clip(name, MAX_PROGRAM)
        )
    })
}

fn details(question: &Question) -> Vec<Text> {
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

fn help(choice: &Choice) -> Vec<Text> {
    let mut lines = vec![
        "y n      allow, deny: makes the rule shown, and settles all calls that it fits",
        "1 2 3 4  for how long: the calls that wait now, this run, five minutes, for good",
        "p h m s a  how wide: this port, host, its domain or network, anywhere; or the arrow keys",
        "r        deny this and all that would be asked, until the session ends (or hallpass release)",
        "Esc, Ctrl-D  refuse what waits now and make no rule",
        "Ctrl-C   refuse, and interrupt the program",
        "Ctrl-Z   give the terminal back and stop the program; the question waits",
        "Enter and space do nothing. From another terminal: hallpass answer allow",
    ];
    if !choice.question.may_save {
        lines.push("This run leaves the saved rules out, so nothing is saved for good.");
    }
    lines
        .into_iter()
        .map(|line| Text::new().with(Style::Dim, line))
        .collect()
}

fn durations(choice: &Choice) -> Text {
    let mut text = Text::new().with(Style::Dim, format!("{:<9} ", "how long"));
    for (key, duration) in choice.durations() {
        let name = match duration {
            Duration::Once => "once",
            Duration::Run => "this run",
            Duration::Seconds(_) => "five minutes",
            Duration::Always => "for good",
        };
        text = option(text, key, name, duration == choice.duration);
    }
    text
}

fn widths(choice: &Choice, look: &Look) -> Text {
    let is_of_socket = choice.question.protocol == Protocol::Unix;
    let mut text = Text::new().with(Style::Dim, format!("{:<9} ", "how wide"));
    for offer in &choice.question.offers {
        let name = match offer.scope {
            Scope::Port => "this port".to_owned(),
            Scope::Host if is_of_socket => "this socket".to_owned(),
            Scope::Host => "this host".to_owned(),
            Scope::Subnet => offer.to.first().cloned().unwrap_or_default(),
            Scope::Domain => offer.to.last().cloned().unwrap_or_default(),
            Scope::Any if is_of_socket => offer.to.first().cloned().unwrap_or_default(),
            Scope::Any => "anywhere".to_owned(),
        };
        let is_chosen = choice
            .offer()
            .is_some_and(|chosen| chosen.scope == offer.scope);
        text = option(
            text,
            key_of(offer.scope),
            &clip(&name, MAX_PROGRAM),
            is_chosen,
        );
    }
    text.with(Style::Dim, look.glyph("←→"))
}

/// A choice with its key; brackets say which one is chosen, also without colour.
fn option(text: Text, key: char, name: &str, is_chosen: bool) -> Text {
    if is_chosen {
        // No-break spaces would be better, but not every terminal shows them as spaces.
        text.with(Style::Chosen, format!("[{key} {name}]"))
            .with(Style::Plain, "  ")
    } else {
        text.with(Style::Strong, key.to_string())
            .with(Style::Plain, format!(" {name}  "))
    }
}

/// The rule in words, and what it settles.
fn outcome(choice: &Choice) -> Text {
    let Some(offer) = choice.offer() else {
        return Text::new().with(Style::Caution, "n refuses what waits now");
    };
    let text = Text::new()
        .with(Style::Good, "y allow")
        .with(Style::Plain, " / ")
        .with(Style::Bad, "n deny")
        .with(Style::Plain, " ")
        .with(
            Style::Strong,
            rule_words(&choice.question, offer, choice.duration),
        );
    let settles = match choice.duration {
        // "Once" makes no rule: it is for this question's calls.
        Duration::Once => choice.question.waiting,
        _ => offer.settles.max(choice.question.waiting),
    };
    let calls = match (choice.question.hold, settles) {
        (Hold::Retry, _) => " (at its next try)".to_owned(),
        (Hold::Name, 1) => " (1 look-up waits)".to_owned(),
        (Hold::Name, calls) => format!(" ({calls} wait)"),
        (Hold::Block, 1) => " (1 call waits)".to_owned(),
        (Hold::Block, calls) => format!(" ({calls} calls wait)"),
    };
    text.with(Style::Plain, calls)
}

/// `printer.lan for /usr/bin/curl, this run`
fn rule_words(question: &Question, offer: &Offer, duration: Duration) -> String {
    let app = AppPattern::for_subject(&question.app.subject).to_string();
    let to = offer
        .to
        .iter()
        .map(|to| if to == "@any" { "anywhere" } else { to })
        .collect::<Vec<&str>>()
        .join(" and ");
    let how_long = match duration {
        Duration::Once => match question.hold {
            Hold::Block => "only the calls that wait now",
            Hold::Name => "only this time",
            Hold::Retry => "only its next try",
        },
        Duration::Run => "for this run",
        Duration::Seconds(_) => "for five minutes",
        Duration::Always => "for good (saved)",
    };
    format!(
        "{} for {}, {how_long}",
        clip(&to, MAX_LINE),
        clip(&app, MAX_LINE)
    )
}

fn other_keys(look: &Look) -> Text {
    let dot = look.glyph("·");
    Text::new()
        .with(Style::Strong, "Esc")
        .with(Style::Dim, format!(" refuse, no rule {dot} "))
        .with(Style::Strong, "r")
        .with(Style::Dim, format!(" deny all {dot} "))
        .with(Style::Strong, "d")
        .with(Style::Dim, format!(" details {dot} "))
        .with(Style::Strong, "?")
        .with(Style::Dim, format!(" help {dot} "))
        .with(Style::Strong, "Ctrl-C")
        .with(Style::Dim, " interrupt")
}

/// The line that stays when a person has answered here.
pub(crate) fn answered(choice: &Choice, verdict: Verdict, settled: usize, look: &Look) -> String {
    let (style, word) = match verdict {
        Verdict::Allow => (Style::Good, format!("{} allowed", look.glyph("✓"))),
        Verdict::Deny => (Style::Bad, format!("{} denied", look.glyph("✗"))),
    };
    let rule = choice.offer().map_or_else(String::new, |offer| {
        rule_words(&choice.question, offer, choice.duration)
    });
    let count = match choice.question.hold {
        Hold::Retry => "it may try again".to_owned(),
        Hold::Name => render::count(settled as u64, "look-up", "look-ups"),
        Hold::Block => render::count(settled as u64, "call", "calls"),
    };
    Text::new()
        .with(style, word)
        .with(Style::Plain, format!(" {rule} ({count})"))
        .paint(look)
}

/// The line that stays when a person has refused all that would be asked.
pub(crate) fn denied_rest(settled: usize, look: &Look) -> String {
    let calls = render::count(settled as u64, "call", "calls");
    let text = " whatever would be asked, until the session ends";
    Text::new()
        .with(Style::Bad, format!("{} denied", look.glyph("✗")))
        .with(
            Style::Plain,
            format!("{text} ({calls}; hallpass release: be asked again)"),
        )
        .paint(look)
}

/// The line that stays when a question is gone without an answer from here; `how` says why.
pub(crate) fn withdrawn(question: &Question, how: &str, look: &Look) -> String {
    let to = render::asked_about(question);
    let name = clip(&question.app.subject.name, MAX_PROGRAM);
    Text::new()
        .with(Style::Strong, "hallpass")
        .with(
            Style::Plain,
            format!(": {name} {} {to}: {how}", look.glyph("→")),
        )
        .paint(look)
}

#[cfg(test)]
mod tests;
