//! The bytes of every kind of frame. A change here is a new `VERSION` (docs/wire.md).

use hallpass_wire::{
    Address, Ask, Call, Keep, NameReport, Nested, Note, Part, Protocol, REPLY_LEN, REQUEST_LEN,
    Refused, Reply, Request, image, stamp,
};

/// A request frame from its first bytes; the rest is zero.
fn request(head: &[u8]) -> [u8; REQUEST_LEN] {
    let mut frame = [0; REQUEST_LEN];
    frame[..head.len()].copy_from_slice(head);
    frame
}

fn both_ways(request: &Request, bytes: &[u8; REQUEST_LEN]) {
    assert_eq!(request.encode(), *bytes);
    assert_eq!(Request::decode(bytes).as_ref(), Ok(request));
}

#[test]
fn lengths() {
    assert_eq!((REQUEST_LEN, REPLY_LEN), (1048, 24));
}

#[test]
fn ask_v4() {
    let ask = Ask {
        call: Call::Connect,
        protocol: Protocol::Tcp,
        address: Address::V4([127, 0, 0, 1]),
        port: 0x1234,
        resumed: false,
    };
    both_ways(
        &Request::Ask(ask),
        &request(b"hpRQ\x04\0\x01\0\x01\x01\0\0\x34\x12\0\0\x04\0\0\0\0\0\0\0\x7f\0\0\x01"),
    );
}

#[test]
fn ask_v6_resumed() {
    let mut octets = [0; 16];
    octets[0] = 0xfe;
    octets[1] = 0x80;
    octets[15] = 7;
    let ask = Ask {
        call: Call::SendMmsg,
        protocol: Protocol::Udp,
        address: Address::V6 {
            octets,
            scope_id: 0x0102_0304,
        },
        port: 53,
        resumed: true,
    };
    both_ways(
        &Request::Ask(ask),
        &request(
            b"hpRQ\x04\0\x01\0\x04\x02\x01\0\x35\0\0\0\x06\0\0\0\x04\x03\x02\x01\
              \xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\x07",
        ),
    );
}

#[test]
fn every_call_and_protocol_has_its_number() {
    for (call, number) in [
        (Call::Connect, 1),
        (Call::SendTo, 2),
        (Call::SendMsg, 3),
        (Call::SendMmsg, 4),
    ] {
        let refused = Refused {
            call,
            socket_family: 17,
            address_family: 0x0203,
        };
        both_ways(
            &Request::Refused(refused),
            &request(&[b'h', b'p', b'R', b'Q', 4, 0, 3, 0, number, 0, 17, 0, 3, 2]),
        );
    }
    for (protocol, number) in [
        (Protocol::Tcp, 1),
        (Protocol::Udp, 2),
        (Protocol::Icmp, 3),
        (Protocol::Raw, 4),
    ] {
        let ask = Ask {
            call: Call::SendTo,
            protocol,
            address: Address::V4([0; 4]),
            port: 0,
            resumed: false,
        };
        both_ways(
            &Request::Ask(ask),
            &request(&[
                b'h', b'p', b'R', b'Q', 4, 0, 1, 0, 2, number, 0, 0, 0, 0, 0, 0, 4,
            ]),
        );
    }
}

#[test]
fn names() {
    let mut report = NameReport::new(b"A.test").unwrap();
    assert!(report.push(Address::V4([10, 0, 0, 7])));
    assert!(report.push(Address::V6 {
        octets: [0xfd; 16],
        scope_id: 0
    }));
    let mut bytes = request(b"hpRQ\x04\0\x02\0\x06\x02\0\0\0\0\0\0A.test");
    let at = 8 + 8 + 256;
    bytes[at] = 4;
    bytes[at + 8..at + 12].copy_from_slice(&[10, 0, 0, 7]);
    bytes[at + 24] = 6;
    bytes[at + 32..at + 48].copy_from_slice(&[0xfd; 16]);
    both_ways(&Request::Names(report.clone()), &bytes);
    report.set_purpose(0x1234, Some(Protocol::Udp));
    bytes[10..13].copy_from_slice(&[0x34, 0x12, 2]);
    both_ways(&Request::Names(report), &bytes);
}

#[test]
fn a_stamp_stands_at_the_end_and_changes_nothing_else() {
    let plain = Ask {
        call: Call::Connect,
        protocol: Protocol::Tcp,
        address: Address::V4([10, 0, 0, 7]),
        port: 80,
        resumed: false,
    }
    .encode();
    assert_eq!(image(&plain), 0);
    let mut stamped = plain;
    stamp(&mut stamped, 0x0102_0304_0506_0708);
    assert_eq!(stamped[..1040], plain[..1040]);
    assert_eq!(stamped[1040..], [8, 7, 6, 5, 4, 3, 2, 1]);
    assert_eq!(image(&stamped), 0x0102_0304_0506_0708);
    assert_eq!(Request::decode(&stamped), Request::decode(&plain));
}

#[test]
fn replies() {
    let frames: [(Reply, &[u8; REPLY_LEN]); 4] = [
        (
            Reply::Held,
            b"hpRP\x04\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
        ),
        (
            Reply::Noted,
            b"hpRP\x04\0\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
        ),
        (
            Reply::Verdict {
                allow: false,
                reason: 9,
                keep: None,
            },
            b"hpRP\x04\0\x03\0\x09\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
        ),
        (
            Reply::Verdict {
                allow: true,
                reason: 0,
                keep: Some(Keep {
                    generation: 0x0102_0304_0506_0708,
                    counter: 0x0a0b_0c0d,
                }),
            },
            b"hpRP\x04\0\x03\x01\0\0\0\0\x0d\x0c\x0b\x0a\x08\x07\x06\x05\x04\x03\x02\x01",
        ),
    ];
    for (reply, bytes) in frames {
        assert_eq!(reply.encode(), *bytes);
        assert_eq!(Reply::decode(bytes), Ok(reply));
    }
}

#[test]
fn nested() {
    let part = Nested::Part(Part::new(b"{}").unwrap());
    for (nested, body) in [
        (Nested::Hello, &b"\x01\0\0\0"[..]),
        (part, b"\x02\0\x02\0{}"),
        (Nested::Join(0x0102), b"\x03\0\x04\0\x02\x01\0\0"),
        (Nested::Marked, b"\x04\0\0\0"),
        (Nested::Left, b"\x05\0\0\0"),
        (Nested::Refused(3), b"\x06\0\x08\0\x03\0\0\0\0\0\0\0"),
        (Nested::Allowed(3), b"\x07\0\x08\0\x03\0\0\0\0\0\0\0"),
    ] {
        let frame = [&b"hpRQ\x04\0\x04\0"[..], body].concat();
        both_ways(&Request::Nested(nested), &request(&frame));
        let note = [&b"hpNT\x04\0\x05\0"[..], body].concat();
        let encoded = Note::Nested(nested).encode();
        assert_eq!(encoded.as_bytes(), note);
        assert_eq!(Note::decode(&note), Ok(Note::Nested(nested)));
    }
}

#[test]
fn started() {
    both_ways(&Request::Started, &request(b"hpRQ\x04\0\x05\0"));
}
