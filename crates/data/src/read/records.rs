//! The records of delimited text (RFC 4180), and the lines on which they begin.

use std::io::{self, BufRead};

/// Why no further record can be read.
#[derive(Debug)]
pub(super) enum BrokenRecord {
    /// The file cannot be read.
    Io(io::Error),
    /// A quotation mark on this line opens a field that does not end.
    Unclosed { line: u64 },
    /// A quotation mark on this line opens a field that ends on line `end`, where other text follows.
    Followed { line: u64, end: u64 },
}

/// A reader of records as Python's module `csv` and pandas read them: with any line end, without blank lines, and with
/// quotation marks that are special only at the beginning of a field and inside a field that begins with one.
///
/// These readers also accept text behind a closing quotation mark. Here, such text is an error after a field of several
/// lines: a quotation mark that is not closed ends at the next one that opens a field, and all rows between are lost. Between
/// tabs, it is always an error, because tab-separated texts often contain quotation marks that are ordinary characters.
pub(super) struct Records {
    text: Box<dyn BufRead + Send>,
    parser: Parser,
}

impl Records {
    pub(super) fn new(text: Box<dyn BufRead + Send>, separator: u8, quoting: bool) -> Self {
        let parser = Parser {
            separator,
            quoting,
            state: State::Record,
            breaks: 0,
            returned: false,
            begin: 1,
            open: 1,
            bytes: Vec::new(),
            ends: Vec::new(),
        };
        Self { text, parser }
    }

    /// Reads the next record, and returns the line on which it begins, from 1.
    pub(super) fn read(&mut self) -> Result<Option<u64>, BrokenRecord> {
        self.parser.bytes.clear();
        self.parser.ends.clear();
        loop {
            let buffer = self.text.fill_buf().map_err(BrokenRecord::Io)?;
            if buffer.is_empty() {
                return self.parser.finish().map(|ended| ended.then_some(self.parser.begin));
            }
            let (used, ended) = self.parser.parse(buffer);
            self.text.consume(used);
            if ended? {
                return Ok(Some(self.parser.begin));
            }
        }
    }

    /// Returns the number of fields of the record.
    pub(super) fn len(&self) -> usize {
        self.parser.ends.len()
    }

    /// Returns a field of the record.
    pub(super) fn get(&self, index: usize) -> Option<&[u8]> {
        let end = *self.parser.ends.get(index)?;
        let begin = index.checked_sub(1).map_or(0, |before| self.parser.ends[before]);
        Some(&self.parser.bytes[begin..end])
    }

    /// Returns all fields of the record.
    pub(super) fn fields(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).filter_map(|index| self.get(index))
    }
}

/// What was read last.
#[derive(Clone, Copy, PartialEq)]
enum State {
    /// The end of a record.
    Record,
    /// A separator.
    Separator,
    /// A byte of a field that is not quoted, or of text behind a quoted one.
    Plain,
    /// A byte within quotation marks.
    Quoted,
    /// The quotation mark that ends a field, or the first of two that stand for one.
    Quote,
}

struct Parser {
    separator: u8,
    quoting: bool,
    state: State,
    /// The number of line ends so far.
    breaks: u64,
    /// Whether the last byte was a carriage return, which a line feed may complete.
    returned: bool,
    /// The lines on which the record and its last quoted field begin.
    begin: u64,
    open: u64,
    /// The fields of the record one after the other, and their ends.
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Parser {
    /// Parses bytes until a record ends. Returns the number of bytes parsed, and whether a record ended.
    fn parse(&mut self, buffer: &[u8]) -> (usize, Result<bool, BrokenRecord>) {
        let mut used = 0;
        while used < buffer.len() {
            let plain = self.ordinary(&buffer[used..]);
            if plain > 0 {
                self.bytes.extend_from_slice(&buffer[used..used + plain]);
                self.returned = false;
                used += plain;
                continue;
            }
            let ended = self.step(buffer[used]);
            used += 1;
            if !matches!(ended, Ok(false)) {
                return (used, ended);
            }
        }
        (used, Ok(false))
    }

    /// Returns how many of the next bytes only continue a field.
    fn ordinary(&self, bytes: &[u8]) -> usize {
        let special = |byte: &u8| match self.state {
            State::Plain => *byte == self.separator || matches!(byte, b'\r' | b'\n'),
            State::Quoted => matches!(byte, b'"' | b'\r' | b'\n'),
            _ => true,
        };
        bytes.iter().position(special).unwrap_or(bytes.len())
    }

    /// Parses a byte, and returns whether it ends a record.
    fn step(&mut self, byte: u8) -> Result<bool, BrokenRecord> {
        let line = self.breaks + 1;
        let is_break = matches!(byte, b'\r' | b'\n');
        if is_break && !(byte == b'\n' && self.returned) {
            self.breaks += 1;
        }
        self.returned = byte == b'\r';
        match self.state {
            State::Record if is_break => return Ok(false),
            State::Quoted if byte == b'"' => self.state = State::Quote,
            State::Quoted => self.bytes.push(byte),
            _ if is_break => {
                self.end();
                self.state = State::Record;
                return Ok(true);
            }
            State::Quote if byte == b'"' => {
                self.bytes.push(byte);
                self.state = State::Quoted;
            }
            _ if byte == self.separator => {
                if self.state == State::Record {
                    self.begin = line;
                }
                self.end();
                self.state = State::Separator;
            }
            State::Quote if (self.open < line || self.separator == b'\t') && !byte.is_ascii_whitespace() => {
                return Err(BrokenRecord::Followed { line: self.open, end: line });
            }
            state => {
                if state == State::Record {
                    self.begin = line;
                }
                let first = matches!(state, State::Record | State::Separator);
                if first && byte == b'"' && self.quoting {
                    (self.state, self.open) = (State::Quoted, line);
                } else {
                    self.bytes.push(byte);
                    self.state = State::Plain;
                }
            }
        }
        Ok(false)
    }

    /// Ends a field.
    fn end(&mut self) {
        self.ends.push(self.bytes.len());
    }

    /// Ends the file, and returns whether this ends a record.
    fn finish(&mut self) -> Result<bool, BrokenRecord> {
        match std::mem::replace(&mut self.state, State::Record) {
            State::Record => Ok(false),
            State::Quoted => Err(BrokenRecord::Unclosed { line: self.open }),
            _ => {
                self.end();
                Ok(true)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{BrokenRecord, Records};

    /// Returns each record with its line, and the first error; read in pieces of `size` bytes.
    fn read(text: &str, separator: u8, quoting: bool, size: usize) -> (Vec<(u64, Vec<String>)>, Option<String>) {
        let reader = std::io::BufReader::with_capacity(size, std::io::Cursor::new(text.as_bytes().to_vec()));
        let mut records = Records::new(Box::new(reader), separator, quoting);
        let mut rows = Vec::new();
        loop {
            match records.read() {
                Ok(Some(line)) => {
                    let fields = records.fields().map(|field| String::from_utf8_lossy(field).into_owned());
                    rows.push((line, fields.collect()));
                }
                Ok(None) => return (rows, None),
                Err(BrokenRecord::Unclosed { line }) => return (rows, Some(format!("unclosed {line}"))),
                Err(BrokenRecord::Followed { line, end }) => return (rows, Some(format!("followed {line} {end}"))),
                Err(BrokenRecord::Io(error)) => return (rows, Some(error.to_string())),
            }
        }
    }

    /// The fields of a record, behind its line.
    type Record = (u64, &'static [&'static str]);

    #[test]
    fn records_are_those_of_pythons_csv_module() {
        // list(csv.reader(io.StringIO(text, newline=""))), without empty records.
        let cases: [(&str, &[Record]); 9] = [
            ("a,b\nc,d", &[(1, &["a", "b"]), (2, &["c", "d"])]),
            ("a,b\r\n\r\n\nc,d\r\n", &[(1, &["a", "b"]), (4, &["c", "d"])]),
            ("a\rb\r\rc\r", &[(1, &["a"]), (2, &["b"]), (4, &["c"])]),
            (",\n\"\",\"\"\n", &[(1, &["", ""]), (2, &["", ""])]),
            ("\"a,\"\"b\"\"\",\"c\nd\r\ne\"\nf", &[(1, &["a,\"b\"", "c\nd\r\ne"]), (4, &["f"])]),
            ("a\"b,\"c\"d\n x", &[(1, &["a\"b", "cd"]), (2, &[" x"])]),
            ("\"\n\" ,b\n", &[(1, &["\n ", "b"])]),
            ("\"a\"", &[(1, &["a"])]),
            ("", &[]),
        ];
        for (text, expected) in cases {
            for size in [1, 2, 3, 100] {
                let expected: Vec<(u64, Vec<String>)> = expected
                    .iter()
                    .map(|(line, fields)| (*line, fields.iter().map(|field| (*field).to_string()).collect()))
                    .collect();
                assert_eq!(read(text, b',', true, size), (expected, None), "{text:?}, {size}");
            }
        }
    }

    #[test]
    fn an_unclosed_quotation_mark_is_an_error_that_names_its_line() {
        for (text, rows, error) in [
            ("a,b\n\"c,d\ne,f\n", 1, "unclosed 2"),
            ("a,\"", 0, "unclosed 1"),
            ("a,b\nc,\"d\"\"\ne,f\n", 1, "unclosed 2"),
            ("a,b\nc,d\ne,\"f\ng,h\ni,\"j\"\n", 2, "followed 3 5"),
            ("a,\"b\n\nc\"d,e\n", 0, "followed 1 3"),
        ] {
            for size in [1, 100] {
                let (read, found) = read(text, b',', true, size);
                assert_eq!((read.len(), found.as_deref()), (rows, Some(error)), "{text:?}");
            }
        }
        assert_eq!(read("\"a\tb\n\"c\td\n", b'\t', false, 100).0.len(), 2);
    }
}
