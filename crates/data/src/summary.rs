//! A first pass over a table: its rows, its columns and their types.

use std::collections::HashMap;
use std::hash::Hasher;
use std::iter;
use std::sync::Arc;

use twox_hash::XxHash64;

use crate::error::DataError;
use crate::read::{Cell, Table, TableRow};

/// The type of a column, as far as its values tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ColumnKind {
    /// `true` and `false`.
    Boolean,
    /// Whole numbers of 64 bits.
    Integer,
    /// Floating-point numbers.
    Float,
    /// Anything else. Values that are not strings are written as JSON.
    Text,
}

/// A column of a table that is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableColumn {
    /// Its name.
    pub name: Arc<str>,
    /// Its type.
    pub kind: ColumnKind,
}

/// What a pass over all rows of a table found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TableSummary {
    /// The number of rows.
    pub rows: usize,
    /// The columns of all rows, in the order in which they occur first.
    pub columns: Vec<TableColumn>,
    /// XXH64 of the texts, each behind its length.
    pub texts_xxh64: u64,
}

impl TableSummary {
    /// Reads all rows of a table.
    ///
    /// # Errors
    /// Returns an error if the file cannot be read, or if rows are invalid: it names the first ten of them, and their number.
    pub fn new(table: Table) -> Result<Self, DataError> {
        let mut kinds = Kinds::new(table.columns());
        let mut hash = XxHash64::with_seed(0);
        let unit = table.format().unit();
        let rows = DataError::collect(
            unit,
            table.map(|row| {
                row.map(|row| {
                    for text in iter::once(&row.text).chain(&row.text_pair) {
                        hash.write_usize(text.len());
                        hash.write(text.as_bytes());
                    }
                    kinds.add(&row);
                })
            }),
        )?;
        Ok(Self { rows: rows.len(), columns: kinds.columns(), texts_xxh64: hash.finish() })
    }
}

/// The types of columns so far; `None` without a value.
struct Kinds {
    columns: Vec<(Arc<str>, Option<ColumnKind>)>,
    places: HashMap<Arc<str>, usize>,
}

impl Kinds {
    fn new(names: &[Arc<str>]) -> Self {
        let places = (0..).zip(names).map(|(place, name)| (Arc::clone(name), place)).collect();
        Self { columns: names.iter().map(|name| (Arc::clone(name), None)).collect(), places }
    }

    fn add(&mut self, row: &TableRow) {
        for (place, (name, cell)) in row.cells.iter().enumerate() {
            // Most rows have the columns of the first.
            let place = match self.columns.get(place) {
                Some((known, _)) if known == name => place,
                _ => self.place(name),
            };
            let kind = &mut self.columns[place].1;
            *kind = match (*kind, kind_of(cell)) {
                (before, None) => before,
                (None, now) => now,
                (Some(before), Some(now)) => Some(common(before, now)),
            };
        }
    }

    fn place(&mut self, name: &Arc<str>) -> usize {
        let next = self.columns.len();
        let place = *self.places.entry(Arc::clone(name)).or_insert(next);
        if place == next {
            self.columns.push((Arc::clone(name), None));
        }
        place
    }

    fn columns(self) -> Vec<TableColumn> {
        let kind = |kind: Option<ColumnKind>| kind.unwrap_or(ColumnKind::Text);
        self.columns.into_iter().map(|(name, found)| TableColumn { name, kind: kind(found) }).collect()
    }
}

fn kind_of(cell: &Cell) -> Option<ColumnKind> {
    match cell {
        Cell::Null => None,
        Cell::Json(json) if json == "true" || json == "false" => Some(ColumnKind::Boolean),
        Cell::Json(json) if json.parse::<i64>().is_ok() => Some(ColumnKind::Integer),
        Cell::Json(json) if json.parse::<f64>().is_ok() => Some(ColumnKind::Float),
        _ => Some(ColumnKind::Text),
    }
}

fn common(before: ColumnKind, now: ColumnKind) -> ColumnKind {
    match (before, now) {
        (before, now) if before == now => now,
        (ColumnKind::Integer, ColumnKind::Float) | (ColumnKind::Float, ColumnKind::Integer) => ColumnKind::Float,
        _ => ColumnKind::Text,
    }
}
