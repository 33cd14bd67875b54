//! What must be equal when a training resumes.

use serde::Serialize;
use serde_json::{Map, Value};

/// The key of the fingerprint of the data.
pub(crate) const DATA: &str = "data";

/// Returns the fields of `settings`, by name.
pub(crate) fn fields(settings: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(settings) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    }
}

/// Describes the first setting that differs from those that a checkpoint was written with.
pub(crate) fn difference(theirs: &Map<String, Value>, ours: &Map<String, Value>) -> Option<String> {
    let (name, ours) = ours.iter().find(|(name, value)| theirs.get(*name) != Some(value))?;
    let theirs = theirs.get(name).unwrap_or(&Value::Null);
    Some(match name.as_str() {
        DATA => "was written with other data (examples, labels, vocabulary or maximum length)".into(),
        name => format!("was written with {name} {theirs}, not {ours}"),
    })
}

/// Returns the number of sequences, and the 64-bit FNV-1a hash of their ids.
pub(crate) fn fingerprint<'a>(rows: impl ExactSizeIterator<Item = &'a [u32]>) -> String {
    let (count, step) = (rows.len(), |hash: u64, id: &u32| (hash ^ u64::from(*id)).wrapping_mul(0x100_0000_01b3));
    let hash = rows.fold(0xcbf2_9ce4_8422_2325, |hash, row| row.iter().fold(hash, step));
    format!("{count} {hash:016x}")
}
