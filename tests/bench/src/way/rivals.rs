//! Programs that also stand between a program and its connections, where they are installed.

use super::{Way, find};
use std::ffi::OsString;
use std::io;
use std::path::Path;

/// A configuration under which every loopback connection is direct.
const PROXYCHAINS: &str =
    "strict_chain\nlocalnet 127.0.0.0/255.0.0.0\n[ProxyList]\nsocks5 127.0.0.1 9\n";

pub(super) fn proxychains(scratch: &Path) -> io::Result<Way> {
    let proxychains = find("proxychains4")?;
    let config = scratch.join("proxychains.conf");
    std::fs::write(&config, PROXYCHAINS)?;
    let prefix = [proxychains.into(), "-q".into(), "-f".into(), config.into()];
    Ok(Way::prefixed("proxychains4", prefix.to_vec()))
}

/// Only looks on, at the price of a stop at each system call.
pub(super) fn strace() -> io::Result<Way> {
    let words = ["-f", "-qq", "-o", "/dev/null", "-e", "trace=connect", "--"];
    with_words("strace", &words)
}

/// Reads anything, writes below `scratch`, listens anywhere, and asks its rules about every
/// connection.
pub(super) fn sandlock(scratch: &Path) -> io::Result<Way> {
    let scratch = scratch.to_string_lossy();
    let words = [
        "run",
        "-r",
        "/",
        "-w",
        &scratch,
        "-w",
        "/dev",
        "--net-allow",
        "127.0.0.0/8",
        "--net-allow-bind",
        "*",
        "--",
    ];
    with_words("sandlock", &words)
}

/// Only its decisions about connections are switched on.
pub(super) fn syd() -> io::Result<Way> {
    let words = [
        "-poff",
        // It starts no python3 and no node else.
        "-mtrace/allow_unsafe_exec_nopie:1",
        "-msandbox/net/connect:on",
        "-mallow/net/connect+any!0-65535",
        "-mallow/net/connect+/***",
        "--",
    ];
    with_words("syd", &words)
}

fn with_words(name: &'static str, words: &[&str]) -> io::Result<Way> {
    let mut prefix = vec![find(name)?.into_os_string()];
    prefix.extend(words.iter().map(OsString::from));
    Ok(Way::prefixed(name, prefix))
}
