//! `learn`, `check` without a warning, and the same command again: nothing is refused. The same
//! for npm, pip and cargo is in the files about them.

use crate::alone::alone;
use crate::harness::{Running, eventually, missing};
use crate::world::{Run, World};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

fn round_trip(world: &World, command: &str) -> String {
    world.dir.write("home/app/here", "");
    world.round_trip(&Run {
        project: "app",
        command,
        env: &[],
    })
}

#[test]
fn curl_by_name_and_by_address() {
    if missing("curl") || !alone("round_trips::curl_by_name_and_by_address") {
        return;
    }
    let world = World::new();
    let port = world.files.port();
    let get = |host: &str| format!("curl -sSf -o /dev/null http://{host}:{port}/");
    let policy = round_trip(
        &world,
        &format!("{} && {}", get("files.test"), get("127.0.0.3")),
    );
    assert!(
        policy.contains(&format!("files.test:{port}/tcp")),
        "{policy}"
    );
    assert_eq!(world.files.connections(), 4);
}

/// A repository with one commit, to be cloned from `home`.
fn repository(world: &World) -> PathBuf {
    let script = "git init -q repo && cd repo && echo x >x && git add x &&
        git -c user.name=a -c user.email=a@b.test commit -q -m x";
    world.dir.bare(&["sh", "-c", script]).output().ok();
    world.dir.path("home/repo/.git")
}

/// Serves git's own program for HTTP as a web server does (RFC 3875), at registry.test.
fn git_over_http(repository: &Path) -> u16 {
    let listener = TcpListener::bind("127.0.0.2:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let root = repository.to_owned();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            answer(&stream, &root).unwrap();
        }
    });
    port
}

fn answer(mut stream: &TcpStream, root: &Path) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        match line.trim() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let header = |name: &str| {
        let found = lines.iter().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then(|| value.to_owned())
        });
        found.unwrap_or_default()
    };
    let mut words = lines[0].split(' ');
    let (method, target) = (words.next().unwrap(), words.next().unwrap());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut body = vec![0; header("content-length").parse().unwrap_or(0)];
    reader.read_exact(&mut body)?;
    let mut backend = Command::new("/usr/bin/git")
        .args(["-c", "safe.directory=*", "http-backend"])
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("REQUEST_METHOD", method)
        .env("PATH_INFO", path)
        .env("QUERY_STRING", query)
        .env("CONTENT_TYPE", header("content-type"))
        .env("CONTENT_LENGTH", body.len().to_string())
        .env("HTTP_CONTENT_ENCODING", header("content-encoding"))
        .env("GIT_PROTOCOL", header("git-protocol"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    backend.stdin.take().unwrap().write_all(&body)?;
    let output = backend.wait_with_output()?;
    // No status means that all is well.
    let status: &[u8] = match output.stdout.strip_prefix(b"Status: ") {
        Some(_) => b"HTTP/1.1 404 Not Found\r\n",
        None => b"HTTP/1.1 200 OK\r\n",
    };
    stream.write_all(&[status, b"Connection: close\r\n", &output.stdout].concat())
}

#[test]
fn git_over_http_and_by_its_own_protocol() {
    if missing("git") || !alone("round_trips::git_over_http_and_by_its_own_protocol") {
        return;
    }
    let world = World::new();
    let repository = repository(&world);
    let port = git_over_http(&repository);
    let _daemon = git_daemon(&world, &repository);
    let clone = |from: &str| format!("rm -rf copy && git clone -q {from} copy && test -e copy/x");
    let http = clone(&format!("http://registry.test:{port}/"));
    let own = clone("git://files.test/");
    let policy = round_trip(&world, &format!("{http} && {own}"));
    assert!(
        policy.contains(&format!("registry.test:{port}/tcp")),
        "{policy}"
    );
    assert!(policy.contains("files.test:9418/tcp"), "{policy}");
}

/// At files.test, at the protocol's own port.
fn git_daemon(world: &World, repository: &Path) -> Running {
    let base = format!("--base-path={}", repository.display());
    let words = [
        "git",
        "-c",
        "safe.directory=*",
        "daemon",
        "--export-all",
        "--listen=127.0.0.3",
        &base,
    ];
    let daemon = world.dir.bare(&words).spawn();
    eventually("the git daemon", || {
        TcpStream::connect("127.0.0.3:9418").ok()
    });
    daemon
}

/// A test suite that starts a server and talks to it: at another port each time.
#[test]
fn a_server_of_ones_own() {
    if missing("python3") || !alone("round_trips::a_server_of_ones_own") {
        return;
    }
    let world = World::new();
    let test = "import http.server, threading, unittest, urllib.request
class Test(unittest.TestCase):
    def test_page(self):
        server = http.server.HTTPServer(('127.0.0.1', 0), http.server.SimpleHTTPRequestHandler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with urllib.request.urlopen('http://127.0.0.1:%d/here' % server.server_port) as page:
            self.assertEqual(page.status, 200)
unittest.main()
";
    world.dir.write("home/app/test.py", test);
    let policy = round_trip(&world, "/usr/bin/python3 test.py");
    assert!(policy.contains("127.0.0.1:32768-60999/tcp"), "{policy}");
}
