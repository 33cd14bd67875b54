//! CSV and TSV.

use std::path::Path;
use std::sync::Arc;

use super::labels::{LabelCell, Labels};
use super::records::{BrokenRecord, Records};
use super::sniff::Dialect;
use super::source::Text;
use super::table::{Cell, OpenedTable, TableRow};
use super::{Columns, Fault, Format, Opened, ReadOptions, Row, columns, group_of, sniff, time_of};
use crate::error::DataError;

struct Delimited {
    records: Records,
    columns: Columns,
    labels: Labels,
    /// Whether tabs separate the columns.
    tabs: bool,
    /// The number of fields of every row, which is that of the first row.
    width: Option<usize>,
}

/// Opens delimited text; without a format, it is recognised by the first rows.
pub(super) fn open(
    path: &Path,
    text: Text,
    format: Option<Format>,
    options: &ReadOptions,
) -> Result<Opened, DataError> {
    let is_example = |names| columns::find(path, names, options, true).is_ok();
    let dialect = sniff::dialect(&text, format, options, &is_example);
    let format = dialect.format();
    let rows = sniff::sample(&text, dialect);
    let mut reader = Delimited::new(text, dialect, options);
    let columns = if options.header {
        let header = reader.header().map_err(|fault| fault.named(path, format))?;
        let header = header.ok_or_else(|| DataError::Empty { path: path.into() })?;
        columns::find(path, sniff::trimmed(&header), options, true)?
    } else {
        // Without rows, the reader says so.
        let columns = columns::numbered(path, rows.first().map_or(2, Vec::len), options)?;
        sniff::check_headerless(path, &rows, options, columns.label)?;
        columns
    };
    reader.columns.clone_from(&columns);
    let separator = Some(char::from(dialect.separator));
    Ok(Opened { format, separator, columns, reader: Box::new(reader) })
}

/// Opens delimited text as a table of all its columns.
pub(super) fn open_table(
    path: &Path,
    text: Text,
    format: Option<Format>,
    options: &ReadOptions,
) -> Result<OpenedTable, DataError> {
    let has_text = |names: Vec<String>| columns::find_texts(path, &names, options, true).is_ok();
    let dialect = sniff::dialect(&text, format, options, &has_text);
    let format = dialect.format();
    let rows = sniff::sample(&text, dialect);
    let mut reader = Delimited::new(text, dialect, options);
    let header = match options.header {
        true => reader.header().map_err(|fault| fault.named(path, format))?,
        false => rows.first().map(|row| (0..row.len()).map(|index| index.to_string()).collect()),
    };
    let names = header.ok_or_else(|| DataError::Empty { path: path.into() })?;
    let texts = match options.header {
        true => columns::find_texts(path, &sniff::trimmed(&names), options, true)?,
        false => {
            sniff::check_no_names(path, &rows)?;
            columns::numbered_texts(path, names.len(), options)?
        }
    };
    (reader.columns.text, reader.columns.text_pair) = (texts.text, texts.text_pair);
    let columns: Vec<Arc<str>> = names.into_iter().map(Arc::from).collect();
    let separator = Some(char::from(dialect.separator));
    let names = columns.clone();
    let rows = std::iter::from_fn(move || reader.table_row(&names).transpose());
    Ok(OpenedTable { format, separator, columns, texts, rows: Box::new(rows) })
}

impl Delimited {
    fn new(text: Text, dialect: Dialect, options: &ReadOptions) -> Self {
        let records = Records::new(text.reader, dialect.separator, dialect.quoting);
        let columns = Columns {
            names: Vec::new(),
            text: 0,
            label: 1,
            labels: Vec::new(),
            text_pair: None,
            group: None,
            time: None,
        };
        let (labels, tabs) = (Labels::new(options), dialect.separator == b'\t');
        Self { records, columns, labels, tabs, width: None }
    }

    /// Returns a row with all its columns.
    fn table_row(&mut self, names: &[Arc<str>]) -> Result<Option<TableRow>, Fault> {
        let Some(line) = self.read()? else { return Ok(None) };
        let mut cells = Vec::with_capacity(names.len());
        for (name, field) in names.iter().zip(self.records.fields()) {
            cells.push((Arc::clone(name), Cell::Text(utf8(line, field)?.into())));
        }
        let text = |column| Ok(utf8(line, self.records.get(column).unwrap_or_default())?.to_string());
        let text_pair = self.columns.text_pair.map(text).transpose()?;
        Ok(Some(TableRow { line, text: text(self.columns.text)?, text_pair, cells }))
    }

    /// Returns the column names in the first row, as they are.
    fn header(&mut self) -> Result<Option<Vec<String>>, Fault> {
        let Some(line) = self.read()? else { return Ok(None) };
        let names = self.records.fields().map(|name| Ok(utf8(line, name)?.to_string()));
        names.collect::<Result<_, _>>().map(Some)
    }

    /// Reads a record, and returns the line on which it begins.
    fn read(&mut self) -> Result<Option<u64>, Fault> {
        let tabs = self.tabs;
        let Some(line) = self.records.read().map_err(|record| broken(record, tabs))? else { return Ok(None) };
        let (width, fields) = (*self.width.get_or_insert(self.records.len()), self.records.len());
        if fields != width {
            let plural = if fields == 1 { "" } else { "s" };
            let reason = format!("found {fields} column{plural}, expected {width} as in the lines before");
            return Err(Fault::Row { line, reason });
        }
        Ok(Some(line))
    }

    fn row(&mut self) -> Result<Option<Row>, Fault> {
        let Some(line) = self.read()? else { return Ok(None) };
        let field = |index: usize| match self.records.get(index) {
            Some(field) => utf8(line, field),
            None => Err(Fault::Row { line, reason: self.too_few() }),
        };
        let columns = &self.columns;
        let (label, labels) = match columns.labels.is_empty() {
            true => self.labels.read(line, LabelCell::One(field(columns.label)?.into()))?,
            false => self.labels.read_columns(line, |place| field(columns.labels[place]).map(String::from))?,
        };
        let text_pair = columns.text_pair.map(field).transpose()?.map(String::from);
        let group = columns.group.map(|column| group_of(line, &columns.name(column), field(column)?)).transpose()?;
        let time = columns.time.map(|column| time_of(line, &columns.name(column), field(column)?)).transpose()?;
        Ok(Some(Row { text: field(columns.text)?.into(), text_pair, label, labels, line, group, time }))
    }

    fn too_few(&self) -> String {
        let found = self.records.len();
        let columns = if found == 1 { "column" } else { "columns" };
        let expected =
            if self.columns.text_pair.is_some() { "three for two texts and a label" } else { "two for text and label" };
        let further = [(self.columns.group, "the group"), (self.columns.time, "the time")];
        let further = further.iter().filter(|(column, _)| column.is_some()).map(|(_, role)| format!(", beside {role}"));
        format!("found {found} {columns}, expected {expected}{}", further.collect::<String>())
    }
}

impl Iterator for Delimited {
    type Item = Result<Row, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        self.row().transpose()
    }
}

/// Returns the fault of a record that does not end, in columns that are separated by `tabs` or not.
fn broken(record: BrokenRecord, tabs: bool) -> Fault {
    let end = |line, reason: String| {
        let literal = "; if quotation marks are ordinary characters in this file, add `--format tsv`";
        Fault::End { line, reason: reason + if tabs { literal } else { "" } }
    };
    match record {
        BrokenRecord::Io(source) => Fault::Io(source),
        BrokenRecord::Unclosed { line } => end(line, "a quotation mark opens a field here, and none closes it".into()),
        BrokenRecord::Followed { line, end: last } => {
            let place = if last == line { String::new() } else { format!(", on line {last},") };
            end(
                line,
                format!(
                    "a quotation mark opens a field here, and the next one{place} is not the end of a field; close the field, \
                     or write quotation marks inside it twice"
                ),
            )
        }
    }
}

fn utf8(line: u64, field: &[u8]) -> Result<&str, Fault> {
    std::str::from_utf8(field).map_err(|error| {
        let reason = format!("invalid UTF-8 ({error}); name the encoding, for example `--encoding windows-1252`");
        Fault::Row { line, reason }
    })
}
