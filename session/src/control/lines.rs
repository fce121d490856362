//! Lines of bounded length out of a stream.

use std::io::{self, ErrorKind, Read};

/// What came next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A line without its newline; or what stood before the end of the stream without one.
    Whole(Vec<u8>),
    /// A line has reached the limit and does not end.
    TooLong,
    /// The stream has ended.
    End,
}

/// Splits what `R` gives into lines; keeps at most one limit's worth and a read.
pub(super) struct Lines {
    buffer: Vec<u8>,
    /// Up to where the buffer is known to hold no newline.
    searched: usize,
    limit: usize,
}

impl Lines {
    /// `limit`: longest line in bytes, newline included.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            buffer: Vec::new(),
            searched: 0,
            limit,
        }
    }

    /// A line that has arrived already, if there is one.
    pub(super) fn buffered(&mut self) -> Option<Line> {
        let rest = self.buffer.get(self.searched..)?;
        if let Some(at) = rest.iter().position(|byte| *byte == b'\n') {
            let end = self.searched + at;
            let after = self.buffer.split_off(end + 1);
            let mut line = std::mem::replace(&mut self.buffer, after);
            line.truncate(end);
            self.searched = 0;
            return Some(if end < self.limit {
                Line::Whole(line)
            } else {
                Line::TooLong
            });
        }
        self.searched = self.buffer.len();
        (self.buffer.len() >= self.limit).then_some(Line::TooLong)
    }

    /// The next line; one read of `source` at a time, and only where none has arrived already.
    pub(super) fn next(&mut self, source: &mut impl Read) -> io::Result<Line> {
        loop {
            if let Some(line) = self.buffered() {
                return Ok(line);
            }
            if !self.fill(source)? {
                let rest = std::mem::take(&mut self.buffer);
                self.searched = 0;
                return Ok(if rest.is_empty() {
                    Line::End
                } else {
                    Line::Whole(rest)
                });
            }
        }
    }

    /// Reads once; false at the end of the stream.
    pub(super) fn fill(&mut self, source: &mut impl Read) -> io::Result<bool> {
        let mut piece = [0; 16 * 1024];
        let count = loop {
            match source.read(&mut piece) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                result => break result?,
            }
        };
        self.buffer
            .extend_from_slice(piece.get(..count).unwrap_or_default());
        Ok(count > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(mut source: &[u8], limit: usize) -> Vec<Line> {
        let mut lines = Lines::new(limit);
        let mut all = Vec::new();
        loop {
            let line = lines.next(&mut source).unwrap();
            let last = !matches!(line, Line::Whole(_));
            all.push(line);
            if last {
                return all;
            }
        }
    }

    fn whole(text: &str) -> Line {
        Line::Whole(text.as_bytes().to_vec())
    }

    #[test]
    fn lines_end_at_newlines_and_at_the_end() {
        assert_eq!(all(b"", 10), [Line::End]);
        assert_eq!(
            all(b"a\n\nbc\n", 10),
            [whole("a"), whole(""), whole("bc"), Line::End]
        );
        assert_eq!(all(b"a\nb", 10), [whole("a"), whole("b"), Line::End]);
    }

    #[test]
    fn the_limit_counts_the_newline() {
        assert_eq!(all(b"123456789\n", 10), [whole("123456789"), Line::End]);
        assert_eq!(all(b"1234567890\n", 10), [Line::TooLong]);
        assert_eq!(all(b"1234567890", 10), [Line::TooLong]);
    }

    /// Gives its bytes in pieces of so many, then complains if it is asked for more.
    struct Endless(usize);

    impl Read for Endless {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            self.0 += buf.len();
            buf.fill(b'x');
            Ok(buf.len())
        }
    }

    #[test]
    fn an_endless_line_is_read_up_to_the_limit_only() {
        let mut source = Endless(0);
        assert_eq!(
            Lines::new(100_000).next(&mut source).unwrap(),
            Line::TooLong
        );
        assert!(source.0 < 200_000);
    }

    /// Gives one byte at a time.
    struct Slow<'a>(&'a [u8]);

    impl Read for Slow<'_> {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            let mut one = [0];
            let count = self.0.read(&mut one)?;
            buf[..count].copy_from_slice(&one[..count]);
            Ok(count)
        }
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference(text in "[a-c\n]{0,60}") {
            let mut slow = Slow(text.as_bytes());
            let mut lines = Lines::new(100);
            let mut seen = Vec::new();
            while let Line::Whole(line) = lines.next(&mut slow).unwrap() {
                seen.push(String::from_utf8(line).unwrap());
            }
            let expected: Vec<_> = text.lines().map(str::to_owned).collect();
            prop_assert_eq!(seen, expected);
        }
    }
}
