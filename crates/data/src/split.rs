//! scikit-learn's `train_test_split`.
//!
//! Reproduces `ShuffleSplit` and `StratifiedShuffleSplit` of `sklearn/model_selection/_split.py` draw by draw, with one
//! split.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use crate::error::DataError;
use crate::mt19937::Mt19937;

/// The size of the test set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum TestSize {
    /// A fraction of all rows, between 0 and 1; rounded up to whole rows.
    Fraction(f64),
    /// A number of rows.
    Count(usize),
}

impl TestSize {
    /// Returns the number of test rows among `rows`, if both sets have at least one row.
    pub(crate) fn rows(self, rows: usize) -> Option<usize> {
        let test = match self {
            Self::Fraction(share) if share > 0.0 && share < 1.0 => (share * rows as f64).ceil() as usize,
            Self::Fraction(_) => return None,
            Self::Count(count) => count,
        };
        (1..rows).contains(&test).then_some(test)
    }
}

impl fmt::Display for TestSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fraction(share) => write!(f, "{share:?}"),
            Self::Count(count) => write!(f, "{count}"),
        }
    }
}

impl FromStr for TestSize {
    type Err = DataError;

    /// Parses a count (`100`) or a fraction (`0.25`, `1e-2`).
    fn from_str(text: &str) -> Result<Self, DataError> {
        let refused = || DataError::NotATestSize { text: text.into() };
        match text.parse::<usize>() {
            Ok(0) => Err(refused()),
            Ok(count) => Ok(Self::Count(count)),
            Err(_) => match text.parse::<f64>() {
                Ok(share) if share > 0.0 && share < 1.0 => Ok(Self::Fraction(share)),
                _ => Err(refused()),
            },
        }
    }
}

/// Row indices of the training and the test set, in the order drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// Training rows.
    pub train: Vec<usize>,
    /// Test rows.
    pub test: Vec<usize>,
}

/// Splits rows as scikit-learn's `train_test_split(…, test_size, random_state,
/// stratify=labels)`, row by row. If `stratify` is false, only the number of labels matters.
///
/// # Errors
/// Returns an error where scikit-learn raises one: if a set would be empty; and with `stratify`, if a class has only
/// one row, or a set has fewer rows than there are classes.
pub fn train_test_split(
    labels: &[usize],
    test_size: TestSize,
    random_state: u32,
    stratify: bool,
) -> Result<Split, DataError> {
    let rows = labels.len();
    let Some(test) = test_size.rows(rows) else {
        return Err(DataError::TestSize { test_size: test_size.to_string(), rows });
    };
    let mut generator = Mt19937::new(random_state);
    if stratify {
        return stratified(labels, test, &mut generator);
    }
    let mut drawn = generator.permutation(rows);
    let train = drawn.split_off(test);
    Ok(Split { train, test: drawn })
}

fn stratified(labels: &[usize], test_rows: usize, generator: &mut Mt19937) -> Result<Split, DataError> {
    let mut members: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (row, &label) in labels.iter().enumerate() {
        members.entry(label).or_default().push(row);
    }
    if let Some((class, rows)) = members.iter().find(|(_, rows)| rows.len() < 2) {
        return Err(DataError::SmallClass { class: class.to_string(), members: rows.len() });
    }
    let train_rows = labels.len() - test_rows;
    for (side, rows) in [("training", train_rows), ("test", test_rows)] {
        if rows < members.len() {
            return Err(DataError::SideTooSmall { side, rows, classes: members.len() });
        }
    }
    let counts: Vec<usize> = members.values().map(Vec::len).collect();
    let (train_counts, test_counts) = both_sides(&counts, test_rows, generator);

    let (mut train, mut test) = (Vec::with_capacity(train_rows), Vec::with_capacity(test_rows));
    for (rows, (&for_train, &for_test)) in members.values().zip(train_counts.iter().zip(&test_counts)) {
        let drawn: Vec<usize> = generator.permutation(rows.len()).into_iter().map(|index| rows[index]).collect();
        train.extend(&drawn[..for_train]);
        test.extend(&drawn[for_train..for_train + for_test]);
    }
    generator.shuffle(&mut train);
    generator.shuffle(&mut test);
    Ok(Split { train, test })
}

/// Returns the number of rows of each class in the training and in the test set.
fn both_sides(counts: &[usize], test_rows: usize, generator: &mut Mt19937) -> (Vec<usize>, Vec<usize>) {
    let train = allot(counts, counts.iter().sum::<usize>() - test_rows, generator);
    let left: Vec<usize> = counts.iter().zip(&train).map(|(count, train)| count - train).collect();
    let test = allot(&left, test_rows, generator);
    (train, test)
}

/// Returns the number of test rows of each class of a stratified split.
pub(crate) fn quotas(labels: &[usize], test_rows: usize, generator: &mut Mt19937) -> BTreeMap<usize, usize> {
    let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
    labels.iter().for_each(|label| *counts.entry(*label).or_default() += 1);
    let rows: Vec<usize> = counts.values().copied().collect();
    let (_, test) = both_sides(&rows, test_rows, generator);
    counts.into_keys().zip(test).collect()
}

/// Distributes `draws` over classes in proportion to their rows (scikit-learn's `_approximate_mode`): the remainder
/// after rounding down goes to the classes with the largest fractional parts, and in case of ties to random ones.
fn allot(counts: &[usize], draws: usize, generator: &mut Mt19937) -> Vec<usize> {
    let total = counts.iter().sum::<usize>() as f64;
    let exact: Vec<f64> = counts.iter().map(|&count| count as f64 / total * draws as f64).collect();
    let mut allotted: Vec<usize> = exact.iter().map(|share| share.floor() as usize).collect();
    let remainders: Vec<f64> = exact.iter().map(|share| share - share.floor()).collect();
    let mut values = remainders.clone();
    values.sort_by(|a, b| b.total_cmp(a));
    values.dedup();
    let mut left = draws.saturating_sub(allotted.iter().sum());
    for value in values {
        if left == 0 {
            break;
        }
        let equals: Vec<usize> = (0..counts.len()).filter(|&class| remainders[class] == value).collect();
        let lucky = equals.len().min(left);
        for index in generator.permutation(equals.len()).into_iter().take(lucky) {
            allotted[equals[index]] += 1;
        }
        left -= lucky;
    }
    allotted
}

#[cfg(test)]
mod tests {
    use super::TestSize;

    #[test]
    fn test_sizes_are_fractions_or_counts() {
        let size = |text: &str| text.parse::<TestSize>().ok();
        assert_eq!(size("0.25"), Some(TestSize::Fraction(0.25)));
        assert_eq!(size("3"), Some(TestSize::Count(3)));
        for wrong in ["0", "1.0", "-3", "NaN", "inf", "0.0", "half", ""] {
            assert_eq!(size(wrong), None, "{wrong}");
        }
    }
}
