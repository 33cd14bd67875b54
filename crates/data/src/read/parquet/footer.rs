//! Checks the footer of a Parquet file before the library uses it.
//!
//! The library reserves memory for as many fields as a schema claims, and recurses as deep as it is nested. A footer of
//! a few bytes could thus demand gigabytes or overflow the stack, and neither can be caught.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use parquet::file::metadata::{ColumnChunkMetaData, RowGroupMetaData};

use super::thrift::{Broken, LIST, STRUCT, Thrift};

/// The size of length and magic number at the end of a file.
const TAIL: u64 = 8;
/// The maximum nesting depth of the fields of a schema.
const DEPTH: usize = 64;
/// The maximum compression ratio; DEFLATE reaches 1,032.
pub(super) const EXPANSION: u64 = 1032;
/// The number of rows that a column of any size may have.
const FREE_ROWS: u64 = 1 << 20;

/// Checks that the footer is complete and contains a valid schema.
pub(super) fn check(file: &File) -> Result<(), String> {
    let footer = read(file).map_err(|error| error.to_string())?;
    footer.map_or(Ok(()), |footer| metadata(&footer).map_err(|reason| format!("the footer {reason}")))
}

/// Returns the footer, if the end of the file says that there is one.
fn read(mut file: &File) -> io::Result<Option<Vec<u8>>> {
    let size = file.metadata()?.len();
    let Some(end) = size.checked_sub(TAIL) else { return Ok(None) };
    let mut tail = [0; TAIL as usize];
    file.seek(SeekFrom::Start(end))?;
    file.read_exact(&mut tail)?;
    let [a, b, c, d, magic @ ..] = tail;
    let length = u64::from(u32::from_le_bytes([a, b, c, d]));
    let Some(start) = end.checked_sub(length).filter(|_| magic == *b"PAR1") else { return Ok(None) };
    let mut footer = Vec::new();
    file.seek(SeekFrom::Start(start))?;
    file.take(length).read_to_end(&mut footer)?;
    Ok(Some(footer))
}

/// Reads all metadata. Field 2 is the schema.
fn metadata(footer: &[u8]) -> Result<(), Broken> {
    Thrift::new(footer).fields(|thrift, id, kind| match (id, kind) {
        (2, LIST) => schema(thrift).map(|()| true),
        (2, _) => Err("contains no schema"),
        _ => Ok(false),
    })
}

/// Checks the fields of a schema, each of which precedes its children: field 5 is the number of children.
fn schema(thrift: &mut Thrift<'_>) -> Result<(), Broken> {
    let (kind, elements) = thrift.list()?;
    if kind != STRUCT {
        return Err("contains no schema");
    }
    // The remaining fields of the schema and of each ancestor of the current field.
    let mut open = vec![1];
    for element in 0..elements {
        while open.last() == Some(&0) {
            open.pop();
        }
        let Some(left) = open.last_mut() else { return Err("contains more fields than its schema declares") };
        *left -= 1;
        let mut within = 0;
        thrift.fields(|thrift, id, kind| {
            if id == 5 {
                within = thrift.count(kind)?;
            }
            Ok(id == 5)
        })?;
        if within > elements - element {
            return Err("declares fields that do not exist");
        }
        open.push(within);
        if open.len() > DEPTH {
            return Err("contains a schema that is nested too deeply");
        }
    }
    match open.iter().all(|&left| left == 0) {
        true => Ok(()),
        false => Err("declares fields that do not exist"),
    }
}

/// Returns the byte range of a column of a row group, after checking that it is inside the file, whose size is given,
/// and can contain the group's rows.
pub(super) fn chunk(group: &RowGroupMetaData, column: &ColumnChunkMetaData, size: u64) -> Result<(u64, u64), String> {
    let rows = u64::try_from(group.num_rows()).map_err(|_| "a row group has a negative number of rows")?;
    let name = column.column_path().string();
    let start = column.dictionary_page_offset().unwrap_or_else(|| column.data_page_offset());
    let (start, length) = (u64::try_from(start), u64::try_from(column.compressed_size()));
    let (Ok(start), Ok(length)) = (start, length) else {
        return Err(format!("column `{name}` has an invalid position"));
    };
    if start.checked_add(length).is_none_or(|end| end > size) {
        return Err(format!("column `{name}` extends beyond the end of the file; the file may be truncated"));
    }
    if u64::try_from(column.num_values()) != Ok(rows) {
        return Err(format!("column `{name}` has {} values in a row group of {rows} rows", column.num_values()));
    }
    if rows > FREE_ROWS && rows / EXPANSION > length {
        return Err(format!("column `{name}` declares {rows} rows in {length} bytes"));
    }
    Ok((start, length))
}
