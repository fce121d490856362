//! A live connection in words, for `hallpass flows` and the window.

use super::{MAX_APP, destination, process, source};
use crate::control::protocol::{Direction, LiveFlow};
use crate::escape::clip;

/// Who, and where to or from: `curl[4711] → printer.lan:631/tcp (192.168.1.9)`.
#[must_use]
pub fn live(flow: &LiveFlow) -> String {
    let to = destination(&flow.address.into(), flow.port, flow.proto, &flow.names);
    let arrow = match flow.direction {
        Direction::Out => "→",
        Direction::In => "←",
    };
    let first = flow.pids.first().copied().unwrap_or(0);
    let others = match flow.shared_by {
        0 | 1 => String::new(),
        number => format!(" +{}", number - 1),
    };
    let app = clip(&process(&flow.app, first), MAX_APP);
    format!("{app}{others} {arrow} {to}")
}

/// What decided it, in a few words.
#[must_use]
pub fn live_reason(flow: &LiveFlow) -> String {
    match (&flow.source, flow.direction) {
        (Some(reason), _) => source(reason),
        (None, Direction::In) => "came in from outside".to_owned(),
        (None, Direction::Out) => "not decided by hallpass".to_owned(),
    }
}

/// How it is: `established, 12 s, 420 B sent, 1.2 MB received`.
#[must_use]
pub fn live_facts(flow: &LiveFlow) -> String {
    let mut facts = vec![flow.state.words().to_owned()];
    if let Some(ms) = flow.age_ms {
        let most = if flow.age_is_exact { "" } else { "at most " };
        facts.push(format!("{most}{}", age(ms)));
    }
    if let Some(sent) = flow.sent {
        facts.push(format!("{} sent", amount(sent)));
    }
    if let Some(received) = flow.received {
        facts.push(format!("{} received", amount(received)));
    }
    facts.join(", ")
}

/// A time that has passed, in milliseconds, in its two largest units: `12 s`, `3 min`, `2 h 5 min`.
#[must_use]
pub fn age(ms: u64) -> String {
    let seconds = ms / 1000;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3600 % 24),
    }
}

/// A number of bytes: exact below 1000, else with one digit after the point, rounded down.
#[must_use]
pub fn amount(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let (mut tenths, mut unit) = (bytes / 100, UNITS[0]);
    for larger in UNITS.iter().skip(1) {
        if tenths < 10_000 {
            break;
        }
        (tenths, unit) = (tenths / 1000, larger);
    }
    format!("{}.{} {unit}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::protocol::State;
    use crate::flow::Name;
    use crate::verdict::Source;
    use hallpass_policy::Protocol;

    fn flow() -> LiveFlow {
        LiveFlow {
            id: 3,
            pids: vec![7, 8],
            shared_by: 2,
            app: "/usr/bin/curl".to_owned(),
            direction: Direction::Out,
            proto: Protocol::Tcp,
            address: "192.168.1.9".parse().unwrap(),
            port: 631,
            local_address: "192.168.1.5".parse().unwrap(),
            local_port: 40122,
            names: vec![Name::claimed("printer.lan".to_owned())],
            state: State::Established,
            sent: Some(420),
            received: Some(1_234_567),
            age_ms: Some(12_999),
            age_is_exact: true,
            source: Some(Source::Default),
        }
    }

    #[test]
    fn a_connection_reads_as_a_sentence() {
        let mut flow = flow();
        assert_eq!(
            live(&flow),
            "curl[7] +1 → printer.lan:631/tcp (192.168.1.9)"
        );
        assert_eq!(live_reason(&flow), "default");
        assert_eq!(
            live_facts(&flow),
            "established, 12 s, 420 B sent, 1.2 MB received"
        );
        flow.age_is_exact = false;
        (flow.sent, flow.received, flow.source) = (None, None, None);
        assert_eq!(live_facts(&flow), "established, at most 12 s");
        assert_eq!(live_reason(&flow), "not decided by hallpass");
        (flow.direction, flow.shared_by) = (Direction::In, 1);
        assert_eq!(live_reason(&flow), "came in from outside");
        assert_eq!(live(&flow), "curl[7] ← printer.lan:631/tcp (192.168.1.9)");
    }

    #[test]
    fn a_long_program_name_does_not_hide_where_it_goes() {
        let mut flow = flow();
        flow.app = format!("/bin/{}", "x".repeat(4000));
        assert!(live(&flow).chars().count() < 120, "{}", live(&flow));
    }

    #[test]
    fn amounts_and_ages_are_short_and_never_too_much() {
        for (bytes, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (1999, "1.9 kB"),
            (999_999, "999.9 kB"),
            (1_000_000, "1.0 MB"),
            (u64::MAX, "18.4 EB"),
        ] {
            assert_eq!(amount(bytes), text);
        }
        for (ms, text) in [
            (999, "0 s"),
            (59_999, "59 s"),
            (60_000, "1 min"),
            (7_500_000, "2 h 5 min"),
            (100_000_000, "1 d 3 h"),
        ] {
            assert_eq!(age(ms), text);
        }
    }
}
