//! Programs that connect, alone.

use crate::column::{Case, Place, refused, same};
use crate::harness::{Outcome, TestCommand, Udp, missing, skipped};
use crate::seen::{Blur, without_digits};
use std::net::Ipv4Addr;

const PAGE: &str = "page from the test's server";
const DIGITS: Blur = Blur::lines(without_digits);

/// With everything allowed as bare, and refused as against a closed port.
macro_rules! clients {
    ($($name:ident: $case:expr;)*) => {$(
        mod $name {
            use super::*;

            #[test]
            fn allowed() {
                if !missing(program(stringify!($name))) {
                    same($case).ok().prints(PAGE).connects(1);
                }
            }

            #[test]
            fn refused() {
                if !missing(program(stringify!($name))) {
                    // How many milliseconds it took is in some messages.
                    Case::default().blur(DIGITS).refused($case).failed();
                }
            }
        }
    )*};
}

/// `python_asyncio` is a program of python3.
fn program(name: &str) -> &str {
    match name.split('_').next().unwrap() {
        "python" => "python3",
        "java" => "javac",
        other => other,
    }
}

clients! {
    curl: |it: &Place<'_>| it.run(&["curl", "-sSi", &it.url()]);
    wget: |it: &Place<'_>| it.run(&["wget", "-q", "-S", "-t1", "-O-", &it.url()]);
    node: |it: &Place<'_>| it.run(&["node", "-e", NODE, &it.url()]);
    node_fetch: |it: &Place<'_>| it.run(&["node", "-e", FETCH, &it.url()]);
    perl: |it: &Place<'_>| it.run(&["perl", "-MIO::Socket", "-e", PERL, &it.port.to_string()]);
    python_urllib: |it: &Place<'_>| it.run(&["python3", "-c", URLLIB, &it.url()]);
    python_asyncio: |it: &Place<'_>| it.run(&["python3", "-c", ASYNCIO, &it.port.to_string()]);
    java: |it: &Place<'_>| {
        let source = it.dir.write("home/Fetch.java", JAVA);
        it.run(&["java", "-XX:TieredStopAtLevel=1", source.to_str().unwrap(), &it.url()])
    };
    nc: |it: &Place<'_>| get(it.command(&["nc", "-N", "-v", "127.0.0.1", &it.port.to_string()]));
    socat: |it: &Place<'_>| {
        get(it.command(&["socat", "-t15", "-T15", "-", &format!("TCP:127.0.0.1:{}", it.port)]))
    };
    bash: |it: &Place<'_>| it.run(&["bash", "-c", BASH, &it.port.to_string()]);
}

const REQUEST: &str = "GET / HTTP/1.0\r\n\r\n";

pub(crate) const NODE: &str = "require('http').get(process.argv[1], r => r.pipe(process.stdout))
    .on('error', e => { console.error(e.code, e.syscall); process.exit(7) })";
const FETCH: &str = "fetch(process.argv[1]).then(r => r.text()).then(console.log)
    .catch(e => { console.error(e.cause.code, e.cause.syscall); process.exit(7) })";
const PERL: &str = r#"my $s = IO::Socket::INET->new("127.0.0.1:$ARGV[0]") or die "$!: $@\n";
    print $s "GET / HTTP/1.0\r\n\r\n"; print while <$s>"#;
const URLLIB: &str = "
import os, sys, urllib.request as r
try: print(r.urlopen(sys.argv[1], timeout=15).read())
except r.URLError as e: print(repr(e.reason)); sys.exit(3)
finally: print(sorted(os.listdir('/proc/self/fd')))
";
const ASYNCIO: &str = r"
import asyncio, os, sys
async def main():
    try: r, w = await asyncio.open_connection('127.0.0.1', int(sys.argv[1]))
    except OSError as e: print(e.errno); sys.exit(3)
    w.write(b'GET / HTTP/1.0\r\n\r\n')
    print(await r.read(), len(os.listdir('/proc/self/fd')))
asyncio.run(main())
";
pub(crate) const JAVA: &str = r#"
import java.net.*;
class Fetch {
    public static void main(String[] args) throws Exception {
        try (var in = new URL(args[0]).openStream()) {
            System.out.print(new String(in.readAllBytes()));
        } catch (ConnectException e) {
            System.err.println(e);
            System.exit(7);
        }
    }
}
"#;
/// One process, which changes none of its descriptors while it waits for the first line: the
/// server looks who holds the connection, and as what, before it answers.
const BASH: &str = r#"exec 5<>"/dev/tcp/127.0.0.1/$0" || exit 9
    exec 6>&1 1>&5; echo -ne 'GET / HTTP/1.0\r\n\r\n'
    IFS= read -r -u 5 line; exec 1>&6 6>&-; echo "$line"
    while IFS= read -r -u 5 line || [ "$line" ]; do echo "$line"; done; ls /proc/self/fd"#;

#[track_caller]
fn get(command: TestCommand) -> Outcome {
    command.stdin(REQUEST).output()
}

/// A repository to clone over plain HTTP.
fn repository(it: &Place<'_>) -> String {
    let script =
        "git init -q -b main source && cd source && echo contents > file && git add file &&
        git -c user.name=n -c user.email=e@example.com commit -q -m one &&
        cd .. && git clone -q --bare source bare && git -C bare update-server-info";
    it.dir
        .bare(&["sh", "-c", script])
        .env("GIT_AUTHOR_DATE", "2026-01-01T00:00:00Z")
        .env("GIT_COMMITTER_DATE", "2026-01-01T00:00:00Z")
        .output()
        .ok();
    it.dir.path("home/bare").to_str().unwrap().to_owned()
}

#[test]
fn git_clone_and_fetch() {
    if missing("git") {
        return;
    }
    // The served files are the bare place's; each place makes the same ones.
    let files = tempfile::tempdir().unwrap();
    let www = files.path().to_owned();
    let server = crate::server::Server::files(www.clone());
    let seen = Case::default().server(server).same(|it| {
        let bare = repository(it);
        let _ = std::fs::remove_dir_all(www.join("r.git"));
        it.dir
            .bare(&["cp", "-r", &bare, www.join("r.git").to_str().unwrap()])
            .output()
            .ok();
        it.sh(&format!(
            "git clone -q {}r.git got && cat got/file && git -C got fetch -q && git -C got log --format=%H",
            it.url()
        ))
    });
    seen.ok().prints("contents");
}

#[test]
fn git_refused() {
    if !missing("git") {
        Case::default()
            .blur(DIGITS)
            .refused(|it| it.run(&["git", "ls-remote", &format!("{}r.git", it.url())]))
            .failed();
    }
}

fn ssh(it: &Place<'_>, port: &str) -> Outcome {
    let secret = it.dir.script("home/secret", "#!/bin/sh\necho sesame\n");
    it.command(&[
        "ssh",
        "-p",
        port,
        "-o",
        "StrictHostKeyChecking=no",
        "-o",
        "UserKnownHostsFile=/dev/null",
        "-o",
        "LogLevel=ERROR",
        "-F",
        "none",
        "someone@127.0.0.1",
        "echo",
        "hello",
    ])
    .env("SSH_ASKPASS", secret)
    .env("SSH_ASKPASS_REQUIRE", "force")
    .env("DISPLAY", "none")
    .output()
}

#[test]
fn ssh_with_a_password() {
    if missing("ssh") || missing("python3") {
        return;
    }
    let seen = same(|it| {
        let script = include_str!("../suite/fixtures/ssh_server.py");
        let script = it.dir.script("ssh_server.py", script);
        let server = it.dir.bare(&["/usr/bin/python3", &script]).spawn();
        server.expect_stdout("port ");
        server.expect_stdout("\n");
        let said = server.stdout();
        let port = said.trim().trim_start_matches("port ");
        ssh(it, port)
    });
    seen.ok().prints("ran echo hello");
}

#[test]
fn ssh_refused() {
    if !missing("ssh") {
        refused(|it| ssh(it, &it.port.to_string())).failed();
    }
}

#[test]
fn dig_over_udp_and_tcp() {
    if missing("dig") {
        return;
    }
    let server = Udp::dns(Ipv4Addr::LOCALHOST.into());
    let port = server.port().to_string();
    let seen = same(|it| {
        it.run(&[
            "dig",
            "+short",
            "+tries=1",
            "@127.0.0.1",
            "-p",
            &port,
            "example.test",
            "A",
        ])
    });
    seen.ok().prints("192.0.2.7");
    // Nobody listens for TCP on that port.
    let seen = Case::default().blur(DIGITS).same(|it| {
        it.run(&[
            "dig",
            "+tcp",
            "+tries=1",
            "@127.0.0.1",
            "-p",
            &port,
            "example.test",
            "A",
        ])
    });
    seen.failed();
}

#[test]
fn dig_refused_over_tcp() {
    if !missing("dig") {
        let case = |it: &Place<'_>| {
            let port = it.port.to_string();
            it.run(&[
                "dig",
                "+tcp",
                "+tries=1",
                "@127.0.0.1",
                "-p",
                &port,
                "example.test",
                "A",
            ])
        };
        Case::default().blur(DIGITS).refused(case).failed();
    }
}

#[test]
fn dig_refused() {
    if !missing("dig") {
        let case = |it: &Place<'_>| {
            let port = it.port.to_string();
            it.run(&[
                "dig",
                "+tries=1",
                "@127.0.0.1",
                "-p",
                &port,
                "example.test",
                "A",
            ])
        };
        Case::default().blur(DIGITS).refused(case).failed();
    }
}

#[test]
fn ping() {
    if missing("ping") {
        return;
    }
    if !nix::unistd::geteuid().is_root() {
        skipped("ping's file capabilities keep the hook out: only root's ping is hooked");
        return;
    }
    let case = |it: &Place<'_>| it.run(&["ping", "-c2", "-i0.2", "127.0.0.1"]);
    Case::default()
        .blur(DIGITS)
        .same(case)
        .ok()
        .prints("# received");
}

#[test]
fn socat_datagrams() {
    if missing("socat") {
        return;
    }
    let server = Udp::echo(Ipv4Addr::LOCALHOST.into());
    let to = format!("UDP:127.0.0.1:{}", server.port());
    let seen = same(|it| {
        let words = ["socat", "-t0.5", "-", &to];
        it.command(&words).stdin("there and back\n").output()
    });
    seen.ok().prints("there and back");
    assert_eq!(server.datagrams(), crate::column::COLUMNS);
}
