//! The first events of a session, for clients that come a moment after it has started.

use crate::control::protocol::Message;
use crate::control::weight;
use crate::event::Event;

/// More events than this, or more bytes of them, are not kept: a client that comes so late hears
/// what happens from then on.
const MOST_EVENTS: usize = 256;
const MOST_BYTES: usize = 1 << 20;

/// All events so far, or nothing once there were too many.
pub(super) struct Beginning {
    kept: Option<Vec<Message>>,
    bytes: usize,
}

impl Beginning {
    pub(super) fn new() -> Self {
        Self {
            kept: Some(Vec::new()),
            bytes: 0,
        }
    }

    pub(super) fn note(&mut self, event: &Event) {
        let Some(kept) = &mut self.kept else { return };
        let message = Message::Event(Box::new(event.clone()));
        self.bytes += weight(&message);
        if kept.len() == MOST_EVENTS || self.bytes > MOST_BYTES {
            self.kept = None;
        } else {
            kept.push(message);
        }
    }

    /// The events so far, as messages.
    pub(super) fn messages(&self) -> &[Message] {
        self.kept.as_deref().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::{Beginning, MOST_EVENTS};
    use crate::event::{Event, Kind, VERSION};

    fn event(command: &str) -> Event {
        Event {
            v: VERSION,
            seq: 1,
            time: String::new(),
            session: String::new(),
            kind: Kind::Started {
                command: vec![command.to_owned()],
            },
        }
    }

    #[test]
    fn a_beginning_is_kept_whole_or_not_at_all() {
        let mut beginning = Beginning::new();
        for kept in 1..=MOST_EVENTS {
            beginning.note(&event("x"));
            assert_eq!(beginning.messages().len(), kept);
        }
        for _ in 0..2 {
            beginning.note(&event("x"));
            assert!(beginning.messages().is_empty());
        }
        let mut large = Beginning::new();
        large.note(&event("x"));
        large.note(&event(&"x".repeat(2 << 20)));
        assert!(large.messages().is_empty());
    }
}
