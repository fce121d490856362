//! Those of the twelve that are about where a connection goes: ports on domains, localhost on its
//! own, LAN rules. In a network of their own, so that there are a LAN and an internet.

use crate::harness::{Dir, missing, skipped};

/// A network of its own in which 192.168.77.0/24 (LAN) and 203.0.113.0/24 (internet) are this
/// machine, with a server at ports 8080 and 8081 of every address, that knows which were called.
struct Town {
    dir: Dir,
}

const EAR: &str = "import selectors, socket
watch = selectors.DefaultSelector()
for family, port in [(f, p) for f in (socket.AF_INET, socket.AF_INET6) for p in (8080, 8081)]:
    s = socket.socket(family)
    if family == socket.AF_INET6: s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    s.bind(('', port)); s.listen(50); watch.register(s, selectors.EVENT_READ)
open('ready', 'w').write('yes')
while True:
    for key, _ in watch.select():
        c, _ = key.fileobj.accept()
        where = c.getsockname()
        c.recv(4096); c.sendall(b'HTTP/1.0 200 OK\\r\\n\\r\\npage from %s:%d\\n' % (where[0].encode(), where[1])); c.close()
";

impl Town {
    /// None where it cannot be had.
    fn new() -> Option<Self> {
        if missing("/usr/bin/python3") || missing("unshare") || missing("ip") {
            return None;
        }
        let dir = Dir::new();
        let may = dir.bare(&["unshare", "-r", "-m", "-n", "true"]).output();
        if !may.status.success() {
            skipped("this user may not make user, mount and network namespaces");
            return None;
        }
        dir.write("home/ear.py", EAR);
        dir.write(
            "hosts",
            "127.0.0.1 localhost\n203.0.113.5 files.example.com\n203.0.113.6 example.com\n",
        );
        dir.write("nsswitch.conf", "hosts: files\n");
        Some(Self { dir })
    }

    /// For each of `places` (`host:port`), whether curl got its page.
    fn reached(&self, flags: &[&str], places: &[&str]) -> Vec<bool> {
        let flags = flags
            .iter()
            .map(|flag| format!("'{flag}' "))
            .collect::<String>();
        let places = places.join(" ");
        let fetch = "for place; do curl -s --max-time 20 http://$place/ || echo refused; done";
        let script = format!(
            "set -e; ip link set lo up
             for net in 192.168.77.0/24 203.0.113.0/24; do ip route add local $net dev lo; done
             for file in hosts nsswitch.conf; do mount --bind ../$file /etc/$file; done
             rm -f ready; /usr/bin/python3 ear.py & ear=$!
             trap 'kill $ear' EXIT
             until test -s ready; do sleep 0.05; done
             set +e
             {} run --prompt=none {flags} -- sh -c '{fetch}' sh {places}",
            env!("CARGO_BIN_EXE_hallpass"),
        );
        let outcome = self
            .dir
            .bare(&["unshare", "-r", "-m", "-n", "sh", "-c", &script])
            .output();
        let lines = outcome.stdout.lines();
        let reached: Vec<bool> = lines.map(|line| line.starts_with("page from")).collect();
        assert_eq!(reached.len(), places.split(' ').count(), "{outcome}");
        reached
    }
}

#[test]
fn ports_on_domains() {
    let Some(town) = Town::new() else { return };
    let places = [
        "files.example.com:8080",
        "files.example.com:8081",
        "example.com:8080",
        "203.0.113.7:8080",
    ];
    let reached = |flags: &[&str]| town.reached(&[&["--default=deny"], flags].concat(), &places);
    assert_eq!(
        reached(&["--allow=files.example.com:8080"]),
        [true, false, false, false]
    );
    assert_eq!(
        reached(&["--allow=*.example.com:8081"]),
        [false, true, false, false]
    );
    assert_eq!(
        reached(&[
            "--allow=*.example.com:8000-8080/tcp",
            "--allow=example.com:8080,443"
        ]),
        [true, false, true, false]
    );
    // A port taken away from a domain that is allowed.
    let flags = ["--allow=*.example.com", "--deny=*.example.com:8081"];
    assert_eq!(reached(&flags), [true, false, false, false]);
}

#[test]
fn localhost_on_its_own() {
    let Some(town) = Town::new() else { return };
    let places = [
        "127.0.0.1:8080",
        "127.0.0.9:8081",
        "[::1]:8080",
        "localhost:8080",
        "192.168.77.9:8080",
        "203.0.113.7:8080",
    ];
    let only = [true, true, true, true, false, false];
    let others = only.map(|here| !here);
    assert_eq!(
        town.reached(&["--default=deny", "--allow=@loopback"], &places),
        only
    );
    assert_eq!(
        town.reached(&["--default=allow", "--deny=@loopback"], &places),
        others
    );
    // The LAN is not localhost either way.
    assert_eq!(
        town.reached(
            &["--default=deny", "--allow=@lan", "--allow=@internet"],
            &places
        ),
        others
    );
    // One port of it.
    let reached = town.reached(&["--default=deny", "--allow=@loopback:8080"], &places);
    assert_eq!(reached, [true, false, true, true, false, false]);
}

#[test]
fn lan_rules() {
    let Some(town) = Town::new() else { return };
    let places = [
        "192.168.77.9:8080",
        "192.168.77.10:8080",
        "192.168.77.9:8081",
        "203.0.113.7:8080",
        "127.0.0.1:8080",
    ];
    let reached = |flags: &[&str]| town.reached(flags, &places);
    assert_eq!(
        reached(&["--default=allow", "--deny=@lan"]),
        [false, false, false, true, true]
    );
    assert_eq!(
        reached(&["--default=deny", "--allow=@lan"]),
        [true, true, true, false, false]
    );
    assert_eq!(
        reached(&["--default=deny", "--allow=@local"]),
        [true, true, true, false, true]
    );
    // Asked about, with nobody there.
    assert_eq!(
        reached(&["--default=allow", "--ask=@lan"]),
        [false, false, false, true, true]
    );
    // The printer, at its port.
    let flags = [
        "--default=allow",
        "--deny=@lan",
        "--allow=192.168.77.9:8080",
    ];
    assert_eq!(reached(&flags), [true, false, false, true, true]);
    let flags = ["--default=allow", "--deny=192.168.77.0/28"];
    assert_eq!(reached(&flags), [false, false, false, true, true]);
}
