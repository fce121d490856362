//! Programs that change what their pointers point to while the guard looks.

use crate::support::{Decider, Tcp, Udp, fixture, run, scratch, text};
use hallpass_guard::{Destination, Verdict};
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::process::Command;

fn devious(way: &str, tries: u32, good: u16, bad: u16) -> Command {
    let mut command = Command::new(fixture("devious"));
    command.args([way, &tries.to_string(), &good.to_string(), &bad.to_string()]);
    command
}

#[test]
fn a_connect_whose_address_is_rewritten_meanwhile() {
    let (good, bad) = (Tcp::start(), Tcp::start());
    let decider = Decider::deny(bad.port);
    let said = text(&run(
        &mut devious("connect", 100_000, good.port, bad.port),
        &decider,
    ));
    let denied = decider.calls.lock().unwrap().len() - said.parse::<usize>().unwrap();
    assert_eq!(bad.count(), 0);
    assert!(good.count() > 1000, "{said}");
    assert!(denied > 1000, "the race was on: {denied}");
}

#[test]
fn a_message_whose_address_is_rewritten_meanwhile() {
    for way in ["sendto", "sendto-sibling", "sendmmsg"] {
        let (good, bad) = (Udp::start(), Udp::start());
        let decider = Decider::deny(bad.port);
        run(&mut devious(way, 30_000, good.port, bad.port), &decider);
        assert_eq!(bad.count(), 0, "{way}");
        assert!(good.count() > 1000, "{way}");
    }
}

#[test]
fn a_probe_that_a_second_thread_sends_on_meanwhile() {
    let udp = Udp::start();
    let decider = Decider::new(|_| Some(Verdict::Probe));
    let said = text(&run(&mut devious("probe", 20_000, 1, udp.port), &decider));
    assert_eq!(said, "20000");
    assert_eq!(udp.count(), 0);
}

#[test]
fn a_unix_socket_that_becomes_one_of_ip_meanwhile() {
    let (good, bad) = (Udp::start(), Udp::start());
    let decider = Decider::deny(bad.port);
    let said = text(&run(
        &mut devious("swap", 50_000, good.port, bad.port),
        &decider,
    ));
    assert_eq!(bad.count(), 0);
    if crate::support::makes_sockets() {
        // Which socket it is when the kernel looks, nobody can say: refused, whichever it is now.
        let refused = decider.refused.lock().unwrap();
        assert!(refused.len() > 1000, "the race was on");
        return;
    }
    assert!(said.parse::<u32>().unwrap() > 100, "{said}");
    assert!(!decider.calls.lock().unwrap().is_empty(), "the race was on");
}

#[test]
fn a_path_that_a_sibling_rewrites_meanwhile() {
    let directory = scratch("path");
    let bad = directory.join("bad");
    let listener = UnixListener::bind(&bad).unwrap();
    listener.set_nonblocking(true).unwrap();
    // Never reached, so nobody need read.
    let datagrams = UnixDatagram::bind(directory.join("datagrams")).unwrap();
    datagrams.set_nonblocking(true).unwrap();
    let decider = Decider::new(|call| {
        Some(match &call.destination {
            Destination::Path { path, .. } if path.ends_with(b"/bad") => Verdict::Deny,
            _ => Verdict::Allow,
        })
    });
    let mut command = devious("path", 5_000, 1, 1);
    command.arg("bad").current_dir(&directory);
    assert_eq!(text(&run(&mut command, &decider)), "0");
    assert!(decider.calls.lock().unwrap().len() > 100, "the race was on");
    let accepted = listener.accept().map(drop).map_err(|it| it.kind());
    assert_eq!(accepted, Err(std::io::ErrorKind::WouldBlock));
}

/// A target that makes our connect wait holds up nobody else.
#[test]
fn a_target_that_undoes_the_guards_timeout_delays_nobody() {
    use nix::sys::socket::{Backlog, listen};
    let full = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listen(&full, Backlog::new(0).unwrap()).unwrap();
    let address = full.local_addr().unwrap();
    let _first = std::net::TcpStream::connect(address).unwrap();
    let decider = Decider::allow();
    let mut stuck = Vec::new();
    for _ in 0..3 {
        let mut command = devious("timeout", 1, address.port(), 1);
        stuck.push(crate::support::start(&mut command, &decider).0);
    }
    let tcp = Tcp::start();
    let begun = std::time::Instant::now();
    let said = text(&run(
        &mut devious("connect", 200, tcp.port, tcp.port),
        &decider,
    ));
    assert_eq!(said, "200");
    assert!(begun.elapsed().as_secs() < 5);
    for mut child in stuck {
        // Its child goes with it.
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
