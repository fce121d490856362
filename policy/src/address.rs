//! Addresses: one canonical value for each, and what the odd spellings of old would mean.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The one value an address is compared by: a v4-mapped IPv6 address is its IPv4 address, and
/// the unspecified address is the loopback address that Linux connects it to.
pub(crate) fn canonical(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        address => address,
    }
}

/// What inet_aton(3) takes text for: one to four numbers, each decimal, octal (leading 0) or
/// hexadecimal (leading 0x), the last filling all bytes that are left.
pub(crate) fn inet_aton(text: &str) -> Option<Ipv4Addr> {
    let mut numbers = [0u32; 4];
    let mut count = 0usize;
    for part in text.split('.') {
        *numbers.get_mut(count)? = number(part)?;
        count += 1;
    }
    let (last, leading) = numbers.get(..count)?.split_last()?;
    let mut value = 0u32;
    for (position, byte) in leading.iter().enumerate() {
        let byte = u8::try_from(*byte).ok()?;
        value |= u32::from(byte) << (24 - 8 * position);
    }
    let room = 32 - 8 * leading.len();
    if room < 32 && *last >= 1 << room {
        return None;
    }
    Some(Ipv4Addr::from(value | last))
}

fn number(text: &str) -> Option<u32> {
    let (digits, radix) = match text.as_bytes() {
        [b'0', b'x' | b'X', ..] => (text.get(2..)?, 16),
        [b'0', _, ..] => (text.get(1..)?, 8),
        _ => (text, 10),
    };
    // from_str_radix takes a sign; inet_aton does not.
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    u32::from_str_radix(digits, radix).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_spellings_mean_what_inet_aton_says() {
        for (text, address) in [
            ("2130706433", "127.0.0.1"),
            ("0x7f.1", "127.0.0.1"),
            ("0x7f000001", "127.0.0.1"),
            ("017700000001", "127.0.0.1"),
            ("127.1", "127.0.0.1"),
            ("010.0.0.1", "8.0.0.1"),
            ("1.2.3", "1.2.0.3"),
            ("1.65535", "1.0.255.255"),
            ("443", "0.0.1.187"),
            ("4294967295", "255.255.255.255"),
            ("0", "0.0.0.0"),
        ] {
            assert_eq!(inet_aton(text), Some(address.parse().unwrap()), "{text}");
        }
        for text in [
            "",
            ".",
            "1.",
            "256.1.1.1",
            "1.2.3.256",
            "1.2.3.4.5",
            "4294967296",
            "09",
            "0x",
            "+1",
            "-1",
            "1.16777216",
            "0x1g",
            "a.b",
        ] {
            assert_eq!(inet_aton(text), None, "{text}");
        }
    }

    #[test]
    fn every_spelling_of_an_address_is_one_value() {
        let one = |text: &str| canonical(text.parse().unwrap()).to_string();
        assert_eq!(one("::ffff:10.0.0.1"), "10.0.0.1");
        assert_eq!(one("::ffff:0.0.0.0"), "127.0.0.1");
        assert_eq!(one("0.0.0.0"), "127.0.0.1");
        assert_eq!(one("::"), "::1");
        assert_eq!(one("::10.0.0.1"), "::a00:1");
    }
}
