//! The questions that wait, from all sessions: oldest first, those of one app together.

use hallpass_session::control::protocol::{Question, QuestionId};
use hallpass_session::hold::Hold;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// A question, among those of all sessions.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// The session's name.
    pub session: String,
    /// The question's number there.
    pub question: QuestionId,
}

/// A question that waits.
#[derive(Clone, Debug)]
pub struct Item {
    /// Its name.
    pub key: Key,
    /// What is asked.
    pub question: Question,
    /// When its clock, if one runs, refuses it.
    pub ends: Option<Instant>,
}

/// One app of one session, with what it asks.
#[derive(Clone, Debug)]
pub struct Group {
    session: String,
    app: String,
    items: VecDeque<Item>,
}

/// All questions that wait.
#[derive(Clone, Debug, Default)]
pub struct Queue {
    groups: VecDeque<Group>,
}

impl Item {
    /// A question as it has just arrived.
    #[must_use]
    pub fn new(session: &str, question: Question, now: Instant) -> Self {
        let left = question.time_left_ms.map(Duration::from_millis);
        Self {
            key: Key {
                session: session.to_owned(),
                question: question.id,
            },
            ends: left.and_then(|left| now.checked_add(left)),
            question,
        }
    }
}

impl Group {
    /// What the app asks, oldest first.
    #[must_use]
    pub fn items(&self) -> &VecDeque<Item> {
        &self.items
    }
}

impl Queue {
    /// Takes a question in, or what has changed about it. Its place stays.
    pub fn put(&mut self, item: Item) {
        let app = item.question.app.identity();
        let group = self
            .groups
            .iter_mut()
            .find(|group| group.session == item.key.session && group.app == app);
        match group {
            Some(group) => match group.items.iter_mut().find(|old| old.key == item.key) {
                Some(old) => *old = item,
                None => group.items.push_back(item),
            },
            None => self.groups.push_back(Group {
                session: item.key.session.clone(),
                app: app.to_owned(),
                items: VecDeque::from([item]),
            }),
        }
    }

    /// Takes a question out.
    pub fn remove(&mut self, key: &Key) -> Option<Item> {
        let mut found = None;
        for group in &mut self.groups {
            if let Some(at) = group.items.iter().position(|item| item.key == *key) {
                found = group.items.remove(at);
                break;
            }
        }
        self.groups.retain(|group| !group.items.is_empty());
        found
    }

    /// Whether a question is there.
    #[must_use]
    pub fn contains(&self, key: &Key) -> bool {
        self.items().any(|item| item.key == *key)
    }

    /// Takes out all that a session asks.
    pub fn remove_session(&mut self, session: &str) {
        self.groups.retain(|group| group.session != session);
    }

    /// The question to be answered now.
    #[must_use]
    pub fn front(&self) -> Option<&Item> {
        self.groups.front()?.items.front()
    }

    /// All that the front question's app asks.
    #[must_use]
    pub fn front_group(&self) -> Option<&Group> {
        self.groups.front()
    }

    /// The groups, in the order in which they will be answered.
    pub fn groups(&self) -> impl Iterator<Item = &Group> {
        self.groups.iter()
    }

    /// All questions, in the order in which they will be answered.
    pub fn items(&self) -> impl Iterator<Item = &Item> {
        self.groups.iter().flat_map(|group| group.items.iter())
    }

    /// How many questions wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.groups.iter().map(|group| group.items.len()).sum()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// How many calls wait in all questions; a program that may try again counts as one.
    #[must_use]
    pub fn calls(&self) -> usize {
        let calls = |item: &Item| match item.question.hold {
            Hold::Retry => 1,
            Hold::Block | Hold::Name => item.question.waiting,
        };
        self.items().map(calls).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::samples::question;

    fn filled(asked: &[(&str, u64, &str)]) -> Queue {
        let mut queue = Queue::default();
        for (session, id, app) in asked {
            queue.put(Item::new(
                session,
                question(*id, app, "a.test"),
                Instant::now(),
            ));
        }
        queue
    }

    fn order(queue: &Queue) -> Vec<(String, u64)> {
        queue
            .items()
            .map(|item| (item.key.session.clone(), item.key.question))
            .collect()
    }

    #[test]
    fn oldest_first_and_one_app_together() {
        let queue = filled(&[
            ("s", 1, "curl"),
            ("s", 2, "npm"),
            ("t", 1, "curl"),
            ("s", 3, "curl"),
        ]);
        let expected = [("s", 1), ("s", 3), ("s", 2), ("t", 1)].map(|(s, n)| (s.to_owned(), n));
        assert_eq!(order(&queue), expected);
        assert_eq!((queue.len(), queue.calls()), (4, 4));
    }

    #[test]
    fn an_app_that_has_begun_goes_on_before_the_next() {
        let mut queue = filled(&[("s", 1, "curl"), ("s", 2, "npm")]);
        queue.put(Item::new(
            "s",
            question(3, "curl", "b.test"),
            Instant::now(),
        ));
        queue.remove(&Key {
            session: "s".to_owned(),
            question: 1,
        });
        assert_eq!(queue.front().unwrap().key.question, 3);
    }

    #[test]
    fn news_of_a_question_leave_it_in_its_place() {
        let mut queue = filled(&[("s", 1, "curl"), ("s", 2, "curl")]);
        let mut more = question(1, "curl", "a.test");
        more.waiting = 9;
        queue.put(Item::new("s", more, Instant::now()));
        assert_eq!(queue.front().unwrap().question.waiting, 9);
        assert_eq!(queue.len(), 2);
    }

    #[test]
    fn sessions_leave_with_all_their_questions() {
        let mut queue = filled(&[("s", 1, "curl"), ("t", 1, "npm"), ("s", 2, "npm")]);
        queue.remove_session("s");
        assert_eq!(order(&queue), [("t".to_owned(), 1)]);
        assert!(
            queue
                .remove(&Key {
                    session: "s".to_owned(),
                    question: 1
                })
                .is_none()
        );
    }
}
