//! What can be answered: the choices with their keys, and what an answer would do.

use super::{MAX_LINE, MAX_PROGRAM};
use crate::prompt::choice::{Choice, key_of};
use crate::prompt::look::{Look, Style, Text};
use hallpass_policy::{AppPattern, Protocol};
use hallpass_session::control::protocol::{Duration, Offer, Question, Scope};
use hallpass_session::escape::clip;
use hallpass_session::hold::Hold;

pub(super) fn help(choice: &Choice) -> Vec<Text> {
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
        lines.push("Nothing is saved for good: this run leaves saved rules out, or no rule can name the program.");
    }
    lines
        .into_iter()
        .map(|line| Text::new().with(Style::Dim, line))
        .collect()
}

pub(super) fn durations(choice: &Choice) -> Text {
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

pub(super) fn widths(choice: &Choice, look: &Look) -> Text {
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
pub(super) fn outcome(choice: &Choice) -> Text {
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
pub(super) fn rule_words(question: &Question, offer: &Offer, duration: Duration) -> String {
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

pub(super) fn other_keys(look: &Look) -> Text {
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
