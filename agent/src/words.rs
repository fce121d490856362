//! What the window says, as plain text: testable without a window.

use crate::show::{clip, clip_middle};
use hallpass_policy::{AppPattern, Protocol};
use hallpass_session::address::Address;
use hallpass_session::control::protocol::{Duration, Offer, Question, Scope};
use hallpass_session::event::FlowLine;
use hallpass_session::flow::{Name, Trust};
use hallpass_session::hold::Hold;
use hallpass_session::verdict::{Source, Verdict};
use std::net::IpAddr;

/// Longest app name in a sentence, in characters.
const APP: usize = 40;
/// Longest host name in a sentence: a name of the DNS has at most 253.
const HOST: usize = 90;
/// Longest host on a button.
const BUTTON_HOST: usize = 34;
/// Longest app name on a button.
const BUTTON_APP: usize = 22;

/// The sentence in its parts; the first and the third are shown strong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sentence {
    /// Who.
    pub app: String,
    /// `wants to connect to`.
    pub verb: &'static str,
    /// Whereto: the name as it reads, else the address.
    pub host: String,
    /// ` (xn--…, 192.168.1.9), port 631 IPP`.
    pub rest: String,
}

impl Sentence {
    /// The sentence about a question.
    #[must_use]
    pub fn of(question: &Question) -> Self {
        let mut beside = Vec::new();
        let address = address(&question.address, question.scope_id);
        let host = match question.names.first() {
            Some(name) => {
                let readable = readable(&name.name);
                if readable != name.name {
                    beside.push(clip_middle(&name.name, HOST));
                }
                beside.push(address);
                clip_middle(&readable, HOST)
            }
            None => clip_middle(&address, HOST),
        };
        let beside = match beside.is_empty() {
            true => String::new(),
            false => format!(" ({})", beside.join(", ")),
        };
        Self {
            app: clip(&question.app.subject.name, APP),
            verb: match question.hold {
                Hold::Name => "wants to look up, and connect to,",
                Hold::Block | Hold::Retry => verb(question.protocol),
            },
            host,
            rest: match (question.hold, question.port) {
                (Hold::Name, 0) => format!("{beside}, any port"),
                _ => format!("{beside}{}", port(question.protocol, question.port)),
            },
        }
    }

    /// All of it.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{} {} {}{}", self.app, self.verb, self.host, self.rest)
    }
}

fn verb(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tcp | Protocol::Unix => "wants to connect to",
        Protocol::Udp => "wants to send to",
        Protocol::Icmp => "wants to ping",
        Protocol::Raw => "wants to send raw packets to",
    }
}

fn port(protocol: Protocol, port: u16) -> String {
    if port == 0 {
        return String::new();
    }
    let transport = if protocol == Protocol::Udp {
        " UDP"
    } else {
        ""
    };
    match service(port) {
        Some(service) => format!(", port {port} {service}{transport}"),
        None => format!(", port {port}{transport}"),
    }
}

/// The address, with its scope id where it has one.
#[must_use]
pub fn address(address: &Address, scope_id: u32) -> String {
    match scope_id {
        0 => address.to_string(),
        scope => format!("{address}%{scope}"),
    }
}

/// A name as people write it; the canonical form is ASCII (`xn--…`).
fn readable(name: &str) -> String {
    if !name.contains("xn--") {
        return name.to_owned();
    }
    let (readable, result) = idna::domain_to_unicode(name);
    match result {
        Ok(()) => readable,
        Err(_) => name.to_owned(),
    }
}

/// What usually listens on a port (IANA service names, as people say them).
#[must_use]
pub fn service(port: u16) -> Option<&'static str> {
    Some(match port {
        21 => "FTP",
        22 => "SSH",
        23 => "Telnet",
        25 => "SMTP",
        53 => "DNS",
        80 => "HTTP",
        110 => "POP3",
        119 => "NNTP",
        123 => "NTP",
        137..=139 => "NetBIOS",
        143 => "IMAP",
        161 => "SNMP",
        389 => "LDAP",
        443 => "HTTPS",
        445 => "SMB",
        465 | 587 => "mail submission",
        515 => "LPD",
        554 => "RTSP",
        631 => "IPP",
        636 => "LDAPS",
        853 => "DNS over TLS",
        873 => "rsync",
        993 => "IMAPS",
        995 => "POP3S",
        1883 => "MQTT",
        1900 => "SSDP",
        2049 => "NFS",
        3306 => "MySQL",
        3389 => "RDP",
        5060 | 5061 => "SIP",
        5222 => "XMPP",
        5353 => "mDNS",
        5432 => "PostgreSQL",
        5671 | 5672 => "AMQP",
        5900 => "VNC",
        6379 => "Redis",
        6667 | 6697 => "IRC",
        8080 => "HTTP",
        8443 => "HTTPS",
        8883 => "MQTT",
        9100 => "printing",
        9418 => "Git",
        11211 => "memcached",
        27017 => "MongoDB",
        _ => return None,
    })
}

/// The badge: where the address is, in words and with what that means.
#[must_use]
pub fn place(place: &str) -> (&'static str, &'static str) {
    match place {
        "loopback" => ("loopback", "this computer itself"),
        "lan" => ("LAN", "the network around this computer"),
        "multicast" => ("multicast", "everyone who listens on this network"),
        "internet" => ("internet", "somewhere on the internet"),
        "socket" => (
            "local socket",
            "another program, which acts for whoever asks",
        ),
        _ => ("elsewhere", "a place this window has no word for"),
    }
}

/// How far the name can be trusted.
#[must_use]
pub fn trust(names: &[Name]) -> &'static str {
    match names.first().map(|name| name.trust) {
        Some(Trust::Verified) => "name verified by the session's own look-up",
        Some(Trust::Claimed) => "name as the program looked it up, not verified",
        None => "the program used the address, without a name",
    }
}

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

/// An app's name, short enough for a line with other words on it.
#[must_use]
pub fn clip_app(name: &str) -> String {
    clip(name, BUTTON_APP)
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

/// Why a call was decided as it was.
#[must_use]
pub fn source(source: &Source) -> String {
    match source {
        Source::Rule { layer, rule } => {
            format!("{} rule: {}", clip(layer, 20), clip_middle(rule, 160))
        }
        Source::Person { by } if by == "agent" => "you, in this window".to_owned(),
        Source::Person { by } => format!("you, in the {}", clip(by, 20)),
        Source::Standing { group } => format!(
            "{} is allowed unless a rule says otherwise",
            clip(group, 40)
        ),
        Source::Default => "no rule matched; the default".to_owned(),
        Source::Audit { would } => format!("audit; would be refused: {}", self::source(would)),
        Source::Fallback { reason } => reason.sentence().to_owned(),
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

/// The last part of a path.
#[must_use]
pub fn base(path: &str) -> &str {
    path.rsplit('/')
        .find(|part| !part.is_empty())
        .unwrap_or(path)
}

/// A command line, on one line.
#[must_use]
pub fn command(argv: &[String], max: usize) -> String {
    let mut line = String::new();
    for argument in argv {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(argument);
        // One character more than fits tells `clip` that something is cut.
        if line.chars().count() > max {
            break;
        }
    }
    clip(&line, max)
}

/// `1 call`, `3 calls`.
#[must_use]
pub fn count(number: usize, one: &str) -> String {
    match number {
        1 => format!("1 {one}"),
        number => format!("{number} {one}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::samples::question;

    #[test]
    fn the_sentence_names_who_where_and_what() {
        let asked = question(1, "curl", "printer.lan");
        let sentence = Sentence::of(&asked);
        assert_eq!(
            sentence.text(),
            "curl wants to connect to printer.lan (192.168.1.9), port 631 IPP"
        );
    }

    #[test]
    fn without_a_name_the_address_stands_for_it() {
        let mut asked = question(1, "ping", "a.test");
        asked.names.clear();
        asked.protocol = Protocol::Icmp;
        asked.port = 0;
        assert_eq!(
            Sentence::of(&asked).text(),
            "ping wants to ping 192.168.1.9"
        );
    }

    #[test]
    fn an_idn_shows_its_punycode_too() {
        let asked = question(1, "curl", "xn--mnchen-3ya.example");
        let text = Sentence::of(&asked).text();
        assert!(
            text.contains("münchen.example (xn--mnchen-3ya.example, 192.168.1.9)"),
            "{text}"
        );
    }

    #[test]
    fn hostile_names_are_clipped_and_escaped() {
        let mut asked = question(1, &"x".repeat(5000), &format!("{}.test", "a".repeat(5000)));
        asked.app.subject.name = format!("\u{202e}{}", "x".repeat(5000));
        let text = Sentence::of(&asked).text();
        assert!(text.chars().count() < 250, "{text}");
        assert!(text.starts_with(r"\u{202e}xxx"));
        assert!(
            text.contains(".test ("),
            "the end of a host name tells most: {text}"
        );
    }

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

    #[test]
    fn a_command_of_a_megabyte_is_one_line() {
        let argv = vec!["x".to_owned(); 1 << 19];
        assert_eq!(command(&argv, 100).chars().count(), 100);
    }
}
