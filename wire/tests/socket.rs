//! What passes, what is decided, what is refused: by socket and by address.

use hallpass_wire::{Address, Ask, Bypass, Call, Path, Protocol, Socket};

const INET: u16 = 2;
const INET6: u16 = 10;
const STREAM: u32 = 1;
const DGRAM: u32 = 2;
const RAW: u32 = 3;

fn socket(domain: u16, kind: u32, protocol: u32) -> Socket {
    Socket {
        domain,
        kind,
        protocol,
        own_header: false,
    }
}

fn v4(family: u16, port: u16, octets: [u8; 4]) -> Vec<u8> {
    let mut bytes = family.to_ne_bytes().to_vec();
    bytes.extend(port.to_be_bytes());
    bytes.extend(octets);
    bytes.extend([0; 8]);
    bytes
}

fn v6(family: u16, port: u16, octets: [u8; 16], scope: u32) -> Vec<u8> {
    let mut bytes = family.to_ne_bytes().to_vec();
    bytes.extend(port.to_be_bytes());
    bytes.extend([9, 9, 9, 9]);
    bytes.extend(octets);
    bytes.extend(scope.to_ne_bytes());
    bytes
}

fn decide(call: Call, protocol: Protocol, address: Address, port: u16) -> Path {
    Path::Decide(Ask {
        call,
        protocol,
        address,
        port,
        resumed: false,
    })
}

const LOOPBACK: [u8; 4] = [127, 0, 0, 1];
const CALLS: [Call; 4] = [Call::Connect, Call::SendTo, Call::SendMsg, Call::SendMmsg];
const SENDS: [Call; 3] = [Call::SendTo, Call::SendMsg, Call::SendMmsg];

#[test]
fn transports() {
    let cases = [
        (INET, STREAM, 6, Protocol::Tcp),
        (INET, STREAM, 262, Protocol::Tcp),
        (INET, STREAM, 132, Protocol::Tcp),
        (INET, STREAM, 256, Protocol::Tcp), // IPPROTO_SMC
        (INET6, 5, 132, Protocol::Tcp),     // SCTP one-to-many
        (INET, 6, 33, Protocol::Tcp),       // DCCP
        (INET, DGRAM, 17, Protocol::Udp),
        (INET6, DGRAM, 136, Protocol::Udp),
        (INET, DGRAM, 1, Protocol::Icmp),
        (INET6, DGRAM, 58, Protocol::Icmp),
        (INET, DGRAM, 115, Protocol::Raw), // L2TP
        (INET, RAW, 1, Protocol::Icmp),
        (INET6, RAW, 58, Protocol::Icmp),
        (INET, RAW, 58, Protocol::Raw),
        (INET6, RAW, 1, Protocol::Raw),
        (INET, RAW, 255, Protocol::Raw),
        (INET, RAW, 6, Protocol::Raw),
        (INET, 77, 6, Protocol::Raw),
    ];
    for (domain, kind, protocol, expected) in cases {
        assert_eq!(
            socket(domain, kind, protocol).transport(),
            expected,
            "{domain} {kind} {protocol}"
        );
    }
    let mut own_header = socket(INET, RAW, 1);
    own_header.own_header = true;
    assert_eq!(own_header.transport(), Protocol::Raw);
}

#[test]
fn internet_addresses_are_decided() {
    let tcp = socket(INET, STREAM, 6);
    let address = v4(INET, 80, LOOPBACK);
    assert_eq!(
        tcp.path(Call::Connect, &address, false),
        decide(Call::Connect, Protocol::Tcp, Address::V4(LOOPBACK), 80)
    );
    let udp6 = socket(INET6, DGRAM, 17);
    let link_local = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    for call in CALLS {
        assert_eq!(
            udp6.path(call, &v6(INET6, 53, link_local, 3), false),
            decide(
                call,
                Protocol::Udp,
                Address::V6 {
                    octets: link_local,
                    scope_id: 3
                },
                53
            )
        );
        // Without a scope id: 24 bytes are enough for the kernel.
        assert_eq!(
            udp6.path(call, &v6(INET6, 53, link_local, 3)[..24], false),
            decide(
                call,
                Protocol::Udp,
                Address::V6 {
                    octets: link_local,
                    scope_id: 0
                },
                53
            )
        );
        // An IPv6 UDP socket takes IPv4 addresses as they are.
        assert_eq!(
            udp6.path(call, &v4(INET, 53, LOOPBACK), false),
            decide(call, Protocol::Udp, Address::V4(LOOPBACK), 53)
        );
    }
    let mapped = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1];
    assert_eq!(
        socket(INET6, STREAM, 6).path(Call::Connect, &v6(INET6, 80, mapped, 0), false),
        decide(Call::Connect, Protocol::Tcp, Address::V4(LOOPBACK), 80)
    );
    // Whatever else the program sends along: the kernel reads no further.
    let mut long = v4(INET, 80, LOOPBACK);
    long.resize(128, 7);
    assert_eq!(
        tcp.path(Call::Connect, &long, false),
        decide(Call::Connect, Protocol::Tcp, Address::V4(LOOPBACK), 80)
    );
}

#[test]
fn a_raw_socket_has_no_port() {
    assert_eq!(
        socket(INET, RAW, 1).path(Call::SendTo, &v4(INET, 99, LOOPBACK), false),
        decide(Call::SendTo, Protocol::Icmp, Address::V4(LOOPBACK), 0)
    );
}

#[test]
fn unspec_dissolves_only_in_connect() {
    let unspec = v4(0, 53, LOOPBACK);
    for (domain, kind, protocol) in [(INET, STREAM, 6), (INET, DGRAM, 17), (INET6, DGRAM, 17)] {
        let socket = socket(domain, kind, protocol);
        for address in [&unspec[..], &unspec[..2]] {
            assert_eq!(
                socket.path(Call::Connect, address, false),
                Path::Pass(Bypass::Dissolve)
            );
        }
    }
    for call in SENDS {
        // udp_sendmsg and raw_sendmsg read AF_UNSPEC as AF_INET: to an address all the same.
        assert_eq!(
            socket(INET, DGRAM, 17).path(call, &unspec, false),
            decide(call, Protocol::Udp, Address::V4(LOOPBACK), 53)
        );
        assert_eq!(
            socket(INET, RAW, 1).path(call, &unspec, false),
            decide(call, Protocol::Icmp, Address::V4(LOOPBACK), 0)
        );
        assert_eq!(
            socket(INET6, RAW, 58).path(call, &v6(0, 0, [7; 16], 0), false),
            decide(
                call,
                Protocol::Icmp,
                Address::V6 {
                    octets: [7; 16],
                    scope_id: 0
                },
                0
            )
        );
        // udpv6_sendmsg does not.
        assert_eq!(
            socket(INET6, DGRAM, 17).path(call, &unspec, false),
            Path::Pass(Bypass::NoAddress)
        );
    }
}

#[test]
fn tcp_reads_an_address_only_for_fast_open() {
    let address = v4(INET, 80, LOOPBACK);
    for protocol in [6, 262] {
        let tcp = socket(INET, STREAM, protocol);
        for call in SENDS {
            assert_eq!(
                tcp.path(call, &address, false),
                Path::Pass(Bypass::AddressIgnored)
            );
            assert_eq!(
                tcp.path(call, &address, true),
                decide(call, Protocol::Tcp, Address::V4(LOOPBACK), 80)
            );
        }
    }
    // SCTP opens an association to it, SMC may fall back to TCP.
    for protocol in [132, 256] {
        assert_eq!(
            socket(INET, STREAM, protocol).path(Call::SendTo, &address, false),
            decide(Call::SendTo, Protocol::Tcp, Address::V4(LOOPBACK), 80)
        );
    }
}

#[test]
fn other_families() {
    let address = v4(INET, 80, LOOPBACK);
    for call in CALLS {
        assert_eq!(
            socket(1, STREAM, 0).path(call, &address, false),
            Path::Pass(Bypass::Unix)
        );
        assert_eq!(
            socket(16, RAW, 0).path(call, &address, false),
            Path::Pass(Bypass::Netlink)
        );
        // AF_SMC opens TCP with a sockaddr_in; packet and vsock; a family not yet invented.
        for domain in [43, 17, 40, 0, 999] {
            assert!(
                matches!(
                    socket(domain, STREAM, 0).path(call, &address, true),
                    Path::Refuse { .. }
                ),
                "{domain}"
            );
        }
    }
    for family in [1, 16, 17, 40, 0xffff] {
        assert_eq!(
            socket(INET, DGRAM, 17).path(Call::SendTo, &v4(family, 80, LOOPBACK), false),
            Path::Refuse {
                address_family: family
            }
        );
    }
}

#[test]
fn lengths_that_the_kernel_refuses() {
    let v4 = v4(INET, 80, LOOPBACK);
    let v6 = v6(INET6, 80, [1; 16], 0);
    for call in CALLS {
        let udp = socket(INET, DGRAM, 17);
        for len in [0, 1, 2, 4, 8, 15] {
            assert_eq!(
                udp.path(call, &v4[..len], false),
                Path::Pass(Bypass::InvalidLength)
            );
        }
        let udp6 = socket(INET6, DGRAM, 17);
        for len in [0, 1, 2, 4, 8, 16, 23] {
            assert_eq!(
                udp6.path(call, &v6[..len], false),
                Path::Pass(Bypass::InvalidLength)
            );
        }
        assert_eq!(
            udp.path(call, &[2; 129], false),
            Path::Pass(Bypass::InvalidLength)
        );
    }
}
