//! Messages as lines that are no longer than a client reads.

use super::protocol::{MAX_MESSAGE, Message, Question};

/// A message as a line of at most [`MAX_MESSAGE`] bytes.
pub(super) fn encode(mut message: Message) -> std::io::Result<Vec<u8>> {
    loop {
        let mut line = serde_json::to_vec(&message)?;
        line.push(b'\n');
        if line.len() <= MAX_MESSAGE {
            return Ok(line);
        }
        message = shorten(message)?;
    }
}

/// A list of questions loses its newer half, and a question the farther half of its program's
/// parents: of those there may be many, with long paths. Nothing else is ever this long.
fn shorten(message: Message) -> std::io::Result<Message> {
    let too_long = || std::io::Error::other("a message has no end");
    match message {
        Message::Pending {
            re,
            mut questions,
            mut more,
        } if !questions.is_empty() => {
            let is_shorter = match questions.as_mut_slice() {
                [question] => loses_parents(question),
                _ => false,
            };
            if !is_shorter {
                let keep = questions.len() / 2;
                more += questions.len() - keep;
                questions.truncate(keep);
            }
            Ok(Message::Pending {
                re,
                questions,
                more,
            })
        }
        Message::Question(mut question) => {
            let is_shorter = loses_parents(&mut question);
            is_shorter
                .then_some(Message::Question(question))
                .ok_or_else(too_long)
        }
        _ => Err(too_long()),
    }
}

/// False where it has none to lose.
fn loses_parents(question: &mut Question) -> bool {
    let parents = &mut question.app.subject.parents;
    let keep = parents.len() / 2;
    let loses = keep < parents.len();
    parents.truncate(keep);
    loses
}

#[cfg(test)]
mod tests {
    use super::{MAX_MESSAGE, Message, encode};
    use hallpass_policy::Parent;

    /// As a program of many ancestors, all with the longest path there is, would be asked about.
    fn question() -> Message {
        let text = r#"{"question":{"id":7,"pid":4712,"app":{"exe":"/usr/bin/curl","script":null,"name":"curl","parents":[],"packages":[],"user":"ann","argv":[],"cwd":"/","uid":1000},"protocol":"tcp","address":"192.0.2.9","scope_id":0,"port":631,"names":[],"place":"internet","hold":"block","waiting":1,"told_no":0,"why":"","time_left_ms":30000,"offers":[],"may_save":true}}"#;
        let mut message = serde_json::from_str(text).unwrap();
        if let Message::Question(question) = &mut message {
            let path = r"/\u{1}".repeat(4000);
            let parents = (0..256).map(|pid| Parent {
                pid,
                exe: path.clone(),
                script: Some(path.clone()),
                name: "x".to_owned(),
            });
            question.app.subject.parents = parents.collect();
        }
        message
    }

    fn fits(message: Message) -> Message {
        let line = encode(message).unwrap();
        assert!(line.len() <= MAX_MESSAGE);
        serde_json::from_slice(&line).unwrap()
    }

    #[test]
    fn a_question_about_a_program_of_many_parents_is_asked() {
        let Message::Question(question) = fits(question()) else {
            panic!("no question");
        };
        assert!(question.app.subject.parents.len() > 16);
        assert_eq!(question.app.subject.parents[0].pid, 0);
    }

    #[test]
    fn a_list_of_one_such_question_has_it() {
        let Message::Question(question) = question() else {
            panic!("no question");
        };
        let list = Message::Pending {
            re: 1,
            questions: vec![*question.clone(), *question],
            more: 3,
        };
        let Message::Pending {
            questions, more, ..
        } = fits(list)
        else {
            panic!("no list");
        };
        assert_eq!((questions.len(), more), (1, 4));
    }
}
