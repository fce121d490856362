//! The list: every way out that is tried, by chapters, with what stops it.

mod calls;
mod elsewhere;
mod session;

use crate::attack::Attack;
use calls::{CALL_ATTACKS, RACE_ATTACKS, UNHOOKED_ATTACKS};
use elsewhere::{FAMILY_ATTACKS, OLDER_ATTACKS, PLACE_ATTACKS};
use session::{ANSWER_ATTACKS, FILTER_ATTACKS, SESSION_ATTACKS};

pub(crate) const UNHOOKED: &str = "Programs that no library is in";
pub(crate) const CALLS: &str = "Unusual calls";
pub(crate) const RACES: &str = "Changing the call while it is made";
pub(crate) const PLACES: &str = "Other places, other users";
pub(crate) const FAMILIES: &str = "Other families of sockets";
pub(crate) const OLDER: &str = "Through a process that was there before";
pub(crate) const SESSION: &str = "Against the session";
pub(crate) const ANSWERS: &str = "Answering for oneself";
pub(crate) const FILTERS: &str = "Filters and tracers of one's own";

/// All chapters.
pub(crate) const CHAPTERS: &[(&str, &[Attack])] = &[
    (UNHOOKED, UNHOOKED_ATTACKS),
    (CALLS, CALL_ATTACKS),
    (RACES, RACE_ATTACKS),
    (PLACES, PLACE_ATTACKS),
    (FAMILIES, FAMILY_ATTACKS),
    (OLDER, OLDER_ATTACKS),
    (SESSION, SESSION_ATTACKS),
    (ANSWERS, ANSWER_ATTACKS),
    (FILTERS, FILTER_ATTACKS),
];

/// The attacks of a chapter.
pub(crate) fn chapter(title: &str) -> &'static [Attack] {
    let found = CHAPTERS.iter().find(|(it, _)| *it == title);
    found.expect("a chapter's title").1
}

/// A call like any other.
const DECIDED: &str = "decided like every call";
/// The filter knows calls by number and convention, not by who makes them.
const INHERITED: &str =
    "the filter is inherited by whatever a process starts, and needs no library in it";
