//! `--hold`: programs that serve many connections from one thread go on while a new connection
//! waits for a person, and get it after the answer.

use crate::guarded::log;
use crate::harness::{
    Dir, Http, PAGE, Running, Terminal, TestCommand, eventually, missing, skipped,
};
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

/// With the guard and without it.
pub(crate) const GUARDS: [&str; 2] = ["--guard=on", "--guard=off"];

pub(crate) fn run(dir: &Dir, guard: &str, hold: &str, command: &[&str]) -> TestCommand {
    let mut flags = vec![
        "--default",
        "ask",
        "--prompt",
        "none",
        "--hold",
        hold,
        guard,
    ];
    match hold {
        "name" => flags.extend(["--ask-timeout", "60s"]),
        // Nobody need be there: `hallpass answer` may come at any time.
        _ => flags.extend(["--allow", "@dns"]),
    }
    dir.run(&flags, command)
}

fn serve(dir: &Dir, guard: &str, hold: &str, command: &[&str]) -> Served {
    let running = run(dir, guard, hold, command).spawn();
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
pub(crate) fn pending(dir: &Dir) -> serde_json::Value {
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
    let ways = ["name", "retry"].map(|hold| GUARDS.map(|guard| (hold, guard)));
    for (hold, guard) in ways.into_iter().flatten() {
        let (dir, upstream) = (Dir::new(), Http::v4());
        let port = upstream.port().to_string();
        let command = [command, &[port.as_str()]].concat();
        let served = serve(&dir, guard, hold, &command);
        let waits = request(served.port, "/fetch");
        let question = pending(&dir);
        assert_eq!(question["hold"], hold);
        answers_meanwhile(served.port);
        assert_eq!(upstream.connections(), 0, "{hold} {guard}");
        allow_once(&dir);
        let first = body(waits);
        if hold == "name" {
            assert!(first.ends_with(PAGE), "{first}");
        } else {
            assert!(first.contains("failed"), "{first}");
            let next = body(request(served.port, "/fetch"));
            assert!(next.ends_with(PAGE), "{next}");
        }
        assert_eq!(upstream.connections(), 1, "{hold} {guard}");
        served.running.signal(nix::sys::signal::Signal::SIGTERM);
        served.running.finish();
        assert_eq!(log(&dir, "asked").len(), 1, "{hold} {guard}");
    }
}

pub(crate) fn allow_once(dir: &Dir) {
    let answer = ["answer", "allow", "--for", "once"];
    dir.hallpass(&answer).output().ok();
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
    let upstream = Http::v4();
    let script = format!(
        "import socket\ntry: print(socket.getaddrinfo('localhost', {}))\n\
         except socket.gaierror as error: print(error.errno == socket.EAI_FAIL)",
        upstream.port()
    );
    for guard in GUARDS {
        let dir = Dir::new();
        let running = run(&dir, guard, "name", &["python3", "-c", &script]).spawn();
        let question = pending(&dir);
        assert_eq!(question["port"], upstream.port());
        assert_eq!(question["names"][0]["name"], "localhost");
        dir.hallpass(&["answer", "deny"]).output().ok();
        running.finish().ok().prints("True");
    }
}

#[test]
fn a_tool_that_is_started_again_gets_its_connection() {
    for guard in GUARDS {
        let (dir, server) = (Dir::new(), Http::v4());
        let script = "until curl -sS \"$0\"; do sleep 0.1; done; curl -sS \"$0\" || true";
        let running = run(&dir, guard, "retry", &["sh", "-c", script, &server.url()]).spawn();
        let question = pending(&dir);
        assert_eq!(
            (&question["hold"], &question["waiting"]),
            (&"retry".into(), &0.into())
        );
        allow_once(&dir);
        running.finish().ok().prints(PAGE);
        // Once: the second curl was told no.
        assert_eq!(server.connections(), 1);
    }
}

/// Other transfers of a program that waits with one.
const OTHERS: usize = 50;

/// A program that makes many transfers in one thread, and looks names up in another: one to
/// `slow.test`, which is asked about, and [`OTHERS`] that are not. `client` gets both URLs, writes
/// what came from the first to the file `slow`, and tries that one again where it is refused.
///
/// curl never looks `localhost` up, so there is a name of its own; hallpass runs in the same mount
/// namespace and can look it up too.
fn goes_on_with_other_transfers(client: impl Fn(&str, &str) -> Vec<String>) {
    let dir = Dir::new();
    let hosts = dir.write("home/hosts", "127.0.0.2 slow.test\n127.0.0.1 localhost\n");
    let mount = format!("mount --bind {} /etc/hosts", hosts.display());
    let with_hosts = ["unshare", "-m", "sh", "-c"];
    let words = [&with_hosts[..], &[&mount]].concat();
    if !dir.bare(&words).output().status.success() {
        skipped("no mount namespaces here");
        return;
    }
    let script = format!("{mount} && exec \"$@\"");
    let ways = ["name", "retry"].map(|hold| GUARDS.map(|guard| (hold, guard)));
    for (hold, guard) in ways.into_iter().flatten() {
        let (others, slow) = (Http::v4(), Http::start([127, 0, 0, 2].into(), None));
        let client = client(&slow.url_as("slow.test"), &others.url());
        let mut words = [&with_hosts[..], &[&script, "sh"]].concat();
        words.extend([env!("CARGO_BIN_EXE_hallpass"), "run", "--prompt=none"]);
        words.extend(["--default=ask", "--ask-timeout=60s", "--allow=127.0.0.1"]);
        words.extend(["--allow=@dns", "--hold", hold, guard, "--"]);
        words.extend(client.iter().map(String::as_str));
        let running = dir.bare(&words).spawn();
        let question = pending(&dir);
        assert_eq!(question["hold"], hold);
        eventually("the other transfers", || {
            (others.requests().len() == OTHERS).then_some(())
        });
        assert_eq!(slow.connections(), 0, "{hold} {guard}");
        allow_once(&dir);
        running.finish().ok();
        let page = std::fs::read_to_string(dir.path("home/slow")).unwrap();
        assert_eq!(page, PAGE, "{hold} {guard}");
        assert_eq!(slow.connections(), 1, "{hold} {guard}");
        std::fs::remove_file(dir.path("home/slow")).unwrap();
    }
}

#[test]
fn curls_multi_interface_goes_on_with_its_other_transfers() {
    if missing("curl") {
        return;
    }
    goes_on_with_other_transfers(|slow, others| {
        // The one that waits comes first, and holds one of two places.
        let curl = "curl -sS -Z --parallel-max 2 --retry 100 --retry-connrefused --retry-delay 1";
        let others = format!("{others}[1-{OTHERS}]");
        let files = ["-o", "slow", slow, "-o", "other_#1", &others];
        let words = curl.split(' ').chain(files);
        words.map(str::to_owned).collect()
    });
}

/// The same interface as a program uses it by itself: one loop for all transfers.
const PYCURL: &str = r#"
import pycurl, sys, time
slow, others, left = sys.argv[1], sys.argv[2], int(sys.argv[3])
multi, running, again = pycurl.CurlMulti(), set(), []

def start(url, path):
    easy = pycurl.Curl()
    easy.target, easy.body = (url, path), open(path, "wb")
    easy.setopt(pycurl.URL, url)
    easy.setopt(pycurl.WRITEDATA, easy.body)
    multi.add_handle(easy)
    running.add(easy)

def end(easy):
    multi.remove_handle(easy)
    running.remove(easy)
    easy.body.close()

start(slow, "slow")
start(others, "other")
while running or again:
    time.sleep(0.01)
    multi.select(0.1)
    multi.perform()
    _, done, failed = multi.info_read()
    for easy in done:
        end(easy)
        if easy.target[0] == others and (left := left - 1):
            start(others, "other")
    for easy, number, message in failed:
        assert number == pycurl.E_COULDNT_CONNECT, message
        end(easy)
        again.append((time.monotonic() + 0.5, easy.target))
    while again and again[0][0] <= time.monotonic():
        start(*again.pop(0)[1])
"#;

#[test]
fn a_program_of_pycurls_goes_on_with_its_other_transfers() {
    let dir = Dir::new();
    let import = dir.bare(&["/usr/bin/python3", "-c", "import pycurl"]);
    if !import.output().status.success() {
        skipped("python3-pycurl is not installed (tests/run installs it)");
        return;
    }
    goes_on_with_other_transfers(|slow, others| {
        let count = OTHERS.to_string();
        let words = ["/usr/bin/python3", "-c", PYCURL, slow, others, &count];
        words.map(str::to_owned).to_vec()
    });
}

#[test]
fn a_question_about_a_look_up_on_the_terminal() {
    if missing("wget") {
        return;
    }
    for guard in GUARDS {
        let (dir, upstream) = (Dir::new(), Http::v4());
        let url = upstream.url_as("localhost");
        let flags = ["--prompt=tty", "--default=ask", "--hold=name", guard];
        let mut terminal = Terminal::spawn(dir.run(&flags, &["wget", "-4", "-qO-", &url]));
        let question = terminal.question();
        assert!(question.contains("look up"), "{question}");
        assert!(question.contains("localhost"), "{question}");
        assert_eq!(upstream.connections(), 0, "{guard}");
        terminal.answer_once(true);
        terminal.expect(PAGE.trim_end());
        assert_eq!(terminal.wait().code(), Some(0));
        assert_eq!(log(&dir, "asked").len(), 1, "{guard}");
    }
}
