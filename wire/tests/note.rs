//! Notes under a guard: their bytes, and bytes that are none.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use hallpass_wire::{
    Address, DecodeError, MAX_ADDRESSES, MAX_NAME, MAX_NOTE, NameReport, Note, NoteBytes, Protocol,
};

fn report() -> NameReport {
    let mut report = NameReport::new(b"A.test").unwrap();
    assert!(report.push(Address::V4([10, 0, 0, 7])));
    report.set_purpose(0x1234, Some(Protocol::Udp));
    report
}

fn both_ways(note: &Note<'_>, bytes: &[u8]) {
    assert_eq!(note.encode().as_bytes(), bytes);
    assert_eq!(Note::decode(bytes).as_ref(), Ok(note));
}

#[test]
fn golden_bytes() {
    both_ways(&Note::Left, b"hpNT\x04\0\x03\0");
    both_ways(&Note::Started, b"hpNT\x04\0\x06\0");
    both_ways(
        &Note::Unprivileged(b"/bin/x"),
        b"hpNT\x04\0\x04\0\x06\0/bin/x",
    );
    both_ways(&Note::Entered(""), b"hpNT\x04\0\x01\0\0\0");
    both_ways(&Note::Entered("a.test"), b"hpNT\x04\0\x01\0\x06\0a.test");
    both_ways(
        &Note::Found(report()),
        b"hpNT\x04\0\x02\0\x06\x01\x34\x12\x02\0A.test\x04\0\0\0\0\0\0\0\x0a\0\0\x07\0\0\0\0\0\0\0\0\0\0\0\0",
    );
}

#[test]
fn the_longest_note_fits() {
    let mut report = NameReport::new(&[b'a'; MAX_NAME]).unwrap();
    for last in 0..MAX_ADDRESSES {
        assert!(report.push(Address::V4([10, 0, 0, u8::try_from(last).unwrap()])));
    }
    let note = Note::Found(report);
    assert_eq!(note.encode().as_bytes().len(), MAX_NOTE);
    assert_eq!(Note::decode(note.encode().as_bytes()), Ok(note));
}

#[test]
fn a_name_that_no_host_has_is_left_out() {
    for name in [&b""[..], b"a\nb", b"\xff", &[b'a'; MAX_NAME + 1]] {
        let bytes = NoteBytes::entered(name);
        assert_eq!(Note::decode(bytes.as_bytes()), Ok(Note::Entered("")));
    }
}

#[test]
fn paths_are_bounded() {
    assert!(NoteBytes::unprivileged(&[b'a'; 255]).is_some());
    assert!(
        NoteBytes::unprivileged(&[b'a'; 256]).is_none() && NoteBytes::unprivileged(b"").is_none()
    );
    for bytes in [&b"hpNT\x04\0\x04\0\0\0"[..], b"hpNT\x04\0\x04\0\x02\0a\0"] {
        assert_eq!(Note::decode(bytes), Err(DecodeError::Field("path")));
    }
}

#[test]
fn bytes_that_are_no_note() {
    let note = Note::Found(report()).encode();
    let good = note.as_bytes();
    for len in 0..good.len() {
        assert!(Note::decode(&good[..len]).is_err(), "{len} bytes");
    }
    let longer = [good, b"\0"].concat();
    assert_eq!(Note::decode(&longer), Err(DecodeError::Field("length")));
    assert_eq!(
        Note::decode(&[0; MAX_NOTE + 1]),
        Err(DecodeError::Field("length"))
    );
    let spoilt = |at: usize, byte| {
        let mut bytes = good.to_vec();
        bytes[at] = byte;
        Note::decode(&bytes).map(|_| ())
    };
    assert_eq!(spoilt(0, b'H'), Err(DecodeError::Magic));
    assert_eq!(spoilt(4, 2), Err(DecodeError::Version(2)));
    assert_eq!(spoilt(6, 0), Err(DecodeError::Kind(0)));
    assert_eq!(spoilt(6, 7), Err(DecodeError::Kind(7)));
    assert_eq!(spoilt(7, 1), Err(DecodeError::Padding));
    assert_eq!(spoilt(8, 0), Err(DecodeError::Name));
    assert_eq!(spoilt(9, 33), Err(DecodeError::Field("count")));
    assert_eq!(spoilt(9, 2), Err(DecodeError::Field("length")));
    assert_eq!(spoilt(12, 9), Err(DecodeError::Field("protocol")));
    assert_eq!(spoilt(13, 1), Err(DecodeError::Padding));
    assert_eq!(spoilt(14, 0x1b), Err(DecodeError::Name));
    assert_eq!(spoilt(20, 5), Err(DecodeError::Field("family")));
}

#[test]
fn nested_bodies_that_are_none() {
    let body = |body: &[u8]| Note::decode(&[b"hpNT\x04\0\x05\0", body].concat()).map(|_| ());
    let field = Err(DecodeError::Field("length"));
    assert_eq!(body(b""), field);
    assert_eq!(body(b"\0\0\0\0"), Err(DecodeError::Kind(0)));
    assert_eq!(body(b"\x08\0\0\0"), Err(DecodeError::Kind(8)));
    assert_eq!(body(b"\x01\x01\0\0"), Err(DecodeError::Padding));
    assert_eq!(body(b"\x01\0\x01\0x"), field);
    assert_eq!(body(b"\x01\0\0\0x"), field);
    assert_eq!(body(b"\x02\0\0\0"), field, "no bytes");
    assert_eq!(body(b"\x02\0\x02\0x"), field, "too few");
    assert_eq!(
        body(&[&b"\x02\0\xe9\x03"[..], &[b'x'; 1001]].concat()),
        field,
        "too many"
    );
    assert_eq!(body(b"\x03\0\x03\0\0\0\0"), field);
    assert_eq!(body(b"\x06\0\x04\0\0\0\0\0"), field);
}

/// A sockaddr begins with its family, which is below AF_MAX (46 in Linux 6.18).
#[test]
fn no_address_is_taken_for_a_note() {
    assert!(u16::from_ne_bytes(*b"hp") > 46);
}
