//! Clients that do not.

use super::*;

#[test]
fn the_first_line_must_be_a_hello_of_this_version() {
    let stage = Stage::new();
    stage
        .raw()
        .send("{\"id\":1,\"do\":\"halt\"}\n")
        .ends_with("say hello first");
    stage
        .raw()
        .send("{\"id\":1,\"do\":\"hello\",\"version\":2,\"client\":\"x\"}\n")
        .ends_with("version 1");
    stage
        .raw()
        .send("{\"id\":1,\"do\":\"hello\"}\n")
        .ends_with("missing field");
    let mut raw = stage.raw();
    raw.hello()
        .send("{\"id\":2,\"do\":\"hello\",\"version\":1,\"client\":\"x\"}\n");
    assert!(raw.line().contains("already"));
    assert!(!stage.session.calls().contains(&"halt".to_owned()));
}

#[test]
fn garbage_gets_one_error_and_the_end() {
    let stage = Stage::new();
    let deep = format!("{}\n", r#"{"id":"#.repeat(40_000));
    for garbage in [
        "GET / HTTP/1.1\r\n",
        "[1,2]\n",
        "\n",
        "\0\0\0\n",
        "{\"id\":1\n",
        &deep,
    ] {
        stage.raw().send(garbage).ends_with("not a JSON object");
        stage
            .raw()
            .hello()
            .send(garbage)
            .ends_with("not a JSON object");
    }
    until("all gone", || stage.session.clients() == 0);
}

#[test]
fn a_wrong_request_is_an_error_and_the_connection_stays() {
    let stage = Stage::new();
    let mut raw = stage.raw();
    raw.hello().send("{\"id\":2,\"do\":\"explode\"}\n{\"do\":\"halt\"}\n{\"id\":3,\"do\":\"halt\",\"x\":1}\n{\"id\":4,\"do\":\"release\"}\n");
    assert!(raw.line().contains("unknown variant `explode`"));
    assert!(raw.line().contains("`id` is missing"));
    assert!(raw.line().contains("`x` is no field"));
    assert_eq!(raw.line(), "{\"done\":{\"re\":4,\"settled\":0}}\n");
    assert!(!stage.session.calls().contains(&"halt".to_owned()));
}

#[test]
fn an_endless_line_is_cut_off() {
    let stage = Stage::new();
    for hello in [false, true] {
        let mut raw = stage.raw();
        if hello {
            raw.hello();
        }
        let piece = "x".repeat(64 * 1024);
        let mut sent = 0;
        while raw.0.get_mut().write_all(piece.as_bytes()).is_ok() {
            sent += piece.len();
            assert!(sent < 64 * 1024 * 1024, "it is read on and on");
        }
        raw.ends_with("longer than");
    }
}

#[test]
fn a_client_s_name_is_escaped_and_bounded() {
    let stage = Stage::new();
    let long = "x".repeat(1000);
    for (name, shown) in [
        ("a\\u001b[2J\\u202e", r"a\u{1b}[2J\u{202e}"),
        (long.as_str(), "xxx…"),
    ] {
        stage
            .raw()
            .send(&format!(
                "{{\"id\":1,\"do\":\"hello\",\"version\":1,\"client\":\"{name}\"}}\n"
            ))
            .line();
        assert!(
            stage
                .session
                .calls()
                .iter()
                .any(|call| call.ends_with(shown)),
            "{:?}",
            stage.session.calls()
        );
    }
}

#[test]
fn a_client_that_does_not_read_is_dropped_and_delays_nobody() {
    let stage = Stage::new();
    let mut slow = stage.raw();
    slow.hello()
        .send("{\"id\":2,\"do\":\"subscribe\",\"events\":true}\n");
    assert!(slow.line().contains("done"));
    until("subscribed", || stage.session.clients() == 1);
    let text = "x".repeat(200);
    let mut longest = Duration::ZERO;
    let mut published = 0;
    while stage.session.clients() == 1 {
        let start = Instant::now();
        stage.session.publish(&text);
        longest = longest.max(start.elapsed());
        published += 1;
        assert!(published < 1_000_000, "it is never dropped");
    }
    assert!(longest < Duration::from_millis(500), "{longest:?}");
    // Others are served, and the slow one finds the end of the stream.
    stage.client().request(Call::Halt).unwrap();
    let mut rest = Vec::new();
    let _ = slow.0.read_to_end(&mut rest);
    assert!(rest.len() < 16 * 1024 * 1024);
}

#[test]
fn a_client_that_asks_and_never_reads_is_dropped() {
    let stage = Stage::new();
    let mut raw = stage.raw();
    raw.hello();
    let request = "{\"id\":2,\"do\":\"nonsense\"}\n".repeat(1000);
    let end = Instant::now() + Duration::from_secs(60);
    while raw.0.get_mut().write_all(request.as_bytes()).is_ok() {
        assert!(Instant::now() < end, "it is never dropped");
    }
    until("dropped", || stage.session.clients() == 0);
}

#[test]
fn a_process_of_the_session_is_refused() {
    let stage = Stage::for_session(std::os::unix::process::parent_id());
    let refusal = Client::connect_to(&stage.path, None, "target")
        .err()
        .unwrap();
    assert!(
        refusal.to_string().contains("another terminal"),
        "{refusal}"
    );
    assert_eq!(stage.session.calls(), [""; 0]);
}

#[test]
fn a_socket_that_is_not_the_session_s_is_not_believed() {
    let stage = Stage::new();
    let refusal = Client::connect_to(&stage.path, Some(1), "shell")
        .err()
        .unwrap();
    assert!(
        refusal.to_string().contains("in the session's place"),
        "{refusal}"
    );
}
