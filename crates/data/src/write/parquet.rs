//! Parquet, compressed with Snappy: new files, and files with the columns of another one.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use parquet::basic::{Compression, LogicalType, Repetition, Type as Physical};
use parquet::column::writer::ColumnCloseResult;
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::reader::FileReader;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::{Type, TypePtr};

use super::invalid;
use crate::error::DataError;
use crate::read::{Cell, CheckedParquet};
use crate::summary::{ColumnKind, TableColumn};

/// The number of rows of a group, which are kept in memory until it is written.
const GROUP: usize = 1 << 14;
/// Metadata that describe all columns, and would contradict a file with more of them.
const DESCRIPTIONS: [&str; 3] = ["ARROW:schema", "pandas", "huggingface"];

/// A writer of new files.
pub(super) struct ParquetWriter<W: Write + Send> {
    file: SerializedFileWriter<W>,
    columns: Columns,
}

impl<W: Write + Send> ParquetWriter<W> {
    pub(super) fn new(columns: &[TableColumn], out: W) -> io::Result<Self> {
        let fields = columns.iter().map(field).collect::<Result<_, _>>().map_err(error)?;
        let schema = Type::group_type_builder("schema").with_fields(fields).build().map_err(error)?;
        let file = SerializedFileWriter::new(out, Arc::new(schema), properties(None)).map_err(error)?;
        Ok(Self { file, columns: Columns::new(columns) })
    }

    pub(super) fn write(&mut self, cells: &[(Arc<str>, Cell)]) -> io::Result<()> {
        self.columns.push(cells)?;
        if self.columns.rows == GROUP { self.group() } else { Ok(()) }
    }

    fn group(&mut self) -> io::Result<()> {
        let mut group = self.file.next_row_group().map_err(error)?;
        self.columns.write(&mut group)?;
        group.close().map(drop).map_err(error)
    }

    pub(super) fn finish(mut self) -> io::Result<W> {
        if self.columns.rows > 0 {
            self.group()?;
        }
        self.file.into_inner().map_err(error)
    }
}

/// A writer of files with the columns of another file and new ones.
pub(super) struct ExtendedWriter<W: Write + Send> {
    source: File,
    reader: CheckedParquet,
    file: SerializedFileWriter<W>,
    columns: Columns,
    /// The next row group of the other file.
    group: usize,
}

impl<W: Write + Send> ExtendedWriter<W> {
    pub(super) fn new(path: &Path, added: &[TableColumn], out: W) -> Result<Self, DataError> {
        let io = |source| DataError::Io { path: path.into(), source };
        let source = File::open(path).map_err(io)?;
        let broken = |reason: String| DataError::Parquet { path: path.into(), reason };
        let reader = CheckedParquet::open(source.try_clone().map_err(io)?).map_err(broken)?;
        let metadata = reader.metadata().file_metadata();
        let mut fields: Vec<TypePtr> = metadata.schema().get_fields().to_vec();
        let of_library = |error: ParquetError| broken(error.to_string());
        fields.extend(added.iter().map(field).collect::<Result<Vec<_>, _>>().map_err(of_library)?);
        let schema = Type::group_type_builder(metadata.schema().name()).with_fields(fields).build();
        let entries = metadata.key_value_metadata().map(|entries| {
            entries.iter().filter(|entry| !DESCRIPTIONS.contains(&entry.key.as_str())).cloned().collect()
        });
        let schema = Arc::new(schema.map_err(of_library)?);
        let file = SerializedFileWriter::new(out, schema, properties(entries)).map_err(of_library)?;
        Ok(Self { source, reader, file, columns: Columns::new(added), group: 0 })
    }

    pub(super) fn write(&mut self, cells: &[(Arc<str>, Cell)]) -> io::Result<()> {
        self.columns.push(cells)?;
        self.groups()
    }

    /// Writes the groups of which all rows are there.
    fn groups(&mut self) -> io::Result<()> {
        while self.group < self.reader.num_row_groups() {
            let metadata = self.reader.metadata().row_group(self.group);
            if (self.columns.rows as i64) < metadata.num_rows() {
                break;
            }
            self.group += 1;
            let mut group = self.file.next_row_group().map_err(error)?;
            for column in metadata.columns() {
                let close = ColumnCloseResult {
                    bytes_written: column.compressed_size() as u64,
                    rows_written: metadata.num_rows() as u64,
                    metadata: column.clone(),
                    bloom_filter: None,
                    column_index: None,
                    offset_index: None,
                };
                group.append_column(&self.source, close).map_err(error)?;
            }
            self.columns.write(&mut group)?;
            group.close().map_err(error)?;
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> io::Result<W> {
        self.groups()?;
        if self.columns.rows > 0 || self.group < self.reader.num_row_groups() {
            return Err(invalid("the file that is extended has another number of rows".into()));
        }
        self.file.into_inner().map_err(error)
    }
}

/// The values of a row group that is not yet written.
struct Columns {
    names: Vec<Arc<str>>,
    places: HashMap<Arc<str>, usize>,
    values: Vec<Values>,
    rows: usize,
}

/// The values of a column, without nulls; the levels say which are null.
struct Values {
    levels: Vec<i16>,
    values: Typed,
}

enum Typed {
    Boolean(Vec<bool>),
    Integer(Vec<i64>),
    Float(Vec<f64>),
    Text(Vec<ByteArray>),
}

impl Columns {
    fn new(columns: &[TableColumn]) -> Self {
        let names: Vec<Arc<str>> = columns.iter().map(|column| Arc::clone(&column.name)).collect();
        let places = (0..).zip(&names).map(|(place, name)| (Arc::clone(name), place)).collect();
        let typed = |kind| match kind {
            ColumnKind::Boolean => Typed::Boolean(Vec::new()),
            ColumnKind::Integer => Typed::Integer(Vec::new()),
            ColumnKind::Float => Typed::Float(Vec::new()),
            ColumnKind::Text => Typed::Text(Vec::new()),
        };
        let values = columns.iter().map(|column| Values { levels: Vec::new(), values: typed(column.kind) }).collect();
        Self { names, places, values, rows: 0 }
    }

    fn push(&mut self, cells: &[(Arc<str>, Cell)]) -> io::Result<()> {
        for (index, (name, cell)) in cells.iter().enumerate() {
            let place = match self.names.get(index) {
                Some(known) if known == name => index,
                _ => *self.places.get(name).ok_or_else(|| invalid(format!("no column `{name}` was announced")))?,
            };
            let values = &mut self.values[place];
            // A key that occurs twice in a JSON object has its last value, as in Python.
            if values.levels.len() > self.rows {
                values.pop();
            }
            values.push(cell);
        }
        self.rows += 1;
        for values in &mut self.values {
            values.levels.resize(self.rows, 0);
        }
        Ok(())
    }

    /// Writes all values to a row group, and forgets them.
    fn write<W: Write + Send>(&mut self, group: &mut SerializedRowGroupWriter<'_, W>) -> io::Result<()> {
        for Values { levels, values } in &mut self.values {
            match values {
                Typed::Boolean(values) => write_column::<BoolType, W>(group, values, levels),
                Typed::Integer(values) => write_column::<Int64Type, W>(group, values, levels),
                Typed::Float(values) => write_column::<DoubleType, W>(group, values, levels),
                Typed::Text(values) => write_column::<ByteArrayType, W>(group, values, levels),
            }
            .map_err(error)?;
        }
        self.rows = 0;
        Ok(())
    }
}

impl Values {
    fn push(&mut self, cell: &Cell) {
        let text = match cell {
            Cell::Null => return self.levels.push(0),
            Cell::Text(text) | Cell::Json(text) => text,
        };
        // A column has its type because all its values do.
        match &mut self.values {
            Typed::Boolean(values) => values.push(text == "true"),
            Typed::Integer(values) => values.push(text.parse().unwrap_or_default()),
            Typed::Float(values) => values.push(text.parse().unwrap_or(f64::NAN)),
            Typed::Text(values) => values.push(text.as_str().into()),
        }
        self.levels.push(1);
    }

    fn pop(&mut self) {
        if self.levels.pop() == Some(1) {
            match &mut self.values {
                Typed::Boolean(values) => drop(values.pop()),
                Typed::Integer(values) => drop(values.pop()),
                Typed::Float(values) => drop(values.pop()),
                Typed::Text(values) => drop(values.pop()),
            }
        }
    }
}

fn write_column<T: DataType, W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    values: &mut Vec<T::T>,
    levels: &mut Vec<i16>,
) -> Result<(), ParquetError> {
    let missing = || ParquetError::General("a column is missing in the schema".into());
    let mut column = group.next_column()?.ok_or_else(missing)?;
    column.typed::<T>().write_batch(values, Some(levels), None)?;
    values.clear();
    levels.clear();
    column.close()
}

/// Returns a column of the schema. All columns may have nulls.
fn field(column: &TableColumn) -> Result<TypePtr, ParquetError> {
    let (physical, logical) = match column.kind {
        ColumnKind::Boolean => (Physical::BOOLEAN, None),
        ColumnKind::Integer => (Physical::INT64, None),
        ColumnKind::Float => (Physical::DOUBLE, None),
        ColumnKind::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
    };
    let builder = Type::primitive_type_builder(&column.name, physical).with_logical_type(logical);
    builder.with_repetition(Repetition::OPTIONAL).build().map(Arc::new)
}

fn properties(entries: Option<Vec<parquet::file::metadata::KeyValue>>) -> Arc<WriterProperties> {
    let builder = WriterProperties::builder().set_compression(Compression::SNAPPY);
    Arc::new(builder.set_key_value_metadata(entries).build())
}

fn error(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(source) => match source.downcast::<io::Error>() {
            Ok(error) => *error,
            Err(source) => io::Error::other(source.to_string()),
        },
        error => io::Error::other(error.to_string()),
    }
}
