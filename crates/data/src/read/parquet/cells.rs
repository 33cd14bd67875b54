//! The values of a Parquet row as cells of a table.

use std::sync::Arc;

use parquet::record::{Field, Row as Record};

use super::super::table::{Cell, TableRow};
use super::Fault;

/// Returns a row with all its columns.
pub(super) fn row(line: u64, record: &Record, text: &str, text_pair: Option<&str>) -> Result<TableRow, Fault> {
    let value = |column: &str| match record.get_column_iter().find(|(name, _)| *name == column) {
        Some((_, Field::Str(text))) => Ok(text.clone()),
        _ => Err(Fault::Row { line, reason: format!("`{column}` is null") }),
    };
    let cells = record.get_column_iter().map(|(name, field)| (Arc::from(name.as_str()), cell(field))).collect();
    Ok(TableRow { line, text: value(text)?, text_pair: text_pair.map(value).transpose()?, cells })
}

/// Numbers and booleans are JSON, dates and times are text (ISO 8601), bytes are hexadecimal digits. NaN is no value, as in pandas; infinities are
/// text, because JSON has none.
fn cell(field: &Field) -> Cell {
    match field {
        Field::Null => Cell::Null,
        Field::Str(text) => Cell::Text(text.clone()),
        Field::Float16(number) => float(f64::from(f32::from(*number)), number.to_string()),
        Field::Float(number) => float(f64::from(*number), serde_json::to_string(number).unwrap_or_default()),
        Field::Double(number) => float(*number, serde_json::to_string(number).unwrap_or_default()),
        Field::Bytes(bytes) => Cell::Text(bytes.data().iter().map(|byte| format!("{byte:02x}")).collect()),
        Field::Date(_)
        | Field::TimeMillis(_)
        | Field::TimeMicros(_)
        | Field::TimestampMillis(_)
        | Field::TimestampMicros(_) => Cell::Text(field.to_string()),
        // Whole numbers, decimals and booleans.
        other => Cell::Json(other.to_string()),
    }
}

fn float(number: f64, spelled: String) -> Cell {
    match number {
        number if number.is_finite() => Cell::Json(spelled),
        number if number.is_nan() => Cell::Null,
        number => Cell::Text(number.to_string()),
    }
}
