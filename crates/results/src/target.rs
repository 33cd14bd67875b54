//! The label of an example, or what is predicted for it.

use serde::{Deserialize, Serialize};

/// A class, several labels or a number: in `results.json` a whole number, a list or a number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum TargetRecord {
    /// The index of a class.
    Class(usize),
    /// The indices of all labels, ascending.
    Labels(Vec<usize>),
    /// A number.
    Value(f64),
}

impl Default for TargetRecord {
    fn default() -> Self {
        Self::Class(0)
    }
}

impl TargetRecord {
    /// Returns the target as text, with the names of `classes`; several labels are separated by commas.
    pub fn text(&self, classes: &[String]) -> String {
        let name = |index: &usize| classes.get(*index).map_or("?", String::as_str);
        match self {
            Self::Class(class) => name(class).into(),
            Self::Labels(labels) => labels.iter().map(name).collect::<Vec<_>>().join(","),
            Self::Value(value) => value.to_string(),
        }
    }

    /// Returns the index of the class, if it is one.
    pub fn class(&self) -> Option<usize> {
        if let Self::Class(class) = self { Some(*class) } else { None }
    }
}
