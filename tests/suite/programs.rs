//! Real programs against `--default deny`: allowed they get their page; refused they say what
//! they say of a closed port, and nothing has reached the listener.

use crate::harness::{Dir, Http, Outcome, missing, no_ipv6, same_as_bare};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener};

const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

/// A program and how it is told what to fetch.
struct Program {
    name: &'static str,
    /// Host, port and URL → arguments.
    args: fn(&str, &str, &str) -> Vec<String>,
    /// What it reads.
    stdin: &'static str,
    /// A part of the page, or of what was fetched, that it prints.
    prints: &'static str,
}

const REQUEST: &str = "GET / HTTP/1.0\r\n\r\n";
const PAGE: &str = "page from the test's server";

macro_rules! words {
    ($($word:expr),* $(,)?) => { vec![$($word.to_string()),*] };
}

const CURL: Program = Program {
    name: "curl",
    args: |_, _, url| words!["-sS", "--max-time", "15", url],
    stdin: "",
    prints: PAGE,
};
const WGET: Program = Program {
    name: "wget",
    args: |_, _, url| words!["-nv", "-O-", "-T15", "-t1", url],
    stdin: "",
    prints: PAGE,
};
const GIT: Program = Program {
    name: "git",
    args: |_, _, url| words!["ls-remote", format!("{url}repo.git")],
    stdin: "",
    prints: "refs/heads/main",
};
const PYTHON: Program = Program {
    name: "python3",
    args: |_, _, url| {
        words![
            "-c",
            "import sys, urllib.request as r\n\
             try: print(r.urlopen(sys.argv[1], timeout=15).read().decode())\n\
             except r.URLError as e: sys.exit(repr(e.reason))",
            url
        ]
    },
    stdin: "",
    prints: PAGE,
};
const NODE: Program = Program {
    name: "node",
    args: |_, _, url| {
        words![
            "-e",
            "require('http').get(process.argv[1], r => r.pipe(process.stdout))\
             .on('error', e => { console.error(e.code); process.exit(7) })",
            url
        ]
    },
    stdin: "",
    prints: PAGE,
};
const PERL: Program = Program {
    name: "perl",
    args: |host, port, _| {
        words![
            "-MIO::Socket::IP",
            "-e",
            "my $s = IO::Socket::IP->new(PeerHost => $ARGV[0], PeerPort => $ARGV[1], \
             Type => SOCK_STREAM) or die qq($!\\n); \
             print $s qq(GET / HTTP/1.0\\r\\n\\r\\n); print while <$s>",
            host,
            port
        ]
    },
    stdin: "",
    prints: PAGE,
};
const NC: Program = Program {
    name: "nc",
    args: |host, port, _| words!["-N", "-v", "-w", "15", host, port],
    stdin: REQUEST,
    prints: PAGE,
};
const BASH: Program = Program {
    name: "bash",
    args: |host, port, _| {
        words![
            "-c",
            "exec 3<>\"/dev/tcp/$0/$1\" || exit 9; \
             printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3",
            host,
            port
        ]
    },
    stdin: "",
    prints: PAGE,
};

impl Program {
    fn command(&self, ip: IpAddr, port: u16) -> Vec<String> {
        let url = format!("http://{}/", std::net::SocketAddr::new(ip, port));
        let mut command = vec![self.name.to_owned()];
        command.extend((self.args)(&ip.to_string(), &port.to_string(), &url));
        command
    }

    fn can_run(&self, ip: IpAddr) -> bool {
        !(missing(self.name) || ip.is_ipv6() && no_ipv6())
    }

    fn run(&self, dir: &Dir, flags: &[&str], ip: IpAddr, port: u16) -> Outcome {
        let command = self.command(ip, port);
        let command: Vec<&str> = command.iter().map(String::as_str).collect();
        dir.run(flags, &command).stdin(self.stdin).output()
    }

    /// It gets its page, and its server sees it.
    fn is_allowed(&self, ip: IpAddr) {
        if !self.can_run(ip) {
            return;
        }
        let (dir, server) = served(ip);
        let allow = server.address.to_string();
        self.run(
            &dir,
            &["--default", "deny", "--allow", &allow],
            ip,
            server.port(),
        )
        .ok()
        .prints(self.prints);
        assert!(server.connections() > 0);
    }

    /// Its server sees nothing; its status and words are those of a closed port.
    fn is_refused(&self, ip: IpAddr) {
        if !self.can_run(ip) {
            return;
        }
        let (dir, server) = served(ip);
        let refused = self.run(&dir, &["--default", "deny"], ip, server.port());
        assert_eq!(server.connections(), 0, "{refused}");

        let closed = closed_port(ip);
        let command = self.command(ip, closed);
        let command: Vec<&str> = command.iter().map(String::as_str).collect();
        let bare = dir.bare(&command).stdin(self.stdin).output();
        assert_eq!(
            bare.status, refused.status,
            "bare:{bare}\nrefused:{refused}"
        );
        assert_eq!(
            words_of(&bare.stderr, closed),
            words_of(&refused.stderr, server.port()),
            "bare:{bare}\nrefused:{refused}"
        );
    }

    /// With everything allowed nobody can tell it from itself.
    fn is_itself(&self, ip: IpAddr) {
        if !self.can_run(ip) {
            return;
        }
        let (dir, server) = served(ip);
        let command = self.command(ip, server.port());
        let command: Vec<&str> = command.iter().map(String::as_str).collect();
        // wget -nv logs the time of day, to the second.
        let command: Vec<&str> = command
            .iter()
            .map(|word| if *word == "-nv" { "-q" } else { word })
            .collect();
        same_as_bare(&dir, &command, |it| it.stdin(self.stdin)).ok();
    }
}

/// A server on `ip` with a page, and a git repository for dumb HTTP.
fn served(ip: IpAddr) -> (Dir, Http) {
    let dir = Dir::new();
    dir.write("www/index.html", crate::harness::PAGE);
    dir.write("www/repo.git/HEAD", "ref: refs/heads/main\n");
    dir.write(
        "www/repo.git/info/refs",
        format!("{}\trefs/heads/main\n", "1".repeat(40)),
    );
    let server = Http::start(ip, Some(dir.path("www")));
    (dir, server)
}

/// A port of `ip` that nobody listens on.
fn closed_port(ip: IpAddr) -> u16 {
    TcpListener::bind((ip, 0))
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

/// What a program says, without the port, the milliseconds, and hallpass's own line.
fn words_of(stderr: &str, port: u16) -> Vec<String> {
    stderr
        .lines()
        .filter(|line| !line.starts_with("hallpass"))
        .map(|line| line.replace(&port.to_string(), "PORT"))
        .map(|line| match line.split_once(" after ") {
            Some((before, after)) => {
                let after = after.trim_start_matches(|c: char| c.is_ascii_digit());
                format!("{before} after{after}")
            }
            None => line,
        })
        .collect()
}

macro_rules! programs {
    ($($name:ident $program:ident)*) => {$(
        mod $name {
            use super::*;

            #[test]
            fn is_allowed_over_ipv4() {
                $program.is_allowed(V4);
            }
            #[test]
            fn is_allowed_over_ipv6() {
                $program.is_allowed(V6);
            }
            #[test]
            fn is_refused_over_ipv4() {
                $program.is_refused(V4);
            }
            #[test]
            fn is_refused_over_ipv6() {
                $program.is_refused(V6);
            }
            #[test]
            fn is_itself_where_all_is_allowed() {
                $program.is_itself(V4);
                $program.is_itself(V6);
            }
        }
    )*};
}

programs! {
    bash BASH
    curl CURL
    git GIT
    nc NC
    node NODE
    perl PERL
    python3 PYTHON
    wget WGET
}

#[test]
fn git_clones_through_a_rule_for_its_server() {
    if missing("git") {
        return;
    }
    let dir = Dir::new();
    let git = |args: &[&str]| {
        let mut command = vec![
            "git",
            "-c",
            "user.name=Test",
            "-c",
            "user.email=test@example.com",
        ];
        command.extend(args);
        dir.bare(&command).output().ok()
    };
    let source = dir.path("source");
    let source = source.to_str().unwrap();
    let bare = dir.path("www/repo.git");
    let bare = bare.to_str().unwrap();
    git(&["init", "-q", "-b", "main", source]);
    dir.write("source/file", "contents\n");
    git(&["-C", source, "add", "file"]);
    git(&["-C", source, "commit", "-q", "-m", "one"]);
    git(&["clone", "-q", "--bare", source, bare]);
    git(&["-C", bare, "update-server-info"]);

    let server = Http::start(V4, Some(dir.path("www")));
    let url = format!("{}repo.git", server.url());
    let allow = server.address.to_string();
    dir.run(
        &["--default", "deny", "--allow", &allow],
        &["git", "clone", "-q", &url, "cloned"],
    )
    .output()
    .ok();
    let file = std::fs::read_to_string(dir.path("home/cloned/file")).unwrap();
    assert_eq!(file, "contents\n");
    assert!(
        server
            .requests()
            .iter()
            .any(|path| path.contains("objects"))
    );
}

/// A web server that allows one port and refuses the other, and both URLs.
fn two_servers() -> (Dir, Http, Http) {
    (Dir::new(), Http::v4(), Http::v4())
}

#[test]
fn a_shells_commands_are_decided_one_by_one() {
    let (dir, good, bad) = two_servers();
    let script = format!(
        "curl -sS {}; echo first $?; curl -sS {}; echo second $?",
        good.url(),
        bad.url()
    );
    dir.run(
        &["--default", "deny", "--allow", &good.address.to_string()],
        &["sh", "-c", &script],
    )
    .output()
    .ok()
    .prints("first 0")
    .prints("second 7");
    assert_eq!(good.connections(), 1);
    assert_eq!(bad.connections(), 0);
}

#[test]
fn xargs_in_parallel_is_decided_one_by_one() {
    let (dir, good, bad) = two_servers();
    let urls: String = (0..16)
        .map(|i| format!("{}\n", if i % 2 == 0 { &good } else { &bad }.url()))
        .collect();
    let outcome = dir
        .run(
            &["--default", "deny", "--allow", &good.address.to_string()],
            &["xargs", "-P", "4", "-n", "1", "curl", "-sS"],
        )
        .stdin(urls)
        .output()
        .code(123);
    assert_eq!(outcome.stdout.matches(PAGE).count(), 8, "{outcome}");
    assert_eq!(good.connections(), 8);
    assert_eq!(bad.connections(), 0);
}

#[test]
fn make_in_parallel_is_decided_one_by_one() {
    if missing("make") {
        return;
    }
    let (dir, good, bad) = two_servers();
    dir.write(
        "home/Makefile",
        format!(
            "all: $(addprefix good,1 2 3 4) $(addprefix bad,1 2 3 4)\n\
             good%:\n\t@curl -sS {}\n\
             bad%:\n\t@curl -sS {} || echo refused with $$?\n",
            good.url(),
            bad.url()
        ),
    );
    let outcome = dir
        .run(
            &["--default", "deny", "--allow", &good.address.to_string()],
            &["make", "-s", "-j4"],
        )
        .output()
        .ok();
    assert_eq!(outcome.stdout.matches(PAGE).count(), 4, "{outcome}");
    assert_eq!(
        outcome.stdout.matches("refused with 7").count(),
        4,
        "{outcome}"
    );
    assert_eq!(good.connections(), 4);
    assert_eq!(bad.connections(), 0);
}
