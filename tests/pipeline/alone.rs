//! A network, and a name server, that nobody else is in.

use crate::harness::{Dir, missing, skipped};
use nix::unistd::geteuid;
use std::net::{Ipv4Addr, UdpSocket};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;

const INSIDE: &str = "HALLPASS_TEST_ALONE";
/// Makes the network and hides the files that say how names are looked up.
const ENTER: &str = "ip link set lo up
for file in hosts resolv.conf nsswitch.conf; do mount --bind \"$FILES/$file\" /etc/$file; done
exec \"$0\" \"$@\"";

/// Runs this test once more in a network of its own; true in there.
#[track_caller]
pub(crate) fn alone(test: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    if missing("unshare") || missing("ip") {
        return false;
    }
    let mut flags = vec!["-n", "-m"];
    if !geteuid().is_root() {
        flags.push("-r");
    }
    let dir = Dir::new();
    let may = Command::new("unshare").args(&flags).arg("true").status();
    if !may.is_ok_and(|status| status.success()) {
        skipped("this user may not make network and mount namespaces");
        return false;
    }
    dir.write("etc/resolv.conf", "nameserver 127.0.0.1\n");
    dir.write("etc/hosts", "127.0.0.1 localhost\n");
    dir.write("etc/nsswitch.conf", "hosts: files dns\n");
    let status = Command::new("unshare")
        .args(&flags)
        .args(["sh", "-euc", ENTER])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--include-ignored", "--nocapture"])
        .env(INSIDE, "1")
        .env("FILES", dir.path("etc"))
        .status();
    assert!(status.unwrap().success(), "{test}, in a network of its own");
    false
}

/// Names, and the address of each.
pub(crate) const NAMES: [(&str, Ipv4Addr); 3] = [
    ("registry.test", Ipv4Addr::new(127, 0, 0, 2)),
    ("files.test", Ipv4Addr::new(127, 0, 0, 3)),
    ("attacker.test", Ipv4Addr::new(127, 0, 0, 4)),
];

/// The name server of [`NAMES`] and all below them.
pub(crate) struct NameServer {
    asked: Arc<Mutex<Vec<String>>>,
}

impl NameServer {
    pub(crate) fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:53").unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::clone(&asked);
        thread::spawn(move || {
            let mut query = [0; 1500];
            while let Ok((length, from)) = socket.recv_from(&mut query) {
                if let Some((name, reply)) = reply(&query[..length]) {
                    shared.lock().unwrap().push(name);
                    let _ = socket.send_to(&reply, from);
                }
            }
        });
        Self { asked }
    }

    /// Every name that it was asked for, in whatever letters, in small ones.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// The name of a question, and what to say (RFC 1035).
fn reply(query: &[u8]) -> Option<(String, Vec<u8>)> {
    let mut labels = Vec::new();
    let mut at = 12;
    loop {
        let length = usize::from(*query.get(at)?);
        at += 1;
        if length == 0 {
            break;
        }
        let label = query.get(at..at + length)?;
        labels.push(String::from_utf8_lossy(label).to_lowercase());
        at += length;
    }
    let question = query.get(12..at + 4)?;
    let name = labels.join(".");
    let is_a = question.get(question.len() - 4..)? == [0, 1, 0, 1];
    let found = NAMES.iter().find(|(zone, _)| name.ends_with(zone));
    let flags = [0x81, if found.is_some() { 0x80 } else { 0x83 }];
    let found = found.filter(|_| is_a);
    let mut reply = query.get(..2)?.to_vec();
    reply.extend(flags);
    reply.extend([0, 1, 0, u8::from(found.is_some()), 0, 0, 0, 0]);
    reply.extend(question);
    if let Some((_, address)) = found {
        reply.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 4, 0, 4]);
        reply.extend(address.octets());
    }
    Some((name, reply))
}
