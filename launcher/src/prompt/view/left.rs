//! The lines that stay on the screen when a question is gone.

use super::MAX_PROGRAM;
use super::choices::rule_words;
use crate::prompt::choice::Choice;
use crate::prompt::look::{Look, Style, Text};
use hallpass_session::control::protocol::Question;
use hallpass_session::escape::clip;
use hallpass_session::hold::Hold;
use hallpass_session::render;
use hallpass_session::verdict::Verdict;

/// The line that stays when a person has answered here.
pub(crate) fn answered(choice: &Choice, verdict: Verdict, settled: usize, look: &Look) -> String {
    let (style, word) = match verdict {
        Verdict::Allow => (Style::Good, format!("{} allowed", look.glyph("✓"))),
        Verdict::Deny => (Style::Bad, format!("{} denied", look.glyph("✗"))),
    };
    let rule = choice.offer().map_or_else(String::new, |offer| {
        rule_words(&choice.question, offer, choice.duration)
    });
    let count = match choice.question.hold {
        Hold::Retry => "it may try again".to_owned(),
        Hold::Name => render::count(settled as u64, "look-up", "look-ups"),
        Hold::Block => render::count(settled as u64, "call", "calls"),
    };
    Text::new()
        .with(style, word)
        .with(Style::Plain, format!(" {rule} ({count})"))
        .paint(look)
}

/// The line that stays when a person has refused all that would be asked.
pub(crate) fn denied_rest(settled: usize, look: &Look) -> String {
    let calls = render::count(settled as u64, "call", "calls");
    let text = " whatever would be asked, until the session ends";
    Text::new()
        .with(Style::Bad, format!("{} denied", look.glyph("✗")))
        .with(
            Style::Plain,
            format!("{text} ({calls}; hallpass release: be asked again)"),
        )
        .paint(look)
}

/// The line that stays when a question is gone without an answer from here; `how` says why.
pub(crate) fn withdrawn(question: &Question, how: &str, look: &Look) -> String {
    let to = render::asked_about(question);
    let name = clip(&question.app.subject.name, MAX_PROGRAM);
    Text::new()
        .with(Style::Strong, "hallpass")
        .with(
            Style::Plain,
            format!(": {name} {} {to}: {how}", look.glyph("→")),
        )
        .paint(look)
}
