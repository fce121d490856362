//! A client of the control socket that speaks plain JSON lines as docs/control.md has them.

use super::{Dir, PATIENCE};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

/// A connected client that has said hello.
pub(crate) struct Control {
    stream: UnixStream,
    lines: BufReader<UnixStream>,
    next: u64,
    /// Lines that came while another was waited for.
    kept: Vec<Value>,
}

impl Control {
    /// Connects to the one session of `dir`, once it is there.
    #[track_caller]
    pub(crate) fn connect(dir: &Dir) -> Self {
        let mut control = Self::raw(&dir.session());
        let hello = control.request(json!({"do": "hello", "version": 1, "client": "suite"}));
        assert_eq!(hello["hello"]["version"], 1, "{hello}");
        control
    }

    /// Connects without a word.
    #[track_caller]
    pub(crate) fn raw(session: &Path) -> Self {
        let path = session.join("control");
        let stream = UnixStream::connect(&path)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        stream.set_read_timeout(Some(*PATIENCE)).unwrap();
        let lines = BufReader::new(stream.try_clone().unwrap());
        Self {
            stream,
            lines,
            next: 1,
            kept: Vec::new(),
        }
    }

    /// Sends bytes as they are. False if the other side has hung up.
    pub(crate) fn send_raw(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// Sends a request (`id` is added) and gives its reply; others that come first are kept.
    #[track_caller]
    pub(crate) fn request(&mut self, mut call: Value) -> Value {
        let id = self.next;
        self.next += 1;
        call["id"] = json!(id);
        assert!(self.send_raw(format!("{call}\n").as_bytes()), "hung up");
        loop {
            let line = self.line().expect("hung up instead of a reply");
            let replies = line
                .as_object()
                .and_then(|object| object.values().next())
                .is_some_and(|inner| inner["re"] == id);
            if replies {
                return line;
            }
            self.kept.push(line);
        }
    }

    /// The next line; none where the other side has hung up.
    #[track_caller]
    pub(crate) fn line(&mut self) -> Option<Value> {
        let mut line = String::new();
        match self.lines.read_line(&mut line) {
            Ok(0) => None,
            Ok(_) => Some(serde_json::from_str(&line).unwrap()),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => None,
            Err(error) => panic!("no line from the session: {error}"),
        }
    }

    /// Gives the first message of `kind` (`question`, `settled`, `event`) that `fits`.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, kind: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let kept = std::mem::take(&mut self.kept);
        let mut found = None;
        for line in kept {
            if found.is_none() && line.get(kind).is_some_and(&fits) {
                found = Some(line[kind].clone());
            } else {
                self.kept.push(line);
            }
        }
        while found.is_none() {
            let line = self
                .line()
                .unwrap_or_else(|| panic!("the session hung up before a fitting {kind}"));
            if line.get(kind).is_some_and(&fits) {
                found = Some(line[kind].clone());
            }
        }
        found.unwrap()
    }

    /// The next question.
    #[track_caller]
    pub(crate) fn question(&mut self) -> Value {
        self.wait_for("question", |_| true)
    }

    /// Answers `question` for this run, for its host.
    #[track_caller]
    pub(crate) fn answer(&mut self, question: &Value, verdict: &str) -> Value {
        self.request(json!({"do": "answer", "question": question["id"], "verdict": verdict}))
    }

    /// Asks to be sent questions and events, as somebody who can answer.
    #[track_caller]
    pub(crate) fn subscribe(&mut self) {
        let reply = self.request(json!({"do": "subscribe", "events": true, "asks": true}));
        assert!(reply.get("done").is_some(), "{reply}");
    }
}
