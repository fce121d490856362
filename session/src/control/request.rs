//! From a line to a request, without believing anything about the line.

use super::protocol::{Call, Request};
use crate::escape::escape;
use serde_json::{Map, Value};

/// Longest error text sent back, in characters: it may quote the client.
const MAX_ERROR: usize = 500;

/// Why a line is no request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Malformed {
    /// It is no JSON object: whoever wrote it does not speak the protocol.
    NotAnObject(String),
    /// It asks for something that does not exist, or wrongly.
    NotACall {
        /// The request's id; 0 where it has none.
        re: u64,
        /// What is wrong, and what to send instead.
        error: String,
    },
}

/// Reads one line (without its newline).
pub(super) fn parse(line: &[u8]) -> Result<Request, Malformed> {
    let mut object: Map<String, Value> = serde_json::from_slice(line).map_err(|error| {
        Malformed::NotAnObject(escape(
            &format!("not a JSON object ({error}): send one on each line, see docs/control.md"),
            MAX_ERROR,
        ))
    })?;
    let id = object.remove("id").as_ref().and_then(Value::as_u64);
    let refuse = |error: String| Malformed::NotACall {
        re: id.unwrap_or(0),
        error: escape(&error, MAX_ERROR),
    };
    let Some(id) = id else {
        return Err(refuse(
            "`id` is missing: give each request a number".to_owned(),
        ));
    };
    if !object.get("do").is_some_and(Value::is_string) {
        return Err(refuse("`do` is missing: hello, subscribe, pending, checksum, answer, answer-to, dismiss, touch, rules-changed, halt, deny-rest, release, flows or end".to_owned()));
    }
    let call: Call = serde_json::from_value(Value::Object(object.clone()))
        .map_err(|error| refuse(error.to_string()))?;
    match unknown_field(&object, &call) {
        Some(field) => Err(refuse(format!("`{field}` is no field of this request"))),
        None => Ok(Request { id, call }),
    }
}

/// A field that means nothing is refused: what it asked for would silently not happen. (serde's
/// `deny_unknown_fields` cannot be had together with `flatten`.)
fn unknown_field(object: &Map<String, Value>, call: &Call) -> Option<String> {
    let known = serde_json::to_value(call).ok()?;
    let known = known.as_object()?;
    object
        .keys()
        .find(|field| !known.contains_key(*field))
        .cloned()
}

#[cfg(test)]
mod tests {
    use super::super::protocol::{Answer, Duration, Scope};
    use super::*;
    use crate::verdict::Verdict;
    use proptest::prelude::*;

    fn call(line: &str) -> Call {
        parse(line.as_bytes()).unwrap().call
    }

    fn error(line: &str) -> (u64, String) {
        match parse(line.as_bytes()).unwrap_err() {
            Malformed::NotACall { re, error } => (re, error),
            Malformed::NotAnObject(error) => panic!("{error}"),
        }
    }

    #[test]
    fn requests_are_read() {
        let hello = Call::Hello {
            version: 1,
            client: "x".to_owned(),
        };
        assert_eq!(
            call(r#"{"id":1,"do":"hello","version":1,"client":"x"}"#),
            hello
        );
        assert_eq!(
            call(r#"{"id":2,"do":"subscribe","asks":true}"#),
            Call::Subscribe {
                events: false,
                earlier: false,
                asks: true
            }
        );
        assert_eq!(call(r#"{"do":"rules-changed","id":3}"#), Call::RulesChanged);
        let answer = Answer {
            verdict: Verdict::Allow,
            duration: Duration::Seconds(300),
            scope: Scope::Port,
        };
        let line =
            r#"{"id":4,"do":"answer","question":7,"verdict":"allow","for":"5m","scope":"port"}"#;
        assert_eq!(
            call(line),
            Call::Answer {
                question: 7,
                answer
            }
        );
        assert_eq!(
            call(
                r#"{"id":5,"do":"answer-to","question":7,"verdict":"deny","for":"1h","to":["a.test"]}"#
            ),
            Call::AnswerTo {
                question: 7,
                verdict: Verdict::Deny,
                duration: Duration::Seconds(3600),
                to: vec!["a.test".to_owned()],
            }
        );
        let answer = Answer {
            verdict: Verdict::Deny,
            duration: Duration::Run,
            scope: Scope::Host,
        };
        assert_eq!(
            call(r#"{"id":5,"do":"answer","question":7,"verdict":"deny"}"#),
            Call::Answer {
                question: 7,
                answer
            }
        );
    }

    #[test]
    fn mistakes_are_named_and_keep_their_number() {
        assert_eq!(error(r#"{"do":"halt"}"#).0, 0);
        assert!(error(r#"{"do":"halt"}"#).1.contains("`id` is missing"));
        assert!(
            error(r#"{"id":-1,"do":"halt"}"#)
                .1
                .contains("`id` is missing")
        );
        let (re, text) = error(r#"{"id":9,"do":"explode"}"#);
        assert!(
            re == 9 && text.contains("explode") && text.contains("rules-changed"),
            "{text}"
        );
        let (re, text) = error(r#"{"id":9,"do":"halt","force":true}"#);
        assert!(re == 9 && text.contains("`force` is no field"), "{text}");
        let (_, text) =
            error(r#"{"id":9,"do":"answer","question":1,"verdict":"allow","scop":"any"}"#);
        assert!(text.contains("`scop` is no field"), "{text}");
        let (_, text) = error(r#"{"id":9,"do":"answer","question":1,"verdict":"perhaps"}"#);
        assert!(text.contains("perhaps"), "{text}");
        let (_, text) =
            error(r#"{"id":9,"do":"answer","question":1,"verdict":"allow","for":"5y"}"#);
        assert!(text.contains("5m"), "{text}");
        let (_, text) = error(&format!(
            r#"{{"id":9,"do":"{}\u202e"}}"#,
            "x".repeat(100_000)
        ));
        assert!(text.chars().count() <= MAX_ERROR);
    }

    #[test]
    fn what_is_no_object_is_garbage() {
        let deep = "[".repeat(100_000);
        let deep_object = r#"{"a":"#.repeat(100_000);
        for line in [
            "",
            "GET / HTTP/1.1",
            "[]",
            "7",
            "null",
            "{",
            r#""x""#,
            "\u{0}",
            &deep,
            &deep_object,
        ] {
            assert!(
                matches!(parse(line.as_bytes()), Err(Malformed::NotAnObject(_))),
                "{line:.20}"
            );
        }
        assert!(matches!(
            parse(b"{\"id\":1,\"do\":\"\xff\"}"),
            Err(Malformed::NotAnObject(_))
        ));
    }

    proptest! {
        #[test]
        fn no_line_panics_and_errors_are_bounded(line in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Err(Malformed::NotACall { error, .. } | Malformed::NotAnObject(error)) = parse(&line) {
                prop_assert!(error.chars().count() <= MAX_ERROR);
            }
        }

        #[test]
        fn what_we_write_we_read(id: u64, question: u64, seconds in 1u64..10_000, allow: bool) {
            let verdict = if allow { Verdict::Allow } else { Verdict::Deny };
            let answer = Answer { verdict, duration: Duration::Seconds(seconds), scope: Scope::Subnet };
            let request = Request { id, call: Call::Answer { question, answer } };
            let line = serde_json::to_vec(&request).unwrap();
            prop_assert_eq!(parse(&line).unwrap(), request);
        }
    }
}
