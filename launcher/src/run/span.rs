//! Times on the command line: `30s`, `1.5m`, `500ms`; a bare number is seconds, as in timeout(1).

use std::time::Duration;

/// The longest time that makes sense, and that every clock can add: a hundred years, in seconds.
const LONGEST: f64 = 100.0 * 365.0 * 86_400.0;

/// Parses a time span; the error says what to write instead.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let hint = "write a number and a unit: 500ms, 30s, 5m, 2h or 1d";
    let digits = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor = match unit {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" => 60.0,
        "h" => 3_600.0,
        "d" => 86_400.0,
        _ => return Err(format!("\"{unit}\" is no unit of time; {hint}")),
    };
    let number: f64 = number
        .parse()
        .map_err(|_| format!("this is no time; {hint}"))?;
    let seconds = number * factor;
    if seconds <= 0.0 {
        return Err("the time must be more than zero; leave the flag out for no limit".into());
    }
    if seconds > LONGEST {
        return Err("this is more than a hundred years; leave the flag out for no limit".into());
    }
    Ok(Duration::from_secs_f64(seconds))
}

#[cfg(test)]
mod tests {
    use super::parse;
    use std::time::Duration;

    #[test]
    fn units() {
        for (text, ms) in [
            ("5", 5_000),
            ("30s", 30_000),
            ("5m", 300_000),
            ("2h", 7_200_000),
            ("1d", 86_400_000),
            ("500ms", 500),
            ("1.5m", 90_000),
            (".5", 500),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(ms)), "{text}");
        }
    }

    #[test]
    fn errors_say_what_to_write() {
        for (text, part) in [
            ("", "30s"),
            ("soon", "no unit"),
            ("5 m", "no unit"),
            ("-5s", "no unit"),
            ("1.2.3s", "no time"),
            ("0", "leave the flag out"),
            ("99999999999999999999d", "hundred years"),
        ] {
            let error = parse(text).expect_err(text);
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
