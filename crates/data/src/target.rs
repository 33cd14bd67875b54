//! What is predicted for a text: one class, several labels, or a number.

use std::fmt;
use std::str::FromStr;

use crate::error::DataError;

/// The kind of label that examples have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Task {
    /// `single-label`: each text has one of several classes.
    #[default]
    SingleLabel,
    /// `multi-label`: each text has any number of labels, also none.
    MultiLabel,
    /// `regression`: each text has a number.
    Regression,
    /// `ordinal`: each text has one of several classes that are ordered, such as ratings.
    Ordinal,
}

impl Task {
    /// All tasks.
    pub const ALL: [Self; 4] = [Self::SingleLabel, Self::MultiLabel, Self::Regression, Self::Ordinal];

    /// Returns the name, which [`FromStr`] parses.
    pub fn name(self) -> &'static str {
        match self {
            Self::SingleLabel => "single-label",
            Self::MultiLabel => "multi-label",
            Self::Regression => "regression",
            Self::Ordinal => "ordinal",
        }
    }

    /// Returns whether each text has exactly one class.
    pub fn has_classes(self) -> bool {
        matches!(self, Self::SingleLabel | Self::Ordinal)
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Also parses the names of transformers' `problem_type`.
impl FromStr for Task {
    type Err = DataError;

    fn from_str(name: &str) -> Result<Self, DataError> {
        match name.to_ascii_lowercase().replace('_', "-").as_str() {
            "single-label" | "single-label-classification" | "classification" => Ok(Self::SingleLabel),
            "multi-label" | "multi-label-classification" | "multilabel" => Ok(Self::MultiLabel),
            "regression" => Ok(Self::Regression),
            "ordinal" | "ordinal-regression" => Ok(Self::Ordinal),
            _ => Err(DataError::UnknownTask { name: name.into() }),
        }
    }
}

/// The label of one example.
#[derive(Clone, Debug, PartialEq)]
pub enum Target {
    /// The index of its class.
    Class(usize),
    /// Whether it has each label, in the order of the labels.
    Labels(Box<[bool]>),
    /// Its number.
    Value(f64),
}

impl Target {
    /// Returns the index of the class, if the example has one class.
    pub fn class(&self) -> Option<usize> {
        if let Self::Class(class) = self { Some(*class) } else { None }
    }
}

/// The labels of several examples, in their order.
#[derive(Clone, Debug, PartialEq)]
pub enum Targets {
    /// The index of each class.
    Classes(Vec<usize>),
    /// Whether an example has a label, row-major `[examples, labels]`.
    Labels {
        /// The values.
        values: Vec<bool>,
        /// The number of labels.
        labels: usize,
    },
    /// The numbers.
    Values(Vec<f64>),
}

impl Targets {
    /// Collects the targets of examples, which must be of one kind; others are left out.
    pub fn collect<'a>(targets: impl IntoIterator<Item = &'a Target>) -> Self {
        let mut targets = targets.into_iter().peekable();
        match targets.peek() {
            Some(Target::Labels(first)) => {
                let labels = first.len();
                let rows = targets.filter_map(|target| if let Target::Labels(row) = target { Some(row) } else { None });
                Self::Labels { values: rows.flat_map(|row| row.iter().copied()).collect(), labels }
            }
            Some(Target::Value(_)) => {
                let value = |target: &Target| if let Target::Value(value) = target { Some(*value) } else { None };
                Self::Values(targets.filter_map(value).collect())
            }
            _ => Self::Classes(targets.filter_map(Target::class).collect()),
        }
    }

    /// Returns the number of examples.
    pub fn len(&self) -> usize {
        match self {
            Self::Classes(classes) => classes.len(),
            Self::Labels { values, labels } => values.len() / (*labels).max(1),
            Self::Values(values) => values.len(),
        }
    }

    /// Returns whether there are no examples.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the target of a row.
    ///
    /// # Panics
    /// Panics if there is no such row.
    pub fn get(&self, row: usize) -> Target {
        match self {
            Self::Classes(classes) => Target::Class(classes[row]),
            Self::Labels { .. } => Target::Labels(self.labels(row).into()),
            Self::Values(values) => Target::Value(values[row]),
        }
    }

    /// Returns the targets of the given rows, in this order. Rows that do not exist are left out.
    pub fn select(&self, rows: &[usize]) -> Self {
        let rows = rows.iter().copied().filter(|&row| row < self.len());
        match self {
            Self::Classes(classes) => Self::Classes(rows.map(|row| classes[row]).collect()),
            Self::Labels { values, labels } => Self::Labels {
                values: rows.flat_map(|row| values[row * labels..(row + 1) * labels].iter().copied()).collect(),
                labels: *labels,
            },
            Self::Values(values) => Self::Values(rows.map(|row| values[row]).collect()),
        }
    }

    /// Returns the classes; none if the examples have other targets.
    pub fn classes(&self) -> &[usize] {
        if let Self::Classes(classes) = self { classes } else { &[] }
    }

    /// Returns the labels of a row; none if the examples have other targets.
    pub fn labels(&self, row: usize) -> &[bool] {
        match self {
            Self::Labels { values, labels } => &values[row * labels..(row + 1) * labels],
            _ => &[],
        }
    }
}
