//! The listeners: what they saw is the only proof that something got out.

use crate::attack::Ear;
use nix::sys::socket::sockopt::ReceiveTimeout;
use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, recv, setsockopt, socket};
use nix::sys::time::{TimeVal, TimeValLike};
use std::io::Read;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How long an ear listens on after the program's end.
const AFTERWARDS: Duration = Duration::from_millis(250);

/// Listens for a token on one port.
pub(crate) struct Listener {
    pub(crate) port: u16,
    heard: Arc<AtomicBool>,
    over: Arc<AtomicBool>,
}

impl Listener {
    /// Opens an ear of this kind; `home` is the program's working directory.
    pub(crate) fn open(ear: Ear, token: &str, home: &Path) -> Self {
        let (heard, over) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
        let mind = Mind {
            token: token.as_bytes().to_vec(),
            heard: Arc::clone(&heard),
            over: Arc::clone(&over),
        };
        // Both, so that the number means nothing else.
        let (tcp, udp) = both();
        let port = tcp.local_addr().unwrap().port();
        match ear {
            Ear::Tcp => thread::spawn(move || drop((mind.streams(&tcp), udp))),
            Ear::Udp => thread::spawn(move || drop((mind.datagrams(&udp), tcp))),
            Ear::Wire => {
                let wire = wire();
                thread::spawn(move || drop((mind.packets(&wire), tcp, udp)))
            }
            Ear::Path => {
                let folder = home.join("hallpass/1-00000000");
                std::fs::create_dir_all(&folder).unwrap();
                let path = folder.join("bad");
                let listener = UnixListener::bind(&path).unwrap();
                let all = std::fs::Permissions::from_mode(0o777);
                std::fs::set_permissions(&path, all).unwrap();
                thread::spawn(move || drop((mind.paths(&listener), tcp, udp)))
            }
            Ear::Dial => {
                let place = home.join("port");
                thread::spawn(move || drop((mind.dial(&place), tcp, udp)))
            }
        };
        Self { port, heard, over }
    }

    /// Whether the token came, looked at for a moment more.
    pub(crate) fn has_heard(&self) -> bool {
        let start = Instant::now();
        while !self.heard.load(Ordering::SeqCst) && start.elapsed() < AFTERWARDS {
            thread::sleep(Duration::from_millis(5));
        }
        self.heard.load(Ordering::SeqCst)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
    }
}

/// A TCP listener and a UDP socket of the same number.
fn both() -> (TcpListener, UdpSocket) {
    loop {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let backlog = nix::sys::socket::Backlog::new(4096).unwrap();
        nix::sys::socket::listen(&tcp, backlog).unwrap();
        tcp.set_nonblocking(true).unwrap();
        if let Ok(udp) = UdpSocket::bind(tcp.local_addr().unwrap()) {
            udp.set_read_timeout(Some(Duration::from_millis(50)))
                .unwrap();
            return (tcp, udp);
        }
    }
}

/// Everything that goes over any interface of this network namespace.
fn wire() -> std::os::fd::OwnedFd {
    let wire = socket(
        AddressFamily::Packet,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::EthAll,
    )
    .unwrap();
    setsockopt(&wire, ReceiveTimeout, &TimeVal::milliseconds(50)).unwrap();
    wire
}

/// What an ear's thread knows.
struct Mind {
    token: Vec<u8>,
    heard: Arc<AtomicBool>,
    over: Arc<AtomicBool>,
}

impl Mind {
    fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }

    fn look_at(&self, bytes: &[u8]) {
        if bytes.windows(self.token.len()).any(|it| it == self.token) {
            self.heard.store(true, Ordering::SeqCst);
        }
    }

    /// Reads what a connection has to say.
    fn take(&self, mut stream: impl Read) {
        let mut said = Vec::new();
        let mut bytes = [0; 4096];
        while let Ok(length @ 1..) = stream.read(&mut bytes) {
            said.extend_from_slice(&bytes[..length]);
            self.look_at(&said);
        }
    }

    fn streams(&self, listener: &TcpListener) {
        while !self.is_over() {
            match listener.accept() {
                Ok((stream, _)) => {
                    stream.set_nonblocking(false).unwrap();
                    stream
                        .set_read_timeout(Some(Duration::from_millis(500)))
                        .unwrap();
                    self.take(stream);
                }
                Err(_) => thread::sleep(Duration::from_millis(5)),
            }
        }
    }

    fn paths(&self, listener: &UnixListener) {
        listener.set_nonblocking(true).unwrap();
        while !self.is_over() {
            match listener.accept() {
                Ok((stream, _)) => {
                    stream
                        .set_read_timeout(Some(Duration::from_millis(500)))
                        .unwrap();
                    self.take(stream);
                }
                Err(_) => thread::sleep(Duration::from_millis(1)),
            }
        }
    }

    fn datagrams(&self, socket: &UdpSocket) {
        let mut bytes = [0; 4096];
        while !self.is_over() {
            if let Ok(length) = socket.recv(&mut bytes) {
                self.look_at(&bytes[..length]);
            }
        }
    }

    fn packets(&self, wire: &std::os::fd::OwnedFd) {
        let mut bytes = [0; 65536];
        while !self.is_over() {
            let flags = nix::sys::socket::MsgFlags::empty();
            if let Ok(length) = recv(wire.as_raw_fd(), &mut bytes, flags) {
                self.look_at(&bytes[..length]);
            }
        }
    }

    /// Connects to the port that the program writes down.
    fn dial(&self, place: &Path) {
        while !self.is_over() {
            let port = std::fs::read_to_string(place).unwrap_or_default();
            if let Ok(port) = port.trim().parse::<u16>()
                && let Ok(stream) = TcpStream::connect(("127.0.0.1", port))
            {
                return self.take(stream);
            }
            thread::sleep(Duration::from_millis(10));
        }
    }
}
