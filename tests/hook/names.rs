//! Look-ups are told to the session before the program has their result.

use crate::fixture::Fixture;
use crate::session::Session;
use hallpass_wire::{Address, Request};

const LOOKUPS: [&str; 5] = [
    "getaddrinfo",
    "gethostbyname",
    "gethostbyname2",
    "gethostbyname_r",
    "gethostbyname2_r",
];

/// Names and addresses as they were told.
fn told(session: &Session) -> Vec<(String, Vec<Address>)> {
    let report = |seen: crate::session::Seen| match seen.request {
        Request::Names(report) => (report.name().to_owned(), report.addresses().to_vec()),
        other => panic!("{other:?}"),
    };
    session.seen().into_iter().map(report).collect()
}

#[test]
fn every_look_up_is_told() {
    for how in LOOKUPS {
        let session = Session::allowing();
        Fixture::new("lookup")
            .arg(how)
            .arg("localhost")
            .hooked(&session);
        let told = told(&session);
        // Before it is made, and with what it gave.
        assert_eq!(told[0], ("localhost".to_owned(), Vec::new()), "{how}");
        let [(name, addresses)] = &told[1..] else {
            panic!("{how}: {told:?}")
        };
        assert_eq!(name, "localhost", "{how}");
        assert!(
            addresses.contains(&Address::V4([127, 0, 0, 1])),
            "{how}: {addresses:?}"
        );
        // Three socket types, one address each.
        assert!(addresses.len() <= 2, "{how}: {addresses:?}");
    }
}

#[test]
fn numbers_are_not_and_failures_only_before() {
    for how in LOOKUPS {
        let session = Session::allowing();
        let fixture = Fixture::new("lookup")
            .arg(how)
            .arg("127.0.0.1")
            .arg("127.1")
            .arg("0x7f.1");
        fixture.arg("no-such-name.invalid").hooked(&session);
        let asked = ("no-such-name.invalid".to_owned(), Vec::new());
        assert_eq!(told(&session), [asked], "{how}");
    }
    let session = Session::allowing();
    Fixture::new("lookup")
        .arg("getaddrinfo")
        .arg("::1")
        .hooked(&session);
    assert_eq!(told(&session), []);
}

#[test]
fn a_look_up_gives_what_it_gives_bare() {
    for how in LOOKUPS {
        Fixture::new("lookup")
            .arg(how)
            .arg("localhost")
            .arg("127.0.0.1")
            .same();
    }
}

#[test]
fn without_a_session_names_are_still_looked_up() {
    let mut session = Session::allowing();
    let bare = Fixture::new("lookup")
        .arg("getaddrinfo")
        .arg("localhost")
        .bare();
    session.name = crate::session::new_name(std::process::id());
    let alone = Fixture::new("lookup")
        .arg("getaddrinfo")
        .arg("localhost")
        .hooked(&session);
    assert_eq!(alone.stdout, bare.stdout);
}

/// With a guard they are told by a call that is EBADF to whoever does not look.
#[test]
fn with_a_guard_look_ups_are_what_they_are_bare() {
    let name = crate::session::new_name(std::process::id());
    for how in LOOKUPS {
        let fixture = Fixture::new("lookup")
            .arg(how)
            .arg("localhost")
            .arg("127.0.0.1")
            .arg("no-such-name.invalid");
        let guarded = crate::fixture::run(fixture.hooked_command_with(&format!("{name};guard=on")));
        assert_eq!(guarded.stdout, fixture.bare().stdout, "{how}");
    }
}
