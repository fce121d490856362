//! The processes of the program: who each is, and which names it has looked up. Whichever way a
//! call comes in, by the ask socket or by the guard, this makes a flow of it.

use crate::address::{Address as FarEnd, Socket};
use crate::flow::{Flow, Name};
use crate::identity::{Identifier, Identity};
use crate::names::{NameTable, Noted};
use crate::nested::runs::{Process, Runs};
use hallpass_policy::{Protocol, canonical_name};
use hallpass_wire::{Address, NameReport, Protocol as WireProtocol};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

/// See the module's text.
pub struct Targets {
    identifier: Identifier,
    names: NameTable,
    /// How often it was said that a nested run could not join.
    complaints: u32,
}

impl Targets {
    /// For the session with this process id, which has started `command`.
    #[must_use]
    pub fn new(session_pid: u32, command: u32) -> Self {
        Self {
            identifier: Identifier::new(session_pid).with_command(command),
            names: NameTable::default(),
            complaints: 0,
        }
    }

    /// For a session that has a guard.
    #[must_use]
    pub fn guarded(mut self) -> Self {
        self.identifier.runs = Runs::new(true);
        self
    }

    /// Whether there are nested runs.
    #[must_use]
    pub fn has_runs(&self) -> bool {
        !self.identifier.runs.is_empty()
    }

    pub(crate) fn runs_mut(&mut self) -> &mut Runs {
        &mut self.identifier.runs
    }

    pub(crate) fn complaints_mut(&mut self) -> &mut u32 {
        &mut self.complaints
    }

    /// A process, then its ancestors, nearest first, without the session.
    pub(crate) fn lineage(&self, pid: u32) -> Option<Vec<Process>> {
        self.identifier.chain(pid)
    }

    pub(crate) fn forget(&mut self, pid: u32) {
        self.identifier.forget(pid);
    }

    /// Who `pid` is, by the number that its hook has given its program image and by its effective
    /// user id ([`Identifier::identify_image`]). None: it is no process of this session.
    pub fn identify_stamped(&mut self, pid: u32, image: u64, uid: u32) -> Option<Identity> {
        self.identifier.identify_image(pid, image, uid)
    }

    /// Who `pid` is, where no hook says which program image it is
    /// ([`Identifier::identify_running`]). None: it is no process of this session.
    pub fn identify(&mut self, pid: u32) -> Option<Identity> {
        self.identifier.identify_running(pid)
    }

    /// A call of `pid`, with the names that it or its ancestors looked the address up under.
    #[must_use]
    pub fn flow(&self, pid: u32, identity: &Identity, protocol: Protocol, to: SocketAddr) -> Flow {
        let address = to.ip().to_canonical();
        let names = self.names.names(&identity.lineage, address);
        Flow {
            pid,
            app: Arc::clone(&identity.app),
            protocol,
            address: address.into(),
            scope_id: match to {
                SocketAddr::V4(_) => 0,
                SocketAddr::V6(to) => to.scope_id(),
            },
            // A program writes anything there where it means nothing.
            port: if protocol.has_ports() { to.port() } else { 0 },
            names: names.into_iter().map(Name::claimed).collect(),
            runs: Arc::clone(&identity.runs),
        }
    }

    /// A call of `pid` to a UNIX socket.
    #[must_use]
    pub fn socket_flow(&self, pid: u32, identity: &Identity, socket: Socket) -> Flow {
        Flow {
            pid,
            app: Arc::clone(&identity.app),
            protocol: Protocol::Unix,
            address: FarEnd::Unix(socket),
            scope_id: 0,
            port: 0,
            names: Vec::new(),
            runs: Arc::clone(&identity.runs),
        }
    }

    /// The calls that a look-up of `pid` may lead to, one for each address; a look-up that has
    /// been noted. None where its name is no host name. Port 0 where it did not say which.
    #[must_use]
    pub fn looked_up(&self, pid: u32, identity: &Identity, report: &NameReport) -> Vec<Flow> {
        if canonical_name(report.name()).is_err() {
            return Vec::new();
        }
        let protocol = report.protocol().map_or(Protocol::Tcp, self::protocol);
        let to = |address: &Address| {
            let to = socket_address(*address, report.port());
            self.flow(pid, identity, protocol, to)
        };
        report.addresses().iter().map(to).collect()
    }

    /// `pid` has looked a name up.
    pub fn note(&mut self, pid: u32, report: &NameReport) -> Noted {
        // What is no host name matches nothing.
        let Ok(name) = canonical_name(report.name()) else {
            return Noted::Nothing;
        };
        let addresses = report.addresses().iter();
        self.names
            .record(pid, &name, addresses.map(|it| ip(*it).to_canonical()))
    }
}

/// The wire's transport as policy's.
pub(crate) fn protocol(protocol: WireProtocol) -> Protocol {
    match protocol {
        WireProtocol::Tcp => Protocol::Tcp,
        WireProtocol::Udp => Protocol::Udp,
        WireProtocol::Icmp => Protocol::Icmp,
        WireProtocol::Raw => Protocol::Raw,
    }
}

/// The wire's address and port as the standard library's.
pub(crate) fn socket_address(address: Address, port: u16) -> SocketAddr {
    match (ip(address), address) {
        (IpAddr::V6(ip), Address::V6 { scope_id, .. }) => {
            std::net::SocketAddrV6::new(ip, port, 0, scope_id).into()
        }
        (ip, _) => SocketAddr::new(ip, port),
    }
}

/// The wire's address as the standard library's.
#[must_use]
pub fn ip(address: Address) -> IpAddr {
    match address {
        Address::V4(octets) => Ipv4Addr::from(octets).into(),
        Address::V6 { octets, .. } => Ipv6Addr::from(octets).into(),
    }
}
