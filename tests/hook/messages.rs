//! Messages without an address under a guard: they go out by another call, and nobody can tell.

use crate::fixture::{Fixture, Run, run};
use crate::session::new_name;

/// Under a hook that believes in a guard. None is there: what the hook does not send by another
/// call the kernel does at once.
fn guarded(fixture: &Fixture) -> Run {
    let name = new_name(std::process::id());
    run(fixture.hooked_command_with(&format!("{name};guard=on")))
}

#[test]
fn every_message_is_as_it_is_bare() {
    let fixture = Fixture::new("messages");
    let (bare, guarded) = (fixture.bare(), guarded(&fixture));
    let (bare, guarded) = (bare.lines(), guarded.lines());
    let differing: Vec<String> = bare
        .iter()
        .zip(&guarded)
        .filter(|(bare, guarded)| bare != guarded)
        .map(|(bare, guarded)| format!("bare    {bare}\nguarded {guarded}\n"))
        .collect();
    assert!(
        differing.is_empty(),
        "{} of {} differ:\n{}",
        differing.len(),
        bare.len(),
        differing
            .iter()
            .take(20)
            .map(String::as_str)
            .collect::<String>()
    );
    assert_eq!(bare.len(), guarded.len());
    // That the cases are what they say is seen by a few of them.
    assert!(bare.len() > 100_000, "{}", bare.len());
    for line in [
        "udp connected | sendmsg 3 4, flags 0, 0: 7  got 7 in 1 ",
        "udp connected | sendmsg no parts, flags 0, 0: 0  got 0 in 1",
        "tcp connected | sendmsg sign bit, flags 0, 0: -1 EINVAL",
        "tcp connected | sendmsg 1025 parts, flags 0, 0: -1 EMSGSIZE",
        "tcp connected | sendmsg 3 4, flags 80000000, 1: -1 EINVAL",
        "tcp shut | sendmsg 3 4, flags 0, 0: -1 EPIPE SIGPIPE 1",
        "udp peer gone | sendmsg 3 4, flags 0, 0: -1 ECONNREFUSED",
        "unix stream full | sendmsg 9 of 200, flags 0, 0: -1 EAGAIN",
        "unix stream small buffer | sendmsg 30000 30000, flags 0, 0: ",
        "udp zero copy | sendmsg 5, flags 4000000, 0: 5  completed 0-0 got 5",
        "unix dgram connected | sendmmsg 3 4, order 3, flags 40, ",
        "pipe | sendmsg 9 of 200, flags 0: -1 ENOTSOCK, sendmmsg: -1 ENOTSOCK",
    ] {
        assert!(
            bare.iter().any(|case| case.starts_with(line)),
            "no case {line}"
        );
    }
}

/// RWF_NOSIGNAL is there.
fn kernel() -> &'static str {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release.split('.').map_while(|it| it.parse::<u32>().ok());
    let version = (numbers.next().unwrap(), numbers.next().unwrap());
    if version >= (6, 18) { "6.18" } else { "older" }
}

#[test]
fn messages_need_neither_sendmsg_nor_sendmmsg() {
    let fixture = || Fixture::new("messages").arg(kernel());
    let bare = fixture().bare();
    let guarded = guarded(&fixture().arg("closed"));
    assert_eq!(
        guarded.stdout, bare.stdout,
        "guarded (left) differs from bare (right)"
    );
    assert!(!bare.stdout.contains("-1"), "{}", bare.stdout);
    let cancelled = bare.stdout.matches("cancelled\n").count();
    assert_eq!(cancelled, 3, "{}", bare.stdout);
    // And they are closed indeed.
    let closed = fixture().arg("closed").bare();
    assert!(closed.stdout.contains("-1 EPERM"), "{}", closed.stdout);
}
