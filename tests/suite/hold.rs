//! `--hold`: programs that serve many connections from one thread go on while a new connection
//! waits for a person, and get it after the answer.

use crate::harness::{Dir, Http, PAGE, Running, TestCommand, eventually, missing};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// A server that answers `/` itself, fetches `http://localhost:UPSTREAM/` for `/fetch`, one try
/// each, and prints its port.
const NODE: &str = r"
const http = require('http');
const [upstream] = process.argv.slice(1);
const server = http.createServer((request, response) => {
    if (request.url !== '/fetch') return response.end('mine\n');
    http.get({ host: 'localhost', port: upstream, family: 4 }, (answer) => answer.pipe(response))
        .on('error', (error) => response.end('failed: ' + error.code + '\n'));
});
server.listen(0, '127.0.0.1', () => console.log('port ' + server.address().port));
";

const ASYNCIO: &str = r#"
import asyncio, sys
upstream = int(sys.argv[1])

async def fetch():
    try:
        reader, writer = await asyncio.open_connection("localhost", upstream)
        writer.write(b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n")
        body = (await reader.read()).split(b"\r\n\r\n", 1)[1]
        writer.close()
        return body
    except OSError as error:
        return f"failed: {error}\n".encode()

async def serve(reader, writer):
    request = await reader.readuntil(b"\r\n\r\n")
    body = await fetch() if b"/fetch" in request else b"mine\n"
    writer.write(b"HTTP/1.0 200 OK\r\n\r\n" + body)
    await writer.drain()
    writer.close()

async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print("port", server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()

asyncio.run(main())
"#;

/// A server under hallpass, and where it listens.
struct Served {
    running: Running,
    port: u16,
}

fn run(dir: &Dir, hold: &str, command: &[&str]) -> TestCommand {
    let mut flags = vec!["--default", "ask", "--prompt", "none", "--hold", hold];
    match hold {
        "name" => flags.extend(["--guard=off", "--ask-timeout", "60s"]),
        // Nobody need be there: `hallpass answer` may come at any time.
        _ => flags.extend(["--allow", "@dns"]),
    }
    dir.run(&flags, command)
}

fn serve(dir: &Dir, hold: &str, command: &[&str]) -> Served {
    let running = run(dir, hold, command).spawn();
    let port = eventually("the server's port", || {
        let text = running.stdout();
        text.strip_prefix("port ")?.trim_end().parse().ok()
    });
    Served { running, port }
}

/// Sends a request; its answer is read later.
fn request(port: u16, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n").unwrap();
    stream
}

fn body(mut stream: TcpStream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

/// Waits for the one question; gives `hallpass pending --json`.
fn pending(dir: &Dir) -> serde_json::Value {
    eventually("a question", || {
        let outcome = dir.hallpass(&["pending", "--json"]).output().ok();
        serde_json::from_str(outcome.stdout.lines().next()?).ok()
    })
}

/// How many requests for its own page a server answers while something waits.
const MEANWHILE: usize = 50;

fn answers_meanwhile(port: u16) {
    for number in 0..MEANWHILE {
        assert!(body(request(port, "/")).ends_with("mine\n"), "{number}");
    }
}

fn goes_on_serving(program: &str, command: &[&str]) {
    if missing(program) {
        return;
    }
    for hold in ["name", "retry"] {
        let (dir, upstream) = (Dir::new(), Http::v4());
        let port = upstream.port().to_string();
        let command = [command, &[port.as_str()]].concat();
        let served = serve(&dir, hold, &command);
        let waits = request(served.port, "/fetch");
        let question = pending(&dir);
        assert_eq!(question["hold"], hold);
        answers_meanwhile(served.port);
        assert_eq!(upstream.connections(), 0, "{hold}");
        dir.hallpass(&["answer", "allow", "--for", "once"])
            .output()
            .ok();
        let first = body(waits);
        if hold == "name" {
            assert!(first.ends_with(PAGE), "{first}");
        } else {
            assert!(first.contains("failed"), "{first}");
            let next = body(request(served.port, "/fetch"));
            assert!(next.ends_with(PAGE), "{next}");
        }
        assert_eq!(upstream.connections(), 1, "{hold}");
        served.running.signal(nix::sys::signal::Signal::SIGTERM);
        served.running.finish();
    }
}

#[test]
fn a_node_server_goes_on_serving() {
    goes_on_serving("node", &["node", "-e", NODE]);
}

#[test]
fn a_python_asyncio_server_goes_on_serving() {
    goes_on_serving("python3", &["python3", "-c", ASYNCIO]);
}

#[test]
fn a_refused_look_up_is_a_failed_look_up() {
    let (dir, upstream) = (Dir::new(), Http::v4());
    let script = format!(
        "import socket\ntry: print(socket.getaddrinfo('localhost', {}))\n\
         except socket.gaierror as error: print(error.errno == socket.EAI_FAIL)",
        upstream.port()
    );
    let running = run(&dir, "name", &["python3", "-c", &script]).spawn();
    let question = pending(&dir);
    assert_eq!(question["port"], upstream.port());
    assert_eq!(question["names"][0]["name"], "localhost");
    dir.hallpass(&["answer", "deny"]).output().ok();
    running.finish().ok().prints("True");
}

#[test]
fn a_tool_that_is_started_again_gets_its_connection() {
    let (dir, server) = (Dir::new(), Http::v4());
    let script = "until curl -sS \"$0\"; do sleep 0.1; done; curl -sS \"$0\" || true";
    let running = run(&dir, "retry", &["sh", "-c", script, &server.url()]).spawn();
    let question = pending(&dir);
    assert_eq!(
        (&question["hold"], &question["waiting"]),
        (&"retry".into(), &0.into())
    );
    dir.hallpass(&["answer", "allow", "--for", "once"])
        .output()
        .ok();
    running.finish().ok().prints(PAGE);
    // Once: the second curl was told no.
    assert_eq!(server.connections(), 1);
}

#[test]
fn name_and_the_guard_do_not_go_together_yet() {
    let dir = Dir::new();
    let outcome = dir
        .run(&["--hold", "name", "--guard=on"], &["true"])
        .output();
    outcome.code(125).says("--guard=off");
}
