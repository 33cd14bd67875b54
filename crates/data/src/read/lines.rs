//! Plain text, one text per line.

use std::io::{BufRead, ErrorKind};
use std::path::Path;

use super::source::{self, Source};
use super::{Format, ReadOptions, columns, sniff};
use crate::error::DataError;

/// Opens a plain text file: also in gzip, or in zip with one file in it, and UTF-16 if a byte order mark says so.
///
/// # Errors
/// Returns an error if the file cannot be read, or is recognised as something else, for example a Git LFS pointer.
pub fn open_text(path: &Path) -> Result<Box<dyn BufRead + Send>, DataError> {
    match source::open(path, None)? {
        Source::Text(text) => Ok(text.reader),
        Source::Parquet(_) => {
            Err(DataError::Content { path: path.into(), found: "a Parquet file; plain text is expected".into() })
        }
    }
}

/// Returns the lines of a text, without a byte order mark at its beginning.
///
/// A line that cannot be read or is not UTF-8 is an error, which names `path` and the line.
pub fn text_lines(text: impl BufRead, path: &Path) -> impl Iterator<Item = Result<String, DataError>> {
    text.lines().zip(1..).map(move |(line, number)| match line {
        Ok(line) if number == 1 => Ok(line.strip_prefix('\u{feff}').map(String::from).unwrap_or(line)),
        Ok(line) => Ok(line),
        Err(error) => {
            // The standard library's error of text in another encoding has no details.
            let is_undecoded = error.kind() == ErrorKind::InvalidData && error.get_ref().is_none();
            let reason = if is_undecoded { "is not UTF-8; save the text as UTF-8".into() } else { error.to_string() };
            Err(DataError::Row { path: path.into(), unit: "line", line: number, reason })
        }
    })
}

/// Returns the first line of a file that looks like a table rather than like one text per line: JSON; or rows of equally
/// many columns, of which one has a usual name of a text, or whose file has the extension of a table.
pub fn looks_like_table(path: &Path) -> Option<String> {
    let Ok(Source::Text(text)) = source::open(path, None) else { return None };
    let line = text.head.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line).trim().to_string();
    if sniff::is_json(&text.head) {
        return Some(line);
    }
    let format = Format::of(&text.name);
    let options = ReadOptions::default();
    let is_example = |names| columns::find(path, names, &options, true).is_ok();
    let dialect = sniff::dialect(&text, format, &options, &is_example);
    let rows = sniff::sample(&text, dialect);
    let first = rows.first().filter(|first| first.len() > 1 && rows.iter().all(|row| row.len() == first.len()))?;
    (format.is_some() || columns::has_text(&sniff::trimmed(first))).then_some(line)
}
