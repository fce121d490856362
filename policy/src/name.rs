//! Host names: the one form they are compared in, and which of them an address may speak for.

use crate::text::quoted;
use crate::{Environment, Place, place};
use idna::AsciiDenyList;
use idna::uts46::{DnsLength, Hyphens, Uts46};
use std::fmt;
use std::net::IpAddr;

/// Longest name in bytes, without the trailing dot (RFC 1035 §2.3.4 as a text).
const NAME_MAX: usize = 253;
/// Longest label in bytes (RFC 1035 §2.3.4).
const LABEL_MAX: usize = 63;
/// Longest text that is looked at: Unicode may shrink when mapped, but not by more than this.
const INPUT_MAX: usize = 1024;

/// Zones whose names are meant to resolve to this machine or the neighbourhood: RFC 6761
/// (localhost, test), RFC 6762 §3 (local) and its appendix G (the rest, `internal` reserved by
/// ICANN since), RFC 8375 (home.arpa). A name of one label is local as well: it comes from
/// /etc/hosts or a search domain.
pub(crate) const LOCAL_ZONES: &[&str] = &[
    "localhost",
    "test",
    "local",
    "home.arpa",
    "internal",
    "intranet",
    "private",
    "corp",
    "home",
    "lan",
];

/// Why a text is no host name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameError {
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub remedy: String,
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.message, self.remedy)
    }
}

impl std::error::Error for NameError {}

/// The form names are compared in: IDNA-mapped (UTS 46), lower case, without the trailing dot.
///
/// # Errors
/// What is wrong with a text that is no host name: empty, too long, characters that no name
/// has, or an address.
pub fn canonical_name(text: &str) -> Result<String, NameError> {
    let error = |message: String, remedy: &str| NameError {
        message,
        remedy: remedy.to_owned(),
    };
    if text.len() > INPUT_MAX {
        return Err(error(
            format!("{} is longer than any host name", quoted(text)),
            "a name has at most 253 characters",
        ));
    }
    if is_canonical(text) {
        return Ok(text.to_owned());
    }
    let mapped = Uts46::new().to_ascii(
        text.as_bytes(),
        AsciiDenyList::EMPTY,
        Hyphens::Allow,
        DnsLength::Ignore,
    );
    let mapped = mapped.map_err(|_| {
        error(
            format!("{} is no valid international host name", quoted(text)),
            "check its spelling, or write its `xn--` form",
        )
    })?;
    let name = mapped.strip_suffix('.').unwrap_or(&mapped);
    if name.is_empty() {
        return Err(error(
            "the host name is empty".to_owned(),
            "write a name such as example.com",
        ));
    }
    if name.len() > NAME_MAX {
        return Err(error(
            format!("{} has {} characters", quoted(text), name.len()),
            "a name has at most 253 characters",
        ));
    }
    for label in name.split('.') {
        check_label(text, label)?;
    }
    if ends_in_number(name) {
        return Err(error(
            format!(
                "{} is neither a host name nor a complete address",
                quoted(text)
            ),
            "the last part of a name is no number; write an address as four numbers such as 192.0.2.1",
        ));
    }
    // Inside a name some labels do end in `-`; a top-level domain or a machine's own name does
    // not, but the rest of a mistyped range does.
    let last = name.rsplit('.').next().unwrap_or(name);
    if last.starts_with('-') || last.ends_with('-') {
        return Err(error(
            format!(
                "{} ends in a part that starts or ends with `-`",
                quoted(text)
            ),
            "write a whole name such as example.com, or a range such as 10.0.0.5-10.0.0.50",
        ));
    }
    Ok(name.to_owned())
}

/// Whether the text is for certain a name in the form that [`canonical_name`] gives it, and can be
/// no other kind of destination: several labels in lower-case ASCII, none of them `xn--`, the last
/// one beginning with a letter. Nearly every name is, and lists have a million of them.
pub(crate) fn is_canonical(text: &str) -> bool {
    let is_label = |label: &[u8]| {
        let is_plain = |byte: &u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
        (1..=LABEL_MAX).contains(&label.len())
            && label.iter().all(is_plain)
            && !label.starts_with(b"xn--")
    };
    let mut labels = text.as_bytes().rsplit(|byte| *byte == b'.');
    let is_last = |label: &[u8]| {
        is_label(label)
            && label.first().is_some_and(u8::is_ascii_lowercase)
            && label.last() != Some(&b'-')
    };
    text.len() <= NAME_MAX
        && labels.next().is_some_and(is_last)
        && labels.next().is_some_and(is_label)
        && labels.all(is_label)
}

fn check_label(text: &str, label: &str) -> Result<(), NameError> {
    if label.is_empty() {
        return Err(NameError {
            message: format!("{} has an empty part between two dots", quoted(text)),
            remedy: "write one dot between the parts of a name".to_owned(),
        });
    }
    if label.len() > LABEL_MAX {
        return Err(NameError {
            message: format!("{} has a part of {} characters", quoted(text), label.len()),
            remedy: "each part of a name has at most 63 characters".to_owned(),
        });
    }
    let odd = label
        .chars()
        .find(|c| !matches!(c, 'a'..='z' | '0'..='9' | '-' | '_'));
    match odd {
        None => Ok(()),
        Some(odd) => Err(NameError {
            message: format!(
                "{} has {} in a host name",
                quoted(text),
                quoted(&odd.to_string())
            ),
            remedy: "names are made of letters, digits, `-`, `_` and dots".to_owned(),
        }),
    }
}

/// Whether the last label is a number, so that programs take the text for an address
/// (the "ends in a number" of the URL standard).
pub(crate) fn ends_in_number(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or(name);
    let hex = last.strip_prefix("0x").or_else(|| last.strip_prefix("0X"));
    match hex {
        Some(digits) => digits.bytes().all(|byte| byte.is_ascii_hexdigit()),
        None => !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit()),
    }
}

/// Whether a canonical name lies outside the local zones, so that it should resolve to the
/// internet: more than one label, and none of localhost, test, local, home.arpa, internal,
/// intranet, private, corp, home, lan at its end.
#[must_use]
pub fn is_public_name(name: &str) -> bool {
    name.contains('.') && !LOCAL_ZONES.iter().any(|zone| is_below(name, zone))
}

/// Whether a name may satisfy a rule for a flow to this address. A public name that resolves
/// to loopback, LAN or multicast does not (DNS rebinding): such a flow is matched by its
/// address only.
#[must_use]
pub fn name_counts(name: &str, address: IpAddr, env: &Environment) -> bool {
    !is_public_name(name) || place(address, env) == Place::Internet
}

/// Whether `name` has more labels in front of `zone`.
pub(crate) fn is_below(name: &str, zone: &str) -> bool {
    name.strip_suffix(zone)
        .and_then(|front| front.strip_suffix('.'))
        .is_some_and(|front| !front.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_one_form() {
        for (text, name) in [
            ("Example.COM.", "example.com"),
            ("bücher.example", "xn--bcher-kva.example"),
            ("xn--bcher-kva.example", "xn--bcher-kva.example"),
            ("EXAMPLE。com", "example.com"),
            ("_dmarc.example.com", "_dmarc.example.com"),
            ("printer", "printer"),
            ("9pfs", "9pfs"),
            ("a--b.example", "a--b.example"),
            ("faß.example", "xn--fa-hia.example"),
        ] {
            assert_eq!(canonical_name(text).as_deref(), Ok(name), "{text}");
        }
    }

    #[test]
    fn what_is_canonical_at_a_glance_is_so_when_looked_at_closely() {
        let longest = "a".repeat(63);
        let labels = [
            "a",
            "z9",
            "9pfs",
            "0x7f",
            "1",
            "a-",
            "-a",
            "a--b",
            "_dmarc",
            "lan",
            "xn--a",
            "A",
            "",
            "b\u{fc}cher",
            "a b",
            "1-2",
            "x1-2",
            &longest,
        ];
        let mut at_a_glance = 0;
        for (first, last) in labels.iter().flat_map(|a| labels.map(|b| (*a, b))) {
            for text in [format!("{first}.{last}"), format!("{first}.{first}.{last}")] {
                if is_canonical(&text) {
                    at_a_glance += 1;
                    // In capitals it is looked at closely.
                    let closely = canonical_name(&text.to_ascii_uppercase());
                    assert_eq!(closely.as_ref(), Ok(&text));
                    let read = |text: &str| text.parse::<crate::Destination>().unwrap();
                    assert_eq!(read(&text), read(&text.to_ascii_uppercase()));
                }
            }
        }
        assert!(at_a_glance > 100, "{at_a_glance}");
        for text in [
            "lan",
            "10.0.0.5-10.0.0.50",
            "1.2-3",
            "1.2-0x7f",
            "a.b.",
            "a.xn--b",
            "a..b",
        ] {
            assert!(!is_canonical(text), "{text}");
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        let long_label = format!("{}.example", "a".repeat(64));
        let long_name = format!("{}example", "abcdefg.".repeat(32));
        for text in [
            "",
            ".",
            "..",
            "a..b",
            ".a",
            "a.b..",
            "exa mple.com",
            "a\nb",
            "a\0b",
            "a/b",
            "a:b",
            "*.a",
            "a@b",
            "a%b",
            "127.1",
            "1.2.3",
            "foo.0x7f",
            "０x7f.1",
            "１２７.0.0.1",
            "xn--a",
            "a\u{202e}b.example",
            &long_label,
            &long_name,
            &"x".repeat(5000),
        ] {
            let error = canonical_name(text);
            assert!(error.is_err(), "{text:?} gave {error:?}");
        }
        assert!(canonical_name(&format!("{}.example", "a".repeat(63))).is_ok());
    }

    #[test]
    fn local_zones_are_not_public() {
        for name in [
            "localhost",
            "printer",
            "printer.lan",
            "a.b.local",
            "nas.home.arpa",
            "db.internal",
            "x.localhost",
            "x.test",
        ] {
            assert!(!is_public_name(name), "{name}");
        }
        for name in [
            "example.com",
            "lan.example.com",
            "notlocal.example",
            "xlan.com",
            "arpa.example",
        ] {
            assert!(is_public_name(name), "{name}");
        }
    }

    #[test]
    fn a_public_name_says_nothing_about_a_private_address() {
        let env = Environment::default();
        let counts = |name, address: &str| name_counts(name, address.parse().unwrap(), &env);
        assert!(counts("example.com", "203.0.113.1"));
        assert!(!counts("example.com", "127.0.0.1"));
        assert!(!counts("example.com", "0.0.0.0"));
        assert!(!counts("example.com", "::ffff:192.168.1.1"));
        assert!(!counts("example.com", "ff02::fb"));
        assert!(counts("printer.lan", "192.168.1.1"));
        assert!(counts("localhost", "127.0.0.1"));
    }
}
