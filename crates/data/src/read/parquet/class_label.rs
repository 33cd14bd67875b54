//! The class names that the library `datasets` stores in a Parquet file.

use parquet::file::metadata::KeyValue;
use serde_json::Value;

/// The key of the metadata of `datasets`.
const KEY: &str = "huggingface";

/// Returns the names of a column's classes, if the column is a `ClassLabel`.
pub(super) fn names(metadata: Option<&Vec<KeyValue>>, column: &str) -> Option<Vec<String>> {
    let entry = metadata?.iter().find(|entry| entry.key == KEY)?;
    let metadata: Value = serde_json::from_str(entry.value.as_deref()?).ok()?;
    let feature = metadata.get("info")?.get("features")?.get(column)?;
    // Of a list of classes, the feature of its items.
    let feature = feature.get("feature").or_else(|| feature.get(0)).unwrap_or(feature);
    let names = feature.get("names").filter(|_| feature.get("_type").is_some_and(|kind| kind == "ClassLabel"))?;
    names.as_array()?.iter().map(|name| name.as_str().map(String::from)).collect()
}

/// Returns the name of a class by its number; a name is itself.
pub(super) fn name<'a>(names: &'a [String], class: &'a str) -> Result<&'a str, String> {
    match class.parse::<i64>() {
        Ok(-1) => Err("is -1: `datasets` marks an example without a label so".into()),
        Ok(number) => usize::try_from(number)
            .ok()
            .and_then(|index| names.get(index))
            .map(String::as_str)
            .ok_or_else(|| format!("is {number}, but the file has names for {} classes", names.len())),
        Err(_) => Ok(class),
    }
}
