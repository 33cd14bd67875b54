//! How settings differ.

use std::fmt;

use serde_json::{Map, Value};

/// The longest value that is shown.
const SHOWN: usize = 60;

/// A setting that differs from the stored one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The name of the setting.
    pub name: String,
    /// The stored and the given value; `None` if one is a hash, an object, or long.
    pub values: Option<[String; 2]>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.values {
            Some([stored, given]) => write!(f, "{} was {stored}, is {given}", self.name),
            None => write!(f, "{} differs", self.name),
        }
    }
}

/// The settings that differ, for a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Differences(pub Vec<Difference>);

impl Differences {
    /// Returns each setting that differs, also those that only one of the two has.
    ///
    /// ```
    /// # use rekindle_files::Differences;
    /// # use serde_json::{Map, json};
    /// let settings = |epochs: u32| Map::from_iter([("epochs".to_owned(), json!(epochs))]);
    /// let different = Differences::between(&settings(3), &settings(4));
    /// assert_eq!(different.to_string(), "epochs was 3, is 4");
    /// ```
    pub fn between(stored: &Map<String, Value>, given: &Map<String, Value>) -> Self {
        let removed = stored.keys().filter(|name| !given.contains_key(*name));
        let names = given.keys().chain(removed).filter(|name| stored.get(*name) != given.get(*name));
        let describe = |name: &String| {
            let [before, now] = [stored, given].map(|settings| shown(settings.get(name).unwrap_or(&Value::Null)));
            Difference { name: name.clone(), values: before.zip(now).map(|(before, now)| [before, now]) }
        };
        Self(names.map(describe).collect())
    }

    /// Returns whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Differences {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let differences: Vec<String> = self.0.iter().map(Difference::to_string).collect();
        f.write_str(&differences.join("; "))
    }
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
        let stored = json!({"a": 1, "b": [1, 2], "c": {"x": 1}, "d": "0".repeat(64), "e": null, "f": true, "h": "old"});
        let given = json!({"a": 1.5, "b": [1], "c": {"x": 2}, "d": "1".repeat(64), "e": "loss", "f": true, "g": 1});
        let expected = [
            "a was 1, is 1.5",
            "b was 1,2, is 1",
            "c differs",
            "d differs",
            "e was absent, is loss",
            "g was absent, is 1",
            "h was old, is absent",
        ];
        let different = Differences::between(&map(stored.clone()), &map(given));
        assert_eq!(different.to_string(), expected.join("; "));
        assert!(Differences::between(&map(stored.clone()), &map(stored)).is_empty());
    }
}
