//! What waits to be sent to one client: bounded, and never waited for.

use super::protocol::{LiveFlow, Message};
use crate::event::Kind;
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How much may wait for a client, in bytes of its lines, roughly. One that falls further behind
/// is dropped: it would see a picture that is long out of date.
pub(super) const MAX_WAITING_BYTES: usize = 8 * 1024 * 1024;

/// How many messages are written at once: a write for each would cost the kernel several times
/// their size in a socket's buffer.
const BATCH: usize = 64;

/// A queue between the session, which never waits, and the thread that writes to the client.
#[derive(Default)]
pub(super) struct Outbox {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Message>,
    bytes: usize,
    closed: bool,
    /// The writer lets messages gather: none of them wakes it, only the end does.
    gathering: bool,
}

impl Outbox {
    /// Adds a message; false where the client is gone or has fallen too far behind.
    pub(super) fn push(&self, message: Message) -> bool {
        let mut state = self.state();
        if state.closed {
            return false;
        }
        // The writer sleeps only where there is nothing to take, or while events gather.
        let asleep = state.queue.is_empty() && !state.gathering;
        state.bytes += weight(&message);
        if state.bytes > MAX_WAITING_BYTES && !state.queue.is_empty() {
            state.queue.clear();
            state.closed = true;
        } else {
            state.queue.push_back(message);
        }
        if asleep || state.closed {
            self.changed.notify_one();
        }
        !state.closed
    }

    /// Takes no more; what waits may still be sent.
    pub(super) fn close(&self) {
        self.state().closed = true;
        self.changed.notify_one();
    }

    /// The next messages, at most [`BATCH`]; waits for the first. Empty once the box is closed
    /// and empty.
    pub(super) fn take(&self) -> Vec<Message> {
        let mut state = self.state();
        while state.queue.is_empty() && !state.closed {
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        let count = state.queue.len().min(BATCH);
        let batch: Vec<Message> = state.queue.drain(..count).collect();
        let bytes: usize = batch.iter().map(weight).sum();
        state.bytes = state.bytes.saturating_sub(bytes);
        batch
    }

    /// Lets messages gather for `time`, unless the box is closed before.
    pub(super) fn gather(&self, time: Duration) {
        let end = Instant::now() + time;
        let mut state = self.state();
        state.gathering = true;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if state.closed || left.is_zero() {
                break;
            }
            state = self
                .changed
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        state.gathering = false;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// About how long a message is, without writing it out. Command lines are what can be long.
pub(crate) fn weight(message: &Message) -> usize {
    const REST: usize = 512;
    let lengths = |argv: &[String]| argv.iter().map(String::len).sum::<usize>();
    REST + match message {
        Message::Question(question) => lengths(&question.app.argv) + REST * question.offers.len(),
        Message::Pending { questions, .. } => questions
            .iter()
            .map(|question| lengths(&question.app.argv) + REST * (1 + question.offers.len()))
            .sum(),
        Message::Event(event) => match &event.kind {
            Kind::Asked { argv, .. } => lengths(argv),
            Kind::Started { command } => lengths(command),
            _ => 0,
        },
        Message::Flows { flows, .. } => flows.iter().map(LiveFlow::weight).sum(),
        Message::Hello(hello) => lengths(&hello.command),
        Message::Answering { clients } => lengths(clients),
        Message::Done { .. }
        | Message::Error { .. }
        | Message::Checksum { .. }
        | Message::Settled { .. } => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(re: u64) -> Message {
        Message::Done { re, settled: 0 }
    }

    #[test]
    fn messages_come_out_in_order_and_then_the_end() {
        let outbox = Outbox::default();
        assert!(outbox.push(message(1)) && outbox.push(message(2)));
        outbox.close();
        assert!(!outbox.push(message(3)));
        assert_eq!(outbox.take(), [message(1), message(2)]);
        assert_eq!(outbox.take(), []);
    }

    #[test]
    fn a_client_that_takes_nothing_is_given_up() {
        let outbox = Outbox::default();
        let taken = (0..1_000_000)
            .take_while(|number| outbox.push(message(*number)))
            .count();
        assert!((1000..100_000).contains(&taken), "{taken}");
        assert_eq!(outbox.take(), []);
    }

    #[test]
    fn gathering_ends_with_the_box() {
        let outbox = Outbox::default();
        std::thread::scope(|scope| {
            // Hours, unless the end wakes it.
            let gathered = scope.spawn(|| outbox.gather(Duration::from_secs(7200)));
            while !outbox.state().gathering {
                std::thread::yield_now();
            }
            assert!(outbox.push(message(1)));
            outbox.close();
            gathered.join().unwrap();
        });
        assert_eq!(outbox.take(), [message(1)]);
    }

    #[test]
    fn a_client_that_takes_everything_gets_everything() {
        let outbox = Outbox::default();
        for number in 0..100_000 {
            assert!(outbox.push(message(number)));
            assert_eq!(outbox.take(), [message(number)]);
        }
    }
}
