//! Damaged JSON that parses: values of other types and sizes, and fields that are missing, duplicate or swapped.

use serde_json::{Map, Value};

use super::Mutator;

/// Replacement values.
const ODD: [&str; 22] = [
    "null",
    "true",
    "0",
    "1",
    "-1",
    "0.5",
    "255",
    "65536",
    "1000000000",
    "1000000000000",
    "1152921504606846976",
    "18446744073709551615",
    "1e300",
    "-1e300",
    "\"\"",
    "\"1\"",
    "\"../x\"",
    "\"\\u0000\"",
    "\"F32\"",
    "[]",
    "[[1, 0], [0]]",
    "{}",
];

impl Mutator {
    /// Returns a JSON value with one to three changes, as text.
    pub fn damage_json(&mut self, whole: &Value) -> Vec<u8> {
        let mut value = whole.clone();
        for _ in 0..1 + self.below(3) {
            self.change_json(&mut value);
        }
        serde_json::to_vec(&value).expect("JSON")
    }

    /// Changes a value, or a value within it.
    fn change_json(&mut self, value: &mut Value) {
        let inside = self.below(6) > 0;
        match value {
            Value::Object(fields) if inside && !fields.is_empty() => {
                let index = self.below(fields.len());
                self.change_json(fields.values_mut().nth(index).expect("a field"));
            }
            Value::Array(items) if inside && !items.is_empty() => {
                let index = self.below(items.len());
                self.change_json(&mut items[index]);
            }
            Value::Object(fields) if self.below(3) > 0 => self.change_fields(fields),
            Value::Array(items) if self.below(3) > 0 => {
                let (from, to) = (self.below(items.len()), self.below(items.len()));
                match self.below(3) {
                    0 => items.truncate(from),
                    1 => items.extend(items.clone().into_iter().skip(from)),
                    _ if !items.is_empty() => items.swap(from, to),
                    _ => {}
                }
            }
            Value::String(text) if self.below(2) > 0 => {
                *text = String::from_utf8_lossy(&self.damage(text.as_bytes())).into_owned();
            }
            value => {
                let odd: &&str = self.pick(&ODD);
                *value = serde_json::from_str(odd).expect("JSON");
            }
        }
    }

    /// Removes a field, or gives one the name or value of another.
    fn change_fields(&mut self, fields: &mut Map<String, Value>) {
        let names: Vec<String> = fields.keys().cloned().collect();
        let (Some(from), Some(to)) = (names.get(self.below(names.len())), names.get(self.below(names.len()))) else {
            return;
        };
        let value = match self.below(3) {
            0 => fields.get(from).cloned(),
            _ => fields.shift_remove(from),
        };
        let name = match self.below(3) {
            0 => return,
            1 => to.clone(),
            _ => format!("{from}x"),
        };
        fields.insert(name, value.unwrap_or_default());
    }
}
