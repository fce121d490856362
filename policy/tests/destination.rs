//! The destination grammar: what is read as what, and what is refused with which advice.
// A helper that fails is a failed test.
#![allow(clippy::unwrap_used)]

use hallpass_policy::Destination;

fn shown(text: &str) -> String {
    match text.parse::<Destination>() {
        Ok(destination) => destination.to_string(),
        Err(error) => panic!("{text}: {error}"),
    }
}

fn assert_refused(text: &str, parts: &[&str]) {
    let error = match text.parse::<Destination>() {
        Ok(destination) => panic!("{text:?} was read as {destination}"),
        Err(error) => error,
    };
    let said = error.to_string();
    for part in parts {
        assert!(
            said.contains(part),
            "{text:?} gave {said:?} without {part:?}"
        );
    }
    assert!(!error.remedy.is_empty() && said.len() < 700, "{said}");
    assert!(!said.contains(|c: char| c.is_control()), "{said:?}");
}

#[test]
fn canonical_text_stays_as_it_is() {
    for text in [
        "10.0.0.7",
        "10.0.0.0/8",
        "fd00::/8",
        "10.0.0.5-10.0.0.50",
        "[::1]:53",
        "2001:db8::1",
        "0.0.0.0/0",
        "::/0",
        "2001:db8::5-2001:db8::50",
        "[2001:db8::5-2001:db8::50]:53",
        "[fd00::/8]:443/tcp",
        "example.com",
        "*.example.com",
        "@loopback",
        "@multicast",
        "@lan",
        "@local",
        "@internet",
        "@any",
        "@dns",
        "@broker",
        "@desktop",
        "@raw",
        "unix:/run/x.sock",
        "unix:@abstract",
        "unix:/run/a b:c/udp",
        "example.com:443",
        "example.com:8000-8100",
        "example.com:80,443",
        "example.com:443/tcp",
        "example.com/udp",
        "10.0.0.7/icmp",
        "10.0.0.7/raw",
        "10.0.0.0/8:443/tcp",
        "@lan:631",
        "@any/udp",
        "@dns/tcp",
        "localhost",
        "printer",
        "xn--bcher-kva.example",
        "10-0-0-1.example.com",
        "1-2.example",
        "_x.example.com",
        "fe80::1",
        "2001:db8::1/udp",
        "*.com",
        "10.0.0.5-10.0.0.50:80/tcp",
        "10.0.0.5-foo.example",
        "9pfs",
    ] {
        assert_eq!(shown(text), text);
    }
}

#[test]
fn other_spellings_have_one_canonical_text() {
    for (text, canonical) in [
        ("Example.COM.", "example.com"),
        ("*.Example.COM", "*.example.com"),
        ("bücher.example:443", "xn--bcher-kva.example:443"),
        ("EXAMPLE.com:443/TCP", "example.com:443/tcp"),
        ("example.com:443,80", "example.com:80,443"),
        ("example.com:80,81", "example.com:80-81"),
        ("2001:DB8:0:0::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("fd00::/8:443", "[fd00::/8]:443"),
        ("[fd00::/8]", "fd00::/8"),
        ("[::1]/udp", "::1/udp"),
        // Every set of addresses has one text.
        ("10.0.0.7/32", "10.0.0.7"),
        ("2001:db8::1/128", "2001:db8::1"),
        ("10.0.0.7-10.0.0.7", "10.0.0.7"),
        ("10.0.0.0-10.255.255.255", "10.0.0.0/8"),
        ("10.0.0.4-10.0.0.7", "10.0.0.4/30"),
        ("fd00::-fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "fd00::/8"),
        ("0.0.0.0-255.255.255.255", "0.0.0.0/0"),
        // v4-mapped IPv6 is IPv4.
        ("::ffff:10.0.0.7", "10.0.0.7"),
        ("::ffff:a00:7", "10.0.0.7"),
        ("[::ffff:10.0.0.7]:443", "10.0.0.7:443"),
        ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
        ("::ffff:0:0/96", "0.0.0.0/0"),
        ("::ffff:10.0.0.7/128", "10.0.0.7"),
        ("::ffff:10.0.0.5-::ffff:10.0.0.50", "10.0.0.5-10.0.0.50"),
        ("::ffff:10.0.0.5-10.0.0.50", "10.0.0.5-10.0.0.50"),
        // The unspecified address connects to this machine.
        ("0.0.0.0", "127.0.0.1"),
        ("::", "::1"),
        ("::ffff:0.0.0.0", "127.0.0.1"),
        ("[::]:80", "[::1]:80"),
        ("0.0.0.0:80", "127.0.0.1:80"),
        ("0.0.0.0/32", "127.0.0.1"),
        ("::/128", "::1"),
    ] {
        assert_eq!(shown(text), canonical, "{text}");
        assert_eq!(shown(canonical), canonical);
    }
}

#[test]
fn odd_addresses_say_what_they_mean() {
    for (text, meant) in [
        ("2130706433", "127.0.0.1"),
        ("0x7f.1", "127.0.0.1"),
        ("0x7f000001", "127.0.0.1"),
        ("0X7F.0.0.1", "127.0.0.1"),
        ("017700000001", "127.0.0.1"),
        ("127.1", "127.0.0.1"),
        ("010.0.0.1", "8.0.0.1"),
        ("1.2.3", "1.2.0.3"),
        ("192.168.1", "192.168.0.1"),
        ("0", "0.0.0.0"),
        ("127.000.000.001", "127.0.0.1"),
    ] {
        assert_refused(text, &["programs read it as", &format!("write {meant}")]);
        assert_refused(&format!("{text}:443/tcp"), &["programs read it as", meant]);
    }
    assert_refused("010.0.0.1", &["8.0.0.1", "or 10.0.0.1"]);
    assert_refused("443", &["@any:443"]);
    for text in [
        "256.1.1.1",
        "1.2.3.4.5",
        "1.2.3.09",
        "4294967296",
        "99999999999999999999",
        "1.2.3.4.",
        "example.0x",
        "foo.123",
        "1.2.3.-4",
        "1.2.3.4-",
    ] {
        assert!(text.parse::<Destination>().is_err(), "{text}");
    }
    assert_refused("256.1.1.1", &["no address", "four numbers"]);
    assert_refused("１２７.0.0.1", &["write"]);
    assert_refused(
        "２１３０７０６４３３",
        &["neither a host name nor a complete address"],
    );
    assert_refused("10/8", &["write 10.0.0.0/8"]);
    assert_refused("192.168/16", &["write 192.168.0.0/16"]);
    assert_refused("010.0.0.0/8", &["8.0.0.0/8"]);
}

#[test]
fn networks_and_ranges_say_what_to_write() {
    assert_refused(
        "10.0.0.1/8",
        &[
            "bits set after its prefix",
            "write 10.0.0.0/8",
            "10.0.0.1 for the one",
        ],
    );
    assert_refused("fd00::1/8", &["write fd00::/8"]);
    assert_refused("::ffff:10.0.0.1/104", &["write 10.0.0.0/8"]);
    assert_refused("10.0.0.0/33", &["0 to 32"]);
    assert_refused("10.0.0.0/08", &["0 to 32"]);
    assert_refused("10.0.0.0/999", &["0 to 32"]);
    assert_refused("fd00::/129", &["0 to 128"]);
    assert_refused(
        "10.0.0.0/255.0.0.0",
        &["write the prefix length: 10.0.0.0/8"],
    );
    assert_refused("10.0.0.0/", &["write"]);
    assert_refused("example.com/24", &["write"]);
    assert_refused("*.example.com/24", &["write"]);
    assert_refused(
        "10.0.0.50-10.0.0.5",
        &["backwards", "write 10.0.0.5-10.0.0.50"],
    );
    assert_refused("::2-::1", &["backwards", "write ::1-::2"]);
    assert_refused("10.0.0.5-50", &["write 10.0.0.5-10.0.0.50"]);
    assert_refused("10.0.0.5-::1", &["one IP version to the other"]);
    assert_refused("10.0.0.5-10.0.0.010", &["10.0.0.8"]);
    assert_refused("010.0.0.1-10.0.0.9", &["8.0.0.1"]);
    assert_refused("10.0.0.5-", &["write"]);
    assert_refused("fe80::1%eth0", &["scope", "write `fe80::1`"]);
    assert_refused("[fe80::1%2]:80", &["scope", "write `fe80::1`"]);
    assert_refused("10.0.0.1%eth0", &["write"]);
}

#[test]
fn names_say_what_to_write() {
    assert_refused("*", &["write @any"]);
    assert_refused("*.*", &["write @any"]);
    assert_refused("*:443", &["write @any"]);
    assert_refused("*.*.example.com", &["write `*.example.com`"]);
    assert_refused("foo.*", &["*.example.com"]);
    assert_refused("f*o.example", &["*.example.com"]);
    assert_refused("*example.com", &["*.example.com"]);
    assert_refused("10.0.0.*", &["10.0.0.0/8"]);
    assert_refused("*.1.2.3", &["write"]);
    assert_refused("*.", &["empty"]);
    assert_refused(".example.com", &["empty part"]);
    assert_refused("a..example", &["empty part"]);
    assert_refused("example.com..", &["empty part"]);
    assert_refused("exa$mple.com", &["`$`"]);
    assert_refused(&format!("{}.example", "a".repeat(64)), &["at most 63"]);
    assert_refused(&"abcdefg.".repeat(40), &["at most 253"]);
    assert_refused("xn--a.example", &["xn--"]);
}

#[test]
fn a_forgotten_at_sign_is_no_machine() {
    for word in ["lan", "any", "local", "internet", "loopback", "multicast"] {
        assert_refused(word, &[&format!("write @{word}"), &format!("`{word}.`")]);
        assert_refused(&format!("{word}:443"), &[&format!("write @{word}")]);
        assert_eq!(shown(&format!("{word}.:443")), format!("{word}.:443"));
    }
    assert_eq!(shown("dns"), "dns");
}

#[test]
fn pasted_text_says_what_to_write() {
    for (text, remedy) in [
        ("https://example.com/", "write `example.com:443`"),
        ("http://example.com/a/b?c#d", "write `example.com:80`"),
        (
            "https://user:pw@example.com:8443/x",
            "write `example.com:8443`",
        ),
        ("https://[2001:db8::1]/", "write `[2001:db8::1]:443`"),
        ("https://[2001:db8::1]:8443/", "write `[2001:db8::1]:8443`"),
        ("ssh://git@example.com/x.git", "write `example.com:22`"),
        ("foo://example.com", "write `example.com`"),
        ("https://", "example.com:443"),
        ("https://127.1/", "example.com:443"),
        ("user@example.com", "write `example.com`"),
        ("example.com/index.html", "write `example.com`"),
        ("example.com/a/b", "write `example.com`"),
        ("example.com/", "write `example.com`"),
        ("example.com:443/", "write `example.com:443`"),
        ("/run/x.sock", "write `unix:/run/x.sock`"),
        (" example.com", "write `example.com`"),
        ("example.com\n", "write `example.com`"),
        ("a.example, b.example", "one destination at a time"),
        ("a.example b.example", "one destination at a time"),
        ("a.example,b.example", "one destination at a time"),
        ("a.example:80,b.example:80", "one destination at a time"),
        ("", "@any"),
        (":443", "write `@any:443`"),
        ("/tcp", "write @any/tcp"),
        ("[10.0.0.1]:80", "write `10.0.0.1:80`"),
        ("[example.com]:80", "write `example.com:80`"),
        ("[::1", "[2001:db8::1]:443"),
        ("[::1]80", "[fd00::/8]:443"),
        ("[fd00::]/8", "[fd00::/8]:443"),
        ("example.com:80:90", "[2001:db8::1]:443"),
        ("1:2:3:4:5:6:7:8:443", "write `[1:2:3:4:5:6:7:8]:443`"),
    ] {
        assert_refused(text, &[remedy]);
    }
    assert_refused("exa\u{200b}mple.com", &["invisible", "\\u{200b}"]);
    assert_refused("example.com\0", &["control"]);
    assert_refused(&"x".repeat(5000), &["at most"]);
}

#[test]
fn suffixes_say_what_to_write() {
    assert_refused("example.com:", &["a port is missing"]);
    assert_refused("example.com:https", &["no number"]);
    assert_refused("example.com:0", &["no port"]);
    assert_refused("example.com:65536", &["65535"]);
    assert_refused("example.com:90-80", &["write 80-90"]);
    assert_refused("example.com:*", &["every port"]);
    assert_refused("example.com/sctp", &["/tcp, /udp, /icmp or /raw"]);
    assert_refused("example.com:80/icmp", &["no ports"]);
    assert_refused("10.0.0.0/8:80/raw", &["no ports"]);
    assert_refused("@dns:53", &["write @dns"]);
    assert_refused("@dns/icmp", &["write @dns"]);
    assert_refused("@raw/udp", &["write @raw"]);
    assert_refused("@broker:80", &["write @broker"]);
    assert_refused("@desktop/tcp", &["write @desktop"]);
    assert_refused("@LAN", &["write @lan"]);
    assert_refused("@wan", &["@internet", "@raw"]);
    assert_refused("@", &["@internet"]);
    assert_refused("unix:", &["absolute path"]);
    assert_refused("unix:run/x", &["absolute path"]);
    assert_refused("unix:/", &["absolute path"]);
    assert_refused("unix:/run//x", &["//"]);
    assert_refused("unix:/run/../x", &[".."]);
    assert_refused("unix:/run/x/", &["at its end"]);
    assert_refused("unix:@", &["abstract"]);
    assert_refused("unix:/run/*", &["@broker"]);
    assert_refused(&format!("unix:/{}", "x".repeat(1000)), &["108 bytes"]);
}
