//! Programs that no library is loaded into: static ones, of glibc and of musl, busybox, Go. Without
//! the guard nothing sees them; with it they are decided like any other, and notice as little.

use crate::column::{Case, Place, same};
use crate::harness::{Dir, Outcome, TestCommand, makes_sockets, missing, skipped};
use crate::nasty::compile;
use crate::seen::{Blur, without_digits};
use std::net::{TcpListener, UdpSocket};
use std::time::Duration;

const PAGE: &str = "page from the test's server";
const REQUEST: &str = "GET / HTTP/1.0\r\n\r\n";

/// With everything allowed as bare in every column, and refused by the guard as against a closed
/// port.
#[track_caller]
fn decided(case: impl Fn(&Place<'_>) -> Outcome) {
    same(&case).ok().prints(PAGE).connects(1);
    let blur = Blur::lines(without_digits);
    Case::default().blur(blur).refused_by_the_guard(&case);
}

/// A program started by a shell: where it is CMD itself, a run without the guard warns.
fn started<'a>(program: &'a [&'a str]) -> Vec<&'a str> {
    let mut words = vec!["sh", "-c", "exec \"$0\" \"$@\""];
    words.extend(program);
    words
}

fn get(command: TestCommand) -> Outcome {
    command.stdin(REQUEST).output()
}

#[test]
fn busybox_wget() {
    if !missing("busybox") {
        decided(|it| it.run(&started(&["busybox", "wget", "-q", "-O-", &it.url()])));
    }
}

#[test]
fn busybox_nc_from_its_own_shell() {
    if !missing("busybox") {
        let script = "exec busybox nc 127.0.0.1 $0";
        decided(|it| {
            let port = it.port.to_string();
            get(it.command(&started(&["busybox", "sh", "-c", script, &port])))
        });
    }
}

/// A client that needs no more than POSIX.
const CLIENT: &str = r#"
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>
int main(int argc, char **argv) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1]))};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int s = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(s, (struct sockaddr *)&to, sizeof to) != 0) {
        perror("connect");
        return 7;
    }
    struct iovec parts[] = {{"GET / ", 6}, {"HTTP/1.0\r\n", 10}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    char page[4096];
    long sent = sendmsg(s, &message, MSG_NOSIGNAL), n;
    // The guard holds the socket, too, for as long as it sends: the server looks after the last.
    sent += write(s, "\r\n", 2);
    printf("%ld sent, descriptor %d\n", sent, s);
    while ((n = read(s, page, sizeof page)) > 0)
        fwrite(page, 1, n, stdout);
    return 0;
}
"#;

fn static_client(compiler: &str) {
    if missing(compiler) {
        return;
    }
    let dir = Dir::new();
    let source = dir.write("home/client.c", CLIENT);
    let program = dir.path("home/client").to_str().unwrap().to_owned();
    let words = [
        compiler,
        "-static",
        "-o",
        &program,
        source.to_str().unwrap(),
    ];
    dir.bare(&words).output().ok();
    decided(|it| it.run(&started(&[&program, &it.port.to_string()])));
}

#[test]
fn a_static_program_of_glibc() {
    static_client("cc");
}

#[test]
fn a_static_program_of_musl() {
    static_client("musl-gcc");
}

const GO: &str = r#"
package main
import ("fmt"; "io"; "net/http"; "os")
func main() {
    r, err := http.Get(os.Args[1])
    if err != nil { fmt.Println(err); os.Exit(7) }
    io.Copy(os.Stdout, r.Body)
}
"#;

/// The program of [`GO`], built.
pub(crate) fn go_program(dir: &Dir) -> String {
    let source = dir.write("home/get.go", GO);
    let program = dir.path("home/get").to_str().unwrap().to_owned();
    dir.bare(&["go", "build", "-o", &program, source.to_str().unwrap()])
        .env("GOCACHE", dir.path("cache"))
        .env("GO111MODULE", "off")
        .output()
        .ok();
    program
}

#[test]
fn go() {
    if missing("go") {
        return;
    }
    let dir = Dir::new();
    let program = go_program(&dir);
    decided(|it| it.run(&started(&[&program, &it.url()])));
}

/// The hook's own fixtures, out of its reach.
#[test]
fn static_fixtures() {
    let dir = Dir::new();
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let ports = [
        tcp.local_addr().unwrap().port().to_string(),
        udp.local_addr().unwrap().port().to_string(),
    ];
    for (name, line) in [
        ("works", "sendmmsg clipped: 1024 untouched"),
        ("errors", "sendmsg struct past the page: -1 EFAULT"),
    ] {
        if name == "works" && makes_sockets() {
            skipped("a TCP connection cannot be undone where the guard makes sockets");
            continue;
        }
        let program = compile(&dir, name, &["-static"]);
        let seen = same(|it| it.run(&started(&[&program, &ports[0], &ports[1]])));
        seen.ok().prints(line);
    }
}

/// Cases of `messages.c` in which more than one thing is wrong, or memory that no program can
/// have: they fail in every column, but the guard may find the other mistake first. And those
/// that are sent without a copy, which the guard cannot do for another process: ENOBUFS, after
/// which programs copy (Documentation/networking/msg_zerocopy.rst).
const NOT_COMPARED: [&str; 10] = [
    "bad",
    "kernel's",
    "flags 80000000",
    "flags ffffffff",
    "zero copy",
    "2 GB",
    "20000 x 5",
    "msg control,",
    "name no address",
    "sctp-less",
];

/// A quarter of the messages of `messages.c` through the guard itself.
#[track_caller]
fn messages(part: &str, cases: usize) {
    let made = makes_sockets();
    if made && matches!(part, "2" | "3") {
        // Each waits for the error of a datagram to a socket that is closed.
        skipped("a closed UDP socket is let go of a moment later where the guard makes sockets");
        return;
    }
    // Made in pairs, so that the guard has no hold on them.
    let in_pairs = |line: &str| {
        // And a connection that is to be opened once more (MSG_FASTOPEN), with another mistake.
        made && (line.contains("unix dgram") || line.contains("flags 20000000"))
    };
    let dir = Dir::new();
    let program = compile(&dir, "messages", &["-static"]);
    let flags = ["--guard=on", "--default=allow", "--prompt=none"];
    let words = [program.as_str(), "part", part];
    let limit = Duration::from_secs(60);
    let bare = dir.bare(&words).spawn().finish_within(limit).ok();
    let guarded = dir.run(&flags, &words).spawn().finish_within(limit).ok();
    let lines = |text: &str| {
        text.lines()
            .filter(|line| !NOT_COMPARED.iter().any(|it| line.contains(it)) && !in_pairs(line))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let (bare, guarded) = (lines(&bare.stdout), lines(&guarded.stdout));
    assert!(made || bare.len() > cases, "{}", bare.len());
    assert_eq!(bare.len(), guarded.len());
    let differ = bare.iter().zip(&guarded).filter(|(a, b)| a != b);
    let differ: Vec<String> = differ
        .take(20)
        .map(|(bare, guarded)| format!("bare    {bare}\nguarded {guarded}\n"))
        .collect();
    assert!(differ.is_empty(), "{}", differ.concat());
}

#[test]
fn messages_on_tcp_and_unix_streams_and_elsewhere() {
    messages("0", 20_000);
}

#[test]
fn messages_on_tcp_of_ipv6_and_unix_datagrams() {
    messages("1", 10_000);
}

#[test]
fn messages_on_udp_and_unix_packets() {
    messages("2", 10_000);
}

#[test]
fn messages_on_udp_lite_and_netlink() {
    messages("3", 10_000);
}
