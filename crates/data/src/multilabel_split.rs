//! Iterative stratification: splits and folds of rows with several labels.
//!
//! The algorithm is that of Sechidis, Tsoumakas and Vlahavas (2011, ECML PKDD, "On the Stratification of Multi-Label Data").
//! It reproduces `ml_stratifiers.py` of the Python package iterative-stratification 0.1.9 draw by draw.

use crate::error::DataError;
use crate::group_folds::members;
use crate::mt19937::Mt19937;
use crate::split::{Split, TestSize};

/// Splits rows with several labels so that each label has the same share in both sets. `targets` is row-major with `labels`
/// values per row, and `groups` has the group of each row, numbered from 0 by its first row, as
/// [`text_groups`](crate::text_groups) numbers them.
///
/// If every row is a group of its own, the result is that of iterative-stratification's
/// `MultilabelStratifiedShuffleSplit(n_splits=1, test_size, random_state)`, row by row. Otherwise, the same algorithm
/// distributes the groups: a group counts as many rows as it has, for each label those with this label, and stays on one side.
/// Rows are ascending in both sets. As in the reference, labels take precedence over the size: the test set may have a few rows
/// more or fewer than requested.
///
/// # Errors
/// Returns an error if a set would be empty, or the lengths do not match.
pub fn multilabel_train_test_split(
    targets: &[bool],
    labels: usize,
    groups: &[usize],
    test_size: TestSize,
    random_state: u32,
) -> Result<Split, DataError> {
    let items = Items::new(targets, labels, groups)?;
    let rows = groups.len();
    let refused = || DataError::TestSize { test_size: test_size.to_string(), rows };
    let test = test_size.rows(rows).ok_or_else(refused)?;
    let shares = [rows - test, test].map(|side| side as f64 / rows as f64);
    let set_of = items.distribute(&shares, &mut Mt19937::new(random_state));
    let (test, train): (Vec<usize>, Vec<usize>) = (0..rows).partition(|&row| set_of[groups[row]] == 1);
    if train.is_empty() || test.is_empty() {
        return Err(refused());
    }
    Ok(Split { train, test })
}

/// Returns folds of rows with several labels so that each label has the same share in every fold; `targets`, `labels` and
/// `groups` are those of [`multilabel_train_test_split`].
///
/// If every row is a group of its own, the result is that of iterative-stratification's
/// `RepeatedMultilabelStratifiedKFold(n_splits, n_repeats, random_state)`, row by row. Otherwise, groups are distributed as in
/// [`multilabel_train_test_split`]. Each fold of the first repeat is the test set in turn, then each of the next repeat. Rows
/// are ascending in both sets. A label with fewer rows than there are folds is not an error: it is in the test set of some folds
/// only.
///
/// # Errors
/// Returns an error with fewer than two folds, no repeat or no row, if a fold would be empty, or if the lengths do not match.
pub fn repeated_multilabel_stratified_k_fold(
    targets: &[bool],
    labels: usize,
    groups: &[usize],
    folds: usize,
    repeats: usize,
    random_state: u32,
) -> Result<Vec<Split>, DataError> {
    let rows = groups.len();
    if folds < 2 || repeats == 0 || rows == 0 {
        return Err(DataError::Folds { folds, repeats, rows });
    }
    let items = Items::new(targets, labels, groups)?;
    if items.rows.len() < folds {
        return Err(DataError::EmptyFold { folds, rows });
    }
    let shares = vec![1.0 / folds as f64; folds];
    let mut generator = Mt19937::new(random_state);
    let mut splits = Vec::new();
    for _ in 0..repeats {
        let fold_of = items.distribute(&shares, &mut generator);
        for fold in 0..folds {
            let (test, train): (Vec<usize>, Vec<usize>) = (0..rows).partition(|&row| fold_of[groups[row]] == fold);
            if test.is_empty() {
                return Err(DataError::EmptyFold { folds, rows });
            }
            splits.push(Split { train, test });
        }
    }
    Ok(splits)
}

/// The groups that are distributed.
struct Items {
    labels: usize,
    /// The number of rows of each group.
    rows: Vec<usize>,
    /// The labels of each group, ascending, with the number of their rows.
    counts: Vec<Vec<(usize, usize)>>,
}

impl Items {
    fn new(targets: &[bool], labels: usize, groups: &[usize]) -> Result<Self, DataError> {
        let rows = groups.len();
        if labels == 0 || Some(targets.len()) != rows.checked_mul(labels) {
            return Err(DataError::LabelRows { values: targets.len(), rows, labels });
        }
        let members = members(groups);
        let counts = |rows: &Vec<usize>| {
            let with = |label: usize| rows.iter().filter(|&&row| targets[row * labels + label]).count();
            (0..labels).map(|label| (label, with(label))).filter(|&(_, count)| count > 0).collect()
        };
        Ok(Self { labels, rows: members.iter().map(Vec::len).collect(), counts: members.iter().map(counts).collect() })
    }

    /// Returns the set of each group. `shares` has the desired share of rows of each set.
    fn distribute(&self, shares: &[f64], generator: &mut Mt19937) -> Vec<usize> {
        let order = generator.permutation(self.rows.len());
        let mut left = Left::new(self, &order);
        let total: usize = self.rows.iter().sum();
        let mut sets = Sets {
            rows: shares.iter().map(|share| share * total as f64).collect(),
            labels: shares.iter().map(|share| left.rows.iter().map(|&rows| share * rows as f64).collect()).collect(),
        };
        let mut set_of = vec![None; self.rows.len()];
        while let Some(label) = left.rarest(generator) {
            for &item in &left.items[label] {
                if set_of[item].is_none() {
                    let set = sets.for_label(label, generator);
                    sets.assign(set, self, item);
                    set_of[item] = Some(set);
                    self.counts[item].iter().for_each(|&(label, count)| left.rows[label] -= count);
                }
            }
        }
        for &item in &order {
            if set_of[item].is_none() {
                let set = sets.largest(generator);
                sets.assign(set, self, item);
                set_of[item] = Some(set);
            }
        }
        set_of.into_iter().flatten().collect()
    }
}

/// What is not yet distributed.
struct Left {
    /// The groups with each label, in random order.
    items: Vec<Vec<usize>>,
    /// The number of rows with each label that are left.
    rows: Vec<usize>,
}

impl Left {
    fn new(items: &Items, order: &[usize]) -> Self {
        let mut left = Self { items: vec![Vec::new(); items.labels], rows: vec![0; items.labels] };
        for &item in order {
            for &(label, count) in &items.counts[item] {
                left.items[label].push(item);
                left.rows[label] += count;
            }
        }
        left
    }

    /// Returns the label with the fewest rows, at least one; of equal ones a random one.
    fn rarest(&self, generator: &mut Mt19937) -> Option<usize> {
        let fewest = *self.rows.iter().filter(|&&rows| rows > 0).min()?;
        let equal: Vec<usize> = (0..self.rows.len()).filter(|&label| self.rows[label] == fewest).collect();
        Some(generator.choice(&equal))
    }
}

/// How many rows each set still needs, in total and of each label.
struct Sets {
    rows: Vec<f64>,
    labels: Vec<Vec<f64>>,
}

impl Sets {
    /// Returns the set that needs most rows of a label; of equal ones the one that needs most rows, and of equal ones a
    /// random one.
    fn for_label(&self, label: usize, generator: &mut Mt19937) -> usize {
        let all: Vec<usize> = (0..self.rows.len()).collect();
        let equal = most(&all, |set| self.labels[set][label]);
        generator.choice(&most(&equal, |set| self.rows[set]))
    }

    /// Returns the set that needs most rows; of equal ones a random one.
    fn largest(&self, generator: &mut Mt19937) -> usize {
        let all: Vec<usize> = (0..self.rows.len()).collect();
        generator.choice(&most(&all, |set| self.rows[set]))
    }

    fn assign(&mut self, set: usize, items: &Items, item: usize) {
        self.rows[set] -= items.rows[item] as f64;
        items.counts[item].iter().for_each(|&(label, count)| self.labels[set][label] -= count as f64);
    }
}

/// Returns the sets with the largest value.
fn most(sets: &[usize], value: impl Fn(usize) -> f64) -> Vec<usize> {
    let largest = sets.iter().map(|&set| value(set)).fold(f64::NEG_INFINITY, f64::max);
    sets.iter().copied().filter(|&set| value(set) == largest).collect()
}
