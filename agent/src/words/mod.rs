//! What the window says, as plain text: testable without a window.

mod answer;
mod decided;
mod sentence;
mod service;

pub use answer::{
    done, duration, duration_means, effect, either_rule, reach, rule, scope, settles, span,
    verdict_verb,
};
pub use decided::{source, target};
pub use sentence::{Sentence, address, place, trust};
pub use service::service;

use crate::letters;
use crate::show::clip;
use hallpass_policy::Parent;

/// Longest host name in a sentence: a name of the DNS has at most 253.
const HOST: usize = 90;
/// Longest app name on a button.
const BUTTON_APP: usize = 22;

/// A name as people write it; the canonical form is ASCII (`xn--…`).
fn readable(name: &str) -> String {
    if !name.contains("xn--") {
        return name.to_owned();
    }
    let (readable, result) = idna::domain_to_unicode(name);
    match result {
        Ok(()) if readable.chars().all(letters::is_known) => readable,
        _ => name.to_owned(),
    }
}

/// An app's name, short enough for a line with other words on it.
#[must_use]
pub fn clip_app(name: &str) -> String {
    clip(name, BUTTON_APP)
}

/// Who started a program, the nearest first. None where the session itself did.
#[must_use]
pub fn parents(parents: &[Parent]) -> Option<String> {
    let name = |parent: &Parent| match &parent.script {
        Some(script) => base(script).to_owned(),
        None => parent.name.clone(),
    };
    let names: Vec<String> = parents.iter().map(name).collect();
    (!names.is_empty()).then(|| names.join(" ← "))
}

/// The last part of a path.
#[must_use]
pub fn base(path: &str) -> &str {
    path.rsplit('/')
        .find(|part| !part.is_empty())
        .unwrap_or(path)
}

/// A command line, on one line.
#[must_use]
pub fn command(argv: &[String], max: usize) -> String {
    let mut line = String::new();
    for argument in argv {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(argument);
        // One character more than fits tells `clip` that something is cut.
        if line.chars().count() > max {
            break;
        }
    }
    clip(&line, max)
}

/// `1 call`, `3 calls`.
#[must_use]
pub fn count(number: usize, one: &str) -> String {
    match number {
        1 => format!("1 {one}"),
        number => format!("{number} {one}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::command;

    #[test]
    fn a_command_of_a_megabyte_is_one_line() {
        let argv = vec!["x".to_owned(); 1 << 19];
        assert_eq!(command(&argv, 100).chars().count(), 100);
    }
}
