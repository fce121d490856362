//! The live connections of the sessions, while somebody looks at them.
//!
//! They are asked for once a second at most, only while they are on screen, and less often where
//! a session takes long to answer. An answer that looks the same on screen is no news.

use hallpass_session::control::protocol::{Direction, FlowId, LiveFlow};
use hallpass_session::render;
use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

/// How often they are asked for.
pub const EVERY: Duration = Duration::from_secs(1);
/// A session is left alone for this many times as long as it took to answer: one with a hundred
/// thousand open files must not spend its time on being looked at.
const REST: u32 = 20;
/// How long a session may take before it is asked again.
const LOST: Duration = Duration::from_secs(30);
/// After the rows have moved under the pointer no click counts for this long.
pub const SETTLE: Duration = Duration::from_millis(700);
/// How many connections of a session are kept to be shown.
pub const KEPT: usize = 24;

/// One connection as it is on screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its number.
    pub id: FlowId,
    /// Who, and where to.
    pub what: String,
    /// State and bytes.
    pub how: String,
    /// What decided it.
    pub why: String,
}

/// The connections of one session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct List {
    /// At most [`KEPT`], oldest first.
    pub lines: Vec<Line>,
    /// How many more there are.
    pub more: usize,
}

#[derive(Debug, Default)]
struct Watched {
    list: List,
    /// Since when an answer is waited for.
    asked: Option<Instant>,
    /// Not to be asked before.
    next: Option<Instant>,
    /// Those that are being ended: a second click would mean another by then.
    ending: HashSet<FlowId>,
    /// When a row last went, or came before others.
    moved: Option<Instant>,
}

/// The connections of all sessions.
#[derive(Debug, Default)]
pub struct Live {
    is_on_screen: bool,
    sessions: HashMap<String, Watched>,
}

impl Live {
    /// Whether somebody can see them.
    #[must_use]
    pub fn is_on_screen(&self) -> bool {
        self.is_on_screen
    }

    /// They are on screen, or not any more.
    pub(super) fn on_screen(&mut self, is_on_screen: bool) {
        self.is_on_screen = is_on_screen;
    }

    /// What a session has open.
    #[must_use]
    pub fn of(&self, session: &str) -> Option<&List> {
        self.sessions.get(session).map(|watched| &watched.list)
    }

    /// Whether a session is to be asked now; then it counts as asked.
    pub(super) fn is_due(&mut self, session: &str, now: Instant) -> bool {
        let watched = self.sessions.entry(session.to_owned()).or_default();
        let waits = watched
            .asked
            .is_some_and(|asked| now.saturating_duration_since(asked) < LOST);
        let is_due = !waits && watched.next.is_none_or(|next| next <= now);
        if is_due {
            watched.asked = Some(now);
        }
        is_due
    }

    /// Whether a connection is being ended.
    #[must_use]
    pub fn is_ending(&self, session: &str, id: FlowId) -> bool {
        let watched = self.sessions.get(session);
        watched.is_some_and(|watched| watched.ending.contains(&id))
    }

    /// A click on a row's button; false where it may have been meant for another row.
    pub(super) fn may_end(&mut self, session: &str, id: FlowId, now: Instant) -> bool {
        let Some(watched) = self.sessions.get_mut(session) else {
            return false;
        };
        let has_settled = watched
            .moved
            .is_none_or(|moved| now.saturating_duration_since(moved) >= SETTLE);
        has_settled && watched.ending.insert(id)
    }

    /// It could not be ended.
    pub(super) fn not_ended(&mut self, session: &str, id: FlowId) {
        if let Some(watched) = self.sessions.get_mut(session) {
            watched.ending.remove(&id);
        }
    }

    /// Something was done: ask at the next opportunity.
    pub(super) fn look_again(&mut self, session: &str) {
        if let Some(watched) = self.sessions.get_mut(session) {
            (watched.asked, watched.next) = (None, None);
        }
    }

    /// A session's answer; true where it changes what is on screen.
    pub(super) fn came(
        &mut self,
        session: &str,
        flows: &[LiveFlow],
        more: usize,
        now: Instant,
    ) -> bool {
        let Some(watched) = self.sessions.get_mut(session) else {
            return false;
        };
        let took = watched
            .asked
            .take()
            .map_or(Duration::ZERO, |asked| now.saturating_duration_since(asked));
        // A little less than a second, so that a look each second finds it due.
        let rest = (took * REST).max(EVERY * 9 / 10);
        watched.next = now.checked_add(rest);
        let list = list(flows, more);
        let is_news = watched.list != list;
        let mut places = watched.list.lines.iter().zip(&list.lines);
        let shrinks = list.lines.len() < watched.list.lines.len();
        if shrinks || places.any(|(before, after)| before.id != after.id) {
            watched.moved = Some(now);
        }
        watched
            .ending
            .retain(|id| list.lines.iter().any(|line| line.id == *id));
        watched.list = list;
        is_news
    }

    pub(super) fn left(&mut self, session: &str) {
        self.sessions.remove(session);
    }
}

fn list(flows: &[LiveFlow], more: usize) -> List {
    let outgoing = || flows.iter().filter(|flow| flow.direction == Direction::Out);
    List {
        lines: outgoing().take(KEPT).map(line).collect(),
        more: outgoing().count().saturating_sub(KEPT) + more,
    }
}

fn line(flow: &LiveFlow) -> Line {
    let mut how = flow.state.words().to_owned();
    let amounts = [(flow.sent, "sent"), (flow.received, "received")];
    for (amount, word) in amounts {
        if let Some(bytes) = amount {
            how.push_str(&format!(" · {} {word}", render::amount(bytes)));
        }
    }
    // Whole minutes: a connection that does nothing looks the same for so long.
    if let Some(ms) = flow.age_ms.filter(|ms| *ms >= 60_000) {
        how.push_str(&format!(" · {}", render::age(ms)));
    }
    Line {
        id: flow.id,
        what: crate::show::clip(&render::live(flow), 160),
        how,
        why: crate::show::clip(&render::live_reason(flow), 120),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::samples;

    const SESSION: &str = "4242-0000000a";

    #[test]
    fn a_session_is_asked_once_a_second_and_left_alone_when_it_is_slow() {
        let (mut live, start) = (Live::default(), Instant::now());
        assert!(live.is_due(SESSION, start));
        assert!(!live.is_due(SESSION, start), "an answer is waited for");
        let soon = start + Duration::from_millis(1);
        live.came(SESSION, &[], 0, soon);
        assert!(!live.is_due(SESSION, soon + Duration::from_millis(500)));
        assert!(live.is_due(SESSION, soon + EVERY));
        let slow = soon + EVERY + Duration::from_millis(200);
        live.came(SESSION, &[], 0, slow);
        assert!(!live.is_due(SESSION, slow + Duration::from_secs(3)));
        assert!(live.is_due(SESSION, slow + Duration::from_secs(4)));
        // An answer that never comes is not waited for for ever.
        let later = slow + Duration::from_secs(5);
        assert!(!live.is_due(SESSION, later));
        assert!(live.is_due(SESSION, later + LOST));
        live.look_again(SESSION);
        assert!(live.is_due(SESSION, later + LOST));
    }

    #[test]
    fn what_looks_the_same_is_no_news() {
        let (mut live, now) = (Live::default(), Instant::now());
        let mut flow = samples::live(3);
        assert!(!live.came(SESSION, &[flow.clone()], 0, now), "nobody asked");
        live.is_due(SESSION, now);
        assert!(live.came(SESSION, &[flow.clone()], 0, now));
        flow.age_ms = Some(30_000);
        assert!(!live.came(SESSION, &[flow.clone()], 0, now));
        flow.sent = Some(2_000_000);
        assert!(live.came(SESSION, &[flow.clone()], 0, now));
        assert!(live.came(SESSION, &[], 0, now));
        live.left(SESSION);
        assert!(live.of(SESSION).is_none());
    }

    #[test]
    fn a_click_counts_once_and_not_just_after_rows_have_moved() {
        let (mut live, now) = (Live::default(), Instant::now());
        let two = [samples::live(3), samples::live(4)];
        live.is_due(SESSION, now);
        live.came(SESSION, &two, 0, now);
        assert!(live.may_end(SESSION, 3, now), "new rows below move nothing");
        assert!(live.is_ending(SESSION, 3));
        assert!(!live.may_end(SESSION, 3, now), "a double click");
        live.came(SESSION, &two[1..], 0, now);
        assert!(!live.may_end(SESSION, 4, now), "it was under the pointer");
        assert!(live.may_end(SESSION, 4, now + SETTLE));
        live.not_ended(SESSION, 4);
        assert!(
            live.may_end(SESSION, 4, now + SETTLE),
            "it may be tried again"
        );
    }

    #[test]
    fn only_so_many_are_kept_and_none_that_came_in() {
        let mut came_in = samples::live(1);
        came_in.direction = Direction::In;
        let mut flows: Vec<_> = (2..50).map(samples::live).collect();
        flows.push(came_in);
        let list = list(&flows, 5);
        assert_eq!(list.lines.len(), KEPT);
        assert_eq!(list.more, 48 - KEPT + 5);
        assert_eq!(list.lines[0].id, 2);
    }
}
