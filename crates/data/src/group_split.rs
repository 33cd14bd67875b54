//! A stratified split that keeps groups on one side.

use std::collections::BTreeMap;

use crate::error::DataError;
use crate::group_folds::members;
use crate::mt19937::Mt19937;
use crate::split::{Split, TestSize, quotas, train_test_split};

/// Splits rows as [`train_test_split`], and keeps the rows of a group on one side. The groups are numbered from 0.
///
/// If every row is a group of its own, the result is that of [`train_test_split`]. Otherwise, groups are drawn in random
/// order, and one joins the test set if its rows of every class still belong there. If the test set is then smaller than
/// requested, because the remaining groups are larger than what is missing, each of them joins it that brings the numbers of rows
/// of the classes closer to the requested ones.
///
/// # Errors
/// Returns an error as [`train_test_split`] does, and also if all rows are one group, or every group has more rows than the test
/// set needs.
pub fn group_train_test_split(
    labels: &[usize],
    groups: &[usize],
    test_size: TestSize,
    random_state: u32,
    stratify: bool,
) -> Result<Split, DataError> {
    let ungrouped = train_test_split(labels, test_size, random_state, stratify)?;
    let members = members(groups);
    if members.len() >= labels.len() {
        return Ok(ungrouped);
    }
    if members.len() == 1 {
        return Err(DataError::OneGroup { rows: labels.len() });
    }
    let mut generator = Mt19937::new(random_state);
    let classes: Vec<usize> = labels.iter().map(|&label| if stratify { label } else { 0 }).collect();
    let quotas = quotas(&classes, ungrouped.test.len(), &mut generator);
    let mut left: Left = quotas.into_iter().map(|(class, rows)| (class, rows as isize)).collect();
    let (mut train, mut test) = (Vec::new(), Vec::new());
    let mut refused = Vec::new();
    for group in generator.permutation(members.len()) {
        let after = without(&left, members[group].iter().map(|&row| classes[row]));
        if after.values().all(|&rows| rows >= 0) {
            left = after;
            test.extend(&members[group]);
        } else {
            refused.push(group);
        }
    }
    for (place, &group) in refused.iter().enumerate() {
        let after = without(&left, members[group].iter().map(|&row| classes[row]));
        let is_last = train.is_empty() && place + 1 == refused.len();
        if distance(&after) < distance(&left) && !is_last {
            left = after;
            test.extend(&members[group]);
        } else {
            train.extend(&members[group]);
        }
    }
    if test.is_empty() {
        let smallest = members.iter().map(Vec::len).min().unwrap_or_default();
        return Err(DataError::LargeGroups { test_size: test_size.to_string(), rows: labels.len(), smallest });
    }
    generator.shuffle(&mut train);
    generator.shuffle(&mut test);
    Ok(Split { train, test })
}

/// The number of rows of each class that the test set still needs; negative if it has too many.
type Left = BTreeMap<usize, isize>;

/// Returns what is left to draw after rows of some classes are drawn.
fn without(left: &Left, classes: impl Iterator<Item = usize>) -> Left {
    let mut after = left.clone();
    classes.for_each(|class| *after.entry(class).or_default() -= 1);
    after
}

/// Returns by how many rows the classes differ from the requested numbers.
fn distance(left: &Left) -> usize {
    left.values().map(|rows| rows.unsigned_abs()).sum()
}
