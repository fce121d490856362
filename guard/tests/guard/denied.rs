//! Denied calls fail with ECONNREFUSED and reach nobody.

use crate::support::{Decider, Tcp, Udp, run, text};
use hallpass_guard::{Destination, Protocol, Verdict};
use std::process::Command;

fn python(code: &str, arguments: &[u16]) -> Command {
    let mut command = Command::new("python3");
    command
        .arg("-c")
        .arg(format!("import socket, sys, errno, os\n{code}"));
    command.args(arguments.iter().map(u16::to_string));
    command
}

#[test]
fn a_denied_connect_reaches_nobody() {
    let (good, bad) = (Tcp::start(), Tcp::start());
    let decider = Decider::deny(bad.port);
    let code = "
for port in sys.argv[1:]:
    for blocking in True, False:
        s = socket.socket()
        s.setblocking(blocking)
        print(errno.errorcode.get(s.connect_ex(('127.0.0.1', int(port))), 'works'))
";
    let said = text(&run(&mut python(code, &[good.port, bad.port]), &decider));
    assert_eq!(said, "works\nEINPROGRESS\nECONNREFUSED\nECONNREFUSED");
    assert_eq!((good.count(), bad.count()), (2, 0));
}

#[test]
fn a_denied_message_reaches_nobody() {
    let (good, bad) = (Udp::start(), Udp::start());
    let decider = Decider::deny(bad.port);
    let code = "
s = socket.socket(type=socket.SOCK_DGRAM)
for port in sys.argv[1:]:
    to = ('127.0.0.1', int(port))
    for send in (lambda: s.sendto(b'x', to)), (lambda: s.sendmsg([b'x', b'y'], [], 0, to)):
        try:
            print(send())
        except OSError as e:
            print(errno.errorcode[e.errno])
";
    let said = text(&run(&mut python(code, &[good.port, bad.port]), &decider));
    assert_eq!(said, "1\n2\nECONNREFUSED\nECONNREFUSED");
    assert_eq!((good.count(), bad.count()), (2, 0));
}

/// Its number is TCP's, and its address is meant as in any message.
#[test]
fn a_packet_of_ones_own_is_decided_by_its_address() {
    let code = "
try:
    s = socket.socket(type=socket.SOCK_RAW, proto=socket.IPPROTO_TCP)
except PermissionError:
    sys.exit(print('not allowed'))
for to in '127.0.0.1', '127.0.0.2':
    try:
        print(s.sendto(bytes(20), (to, 0)))
    except OSError as e:
        print(errno.errorcode[e.errno])
";
    let decider = Decider::new(|call| {
        Some(match call.destination {
            Destination::Ip(Protocol::Raw, to) if to.ip().to_string() == "127.0.0.1" => {
                Verdict::Allow
            }
            _ => Verdict::Deny,
        })
    });
    let said = text(&run(&mut python(code, &[]), &decider));
    if said == "not allowed" {
        println!("skipped: this user may have no raw sockets");
        return;
    }
    assert_eq!(said, "20\nECONNREFUSED");
}

#[test]
fn a_probe_learns_its_source_address_and_sends_nothing() {
    let udp = Udp::start();
    let decider = Decider::new(|call| {
        Some(match call.destination {
            Destination::Ip(Protocol::Udp, _) => Verdict::Probe,
            _ => Verdict::Allow,
        })
    });
    let code = "
s = socket.socket(type=socket.SOCK_DGRAM)
s.connect(('127.0.0.1', int(sys.argv[1])))
print(s.getsockname()[0])
for send in (lambda: s.send(b'x')), (lambda: os.write(s.fileno(), b'x')), (lambda: s.sendmsg([b'x'])):
    try:
        print(send())
    except OSError as e:
        print(errno.errorcode[e.errno])
";
    let said = text(&run(&mut python(code, &[udp.port]), &decider));
    assert_eq!(said, "127.0.0.1\nEPIPE\nEPIPE\nEPIPE");
    assert_eq!(udp.count(), 0);
}

#[test]
fn a_probe_of_tcp_is_denied() {
    let tcp = Tcp::start();
    let decider = Decider::new(|_| Some(Verdict::Probe));
    let code =
        "print(errno.errorcode[socket.socket().connect_ex(('127.0.0.1', int(sys.argv[1])))])";
    let said = text(&run(&mut python(code, &[tcp.port]), &decider));
    assert_eq!((said.as_str(), tcp.count()), ("ECONNREFUSED", 0));
}

#[test]
fn a_unix_socket_is_denied_by_its_real_path() {
    let directory = crate::support::scratch("broker");
    let code = "
os.chdir(sys.argv.pop())
l = socket.socket(socket.AF_UNIX); l.bind('broker'); l.listen(5)
d = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); d.bind('datagrams')
os.symlink('broker', 'innocent')
for path in 'broker', 'innocent', os.getcwd() + '/innocent', '../' + os.path.basename(os.getcwd()) + '/broker':
    print(errno.errorcode.get(socket.socket(socket.AF_UNIX).connect_ex(path), 'works'))
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
for send in (lambda: s.sendto(b'x', 'datagrams')), (lambda: s.sendmsg([b'x'], [], 0, 'datagrams')):
    try:
        print(send())
    except OSError as e:
        print(errno.errorcode[e.errno])
";
    let decider = Decider::new(|call| match &call.destination {
        Destination::Path { path, .. } => Some(
            if path.ends_with(b"/broker") || path.ends_with(b"/datagrams") {
                Verdict::Deny
            } else {
                Verdict::Allow
            },
        ),
        _ => Some(Verdict::Allow),
    });
    let mut command = python(code, &[]);
    command.arg(directory);
    let said = text(&run(&mut command, &decider));
    assert_eq!(said, ["ECONNREFUSED"; 6].join("\n"));
}

#[test]
fn sendmmsg_stops_at_the_first_denied_message() {
    let (good, bad) = (Udp::start(), Udp::start());
    let decider = Decider::deny(bad.port);
    let code = "
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
class V(ctypes.Structure): _fields_ = [('b', ctypes.c_char_p), ('n', ctypes.c_size_t)]
class M(ctypes.Structure):
    _fields_ = [('name', ctypes.c_char_p), ('len', ctypes.c_uint), ('v', ctypes.POINTER(V)), ('vn', ctypes.c_size_t),
                ('c', ctypes.c_void_p), ('cn', ctypes.c_size_t), ('f', ctypes.c_long), ('sent', ctypes.c_uint)]
good, bad = (b'\\x02\\0' + int(p).to_bytes(2, 'big') + b'\\x7f\\0\\0\\x01' + bytes(8) for p in sys.argv[1:])
v = V(b'hello', 5)
s = socket.socket(type=socket.SOCK_DGRAM)
for names in [good, good, bad, good], [bad, good]:
    m = (M * len(names))(*[M(n, 16, ctypes.pointer(v), 1, None, 0, 0, 0) for n in names])
    r = libc.sendmmsg(s.fileno(), m, len(names), 0)
    print(r, errno.errorcode[ctypes.get_errno()] if r < 0 else [it.sent for it in m])
";
    let said = text(&run(&mut python(code, &[good.port, bad.port]), &decider));
    assert_eq!(said, "2 [5, 5, 0, 0]\n-1 ECONNREFUSED");
    assert_eq!((good.count(), bad.count()), (2, 0));
}

#[test]
fn a_dropped_reply_denies() {
    let tcp = Tcp::start();
    let decider = Decider::hold();
    let code =
        "print(errno.errorcode[socket.socket().connect_ex(('127.0.0.1', int(sys.argv[1])))])";
    let (child, _) = crate::support::start(&mut python(code, &[tcp.port]), &decider);
    decider.wait_for_held(1);
    decider.held.lock().unwrap().clear();
    let said = text(&child.wait_with_output().unwrap());
    assert_eq!((said.as_str(), tcp.count()), ("ECONNREFUSED", 0));
    assert_eq!(
        *decider.refused.lock().unwrap(),
        [hallpass_guard::Refusal::Unanswered]
    );
}
