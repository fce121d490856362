//! Sockets of another network namespace: /proc/PID/net/tcp and its like (proc_pid_net(5)).
//! They have no byte counts and no cookie.

use super::socket::{Socket, Stage, canonical};
use hallpass_policy::Protocol;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// How much of each table is read: some 100,000 lines.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// The sockets in `pid`'s network namespace for which `wanted` holds; those of a table that
/// cannot be read are missing, like those beyond the limit.
pub(super) fn sockets(pid: u32, wanted: impl Fn(&Socket) -> bool) -> Vec<Socket> {
    const TABLES: [(&str, Protocol); 4] = [
        ("tcp", Protocol::Tcp),
        ("tcp6", Protocol::Tcp),
        ("udp", Protocol::Udp),
        ("udp6", Protocol::Udp),
    ];
    let mut found = Vec::new();
    for (table, protocol) in TABLES {
        let Ok(file) = File::open(format!("/proc/{pid}/net/{table}")) else {
            continue;
        };
        let lines = BufReader::new(file.take(MAX_BYTES)).lines();
        // The first line is the heading.
        for line in lines.skip(1).map_while(Result::ok) {
            found.extend(parse(&line, protocol).filter(|socket| wanted(socket)));
        }
    }
    found
}

/// `SL: LOCAL:PORT REMOTE:PORT STATE QUEUES TIMER RETRANSMISSIONS UID TIMEOUT INODE …`
fn parse(line: &str, protocol: Protocol) -> Option<Socket> {
    let mut fields = line.split_ascii_whitespace().skip(1);
    let (local, remote) = (end(fields.next()?)?, end(fields.next()?)?);
    let state = u8::from_str_radix(fields.next()?, 16).ok()?;
    let inode = fields.nth(5)?.parse().ok()?;
    Some(Socket {
        protocol,
        local: canonical(local.0, local.1),
        remote: canonical(remote.0, remote.1),
        stage: Stage::of(state, protocol)?,
        inode,
        cookie: None,
        sent: None,
        received: None,
    })
}

/// An address is written as the numbers that its bytes are in memory, four by four.
fn end(text: &str) -> Option<(IpAddr, u16)> {
    let (address, port) = text.split_once(':')?;
    let word = |at: usize| {
        let digits = address.get(at * 8..at * 8 + 8)?;
        u32::from_str_radix(digits, 16).ok().map(u32::to_ne_bytes)
    };
    let address = match address.len() {
        8 => Ipv4Addr::from(word(0)?).into(),
        32 => {
            let words = [word(0)?, word(1)?, word(2)?, word(3)?];
            let mut bytes = [0; 16];
            for (to, from) in bytes.iter_mut().zip(words.as_flattened()) {
                *to = *from;
            }
            Ipv6Addr::from(bytes).into()
        }
        _ => return None,
    };
    Some((address, u16::from_str_radix(port, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use super::{parse, sockets};
    use crate::control::protocol::State;
    use crate::flows::socket::Stage;
    use hallpass_policy::Protocol;
    use proptest::prelude::*;
    use std::net::TcpListener;

    #[test]
    #[cfg(target_endian = "little")]
    fn lines_are_read() {
        let line = "   1: 0100007F:9C40 0200000A:01BB 01 00000000:00000000 02:000A 00000000  1000        0 4242 1";
        let socket = parse(line, Protocol::Tcp).unwrap();
        assert_eq!(socket.local, "127.0.0.1:40000".parse().unwrap());
        assert_eq!(socket.remote, "10.0.0.2:443".parse().unwrap());
        assert_eq!(socket.inode, 4242);
        assert_eq!(socket.stage, Stage::Live(State::Established));
        let line = "0: 00000000000000000000000001000000:0050 0000000000000000FFFF00000100007F:0035 01 0:0 0:0 0 0 0 7";
        let socket = parse(line, Protocol::Udp).unwrap();
        assert_eq!(socket.local, "[::1]:80".parse().unwrap());
        assert_eq!(socket.remote, "127.0.0.1:53".parse().unwrap());
    }

    #[test]
    fn a_socket_of_this_process_is_found() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        let found = sockets(std::process::id(), |socket| socket.local == at);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].stage, Stage::Listening);
    }

    proptest! {
        #[test]
        fn no_line_panics(line in "[0-9A-F: é]{0,120}") {
            let _ = parse(&line, Protocol::Tcp);
        }
    }
}
