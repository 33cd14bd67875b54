//! A stratified split that keeps groups on one side.

use crate::error::DataError;
use crate::group_folds::members;
use crate::mt19937::Mt19937;
use crate::split::{Split, TestSize, quotas, train_test_split};

/// Splits rows as [`train_test_split`], and keeps the rows of a group on one side. The groups are numbered from 0 by their
/// first row, as [`text_groups`](crate::text_groups) numbers them.
///
/// If every row is a group of its own, the result is that of [`train_test_split`]. Otherwise, groups are drawn in random
/// order, and one joins the test set if its rows of every class still belong there. A test set is thus never larger than
/// requested, and smaller only if the remaining groups are too large.
///
/// # Errors
/// The errors of [`train_test_split`], and an error if all groups are too large for the test set.
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
    let mut generator = Mt19937::new(random_state);
    let class = |row: usize| if stratify { labels[row] } else { 0 };
    let classes: Vec<usize> = (0..labels.len()).map(class).collect();
    let mut left = quotas(&classes, ungrouped.test.len(), &mut generator);
    let (mut train, mut test) = (Vec::new(), Vec::new());
    for group in generator.permutation(members.len()) {
        let rows = &members[group];
        let mut after = left.clone();
        let fits = rows.iter().all(|&row| match after.get_mut(&class(row)) {
            Some(rows) if *rows > 0 => {
                *rows -= 1;
                true
            }
            _ => false,
        });
        if fits {
            left = after;
            test.extend(rows);
        } else {
            train.extend(rows);
        }
    }
    if test.is_empty() {
        return Err(DataError::LargeGroups { test_size: test_size.to_string(), rows: labels.len() });
    }
    generator.shuffle(&mut train);
    generator.shuffle(&mut test);
    Ok(Split { train, test })
}
