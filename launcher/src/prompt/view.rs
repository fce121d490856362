//! The question as rows of text, and the lines that stay on the screen when it is gone. No I/O.
//!
//! Facts come first and are never cut away: who, where to, what the answer would do. What is
//! comfort goes first where the terminal is small.

mod choices;
mod facts;
mod left;

pub(crate) use left::{answered, denied_rest, withdrawn};

use super::choice::{Choice, Page};
use super::look::{Look, Style, Text};
use choices::{durations, help, other_keys, outcome, widths};
use facts::{details, headline, labelled, name_note, place, program};
use hallpass_session::escape::clip;
use hallpass_session::hold::Hold;
use hallpass_session::render;

/// Longest program name in the first line, in characters.
const MAX_PROGRAM: usize = 40;
/// Longest rule, reason or path on a line of its own, in characters.
const MAX_LINE: usize = 300;

/// What else is true of the moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Scene {
    /// How many questions come after this one.
    pub(crate) queued: usize,
    /// Something typed before the question was thrown away.
    pub(crate) dropped_input: bool,
    /// Whole seconds until `--ask-timeout` refuses.
    pub(crate) seconds_left: Option<u64>,
    /// Keys count now.
    pub(crate) armed: bool,
}

/// A paragraph and how easily it is given up; 0 is never.
struct Part {
    comfort: u8,
    text: Text,
}

/// The panel without its last row, as rows ready to be written.
pub(crate) fn panel(choice: &Choice, scene: &Scene, look: &Look) -> Vec<String> {
    let mut parts = parts(choice, scene, look);
    let bar = look.glyph("│");
    let width = look.columns.saturating_sub(3);
    let mut rows: Vec<(u8, Text)> = Vec::new();
    loop {
        rows.clear();
        for part in &parts {
            let indent = 2;
            let laid_out = part.text.rows(width, indent);
            rows.extend(laid_out.into_iter().map(|row| (part.comfort, row)));
        }
        // One more for the last row.
        let too_many = rows.len() + 1 > look.rows;
        let least = parts.iter().map(|part| part.comfort).max().unwrap_or(0);
        if !too_many || least == 0 {
            break;
        }
        // The last of the least important goes first.
        if let Some(index) = parts.iter().rposition(|part| part.comfort == least) {
            parts.remove(index);
        }
    }
    rows.iter()
        .enumerate()
        .map(|(index, (_, row))| {
            let edge = if index == 0 { look.glyph("┌") } else { bar };
            let edge = Text::new().with(Style::Dim, format!("{edge} "));
            format!("{}{}", edge.paint(look), row.paint(look))
        })
        .collect()
}

/// The last row, behind which the cursor stands. Nothing asks for a key before keys count.
pub(crate) fn last_row(scene: &Scene, look: &Look) -> String {
    let edge = Text::new().with(Style::Dim, look.glyph("└"));
    if !scene.armed {
        return edge.paint(look);
    }
    let seconds = scene.seconds_left;
    let long = seconds.map_or_else(String::new, |seconds| format!(" ({seconds} s left)"));
    let short = seconds.map_or_else(String::new, |seconds| format!(" ({seconds} s)"));
    let variants = [("allow? ", long), ("", short), ("", String::new())];
    // The last one fits every terminal.
    let fits = |(question, clock): &&(&str, String)| {
        "└ y/n> ".chars().count() + question.len() + clock.len() < look.columns
    };
    let (question, clock) = variants.iter().find(fits).unwrap_or(&variants[2]);
    edge.with(Style::Plain, " ")
        .with(Style::Strong, *question)
        .with(Style::Plain, "y/n")
        .with(Style::Caution, clock.clone())
        .with(Style::Plain, "> ")
        .paint(look)
}

fn parts(choice: &Choice, scene: &Scene, look: &Look) -> Vec<Part> {
    let question = &choice.question;
    let part = |comfort, text| Part { comfort, text };
    let mut parts = vec![
        part(0, headline(question, look)),
        part(0, place(question)),
        part(1, labelled("command", &render::command(&question.app.argv))),
        part(6, labelled("program", &program(question))),
    ];
    if question.hold == Hold::Retry {
        let told = format!(
            "{}; the answer is for its next try",
            render::waiting(question)
        );
        parts.push(part(1, labelled("told no", &told)));
    }
    parts.push(part(
        5,
        labelled("asked by", &clip(&question.why, MAX_LINE)),
    ));
    if let Some(text) = name_note(question) {
        parts.push(part(1, Text::new().with(Style::Caution, text)));
    }
    if scene.dropped_input {
        let text = "What was typed before this question is gone; type it again afterwards.";
        parts.push(part(3, Text::new().with(Style::Caution, text)));
    }
    match choice.page {
        Page::Choices => {}
        Page::Details => parts.extend(details(question).into_iter().map(|text| part(2, text))),
        Page::Help => parts.extend(help(choice).into_iter().map(|text| part(2, text))),
    }
    parts.push(part(2, durations(choice)));
    parts.push(part(2, widths(choice, look)));
    parts.push(part(0, outcome(choice)));
    parts.push(part(4, other_keys(look)));
    if scene.queued > 0 {
        let count = render::count(scene.queued as u64, "more question", "more questions");
        parts.push(part(
            3,
            Text::new().with(Style::Dim, format!("{count} after this one")),
        ));
    }
    if let Some(note) = &choice.note {
        parts.push(part(1, Text::new().with(Style::Caution, note.clone())));
    }
    parts
}

#[cfg(test)]
mod tests;
