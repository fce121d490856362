//! ping's look for its source address: it connects a UDP socket to port 1025 of the host, asks for
//! the socket's own name, and closes it (iputils, ping.c). Its packets are another socket's. Nobody is
//! asked about the look; the guard sees to it that nothing *can* be sent.

use hallpass_guard::Protocol;
use hallpass_session::flow::App;
use std::net::SocketAddr;

const PORT: u16 = 1025;

/// Whether a call can be it; who makes it is another question.
pub(super) fn may_be_its_look(protocol: Protocol, to: SocketAddr) -> bool {
    protocol == Protocol::Udp && to.port() == PORT
}

/// Whether the program is ping. One that only calls itself so has nothing from it.
pub(super) fn is_ping(app: &App) -> bool {
    let name = app.subject.exe.rsplit('/').next();
    matches!(name, Some("ping" | "ping4" | "ping6"))
}
