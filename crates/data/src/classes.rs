//! Class names.

use std::collections::{BTreeSet, HashMap};
use std::fmt;

use crate::label::is_number;

/// The classes of a data set: sorted names, whose positions are the indices that models use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Classes {
    names: Vec<String>,
    indices: HashMap<String, usize>,
    /// The indices by names in lower case; none if two names differ in case only.
    lowercase: HashMap<String, Option<usize>>,
}

impl Classes {
    /// Creates classes from distinct labels, sorted by value if all are numbers, otherwise as text.
    pub fn from_labels<'a>(labels: impl IntoIterator<Item = &'a str>) -> Self {
        let distinct: BTreeSet<&str> = labels.into_iter().collect();
        let mut names: Vec<&str> = distinct.into_iter().collect();
        let number = |name: &&str| name.parse().ok().filter(|_| is_number(name));
        let numbers: Option<HashMap<&str, f64>> = names.iter().map(|name| Some((*name, number(name)?))).collect();
        if let Some(numbers) = numbers {
            names.sort_by(|a, b| numbers[a].total_cmp(&numbers[b]).then_with(|| a.cmp(b)));
        }
        Self::in_order(names)
    }

    /// Creates classes whose indices are those of the given distinct names, for example the labels of a trained model.
    pub fn in_order<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let names: Vec<String> = names.into_iter().map(String::from).collect();
        let indices = names.iter().cloned().zip(0..).collect();
        let mut lowercase = HashMap::with_capacity(names.len());
        for (index, name) in names.iter().enumerate() {
            lowercase.entry(name.to_lowercase()).and_modify(|index| *index = None).or_insert(Some(index));
        }
        Self { names, indices, lowercase }
    }

    /// Returns all names, in the order of their indices.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Returns the number of classes.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Returns whether there are no classes.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Returns the index of the class with this name.
    pub fn index(&self, name: &str) -> Option<usize> {
        self.indices.get(name).copied()
    }

    /// Returns the index of the class with this name, or else of the only class that has it in another case.
    pub fn index_in_any_case(&self, name: &str) -> Option<usize> {
        self.index(name).or_else(|| self.lowercase.get(&name.to_lowercase()).copied().flatten())
    }
}

/// Writes the names separated by commas; of many names, only the first.
impl fmt::Display for Classes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 100;
        f.write_str(&self.names[..self.len().min(SHOWN)].join(", "))?;
        match self.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Classes;

    #[test]
    fn only_the_first_of_many_names_are_displayed() {
        let labels: Vec<String> = (0..102).map(|label| label.to_string()).collect();
        let shown = Classes::from_labels(labels.iter().map(String::as_str)).to_string();
        assert!(shown.starts_with("0, 1, 2, ") && shown.ends_with(", 98, 99 and 2 more"), "{shown}");
        assert_eq!(Classes::from_labels(["b", "a"]).to_string(), "a, b");
    }

    #[test]
    fn numbers_sort_by_value_and_names_as_text() {
        assert_eq!(Classes::from_labels(["10", "0.5", "-1"]).names(), ["-1", "0.5", "10"]);
        assert_eq!(Classes::from_labels(["10", "9", "-1", "9"]).names(), ["-1", "9", "10"]);
        assert_eq!(Classes::from_labels(["pos", "10", "9"]).names(), ["10", "9", "pos"]);
        assert_eq!(Classes::from_labels(["b", "a"]).index("b"), Some(1));
        let cased = Classes::from_labels(["Good", "bad", "BAD", "ÄH"]);
        let index = |name| cased.index_in_any_case(name).map(|index| cased.names()[index].as_str());
        let found = [Some("Good"), Some("bad"), Some("BAD"), None, Some("ÄH"), None];
        assert_eq!(["GOOD", "bad", "BAD", "Bad", "äh", "goo"].map(index), found);
    }
}
