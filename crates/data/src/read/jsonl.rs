//! JSON, one object a line.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use serde_json::{Map, Value};

use super::{ReadOptions, Row, columns, label};
use crate::error::DataError;

pub(super) fn read(path: &Path, file: File, options: &ReadOptions) -> Result<Vec<Row>, DataError> {
    let mut reader = BufReader::with_capacity(1 << 16, file);
    let mut rows = Vec::new();
    let mut bytes = Vec::new();
    let mut keys: Option<(String, String)> = None;
    for line in 1.. {
        bytes.clear();
        let read = reader.read_until(b'\n', &mut bytes);
        if read.map_err(|source| DataError::Io { path: path.into(), source })? == 0 {
            break;
        }
        let json = bytes.strip_prefix(b"\xef\xbb\xbf").filter(|_| line == 1).unwrap_or(&bytes).trim_ascii();
        if json.is_empty() {
            continue;
        }
        let broken = |reason: String| DataError::Row { path: path.into(), line, reason };
        let object: Map<String, Value> =
            serde_json::from_slice(json).map_err(|error| broken(format!("not a JSON object: {error}")))?;
        let (text, name) = match &keys {
            Some(keys) => keys,
            None => {
                let names: Vec<&str> = object.keys().map(String::as_str).collect();
                let (text, label) = columns::find(path, &names, options)?;
                keys.insert((names[text].into(), names[label].into()))
            }
        };
        let Some(Value::String(sentence)) = object.get(text) else {
            return Err(broken(format!("`{text}` is not a string")));
        };
        let class = match object.get(name) {
            Some(Value::String(class)) => class.clone(),
            Some(Value::Number(number)) if !number.is_f64() => number.to_string(),
            Some(Value::Bool(value)) => value.to_string(),
            _ => return Err(broken(format!("`{name}` is not a class: a string, a whole number, true or false"))),
        };
        rows.push(Row { text: sentence.clone(), label: label(path, line, &class)?, line });
    }
    Ok(rows)
}
