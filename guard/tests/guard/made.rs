//! All of it once more where nothing can be duplicated, as in most containers: the guard makes the
//! sockets of programs itself. And what is to be feared of that: that a copy outlives its socket,
//! that a socket is taken for another, that one without a copy gets out.

use crate::support::{
    Decider, Tcp, Udp, compile, fixture, makes_sockets, run, scratch, start, text, wait_until,
};
use hallpass_guard::Refusal;
use std::io::{BufRead, BufReader, Read};
use std::net::UdpSocket;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// A program that starts another as Docker does.
fn container() -> PathBuf {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/container.c");
    let program = scratch("container").join("container");
    compile(source.as_ref(), &program);
    program
}

/// What this way is feared for, and what differs by it.
#[test]
fn the_cases_of_this_way_again() {
    again(&["made::", "allowed::"]);
}

#[test]
#[ignore = "long: tests/run --full"]
fn everything_again_where_nothing_can_be_duplicated() {
    again(&[]);
}

fn again(cases: &[&str]) {
    if std::env::var_os("GUARD_AS_NOBODY").is_some() || makes_sockets() {
        return;
    }
    let output = Command::new(container())
        .arg("getfd")
        .arg(std::env::current_exe().unwrap())
        .args(cases)
        .env("GUARD_MAKES_SOCKETS", "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn python(code: &str, arguments: &[u16]) -> Command {
    let mut command = Command::new("python3");
    let imports = "import array, errno, os, socket, sys, threading, time";
    command.arg("-c").arg(format!("{imports}\n{code}"));
    command.args(arguments.iter().map(u16::to_string));
    command
}

/// A guarded program that waits after each line that it says until it is told to go on.
struct Waiting {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Waiting {
    fn start(code: &str, arguments: &[u16], decider: &std::sync::Arc<Decider>) -> Self {
        let code = format!(
            "def say(*it):
    print(*it, flush=True)
    os.read(int(os.environ['GO']), 1)
def inode(s): return os.fstat(s.fileno()).st_ino
{code}"
        );
        let (read, write) = nix::unistd::pipe().unwrap();
        let mut command = python(&code, arguments);
        command.env("GO", std::os::fd::AsRawFd::as_raw_fd(&read).to_string());
        let (mut child, _) = start(&mut command, decider);
        drop(read);
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        GO.lock().unwrap().insert(child.id(), write);
        Self { child, lines }
    }

    /// The numbers of its next line.
    fn next(&mut self) -> Vec<u64> {
        let Some(line) = self.lines.next() else {
            let mut errors = String::new();
            let _ = self
                .child
                .stderr
                .take()
                .unwrap()
                .read_to_string(&mut errors);
            panic!("it has ended: {errors}");
        };
        let numbers = line.unwrap();
        numbers.split(' ').map(|it| it.parse().unwrap()).collect()
    }

    fn go_on(&self) {
        let go = GO.lock().unwrap();
        nix::unistd::write(&go[&self.child.id()], b"x").unwrap();
    }
}

static GO: std::sync::LazyLock<std::sync::Mutex<std::collections::HashMap<u32, OwnedFd>>> =
    std::sync::LazyLock::new(std::sync::Mutex::default);

impl Drop for Waiting {
    fn drop(&mut self) {
        GO.lock().unwrap().remove(&self.child.id());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether this process, the supervisor, has a descriptor of the socket.
fn holds(inode: u64) -> bool {
    let link = format!("socket:[{inode}]");
    let mut all = std::fs::read_dir("/proc/self/fd").unwrap();
    all.any(|it| {
        std::fs::read_link(it.unwrap().path()).is_ok_and(|it| it.to_str() == Some(link.as_str()))
    })
}

/// The supervisor lets go of a connection before its program hears of it, or as soon as it is.
#[test]
fn no_copy_of_a_connection_is_kept() {
    if !makes_sockets() {
        return;
    }
    let tcp = Tcp::start();
    let full = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    nix::sys::socket::listen(&full, nix::sys::socket::Backlog::new(0).unwrap()).unwrap();
    let address = full.local_addr().unwrap();
    let first = std::net::TcpStream::connect(address).unwrap();
    let code = "
good, full = (('127.0.0.1', int(it)) for it in sys.argv[1:])
s = socket.socket(); say(inode(s)); s.connect(good); say(inode(s))
s = socket.socket(); s.setblocking(False); s.connect_ex(good); say(inode(s))
s = socket.socket(); s.setblocking(False); s.connect_ex(full); say(inode(s))
assert s.connect_ex(full) == 0
assert s.connect_ex(full) == errno.EISCONN
l = socket.socket(socket.AF_UNIX); l.bind('\\0made-%d' % os.getpid()); l.listen(); say(inode(l))
s = socket.socket(socket.AF_UNIX); s.connect(l.getsockname()); say(inode(s))
l = socket.socket(); l.listen(); say(inode(l))
";
    let mut program = Waiting::start(code, &[tcp.port, address.port()], &Decider::allow());
    let inode = program.next()[0];
    assert!(holds(inode), "it is not connected yet");
    program.go_on();
    assert!(!holds(program.next()[0]), "blocking");
    program.go_on();
    assert!(!holds(program.next()[0]), "not blocking");
    program.go_on();
    let inode = program.next()[0];
    assert!(holds(inode), "on its way");
    // Both take what waits, so that the second comes through.
    let taken = [full.accept().unwrap(), full.accept().unwrap()];
    wait_until(|| !holds(inode));
    program.go_on();
    assert!(!holds(program.next()[0]), "a UNIX socket that listens");
    program.go_on();
    assert!(!holds(program.next()[0]), "a UNIX socket that is connected");
    program.go_on();
    assert!(!holds(program.next()[0]), "a TCP socket that listens");
    drop((first, taken));
}

/// What programs have closed is let go of, and what one has closed can be bound again at once.
#[test]
fn no_copy_outlives_its_socket() {
    if !makes_sockets() {
        return;
    }
    // A port that the kernel gives nobody of its own accord: another test could have it meanwhile.
    let code = "
s = socket.socket(type=socket.SOCK_DGRAM)
for port in range(10000 + os.getpid() % 20000, 32768):
    try: s.bind(('127.0.0.1', port)); break
    except OSError: pass
address = s.getsockname()
say(inode(s)); s.close(); say(0)
for _ in range(300):
    s = socket.socket(type=socket.SOCK_DGRAM); s.bind(address); s.close()
    s = socket.socket(); s.bind(address); s.close()
    s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); s.bind(('::', address[1])); s.close()
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind('\\0made-%d' % os.getpid()); s.close()
if not os.fork():
    s = socket.socket(type=socket.SOCK_DGRAM); s.bind(address); os._exit(0)
os.wait()
s = socket.socket(type=socket.SOCK_DGRAM); s.bind(address); say(inode(s))
";
    let mut program = Waiting::start(code, &[], &Decider::allow());
    let first = program.next()[0];
    assert!(holds(first));
    program.go_on();
    program.next();
    wait_until(|| !holds(first));
    program.go_on();
    let last = program.next()[0];
    std::thread::sleep(std::time::Duration::from_millis(1500));
    assert!(holds(last), "its program has it still");
}

/// However a socket comes to a process, it is the same.
#[test]
fn sockets_are_found_wherever_they_go() {
    if !makes_sockets() {
        return;
    }
    let (tcp, udp) = (Tcp::start(), Udp::start());
    let code = "
tcp, udp = (('127.0.0.1', int(it)) for it in sys.argv[1:])
def both(): return socket.socket(), socket.socket(type=socket.SOCK_DGRAM)
def use(t, u): t.connect(tcp); u.sendto(b'x', udp); u.connect(udp); u.send(b'y')
use(*(it.dup() for it in both()))
mine = both(); high = [socket.socket(fileno=os.dup2(it.fileno(), n)) for n, it in zip((500, 501), mine)]
for it in mine: it.close()
use(*high)
mine = both()
if not os.fork(): use(*mine); os._exit(0)
os.wait()
mine = both()
for it in mine: it.set_inheritable(True)
program = 'import socket, sys; t, u = (socket.socket(fileno=int(it)) for it in sys.argv[3:]); \\
t.connect((\"127.0.0.1\", int(sys.argv[1]))); u.sendto(b\"x\", (\"127.0.0.1\", int(sys.argv[2]))); u.sendto(b\"y\", (\"127.0.0.1\", int(sys.argv[2])))'
if not os.fork(): os.execvp('python3', ['python3', '-c', program, *sys.argv[1:], *(str(it.fileno()) for it in mine)])
assert os.wait()[1] == 0
# In a message that nobody reads for longer than anything is kept that is in no table.
here, there = socket.socketpair()
mine = both()
socket.send_fds(here, [b'x'], [it.fileno() for it in mine])
for it in mine: it.close()
time.sleep(2)
got = socket.recv_fds(there, 1, 2)[1]
use(*(socket.socket(fileno=it) for it in got))
threads = [threading.Thread(target=lambda: use(*both())) for _ in range(50)]
for it in threads: it.start()
for it in threads: it.join()
print('done')
";
    let decider = Decider::allow();
    let said = text(&run(&mut python(code, &[tcp.port, udp.port]), &decider));
    assert_eq!(said, "done");
    assert_eq!((tcp.count(), udp.count()), (55, 110));
    assert_eq!(*decider.refused.lock().unwrap(), []);
}

/// What the guard has no copy of can receive, and reach nothing.
#[test]
fn a_socket_from_elsewhere_reaches_nothing() {
    if !makes_sockets() {
        return;
    }
    let (udp, elsewhere) = (Udp::start(), UdpSocket::bind("127.0.0.1:0").unwrap());
    let unconnected = nix::sys::socket::socket(
        nix::sys::socket::AddressFamily::Inet,
        nix::sys::socket::SockType::Stream,
        nix::sys::socket::SockFlag::empty(),
        None,
    )
    .unwrap();
    let code = "
u = socket.socket(fileno=0); t = socket.socket(fileno=int(sys.argv[2])); to = ('127.0.0.1', int(sys.argv[1]))
for it in (lambda: u.sendto(b'x', to)), (lambda: u.connect(to)), (lambda: t.connect(to)), (lambda: u.sendmsg([b'x'], [], 0, to)):
    try: print(it())
    except OSError as e: print(errno.errorcode[e.errno])
s = socket.socket(type=socket.SOCK_DGRAM); s.sendto(b'hello', u.getsockname()); print(u.recv(9))
";
    nix::fcntl::fcntl(
        &unconnected,
        nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::empty()),
    )
    .unwrap();
    let number = std::os::fd::AsRawFd::as_raw_fd(&unconnected);
    let decider = Decider::allow();
    let mut command = python(code, &[udp.port, number.try_into().unwrap()]);
    command
        .stdin(Stdio::from(OwnedFd::from(elsewhere)))
        .stdout(Stdio::piped());
    let (listener, _, child) = hallpass_guard::install(|| command.spawn()).unwrap();
    hallpass_guard::Supervisor::start(listener, decider.clone()).unwrap();
    let said = text(&child.wait_with_output().unwrap());
    assert_eq!(
        said,
        "ECONNREFUSED\nECONNREFUSED\nECONNREFUSED\nECONNREFUSED\nb'hello'"
    );
    assert_eq!(*decider.refused.lock().unwrap(), [Refusal::NoCopy; 4]);
    assert_eq!(udp.count(), 0);
}

/// Numbers that are now this socket, now that one, with addresses that come and go.
#[test]
fn a_number_that_means_another_socket_meanwhile() {
    if !makes_sockets() {
        return;
    }
    let (good_tcp, bad_tcp) = (Tcp::start(), Tcp::start());
    let (good, bad) = (Udp::start(), Udp::start());
    let decider = Decider::new({
        let bad = [bad.port, bad_tcp.port];
        move |call| {
            Some(match call.destination {
                hallpass_guard::Destination::Ip(_, to) if bad.contains(&to.port()) => {
                    hallpass_guard::Verdict::Deny
                }
                _ => hallpass_guard::Verdict::Allow,
            })
        }
    });
    let mut command = Command::new(fixture("exchanged"));
    let ports = [good_tcp.port, bad_tcp.port, good.port, bad.port];
    command.args(ports.map(|it| it.to_string()));
    let said = text(&run(&mut command, &decider));
    let made: Vec<u32> = said.split(' ').map(|it| it.parse().unwrap()).collect();
    assert!(made.iter().all(|it| *it > 10), "the race was on: {said}");
    assert_eq!((bad_tcp.count(), bad.count()), (0, 0), "{said}");
}

/// A socket belongs to the network of whoever makes it.
#[test]
fn in_another_network_nothing_is_made() {
    if !makes_sockets() || !nix::unistd::geteuid().is_root() {
        return;
    }
    let tcp = Tcp::start();
    let decider = Decider::allow();
    let code = "
libc = __import__('ctypes').CDLL(None)
s = socket.socket()
assert libc.unshare(0x40000000) == 0
# Made before: of the network that it was made in, wherever its program is by now.
print(s.connect_ex(('127.0.0.1', int(sys.argv[1]))))
print(errno.errorcode[socket.socket().connect_ex(('127.0.0.1', int(sys.argv[1])))])
";
    let said = text(&run(&mut python(code, &[tcp.port]), &decider));
    assert_eq!(said, "0\nECONNREFUSED");
    assert_eq!(*decider.refused.lock().unwrap(), [Refusal::NoCopy]);
    assert_eq!(tcp.count(), 1);
}

/// The limit is the supervisor's own, not its programs'.
#[test]
fn thousands_of_sockets() {
    if !makes_sockets() {
        return;
    }
    let udp = Udp::start();
    let code = "
import resource
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
wanted = min(hard, 5000)
resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
all = []
try:
    while True: all.append(socket.socket(type=socket.SOCK_DGRAM))
except OSError as e: print(errno.errorcode[e.errno])
print(wanted - len(all) < 20)
for it in all[:10], all[-10:]:
    for s in it: s.sendto(b'x', ('127.0.0.1', int(sys.argv[1])))
";
    let decider = Decider::allow();
    let said = text(&run(&mut python(code, &[udp.port]), &decider));
    assert_eq!((said.as_str(), udp.count()), ("EMFILE\nTrue", 20));
}
