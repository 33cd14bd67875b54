//! CSV and TSV.

use std::io::BufRead;
use std::path::Path;

use csv::{ByteRecord, ErrorKind, ReaderBuilder};

use super::source::Lines;
use super::{Columns, Fault, Format, ReadOptions, Reader, Row, columns, label};
use crate::error::DataError;

struct Delimited {
    reader: csv::Reader<Lines>,
    record: ByteRecord,
    text: usize,
    label: usize,
    /// The number of fields of every row, which is that of the first row.
    width: Option<usize>,
}

pub(super) fn open(
    path: &Path,
    text: Box<dyn BufRead + Send>,
    format: Format,
    options: &ReadOptions,
) -> Result<(Columns, Reader), DataError> {
    let (delimiter, quoting) = if format == Format::Tsv { (b'\t', false) } else { (b',', true) };
    let mut builder = ReaderBuilder::new();
    // The number of fields is checked below, where the line is known: the library assumes that a row begins where the
    // previous one ended, even if blank lines follow.
    builder.delimiter(delimiter).quoting(quoting).has_headers(false).flexible(true).buffer_capacity(1 << 16);
    let reader = builder.from_reader(Lines::new(text));
    let mut rows = Delimited { reader, record: ByteRecord::new(), text: 0, label: 1, width: None };
    let mut columns = Columns { names: Vec::new(), text: 0, label: 1 };
    if options.header {
        let header = rows.header().map_err(|fault| fault.named(path, format))?;
        let names = header.ok_or_else(|| DataError::Empty { path: path.into() })?;
        columns = columns::find(path, names, options)?;
        (rows.text, rows.label) = (columns.text, columns.label);
    }
    Ok((columns, Box::new(rows)))
}

impl Delimited {
    /// Returns the column names in the first row.
    fn header(&mut self) -> Result<Option<Vec<String>>, Fault> {
        let Some(line) = self.read()? else { return Ok(None) };
        let names = self.record.iter().map(|name| Ok(utf8(line, name)?.trim().to_string()));
        names.collect::<Result<_, _>>().map(Some)
    }

    /// Reads a record, and returns the line on which it begins.
    fn read(&mut self) -> Result<Option<u64>, Fault> {
        let read = self.reader.read_byte_record(&mut self.record);
        let read = read.map_err(|error| match error.into_kind() {
            ErrorKind::Io(source) => Fault::Io(source),
            other => Fault::Row { line: self.reader.get_ref().line(), reason: format!("{other:?}") },
        })?;
        if !read {
            return Ok(None);
        }
        let breaks = self.record.as_slice().iter().filter(|byte| **byte == b'\n').count() as u64;
        let line = self.reader.get_ref().line() - breaks;
        let (width, fields) = (*self.width.get_or_insert(self.record.len()), self.record.len());
        if fields != width {
            let reason = format!("found {fields} columns, expected {width} as in the lines before");
            return Err(Fault::Row { line, reason });
        }
        Ok(Some(line))
    }

    fn row(&mut self) -> Result<Option<Row>, Fault> {
        let Some(line) = self.read()? else { return Ok(None) };
        let (Some(text), Some(name)) = (self.record.get(self.text), self.record.get(self.label)) else {
            let reason = format!("found {} column, expected two for text and label", self.record.len());
            return Err(Fault::Row { line, reason });
        };
        Ok(Some(Row { text: utf8(line, text)?.into(), label: label(line, utf8(line, name)?)?, line }))
    }
}

impl Iterator for Delimited {
    type Item = Result<Row, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        self.row().transpose()
    }
}

fn utf8(line: u64, field: &[u8]) -> Result<&str, Fault> {
    std::str::from_utf8(field).map_err(|error| Fault::Row { line, reason: format!("invalid UTF-8 ({error})") })
}
