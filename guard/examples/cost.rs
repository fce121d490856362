//! What a guarded call costs beside a bare one, on loopback: `cargo run --release --example cost`.
//!
//! Prints microseconds a call, bare and guarded by turns so that both meet the same machine. Calls
//! are timed in ten batches, each long enough for the server's share of the work to fall into it,
//! and a run counts as its fastest: what else the machine does only ever adds. Printed is the median
//! of the runs.
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::expect_used)]

#[cfg(not(target_os = "linux"))]
fn main() {}

#[cfg(target_os = "linux")]
fn main() {
    linux::main();
}

#[cfg(target_os = "linux")]
mod linux {
    use hallpass_guard::{Call, Decide, Reply, Supervisor, Verdict, Withdraw, install};
    use nix::sys::socket::{
        AddressFamily, Backlog, MsgFlags, SockFlag, SockType, SockaddrIn, connect, send, sendmsg,
        sendto, socket,
    };
    use std::io::{BufRead, BufReader, IoSlice, Read};
    use std::net::{SocketAddr, SocketAddrV4, TcpListener, UdpSocket};
    use std::os::fd::AsRawFd;
    use std::process::{Command, Stdio};
    use std::sync::Arc;
    use std::time::Instant;

    struct AllowAll;

    impl Decide for AllowAll {
        fn decide(&self, _: Call, reply: Reply) -> Option<Withdraw> {
            reply.settle(Verdict::Allow);
            None
        }
    }

    const CALLS: [(&str, u32); 6] = [
        ("connect+close", 10_000),
        ("sendto, address", 40000),
        ("sendto, none", 100_000),
        ("sendmsg, connected", 40000),
        ("send, connected", 100_000),
        ("getppid", 400_000),
    ];

    pub(super) fn main() {
        let arguments: Vec<String> = std::env::args().collect();
        if let [_, call, tcp, udp] = arguments.as_slice() {
            return measure(call, tcp.parse().unwrap(), udp.parse().unwrap());
        }
        if arguments.get(1).is_some_and(|it| it == "serve") {
            return serve();
        }
        // A process of its own, as a server is one.
        let mut server = Command::new(std::env::current_exe().unwrap())
            .arg("serve")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut tcp = String::new();
        let said = server.stdout.take().unwrap();
        BufReader::new(said).read_line(&mut tcp).unwrap();
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let ports = [tcp.trim().to_owned(), udp.local_addr().unwrap().to_string()];
        println!("{:20} {:>8} {:>8} {:>6}", "", "bare", "guarded", "");
        // `cost CALL` measures that one.
        let wanted = arguments.get(1);
        for (call, _) in CALLS {
            if wanted.is_some_and(|it| it != call) {
                continue;
            }
            let (mut bare, mut guarded) = (Vec::new(), Vec::new());
            for _ in 0..7 {
                bare.push(run(call, &ports, false));
                guarded.push(run(call, &ports, true));
            }
            let (bare, guarded) = (median(bare), median(guarded));
            println!("{call:20} {bare:8.2} {guarded:8.2} {:5.2}×", guarded / bare);
        }
        server.kill().unwrap();
        server.wait().unwrap();
    }

    fn serve() {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        // A full backlog would cost a second, whoever connects.
        nix::sys::socket::listen(&tcp, Backlog::new(4096).unwrap()).unwrap();
        println!("{}", tcp.local_addr().unwrap());
        for _ in tcp.incoming() {}
    }

    fn run(call: &str, ports: &[String], guard: bool) -> f64 {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.arg(call).args(ports).stdout(Stdio::piped());
        let mut child = if guard {
            let (listener, _, child) = install(|| command.spawn()).unwrap();
            Supervisor::start(listener, Arc::new(AllowAll)).unwrap();
            child
        } else {
            command.spawn().unwrap()
        };
        let mut said = String::new();
        child
            .stdout
            .take()
            .unwrap()
            .read_to_string(&mut said)
            .unwrap();
        child.wait().unwrap();
        said.trim().parse().expect("the child says a number")
    }

    fn median(mut all: Vec<f64>) -> f64 {
        all.sort_by(f64::total_cmp);
        all[all.len() / 2]
    }

    fn measure(call: &str, tcp: SocketAddr, udp: SocketAddr) {
        let (SocketAddr::V4(tcp), SocketAddr::V4(udp)) = (tcp, udp) else {
            panic!("IPv4 only");
        };
        let count = CALLS.iter().find(|it| it.0 == call).unwrap().1;
        let mut work = work(call, tcp, udp);
        let batch = count / 10;
        let mut batches: Vec<f64> = (0..10)
            .map(|_| {
                let begun = Instant::now();
                for _ in 0..batch {
                    work();
                }
                begun.elapsed().as_secs_f64() * 1e6 / f64::from(batch)
            })
            .collect();
        batches.sort_by(f64::total_cmp);
        println!("{}", batches[0]);
    }

    fn work(call: &str, tcp: SocketAddrV4, udp: SocketAddrV4) -> Box<dyn FnMut()> {
        let (tcp, udp) = (SockaddrIn::from(tcp), SockaddrIn::from(udp));
        let open = |kind| socket(AddressFamily::Inet, kind, SockFlag::empty(), None).unwrap();
        let loose = open(SockType::Datagram);
        let connected = open(SockType::Datagram);
        connect(connected.as_raw_fd(), &udp).unwrap();
        let (none, data) = (MsgFlags::empty(), [0u8; 32]);
        match call {
            "connect+close" => Box::new(move || {
                let it = socket(
                    AddressFamily::Inet,
                    SockType::Stream,
                    SockFlag::empty(),
                    None,
                );
                connect(it.unwrap().as_raw_fd(), &tcp).unwrap();
            }),
            "sendto, address" => Box::new(move || {
                sendto(loose.as_raw_fd(), &data, &udp, none).unwrap();
            }),
            "sendmsg, connected" => Box::new(move || {
                let data = [IoSlice::new(&data)];
                sendmsg::<()>(connected.as_raw_fd(), &data, &[], none, None).unwrap();
            }),
            "getppid" => Box::new(|| {
                std::hint::black_box(nix::unistd::getppid());
            }),
            _ => Box::new(move || {
                send(connected.as_raw_fd(), &data, none).unwrap();
            }),
        }
    }
}
