//! CSV (RFC 4180): values are quoted where necessary, and lines end with a line feed.

use std::collections::HashMap;
use std::io::{self, Write};
use std::sync::Arc;

use csv::Writer;

use super::invalid;
use crate::read::Cell;
use crate::summary::TableColumn;

pub(super) struct CsvWriter<W: Write> {
    table: Writer<W>,
    columns: Vec<Arc<str>>,
    places: HashMap<Arc<str>, usize>,
}

impl<W: Write> CsvWriter<W> {
    pub(super) fn new(columns: &[TableColumn], out: W) -> io::Result<Self> {
        let mut table = Writer::from_writer(out);
        table.write_record(columns.iter().map(|column| column.name.as_bytes()))?;
        let columns: Vec<Arc<str>> = columns.iter().map(|column| Arc::clone(&column.name)).collect();
        let places = (0..).zip(&columns).map(|(place, name)| (Arc::clone(name), place)).collect();
        Ok(Self { table, columns, places })
    }

    pub(super) fn write(&mut self, cells: &[(Arc<str>, Cell)]) -> io::Result<()> {
        let is_complete = cells.len() == self.columns.len();
        if is_complete && cells.iter().zip(&self.columns).all(|((name, _), column)| name == column) {
            self.table.write_record(cells.iter().map(|(_, cell)| field(cell).as_bytes()))?;
            return Ok(());
        }
        let mut fields = vec![""; self.columns.len()];
        for (name, cell) in cells {
            let place = self.places.get(name);
            let place = place.ok_or_else(|| invalid(format!("the first row has no column `{name}`; write JSONL")))?;
            fields[*place] = field(cell);
        }
        Ok(self.table.write_record(fields)?)
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.table.flush()
    }

    pub(super) fn finish(self) -> io::Result<W> {
        self.table.into_inner().map_err(|error| error.into_error())
    }
}

fn field(cell: &Cell) -> &str {
    match cell {
        Cell::Null => "",
        Cell::Text(text) | Cell::Json(text) => text,
    }
}
