//! JSONL: one JSON object per line.

use std::io::BufRead;
use std::iter;
use std::path::Path;

use serde_json::{Map, Value};

use super::{Columns, Fault, Format, ReadOptions, Reader, Row, columns, label};
use crate::error::DataError;

/// An object and its line number.
type Object = (u64, Map<String, Value>);

/// The objects of a file; blank lines are skipped.
struct Objects {
    text: Box<dyn BufRead + Send>,
    bytes: Vec<u8>,
    line: u64,
}

pub(super) fn open(
    path: &Path,
    text: Box<dyn BufRead + Send>,
    options: &ReadOptions,
) -> Result<(Columns, Reader), DataError> {
    let mut objects = Objects { text, bytes: Vec::new(), line: 0 };
    let first = objects.next().ok_or_else(|| DataError::Empty { path: path.into() })?;
    let first = first.map_err(|fault| fault.named(path, Format::Jsonl))?;
    let columns = columns::find(path, first.1.keys().cloned().collect(), options)?;
    let (text, label) = (columns.names[columns.text].clone(), columns.names[columns.label].clone());
    let objects = iter::once(Ok(first)).chain(objects);
    Ok((columns, Box::new(objects.map(move |object| object.and_then(|object| row(object, &text, &label))))))
}

impl Objects {
    fn read(&mut self) -> Result<Option<Object>, Fault> {
        loop {
            self.bytes.clear();
            if self.text.read_until(b'\n', &mut self.bytes).map_err(Fault::Io)? == 0 {
                return Ok(None);
            }
            self.line += 1;
            let json = self.bytes.trim_ascii();
            if !json.is_empty() {
                let broken = |error| Fault::Row { line: self.line, reason: format!("not a JSON object: {error}") };
                return Ok(Some((self.line, serde_json::from_slice(json).map_err(broken)?)));
            }
        }
    }
}

impl Iterator for Objects {
    type Item = Result<Object, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

fn row((line, mut object): Object, text: &str, name: &str) -> Result<Row, Fault> {
    let broken = |reason: String| Fault::Row { line, reason };
    let class = match object.get(name) {
        Some(Value::String(class)) => class.clone(),
        Some(Value::Number(number)) if !number.is_f64() => number.to_string(),
        Some(Value::Bool(value)) => value.to_string(),
        _ => {
            return Err(broken(format!(
                "`{name}` is not a valid label: expected a string, a whole number or a boolean"
            )));
        }
    };
    let Some(Value::String(text)) = object.get_mut(text).map(Value::take) else {
        return Err(broken(format!("`{text}` is not a string")));
    };
    Ok(Row { text, label: label(line, &class)?, line })
}
