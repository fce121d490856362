//! A datagram server on loopback that counts: it echoes, or answers DNS questions.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// What the DNS server answers to every question for an address.
pub(crate) const ANSWER: [u8; 4] = [192, 0, 2, 7];

const COUNT: &[u8] = b"count";

/// The server. It serves until the test's process ends.
pub(crate) struct Udp {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    datagrams: Arc<AtomicUsize>,
}

impl Udp {
    /// One on `ip` that sends back what it gets.
    pub(crate) fn echo(ip: IpAddr) -> Self {
        Self::start(ip, |bytes| Some(bytes.to_vec()))
    }

    /// A name server on `ip` where every name has the address [`ANSWER`].
    pub(crate) fn dns(ip: IpAddr) -> Self {
        Self::start(ip, answer)
    }

    fn start(ip: IpAddr, reply: fn(&[u8]) -> Option<Vec<u8>>) -> Self {
        let socket = UdpSocket::bind((ip, 0)).unwrap();
        let address = socket.local_addr().unwrap();
        let datagrams = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&datagrams);
        thread::spawn(move || {
            let mut bytes = [0; 65536];
            while let Ok((length, from)) = socket.recv_from(&mut bytes) {
                if &bytes[..length] == COUNT {
                    let _ = socket.send_to(COUNT, from);
                    continue;
                }
                counter.fetch_add(1, Ordering::SeqCst);
                if let Some(reply) = reply(&bytes[..length]) {
                    let _ = socket.send_to(&reply, from);
                }
            }
        });
        Self { address, datagrams }
    }

    /// Its port.
    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// How many datagrams have reached it. Exact: one of our own, sent last, has come back.
    #[track_caller]
    pub(crate) fn datagrams(&self) -> usize {
        let own = UdpSocket::bind((self.address.ip(), 0)).unwrap();
        own.set_read_timeout(Some(*super::PATIENCE)).unwrap();
        own.send_to(COUNT, self.address).unwrap();
        own.recv_from(&mut [0; 16]).unwrap();
        self.datagrams.load(Ordering::SeqCst)
    }
}

/// An answer with one A record to a question of one name (RFC 1035 §4.1).
fn answer(question: &[u8]) -> Option<Vec<u8>> {
    const HEADER: usize = 12;
    let mut end = HEADER;
    while *question.get(end)? != 0 {
        end += usize::from(*question.get(end)?) + 1;
    }
    end += 5; // the root label, type and class
    let asked = question.get(HEADER..end)?;
    let wants_address = asked.ends_with(&[0, 1, 0, 1]);
    let mut reply = question.get(..2)?.to_vec();
    reply.extend([0x85, 0x80, 0, 1, 0, u8::from(wants_address), 0, 0, 0, 0]);
    reply.extend(asked);
    if wants_address {
        // Name: a pointer to the question; A, IN, 60 s, four bytes.
        reply.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        reply.extend(ANSWER);
    }
    Some(reply)
}
