//! The thread that drops copies: of connections that have come about, and of sockets that are
//! gone. It sleeps where there are none.

use super::Copies;
use super::sweep::Swept;
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::eventfd::{EfdFlags, EventFd};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How often it is looked whether sockets are gone, while some are; …
const OFTEN: Duration = Duration::from_millis(100);
/// … and where nothing happens.
const SELDOM: Duration = Duration::from_secs(1);
/// After so many looks at nothing the thread sleeps until the next socket is made.
const IDLE_LOOKS: u32 = 10;
/// What the poller says when it is only to be woken.
const WAKE: u64 = u64::MAX;

/// How the thread is woken.
#[derive(Debug)]
pub(super) struct Bell {
    epoll: Epoll,
    wake: EventFd,
    /// It sleeps longer than [`OFTEN`].
    is_asleep: AtomicBool,
    has_ended: AtomicBool,
}

impl Bell {
    pub(super) fn new() -> Result<Self, Errno> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let wake = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
        epoll.add(&wake, EpollEvent::new(EpollFlags::EPOLLIN, WAKE))?;
        Ok(Self {
            epoll,
            wake,
            is_asleep: AtomicBool::new(false),
            has_ended: AtomicBool::new(false),
        })
    }

    /// There is something to look after.
    pub(super) fn begin(&self) {
        if self.is_asleep.swap(false, Ordering::SeqCst) {
            // Full means that it will wake anyway.
            let _ = self.wake.write(1);
        }
    }

    pub(super) fn end(&self) {
        self.has_ended.store(true, Ordering::SeqCst);
        let _ = self.wake.write(1);
    }

    /// Tells once when the socket is ready. False where it cannot.
    pub(super) fn watch(&self, socket: &OwnedFd, inode: u64) -> bool {
        let events = EpollFlags::EPOLLOUT | EpollFlags::EPOLLONESHOT;
        let mut event = EpollEvent::new(events, inode);
        match self.epoll.add(socket, event) {
            Err(Errno::EEXIST) => self.epoll.modify(socket, &mut event).is_ok(),
            result => result.is_ok(),
        }
    }

    pub(super) fn unwatch(&self, socket: &OwnedFd) {
        let _ = self.epoll.delete(socket);
    }

    /// Sockets that are ready; waits for one, at most so long.
    fn wait(&self, limit: Option<Duration>) -> Vec<u64> {
        let limit = limit.map_or(EpollTimeout::NONE, |it| {
            EpollTimeout::try_from(it).unwrap_or(EpollTimeout::MAX)
        });
        let mut events = [EpollEvent::empty(); 64];
        // EINTR: as if nothing had come.
        let count = self.epoll.wait(&mut events, limit).unwrap_or_default();
        let _ = self.wake.read();
        events
            .iter()
            .take(count)
            .map(EpollEvent::data)
            .filter(|inode| *inode != WAKE)
            .collect()
    }
}

pub(super) fn start(copies: &Arc<Copies>) -> std::io::Result<()> {
    let copies = Arc::clone(copies);
    std::thread::Builder::new()
        .name("guard-copies".to_owned())
        .spawn(move || keep(&copies))
        .map(drop)
}

fn keep(copies: &Copies) {
    let bell = &copies.bell;
    let mut pause = Some(OFTEN);
    let (mut last, mut idle) = (Instant::now(), 0);
    while !bell.has_ended.load(Ordering::SeqCst) {
        let is_long = pause.is_none_or(|it| it > OFTEN);
        bell.is_asleep.store(is_long, Ordering::SeqCst);
        // What was kept before that was stored has rung nobody.
        let limit = match pause {
            None if !copies.table().kept.is_empty() => Some(OFTEN),
            pause => pause,
        };
        for inode in bell.wait(limit) {
            copies.ready(inode);
        }
        if is_long && !bell.is_asleep.swap(false, Ordering::SeqCst) {
            // Rung: what has been made just now need not be looked at yet.
            (pause, last, idle) = (Some(OFTEN), Instant::now(), 0);
        }
        if last.elapsed() < pause.unwrap_or(OFTEN) {
            continue;
        }
        last = Instant::now();
        pause = match copies.sweep() {
            // Whoever connects again and again should not have to ring each time.
            Swept::Nothing if idle < IDLE_LOOKS => {
                idle += 1;
                Some(OFTEN)
            }
            Swept::Nothing => None,
            Swept::Quiet => Some((pause.unwrap_or(OFTEN) * 2).min(SELDOM)),
            Swept::Busy => Some(OFTEN),
        };
    }
}
