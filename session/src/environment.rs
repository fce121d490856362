//! What of the machine policy depends on: attached networks and name servers.

use crate::core::Core;
use hallpass_policy::{Environment, canonical_name};
use ipnet::IpNet;
use nix::fcntl::OFlag;
use nix::ifaddrs::getifaddrs;
use std::fs::File;
use std::io::Read;
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::time::Duration;

/// resolv.conf(5) files are short; the rest of a longer one is not looked at.
const MAX_RESOLV_CONF: u64 = 64 * 1024;
/// hosts(5) files may be lists of what is not to be reached.
const MAX_HOSTS: u64 = 16 * 1024 * 1024;

/// Reads both from the system. What cannot be read counts as empty, which matches less.
#[must_use]
pub fn read() -> Environment {
    let mut text = String::new();
    if let Ok(file) = File::open("/etc/resolv.conf") {
        let _ = file.take(MAX_RESOLV_CONF).read_to_string(&mut text);
    }
    Environment {
        attached: attached(),
        nameservers: nameservers(&text),
    }
}

/// Whether the process `pid` finds an address for this canonical name without asking anybody:
/// loopback's (RFC 6761), the machine's own, and those of hosts(5), where it may have a file of its
/// own (containers).
#[must_use]
pub fn knows(name: &str, pid: u32) -> bool {
    let own = rustix::system::uname();
    let own = own.nodename().to_string_lossy();
    name == "localhost"
        || name.ends_with(".localhost")
        || canonical_name(&own).is_ok_and(|own| own == name)
        || hosts_of(pid).is_some_and(|hosts| has_host(&hosts, name))
}

fn hosts_of(pid: u32) -> Option<String> {
    let mut options = File::options();
    // What a target has put there must not hold us up.
    options.read(true).custom_flags(OFlag::O_NONBLOCK.bits());
    let task = crate::identity::living_thread(pid);
    let path = format!("/proc/{task}/root/etc/hosts");
    let file = hallpass_look::into(task, || options.open(path)).ok()?;
    if !file.metadata().ok()?.is_file() {
        return None;
    }
    let mut text = Vec::new();
    file.take(MAX_HOSTS).read_to_end(&mut text).ok()?;
    Some(String::from_utf8_lossy(&text).into_owned())
}

fn has_host(hosts: &str, name: &str) -> bool {
    hosts
        .lines()
        .filter_map(|line| line.split('#').next())
        .flat_map(|line| line.split_whitespace().skip(1))
        .any(|word| canonical_name(word).is_ok_and(|word| word == name))
}

/// How often both are read again: a laptop that joins another network has another LAN.
const REFRESH: Duration = Duration::from_secs(5);

/// Tells a session when either changes; a thread of its own runs this, until the process ends.
pub fn keep_fresh(core: &Core, mut known: Environment) {
    while !core.is_over() {
        std::thread::sleep(REFRESH);
        let current = read();
        if current != known {
            core.environment_changed(current.clone());
            known = current;
        }
    }
}

/// The networks of this machine's interfaces, loopback's left out: that has a group of its own.
fn attached() -> Vec<IpNet> {
    let mut networks: Vec<IpNet> = Vec::new();
    for interface in getifaddrs().into_iter().flatten() {
        let (Some(address), Some(mask)) = (interface.address, interface.netmask) else {
            continue;
        };
        let (address, mask): (IpAddr, IpAddr) =
            if let (Some(a), Some(m)) = (address.as_sockaddr_in(), mask.as_sockaddr_in()) {
                (a.ip().into(), m.ip().into())
            } else if let (Some(a), Some(m)) = (address.as_sockaddr_in6(), mask.as_sockaddr_in6()) {
                (a.ip().into(), m.ip().into())
            } else {
                continue;
            };
        if address.is_loopback() {
            continue;
        }
        if let Ok(network) = IpNet::with_netmask(address, mask) {
            let network = network.trunc();
            if !networks.contains(&network) {
                networks.push(network);
            }
        }
    }
    networks
}

/// `nameserver ADDRESS` lines; a scope id is dropped. Without any the resolver asks this machine.
fn nameservers(text: &str) -> Vec<IpAddr> {
    let mut servers: Vec<IpAddr> = text
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("nameserver"))
        .filter(|rest| rest.starts_with([' ', '\t']))
        .filter_map(|rest| rest.split_whitespace().next())
        .filter_map(|word| word.split('%').next()?.parse().ok())
        .map(|address: IpAddr| address.to_canonical())
        .collect();
    if servers.is_empty() {
        servers.push(IpAddr::from([127, 0, 0, 1]));
    }
    servers
}

#[cfg(test)]
mod tests {
    use super::{has_host, knows, nameservers};
    use std::net::IpAddr;

    #[test]
    fn what_the_machine_knows_is_told_to_nobody() {
        let knows = |name| knows(name, std::process::id());
        assert!(knows("localhost") && knows("a.localhost"));
        assert!(!knows("example.com") && !knows("notlocalhost"));
        let hosts = "127.0.0.1\tlocalhost # example.com\n192.0.2.1 One.test two.test.\n#192.0.2.2 three.test\n";
        assert!(has_host(hosts, "one.test") && has_host(hosts, "two.test"));
        assert!(!has_host(hosts, "three.test") && !has_host(hosts, "example.com"));
        assert!(!has_host(hosts, "192.0.2.1"));
    }

    #[test]
    fn name_servers_are_read_as_the_resolver_reads_them() {
        let text = "# comment\nnameserver 192.0.2.1\n  nameserver\tfe80::1%eth0\nnameserverx 192.0.2.2\noptions x\n";
        let expected: [IpAddr; 2] = ["192.0.2.1".parse().unwrap(), "fe80::1".parse().unwrap()];
        assert_eq!(nameservers(text), expected);
        assert_eq!(nameservers(""), [IpAddr::from([127, 0, 0, 1])]);
    }
}
