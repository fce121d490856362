//! The sentence: who wants what of whom.

use super::service::service;
use super::{HOST, readable};
use crate::show::{clip, clip_middle};
use hallpass_policy::Protocol;
use hallpass_session::address::Address;
use hallpass_session::control::protocol::Question;
use hallpass_session::flow::{Name, Trust};
use hallpass_session::hold::Hold;

/// Longest app name in a sentence, in characters.
const APP: usize = 40;

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

#[cfg(test)]
mod tests {
    use super::Sentence;
    use crate::model::samples::question;
    use hallpass_policy::Protocol;

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
}
