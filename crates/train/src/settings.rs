//! What must be equal when a training resumes.

use rekindle_files::{Difference, Differences};
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

/// Returns the settings that differ from those that a checkpoint was written with. The fingerprint of the data is not shown.
pub(crate) fn different(theirs: &Map<String, Value>, ours: &Map<String, Value>) -> Differences {
    let shown = |one: Difference| if one.name == DATA { Difference { values: None, ..one } } else { one };
    Differences(Differences::between(theirs, ours).0.into_iter().map(shown).collect())
}

/// Returns the number of sequences, and the 64-bit FNV-1a hash of their ids.
pub(crate) fn fingerprint<'a>(rows: impl ExactSizeIterator<Item = &'a [u32]>) -> String {
    let (count, step) = (rows.len(), |hash: u64, id: &u32| (hash ^ u64::from(*id)).wrapping_mul(0x100_0000_01b3));
    let hash = rows.fold(0xcbf2_9ce4_8422_2325, |hash, row| row.iter().fold(hash, step));
    format!("{count} {hash:016x}")
}
