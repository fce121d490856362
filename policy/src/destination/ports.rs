//! Sets of ports: `443`, `8000-8100`, `80,443`.

use super::DestinationError;
use crate::text::quoted;
use std::fmt;

/// Most ranges one set is read from; more is a mistake or an attack.
const RANGES_MAX: usize = 256;

/// A set of ports; sorted, neither overlapping nor touching ranges. Empty means every port and
/// also flows that have none.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Ports {
    /// Behind a thin pointer: a list has a million destinations, and hardly any has ports.
    ranges: Option<Box<Ranges>>,
}

/// At least one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Ranges(Box<[(u16, u16)]>);

impl Ports {
    /// Every port.
    pub(crate) fn any() -> Self {
        Self::default()
    }

    /// One port.
    pub(crate) fn one(port: u16) -> Self {
        Self::from_ranges(vec![(port, port)])
    }

    pub(crate) fn is_any(&self) -> bool {
        self.ranges.is_none()
    }

    pub(crate) fn contains(&self, port: u16) -> bool {
        self.ranges()
            .iter()
            .any(|(first, last)| (*first..=*last).contains(&port))
    }

    /// The ranges, ascending.
    pub(crate) fn ranges(&self) -> &[(u16, u16)] {
        self.ranges.as_ref().map_or(&[], |ranges| &ranges.0)
    }

    /// How many ports; 0 for every port.
    pub(crate) fn count(&self) -> u32 {
        self.ranges()
            .iter()
            .map(|(first, last)| u32::from(last - first) + 1)
            .sum()
    }

    pub(super) fn parse(text: &str) -> Result<Self, DestinationError> {
        let parts = text.split(',');
        let mut ranges = Vec::new();
        for part in parts {
            if ranges.len() == RANGES_MAX {
                return Err(DestinationError::new(
                    format!("more than {RANGES_MAX} ports and port ranges"),
                    "write ranges such as 8000-8100, or several destinations",
                ));
            }
            ranges.push(Self::parse_range(part, text)?);
        }
        Ok(Self::from_ranges(ranges))
    }

    fn parse_range(part: &str, whole: &str) -> Result<(u16, u16), DestinationError> {
        let Some((first, last)) = part.split_once('-') else {
            let port = parse_port(part, whole)?;
            return Ok((port, port));
        };
        let (first, last) = (parse_port(first, whole)?, parse_port(last, whole)?);
        if first > last {
            return Err(DestinationError::new(
                format!("the port range {first}-{last} runs backwards"),
                format!("write {last}-{first}"),
            ));
        }
        Ok((first, last))
    }

    fn from_ranges(mut ranges: Vec<(u16, u16)>) -> Self {
        ranges.sort_unstable();
        let mut merged: Vec<(u16, u16)> = Vec::with_capacity(ranges.len());
        for (first, last) in ranges {
            match merged.last_mut() {
                Some(open) if u32::from(first) <= u32::from(open.1) + 1 => {
                    open.1 = open.1.max(last)
                }
                _ => merged.push((first, last)),
            }
        }
        let ranges = Ranges(merged.into_boxed_slice());
        Self {
            ranges: (!ranges.0.is_empty()).then(|| Box::new(ranges)),
        }
    }
}

fn parse_port(text: &str, whole: &str) -> Result<u16, DestinationError> {
    let wrong = |why: &str| {
        DestinationError::new(
            format!("{} in the ports {} {why}", quoted(text), quoted(whole)),
            "write a port (443), a range (8000-8100) or a list (80,443); ports are 1 to 65535",
        )
    };
    if text.is_empty() {
        return Err(DestinationError::new(
            format!("a port is missing in {}", quoted(&format!(":{whole}"))),
            "write a port (443), a range (8000-8100), a list (80,443), or leave the colon out for every port",
        ));
    }
    if text == "*" {
        return Err(DestinationError::new(
            "`*` is no port",
            "leave `:*` out: without ports a destination means every port",
        ));
    }
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong("is no number"));
    }
    if text.len() > 1 && text.starts_with('0') {
        return Err(wrong("starts with 0"));
    }
    match text.parse::<u16>() {
        Ok(0) => Err(wrong("is no port")),
        Ok(port) => Ok(port),
        Err(_) => Err(wrong("is more than 65535")),
    }
}

impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (first, last)) in self.ranges().iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            if first == last {
                write!(f, "{comma}{first}")?;
            } else {
                write!(f, "{comma}{first}-{last}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        Ports::parse(text).unwrap().to_string()
    }

    #[test]
    fn sets_have_one_form() {
        assert_eq!(shown("443,80"), "80,443");
        assert_eq!(shown("80,81,82"), "80-82");
        assert_eq!(shown("1-65535"), "1-65535");
        assert_eq!(shown("5-9,1-6,10"), "1-10");
        assert_eq!(shown("80,80"), "80");
        assert_eq!(shown("80-80"), "80");
        assert_eq!(Ports::parse("5-9,1-6,20").unwrap().count(), 10);
    }

    #[test]
    fn bad_ports_say_what_to_write() {
        for (text, part) in [
            ("", "is missing"),
            ("80,", "is missing"),
            ("-80", "is missing"),
            ("0", "no port"),
            ("65536", "65535"),
            ("https", "no number"),
            ("+80", "no number"),
            ("080", "starts with 0"),
            ("90-80", "write 80-90"),
            ("*", "every port"),
            ("80-90-100", "no number"),
            ("8o", "no number"),
        ] {
            let error = Ports::parse(text).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
        assert!(Ports::parse(&vec!["80"; 300].join(",")).is_err());
    }
}
