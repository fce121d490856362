//! A person's answer: allow or deny, for how long, how wide.

use crate::verdict::Verdict;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A person's answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Allow or deny.
    pub verdict: Verdict,
    /// For how long.
    #[serde(rename = "for", default)]
    pub duration: Duration,
    /// How wide.
    #[serde(default)]
    pub scope: Scope,
}

/// For how long an answer holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Duration {
    /// `once`: settles the calls that wait now.
    Once,
    /// `run`: until this session ends.
    #[default]
    Run,
    /// `90s`, `5m`, `2h`, `1d`: that many seconds of the session's monotonic clock.
    Seconds(u64),
    /// `always`: saved to the rules file.
    Always,
}

/// How wide an answer is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// This host, port and protocol.
    Port,
    /// This host (name if it has one that may be used, else address), every port; or this UNIX
    /// socket.
    #[default]
    Host,
    /// The attached network the address is in, else its /24 or /64.
    Subnet,
    /// The name's parent domain and everything below, or the name's own where the parent is a
    /// public suffix.
    Domain,
    /// Anywhere; of a UNIX socket every one of its group (`@broker`, `@desktop`).
    Any,
}

/// A year; nobody means longer, and arithmetic on it cannot overflow.
const LONGEST: u64 = 366 * 24 * 3600;

impl FromStr for Duration {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{}` is no duration: write once, run, always, or a number with s, m, h or d, like 5m",
                crate::escape::escape(text, 40)
            )
        };
        match text {
            "once" => return Ok(Self::Once),
            "run" => return Ok(Self::Run),
            "always" => return Ok(Self::Always),
            _ => {}
        }
        let unit = text.chars().last().ok_or_else(wrong)?;
        let number = text.strip_suffix(unit).ok_or_else(wrong)?;
        let seconds_each = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 24 * 3600,
            _ => return Err(wrong()),
        };
        if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(wrong());
        }
        let number: u64 = number.parse().map_err(|_| wrong())?;
        match number.checked_mul(seconds_each) {
            Some(seconds) if (1..=LONGEST).contains(&seconds) => Ok(Self::Seconds(seconds)),
            _ => Err(format!(
                "`{text}` is out of range: write at least 1s and at most 366d"
            )),
        }
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Once => f.write_str("once"),
            Self::Run => f.write_str("run"),
            Self::Always => f.write_str("always"),
            Self::Seconds(s) if s % 3600 == 0 => write!(f, "{}h", s / 3600),
            Self::Seconds(s) if s % 60 == 0 => write!(f, "{}m", s / 60),
            Self::Seconds(s) => write!(f, "{s}s"),
        }
    }
}

impl From<Duration> for String {
    fn from(duration: Duration) -> Self {
        duration.to_string()
    }
}

impl TryFrom<String> for Duration {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl FromStr for Scope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(match text {
            "port" => Self::Port,
            "host" => Self::Host,
            "subnet" => Self::Subnet,
            "domain" => Self::Domain,
            "any" => Self::Any,
            _ => {
                return Err(format!(
                    "`{}` is no scope: write port, host, subnet, domain or any",
                    crate::escape::escape(text, 40)
                ));
            }
        })
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Port => "port",
            Self::Host => "host",
            Self::Subnet => "subnet",
            Self::Domain => "domain",
            Self::Any => "any",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Answer, Duration, Scope};
    use crate::verdict::Verdict;

    #[test]
    fn durations_print_as_they_parse() {
        for text in ["once", "run", "always", "90s", "5m", "2h"] {
            assert_eq!(text.parse::<Duration>().unwrap().to_string(), text);
        }
        assert_eq!("1d".parse(), Ok(Duration::Seconds(86_400)));
    }

    #[test]
    fn durations_that_are_none_say_what_to_write() {
        for text in [
            "",
            "5",
            "m",
            "-5m",
            "5 m",
            "0s",
            "5w",
            "99999999999999999999s",
            "400d",
            "5é",
        ] {
            let error = text.parse::<Duration>().unwrap_err();
            assert!(error.contains("write"), "{text}: {error}");
        }
    }

    #[test]
    fn an_answer_defaults_to_this_host_and_this_run() {
        let answer: Answer = serde_json::from_str(r#"{"verdict":"allow"}"#).unwrap();
        assert_eq!(answer.verdict, Verdict::Allow);
        assert_eq!(answer.duration, Duration::Run);
        assert_eq!(answer.scope, Scope::Host);
    }
}
