//! Work that leaves the session: a UNIX socket leads to a process that is not of it, which does
//! for a target what nobody decides. A first instance that is handed a page to open, a bus that
//! starts programs, an agent, a daemon: each is a coverage line, once for each program and socket.

use hallpass_guard::Destination;
use hallpass_policy::{Group, is_name_service_path, is_session_bus_path};
use hallpass_session::escape::escape_bytes;

/// Characters of a path that are shown.
const SHOWN: usize = 200;
/// Logs: they take words and do nothing for anybody.
const LOGS: [&str; 3] = [
    "/run/systemd/journal/stdout",
    "/run/systemd/journal/dev-log",
    "/dev/log",
];

/// The socket as rules name it, and what its listener does that matters; none for one of no
/// interest: what each program with windows has open, and name services, which are decided.
pub(super) fn socket(destination: &Destination) -> Option<(String, &'static str)> {
    let path = match destination {
        Destination::Path { path, .. } => escape_bytes(path, SHOWN),
        Destination::Abstract(name) => format!("@{}", escape_bytes(name, SHOWN)),
        Destination::Ip(..) => return None,
    };
    if is_session_bus_path(&path) {
        return Some((
            path,
            "programs that are started over it are not of this session",
        ));
    }
    let is_dull =
        Group::Desktop.has_socket(&path) || is_name_service_path(&path) || LOGS.contains(&&*path);
    (!is_dull).then_some((path, "what that connects to is not decided"))
}

#[cfg(test)]
mod tests {
    use super::socket;
    use hallpass_guard::Destination;

    #[test]
    fn what_each_program_has_open_is_of_no_interest() {
        let path = |path: &str| {
            socket(&Destination::Path {
                path: path.into(),
                device: 1,
                inode: 1,
            })
        };
        for dull in [
            "/tmp/.X11-unix/X0",
            "/run/user/1000/wayland-0",
            "/run/nscd/socket",
            "/dev/log",
        ] {
            assert_eq!(path(dull), None, "{dull}");
        }
        assert_eq!(
            socket(&Destination::Abstract(b"/tmp/.X11-unix/X0".into())),
            None
        );
        let (_, bus) = path("/run/user/1000/bus").unwrap();
        assert!(bus.contains("started over it"));
        let (agent, _) = path("/tmp/ssh-x/agent.1").unwrap();
        assert_eq!(agent, "/tmp/ssh-x/agent.1");
        let (name, _) = socket(&Destination::Abstract(b"x\n".into())).unwrap();
        assert!(name.starts_with("@x") && !name.contains('\n'), "{name}");
    }
}
