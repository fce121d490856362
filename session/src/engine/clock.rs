//! A question's clock: it runs while nobody looks, and stands while a client has its hand on it.

use crate::engine::ClientId;
use std::collections::HashSet;
use std::time::{Duration, Instant};

/// Counts down `--ask-timeout`; a question without one has a clock that never ends.
pub(super) struct Clock {
    left: Option<Duration>,
    /// When `left` was true; none while it stands still.
    running_since: Option<Instant>,
    held_by: HashSet<ClientId>,
}

impl Clock {
    pub(super) fn start(timeout: Option<Duration>, now: Instant) -> Self {
        Self {
            left: timeout,
            running_since: Some(now),
            held_by: HashSet::new(),
        }
    }

    /// What is left; none where there is no limit or the clock stands.
    pub(super) fn left(&self, now: Instant) -> Option<Duration> {
        let since = self.running_since?;
        Some(
            self.left?
                .saturating_sub(now.saturating_duration_since(since)),
        )
    }

    pub(super) fn ends(&self) -> Option<Instant> {
        self.running_since?.checked_add(self.left?)
    }

    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.ends().is_some_and(|end| end <= now)
    }

    /// Returns whether the clock stopped just now.
    pub(super) fn hold(&mut self, client: ClientId, now: Instant) -> bool {
        self.held_by.insert(client);
        let Some(since) = self.running_since.take() else {
            return false;
        };
        self.left = self
            .left
            .map(|left| left.saturating_sub(now.saturating_duration_since(since)));
        self.left.is_some()
    }

    /// Returns whether the clock goes on just now.
    pub(super) fn release(&mut self, client: ClientId, now: Instant) -> bool {
        if !self.held_by.remove(&client) || !self.held_by.is_empty() {
            return false;
        }
        self.running_since = Some(now);
        self.left.is_some()
    }
}
