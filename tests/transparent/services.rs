//! Servers that connect out themselves: nginx to its upstream, redis to its primary.

use crate::column::{Case, Place, closed_port, same};
use crate::harness::{Outcome, Running, eventually, missing};
use nix::sys::signal::Signal;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Sends `request` to a service of this place once it listens, and reads until `end`.
#[track_caller]
fn talk(port: u16, request: &str, end: &str) -> String {
    let mut stream = eventually("the service", || {
        TcpStream::connect(("127.0.0.1", port)).ok()
    });
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut text = Vec::new();
    let mut chunk = [0; 4096];
    while let Ok(length @ 1..) = stream.read(&mut chunk) {
        text.extend(&chunk[..length]);
        if !end.is_empty() && text.windows(end.len()).any(|it| it == end.as_bytes()) {
            break;
        }
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// Ends the service, and puts what its client got in the place of its own output.
#[track_caller]
fn end(service: Running, got: String) -> Outcome {
    service.signal(Signal::SIGTERM);
    let mut outcome = service.finish();
    outcome.stdout = got;
    outcome.stderr.clear();
    outcome
}

const NGINX: &str = "
daemon off; pid HOME/pid; error_log HOME/errors; worker_processes 1;
events { worker_connections 64; }
http {
    access_log off;
    client_body_temp_path HOME/a; proxy_temp_path HOME/b; fastcgi_temp_path HOME/c;
    uwsgi_temp_path HOME/d; scgi_temp_path HOME/e;
    server { listen 127.0.0.1:PORT; location / { proxy_pass http://127.0.0.1:UPSTREAM; } }
}
";

fn nginx(it: &Place<'_>) -> Outcome {
    let port = closed_port();
    let text = NGINX
        .replace("HOME", it.dir.path("home").to_str().unwrap())
        .replace("PORT", &port.to_string())
        .replace("UPSTREAM", &it.port.to_string());
    let file = it.dir.write("home/nginx.conf", text);
    let errors = it.dir.path("home/errors");
    let words = [
        "nginx",
        "-e",
        errors.to_str().unwrap(),
        "-c",
        file.to_str().unwrap(),
    ];
    let service = it.command(&words).spawn();
    let got = talk(port, "GET / HTTP/1.0\r\n\r\n", "");
    // The date of the response.
    let got: String = got
        .lines()
        .filter(|it| !it.starts_with("Date"))
        .map(|it| format!("{it}\n"))
        .collect();
    end(service, got)
}

#[test]
fn nginx_reaches_its_upstream() {
    // Its workers are another user's.
    if !missing("nginx") {
        same(nginx)
            .ok()
            .prints("page from the test's server")
            .connects(1);
    }
}

#[test]
fn nginx_refused_is_a_bad_gateway() {
    if !missing("nginx") {
        Case::default().refused(nginx).prints("502 Bad Gateway");
    }
}

/// A replica that cannot reach its primary goes on, says so, and tries again.
fn lonely_replica(it: &Place<'_>) -> Outcome {
    let (own, primary) = (closed_port().to_string(), it.port.to_string());
    let mut words = vec![
        "redis-server",
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--port",
        &own,
    ];
    words.extend(["--replicaof", "127.0.0.1", &primary]);
    let service = it.command(&words).spawn();
    // Whether the kernel refuses at once or a moment later is a matter of luck, and of words.
    service.expect_stdout("onnection refused");
    let got = talk(
        own.parse().unwrap(),
        "INFO replication\r\n",
        "master_sync_in_progress",
    );
    let told = ["role:slave", "master_link_status:down"];
    let got: Vec<&str> = told.into_iter().filter(|text| got.contains(text)).collect();
    end(service, got.join(" "))
}

#[test]
fn redis_refused_says_so() {
    if !missing("redis-server") {
        let told = "role:slave master_link_status:down";
        Case::default().refused(lonely_replica).ok().prints(told);
    }
}

#[test]
fn a_redis_replica_follows_its_primary() {
    if missing("redis-server") {
        return;
    }
    let seen = same(|it| {
        let ports = [closed_port().to_string(), closed_port().to_string()];
        let quiet = ["--bind", "127.0.0.1", "--save", "", "--port"];
        let primary: Vec<&str> = ["redis-server"]
            .into_iter()
            .chain(quiet)
            .chain([&ports[0][..]])
            .collect();
        let primary = it.dir.bare(&primary).spawn();
        primary.expect_stdout("Ready to accept connections");
        let mut replica: Vec<&str> = ["redis-server"].into_iter().chain(quiet).collect();
        replica.extend([&ports[1], "--replicaof", "127.0.0.1", &ports[0]]);
        let replica = it.command(&replica).spawn();
        replica.expect_stdout("Finished with success");
        talk(ports[0].parse().unwrap(), "SET greeting hello\r\n", "+OK");
        let port = ports[1].parse().unwrap();
        let got = eventually("the value at the replica", || {
            let got = talk(port, "GET greeting\r\n", "\r\n");
            got.starts_with("$5").then_some(got)
        });
        end(replica, got)
    });
    seen.ok().prints("$5");
}
