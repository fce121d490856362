//! What a person has chosen so far for one question, and what each key does to it. No I/O.

use super::keys::Key;
use hallpass_session::control::protocol::{Answer, Duration, Offer, Question, Scope};
use hallpass_session::verdict::Verdict;

/// Seconds of the third duration.
const FIVE_MINUTES: u64 = 300;

/// What a key asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// The screen has changed; a person is there.
    Redraw,
    /// Give this answer.
    Answer(Answer),
    /// Refuse this, and all that would be asked from now on.
    DenyRest,
    /// Refuse what waits now; no rule.
    Dismiss,
    /// Refuse all that waits, then this signal, as from the terminal.
    Signal(i32),
    /// Give the terminal back and stop, as Ctrl-Z does.
    Suspend,
}

/// What is shown below the question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Page {
    /// The choices alone.
    Choices,
    /// Who asks, in full.
    Details,
    /// What the keys do.
    Help,
}

/// One question and the choices made for it.
#[derive(Clone, Debug)]
pub(crate) struct Choice {
    /// The question.
    pub(crate) question: Question,
    /// Where in the question's offers; see [`Choice::offer`].
    selected: usize,
    /// For how long.
    pub(crate) duration: Duration,
    /// What is shown.
    pub(crate) page: Page,
    /// What went wrong with the last key, in words.
    pub(crate) note: Option<String>,
}

impl Choice {
    /// A question with the usual choices: this host, this run.
    pub(crate) fn new(question: Question) -> Self {
        let selected = position(&question.offers, Scope::Host).unwrap_or(0);
        Self {
            question,
            selected,
            duration: Duration::Run,
            page: Page::Choices,
            note: None,
        }
    }

    /// The same question with another count, clock or set of offers. What was chosen stays, where
    /// it is still offered.
    pub(crate) fn update(&mut self, question: Question) {
        let scope = self.offer().map(|offer| offer.scope);
        self.selected = scope
            .and_then(|scope| position(&question.offers, scope))
            .or_else(|| position(&question.offers, Scope::Host))
            .unwrap_or(0);
        if !question.may_save && self.duration == Duration::Always {
            self.duration = Duration::Run;
        }
        self.question = question;
    }

    /// The chosen width; none only for a question that offers nothing.
    pub(crate) fn offer(&self) -> Option<&Offer> {
        self.question.offers.get(self.selected)
    }

    /// The durations with their keys.
    pub(crate) fn durations(&self) -> Vec<(char, Duration)> {
        let mut all = vec![
            ('1', Duration::Once),
            ('2', Duration::Run),
            ('3', Duration::Seconds(FIVE_MINUTES)),
        ];
        if self.question.may_save {
            all.push(('4', Duration::Always));
        }
        all
    }

    /// Does what a key says.
    pub(crate) fn on_key(&mut self, key: Key) -> Act {
        self.note = None;
        match key {
            Key::Char('y') => self.answer(Verdict::Allow),
            Key::Char('n') => self.answer(Verdict::Deny),
            Key::Char('r') => Act::DenyRest,
            Key::Char('d') => self.toggle(Page::Details),
            Key::Char('?') => self.toggle(Page::Help),
            Key::Char(digit @ '1'..='4') => self.choose_duration(digit),
            Key::Char(letter) => match scope_of(letter) {
                Some(scope) => self.choose_scope(scope),
                None => self.complain("y allows, n denies, ? shows the keys"),
            },
            Key::Left => self.choose(self.selected.saturating_sub(1)),
            Key::Right => self.choose(self.selected.saturating_add(1)),
            Key::Escape | Key::EndOfFile => Act::Dismiss,
            Key::Interrupt => Act::Signal(libc::SIGINT),
            Key::Quit => Act::Signal(libc::SIGQUIT),
            Key::Suspend => Act::Suspend,
            Key::Other | Key::Report => self.complain("y allows, n denies, ? shows the keys"),
        }
    }

    fn answer(&self, verdict: Verdict) -> Act {
        match self.offer() {
            Some(offer) => Act::Answer(Answer {
                verdict,
                duration: self.duration,
                scope: offer.scope,
            }),
            None => Act::Dismiss,
        }
    }

    fn toggle(&mut self, page: Page) -> Act {
        self.page = if self.page == page {
            Page::Choices
        } else {
            page
        };
        Act::Redraw
    }

    fn choose_duration(&mut self, digit: char) -> Act {
        match self.durations().into_iter().find(|(key, _)| *key == digit) {
            Some((_, duration)) => {
                self.duration = duration;
                Act::Redraw
            }
            None => self.complain("nothing is saved: this run leaves saved rules out, or no rule can name the program"),
        }
    }

    fn choose_scope(&mut self, scope: Scope) -> Act {
        match position(&self.question.offers, scope) {
            Some(index) => self.choose(index),
            None => self.complain(match scope {
                Scope::Subnet => "this host has a name: its domain is offered, not its network",
                Scope::Domain => "this address has no name that a rule could be written with",
                Scope::Port => "this protocol has no ports",
                Scope::Host | Scope::Any => "this is not offered here",
            }),
        }
    }

    fn choose(&mut self, index: usize) -> Act {
        self.selected = index.min(self.question.offers.len().saturating_sub(1));
        Act::Redraw
    }

    fn complain(&mut self, note: &str) -> Act {
        self.note = Some(note.to_owned());
        Act::Redraw
    }
}

/// The key of a width.
pub(crate) fn key_of(scope: Scope) -> char {
    match scope {
        Scope::Port => 'p',
        Scope::Host => 'h',
        Scope::Subnet => 's',
        Scope::Domain => 'm',
        Scope::Any => 'a',
    }
}

fn scope_of(letter: char) -> Option<Scope> {
    [
        Scope::Port,
        Scope::Host,
        Scope::Subnet,
        Scope::Domain,
        Scope::Any,
    ]
    .into_iter()
    .find(|scope| key_of(*scope) == letter)
}

fn position(offers: &[Offer], scope: Scope) -> Option<usize> {
    offers.iter().position(|offer| offer.scope == scope)
}

#[cfg(test)]
mod tests {
    use super::{Act, Choice, Page};
    use crate::prompt::keys::Key;
    use crate::prompt::samples;
    use hallpass_session::control::protocol::{Answer, Duration, Scope};
    use hallpass_session::verdict::Verdict;

    fn press(choice: &mut Choice, keys: &str) -> Act {
        keys.chars()
            .map(|key| choice.on_key(Key::Char(key)))
            .last()
            .unwrap()
    }

    fn answer(verdict: Verdict, duration: Duration, scope: Scope) -> Act {
        Act::Answer(Answer {
            verdict,
            duration,
            scope,
        })
    }

    #[test]
    fn y_and_n_take_the_usual_choices() {
        let mut choice = Choice::new(samples::printer());
        assert_eq!(
            press(&mut choice, "y"),
            answer(Verdict::Allow, Duration::Run, Scope::Host)
        );
        assert_eq!(
            press(&mut choice, "n"),
            answer(Verdict::Deny, Duration::Run, Scope::Host)
        );
    }

    #[test]
    fn duration_and_width_are_chosen_by_single_keys() {
        let mut choice = Choice::new(samples::printer());
        for (keys, duration, scope) in [
            ("1py", Duration::Once, Scope::Port),
            ("3my", Duration::Seconds(300), Scope::Domain),
            ("4ay", Duration::Always, Scope::Any),
            ("2hy", Duration::Run, Scope::Host),
        ] {
            assert_eq!(
                press(&mut choice, keys),
                answer(Verdict::Allow, duration, scope),
                "{keys}"
            );
        }
    }

    #[test]
    fn arrows_go_through_the_widths_and_stop_at_the_ends() {
        let mut choice = Choice::new(samples::printer());
        for _ in 0..9 {
            assert_eq!(choice.on_key(Key::Right), Act::Redraw);
        }
        assert_eq!(choice.offer().unwrap().scope, Scope::Any);
        for _ in 0..9 {
            choice.on_key(Key::Left);
        }
        assert_eq!(choice.offer().unwrap().scope, Scope::Port);
    }

    #[test]
    fn enter_space_and_strange_keys_decide_nothing() {
        let mut choice = Choice::new(samples::printer());
        for key in [Key::Other, Key::Char('x'), Key::Char('5'), Key::Char('0')] {
            assert_eq!(choice.on_key(key), Act::Redraw, "{key:?}");
            assert!(choice.note.is_some());
        }
    }

    #[test]
    fn a_hermetic_run_saves_nothing() {
        let mut question = samples::printer();
        question.may_save = false;
        let mut choice = Choice::new(question);
        assert_eq!(press(&mut choice, "4"), Act::Redraw);
        assert!(choice.note.clone().unwrap().contains("nothing is saved"));
        assert_eq!(
            press(&mut choice, "y"),
            answer(Verdict::Allow, Duration::Run, Scope::Host)
        );
    }

    #[test]
    fn a_width_that_is_not_offered_is_not_chosen() {
        let mut choice = Choice::new(samples::printer());
        assert_eq!(press(&mut choice, "s"), Act::Redraw);
        assert!(choice.note.is_some());
        assert_eq!(choice.offer().unwrap().scope, Scope::Host);
    }

    #[test]
    fn keys_that_close() {
        let mut choice = Choice::new(samples::printer());
        assert_eq!(choice.on_key(Key::Char('r')), Act::DenyRest);
        assert_eq!(choice.on_key(Key::Escape), Act::Dismiss);
        assert_eq!(choice.on_key(Key::EndOfFile), Act::Dismiss);
        assert_eq!(choice.on_key(Key::Interrupt), Act::Signal(libc::SIGINT));
        assert_eq!(choice.on_key(Key::Quit), Act::Signal(libc::SIGQUIT));
        assert_eq!(choice.on_key(Key::Suspend), Act::Suspend);
    }

    #[test]
    fn pages_toggle() {
        let mut choice = Choice::new(samples::printer());
        for (key, page) in [
            ('d', Page::Details),
            ('?', Page::Help),
            ('?', Page::Choices),
            ('d', Page::Details),
            ('d', Page::Choices),
        ] {
            press(&mut choice, &key.to_string());
            assert_eq!(choice.page, page);
        }
    }

    #[test]
    fn an_update_keeps_what_was_chosen() {
        let mut choice = Choice::new(samples::printer());
        press(&mut choice, "4p");
        let mut newer = samples::printer();
        newer.waiting = 7;
        newer.may_save = false;
        choice.update(newer);
        assert_eq!(choice.offer().unwrap().scope, Scope::Port);
        assert_eq!(choice.duration, Duration::Run);
        assert_eq!(choice.question.waiting, 7);
    }
}
