//! As root: targets with other rights than the supervisor's get what they would get without it, no
//! less and no more, and peers are told who they are.

use crate::support::{Decider, run, scratch, text};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// The system's, which everybody may start.
const PYTHON: &str = "/usr/bin/python3";

/// Serves UNIX sockets: tells each who connects who that is, and prints who sent each datagram.
const EAR: &str = "
import os, select, socket, struct, sys
PEERGROUPS = 59
def ids(data): return [it for (it,) in struct.iter_unpack('i', data)]
ears = {}
for path in sys.argv[1:]:
    kind = socket.SOCK_DGRAM if path.endswith('datagrams') else socket.SOCK_STREAM
    s = socket.socket(socket.AF_UNIX, kind)
    s.bind(path.replace('@', '\\0', 1) if path[0] == '@' else path)
    if kind == socket.SOCK_DGRAM: s.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    else: s.listen(16)
    ears[s.fileno()] = s
print('ready', flush=True)
while True:
    for number in select.select(list(ears), [], [])[0]:
        ear = ears[number]
        if ear.type == socket.SOCK_DGRAM:
            data, control, *_ = ear.recvmsg(100, 100)
            answer = f'{ids(control[0][2])[1:]} sent {data.decode()}'
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(answer.encode(), data)
            continue
        connection, _ = ear.accept()
        get = lambda what, size: connection.getsockopt(socket.SOL_SOCKET, what, size)
        who = ids(get(socket.SO_PEERCRED, 12))[1:], sorted(ids(get(PEERGROUPS, 400)))
        connection.send(str(who).encode())
        connection.close()
";

/// Connects to each socket, or sends to it and waits for the answer, and says how that went.
const DIAL: &str = "
import ctypes, errno, os, socket, struct, sys, tempfile, threading, time
def tried(what):
    try: return what()
    except OSError as e: return errno.errorcode[e.errno]
def dial(path):
    s = socket.socket(socket.AF_UNIX)
    s.connect(path.replace('@', '\\0', 1) if path[0] == '@' else path)
    return s.recv(1000).decode()
def send(path, control=()):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    s.settimeout(10)
    mine = tempfile.mktemp()
    s.bind(mine); os.chmod(mine, 0o777)
    s.sendmsg([mine.encode()], control, 0, path)
    answer = s.recv(1000).decode().replace(mine, 'it')
    os.unlink(mine)
    return answer
def claim(user, group):
    it = struct.pack('3i', os.getpid(), user, group)
    return [(socket.SOL_SOCKET, socket.SCM_CREDENTIALS, it)]
def all(names):
    for path in names:
        it = send if path.endswith('datagrams') else dial
        print(path, tried(lambda: it(path)))
";

struct Ear(Child);

impl Drop for Ear {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Sockets, and who may use them.
struct Sockets {
    place: PathBuf,
    _ear: Ear,
}

const USER: u32 = 65534;
const GROUP: u32 = 4711;
/// Directory, its owner and mode; socket, its owner, group and mode.
const FILES: [(&str, u32, u32, &str, u32, u32, u32); 7] = [
    ("open", 0, 0o755, "roots", 0, 0, 0o600),
    ("open", 0, 0o755, "users", USER, 0, 0o600),
    ("open", 0, 0o755, "groups", 0, GROUP, 0o660),
    ("open", 0, 0o755, "datagrams", USER, 0, 0o600),
    ("open", 0, 0o755, "roots-datagrams", 0, 0, 0o600),
    ("closed", 0, 0o700, "socket", 0, 0, 0o777),
    ("theirs", USER, 0o700, "socket", USER, USER, 0o700),
];

impl Sockets {
    /// None where nobody here may make them.
    fn new() -> Option<Self> {
        if !nix::unistd::geteuid().is_root() {
            return None;
        }
        let place = scratch("rights");
        let mut paths = Vec::new();
        for (directory, .., socket, _, _, _) in FILES {
            let directory = place.join(directory);
            std::fs::create_dir_all(&directory).unwrap();
            paths.push(directory.join(socket));
        }
        let mut child = Command::new(PYTHON)
            .args(["-c", EAR])
            .args(&paths)
            .arg(Self::abstract_name(&place))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut out = std::io::BufReader::new(child.stdout.take().unwrap());
        std::io::BufRead::read_line(&mut out, &mut line).unwrap();
        assert_eq!(line, "ready\n");
        let mode = |path: &Path, mode| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        for ((directory, owner, rights, _, user, group, socket_rights), path) in
            FILES.into_iter().zip(&paths)
        {
            chown(path, Some(user), Some(group)).unwrap();
            mode(path, socket_rights);
            chown(place.join(directory), Some(owner), None).unwrap();
            mode(&place.join(directory), rights);
        }
        Some(Self {
            place,
            _ear: Ear(child),
        })
    }

    fn abstract_name(place: &Path) -> String {
        format!("@{}", place.display())
    }

    /// What `code` says bare and under the guard, started by `with`; it has the sockets' names.
    fn both(&self, with: &[&str], code: &str) -> [String; 2] {
        let names = FILES.map(|(directory, .., socket, _, _, _)| format!("{directory}/{socket}"));
        let command = || {
            let mut words = with.iter().copied().chain([PYTHON, "-c"]);
            let mut command = Command::new(words.next().unwrap());
            command
                .args(words)
                .arg(format!("{DIAL}{code}"))
                .args(&names)
                .arg(Self::abstract_name(&self.place))
                .current_dir(&self.place);
            command
        };
        let bare = text(&command().output().unwrap());
        let decider = Decider::allow();
        let guarded = text(&run(&mut command(), &decider));
        [bare, guarded]
    }

    /// The same is said both times; returns it.
    #[track_caller]
    fn same(&self, with: &[&str], code: &str) -> String {
        let [bare, guarded] = self.both(with, code);
        assert_eq!(bare, guarded, "bare, guarded: {with:?}");
        guarded
    }
}

const ALL: &str = "all(sys.argv[1:])";
const NOBODY: [&str; 4] = [
    "setpriv",
    "--reuid=65534",
    "--regid=65533",
    "--clear-groups",
];

#[test]
fn what_a_user_may_reach_is_reached_and_nothing_else() {
    let Some(sockets) = Sockets::new() else {
        return;
    };
    let said = sockets.same(&NOBODY, ALL);
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(
        lines[..3],
        [
            "open/roots EACCES",
            "open/users ([65534, 65533], [])",
            "open/groups EACCES",
        ]
    );
    assert_eq!(
        lines[3..7],
        [
            "open/datagrams [65534, 65533] sent it",
            "open/roots-datagrams EACCES",
            "closed/socket EACCES",
            "theirs/socket ([65534, 65533], [])",
        ]
    );
    assert!(lines[7].ends_with(" ([65534, 65533], [])"), "{said}");
    // Groups count, and are told.
    let mut with = NOBODY.to_vec();
    with[3] = "--groups=4711,4712";
    let said = sockets.same(&with, ALL);
    assert!(
        said.contains("open/groups ([65534, 65533], [4711, 4712])"),
        "{said}"
    );
}

#[test]
fn capabilities_count_without_a_user_and_a_user_without_them() {
    let Some(sockets) = Sockets::new() else {
        return;
    };
    let powerful = ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"];
    let said = sockets.same(&[&NOBODY[..], &powerful].concat(), ALL);
    assert!(!said.contains("EACCES"), "{said}");
    let powerless = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"];
    let said = sockets.same(&powerless, ALL);
    assert!(said.contains("theirs/socket EACCES"), "{said}");
    assert!(said.contains("closed/socket ([0, 0]"), "{said}");
}

#[test]
fn dropping_without_a_new_program_counts_as_well() {
    let Some(sockets) = Sockets::new() else {
        return;
    };
    // All threads; with a thread besides, so that nothing is left to the kernel.
    let code = "
threading.Thread(target=time.sleep, args=(30,), daemon=True).start()
os.setgroups([4711]); os.setresgid(65533, 65533, 65533); os.setresuid(65534, 65534, 65534)
all(sys.argv[1:])
sys.stdout.flush(); os._exit(0)
";
    let said = sockets.same(&["env"], code);
    assert!(said.contains("open/roots EACCES"), "{said}");
    assert!(
        said.contains("open/groups ([65534, 65533], [4711])"),
        "{said}"
    );
    // Only for files (what file servers do), only for now (what they do between two calls).
    let files = "
ctypes.CDLL(None).setfsuid(65534)
all(sys.argv[1:])
";
    let said = sockets.same(&["setpriv", "--clear-groups"], files);
    assert!(said.contains("open/roots EACCES"), "{said}");
    assert!(said.contains("open/users ([0, 0]"), "{said}");
    let now = "
os.seteuid(65534)
all(sys.argv[1:])
os.seteuid(0)
all(sys.argv[1:])
";
    let said = sockets.same(&["setpriv", "--clear-groups"], now);
    assert!(said.contains("open/users ([65534, 0], [])"), "{said}");
    assert!(said.contains("closed/socket ([0, 0], [])"), "{said}");
}

#[test]
fn nobody_is_root_in_a_namespace_of_their_own() {
    let Some(sockets) = Sockets::new() else {
        return;
    };
    let can = Command::new("unshare").args(["-r", "true"]).status();
    if !can.unwrap().success() {
        println!("skipped: no user namespace can be had here");
        return;
    }
    // Root's user is still theirs, its capabilities are not.
    let said = sockets.same(
        &["unshare", "-r"],
        "
print(tried(lambda: dial('theirs/socket')), tried(lambda: dial('open/users')))
print(tried(lambda: dial('open/roots')) != 'EACCES')
",
    );
    assert_eq!(said, "EACCES EACCES\nTrue");
    let code = "print(tried(lambda: dial('open/roots')), tried(lambda: dial('closed/socket')))";
    let said = sockets.same(&[&NOBODY[..], &["unshare", "-r"]].concat(), code);
    assert_eq!(said, "EACCES EACCES");
}

/// Who sends may be said by the sender, and must be true.
#[test]
fn nobody_sends_as_somebody_else() {
    let Some(sockets) = Sockets::new() else {
        return;
    };
    let code = "
for user, group in (65534, 65533), (0, 65533), (65534, 0), (0, 0):
    print(tried(lambda: send('open/datagrams', claim(user, group))))
";
    let said = sockets.same(&NOBODY, code);
    assert_eq!(said, "[65534, 65533] sent it\nEPERM\nEPERM\nEPERM");
}

/// Netlink sockets, by which root changes the network: what one of root's is used for by somebody
/// else counts as theirs.
#[test]
fn nobody_changes_the_network_on_a_socket_of_roots() {
    let Some(sockets) = Sockets::new() else {
        return;
    };
    let code = "
threading.Thread(target=time.sleep, args=(30,), daemon=True).start()
s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
multicast = lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0).connect((0, 1))
def change():
    # RTM_NEWROUTE, asked to be acknowledged, for a network of 99 bits: EINVAL for who may.
    s.sendto(struct.pack('=IHHII', 28, 24, 5, 1, 0) + bytes([2, 99] + [0] * 10), (0, 0))
    return errno.errorcode[-struct.unpack_from('=i', s.recv(1000), 16)[0]]
print(tried(multicast), tried(change))
os.setresuid(65534, 65534, 65534)
print(tried(multicast), tried(change))
sys.stdout.flush(); os._exit(0)
";
    assert_eq!(sockets.same(&["env"], code), "None EINVAL\nEPERM EPERM");
}

/// What a process with other credentials sends on a connected UNIX socket, descriptors included,
/// says so to whoever asks for the sender's credentials; each part of it does.
#[test]
fn a_message_of_a_process_with_other_credentials_names_its_sender() {
    let code = "
import array
here, there = socket.socketpair()
here.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
session = os.getppid()
child = os.fork()
if child == 0:
    here.close()
    # What a process of one thread sends there, it sends itself.
    threading.Thread(target=time.sleep, args=(30,), daemon=True).start()
    os.setgroups([]); os.setresgid(65533, 65533, 65533); os.setresuid(65534, 65534, 65534)
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [0]))]
    there.sendmsg([b'a'], rights)
    there.sendmsg([b'b'])
    there.sendmsg([bytes(600_000)])
    own = [(socket.SOL_SOCKET, socket.SCM_CREDENTIALS, struct.pack('3i', os.getpid(), 65534, 65533))]
    there.sendmsg([b'c'], own)
    os._exit(0)
there.close()
senders, descriptors, length, last = set(), 0, 0, None
while True:
    data, control, *_ = here.recvmsg(65536, 1000)
    if not data: break
    length += len(data)
    for _, kind, it in control:
        if kind == socket.SCM_RIGHTS: descriptors += 1
        # What the same process sent may come together with it.
        elif data.endswith(b'c'): last = struct.unpack('3i', it)
        else: senders.add(struct.unpack('3i', it))
os.waitpid(child, 0)
print([(pid == child, pid == session, user, group) for pid, user, group in (*senders, last)])
print(descriptors, length)
";
    let Some(sockets) = Sockets::new().filter(|_| !crate::support::makes_sockets()) else {
        return;
    };
    let [bare, guarded] = sockets.both(&["env"], code);
    let exactly = "(True, False, 65534, 65533)";
    assert_eq!(bare, format!("[{exactly}, {exactly}]\n1 600003"));
    // Who says it itself is told apart by user and group, not by process.
    let last = "(False, True, 65534, 65533)";
    assert_eq!(guarded, format!("[{exactly}, {last}]\n1 600003"));
}

/// All of this once more where the supervisor may not say what process a message is of: as in a
/// container.
#[test]
fn everything_again_without_cap_sys_admin() {
    let again =
        std::env::var_os("GUARD_WITHOUT_ADMIN").is_some() || crate::support::makes_sockets();
    if again || !nix::unistd::geteuid().is_root() {
        return;
    }
    let output = Command::new("setpriv")
        .args(["--bounding-set=-sys_admin", "--inh-caps=-sys_admin"])
        .arg(std::env::current_exe().unwrap())
        .args(["rights::", "--skip", "names_its_sender"])
        .env("GUARD_WITHOUT_ADMIN", "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{errors}");
    assert!(said.contains("7 passed"), "{said}");
}
