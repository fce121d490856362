//! The ask socket: frames of the hook in, verdicts out. One thread serves all callers.
//!
//! A caller is a connection: it sends one request and waits. Its peer must be a process of this
//! session. Whatever else comes is answered with a named deny and closed.

mod caller;
mod serving;
#[cfg(test)]
mod tests;

use crate::core::Core;
use crate::engine::AskId;
use crate::event::Kind;
use crate::identity::is_alive;
use crate::targets::Targets;
use crate::verdict::{Fallback, Source, Verdict};
use caller::{Caller, Progress};
use hallpass_wire::{Reply, Request};
use mio::net::UnixListener;
use mio::{Events, Interest, Poll, Token, Waker};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use std::collections::HashMap;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixListener as StdListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

/// How often a held caller hears that it is held; it gives up after five seconds of silence.
const KEEP_ALIVE: Duration = Duration::from_secs(1);
/// How long a caller may take to send its request.
const PATIENCE: Duration = Duration::from_secs(5);
/// How many callers are served at once; more wait in the listen queue.
const MAX_CALLERS: usize = 16 * 1024;

/// How often to look for a caller's request before it gets a place in the poll, some 10 µs in
/// all: it is being written while the caller is accepted, and mostly comes within that time.
const EAGER_LOOKS: u32 = 48;
/// So many callers in a row for whom that was in vain: their processor is ours, or does other
/// work, and looking only keeps it from them. From then on it is tried for one in as many.
const VAIN: u32 = 8;

const WAKE: Token = Token(0);
/// Listeners have the tokens from here on, callers those after them.
const FIRST_LISTENER: usize = 1;

/// A verdict for a caller that was held.
struct Late {
    token: Token,
    reply: Reply,
}

/// See the module's text.
pub struct AskServer {
    core: Core,
    poll: Poll,
    listeners: Vec<UnixListener>,
    /// Callers may wait in the listen queue: there was no room, or no descriptor, for them.
    accept_again: bool,
    /// Callers in a row whose request did not come while it was looked for.
    in_vain: u32,
    callers: HashMap<Token, Caller>,
    next_token: usize,
    targets: Targets,
    late: Receiver<Late>,
    late_sender: Sender<Late>,
    next_keep_alive: Instant,
    stopper: Stopper,
}

/// Ends [`AskServer::run`] from another thread.
#[derive(Clone)]
pub struct Stopper {
    waker: Arc<Waker>,
    stopped: Arc<AtomicBool>,
}

impl Stopper {
    /// Asks the server to return; whoever is still connected sees end of file.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        // If the wake fails the server still ends with its process.
        let _ = self.waker.wake();
    }
}

impl AskServer {
    /// Serves these listeners for the session whose process id is `session_pid`, which has started
    /// `command`.
    ///
    /// # Errors
    /// epoll(7) or eventfd(2) cannot be had.
    pub fn new(
        core: Core,
        session_pid: u32,
        command: u32,
        listeners: Vec<StdListener>,
    ) -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKE)?);
        let mut registered = Vec::with_capacity(listeners.len());
        for (index, listener) in listeners.into_iter().enumerate() {
            listener.set_nonblocking(true)?;
            let mut listener = UnixListener::from_std(listener);
            let token = Token(FIRST_LISTENER + index);
            let registry = poll.registry();
            registry.register(&mut listener, token, Interest::READABLE)?;
            registered.push(listener);
        }
        let (late_sender, late) = channel();
        Ok(Self {
            core,
            poll,
            next_token: FIRST_LISTENER + registered.len(),
            listeners: registered,
            accept_again: true,
            in_vain: 0,
            callers: HashMap::new(),
            targets: Targets::new(session_pid, command),
            late,
            late_sender,
            next_keep_alive: Instant::now() + KEEP_ALIVE,
            stopper: Stopper {
                waker,
                stopped: Arc::default(),
            },
        })
    }

    /// A handle that ends [`Self::run`].
    #[must_use]
    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// Serves until stopped.
    ///
    /// # Errors
    /// epoll_wait(2) fails for a reason other than a signal.
    pub fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(256);
        while !self.stopper.stopped.load(Ordering::Acquire) {
            let until_keep_alive = self
                .next_keep_alive
                .saturating_duration_since(Instant::now());
            let is_busy = self.accept_again || !self.callers.is_empty();
            match self
                .poll
                .poll(&mut events, is_busy.then_some(until_keep_alive))
            {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                result => result?,
            }
            let mut called = None;
            for event in &events {
                match event.token() {
                    WAKE => {}
                    Token(token) if token < FIRST_LISTENER + self.listeners.len() => {
                        self.accept_again = true;
                        called = token.checked_sub(FIRST_LISTENER);
                    }
                    token => self.hear(token),
                }
            }
            self.send_late_verdicts();
            if self.accept_again {
                self.accept(called);
            }
            if self.next_keep_alive <= Instant::now() {
                self.keep_alive();
            }
        }
        Ok(())
    }

    /// `called`: the listener that has just become ready, where one has.
    fn accept(&mut self, mut called: Option<usize>) {
        self.accept_again = false;
        // The poll is edge-triggered: until nobody waits in any of the queues.
        while let Some(index) = called.take().or_else(|| self.somebody_waits()) {
            let Some(listener) = self.listeners.get(index) else {
                return;
            };
            if self.callers.len() >= MAX_CALLERS {
                self.accept_again = true;
                return;
            }
            match listener.accept() {
                Ok((stream, _)) => self.welcome(stream),
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::WouldBlock | io::ErrorKind::ConnectionAborted
                    ) => {}
                Err(_) => {
                    // Out of descriptors: the next keep-alive tries again.
                    self.accept_again = true;
                    return;
                }
            }
        }
    }

    /// The first listener with somebody in its queue. An accept(2) that finds nobody makes a
    /// socket and throws it away again, and costs several times as much as this.
    fn somebody_waits(&self) -> Option<usize> {
        let mut fds: Vec<PollFd<'_>> = self
            .listeners
            .iter()
            .map(|listener| PollFd::new(listener.as_fd(), PollFlags::POLLIN))
            .collect();
        poll(&mut fds, PollTimeout::ZERO).ok()?;
        fds.iter().position(|fd| fd.any() == Some(true))
    }

    fn welcome(&mut self, stream: mio::net::UnixStream) {
        let token = Token(self.next_token);
        self.next_token += 1;
        let Ok(peer) = getsockopt(&stream, PeerCredentials) else {
            return;
        };
        let Ok(pid) = u32::try_from(peer.pid()) else {
            return;
        };
        let caller = Caller::new(stream, pid, peer.uid());
        self.callers.insert(token, caller);
        // The request is mostly there already, and so is the answer: those who get it at once
        // need no place in the poll.
        let looks = match self.in_vain {
            ..VAIN => EAGER_LOOKS,
            in_vain if in_vain % VAIN == 0 => EAGER_LOOKS,
            _ => 1,
        };
        self.in_vain = self.in_vain.wrapping_add(1);
        for _ in 0..looks {
            self.hear(token);
            if self.callers.get(&token).is_none_or(Caller::is_served) {
                self.in_vain = 0;
                break;
            }
        }
        if let Some(caller) = self.callers.get_mut(&token) {
            let registry = self.poll.registry();
            match registry.register(&mut caller.stream, token, Interest::READABLE) {
                // What came since then is not reported any more.
                Ok(()) => self.hear(token),
                Err(_) => self.forget(token),
            }
        }
    }

    /// Bytes, or the end, of a caller.
    fn hear(&mut self, token: Token) {
        let Some(caller) = self.callers.get_mut(&token) else {
            return;
        };
        let pid = caller.pid;
        match caller.hear() {
            Progress::Waiting => {}
            Progress::Request(Ok(request)) => {
                let (image, uid) = (caller.image(), caller.uid);
                match self.targets.identify_stamped(pid, image, uid) {
                    Some(identity) => self.serve(token, pid, &identity, &request),
                    // It only asks whether it is; no call is refused.
                    None if matches!(request, Request::Nested(_)) => {
                        self.say(token, verdict_reply(Verdict::Deny, &Source::Default));
                    }
                    None if matches!(request, Request::Started) => self.say(token, Reply::Noted),
                    // Killed meanwhile: nobody is refused anything.
                    None if !is_alive(pid) => self.forget(token),
                    None => self.refuse(token, pid, Fallback::NotOurs),
                }
            }
            Progress::Request(Err(_)) | Progress::Junk => {
                self.refuse(token, pid, Fallback::BadFrame);
            }
            Progress::Finished => self.forget(token),
        }
    }

    fn hold(&mut self, token: Token, id: AskId) {
        if let Some(caller) = self.callers.get_mut(&token) {
            caller.held = Some(id);
        }
        self.say(token, Reply::Held);
    }

    /// Sends a held caller its last word, from any thread.
    fn later(&self, token: Token) -> impl FnOnce(Reply) + Send + use<> {
        let (sender, waker) = (self.late_sender.clone(), Arc::clone(&self.stopper.waker));
        move |reply| {
            // Neither can fail while the server lives; when it is gone so is the caller's peer.
            let _ = sender.send(Late { token, reply });
            let _ = waker.wake();
        }
    }

    fn refuse(&mut self, token: Token, pid: u32, reason: Fallback) {
        let source = Source::Fallback { reason };
        let what = reason.sentence().to_owned();
        self.core
            .record_refusal(Kind::refused(pid, None, what, reason), &[]);
        self.say(token, verdict_reply(Verdict::Deny, &source));
        self.forget(token);
    }

    fn send_late_verdicts(&mut self) {
        while let Ok(late) = self.late.try_recv() {
            if let Some(caller) = self.callers.get_mut(&late.token) {
                caller.held = None;
            }
            self.say(late.token, late.reply);
        }
    }

    fn keep_alive(&mut self) {
        let now = Instant::now();
        self.next_keep_alive = now + KEEP_ALIVE;
        let (mut held, mut slow) = (Vec::new(), Vec::new());
        for (token, caller) in &self.callers {
            if caller.held.is_some() {
                held.push(*token);
            } else if now.saturating_duration_since(caller.since) > PATIENCE && !caller.is_served()
            {
                slow.push((*token, caller.pid));
            }
        }
        for token in held {
            self.say(token, Reply::Held);
        }
        for (token, pid) in slow {
            self.refuse(token, pid, Fallback::BadFrame);
        }
    }

    /// Sends a reply; after the last one the caller is forgotten.
    fn say(&mut self, token: Token, reply: Reply) {
        let Some(caller) = self.callers.get_mut(&token) else {
            return;
        };
        match caller.say(reply) {
            Progress::Waiting if caller.has_unsent() => {
                // Its buffer is full of keep-alives: it was stopped for long. It gets the
                // verdict when it reads.
                let both = Interest::READABLE | Interest::WRITABLE;
                let registry = self.poll.registry();
                if registry
                    .reregister(&mut caller.stream, token, both)
                    .is_err()
                {
                    self.forget(token);
                }
            }
            Progress::Finished => self.forget(token),
            _ => {}
        }
    }

    fn forget(&mut self, token: Token) {
        // Closing its socket takes it out of the poll.
        let Some(caller) = self.callers.remove(&token) else {
            return;
        };
        if let Some(ask) = caller.held {
            self.core.withdraw(ask, is_alive(caller.pid));
        }
    }
}

fn verdict_reply(verdict: Verdict, source: &Source) -> Reply {
    Reply::Verdict {
        allow: verdict == Verdict::Allow,
        reason: source.number(),
        keep: None,
    }
}
