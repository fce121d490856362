//! What each key does. Enter and Space do nothing: they are what a person may be typing.

use hallpass_session::control::protocol::Scope;

/// What a person can do to the question on screen, by key or by button.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// `a`.
    Allow,
    /// `d`.
    Deny,
    /// `A`: all that this app asks.
    AllowAll,
    /// `D`: all that this app asks.
    DenyAll,
    /// `r`: deny a program that asks again and again, for this run.
    DenyRun,
    /// `R`: refuse whatever this session asks, or would ask, until its end.
    DenyRest,
    /// Esc: refuse the calls that wait now, and make no rule.
    Refuse,
    /// `1` to `4`.
    Length(u8),
    /// Left.
    Narrower,
    /// Right.
    Wider,
    /// One width, by its button.
    Width(Scope),
    /// `e`.
    Edit,
    /// `i`.
    Details,
    /// `m`.
    Later,
}

/// The keys as the window shows them.
pub const LEGEND: [(&str, &str); 8] = [
    ("a", "allow"),
    ("d", "deny"),
    ("1–4", "how long"),
    ("← →", "how wide"),
    ("e", "edit rule"),
    ("i", "details"),
    ("m", "later"),
    ("Esc", "refuse once"),
];
