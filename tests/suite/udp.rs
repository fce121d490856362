//! Datagrams: each way a program can send one is decided, and a refused one never leaves.

use crate::harness::{Dir, Udp, is_guard_off, missing, no_ipv6, skipped};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

fn dig(dir: &Dir, flags: &[&str], server: &Udp) -> crate::harness::Outcome {
    let at = format!("@{}", server.address.ip());
    let port = server.port().to_string();
    dir.run(
        flags,
        &[
            "dig",
            "+short",
            "+tries=1",
            "+timeout=5",
            &at,
            "-p",
            &port,
            "example.test",
            "A",
        ],
    )
    .output()
}

fn dig_is_decided(ip: IpAddr) {
    if missing("dig") {
        return;
    }
    let (dir, server) = (Dir::new(), Udp::dns(ip));
    let refused = dig(&dir, &["--default", "deny"], &server).failed();
    assert_eq!(server.datagrams(), 0, "{refused}");
    let to = format!("{}/udp", server.address);
    dig(&dir, &["--default", "deny", "--allow", &to], &server)
        .ok()
        .prints("192.0.2.7");
    assert!(server.datagrams() > 0);
}

#[test]
fn dig_is_decided_over_ipv4() {
    dig_is_decided(V4);
}

#[test]
fn dig_is_decided_over_ipv6() {
    if !no_ipv6() {
        dig_is_decided(V6);
    }
}

/// Sends one datagram in the named way and prints what came back, or the error's name.
const SENDER: &str = r"
import errno, socket, sys
way, host, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
s = socket.socket(socket.AF_INET6 if ':' in host else socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(10)
to = (host, port)
try:
    if way == 'sendto': s.sendto(b'hello', to)
    elif way == 'sendmsg': s.sendmsg([b'hel', b'lo'], [], 0, to)
    elif way == 'connect': s.connect(to); s.send(b'hello')
    print(s.recv(100).decode())
except OSError as e:
    print(errno.errorcode.get(e.errno, e))
";

fn python_is_decided(way: &str, ip: IpAddr) {
    if missing("python3") {
        return;
    }
    let (dir, server) = (Dir::new(), Udp::echo(ip));
    let script = dir.script("sender.py", SENDER);
    let (host, port) = (ip.to_string(), server.port().to_string());
    let send = |flags: &[&str]| {
        dir.run(flags, &["python3", &script, way, &host, &port])
            .output()
            .ok()
    };
    send(&["--default", "deny"]).prints("ECONNREFUSED");
    assert_eq!(server.datagrams(), 0);
    // A rule for TCP does not open UDP.
    let tcp = format!("{}/tcp", server.address);
    send(&["--default", "deny", "--allow", &tcp]).prints("ECONNREFUSED");
    assert_eq!(server.datagrams(), 0);
    let udp = format!("{}/udp", server.address);
    send(&["--default", "deny", "--allow", &udp]).prints("hello");
    assert_eq!(server.datagrams(), 1);
}

#[test]
fn python_sendto_is_decided() {
    python_is_decided("sendto", V4);
}

#[test]
fn python_sendmsg_is_decided() {
    python_is_decided("sendmsg", V4);
}

#[test]
fn python_connected_datagrams_are_decided() {
    python_is_decided("connect", V4);
}

#[test]
fn python_datagrams_are_decided_over_ipv6() {
    if no_ipv6() {
        return;
    }
    for way in ["sendto", "sendmsg", "connect"] {
        python_is_decided(way, V6);
    }
}

/// docs/policy.md: it looks for its own address by UDP first, and the guard sees what for.
#[test]
fn ping_needs_nothing_but_icmp() {
    if missing("ping") || is_guard_off() {
        return;
    }
    let dir = Dir::new();
    let ping = ["ping", "-c1", "-W5", "127.0.0.1"];
    if !dir.bare(&ping).output().status.success() {
        return skipped("ping may not open its socket here");
    }
    let flags = [
        "--default=deny",
        "--allow=127.0.0.1/icmp",
        "--fail-on-block",
    ];
    dir.run(&flags, &ping).output().ok().prints("1 received");
    let refused = dir.run(&["--default=deny"], &ping).output().failed();
    assert!(!refused.stdout.contains("1 received"), "{refused}");
}
