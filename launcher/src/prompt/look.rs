//! What a terminal can show, and text in its styles, laid out in its width. No I/O.

use std::ffi::OsString;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// What the terminal can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Look {
    /// Columns.
    pub(crate) columns: usize,
    /// Rows.
    pub(crate) rows: usize,
    /// Colours and bold.
    pub(crate) color: bool,
    /// Line-drawing characters.
    pub(crate) unicode: bool,
    /// The cursor can go up and lines can be cleared.
    pub(crate) moves: bool,
}

impl Look {
    /// What the environment says (no-color.org, TERM, the locale) of a terminal of this size.
    pub(crate) fn new(
        variable: impl Fn(&str) -> Option<OsString>,
        columns: usize,
        rows: usize,
    ) -> Self {
        let is_set = |name: &str| variable(name).is_some_and(|value| !value.is_empty());
        let is_dumb = variable("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
        // setlocale(3): the first that is set counts.
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
            .into_iter()
            .filter_map(&variable)
            .find(|value| !value.is_empty())
            .map(|value| value.to_string_lossy().to_ascii_lowercase());
        Self {
            // A terminal that does not know its size says 0.
            columns: if columns == 0 { 80 } else { columns.max(12) },
            rows: if rows == 0 { 24 } else { rows },
            color: !is_dumb && !is_set("NO_COLOR"),
            unicode: locale.is_some_and(|it| it.contains("utf-8") || it.contains("utf8")),
            moves: !is_dumb,
        }
    }

    /// The character of a frame's or a list's that this terminal can show.
    pub(crate) fn glyph(&self, glyph: &'static str) -> &'static str {
        match (self.unicode, glyph) {
            (true, glyph) => glyph,
            (false, "┌" | "└") => "+",
            (false, "│") => "|",
            (false, "─") => "-",
            (false, "→") => "->",
            (false, "←→") => "<- ->",
            (false, "·") => "-",
            (false, "✓") => "ok",
            (false, "✗") => "no",
            (false, other) => other,
        }
    }

    /// `text` in `style`, with the escape sequences that this terminal has for it.
    pub(crate) fn paint(&self, span: &Span) -> String {
        if !self.color || span.style == Style::Plain || span.text.is_empty() {
            return span.text.clone();
        }
        // ECMA-48 SGR.
        let code = match span.style {
            Style::Plain => "0",
            Style::Strong => "1",
            Style::Dim => "2",
            Style::Chosen => "1;7",
            Style::Caution => "1;33",
            Style::Good => "1;32",
            Style::Bad => "1;31",
            Style::Info => "1;36",
        };
        format!("\x1b[{code}m{}\x1b[0m", span.text)
    }
}

/// How a piece of text stands out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// Not at all.
    Plain,
    /// It matters.
    Strong,
    /// It does not matter much.
    Dim,
    /// It is what is chosen.
    Chosen,
    /// Worth a second look.
    Caution,
    /// Allowed.
    Good,
    /// Refused.
    Bad,
    /// A fact of its own.
    Info,
}

/// A piece of text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    text: String,
    style: Style,
}

/// One paragraph of the panel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Text {
    spans: Vec<Span>,
}

impl Text {
    /// Nothing yet.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Appends text, which must be escaped already.
    pub(crate) fn with(mut self, style: Style, text: impl Into<String>) -> Self {
        self.spans.push(Span {
            text: text.into(),
            style,
        });
        self
    }

    /// Lays it out in rows of at most `width` columns, broken at spaces where that is possible;
    /// rows after the first begin with `indent` spaces.
    pub(crate) fn rows(&self, width: usize, indent: usize) -> Vec<Text> {
        let indent = if indent * 2 > width { 0 } else { indent };
        let mut rows = vec![Text::new()];
        let mut used = 0;
        for span in &self.spans {
            for word in words(&span.text) {
                let mut left = word;
                while !left.is_empty() {
                    let room = width.saturating_sub(used);
                    let is_fresh = used == 0 || (rows.len() > 1 && used == indent);
                    if left.width() <= room {
                        used += left.width();
                        push(&mut rows, span.style, left);
                        break;
                    }
                    if left.trim_end().width() <= room {
                        // Only its spaces do not fit, and a row's end needs none.
                        push(&mut rows, span.style, left.trim_end());
                        used = width;
                        break;
                    }
                    let is_long = left.trim_end().width() > width.saturating_sub(indent);
                    // A character may be two columns wide.
                    if is_fresh || (is_long && room >= 2) {
                        let cut = fitting(left, room.max(2));
                        let (now, later) = left.split_at(cut);
                        push(&mut rows, span.style, now);
                        left = later;
                    }
                    rows.push(Text::new().with(Style::Plain, " ".repeat(indent)));
                    used = indent;
                }
            }
        }
        for row in &mut rows {
            row.trim_end();
        }
        rows
    }

    /// Spaces at the end of a row would only be seen where they wrap.
    fn trim_end(&mut self) {
        while let Some(last) = self.spans.last_mut() {
            last.text.truncate(last.text.trim_end().len());
            if !last.text.is_empty() {
                return;
            }
            self.spans.pop();
        }
    }

    /// With the terminal's escape sequences.
    pub(crate) fn paint(&self, look: &Look) -> String {
        self.spans.iter().map(|span| look.paint(span)).collect()
    }
}

fn push(rows: &mut [Text], style: Style, text: &str) {
    let Some(row) = rows.last_mut() else {
        return;
    };
    match row.spans.last_mut() {
        // Words of one span stay one, so that its style is not switched off and on between them.
        Some(last) if last.style == style => last.text.push_str(text),
        _ => row.spans.push(Span {
            text: text.to_owned(),
            style,
        }),
    }
}

/// Words with the spaces that follow them.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let word = rest.find(' ').unwrap_or(rest.len());
        let spaces = rest.get(word..)?.find(|c| c != ' ');
        let end = spaces.map_or(rest.len(), |spaces| word + spaces);
        let (now, later) = rest.split_at(end);
        rest = later;
        Some(now)
    })
}

/// How many bytes of `text` fit into `room` columns; at least one character.
fn fitting(text: &str, room: usize) -> usize {
    let mut used = 0;
    for (index, character) in text.char_indices() {
        used += character.width().unwrap_or(0);
        if used > room && index > 0 {
            return index;
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::{Look, Style, Text};
    use unicode_width::UnicodeWidthStr;

    fn plain(columns: usize) -> Look {
        Look {
            columns,
            rows: 24,
            color: false,
            unicode: true,
            moves: true,
        }
    }

    fn rows(text: &Text, width: usize, indent: usize) -> Vec<String> {
        let look = plain(width);
        text.rows(width, indent)
            .iter()
            .map(|row| row.paint(&look))
            .collect()
    }

    #[test]
    fn the_environment_decides() {
        let with = |pairs: &'static [(&str, &str)]| {
            Look::new(
                |name| {
                    let found = pairs.iter().find(|pair| pair.0 == name)?;
                    Some(found.1.into())
                },
                0,
                0,
            )
        };
        let usual = with(&[("TERM", "xterm"), ("LANG", "C.UTF-8")]);
        assert!(usual.color && usual.unicode && usual.moves);
        assert_eq!((usual.columns, usual.rows), (80, 24));
        let dumb = with(&[("TERM", "dumb"), ("LANG", "C")]);
        assert!(!dumb.color && !dumb.unicode && !dumb.moves);
        assert!(!with(&[]).moves);
        assert!(!with(&[("TERM", "xterm"), ("NO_COLOR", "1")]).color);
        assert!(with(&[("TERM", "xterm"), ("NO_COLOR", "")]).color);
        assert!(!with(&[("LC_ALL", "C"), ("LANG", "en_US.UTF-8")]).unicode);
    }

    #[test]
    fn rows_break_at_spaces_and_are_indented() {
        let text = Text::new()
            .with(Style::Plain, "one two ")
            .with(Style::Strong, "three four");
        assert_eq!(rows(&text, 80, 2), ["one two three four"]);
        assert_eq!(rows(&text, 9, 2), ["one two", "  three", "  four"]);
    }

    #[test]
    fn a_long_word_is_broken_and_nothing_of_it_lost() {
        let long = "x".repeat(95);
        let text = Text::new().with(Style::Plain, format!("to {long}"));
        for width in [5, 12, 40] {
            let rows = rows(&text, width, 2);
            assert!(rows.iter().all(|row| row.width() <= width), "{rows:?}");
            assert_eq!(rows.concat().matches('x').count(), 95);
        }
    }

    #[test]
    fn wide_characters_count_twice() {
        let text = Text::new().with(Style::Plain, "日本語日本語");
        assert_eq!(rows(&text, 5, 0), ["日本", "語日", "本語"]);
    }

    #[test]
    fn colour_only_where_it_is_wanted() {
        let text = Text::new().with(Style::Bad, "no").with(Style::Plain, "yes");
        let mut look = plain(80);
        assert_eq!(text.paint(&look), "noyes");
        look.color = true;
        assert_eq!(text.paint(&look), "\x1b[1;31mno\x1b[0myes");
    }
}
