//! What the footer of a Parquet file promises, held against the file before the library believes it.
//!
//! The library reserves memory for as many fields as a schema says it has, and follows it as deep as it goes: a footer
//! of some bytes could ask for gigabytes, or for more of the stack than there is, and neither can be caught.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use parquet::file::metadata::{ColumnChunkMetaData, RowGroupMetaData};

use super::thrift::{Broken, LIST, STRUCT, Thrift};

/// Length and magic number at the end of a file.
const TAIL: u64 = 8;
/// How deep the fields of a schema may lie within each other.
const DEPTH: usize = 64;
/// How often bytes may occur in what they are unpacked to; DEFLATE reaches 1,032.
pub(super) const EXPANSION: u64 = 1032;
/// Rows that a column of any size may have.
const FREE_ROWS: u64 = 1 << 20;

/// Whether the footer is whole, and its schema one.
pub(super) fn check(file: &File) -> Result<(), String> {
    let footer = read(file).map_err(|error| error.to_string())?;
    footer.map_or(Ok(()), |footer| metadata(&footer).map_err(|reason| format!("its footer {reason}")))
}

/// The footer, where the end of the file says that there is one.
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

/// Walks all of it. Field 2 is the schema.
fn metadata(footer: &[u8]) -> Result<(), Broken> {
    Thrift::new(footer).fields(|thrift, id, kind| match (id, kind) {
        (2, LIST) => schema(thrift).map(|()| true),
        (2, _) => Err("holds no schema"),
        _ => Ok(false),
    })
}

/// The fields of a schema, each before those within it: field 5 is how many these are.
fn schema(thrift: &mut Thrift<'_>) -> Result<(), Broken> {
    let (kind, elements) = thrift.list()?;
    if kind != STRUCT {
        return Err("holds no schema");
    }
    // Fields still to come, of the schema and of each field that the present one lies within.
    let mut open = vec![1];
    for element in 0..elements {
        while open.last() == Some(&0) {
            open.pop();
        }
        let Some(left) = open.last_mut() else { return Err("holds more fields than its schema has") };
        *left -= 1;
        let mut within = 0;
        thrift.fields(|thrift, id, kind| {
            if id == 5 {
                within = thrift.count(kind)?;
            }
            Ok(id == 5)
        })?;
        if within > elements - element {
            return Err("promises fields that are not there");
        }
        open.push(within);
        if open.len() > DEPTH {
            return Err("holds a schema nested too deep");
        }
    }
    match open.iter().all(|&left| left == 0) {
        true => Ok(()),
        false => Err("promises fields that are not there"),
    }
}

/// The bytes of a column of a group of rows, where they lie in a file of so many and can hold that many rows.
pub(super) fn chunk(group: &RowGroupMetaData, column: &ColumnChunkMetaData, size: u64) -> Result<(u64, u64), String> {
    let rows = u64::try_from(group.num_rows()).map_err(|_| "a group of rows has fewer than none")?;
    let name = column.column_path().string();
    let start = column.dictionary_page_offset().unwrap_or_else(|| column.data_page_offset());
    let (start, length) = (u64::try_from(start), u64::try_from(column.compressed_size()));
    let (Ok(start), Ok(length)) = (start, length) else { return Err(format!("column `{name}` lies nowhere")) };
    if start.checked_add(length).is_none_or(|end| end > size) {
        return Err(format!("column `{name}` ends behind the file; is it cut off?"));
    }
    if u64::try_from(column.num_values()) != Ok(rows) {
        return Err(format!("column `{name}` has {} values in a group of {rows} rows", column.num_values()));
    }
    if rows > FREE_ROWS && rows / EXPANSION > length {
        return Err(format!("column `{name}` promises {rows} rows in {length} bytes"));
    }
    Ok((start, length))
}
