//! The values of a JSON text one after the other, without parsing them.

use std::io::{self, BufRead};

use super::Fault;

/// A reader that finds where values begin and end, in arrays and objects of any size.
pub(super) struct Values<R> {
    text: R,
    /// The line of the next byte, from 1.
    line: u64,
}

impl<R: BufRead> Values<R> {
    /// Begins to read at a line.
    pub(super) fn new(text: R, line: u64) -> Self {
        Self { text, line }
    }

    /// Returns the next byte that is not white space, without reading it.
    pub(super) fn peek(&mut self) -> Result<Option<u8>, Fault> {
        while let Some(byte) = self.byte()? {
            if !byte.is_ascii_whitespace() {
                return Ok(Some(byte));
            }
            self.take(byte);
        }
        Ok(None)
    }

    /// Reads a byte that must be the next one behind white space.
    pub(super) fn expect(&mut self, wanted: u8) -> Result<(), Fault> {
        match self.peek()? {
            Some(byte) if byte == wanted => self.take(byte),
            Some(byte) => {
                let reason = format!(
                    "not JSON: found `{}`, expected `{}`",
                    char::from(byte).escape_default(),
                    char::from(wanted)
                );
                return Err(self.end(reason));
            }
            None => return Err(self.end(format!("the JSON text ends, expected `{}`", char::from(wanted)))),
        }
        Ok(())
    }

    /// Reads the comma in front of the next element, or `close`; returns whether there is an element. `first` if there
    /// was no element before.
    pub(super) fn another(&mut self, close: u8, first: bool) -> Result<bool, Fault> {
        match self.peek()? {
            Some(byte) if byte == close => {
                self.take(byte);
                Ok(false)
            }
            _ if first => Ok(true),
            _ => self.expect(b',').map(|()| true),
        }
    }

    /// Checks that only white space follows.
    pub(super) fn finish(&mut self) -> Result<(), Fault> {
        match self.peek()? {
            None => Ok(()),
            Some(_) => Err(self.end("not JSON: found text behind the end of the document".into())),
        }
    }

    /// Reads a value, and returns the line on which it begins. `value` receives its bytes, which need not be valid JSON.
    pub(super) fn value(&mut self, value: &mut Vec<u8>) -> Result<u64, Fault> {
        value.clear();
        let begin =
            self.peek()?.map(|_| self.line).ok_or_else(|| self.end("the JSON text ends, expected a value".into()))?;
        let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
        while let Some(byte) = self.byte()? {
            if quoted {
                if byte == b'\n' {
                    return Err(self.end("not JSON: a string is not closed".into()));
                }
                (quoted, escaped) = (escaped || byte != b'"', !escaped && byte == b'\\');
            } else {
                let ends = depth == 0 && !value.is_empty();
                match byte {
                    b'"' if ends => break,
                    b'"' => quoted = true,
                    b'{' | b'[' if ends => break,
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' | b',' | b':' if depth == 0 => break,
                    b'}' | b']' => depth -= 1,
                    byte if depth == 0 && byte.is_ascii_whitespace() => break,
                    _ => {}
                }
            }
            value.push(byte);
            self.take(byte);
            // A string, an array or an object ends with its last byte, a number or a word before the next one.
            if depth == 0 && !quoted && matches!(byte, b'"' | b'}' | b']') {
                return Ok(begin);
            }
        }
        match value.is_empty() || quoted || depth > 0 {
            true => Err(Fault::End { line: begin, reason: "not JSON: a value is empty or not closed".into() }),
            false => Ok(begin),
        }
    }

    fn byte(&mut self) -> Result<Option<u8>, Fault> {
        loop {
            match self.text.fill_buf() {
                Ok(bytes) => return Ok(bytes.first().copied()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Fault::Io(error)),
            }
        }
    }

    fn take(&mut self, byte: u8) {
        self.line += u64::from(byte == b'\n');
        self.text.consume(1);
    }

    fn end(&self, reason: String) -> Fault {
        Fault::End { line: self.line, reason }
    }
}
