//! What an end does to both sides, and what is said where there is none.

use super::{Peer, READER, end, flow, listening, python, session};
use crate::harness::{eventually, missing, no_ending};

#[test]
fn a_connection_is_listed_with_bytes_state_and_rule_and_ended_in_order() {
    if no_ending() {
        return;
    }
    let (dir, listener, at) = listening();
    let running = python(
        &dir,
        &["--default", "deny", "--allow", "@loopback"],
        READER,
        at,
    );
    let mut peer = Peer::accept(&listener);
    let flow = flow(&dir, at);
    let fields: Vec<&str> = flow
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(
        fields,
        [
            "address",
            "age_is_exact",
            "age_ms",
            "app",
            "direction",
            "id",
            "local_address",
            "local_port",
            "names",
            "pids",
            "port",
            "proto",
            "received",
            "sent",
            "session",
            "shared_by",
            "source",
            "state"
        ],
        "the fields are a promise (docs/control.md)"
    );
    assert_eq!(flow["address"], "127.0.0.1");
    assert_eq!(flow["local_address"], "127.0.0.1");
    assert_eq!(flow["local_port"], peer.0.peer_addr().unwrap().port());
    assert_eq!(
        (&flow["proto"], &flow["state"]),
        (&"tcp".into(), &"established".into())
    );
    assert_eq!(
        (&flow["sent"], &flow["received"]),
        (&5.into(), &1000.into())
    );
    assert_eq!(
        (&flow["direction"], &flow["shared_by"]),
        (&"out".into(), &1.into())
    );
    assert_eq!(flow["source"]["rule"], "allow @loopback", "{flow}");
    assert_eq!(flow["age_is_exact"], true, "{flow}");
    assert!(flow["app"].as_str().unwrap().contains("python3"), "{flow}");

    // For people: the same, in words.
    let outcome = dir.hallpass(&["flows"]).output().ok();
    for text in [
        "established",
        "1.0 kB received",
        "5 B sent",
        "allow @loopback",
    ] {
        assert!(outcome.stdout.contains(text), "no {text:?}: {outcome}");
    }

    end(&dir, &flow, &[]).ok().prints("ended");
    assert_eq!(peer.read().unwrap(), 0, "the server sees the end");
    let outcome = running.finish().ok();
    // 32: EPIPE
    assert!(
        outcome.stdout.contains("end of file after 1000\nerror 32"),
        "{outcome}"
    );
}

#[test]
fn a_reset_is_seen_by_the_server() {
    if no_ending() {
        return;
    }
    let (dir, listener, at) = listening();
    let running = python(&dir, &["--default", "allow"], READER, at);
    let mut peer = Peer::accept(&listener);
    let flow = flow(&dir, at);
    end(&dir, &flow, &["--reset"]).ok().prints("reset");
    let error = peer.read().unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    running.finish().ok().prints("error");
}

#[test]
fn with_deny_it_does_not_come_back() {
    if no_ending() {
        return;
    }
    let (dir, listener, at) = listening();
    let program = format!("{READER}\nsocket.create_connection((sys.argv[1], int(sys.argv[2])))");
    let running = python(&dir, &["--default", "allow", "-v"], &program, at);
    let mut peer = Peer::accept(&listener);
    let flow = flow(&dir, at);
    end(&dir, &flow, &["--deny"])
        .ok()
        .prints("deny 127.0.0.1 for ");
    assert_eq!(peer.read().unwrap(), 0);
    let outcome = running.finish().failed().says("ConnectionRefusedError");
    assert!(
        outcome.stderr.contains("ended by shell: deny 127.0.0.1"),
        "{outcome}"
    );
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_err(), "nothing came a second time");
}

#[test]
fn without_deny_it_may_come_back() {
    if no_ending() {
        return;
    }
    let (dir, listener, at) = listening();
    let program = format!("{READER}\nsocket.create_connection((sys.argv[1], int(sys.argv[2])))");
    let running = python(&dir, &["--default", "allow"], &program, at);
    let _peer = Peer::accept(&listener);
    let flow = flow(&dir, at);
    end(&dir, &flow, &[]).ok();
    running.finish().ok();
}

#[test]
fn a_refusal_names_what_stays_open() {
    if no_ending() {
        return;
    }
    let (dir, listener, at) = listening();
    let again = "import time\n\
                 try: socket.create_connection((sys.argv[1], int(sys.argv[2])))\n\
                 except OSError: print('refused', flush=True)";
    let program = READER.replace("print(\"connected\", flush=True)", again);
    assert_ne!(program, READER);
    let options = [
        "--default",
        "ask",
        "--prompt",
        "none",
        "--ask-timeout",
        "60s",
    ];
    let running = python(&dir, &options, &program, at);
    let session = session(&dir);
    let answer = |words: &[&str]| {
        eventually("a question", || {
            let outcome = dir.hallpass(words).output();
            outcome.status.success().then_some(outcome)
        })
    };
    answer(&["answer", "allow", "--for", "once"]);
    let mut peer = Peer::accept(&listener);
    let outcome = answer(&["answer", "deny"]);
    running.expect_stdout("refused");
    let command = format!("hallpass end {session}:1");
    assert!(outcome.stderr.contains(&command), "{outcome}");
    dir.hallpass(&["end", &format!("{session}:1")])
        .output()
        .ok();
    assert_eq!(peer.read().unwrap(), 0);
    running.finish().ok().prints("end of file after 1000");
}

#[test]
fn nothing_of_it_needs_root() {
    if no_ending() {
        return;
    }
    if missing("setpriv") {
        return;
    }
    let (dir, listener, at) = listening();
    let port = at.port().to_string();
    // Root's capabilities would hide what the kernel refuses to everybody else.
    let hallpass = env!("CARGO_BIN_EXE_hallpass");
    let mut words = vec!["setpriv", "--inh-caps=-all"];
    if nix::unistd::geteuid().is_root() {
        words.push("--bounding-set=-all");
    }
    words.extend([hallpass, "run", "--default", "allow", "--"]);
    words.extend(["python3", "-c", READER, "127.0.0.1", &port]);
    let running = dir.bare(&words).spawn();
    let mut peer = Peer::accept(&listener);
    let flow = flow(&dir, at);
    let outcome = dir.hallpass(&["flows"]).output().ok();
    assert_eq!(outcome.stderr, "", "all of it could be seen: {outcome}");
    end(&dir, &flow, &[]).ok();
    assert_eq!(peer.read().unwrap(), 0);
    running.finish().ok();
}

#[test]
fn what_is_gone_or_never_was_is_told_apart() {
    let (dir, listener, at) = listening();
    let program = format!("{READER}\nprint('done', flush=True)\nimport time\ntime.sleep(60)");
    let running = python(&dir, &["--default", "allow"], &program, at);
    let peer = Peer::accept(&listener);
    let flow = flow(&dir, at);
    // The server ends it, the program notices and closes; the number is not used again.
    drop(peer);
    running.expect_stdout("done");
    let name = session(&dir);
    eventually("the close", || {
        let outcome = dir
            .hallpass(&["end", &format!("{name}:{}", flow["id"])])
            .output();
        // Python keeps the socket open until it is collected: until then there is one to end.
        outcome.stderr.contains("has ended").then_some(())
    });
    let outcome = dir.hallpass(&["end", &format!("{name}:99")]).output();
    outcome.code(125).says("there is no connection 99");
    for (wrong, says) in [
        ("1:2:x", "is no connection"),
        ("", "is no connection"),
        ("-1", "unexpected argument"),
        ("+1", "is no connection"),
        ("18446744073709551616", "is no connection"),
        ("99999-00000000:1", "99999-00000000"),
        ("../../etc:1", "../../etc"),
        ("\u{1b}[2J:1", "\\u{1b}[2J"),
        (":1", "session"),
    ] {
        let outcome = dir.hallpass(&["end", wrong]).output().code(125).says(says);
        assert!(!outcome.stderr.contains('\u{1b}'), "{outcome}");
    }
    dir.hallpass(&["flows", "\u{1b}[2J"]).output().code(125);
    drop(running);
}
