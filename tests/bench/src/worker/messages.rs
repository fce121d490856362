//! Datagrams to a socket of the worker's own, read between the batches, so that nobody else runs
//! and no buffer is ever full.

use nix::sys::socket::{self, MsgFlags, MultiHeaders, SockaddrIn};
use std::io::{self, IoSlice};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;

const SIZE: u32 = 48;
/// Messages of one sendmmsg.
const TOGETHER: usize = 8;
const TEXT: &[u8] = b"a short datagram";

pub(super) fn work_on(name: &str) -> io::Result<Vec<f64>> {
    let receiver = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    receiver.set_nonblocking(true)?;
    let sender = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    let SocketAddr::V4(to) = receiver.local_addr()? else {
        return Err(io::Error::other("bound to IPv4, told of another address"));
    };
    if name != "sendto-address" {
        sender.connect(to)?;
    }
    let fd = sender.as_raw_fd();
    let address = SockaddrIn::from(to);
    let none = MsgFlags::empty();
    let parts = [IoSlice::new(TEXT)];
    match name {
        "send" => measure(&receiver, 1, || Ok(socket::send(fd, TEXT, none)?)),
        "sendto" => measure(&receiver, 1, || Ok(socket::sendto(fd, TEXT, &(), none)?)),
        "sendto-address" => measure(&receiver, 1, || {
            Ok(socket::sendto(fd, TEXT, &address, none)?)
        }),
        "sendmsg" => measure(&receiver, 1, || {
            Ok(socket::sendmsg::<()>(fd, &parts, &[], none, None)?)
        }),
        "sendmmsg" => {
            let messages = [parts; TOGETHER];
            let nowhere: [Option<SockaddrIn>; TOGETHER] = [None; TOGETHER];
            let mut headers = MultiHeaders::preallocate(TOGETHER, None);
            measure(&receiver, TOGETHER, || {
                let sent = socket::sendmmsg(fd, &mut headers, &messages, nowhere, [], none)?;
                Ok(sent.map(|message| message.bytes).sum())
            })
        }
        other => Err(io::Error::other(format!("unknown work {other}"))),
    }
}

/// `send` sends so many datagrams a call and says how many bytes went out.
fn measure(
    receiver: &UdpSocket,
    datagrams: usize,
    mut send: impl FnMut() -> io::Result<usize>,
) -> io::Result<Vec<f64>> {
    let calls = SIZE / u32::try_from(datagrams).map_err(io::Error::other)?;
    let operation = |_| match send()? {
        sent if sent == datagrams * TEXT.len() => Ok(()),
        sent => Err(io::Error::other(format!("{sent} bytes were sent"))),
    };
    super::repeat_after(super::BATCHES, calls, operation, || {
        let mut arrived = 0;
        while receiver.recv(&mut [0; 64]).is_ok() {
            arrived += 1;
        }
        match arrived == SIZE {
            true => Ok(()),
            false => Err(io::Error::other(format!("{arrived} of {SIZE} arrived"))),
        }
    })
}
