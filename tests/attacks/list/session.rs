//! Ways out against the session: itself, its questions and its filter.

use crate::attack::{Attack, Program, Scene};
use Program::{C, Python, Static};

pub(super) const SESSION_ATTACKS: &[Attack] = &[
    Attack::new(
        "killing the session, then connect",
        C("session"),
        "kill",
        "without its supervisor the call does not exist",
    ),
    Attack::new(
        "stopping the session for three seconds",
        C("session"),
        "stop",
        "the call waits until it goes on",
    ),
    Attack::new(
        "taking the session's descriptors away (prlimit)",
        C("session"),
        "starve",
        "what cannot be looked at is refused",
    )
    .any_error(),
    Attack::new(
        "a flood of questions, then connect",
        Static("flood"),
        "flood",
        "questions are bounded; others are decided meanwhile",
    ),
    Attack::new(
        "a session of one's own that allows everything",
        Python("fake"),
        "forged",
        "the guard does not ask whom the program names",
    ),
    Attack::new(
        "the same, with a real answer replayed",
        Python("fake"),
        "replayed",
        "the guard does not ask whom the program names",
    ),
    Attack::new(
        "claiming that the address is that of an allowed name",
        Python("names"),
        "names",
        "a name allows what the session's own look-ups gave for it",
    ),
    Attack::new(
        "`hallpass run --default allow` inside, by a program that hides where it is",
        Static("starts"),
        "nested",
        "it joins the session that the kernel says it is in, and can only narrow it",
    ),
    Attack::new(
        "writing rules.json, `hallpass rules`, `hallpass release`",
        Python("rules"),
        "",
        "sessions do not watch the file, and hear no command of their own targets; *later* runs do read it",
    ),
];

pub(super) const ANSWER_ATTACKS: &[Attack] = &[
    answer(
        "`hallpass answer` from inside",
        "command",
        "the control socket is out of every target's reach",
    ),
    answer(
        "the control socket, by hand",
        "socket",
        "the control socket is out of every target's reach",
    ),
    answer(
        "the control socket under another name",
        "linked",
        "known by its inode, and by who connects",
    ),
    answer(
        "the control socket, by an orphan",
        "orphan",
        "orphans stay the session's",
    ),
    Attack::new(
        "answering another session's question",
        Python("answers"),
        "another",
        "every session's control socket is out of reach",
    )
    .scene(Scene::OtherSession),
    Attack::new(
        "the same, with both sessions' sockets moved elsewhere first",
        Python("answers"),
        "another-moved",
        "sessions take no other session for a person",
    )
    .scene(Scene::OtherSession),
    Attack::new(
        "typing the answer (TIOCSTI)",
        Python("typing"),
        "tiocsti",
        "the request is refused",
    )
    .scene(Scene::Terminal)
    .needs("TIOCSTI (dev.tty.legacy_tiocsti 1)"),
    Attack::new(
        "having the terminal type its own title (CSI 21 t)",
        Python("typing"),
        "title",
        "letters beside an escape sequence are no answer",
    )
    .scene(Scene::Terminal),
    Attack::untried(
        "keys sent to the desktop window (XTEST)",
        "out of reach: who may use your X11 display may type on it. Wayland does not allow it",
    ),
];

const fn answer(name: &'static str, way: &'static str, why: &'static str) -> Attack {
    Attack::new(name, Python("answers"), way, why).scene(Scene::Patient)
}

pub(super) const FILTER_ATTACKS: &[Attack] = &[
    Attack::new(
        "a filter of one's own that allows connect",
        C("filters"),
        "allow",
        "of all filters the strictest decides",
    ),
    Attack::new(
        "a listener of one's own that lets connect go on",
        C("filters"),
        "listener",
        "the kernel allows one listener",
    ),
    Attack::new(
        "a tracer that turns getppid into connect",
        C("filters"),
        "turned",
        "filters look at what the tracer has made of it",
    ),
    Attack::new(
        "the same, at a filter of one's own (SECCOMP_RET_TRACE)",
        C("filters"),
        "turned-by-filter",
        "the filters look again after the tracer",
    ),
];
