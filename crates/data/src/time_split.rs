//! Splits by time: the past is for training, the future for tests.

use crate::error::DataError;
use crate::split::{Split, TestSize};
use crate::time::Time;

/// Splits rows by time: the newest rows are the test set, the others the training set. Rows are in the order of their times in both
/// sets, and rows of equal time in their own order, as by `train_test_split(rows, shuffle=False)` of scikit-learn after a stable sort.
///
/// Rows of equal time are on one side: if the oldest test row and the newest training row have the same time, all rows of this time
/// are tested on.
///
/// # Errors
/// Returns an error if a set would be empty.
pub fn time_train_test_split(times: &[Time], test_size: TestSize) -> Result<Split, DataError> {
    let rows = times.len();
    let test = test_size.rows(rows);
    let test = test.ok_or_else(|| DataError::TestSize { test_size: test_size.to_string(), rows })?;
    let order = by_time(times);
    let start = first_of(times, &order, rows - test)?;
    Ok(Split { train: order[..start].to_vec(), test: order[start..].to_vec() })
}

/// Returns the splits of scikit-learn's `TimeSeriesSplit(n_splits)` for rows in the order of their times: the test sets are
/// consecutive, equally many rows each, and all older rows are the training set of each.
///
/// Rows of equal time are on one side: a test set begins with the first row of its oldest time, and the test set before ends there.
///
/// # Errors
/// Returns an error with fewer than two folds, or if a set would be empty.
pub fn time_series_split(times: &[Time], folds: usize) -> Result<Vec<Split>, DataError> {
    let rows = times.len();
    if folds < 2 {
        return Err(DataError::Folds { folds, repeats: 1, rows });
    }
    let test = rows / (folds + 1);
    if test == 0 {
        return Err(DataError::EmptyFold { folds, rows });
    }
    let order = by_time(times);
    let starts = (0..folds).map(|fold| first_of(times, &order, rows - (folds - fold) * test));
    let starts = starts.collect::<Result<Vec<_>, _>>()?;
    let mut splits = Vec::with_capacity(folds);
    for (fold, &start) in starts.iter().enumerate() {
        let end = starts.get(fold + 1).copied().unwrap_or(rows);
        if start == end {
            let time = times[order[start]].to_string();
            return Err(DataError::FoldOfOneTime { fold: fold + 1, folds, time });
        }
        splits.push(Split { train: order[..start].to_vec(), test: order[start..end].to_vec() });
    }
    Ok(splits)
}

/// Returns the rows in the order of their times.
fn by_time(times: &[Time]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..times.len()).collect();
    order.sort_by_key(|&row| times[row]);
    order
}

/// Returns the place of the first row that has the time of the row at a place; there must be older rows.
fn first_of(times: &[Time], order: &[usize], place: usize) -> Result<usize, DataError> {
    let time = times[order[place]];
    match order.partition_point(|&row| times[row] < time) {
        0 => Err(DataError::NoPast { time: time.to_string() }),
        first => Ok(first),
    }
}
