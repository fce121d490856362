//! A rule in the person's own words, instead of one of those that are offered.

use hallpass_policy::{Destination, Endpoint, Environment, Query};
use hallpass_session::address::Address;
use hallpass_session::control::protocol::Question;
use ipnet::IpNet;

/// Longest text of a rule, in bytes.
const MAX: usize = 4096;
/// How many destinations an edited rule may have.
const MAX_DESTINATIONS: usize = 16;

/// The destinations of the rule, as text that is being edited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// Destinations, with commas between them.
    pub text: String,
    /// Whether its field has yet to get the keyboard.
    pub is_new: bool,
}

impl Edit {
    /// Begins with what was offered.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self { text, is_new: true }
    }

    /// The destinations, where they can be read and cover the call that waits.
    ///
    /// # Errors
    /// What is wrong, and what to write instead.
    pub fn destinations(&self, question: &Question) -> Result<Vec<String>, String> {
        if self.text.len() > MAX {
            return Err(format!("too long; write at most {MAX} bytes"));
        }
        let mut to: Vec<Destination> = Vec::new();
        for text in parts(&self.text) {
            to.push(text.parse().map_err(|error| format!("{error}"))?);
        }
        if to.is_empty() {
            return Err("write a destination, such as example.com:443 or 10.0.0.0/8".to_owned());
        }
        if to.len() > MAX_DESTINATIONS {
            return Err(format!("write at most {MAX_DESTINATIONS} destinations"));
        }
        if !to.iter().any(|to| covers(to, question)) {
            return Err("does not cover the call that waits".to_owned());
        }
        Ok(to.iter().map(ToString::to_string).collect())
    }
}

/// Parts at commas and blanks; a comma between port numbers (`:80,443`) parts nothing.
fn parts(text: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        for piece in word.split(',').filter(|piece| !piece.is_empty()) {
            let is_port = piece.starts_with(|c: char| c.is_ascii_digit())
                && piece.split('/').next().is_some_and(|ports| {
                    ports
                        .bytes()
                        .all(|byte| byte.is_ascii_digit() || byte == b'-')
                });
            match parts.last_mut() {
                Some(last) if is_port && last.contains(':') => {
                    last.push(',');
                    last.push_str(piece);
                }
                _ => parts.push(piece.to_owned()),
            }
        }
    }
    parts
}

fn covers(to: &Destination, question: &Question) -> bool {
    let names: Vec<&str> = question
        .names
        .iter()
        .map(|name| name.name.as_str())
        .collect();
    let query = Query {
        subject: &question.app.subject,
        protocol: question.protocol,
        endpoint: match &question.address {
            Address::Ip(address) => Endpoint::Ip {
                address: *address,
                port: question.port,
            },
            Address::Unix(socket) => Endpoint::Unix {
                path: socket.path(),
            },
        },
        names: &names,
    };
    // The window does not know the session's networks, but where it says the address is.
    let attached = match (question.place.as_str(), question.address.ip()) {
        ("lan", Some(address)) => vec![IpNet::from(address)],
        _ => Vec::new(),
    };
    let environment = Environment {
        attached,
        nameservers: Vec::new(),
    };
    to.matches(&query, &environment)
}

#[cfg(test)]
mod tests {
    use super::{Edit, parts};
    use crate::model::samples::question;

    fn check(text: &str) -> Result<Vec<String>, String> {
        Edit::new(text.to_owned()).destinations(&question(1, "curl", "printer.lan"))
    }

    #[test]
    fn what_covers_the_call_is_taken() {
        for text in [
            "printer.lan",
            "printer.lan:631/tcp",
            "*.lan",
            "192.168.1.0/24",
            "@lan",
            "@any",
            "printer.lan, other.lan",
        ] {
            assert!(check(text).is_ok(), "{text}: {:?}", check(text));
        }
        assert_eq!(check("printer.lan:80,631").unwrap(), ["printer.lan:80,631"]);
    }

    #[test]
    fn what_does_not_cover_the_call_is_refused_with_a_reason() {
        for text in [
            "other.lan",
            "printer.lan:80",
            "10.0.0.0/8",
            "@internet",
            "@lan/udp",
        ] {
            assert!(
                check(text).unwrap_err().contains("does not cover"),
                "{text}"
            );
        }
    }

    #[test]
    fn what_cannot_be_read_says_what_to_write() {
        assert!(check("").unwrap_err().contains("write"));
        assert!(check("127.1").is_err());
        assert!(check(&"a,".repeat(5000)).unwrap_err().contains("at most"));
        assert!(
            check(&"@any ".repeat(17))
                .unwrap_err()
                .contains("at most 16")
        );
    }

    #[test]
    fn a_comma_between_ports_parts_nothing() {
        assert_eq!(
            parts("a.test:80,443/tcp,b.test 10.0.0.1"),
            ["a.test:80,443/tcp", "b.test", "10.0.0.1"]
        );
        assert_eq!(parts("a.test,10.0.0.1"), ["a.test", "10.0.0.1"]);
    }
}
