//! One message: what its header says, to where it goes, and how its bytes get there.

use super::Context;
use super::control::Control;
use super::unix::{self, Found};
use crate::address::{Address, Meaning, UnixName};
use crate::decide::{Destination, Refusal};
use crate::rights::Rights;
use crate::socket::{Family, Kind};
use crate::sys::socket as sys;
use crate::target::Piece;
use nix::errno::Errno;
use std::os::fd::AsFd;
use std::time::Duration;

/// `struct msghdr`
const HEADER: usize = 56;
/// UIO_MAXIOV
const PIECES_MAX: u64 = 1024;
/// `struct iovec`
const PIECE: usize = 16;
/// Longest address; longer ones are cut.
const NAME_MAX: u32 = 128;
/// Of a stream, copied and sent at once.
const CHUNK: usize = 256 * 1024;
/// No datagram is longer, whatever the socket's buffer.
const DATAGRAM_MAX: usize = 8 * 1024 * 1024;
/// MAX_RW_COUNT
const TOTAL_MAX: usize = 0x7fff_f000;
/// How often a full queue of another UNIX socket is tried again: only a connected one tells.
const TRY_AGAIN: Duration = Duration::from_millis(5);
const SO_ZEROCOPY: i32 = 60;

#[derive(Debug)]
pub(super) struct Message {
    name: Name,
    source: Source,
    pub(super) stage: Stage,
    /// Of the caller, once they matter.
    rights: Option<Rights>,
    control: Option<Control>,
    control_at: (u64, u64),
    /// Bytes that the socket took.
    pub(super) sent: usize,
    /// MSG_FASTOPEN has opened the connection.
    opened: bool,
    /// All of its data are at the front of the buffer already.
    pub(super) is_ahead: bool,
}

#[derive(Debug)]
enum Name {
    None,
    Copied(Address),
    Path(Found),
}

#[derive(Debug)]
pub(super) enum Stage {
    New,
    Asked(Destination),
    Going,
}

/// Where the data are.
#[derive(Debug)]
enum Source {
    /// An array of so many iovecs.
    Vectors(u64, u64),
    Piece(Piece),
    Pieces(Vec<Piece>, usize),
}

/// How a message came out.
pub(super) enum Outcome {
    /// This many bytes of it were sent.
    Sent(usize),
    Wait(Option<Duration>),
    Gone,
}

impl Source {
    fn total(&self) -> usize {
        match self {
            Self::Vectors(..) => 0,
            Self::Piece(piece) => piece.length,
            Self::Pieces(_, total) => *total,
        }
    }

    fn pieces(&self) -> &[Piece] {
        match self {
            Self::Vectors(..) => &[],
            Self::Piece(piece) => std::slice::from_ref(piece),
            Self::Pieces(pieces, _) => pieces,
        }
    }
}

impl Message {
    /// Data at one place, to an address that has been copied: what sendto(2) takes.
    pub(super) fn plain(name: Address, data: Piece, is_ahead: bool) -> Self {
        Self {
            is_ahead,
            ..Self::new(Name::Copied(name), Source::Piece(data), (0, 0))
        }
    }

    fn new(name: Name, source: Source, control_at: (u64, u64)) -> Self {
        Self {
            name,
            source,
            stage: Stage::New,
            rights: None,
            control: None,
            control_at,
            sent: 0,
            opened: false,
            is_ahead: false,
        }
    }

    /// Copies a `msghdr` and the address it points to. The rest is copied when it may be sent: a
    /// held message costs no more than its header.
    pub(super) fn read(context: &Context<'_>, at: u64) -> Result<Self, Errno> {
        let mut header = [0; HEADER];
        context.memory().read(at, &mut header)?;
        let word = |index: usize| {
            header
                .get(index * 8..index * 8 + 8)
                .and_then(|it| it.try_into().ok())
                .map_or(0, u64::from_ne_bytes)
        };
        let (name, name_length) = (word(0), word(1) as u32);
        if name != 0 && name_length.cast_signed() < 0 {
            return Err(Errno::EINVAL);
        }
        let name = if name == 0 || name_length == 0 {
            Name::None
        } else {
            let length = name_length.min(NAME_MAX);
            Name::Copied(Address::copy(context.memory(), name, length.into())?)
        };
        let (vectors, count) = (word(2), word(3));
        if count > PIECES_MAX {
            return Err(Errno::EMSGSIZE);
        }
        Ok(Self::new(
            name,
            Source::Vectors(vectors, count),
            (word(4), word(5)),
        ))
    }

    /// Whether so many bytes are all of it.
    pub(super) fn is_whole(&self, length: usize) -> bool {
        self.source.total() == length
    }

    /// What the address means on this socket; the destination where that is to be decided.
    pub(super) fn look(
        &mut self,
        context: &Context<'_>,
        flags: i32,
    ) -> Result<Option<Destination>, Errno> {
        let socket = context.socket;
        if let Family::Other(family) = socket.family {
            return Err(context.refuse(Refusal::Family(family), Errno::ECONNREFUSED));
        }
        if socket.ignores_names() && flags & libc::MSG_FASTOPEN == 0 {
            self.name = Name::None;
        }
        let Name::Copied(address) = &self.name else {
            return Ok(None);
        };
        match socket.family {
            Family::Inet | Family::Inet6 => match address.for_send(socket)? {
                Meaning::Nothing => {
                    self.name = Name::None;
                    Ok(None)
                }
                Meaning::Endpoint(endpoint) => match socket.transport() {
                    Some(protocol) => Ok(Some(Destination::Ip(protocol, endpoint))),
                    None => {
                        let refusal = Refusal::Protocol(socket.protocol);
                        Err(context.refuse(refusal, Errno::ECONNREFUSED))
                    }
                },
            },
            // Others refuse or ignore an address without looking at it.
            Family::Unix if socket.kind == Kind::Datagrams => match address.unix()? {
                UnixName::Abstract(name) => Ok(Some(Destination::Abstract(name.to_vec()))),
                UnixName::Path(path) => {
                    let rights = context.rights()?;
                    let (found, destination) = unix::find(context, &rights, path)?;
                    self.rights = Some(rights);
                    self.name = Name::Path(found);
                    Ok(Some(destination))
                }
            },
            Family::Unix | Family::Netlink | Family::Other(_) => Ok(None),
        }
    }

    /// Copies the iovecs; as the kernel, cuts what is too long in all and refuses a negative one.
    fn pieces(&mut self, context: &Context<'_>) -> Result<(), Errno> {
        let Source::Vectors(at, count) = self.source else {
            return Ok(());
        };
        let mut bytes = vec![0; count as usize * PIECE];
        context.memory().read(at, &mut bytes)?;
        let mut total = 0;
        let mut pieces = Vec::with_capacity(count as usize);
        for vector in bytes.chunks_exact(PIECE) {
            let (address, length) = vector.split_at(8);
            let word = |it: &[u8]| it.try_into().map_or(0, u64::from_ne_bytes);
            let length = usize::try_from(word(length).cast_signed()).map_err(|_| Errno::EINVAL)?;
            let length = length.min(TOTAL_MAX - total);
            total += length;
            pieces.push(Piece {
                address: word(address),
                length,
            });
        }
        self.source = Source::Pieces(pieces, total);
        Ok(())
    }

    /// Copies and sends, until all is sent or it would wait.
    pub(super) fn send(
        &mut self,
        context: &Context<'_>,
        mut flags: i32,
        buffer: &mut Vec<u8>,
    ) -> Result<Outcome, Errno> {
        let socket = context.socket;
        if flags & libc::MSG_ZEROCOPY != 0 {
            if sys::option(socket.as_fd(), SO_ZEROCOPY) == Ok(1) {
                // It would be our copy that the kernel keeps. Programs must expect this error.
                return Err(Errno::ENOBUFS);
            }
            flags &= !libc::MSG_ZEROCOPY;
        }
        if self.control.is_none() {
            let (at, length) = self.control_at;
            let rights = match self.rights.take() {
                Some(rights) => rights,
                // To an address of IP, without more, nothing depends on who sends.
                None if socket.is_ip() && length == 0 => Rights::Own,
                None => context.rights()?,
            };
            self.control = Some(Control::copy(context, &rights, at, length)?);
            self.rights = Some(rights);
        }
        self.pieces(context)?;
        let total = self.source.total();
        let is_stream = socket.kind == Kind::Stream;
        if !is_stream && total > DATAGRAM_MAX {
            return Err(Errno::EMSGSIZE);
        }
        loop {
            let wanted = if is_stream {
                (total - self.sent).min(CHUNK)
            } else {
                total
            };
            let copied = match self.fill(context, wanted, buffer) {
                Ok(copied) if copied == wanted || is_stream => copied,
                Ok(_) => return Err(Errno::EFAULT),
                Err(_) if self.sent > 0 => return Ok(Outcome::Sent(self.sent)),
                Err(errno) => return Err(errno),
            };
            if !context.is_waiting() {
                return Ok(Outcome::Gone);
            }
            let is_last = self.sent + copied >= total;
            let data = buffer.get(..copied).unwrap_or_default();
            match self.send_once(context, data, flags, is_last) {
                Ok(sent) => {
                    self.sent += sent;
                    if !is_stream || self.sent >= total || copied < wanted {
                        return Ok(Outcome::Sent(self.sent));
                    }
                }
                Err(Errno::EAGAIN) => {
                    if flags & libc::MSG_DONTWAIT == 0 && !socket.is_nonblocking() {
                        let again = !socket.is_ip() && !is_stream;
                        return Ok(Outcome::Wait(again.then_some(TRY_AGAIN)));
                    }
                    return self.or_sent(Errno::EAGAIN);
                }
                // The connection is being opened; the data follow when it is.
                Err(Errno::EINPROGRESS)
                    if flags & (libc::MSG_FASTOPEN | libc::MSG_DONTWAIT) == libc::MSG_FASTOPEN
                        && !self.opened
                        && !socket.is_nonblocking() =>
                {
                    self.opened = true;
                    return Ok(Outcome::Wait(None));
                }
                Err(errno) => return self.or_sent(errno),
            }
        }
    }

    fn or_sent(&self, errno: Errno) -> Result<Outcome, Errno> {
        if self.sent > 0 {
            Ok(Outcome::Sent(self.sent))
        } else {
            Err(errno)
        }
    }

    /// Copies the next `wanted` bytes to the front of `buffer`; returns how many could be read.
    fn fill(
        &mut self,
        context: &Context<'_>,
        wanted: usize,
        buffer: &mut Vec<u8>,
    ) -> Result<usize, Errno> {
        if wanted == 0 || std::mem::take(&mut self.is_ahead) {
            return Ok(wanted);
        }
        let memory = context.memory();
        if buffer.len() < wanted {
            buffer.resize(wanted, 0);
        }
        let (mut skip, mut left) = (self.sent, wanted);
        let pieces = self.source.pieces();
        let mut parts = Vec::with_capacity(pieces.len().min(8));
        for piece in pieces {
            if skip >= piece.length {
                skip -= piece.length;
                continue;
            }
            let length = (piece.length - skip).min(left);
            parts.push(Piece {
                address: piece.address.wrapping_add(skip as u64),
                length,
            });
            skip = 0;
            left -= length;
            if left == 0 {
                break;
            }
        }
        let space = buffer.get_mut(..wanted).ok_or(Errno::ENOMEM)?;
        memory.gather(&parts, space)
    }

    fn send_once(
        &mut self,
        context: &Context<'_>,
        data: &[u8],
        flags: i32,
        is_last: bool,
    ) -> Result<usize, Errno> {
        let mut flags = flags | libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
        if !is_last {
            flags = flags & !(libc::MSG_OOB | libc::MSG_EOR) | libc::MSG_MORE;
        }
        if self.opened {
            flags &= !libc::MSG_FASTOPEN;
        }
        if let Some(control) = &mut self.control
            && control.names_caller()
        {
            let is_unix = context.socket.family == Family::Unix;
            if is_unix && matches!(self.name, Name::None) && control.is_plain() {
                // Nothing in it needs a right.
                match self.send_with(context, &Rights::Own, data, flags) {
                    // Only with CAP_SYS_ADMIN, and for other users CAP_SETUID and CAP_SETGID, may
                    // we say that it is somebody else's.
                    Err(Errno::EPERM) => {}
                    sent => return sent,
                }
            }
            if let Some(control) = &mut self.control {
                control.name_this_process();
            }
        }
        let rights = self.rights.as_ref().unwrap_or(&Rights::Own);
        match self.send_with(context, rights, data, flags) {
            Err(Errno::EPERM) if *rights != Rights::Own => {
                Err(context.refuse(Refusal::Credentials, Errno::EPERM))
            }
            sent => sent,
        }
    }

    fn send_with(
        &self,
        context: &Context<'_>,
        rights: &Rights,
        data: &[u8],
        flags: i32,
    ) -> Result<usize, Errno> {
        let name = match &self.name {
            _ if self.opened => None,
            Name::None => None,
            Name::Copied(address) => Some(address.bytes()),
            Name::Path(found) => Some(found.address()),
        };
        // Control data go with the first byte.
        let (control, control_length) = match &self.control {
            Some(control) if self.sent == 0 => control.first(),
            Some(control) => control.later(),
            None => (&[][..], 0),
        };
        let message = sys::Message {
            name,
            data,
            control,
            control_length,
            flags,
        };
        context.with(rights, || sys::send(context.socket.as_fd(), &message))
    }
}
