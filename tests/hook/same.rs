//! Where every call is allowed, a program cannot tell that it is hooked.

use crate::fixture::{Fixture, tcp, udp};
use crate::session::Session;
use hallpass_wire::{Address, Call, Protocol};

#[test]
fn calls_that_the_kernel_refuses() {
    let (_listener, port) = tcp();
    let run = Fixture::new("errors").arg(port).same();
    // The list is long; that it says something at all is seen by a few of its lines.
    for line in [
        "connect closed fd: -1 EBADF",
        "connect no socket: -1 ENOTSOCK",
        "connect bad pointer: -1 EFAULT",
        "connect past the page: -1 EFAULT",
        "sendmsg struct past the page: -1 EFAULT",
        "sendmmsg read-only vector: -1 EFAULT",
    ] {
        assert!(run.lines().contains(&line), "{line}\n{}", run.stdout);
    }
}

#[test]
fn calls_that_succeed() {
    let ((_tcp, tcp), (_udp, udp)) = (tcp(), udp());
    let run = Fixture::new("works").arg(tcp).arg(udp).same();
    assert!(
        run.lines().contains(&"connect tcp: 0 untouched"),
        "{}",
        run.stdout
    );
    assert!(
        run.lines().contains(&"sendmmsg clipped: 1024 untouched"),
        "{}",
        run.stdout
    );
}

#[test]
fn what_the_session_is_asked() {
    let ((_tcp, tcp), (_udp, udp)) = (tcp(), udp());
    let session = Session::allowing();
    Fixture::new("works").arg(tcp).arg(udp).hooked(&session);
    let asks = session.asks();
    let (first, rest) = asks.split_first().unwrap();
    assert_eq!(
        (first.call, first.protocol, first.port),
        (Call::Connect, Protocol::Tcp, tcp)
    );
    assert_eq!(first.address, Address::V4([127, 0, 0, 1]));
    // The v4-mapped address as well, and nothing of the local sockets.
    assert!(
        rest.iter()
            .all(|ask| ask.address == Address::V4([127, 0, 0, 1]))
    );
    assert!(rest.iter().all(|ask| ask.port == tcp || ask.port == udp));
    assert!(!asks.iter().any(|ask| ask.resumed));
    let count = |call, protocol| {
        asks.iter()
            .filter(|ask| (ask.call, ask.protocol) == (call, protocol))
            .count()
    };
    assert_eq!(count(Call::SendTo, Protocol::Tcp), 1, "fast open");
    // A connected socket is decided once, not for each send.
    assert_eq!(count(Call::Connect, Protocol::Udp), 2);
    assert_eq!(
        count(Call::SendTo, Protocol::Udp),
        3,
        "udp, unspec, v6 socket"
    );
    assert_eq!(count(Call::SendMsg, Protocol::Udp), 1);
    assert_eq!(count(Call::SendMmsg, Protocol::Udp), 5 + 1024);
}
