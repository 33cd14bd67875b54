//! Parquet: reads the columns of texts and labels, row by row.

mod catch_panic;
mod cells;
mod class_label;
mod footer;
mod pages;
mod thrift;

use std::collections::HashSet;
use std::fs::File;
use std::iter;
use std::path::Path;
use std::sync::Arc;

use parquet::basic::{ConvertedType, LogicalType, Repetition, Type as Physical};
use parquet::errors::ParquetError;
use parquet::file::reader::FileReader;
use parquet::record::reader::RowIter;
use parquet::record::{Field, Row as Record};
use parquet::schema::types::Type;

use self::catch_panic::catch_panic;
pub(crate) use self::pages::Checked;
use super::labels::{LabelCell, Labels};
use super::table::OpenedTable;
use super::{Columns, Fault, Format, ReadOptions, Reader, Row, columns, group_of, time_of};
use crate::error::DataError;

pub(super) fn open(path: &Path, file: File, options: &ReadOptions) -> Result<(Columns, Reader), DataError> {
    let broken = |reason: String| DataError::Parquet { path: path.into(), reason };
    let reader = guarded(|| Checked::open(file)).map_err(broken)?;
    let schema = reader.metadata().file_metadata().schema().clone();
    let names = schema.get_fields().iter().map(|field| field.name().to_string()).collect();
    let columns = columns::find(path, names, options, false)?;
    let text = text_field(path, "text", &schema, columns.text)?;
    let name = match &schema.get_fields()[columns.label] {
        field if is_class(field) || is_list(field) => field.clone(),
        field => return Err(wrong_type(path, "label", field, "strings, numbers, booleans or lists of them")),
    };
    let pair = columns.text_pair.map(|column| text_field(path, "text pair", &schema, column));
    let text_pair = pair.transpose()?;
    let label_columns = columns.labels.iter().map(|&column| match &schema.get_fields()[column] {
        field if is_class(field) => Ok(field.clone()),
        field => Err(wrong_type(path, "label", field, "0 and 1, or booleans")),
    });
    let label_columns = label_columns.collect::<Result<Vec<_>, _>>()?;
    let group = columns.group.map(|column| match &schema.get_fields()[column] {
        field if is_class(field) => Ok(field.clone()),
        field => Err(wrong_type(path, "group", field, "strings, numbers or booleans")),
    });
    let group = group.transpose()?;
    let time = columns.time.map(|column| match &schema.get_fields()[column] {
        field if is_class(field) || is_time(field) => Ok(field.clone()),
        field => Err(wrong_type(path, "time", field, "dates, timestamps, numbers or strings")),
    });
    let time = time.transpose()?;
    let mut fields = vec![text.clone(), name.clone()];
    fields.extend(text_pair.clone());
    fields.extend(group.clone());
    fields.extend(time.clone());
    fields.extend(label_columns.iter().cloned());
    let keys = Keys {
        text: text.name().into(),
        text_pair: text_pair.map(|pair| pair.name().into()),
        names: class_label::names(reader.metadata().file_metadata().key_value_metadata(), name.name()),
        label: name.name().into(),
        label_columns: label_columns.iter().map(|column| column.name().into()).collect(),
        labels: Labels::new(options),
        group: group.map(|group| group.name().into()),
        time: time.map(|time| time.name().into()),
    };
    let mut seen = HashSet::new();
    fields.retain(|field| seen.insert(field.name().to_string()));
    let mut records = records(reader, schema.name(), fields).map_err(broken)?;
    let rows = (1..).map_while(move |line| match guarded(|| records.next().transpose().map_err(text_of)) {
        Ok(record) => Some(row(line, &record?, &keys)),
        Err(reason) => Some(Err(Fault::End { line, reason })),
    });
    Ok((columns, Box::new(rows)))
}

/// Opens a file as a table: all its columns, or only the text, which a writer that copies the others needs.
pub(super) fn open_table(
    path: &Path,
    file: File,
    options: &ReadOptions,
    only_text: bool,
) -> Result<OpenedTable, DataError> {
    let broken = |reason: String| DataError::Parquet { path: path.into(), reason };
    let reader = guarded(|| Checked::open(file)).map_err(broken)?;
    let schema = reader.metadata().file_metadata().schema().clone();
    let names: Vec<String> = schema.get_fields().iter().map(|field| field.name().to_string()).collect();
    let texts = columns::find_texts(path, &names, options, false)?;
    let text = text_field(path, "text", &schema, texts.text)?;
    let pair = texts.text_pair.map(|column| text_field(path, "text pair", &schema, column)).transpose()?;
    let only_texts = || iter::once(text.clone()).chain(pair.clone()).collect();
    let fields = if only_text { only_texts() } else { schema.get_fields().to_vec() };
    if let Some(field) = fields.iter().find(|field| is_nested(field)) {
        let wanted = "values that are not nested; write Parquet, which keeps them";
        return Err(wrong_type(path, "copied", field, wanted));
    }
    let mut records = records(reader, schema.name(), fields.clone()).map_err(broken)?;
    let columns: Vec<Arc<str>> = names.into_iter().map(Arc::from).collect();
    let rows = (1..).map_while(move |line| match guarded(|| records.next().transpose().map_err(text_of)) {
        Ok(record) => Some(cells::row(line, &record?, text.name(), pair.as_ref().map(|pair| pair.name()))),
        Err(reason) => Some(Err(Fault::End { line, reason })),
    });
    Ok(OpenedTable { format: Format::Parquet, separator: None, columns, texts, rows: Box::new(rows) })
}

/// Returns the records of some columns.
fn records(reader: Checked, schema: &str, fields: Vec<Arc<Type>>) -> Result<RowIter<'static>, String> {
    guarded(|| {
        let projection = Type::group_type_builder(schema).with_fields(fields).build();
        let project = |projection| RowIter::from_file_into(Box::new(reader)).project(Some(projection));
        projection.and_then(project).map_err(text_of)
    })
}

/// Returns the column of a text, which must contain strings.
fn text_field(path: &Path, role: &'static str, schema: &Type, index: usize) -> Result<Arc<Type>, DataError> {
    match &schema.get_fields()[index] {
        field if is_text(field) => Ok(field.clone()),
        field => Err(wrong_type(path, role, field, "UTF-8 strings")),
    }
}

fn wrong_type(path: &Path, role: &'static str, field: &Type, wanted: &'static str) -> DataError {
    let (column, found) = (field.name().into(), describe(field));
    DataError::ColumnType { path: path.into(), role, column, found, wanted }
}

/// Calls the library, which panics on some damaged files.
fn guarded<T>(work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_panic(work).unwrap_or_else(|| Err("the file is damaged".into()))
}

fn text_of(error: ParquetError) -> String {
    error.to_string()
}

/// The columns that are read.
struct Keys {
    text: String,
    text_pair: Option<String>,
    label: String,
    /// The names of the classes, which the numbers of the label stand for.
    names: Option<Vec<String>>,
    label_columns: Vec<String>,
    labels: Labels,
    group: Option<String>,
    time: Option<String>,
}

fn row(line: u64, record: &Record, keys: &Keys) -> Result<Row, Fault> {
    let field = |column: &str| record.get_column_iter().find(|(name, _)| *name == column).map(|(_, field)| field);
    let broken = |reason: String| Fault::Row { line, reason };
    let scalar = |column: &str, value: Option<&Field>| match value {
        Some(Field::Str(class)) => Ok(class.clone()),
        Some(Field::Float(_) | Field::Double(_)) if !is_finite(value) => {
            Err(broken(format!("`{column}` is not a finite number")))
        }
        None | Some(Field::Null) => Err(broken(format!("`{column}` is null"))),
        // Whole numbers, fractions and booleans.
        Some(value) => Ok(value.to_string()),
    };
    let (label, labels) = if keys.label_columns.is_empty() {
        let name = &keys.label;
        let class = |value| {
            let class = scalar(name, value)?;
            match &keys.names {
                Some(names) => class_label::name(names, &class)
                    .map(String::from)
                    .map_err(|reason| broken(format!("`{name}` {reason}"))),
                None => Ok(class),
            }
        };
        let cell = match field(name) {
            Some(Field::ListInternal(list)) => {
                LabelCell::Several(list.elements().iter().map(|item| class(Some(item))).collect::<Result<_, _>>()?)
            }
            value => LabelCell::One(class(value)?),
        };
        keys.labels.read(line, cell)?
    } else {
        let value = |place: usize| scalar(&keys.label_columns[place], field(&keys.label_columns[place]));
        keys.labels.read_columns(line, value)?
    };
    let text_of = |column: &String| match field(column) {
        Some(Field::Str(text)) => Ok(text.clone()),
        _ => Err(broken(format!("`{column}` is null"))),
    };
    let text_pair = keys.text_pair.as_ref().map(text_of).transpose()?;
    let group = |column: &String| group_of(line, column, &scalar(column, field(column))?);
    let group = keys.group.as_ref().map(group).transpose()?;
    let time = |column: &String| time_of(line, column, &scalar(column, field(column))?);
    let time = keys.time.as_ref().map(time).transpose()?;
    Ok(Row { text: text_of(&keys.text)?, text_pair, label, labels, line, group, time })
}

fn is_finite(field: Option<&Field>) -> bool {
    match field {
        Some(Field::Float(number)) => number.is_finite(),
        Some(Field::Double(number)) => number.is_finite(),
        _ => true,
    }
}

/// Returns whether a column contains strings. (If a file has only the logical type, the library derives the converted
/// type.)
fn is_text(field: &Type) -> bool {
    !is_nested(field) && field.get_basic_info().converted_type() == ConvertedType::UTF8
}

fn is_class(field: &Type) -> bool {
    use ConvertedType::{INT_8, INT_16, INT_32, INT_64, NONE, UINT_8, UINT_16, UINT_32, UINT_64};
    if is_nested(field) {
        return false;
    }
    match field.get_physical_type() {
        Physical::BOOLEAN | Physical::FLOAT | Physical::DOUBLE => true,
        // Timestamps of nanoseconds have no converted type, and would be read as integers.
        Physical::INT64 if matches!(field.get_basic_info().logical_type_ref(), Some(LogicalType::Timestamp { .. })) => {
            false
        }
        Physical::INT32 | Physical::INT64 => matches!(
            field.get_basic_info().converted_type(),
            NONE | INT_8 | INT_16 | INT_32 | INT_64 | UINT_8 | UINT_16 | UINT_32 | UINT_64
        ),
        _ => is_text(field),
    }
}

/// Returns whether a column contains dates or timestamps, which are written as ISO 8601 has them.
fn is_time(field: &Type) -> bool {
    use ConvertedType::{DATE, TIMESTAMP_MICROS, TIMESTAMP_MILLIS};
    !is_nested(field)
        && (field.get_physical_type() == Physical::INT96
            || matches!(field.get_basic_info().converted_type(), DATE | TIMESTAMP_MILLIS | TIMESTAMP_MICROS))
}

/// Returns whether a column contains lists of classes: a group around a repeated group or around a repeated column.
fn is_list(field: &Type) -> bool {
    let inner = |field: &Type| match field.is_group() {
        true => field.get_fields().first().cloned(),
        false => None,
    };
    let is_list = field.is_group() && field.get_basic_info().converted_type() == ConvertedType::LIST;
    let item = inner(field).filter(|_| is_list).and_then(|repeated| inner(&repeated));
    item.is_some_and(|item| is_class(&item))
}

fn is_nested(field: &Type) -> bool {
    !field.is_primitive() || field.get_basic_info().repetition() == Repetition::REPEATED
}

/// Describes the type of a column in Parquet's terms.
fn describe(field: &Type) -> String {
    if is_nested(field) {
        return "nested values".into();
    }
    match field.get_basic_info().converted_type() {
        ConvertedType::NONE => field.get_physical_type().to_string(),
        converted => format!("{} ({converted})", field.get_physical_type()),
    }
}
