//! What an answer does: how long, how wide, the rule that it makes, the calls that it settles.

use super::{BUTTON_APP, HOST, count, readable};
use crate::show::{clip, clip_middle};
use hallpass_policy::AppPattern;
use hallpass_session::control::protocol::{Duration, Offer, Question, Scope};
use hallpass_session::hold::Hold;
use hallpass_session::verdict::Verdict;

/// Longest host on a button.
const BUTTON_HOST: usize = 34;

/// How long, on a button and in a rule's line.
#[must_use]
pub fn duration(duration: Duration) -> String {
    match duration {
        Duration::Once => "once".to_owned(),
        Duration::Run => "this run".to_owned(),
        Duration::Seconds(seconds) => format!("for {}", span(seconds)),
        Duration::Always => "for good".to_owned(),
    }
}

/// What each length means for a call that waits like that.
#[must_use]
pub fn duration_means(duration: Duration, hold: Hold) -> String {
    match duration {
        Duration::Once if hold == Hold::Retry => {
            "holds for its next try, within ten minutes; the one after asks again".to_owned()
        }
        Duration::Once => "settles the calls that wait now; the next call asks again".to_owned(),
        Duration::Run => "until this run of the command ends".to_owned(),
        Duration::Seconds(seconds) => format!("for {} in this run", span(seconds)),
        Duration::Always => "saved to your rules, for later runs too".to_owned(),
    }
}

/// A number of seconds as people say it.
#[must_use]
pub fn span(seconds: u64) -> String {
    match seconds {
        s if s % 86_400 == 0 && s >= 172_800 => format!("{} days", s / 86_400),
        s if s % 3600 == 0 => format!("{} h", s / 3600),
        s if s % 60 == 0 => format!("{} min", s / 60),
        s => format!("{s} s"),
    }
}

/// Where an offer reaches, short.
#[must_use]
pub fn reach(offer: &Offer) -> String {
    match offer.scope {
        Scope::Any => group_of_sockets(offer).unwrap_or("anywhere").to_owned(),
        Scope::Domain => {
            let domain = offer.to.first().map_or("", String::as_str);
            format!("{} and below", clip_middle(&readable(domain), BUTTON_HOST))
        }
        Scope::Port => {
            let to = offer.to.first().map_or("", String::as_str);
            let to = to.strip_suffix("/tcp").unwrap_or(to);
            clip_middle(&readable(to), BUTTON_HOST)
        }
        Scope::Host | Scope::Subnet => clip_middle(
            &readable(offer.to.first().map_or("", String::as_str)),
            BUTTON_HOST,
        ),
    }
}

/// The group, where the widest offer is one of UNIX sockets.
fn group_of_sockets(offer: &Offer) -> Option<&str> {
    let to = offer.to.first()?;
    (to != "@any").then_some(to)
}

/// What each width is called.
#[must_use]
pub fn scope(offer: &Offer) -> &'static str {
    let is_socket = |offer: &Offer| offer.to.iter().any(|to| to.starts_with("unix:"));
    match offer.scope {
        Scope::Port => "this port",
        Scope::Host if is_socket(offer) => "this socket",
        Scope::Host => "this host",
        Scope::Subnet => "its network",
        Scope::Domain => "its domain",
        Scope::Any if group_of_sockets(offer).is_some() => "all like it",
        Scope::Any => "anywhere",
    }
}

/// What a button does: `Allow curl → printer.lan, this run`.
#[must_use]
pub fn effect(verdict: Verdict, app: &str, reach: &str, length: Duration) -> String {
    format!(
        "{} {} → {reach}, {}",
        verdict_verb(verdict),
        clip(app, BUTTON_APP),
        duration(length)
    )
}

/// What was done: `Allowed curl → printer.lan, this run`.
#[must_use]
pub fn done(verdict: Verdict, app: &str, reach: &str, length: Duration) -> String {
    let verb = match verdict {
        Verdict::Allow => "Allowed",
        Verdict::Deny => "Denied",
    };
    format!(
        "{verb} {} → {reach}, {}",
        clip(app, BUTTON_APP),
        duration(length)
    )
}

/// `Allow` or `Deny`.
#[must_use]
pub fn verdict_verb(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Allow => "Allow",
        Verdict::Deny => "Deny",
    }
}

/// The rule that an answer makes, in the words of the policy.
#[must_use]
pub fn rule(verdict: Verdict, to: &[String], question: &Question, length: Duration) -> String {
    let to: Vec<String> = to.iter().map(|to| clip_middle(to, HOST)).collect();
    let to = to.join(", ");
    let verb = verdict_verb(verdict).to_lowercase();
    let app = AppPattern::for_subject(&question.app.subject).to_string();
    match length {
        Duration::Once => match question.hold {
            Hold::Block => format!("no rule: {verb} the calls to {to} that wait now"),
            Hold::Name => format!("no rule: {verb} the look-up for {to} that waits now"),
            Hold::Retry => format!("no rule: {verb} the next try to {to}"),
        },
        Duration::Run | Duration::Seconds(_) => {
            format!(
                "{verb} {to} for {}, {}",
                clip_middle(&app, HOST),
                duration(length)
            )
        }
        Duration::Always => format!("{verb} {to} for {}", clip_middle(&app, HOST)),
    }
}

/// The rule that either answer makes: `allow or deny printer.lan for /usr/bin/curl, this run`.
#[must_use]
pub fn either_rule(to: &[String], question: &Question, length: Duration) -> String {
    let allow = rule(Verdict::Allow, to, question, length);
    match allow.strip_prefix("allow ") {
        Some(rest) => format!("Rule: allow or deny {rest}"),
        None => match question.hold {
            Hold::Block => "No rule: only the calls that wait now".to_owned(),
            Hold::Name => "No rule: only the look-up that waits now".to_owned(),
            Hold::Retry => "No rule: only its next try".to_owned(),
        },
    }
}

/// What an answer settles, in a sentence; `settles` is the offer's.
#[must_use]
pub fn settles(question: &Question, settles: usize) -> String {
    let waits = question.waiting;
    match question.hold {
        Hold::Retry => {
            let times = match question.told_no {
                0 | 1 => String::new(),
                times => format!(" {times} times"),
            };
            format!("It was told no{times} and may try again: the answer is for its next try.")
        }
        Hold::Name if waits == 1 => "Settles the look-up that waits now.".to_owned(),
        Hold::Name => format!("Settles the {waits} look-ups that wait now."),
        Hold::Block if settles > waits => format!(
            "Settles {} that wait now, {} of other questions among them.",
            count(settles, "call"),
            settles - waits
        ),
        Hold::Block if waits == 1 => "Settles the call that waits now.".to_owned(),
        Hold::Block => format!("Settles the {waits} calls that wait now."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::samples::question;

    #[test]
    fn buttons_say_what_they_do() {
        let asked = question(1, "curl", "printer.lan");
        let label =
            |at: usize, length| effect(Verdict::Allow, "curl", &reach(&asked.offers[at]), length);
        assert_eq!(
            label(0, Duration::Once),
            "Allow curl → printer.lan:631, once"
        );
        assert_eq!(
            label(1, Duration::Run),
            "Allow curl → printer.lan, this run"
        );
        assert_eq!(
            label(2, Duration::Seconds(300)),
            "Allow curl → lan and below, for 5 min"
        );
        assert_eq!(
            label(3, Duration::Always),
            "Allow curl → anywhere, for good"
        );
    }

    #[test]
    fn a_rule_is_shown_as_it_would_be_kept() {
        let asked = question(1, "curl", "printer.lan");
        let host = &asked.offers[1].to;
        assert_eq!(
            rule(Verdict::Deny, host, &asked, Duration::Run),
            "deny printer.lan for /usr/bin/curl, this run"
        );
        assert_eq!(
            rule(Verdict::Allow, host, &asked, Duration::Always),
            "allow printer.lan for /usr/bin/curl"
        );
        assert_eq!(
            rule(Verdict::Allow, host, &asked, Duration::Once),
            "no rule: allow the calls to printer.lan that wait now"
        );
    }

    #[test]
    fn spans_are_said_as_people_do() {
        for (seconds, text) in [
            (45, "45 s"),
            (300, "5 min"),
            (7200, "2 h"),
            (86_400, "24 h"),
            (172_800, "2 days"),
        ] {
            assert_eq!(span(seconds), text);
        }
    }
}
