//! A session that answers by script, in the test's own process: the hook checks that its peer has
//! the pid in the session's name, and it has.

use hallpass_wire::{
    Ask, REQUEST_LEN, Reply, Request, SUN_PATH_LEN, SessionName, abstract_ask_name,
};
use std::io::{Read, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What the session does with one request.
#[derive(Clone)]
pub(crate) enum Step {
    Reply(Reply),
    Bytes(Vec<u8>),
    Pause(Duration),
    /// Says nothing more, until the hook closes.
    Silence,
}

pub(crate) fn allow() -> Vec<Step> {
    vec![Step::Reply(Reply::Verdict {
        allow: true,
        reason: 0,
        keep: None,
    })]
}

pub(crate) fn deny() -> Vec<Step> {
    vec![Step::Reply(Reply::Verdict {
        allow: false,
        reason: 1,
        keep: None,
    })]
}

/// Held for a while, with keep-alives, then `last`.
pub(crate) fn held(tenths: u32, last: Vec<Step>) -> Vec<Step> {
    let mut steps = Vec::new();
    for tenth in 0..tenths {
        if tenth % 10 == 0 {
            steps.push(Step::Reply(Reply::Held));
        }
        steps.push(Step::Pause(Duration::from_millis(100)));
    }
    steps.extend(last);
    steps
}

/// Held until the hook goes away.
pub(crate) fn held_for_good() -> Vec<Step> {
    let mut steps = held(300, Vec::new());
    steps.push(Step::Silence);
    steps
}

/// One request, as it came.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) request: Request,
    /// The hook closed before the script was through.
    pub(crate) withdrawn: bool,
}

/// Listens under its own name until it is dropped.
pub(crate) struct Session {
    pub(crate) name: SessionName,
    pub(crate) dir: Option<PathBuf>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Session {
    /// `script` says what happens to an ask; `count` is how many asks came before. Reports are
    /// acknowledged.
    pub(crate) fn new(script: impl Fn(&Ask, usize) -> Vec<Step> + Send + Sync + 'static) -> Self {
        let name = new_name(std::process::id());
        Self::listen(name, abstract_listener(name), script)
    }

    pub(crate) fn allowing() -> Self {
        Self::new(|_, _| allow())
    }

    pub(crate) fn denying() -> Self {
        Self::new(|_, _| deny())
    }

    pub(crate) fn listen(
        name: SessionName,
        listener: UnixListener,
        script: impl Fn(&Ask, usize) -> Vec<Step> + Send + Sync + 'static,
    ) -> Self {
        Self::listen_after(Duration::ZERO, name, listener, script)
    }

    /// Accepts nobody for a while.
    pub(crate) fn listen_after(
        pause: Duration,
        name: SessionName,
        listener: UnixListener,
        script: impl Fn(&Ask, usize) -> Vec<Step> + Send + Sync + 'static,
    ) -> Self {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (log, script) = (Arc::clone(&seen), Arc::new(script));
        std::thread::spawn(move || {
            std::thread::sleep(pause);
            for stream in listener.incoming().flatten() {
                let (log, script) = (Arc::clone(&log), Arc::clone(&script));
                std::thread::spawn(move || serve(stream, &log, &*script));
            }
        });
        Self {
            name,
            dir: None,
            seen,
        }
    }

    /// What the hook has sent, in order of arrival.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub(crate) fn asks(&self) -> Vec<Ask> {
        let ask = |seen: Seen| match seen.request {
            Request::Ask(ask) => Some(ask),
            _ => None,
        };
        self.seen().into_iter().filter_map(ask).collect()
    }

    /// The value of HALLPASS.
    pub(crate) fn variable(&self) -> String {
        let dir = self
            .dir
            .as_ref()
            .map(|dir| format!(";dir={}", dir.display()));
        format!("{};guard=off{}", self.name, dir.unwrap_or_default())
    }
}

/// A name that no other session of this process has.
pub(crate) fn new_name(pid: u32) -> SessionName {
    static NEXT: AtomicU32 = AtomicU32::new(0xa000_0000);
    SessionName {
        pid,
        nonce: NEXT.fetch_add(1, Ordering::Relaxed),
    }
}

pub(crate) fn abstract_listener(name: SessionName) -> UnixListener {
    let mut path = [0; SUN_PATH_LEN];
    let len = abstract_ask_name(name, &mut path);
    let address = SocketAddr::from_abstract_name(&path[1..len]).unwrap();
    UnixListener::bind_addr(&address).unwrap()
}

fn serve(
    mut stream: UnixStream,
    log: &Mutex<Vec<Seen>>,
    script: &dyn Fn(&Ask, usize) -> Vec<Step>,
) {
    let mut frame = [0; REQUEST_LEN];
    if stream.read_exact(&mut frame).is_err() {
        return;
    }
    let request = Request::decode(&frame).expect("the hook sends frames");
    let (index, asks) = {
        let mut log = log.lock().unwrap();
        let asks = log
            .iter()
            .filter(|seen| matches!(seen.request, Request::Ask(_)))
            .count();
        log.push(Seen {
            request: request.clone(),
            withdrawn: false,
        });
        (log.len() - 1, asks)
    };
    let steps = match &request {
        Request::Ask(ask) => script(ask, asks),
        Request::Names(_) | Request::Refused(_) | Request::Nested(_) | Request::Started => {
            vec![Step::Reply(Reply::Noted)]
        }
    };
    for step in steps {
        let gone = match step {
            Step::Reply(reply) => stream.write_all(&reply.encode()).is_err(),
            Step::Bytes(bytes) => stream.write_all(&bytes).is_err(),
            Step::Pause(pause) => is_closed_within(&mut stream, Some(pause)),
            Step::Silence => is_closed_within(&mut stream, None),
        };
        if gone {
            log.lock().unwrap()[index].withdrawn = true;
            return;
        }
    }
}

/// The hook sends nothing after its request, so whatever comes is its end.
fn is_closed_within(stream: &mut UnixStream, pause: Option<Duration>) -> bool {
    stream.set_read_timeout(pause).unwrap();
    !matches!(stream.read(&mut [0]), Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
}
