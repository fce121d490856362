//! Decoding and encoding are inverse, and no bytes make a decoder panic.
#![allow(clippy::unwrap_used, reason = "strategies of tests")]

use hallpass_wire::{
    Address, Ask, Call, GuardMode, Keep, MAX_ADDRESSES, MAX_PART, MAX_VARIABLE, NameReport, Nested,
    Part, Protocol, REPLY_LEN, REQUEST_LEN, Refused, Reply, Request, SUN_PATH_LEN, SessionName,
    Variable, abstract_ask_name,
};
use proptest::collection::vec;

use proptest::prelude::*;

fn address() -> impl Strategy<Value = Address> {
    prop_oneof![
        any::<[u8; 4]>().prop_map(Address::V4),
        (any::<[u8; 16]>(), any::<u32>()).prop_map(|(octets, scope)| Address::v6(octets, scope)),
    ]
}

fn guard() -> impl Strategy<Value = GuardMode> {
    prop_oneof![
        Just(GuardMode::Off),
        Just(GuardMode::On),
        Just(GuardMode::OnDumpable)
    ]
}

fn call() -> impl Strategy<Value = Call> {
    prop_oneof![
        Just(Call::Connect),
        Just(Call::SendTo),
        Just(Call::SendMsg),
        Just(Call::SendMmsg)
    ]
}

fn protocol() -> impl Strategy<Value = Protocol> {
    prop_oneof![
        Just(Protocol::Tcp),
        Just(Protocol::Udp),
        Just(Protocol::Icmp),
        Just(Protocol::Raw)
    ]
}

fn request() -> impl Strategy<Value = Request> {
    let ask = (call(), protocol(), address(), any::<u16>(), any::<bool>()).prop_map(
        |(call, protocol, address, port, resumed)| {
            Request::Ask(Ask {
                call,
                protocol,
                address,
                port,
                resumed,
            })
        },
    );
    let names = (
        "[^\\p{Cc}]{1,60}",
        vec(address(), 0..=MAX_ADDRESSES),
        any::<u16>(),
        proptest::option::of(protocol()),
    )
        .prop_map(|(name, addresses, port, protocol)| {
            let mut report = NameReport::new(name.as_bytes()).unwrap();
            report.set_purpose(port, protocol);
            for address in addresses {
                assert!(report.push(address));
            }
            assert_eq!(report.name(), name);
            Request::Names(report)
        });
    let refused =
        (call(), any::<u16>(), any::<u16>()).prop_map(|(call, socket_family, address_family)| {
            Request::Refused(Refused {
                call,
                socket_family,
                address_family,
            })
        });
    let nested = prop_oneof![
        vec(any::<u8>(), 1..=MAX_PART).prop_map(|it| Nested::Part(Part::new(&it).unwrap())),
        any::<u32>().prop_map(Nested::Join),
        any::<u64>().prop_map(Nested::Refused),
    ]
    .prop_map(Request::Nested);
    prop_oneof![ask, names, refused, nested, Just(Request::Started)]
}

fn reply() -> impl Strategy<Value = Reply> {
    prop_oneof![
        Just(Reply::Held),
        Just(Reply::Noted),
        (any::<bool>(), any::<u8>(), keep()).prop_map(|(allow, reason, keep)| Reply::Verdict {
            allow,
            reason,
            keep,
        })
    ]
}

fn keep() -> impl Strategy<Value = Option<Keep>> {
    let keep = (1..=u64::MAX, any::<u32>()).prop_map(|(generation, counter)| Keep {
        generation,
        counter,
    });
    prop::option::of(keep)
}

fn session() -> impl Strategy<Value = SessionName> {
    (1..=i32::MAX as u32, any::<u32>()).prop_map(|(pid, nonce)| SessionName { pid, nonce })
}

proptest! {
    #[test]
    fn requests_come_back(request in request()) {
        prop_assert_eq!(Request::decode(&request.encode()), Ok(request));
    }

    #[test]
    fn replies_come_back(reply in reply()) {
        prop_assert_eq!(Reply::decode(&reply.encode()), Ok(reply));
    }

    #[test]
    fn one_spelling_each(request in request(), at in 0..REQUEST_LEN - 8, byte in any::<u8>()) {
        let mut frame = request.encode();
        frame[at] = byte;
        if let Ok(decoded) = Request::decode(&frame) {
            prop_assert_eq!(decoded.encode(), frame);
        }
    }

    #[test]
    fn arbitrary_requests_do_not_panic(bytes in vec(any::<u8>(), REQUEST_LEN), kind in 0_u8..6) {
        let mut frame: [u8; REQUEST_LEN] = bytes.try_into().unwrap();
        let _ = Request::decode(&frame);
        // Past the header as well.
        frame[..8].copy_from_slice(&[b'h', b'p', b'R', b'Q', 3, 0, kind, 0]);
        let _ = Request::decode(&frame);
    }

    #[test]
    fn arbitrary_replies_do_not_panic(mut frame in any::<[u8; REPLY_LEN]>()) {
        let _ = Reply::decode(&frame);
        frame[..6].copy_from_slice(b"hpRP\x04\0");
        if let Ok(reply) = Reply::decode(&frame) {
            prop_assert_eq!(reply.encode(), frame);
        }
    }

    #[test]
    fn variables_come_back(session in session(), guard in guard(), dir in proptest::option::of("/[ -~]{0,102}")) {
        let variable = Variable { session, guard, dir: dir.as_ref().map(String::as_bytes) };
        let text = variable.encode().unwrap();
        prop_assert!(text.as_bytes().len() <= MAX_VARIABLE);
        prop_assert_eq!(Variable::parse(text.as_bytes()), Ok(variable));
    }

    #[test]
    fn arbitrary_variables_have_one_spelling(value in "[0-9]{1,10}-[0-9a-f]{8};guard=(on|off|on,dumpable|)(;dir=/?.{0,8})?|.{0,80}") {
        if let Ok(variable) = Variable::parse(value.as_bytes()) {
            let text = variable.encode().unwrap();
            prop_assert_eq!(text.as_bytes(), value.as_bytes());
        }
    }

    #[test]
    fn session_names_come_back(session in session()) {
        let text = session.to_string();
        prop_assert_eq!(SessionName::parse(text.as_bytes()), Some(session));
        let mut sun_path = [0xff; SUN_PATH_LEN];
        let len = abstract_ask_name(session, &mut sun_path);
        let expected = format!("\0hallpass/{text}/ask");
        prop_assert_eq!(&sun_path[..len], expected.as_bytes());
        prop_assert!(sun_path[len..].iter().all(|byte| *byte == 0));
    }
}
