//! The session's end of the control socket. Nothing a client does holds up the session: each
//! has a thread that reads its requests and one that writes its messages.

use super::connection::Connection;
use super::controlled::Controlled;
use interprocess::local_socket::traits::Listener as _;
use interprocess::local_socket::{GenericFilePath, ListenerOptions, ToFsName};
use interprocess::os::unix::local_socket::ListenerOptionsExt;
use interprocess::os::unix::uds_local_socket::{Listener, Stream};
use std::io;
use std::net::Shutdown;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::Builder;
use std::time::{Duration, Instant};

/// How many clients may be connected at once.
pub const MAX_CLIENTS: usize = 64;

/// A bound socket that nobody serves yet; clients that connect wait.
pub struct ControlServer {
    listener: Listener,
    session_pid: u32,
}

/// A served socket.
pub struct Serving {
    shared: Arc<Shared>,
}

struct Shared {
    listener: Listener,
    stopping: AtomicBool,
    clients: Mutex<Vec<Arc<Connection>>>,
    fewer: Condvar,
}

impl ControlServer {
    /// Binds `path`. Call it in the session process: clients check that it is the session that
    /// listens. `session_pid` is the session's id; no process that descends from it is served.
    ///
    /// # Errors
    /// What bind(2) or listen(2) says.
    pub fn bind(path: &Path, session_pid: u32) -> io::Result<Self> {
        // Under another name until it listens: who finds a socket that is bound only is refused,
        // and takes the session for dead.
        let unfinished = path.with_file_name("ctl.new");
        let name = unfinished.as_path().to_fs_name::<GenericFilePath>()?;
        let options = ListenerOptions::new()
            .name(name)
            .mode(0o600)
            .reclaim_name(false);
        let listener = options.create_sync_as()?;
        std::fs::rename(&unfinished, path)?;
        Ok(Self {
            listener,
            session_pid,
        })
    }

    /// Serves clients from now on, in threads of its own. Call it after the last fork.
    ///
    /// # Errors
    /// No thread could be started.
    pub fn serve<C: Controlled>(self, session: C) -> io::Result<Serving> {
        let shared = Arc::new(Shared {
            listener: self.listener,
            stopping: AtomicBool::new(false),
            clients: Mutex::default(),
            fewer: Condvar::new(),
        });
        let serving = Serving {
            shared: Arc::clone(&shared),
        };
        let pid = self.session_pid;
        Builder::new()
            .name("control".to_owned())
            .spawn(move || accept_all(&shared, &session, pid))?;
        Ok(serving)
    }
}

impl Serving {
    /// Ends the service: no new clients, no new requests; what was already said to clients is
    /// sent, for at most `patience`.
    pub fn finish(self, patience: Duration) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        // Wakes the thread that waits in accept (EINVAL).
        let _ = nix::sys::socket::shutdown(
            raw(&self.shared.listener),
            nix::sys::socket::Shutdown::Both,
        );
        let end = Instant::now() + patience;
        let mut clients = self.shared.clients();
        for client in clients.iter() {
            client.shutdown(Shutdown::Read);
        }
        while !clients.is_empty() {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            clients = self
                .shared
                .fewer
                .wait_timeout(clients, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        for client in clients.iter() {
            client.shutdown(Shutdown::Both);
        }
    }
}

fn raw(listener: &Listener) -> std::os::fd::RawFd {
    use std::os::fd::{AsFd, AsRawFd};
    listener.as_fd().as_raw_fd()
}

impl Shared {
    fn clients(&self) -> MutexGuard<'_, Vec<Arc<Connection>>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn accept_all<C: Controlled>(shared: &Arc<Shared>, session: &C, session_pid: u32) {
    while !shared.stopping.load(Ordering::SeqCst) {
        match shared.listener.accept() {
            Ok(stream) => welcome(shared, session, session_pid, stream),
            // Out of descriptors or memory: it passes. Aborted connections: the next is better.
            Err(_) => std::thread::sleep(Duration::from_millis(10)),
        }
    }
}

fn welcome<C: Controlled>(shared: &Arc<Shared>, session: &C, session_pid: u32, stream: Stream) {
    let connection = Arc::new(Connection::new(stream));
    {
        let mut clients = shared.clients();
        if clients.len() >= MAX_CLIENTS {
            drop(clients);
            connection.refuse(format!(
                "{MAX_CLIENTS} clients are connected already; end one of them"
            ));
            return;
        }
        clients.push(Arc::clone(&connection));
    }
    let (registry, session, served) =
        (Arc::clone(shared), session.clone(), Arc::clone(&connection));
    let thread = Builder::new()
        .name("control-client".to_owned())
        .spawn(move || {
            served.serve(&session, session_pid);
            leave(&registry, &served);
        });
    if thread.is_err() {
        connection.refuse("no thread could be started for you; try again".to_owned());
        leave(shared, &connection);
    }
}

fn leave(shared: &Shared, connection: &Arc<Connection>) {
    shared
        .clients()
        .retain(|other| !Arc::ptr_eq(other, connection));
    shared.fewer.notify_all();
}
