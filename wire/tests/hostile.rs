//! Bytes that are no frame, each refused for its own reason.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use hallpass_wire::{
    Address, Ask, Call, DecodeError, MAX_ADDRESSES, MAX_NAME, NameReport, Protocol, REPLY_LEN,
    REQUEST_LEN, Reply, Request,
};

const ADDRESSES_AT: usize = 8 + 8 + MAX_NAME + 1;

fn ask() -> [u8; REQUEST_LEN] {
    let ask = Ask {
        call: Call::Connect,
        protocol: Protocol::Tcp,
        address: Address::V4([192, 0, 2, 1]),
        port: 80,
        resumed: false,
    };
    Request::Ask(ask).encode()
}

fn names() -> [u8; REQUEST_LEN] {
    let mut report = NameReport::new(b"host.test").unwrap();
    report.push(Address::V4([192, 0, 2, 1]));
    Request::Names(report).encode()
}

fn spoilt(mut frame: [u8; REQUEST_LEN], at: usize, byte: u8) -> DecodeError {
    frame[at] = byte;
    Request::decode(&frame).unwrap_err()
}

#[test]
fn header() {
    assert_eq!(Request::decode(&[0; REQUEST_LEN]), Err(DecodeError::Magic));
    assert_eq!(spoilt(ask(), 0, b'H'), DecodeError::Magic);
    assert_eq!(spoilt(ask(), 4, 2), DecodeError::Version(2));
    assert_eq!(spoilt(ask(), 5, 1), DecodeError::Version(0x0104));
    assert_eq!(spoilt(ask(), 6, 0), DecodeError::Kind(0));
    assert_eq!(spoilt(ask(), 6, 6), DecodeError::Kind(6));
    assert_eq!(spoilt(ask(), 7, 1), DecodeError::Padding);
}

#[test]
fn fields_of_an_ask() {
    for (at, field) in [(8, "call"), (9, "protocol"), (10, "flags"), (16, "family")] {
        assert_eq!(
            spoilt(ask(), at, 0xff),
            DecodeError::Field(field),
            "byte {at}"
        );
    }
    // A flag nobody has defined yet is not ignored.
    assert_eq!(spoilt(ask(), 10, 2), DecodeError::Field("flags"));
}

#[test]
fn what_a_look_up_is_for() {
    let frame = |at: usize, byte| {
        let mut frame = names();
        frame[at] = byte;
        match Request::decode(&frame) {
            Ok(Request::Names(report)) => Ok((report.port(), report.protocol())),
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err(error),
        }
    };
    assert_eq!(frame(11, 1), Ok((256, None)));
    assert_eq!(frame(12, 2), Ok((0, Some(Protocol::Udp))));
    assert_eq!(frame(12, 9), Err(DecodeError::Field("protocol")));
}

/// The last eight bytes may be anything.
const STAMP_AT: usize = REQUEST_LEN - 8;

#[test]
fn every_byte_without_a_meaning_is_zero() {
    for at in [11, 14, 15].into_iter().chain(17..24).chain(28..STAMP_AT) {
        assert_eq!(spoilt(ask(), at, 1), DecodeError::Padding, "byte {at}");
    }
    let unused_name = 16 + "host.test".len()..ADDRESSES_AT;
    for at in (13..16)
        .chain(unused_name)
        .chain(ADDRESSES_AT + 12..STAMP_AT)
    {
        assert_eq!(spoilt(names(), at, 1), DecodeError::Padding, "byte {at}");
    }
}

#[test]
fn lengths_beyond_their_bounds() {
    assert_eq!(spoilt(names(), 8, 0), DecodeError::Padding);
    assert_eq!(spoilt(names(), 8, 255), DecodeError::Name); // zeros inside the name
    assert_eq!(spoilt(names(), 9, 33), DecodeError::Field("count"));
    assert_eq!(spoilt(names(), 9, 2), DecodeError::Field("family"));
    assert_eq!(spoilt(names(), 9, 0), DecodeError::Padding);
}

#[test]
fn names_that_are_none() {
    for name in [
        &b""[..],
        b"a\nb",
        b"a\x1b[31m",
        b"a\x7f",
        b"a\0b",
        "a\u{85}b".as_bytes(),
        b"\xff",
    ] {
        assert_eq!(NameReport::new(name), Err(DecodeError::Name), "{name:?}");
    }
    assert_eq!(
        NameReport::new(&[b'a'; MAX_NAME + 1]),
        Err(DecodeError::Name)
    );
    assert_eq!(
        NameReport::new(&[b'a'; MAX_NAME]).unwrap().name().len(),
        MAX_NAME
    );
    assert_eq!(spoilt(names(), 16, 0x1b), DecodeError::Name);
}

#[test]
fn a_mapped_address_is_its_ipv4_address() {
    let mut octets = [0; 16];
    octets[10] = 0xff;
    octets[11] = 0xff;
    octets[15] = 1;
    assert_eq!(Address::v6(octets, 3), Address::V4([0, 0, 0, 1]));
    let mut frame = ask();
    frame[16..40].fill(0);
    frame[16] = 6;
    frame[24..40].copy_from_slice(&octets);
    assert_eq!(Request::decode(&frame), Err(DecodeError::Field("address")));
}

#[test]
fn addresses_beyond_the_bound_are_left_out() {
    let mut report = NameReport::new(b"host.test").unwrap();
    for last in 0..MAX_ADDRESSES {
        assert!(report.push(Address::V4([10, 0, 0, last as u8])));
    }
    assert!(!report.push(Address::V4([10, 0, 1, 0])));
    assert_eq!(report.addresses().len(), MAX_ADDRESSES);
    assert_eq!(report.addresses()[31], Address::V4([10, 0, 0, 31]));
    report.clear();
    assert_eq!(report.addresses(), []);
}

#[test]
fn replies() {
    let verdict = Reply::Verdict {
        allow: true,
        reason: 1,
        keep: None,
    }
    .encode();
    let spoilt = |at: usize, byte: u8| {
        let mut frame: [u8; REPLY_LEN] = verdict;
        frame[at] = byte;
        Reply::decode(&frame).unwrap_err()
    };
    assert_eq!(spoilt(3, b'Q'), DecodeError::Magic);
    assert_eq!(spoilt(4, 0), DecodeError::Version(0));
    assert_eq!(spoilt(6, 4), DecodeError::Kind(4));
    assert_eq!(spoilt(7, 2), DecodeError::Field("allow"));
    for at in 9..12 {
        assert_eq!(spoilt(at, 1), DecodeError::Padding, "byte {at}");
    }
    // A counter without a generation: leave to keep the verdict for ever, or none?
    for at in 12..16 {
        assert_eq!(spoilt(at, 1), DecodeError::Field("counter"), "byte {at}");
    }
    // A keep-alive that says "allow" is no keep-alive.
    assert_eq!(spoilt(6, 1), DecodeError::Padding);
}
