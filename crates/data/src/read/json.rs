//! JSON: objects one per line, one after the other, in an array, or in an array inside an object.

use std::io::BufRead;
use std::iter;
use std::path::Path;

use serde_json::{Map, Value};

use super::labels::{LabelCell, Labels};
use super::source::{self, Source, Text};
use super::values::Values;
use super::{Fault, Format, Opened, ReadOptions, Row, columns, group_of, time_of};
use crate::error::DataError;

/// The member of a document that contains the rows, if there are several arrays of objects.
const DATA: &str = "data";

type Input = Box<dyn BufRead + Send>;

/// An object, the line on which it begins, and its text, which is valid JSON.
pub(super) struct Object {
    pub(super) line: u64,
    pub(super) members: Map<String, Value>,
    pub(super) json: Vec<u8>,
}

pub(super) type Objects = Box<dyn Iterator<Item = Result<Object, Fault>> + Send>;

pub(super) fn open(path: &Path, text: Text, options: &ReadOptions) -> Result<Opened, DataError> {
    let find = |names| columns::find(path, names, options, false);
    let Found { format, columns, first, objects } = objects(path, text, options, &find)?;
    let keys = Keys {
        text: columns.names[columns.text].clone(),
        label: columns.names[columns.label].clone(),
        text_pair: columns.text_pair.map(|column| columns.names[column].clone()),
        label_columns: columns.labels.iter().map(|&column| columns.names[column].clone()).collect(),
        group: columns.group.map(|column| columns.names[column].clone()),
        time: columns.time.map(|column| columns.names[column].clone()),
        labels: Labels::new(options),
    };
    let objects = iter::once(Ok(first)).chain(objects);
    let reader = Box::new(objects.map(move |object| object.and_then(|object| row(object, &keys))));
    Ok(Opened { format, separator: None, columns, reader })
}

/// The objects of a file, and which of their keys are read.
pub(super) struct Found<C> {
    pub(super) format: Format,
    pub(super) columns: C,
    pub(super) first: Object,
    /// The objects behind the first.
    pub(super) objects: Objects,
}

/// Opens the objects of a file. `find` selects the columns among the keys of the first object.
pub(super) fn objects<C>(
    path: &Path,
    text: Text,
    options: &ReadOptions,
    find: &dyn Fn(Vec<String>) -> Result<C, DataError>,
) -> Result<Found<C>, DataError> {
    let layout = layout(&text);
    let (format, mut objects): (Format, Objects) = match layout {
        Layout::Array => (
            Format::Json,
            Box::new(Array { values: Values::new(text.reader, 1), state: State::Before, is_member: false }),
        ),
        Layout::Sequence => (Format::Jsonl, Box::new(Sequence { values: Values::new(text.reader, 1) })),
        Layout::Lines => (Format::Jsonl, Box::new(Lines { text: text.reader, bytes: Vec::new(), line: 0 })),
    };
    let (first, columns) = first(path, &mut objects, find)?;
    // The only object may be a document that contains the rows.
    let may_be_document = is_nested(&first.members) || columns.is_err() && first.members.values().any(is_rows);
    let second = may_be_document.then(|| objects.next()).flatten();
    if !may_be_document || second.is_some() {
        let objects = Box::new(second.into_iter().chain(objects));
        return columns.map(|columns| Found { format, columns, first, objects });
    }
    let refused = |found| Err(DataError::Content { path: path.into(), found });
    match arrays_of_rows(&first.members)[..] {
        [key] => {
            let mut objects = rows_of(path, options, key)?;
            let (first, columns) = self::first(path, &mut objects, find)?;
            Ok(Found { format: Format::Json, columns: columns?, first, objects })
        }
        [] => refused(
            "JSON that is not divided into rows; save it with an object per row, as pandas' `to_json(orient=\"records\")` does"
                .into(),
        ),
        ref several => refused(format!("JSON with several arrays of rows ({}); save one of them as a file", several.join(", "))),
    }
}

/// Returns the first object, and which of its keys are the columns.
fn first<C>(
    path: &Path,
    objects: &mut Objects,
    find: &dyn Fn(Vec<String>) -> Result<C, DataError>,
) -> Result<(Object, Result<C, DataError>), DataError> {
    let first = objects.next().ok_or_else(|| DataError::Empty { path: path.into() })?;
    let first = first.map_err(|fault| fault.named(path, Format::Json))?;
    let columns = find(first.members.keys().cloned().collect());
    Ok((first, columns))
}

/// How the objects of a file are arranged.
enum Layout {
    Lines,
    Sequence,
    Array,
}

/// Returns the layout by the first value: an array; an object that is a line of its own; or an object that continues
/// over several lines.
fn layout(text: &Text) -> Layout {
    let head = text.head.trim_ascii_start();
    if head.first() == Some(&b'[') {
        return Layout::Array;
    }
    let end = head.iter().position(|&byte| byte == b'\n').or(text.complete.then_some(head.len()));
    match end.map(|end| serde_json::from_slice::<Map<String, Value>>(&head[..end])) {
        None => Layout::Sequence,
        Some(Err(error)) if error.is_eof() && !head.is_empty() => Layout::Sequence,
        Some(_) => Layout::Lines,
    }
}

/// Objects that are a line each; blank lines are skipped.
struct Lines {
    text: Input,
    bytes: Vec<u8>,
    line: u64,
}

impl Iterator for Lines {
    type Item = Result<Object, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            self.bytes.clear();
            match self.text.read_until(b'\n', &mut self.bytes) {
                Ok(0) => return None,
                Ok(_) => self.line += 1,
                Err(error) => return Some(Err(Fault::Io(error))),
            }
            let json = self.bytes.trim_ascii();
            if !json.is_empty() {
                return Some(object(self.line, json));
            }
        }
    }
}

/// Objects one after the other.
struct Sequence {
    values: Values<Input>,
}

impl Iterator for Sequence {
    type Item = Result<Object, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.values.peek().transpose()?;
        Some(next.and_then(|_| next_object(&mut self.values)))
    }
}

/// The objects in an array.
struct Array {
    values: Values<Input>,
    state: State,
    /// Whether the array is part of an object.
    is_member: bool,
}

/// The next part of an array.
#[derive(Clone, Copy, PartialEq)]
enum State {
    /// The opening bracket.
    Before,
    /// The first element.
    First,
    /// A comma and another element.
    Within,
    /// Nothing.
    End,
}

impl Iterator for Array {
    type Item = Result<Object, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

impl Array {
    fn read(&mut self) -> Result<Option<Object>, Fault> {
        if self.state == State::Before {
            self.values.expect(b'[')?;
            self.state = State::First;
        }
        if self.state == State::End || !self.values.another(b']', self.state == State::First)? {
            if self.state != State::End && !self.is_member {
                self.values.finish()?;
            }
            self.state = State::End;
            return Ok(None);
        }
        self.state = State::Within;
        next_object(&mut self.values).map(Some)
    }
}

fn next_object(values: &mut Values<Input>) -> Result<Object, Fault> {
    let mut json = Vec::new();
    let line = values.value(&mut json)?;
    object(line, &json)
}

/// Returns whether an object has nothing but arrays and objects, and is no row, which has a text.
fn is_nested(members: &Map<String, Value>) -> bool {
    !members.is_empty() && members.values().all(|value| value.is_array() || value.is_object())
}

/// Returns whether a value is an array of objects.
fn is_rows(value: &Value) -> bool {
    value.as_array().is_some_and(|rows| rows.first().is_none_or(Value::is_object))
}

/// Returns the names of the arrays of objects in a document; only one of them if it has the usual name.
fn arrays_of_rows(document: &Map<String, Value>) -> Vec<&str> {
    match document.get(DATA).is_some_and(is_rows) {
        true => vec![DATA],
        false => document.iter().filter(|(_, value)| is_rows(value)).map(|(key, _)| key.as_str()).collect(),
    }
}

/// Opens a document again, at the array of a member.
fn rows_of(path: &Path, options: &ReadOptions, key: &str) -> Result<Objects, DataError> {
    let named = |fault: Fault| fault.named(path, Format::Json);
    let Source::Text(text) = source::open(path, options.encoding)? else {
        return Err(DataError::UnknownFormat { path: path.into() });
    };
    let mut values = Values::new(text.reader, 1);
    let mut bytes = Vec::new();
    values.expect(b'{').map_err(named)?;
    let mut is_first = true;
    while values.another(b'}', is_first).map_err(named)? {
        is_first = false;
        values.value(&mut bytes).map_err(named)?;
        let is_wanted = serde_json::from_slice::<String>(&bytes).is_ok_and(|name| name == key);
        values.expect(b':').map_err(named)?;
        if is_wanted {
            return Ok(Box::new(Array { values, state: State::Before, is_member: true }));
        }
        values.value(&mut bytes).map_err(named)?;
    }
    Err(DataError::Empty { path: path.into() })
}

/// Parses an object that begins on a line.
fn object(line: u64, json: &[u8]) -> Result<Object, Fault> {
    let parsed = match serde_json::from_slice(json) {
        Ok(members) => Ok(Object { line, members, json: json.to_vec() }),
        Err(error) => {
            let json = without_nan(json);
            let parsed = serde_json::from_slice(&json);
            parsed.map(|members| Object { line, members, json }).map_err(|_| error)
        }
    };
    parsed.map_err(|error| {
        let message = error.to_string();
        let message = message.split(" at line ").next().unwrap_or_default();
        let line = line + (error.line() as u64).saturating_sub(1);
        Fault::Row { line, reason: format!("not a JSON object: {message}") }
    })
}

/// Replaces `NaN` and infinities, which Python writes and JSON does not know, by `null`.
fn without_nan(json: &[u8]) -> Vec<u8> {
    let words: [&[u8]; 3] = [b"NaN", b"-Infinity", b"Infinity"];
    let (mut replaced, mut rest) = (Vec::with_capacity(json.len()), json);
    let (mut quoted, mut escaped) = (false, false);
    while let Some((&byte, behind)) = rest.split_first() {
        if let Some(word) = words.iter().find(|word| !quoted && rest.starts_with(word)) {
            replaced.extend_from_slice(b"null");
            rest = &rest[word.len()..];
            continue;
        }
        (quoted, escaped) = match quoted {
            true => (escaped || byte != b'"', !escaped && byte == b'\\'),
            false => (byte == b'"', false),
        };
        replaced.push(byte);
        rest = behind;
    }
    replaced
}

/// The keys that are read.
struct Keys {
    text: String,
    label: String,
    text_pair: Option<String>,
    label_columns: Vec<String>,
    labels: Labels,
    group: Option<String>,
    time: Option<String>,
}

fn row(object: Object, keys: &Keys) -> Result<Row, Fault> {
    let Object { line, members: object, .. } = object;
    let broken = |reason: String| Fault::Row { line, reason };
    let scalar = |key: &String, value: Option<&Value>, expected: &str| match value {
        Some(Value::String(class)) => Ok(class.clone()),
        Some(Value::Number(number)) => Ok(number.to_string()),
        Some(Value::Bool(value)) => Ok(value.to_string()),
        found => {
            let found = found.map_or("missing", describe);
            Err(broken(format!("`{key}` is {found}; {expected}")))
        }
    };
    let (label, labels) = if keys.label_columns.is_empty() {
        let cell = match object.get(&keys.label) {
            Some(Value::Array(items)) => {
                let item = |item| scalar(&keys.label, Some(item), "a list of labels has strings and numbers");
                LabelCell::Several(items.iter().map(item).collect::<Result<_, _>>()?)
            }
            value => LabelCell::One(scalar(
                &keys.label,
                value,
                "a label is a string, a number, a boolean or a list of them",
            )?),
        };
        keys.labels.read(line, cell)?
    } else {
        let value = |place: usize| {
            let key = &keys.label_columns[place];
            scalar(key, object.get(key), "the column of a label has 0 and 1")
        };
        keys.labels.read_columns(line, value)?
    };
    let text_of = |key: &String| text(line, &object, key);
    let text_pair = keys.text_pair.as_ref().map(text_of).transpose()?;
    let group = |key: &String| {
        group_of(line, key, &scalar(key, object.get(key), "a group is a string, a number or a boolean")?)
    };
    let group = keys.group.as_ref().map(group).transpose()?;
    let time = |key: &String| {
        time_of(line, key, &scalar(key, object.get(key), "a time is a number, or a string with a date")?)
    };
    let time = keys.time.as_ref().map(time).transpose()?;
    Ok(Row { text: text_of(&keys.text)?, text_pair, label, labels, line, group, time })
}

/// Returns a member that must be a text.
pub(super) fn text(line: u64, object: &Map<String, Value>, key: &str) -> Result<String, Fault> {
    match object.get(key) {
        Some(Value::String(text)) => Ok(text.clone()),
        found => {
            let found = found.map_or("missing", describe);
            Err(Fault::Row { line, reason: format!("`{key}` is {found}; a text is a string") })
        }
    }
}

fn describe(value: &Value) -> &'static str {
    match value {
        Value::Null => "null or not a number",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
