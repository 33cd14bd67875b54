//! What is predicted for a row.

use std::fmt;

/// What is predicted for a row, which decides what metrics are defined.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TargetKind {
    /// One of several classes.
    #[default]
    Class,
    /// One of several classes that are ordered, such as ratings.
    OrderedClass,
    /// Any number of labels.
    Labels,
    /// A number.
    Value,
}

impl TargetKind {
    /// Returns the name of the task.
    pub fn task(self) -> &'static str {
        match self {
            Self::Class => "single-label classification",
            Self::OrderedClass => "ordinal classification",
            Self::Labels => "multi-label classification",
            Self::Value => "regression",
        }
    }
}

/// Writes the name of the task.
impl fmt::Display for TargetKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.task())
    }
}
