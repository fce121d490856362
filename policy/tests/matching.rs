//! Destinations and flows: which holds which.
// A helper that fails is a failed test.
#![allow(clippy::unwrap_used)]

use hallpass_policy::{Destination, Endpoint, Environment, Protocol, Query, Subject};

struct Flow {
    address: &'static str,
    port: u16,
    protocol: Protocol,
    names: &'static [&'static str],
}

fn env() -> Environment {
    Environment {
        attached: vec!["203.0.113.0/24".parse().unwrap()],
        nameservers: vec![
            "192.168.1.1".parse().unwrap(),
            "::ffff:8.8.8.8".parse().unwrap(),
        ],
    }
}

impl Flow {
    fn tcp(address: &'static str, port: u16) -> Self {
        Self {
            address,
            port,
            protocol: Protocol::Tcp,
            names: &[],
        }
    }

    fn under(self, names: &'static [&'static str]) -> Self {
        Self { names, ..self }
    }

    fn by(self, protocol: Protocol) -> Self {
        Self { protocol, ..self }
    }

    fn is_in(&self, text: &str) -> bool {
        let subject = Subject::default();
        let query = Query {
            subject: &subject,
            protocol: self.protocol,
            endpoint: Endpoint::Ip {
                address: self.address.parse().unwrap(),
                port: self.port,
            },
            names: self.names,
        };
        text.parse::<Destination>().unwrap().matches(&query, &env())
    }
}

fn assert_in(flow: &Flow, inside: &[&str], outside: &[&str]) {
    for text in inside {
        assert!(flow.is_in(text), "{} is not in {text}", flow.address);
    }
    for text in outside {
        assert!(!flow.is_in(text), "{} is in {text}", flow.address);
    }
}

#[test]
fn addresses_ports_and_protocols_match() {
    assert_in(
        &Flow::tcp("10.0.0.7", 443),
        &[
            "10.0.0.7",
            "10.0.0.7:443",
            "10.0.0.7:80,443",
            "10.0.0.7:400-500/tcp",
            "10.0.0.7/tcp",
            "10.0.0.0/8",
            "0.0.0.0/0",
            "10.0.0.5-10.0.0.50",
            "@lan",
            "@local",
            "@any",
            "@any:443",
            "::ffff:10.0.0.7",
        ],
        &[
            "10.0.0.8",
            "10.0.0.7:80",
            "10.0.0.7:443/udp",
            "10.0.0.7/icmp",
            "11.0.0.0/8",
            "10.0.0.8-10.0.0.50",
            "10.0.0.1-10.0.0.6",
            "::/0",
            "@internet",
            "@loopback",
            "@multicast",
            "@dns",
            "@raw",
            "@broker",
            "@desktop",
            "unix:/run/x",
            "example.com",
        ],
    );
    assert_in(
        &Flow::tcp("::ffff:10.0.0.7", 443),
        &["10.0.0.7", "10.0.0.0/8", "::ffff:10.0.0.0/104", "@lan"],
        &["::/0", "@internet"],
    );
    assert_in(
        &Flow::tcp("2001:db8::9", 1),
        &[
            "2001:db8::9",
            "2001:db8::/32",
            "2001:db8::5-2001:db8::50",
            "::/0",
            "@internet",
            "[2001:db8::/32]:1",
        ],
        &["0.0.0.0/0", "0.0.0.0-255.255.255.254", "@local"],
    );
    let ping = Flow::tcp("10.0.0.7", 0).by(Protocol::Icmp);
    assert_in(
        &ping,
        &["10.0.0.7", "10.0.0.7/icmp", "@any"],
        &["10.0.0.7:1-65535", "10.0.0.7/tcp", "@raw"],
    );
    assert_in(
        &Flow::tcp("10.0.0.7", 7).by(Protocol::Raw),
        &["@raw", "10.0.0.7/raw", "@any"],
        &["10.0.0.7:7"],
    );
    assert_in(
        &Flow::tcp("10.0.0.7", 0),
        &["10.0.0.7", "10.0.0.7/tcp"],
        &["10.0.0.7:1-65535"],
    );
}

#[test]
fn this_machine_has_many_addresses() {
    for address in ["127.0.0.1", "0.0.0.0", "::ffff:127.0.0.1", "::ffff:0.0.0.0"] {
        assert_in(
            &Flow::tcp(address, 80),
            &["@loopback", "@local", "127.0.0.1", "0.0.0.0", "127.0.0.0/8"],
            &["@lan", "@internet", "::1"],
        );
    }
    for address in ["::1", "::"] {
        assert_in(
            &Flow::tcp(address, 80),
            &["@loopback", "::1", "::", "::/0"],
            &["@lan", "@internet", "127.0.0.1", "0.0.0.0/0"],
        );
    }
}

#[test]
fn a_machine_called_like_a_group_is_matched_by_its_name() {
    assert!(Flow::tcp("192.168.1.9", 80).under(&["lan"]).is_in("lan."));
}

#[test]
fn groups_match_by_place() {
    assert_in(
        &Flow::tcp("203.0.113.9", 80),
        &["@lan", "@local", "@any"],
        &["@internet", "@loopback"],
    );
    assert_in(
        &Flow::tcp("224.0.0.251", 5353).by(Protocol::Udp),
        &["@multicast", "@lan", "@local"],
        &["@internet", "@loopback"],
    );
    assert_in(
        &Flow::tcp("255.255.255.255", 67).by(Protocol::Udp),
        &["@lan"],
        &["@internet", "@multicast"],
    );
    assert_in(&Flow::tcp("100.100.100.200", 80), &["@lan"], &["@internet"]);
    assert_in(
        &Flow::tcp("198.51.100.1", 80),
        &["@internet", "@any"],
        &["@local"],
    );
    assert_in(
        &Flow::tcp("192.168.1.1", 53),
        &["@dns", "@dns/tcp", "@lan"],
        &["@dns/udp", "@internet"],
    );
    assert_in(
        &Flow::tcp("8.8.8.8", 53).by(Protocol::Udp),
        &["@dns", "@dns/udp"],
        &["@lan"],
    );
    assert_in(&Flow::tcp("8.8.8.8", 853), &["@internet"], &["@dns"]);
    assert_in(&Flow::tcp("8.8.4.4", 53), &["@internet"], &["@dns"]);
    assert_in(
        &Flow::tcp("8.8.8.8", 53).by(Protocol::Raw),
        &["@raw"],
        &["@dns"],
    );
}

#[test]
fn names_match_below_their_zone_and_not_across_a_rebinding() {
    let flow = Flow::tcp("198.51.100.1", 443).under(&["a.b.example.com", "other.example"]);
    assert_in(
        &flow,
        &[
            "a.b.example.com",
            "*.b.example.com",
            "*.example.com",
            "*.com",
            "other.example:443",
        ],
        &[
            "b.example.com",
            "*.a.b.example.com",
            "example.com",
            "*.ample.com",
        ],
    );
    assert_in(
        &Flow::tcp("198.51.100.1", 443).under(&["example.com"]),
        &["example.com"],
        &["*.example.com", "*.xample.com"],
    );
    assert_in(
        &Flow::tcp("192.168.1.9", 443).under(&["evil.example.com", "printer.lan"]),
        &["printer.lan", "*.lan", "192.168.1.9", "@lan"],
        &["evil.example.com", "*.example.com"],
    );
    assert_in(
        &Flow::tcp("127.0.0.1", 443).under(&["localhost", "example.com"]),
        &["localhost"],
        &["example.com"],
    );
}

#[test]
fn sockets_match_by_path() {
    let subject = Subject::default();
    let is_in = |path: &str, text: &str| {
        let query = Query {
            subject: &subject,
            protocol: Protocol::Tcp,
            endpoint: Endpoint::Unix { path },
            names: &["example.com"],
        };
        text.parse::<Destination>().unwrap().matches(&query, &env())
    };
    assert!(is_in("/run/x.sock", "unix:/run/x.sock"));
    assert!(is_in("@abstract", "unix:@abstract"));
    assert!(is_in("/run/docker.sock", "@broker"));
    assert!(is_in("/run/user/1000/podman/podman.sock", "@broker"));
    assert!(is_in("/tmp/.X11-unix/X0", "@desktop"));
    assert!(is_in("/run/user/1000/wayland-0", "@desktop"));
    for text in [
        "unix:/run/y.sock",
        "@any",
        "@local",
        "@loopback",
        "@broker",
        "@desktop",
        "0.0.0.0/0",
        "example.com",
        "@dns",
    ] {
        assert!(!is_in("/run/x.sock", text), "{text}");
    }
}

#[test]
fn a_destination_knows_which_names_it_could_match() {
    let could =
        |text: &str, name: &str| text.parse::<Destination>().unwrap().could_match_name(name);
    for text in [
        "www.example.com",
        "*.example.com",
        "*.com",
        "10.0.0.0/8",
        "10.0.0.1",
        "@lan",
        "@any:80",
    ] {
        assert!(could(text, "www.example.com"), "{text}");
    }
    for text in [
        "example.com",
        "*.www.example.com",
        "unix:/run/x",
        "@broker",
        "*.example.org",
    ] {
        assert!(!could(text, "www.example.com"), "{text}");
    }
}
