//! From the wire's words to the session's.

use hallpass_policy::Protocol;
use hallpass_wire::Protocol as WireProtocol;

pub(super) fn protocol(protocol: WireProtocol) -> Protocol {
    match protocol {
        WireProtocol::Tcp => Protocol::Tcp,
        WireProtocol::Udp => Protocol::Udp,
        WireProtocol::Icmp => Protocol::Icmp,
        WireProtocol::Raw => Protocol::Raw,
    }
}
