//! Words that all formats share, and text that is safe in any of them.
//!
//! What comes from outside was escaped where it entered the session. It is looked at again here:
//! a report is read by programs that take a line break or a control byte for more than text.

use super::{Counts, Entry, Outcome, Target};
use hallpass_session::address::Address;
use hallpass_session::escape::{clip, escape};
use hallpass_session::render;
use hallpass_session::verdict::Source;
use std::net::IpAddr;

/// Characters of a path, a name or a reason that people are shown.
const SHOWN: usize = 300;

/// The text with everything written out that cannot be seen; text that is escaped already stays
/// as it is.
pub(super) fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['\\', '…']) {
        let (before, after) = rest.split_at(at);
        shown.push_str(&escape(before, usize::MAX));
        let mut chars = after.chars();
        shown.extend(chars.next());
        rest = chars.as_str();
    }
    shown.push_str(&escape(rest, usize::MAX));
    shown
}

/// [`visible`], clipped to what people are shown.
pub(super) fn short(text: &str) -> String {
    clip(&visible(text), SHOWN)
}

impl Entry {
    /// Last part of the program's path.
    pub(super) fn app_name(&self) -> String {
        let name = self.app.rsplit('/').next().unwrap_or_default();
        short(if name.is_empty() { "?" } else { name })
    }

    /// The program's path.
    pub(super) fn app_path(&self) -> String {
        short(if self.app.is_empty() { "?" } else { &self.app })
    }

    /// Where to, as a rule would be written: `printer.lan:631/tcp`; or what was refused.
    pub(super) fn destination(&self) -> String {
        match &self.target {
            Target::Call(what) => short(what),
            Target::Flow { proto, port, names } => {
                let suffix = match port {
                    port if proto.has_ports() => format!(":{port}/{proto}"),
                    _ => format!("/{proto}"),
                };
                match (names.first(), self.addresses.first()) {
                    (Some(name), _) => format!("{}{suffix}", short(&name.name)),
                    (None, Some(socket @ Address::Unix(_))) => short(&socket.to_string()),
                    (None, Some(Address::Ip(IpAddr::V6(address)))) if proto.has_ports() => {
                        format!("[{address}]{suffix}")
                    }
                    (None, Some(address)) => format!("{address}{suffix}"),
                    (None, None) => format!("?{suffix}"),
                }
            }
        }
    }

    /// The addresses, where they are not the destination itself.
    pub(super) fn address_list(&self) -> String {
        let Target::Flow { names, .. } = &self.target else {
            return String::new();
        };
        if names.is_empty() {
            return String::new();
        }
        let shown: Vec<String> = self.addresses.iter().map(ToString::to_string).collect();
        let more = if self.has_more_addresses { ", …" } else { "" };
        format!("{}{more}", shown.join(", "))
    }

    /// The package and which of its scripts: `npm:esbuild, postinstall`.
    pub(super) fn package_and_step(&self) -> Option<String> {
        let package = short(self.package.as_ref()?);
        Some(match &self.step {
            Some(step) => format!("{package}, {}", short(step)),
            None => package,
        })
    }

    /// Why, in words.
    pub(super) fn reason(&self) -> String {
        short(&render::source(match &self.source {
            Source::Audit { would } => would,
            source => source,
        }))
    }

    /// Who and where to: `curl → example.com:443/tcp (203.0.113.1)`.
    pub(super) fn who_and_where(&self) -> String {
        let package = match self.package_and_step() {
            Some(package) => format!(" of package {package}"),
            None => String::new(),
        };
        let addresses = match self.address_list().as_str() {
            "" => String::new(),
            list => format!(" ({list})"),
        };
        let (app, to) = (self.app_name(), self.destination());
        format!("{app}{package} → {to}{addresses}")
    }

    /// `2 calls`.
    pub(super) fn calls(&self) -> String {
        render::count(self.count, "call", "calls")
    }
}

impl Outcome {
    /// The word for it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::WouldBeRefused => "would be refused",
            Self::Allowed => "allowed",
        }
    }
}

/// `2 refused, 12 allowed`.
pub(super) fn totals(counts: Counts) -> String {
    let mut words = vec![format!("{} refused", counts.refused)];
    if counts.would_be_refused > 0 {
        words.push(format!("{} would be refused", counts.would_be_refused));
    }
    words.push(format!("{} allowed", counts.allowed));
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaped_text_stays_and_the_rest_is_written_out() {
        for text in ["/usr/bin/curl", r"a\u{1b}\\b\n", "cut…", "हिन्दी"] {
            assert_eq!(visible(text), text);
        }
        assert_eq!(visible("a\nb\u{1b}[2J\u{202e}"), r"a\nb\u{1b}[2J\u{202e}");
        assert_eq!(visible("…\u{7}\\\u{9b}"), "…\\u{7}\\\\u{9b}");
    }
}
