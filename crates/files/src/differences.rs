//! How settings differ, in words.

use serde_json::{Map, Value};

/// The longest value that is shown.
const SHOWN: usize = 60;

/// Describes each of the `given` settings that is not the `stored` one, by its name, with both values where they are short.
///
/// ```
/// # use serde_json::{Map, json};
/// let settings = |epochs: u32| Map::from_iter([("--epochs".to_owned(), json!(epochs))]);
/// assert_eq!(rekindle_files::differences(&settings(3), &settings(4)), ["--epochs was 3, is 4"]);
/// ```
pub fn differences(stored: &Map<String, Value>, given: &Map<String, Value>) -> Vec<String> {
    let different = given.iter().filter(|(name, value)| stored.get(*name) != Some(value));
    let describe =
        |(name, value): (&String, &Value)| match (shown(stored.get(name).unwrap_or(&Value::Null)), shown(value)) {
            (Some(before), Some(now)) => format!("{name} was {before}, is {now}"),
            _ => format!("{name} differs"),
        };
    different.map(describe).collect()
}

/// A value as it is written on a command line; `None` for hashes, and for what has no short form.
fn shown(value: &Value) -> Option<String> {
    let text = match value {
        Value::Null => "absent".into(),
        Value::String(text) if text.len() >= 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) => return None,
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(shown).collect::<Option<Vec<_>>>()?.join(","),
        Value::Object(_) => return None,
        Value::Bool(_) | Value::Number(_) => value.to_string(),
    };
    (!text.is_empty() && text.len() <= SHOWN).then_some(text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn map(value: Value) -> Map<String, Value> {
        value.as_object().cloned().expect("an object")
    }

    #[test]
    fn every_difference_is_named_and_short_values_are_shown() {
        let stored =
            json!({"a": 1, "b": [1, 2], "c": {"x": 1}, "d": "0".repeat(64), "e": null, "f": true, "unused": 1});
        let given = json!({"a": 1.5, "b": [1], "c": {"x": 2}, "d": "1".repeat(64), "e": "loss", "f": true, "g": 1});
        let expected = [
            "a was 1, is 1.5",
            "b was 1,2, is 1",
            "c differs",
            "d differs",
            "e was absent, is loss",
            "g was absent, is 1",
        ];
        assert_eq!(differences(&map(stored.clone()), &map(given)), expected);
        assert!(differences(&map(stored.clone()), &map(stored)).is_empty());
    }
}
