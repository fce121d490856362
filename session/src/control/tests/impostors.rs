//! What is not a session, and answers like one or not at all.

use super::*;
use std::os::unix::net::UnixListener;

/// Serves one client by `answer`, which gets what the client has said so far.
fn impostor(
    name: &str,
    answer: impl FnOnce(&mut UnixStream) + Send + 'static,
) -> Result<Client, ClientError> {
    let path = std::env::temp_dir().join(format!("hallpass-imp-{}-{name}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let listener = UnixListener::bind(&path).unwrap();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut said = [0; 1024];
        let _ = stream.read(&mut said).unwrap();
        answer(&mut stream);
    });
    let client = Client::connect_to(&path, None, "test");
    std::fs::remove_file(&path).unwrap();
    drop(server);
    client
}

fn says(name: &str, answer: &'static [u8]) -> String {
    let result = impostor(name, |stream| stream.write_all(answer).unwrap());
    result.err().unwrap().to_string()
}

#[test]
fn what_is_not_of_the_protocol_is_an_error() {
    assert!(says("nothing", b"").contains("has ended"));
    assert!(says("http", b"HTTP/1.1 400 Bad Request\r\n\r\n").contains("another language"));
    assert!(says("kind", b"{\"welcome\":{\"re\":1}}\n").contains("has ended"));
    assert!(says("field", b"{\"done\":{\"re\":\"one\"}}\n").contains("another language"));
    assert!(says("event", b"{\"event\":{\"kind\":\"ended\"}}\n").contains("another language"));
    assert!(says("reply", b"{\"done\":{\"re\":1}}\n").contains("no hello"));
    assert!(says("cut", b"{\"hello\":{\"re\":1,").contains("has ended"));
    let newer = b"{\"hello\":{\"re\":1,\"version\":2,\"session\":\"x\",\"pid\":1,\"command\":[],\"halted\":false,\"may_save\":true}}\n";
    assert!(says("newer", newer).contains("version 2"));
}

#[test]
fn an_endless_line_is_not_read_on_and_on() {
    let result = impostor("endless", |stream| {
        let piece = vec![b'x'; 1 << 20];
        while stream.write_all(&piece).is_ok() {}
    });
    let error = result.err().unwrap().to_string();
    assert!(error.contains("more than 4194304 bytes"), "{error}");
}

#[test]
fn messages_that_are_not_known_yet_are_passed_over() {
    let hello = "{\"hello\":{\"re\":1,\"version\":1,\"session\":\"x\",\"pid\":1,\"command\":[],\"halted\":false,\"may_save\":true,\"new\":1}}\n";
    let result = impostor("later", move |stream| {
        stream
            .write_all(b"{\"news\":{\"of\":\"a later version\"}}\n")
            .unwrap();
        stream.write_all(hello.as_bytes()).unwrap();
        stream.write_all(b"{\"news\":7}\n{\"event\":{\"v\":1,\"kind\":\"eclipse\"}}\n{\"settled\":{\"question\":3,\"verdict\":null,\"source\":null,\"new\":[]}}\n").unwrap();
    });
    let mut client = result.unwrap();
    let message = client.next(Some(Duration::from_secs(10))).unwrap().unwrap();
    assert_eq!(
        message,
        Message::Settled {
            question: 3,
            verdict: None,
            source: None
        }
    );
}
