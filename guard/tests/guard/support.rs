//! Programs under the guard, and the listeners they try to reach.

use hallpass_guard::{
    Call, Caller, Decide, Destination, Granted, Refusal, Reply, Supervisor, Verdict, Withdraw,
    Withdrawn, install,
};
use std::collections::HashMap;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

/// What a test wants of a call. None: hold it.
type Judge = Box<dyn Fn(&Call) -> Option<Verdict> + Send + Sync>;

/// Decides as a test says, and remembers.
pub(crate) struct Decider {
    judge: Judge,
    pub(crate) calls: Mutex<Vec<Call>>,
    /// Put, but not decided at once.
    later: Mutex<Vec<(Call, Option<Verdict>)>>,
    pub(crate) held: Mutex<Vec<Reply>>,
    pub(crate) withdrawn: Arc<Mutex<Vec<Withdrawn>>>,
    /// How long a withdrawal takes to be heard.
    pub(crate) deafness: Mutex<Duration>,
    pub(crate) refused: Mutex<Vec<Refusal>>,
    pub(crate) reports: Mutex<Vec<Vec<u8>>>,
    /// Whether reports are held.
    pub(crate) reports_wait: AtomicBool,
    /// Whether calls that would be held are a stranger's instead.
    pub(crate) knows_nobody: AtomicBool,
}

impl Decide for Decider {
    /// Every other call that is not held.
    fn at_once(&self, call: &Call) -> Option<Verdict> {
        let verdict = (self.judge)(call);
        self.calls.lock().unwrap().push(call.clone());
        let is_odd = self.calls.lock().unwrap().len() % 2 == 1;
        if is_odd && verdict.is_some() {
            return verdict;
        }
        self.later.lock().unwrap().push((call.clone(), verdict));
        None
    }

    fn decide(&self, call: Call, reply: Reply) -> Option<Withdraw> {
        let mut later = self.later.lock().unwrap();
        let place = later.iter().position(|(other, _)| *other == call);
        let (_, verdict) = later.swap_remove(place.expect("it was put before"));
        drop(later);
        match verdict {
            Some(verdict) => {
                reply.settle(verdict);
                None
            }
            None if self.knows_nobody.load(Ordering::Relaxed) => {
                reply.refuse(Refusal::Stranger);
                None
            }
            None => Some(self.hold_it(reply)),
        }
    }

    fn report(&self, _: Caller, report: &[u8], reply: Reply) -> Option<Withdraw> {
        self.reports.lock().unwrap().push(report.to_vec());
        if self.reports_wait.load(Ordering::Relaxed) {
            return Some(self.hold_it(reply));
        }
        reply.settle(Verdict::Allow);
        None
    }

    fn refused(&self, _: Caller, refusal: Refusal) {
        self.refused.lock().unwrap().push(refusal);
    }
}

impl Decider {
    fn hold_it(&self, reply: Reply) -> Withdraw {
        self.held.lock().unwrap().push(reply);
        let withdrawn = Arc::clone(&self.withdrawn);
        let deafness = *self.deafness.lock().unwrap();
        Box::new(move |why| {
            std::thread::sleep(deafness);
            withdrawn.lock().unwrap().push(why);
        })
    }

    pub(crate) fn new(
        judge: impl Fn(&Call) -> Option<Verdict> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self {
            judge: Box::new(judge),
            calls: Mutex::default(),
            later: Mutex::default(),
            held: Mutex::default(),
            withdrawn: Arc::default(),
            deafness: Mutex::default(),
            refused: Mutex::default(),
            reports: Mutex::default(),
            reports_wait: AtomicBool::default(),
            knows_nobody: AtomicBool::default(),
        })
    }

    pub(crate) fn allow() -> Arc<Self> {
        Self::new(|_| Some(Verdict::Allow))
    }

    pub(crate) fn hold() -> Arc<Self> {
        Self::new(|_| None)
    }

    /// Refuses one port.
    pub(crate) fn deny(port: u16) -> Arc<Self> {
        Self::new(move |call| {
            Some(match call.destination {
                Destination::Ip(_, address) if address.port() == port => Verdict::Deny,
                _ => Verdict::Allow,
            })
        })
    }

    /// Settles everything that is held.
    pub(crate) fn settle(&self, verdict: Verdict) {
        for reply in std::mem::take(&mut *self.held.lock().unwrap()) {
            reply.settle(verdict);
        }
    }

    pub(crate) fn wait_for_held(&self, count: usize) {
        wait_until(|| self.held.lock().unwrap().len() >= count);
    }
}

pub(crate) fn wait_until(what: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !what() {
        assert!(Instant::now() < deadline, "it did not come about");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Starts a command under the guard. Its input ends when the test lets go of it.
pub(crate) fn start(command: &mut Command, decider: &Arc<Decider>) -> (Child, Granted) {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    if std::env::var_os("GUARD_AS_NOBODY").is_some() {
        // As the session is: its own entries in /proc are then root's.
        nix::sys::prctl::set_dumpable(false).unwrap();
    }
    let (listener, granted, child) = install(|| command.spawn()).unwrap();
    let decider: Arc<dyn Decide> = decider.clone();
    assert_eq!(granted.makes_sockets, makes_sockets());
    Supervisor::start(listener, decider).unwrap();
    (child, granted)
}

/// Runs a command under the guard to its end.
pub(crate) fn run(command: &mut Command, decider: &Arc<Decider>) -> Output {
    start(command, decider).0.wait_with_output().unwrap()
}

pub(crate) fn text(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.is_empty(), "{said}{errors}");
    said.trim_end().to_owned()
}

/// A program of `fixtures/`, compiled once: static, so that no hook could reach it.
pub(crate) fn fixture(name: &str) -> PathBuf {
    static BUILT: Mutex<Option<HashMap<String, PathBuf>>> = Mutex::new(None);
    let mut built = BUILT.lock().unwrap_or_else(|it| it.into_inner());
    let built = built.get_or_insert_default();
    if let Some(path) = built.get(name) {
        return path.clone();
    }
    let directory = scratch("fixture");
    let path = directory.join(name);
    let source = source(&format!("{name}.c"));
    compile(&source, &path);
    built.insert(name.to_owned(), path.clone());
    path
}

/// Compiles a program.
pub(crate) fn compile(source: &Path, program: &Path) {
    let status = Command::new("cc")
        .args(["-O1", "-w", "-static", "-pthread", "-o"])
        .arg(program)
        .arg(source)
        .status()
        .expect("a C compiler");
    assert!(status.success());
}

/// Whether this is the run where nothing can be duplicated, and the guard makes the sockets.
pub(crate) fn makes_sockets() -> bool {
    std::env::var_os("GUARD_MAKES_SOCKETS").is_some()
}

/// A source of `fixtures/`.
pub(crate) fn source(name: &str) -> PathBuf {
    // As nobody the sources may be out of reach: then they have been copied beside the binary.
    let beside = std::env::current_exe().unwrap().with_file_name("fixtures");
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/guard/fixtures");
    let directory = if beside.is_dir() { beside } else { here };
    directory.join(name)
}

/// A directory that stays until the tests are over.
pub(crate) fn scratch(what: &str) -> PathBuf {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let count = COUNT.fetch_add(1, Ordering::SeqCst);
    let path = all_scratch().join(format!("{what}-{count}"));
    std::fs::create_dir(&path).unwrap();
    path
}

/// Removed when this process ends: a value in a static would never be dropped.
fn all_scratch() -> &'static Path {
    static ALL: OnceLock<PathBuf> = OnceLock::new();
    extern "C" fn remove() {
        if let Some(path) = ALL.get() {
            let _ = std::fs::remove_dir_all(path);
        }
    }
    ALL.get_or_init(|| {
        let directory = tempfile::Builder::new().prefix("guard-").tempdir().unwrap();
        let path = directory.keep();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        // SAFETY: `remove` is a function without arguments that does not unwind.
        assert_eq!(unsafe { libc::atexit(remove) }, 0);
        path
    })
}

/// A TCP listener that takes what comes and counts it.
pub(crate) struct Tcp {
    pub(crate) port: u16,
    count: Arc<AtomicUsize>,
}

/// A UDP socket that counts what comes.
pub(crate) struct Udp {
    pub(crate) port: u16,
    count: Arc<AtomicUsize>,
}

impl Tcp {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let backlog = nix::sys::socket::Backlog::new(4096).unwrap();
        nix::sys::socket::listen(&listener, backlog).unwrap();
        let (port, count) = (
            port_of(listener.local_addr()),
            Arc::<AtomicUsize>::default(),
        );
        let counted = Arc::clone(&count);
        std::thread::spawn(move || {
            let mut kept = std::collections::VecDeque::new();
            for stream in listener.incoming() {
                counted.fetch_add(1, Ordering::SeqCst);
                // Open for a while: whoever connects may still want to write.
                kept.push_back(stream);
                if kept.len() > 300 {
                    kept.pop_front();
                }
            }
        });
        Self { port, count }
    }

    /// Connections so far; waits a moment for what is under way.
    pub(crate) fn count(&self) -> usize {
        std::thread::sleep(Duration::from_millis(100));
        self.count.load(Ordering::SeqCst)
    }
}

impl Udp {
    pub(crate) fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let (port, count) = (port_of(socket.local_addr()), Arc::<AtomicUsize>::default());
        let counted = Arc::clone(&count);
        std::thread::spawn(move || {
            let mut data = vec![0; 70000];
            while socket.recv(&mut data).is_ok() {
                counted.fetch_add(1, Ordering::SeqCst);
            }
        });
        Self { port, count }
    }

    pub(crate) fn count(&self) -> usize {
        std::thread::sleep(Duration::from_millis(100));
        self.count.load(Ordering::SeqCst)
    }
}

/// A port that is taken, but that nobody listens on.
pub(crate) fn dead_port() -> (u16, impl Drop) {
    use nix::sys::socket::{
        AddressFamily, SockFlag, SockType, SockaddrIn, bind, getsockname, socket,
    };
    use std::os::fd::AsRawFd;
    struct Kept(#[allow(dead_code, reason = "kept open")] std::os::fd::OwnedFd);
    impl Drop for Kept {
        fn drop(&mut self) {}
    }
    let taken = socket(
        AddressFamily::Inet,
        SockType::Stream,
        SockFlag::empty(),
        None,
    )
    .unwrap();
    bind(taken.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, 0)).unwrap();
    let address: SockaddrIn = getsockname(taken.as_raw_fd()).unwrap();
    (address.port(), Kept(taken))
}

fn port_of(address: std::io::Result<SocketAddr>) -> u16 {
    address.unwrap().port()
}
