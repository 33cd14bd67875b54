//! scikit-learn's `RepeatedStratifiedKFold`.
//!
//! Follows `StratifiedKFold(shuffle=True)` of `sklearn/model_selection/_split.py` draw by draw, with one generator for
//! all repeats.

use crate::error::DataError;
use crate::mt19937::Mt19937;
use crate::split::Split;

/// Shares rows out among `folds`, `repeats` times, as scikit-learn's `RepeatedStratifiedKFold(n_splits, n_repeats,
/// random_state)` does, row by row: the folds of the first repeat in turn as test side, then those of the next. Both
/// sides of a split are in rising order.
///
/// # Errors
/// With fewer than two folds, no repeat or no row; and when a class has fewer rows than there are folds, where
/// scikit-learn only warns, unless it is so with every class.
pub fn repeated_stratified_k_fold(
    labels: &[usize],
    folds: usize,
    repeats: usize,
    random_state: u32,
) -> Result<Vec<Split>, DataError> {
    if folds < 2 || repeats == 0 || labels.is_empty() {
        return Err(DataError::Folds { folds, repeats, rows: labels.len() });
    }
    let members = by_appearance(labels);
    if let Some(rows) = members.iter().min_by_key(|rows| rows.len()).filter(|rows| rows.len() < folds) {
        let class = labels[rows[0]].to_string();
        return Err(DataError::FoldClass { class, members: rows.len(), folds });
    }
    let shares = shares(&members, folds);
    let mut generator = Mt19937::new(random_state);
    let mut splits = Vec::new();
    for _ in 0..repeats {
        let fold_of = assign(&members, &shares, labels.len(), &mut generator);
        splits.extend((0..folds).map(|fold| {
            let (test, train) = (0..labels.len()).partition(|&row| fold_of[row] == fold);
            Split { train, test }
        }));
    }
    Ok(splits)
}

/// The rows of each class, the classes in the order in which they first occur.
fn by_appearance(labels: &[usize]) -> Vec<Vec<usize>> {
    let mut index = std::collections::HashMap::new();
    let mut members: Vec<Vec<usize>> = Vec::new();
    for (row, label) in labels.iter().enumerate() {
        let class = *index.entry(label).or_insert(members.len());
        if class == members.len() {
            members.push(Vec::new());
        }
        members[class].push(row);
    }
    members
}

/// How many rows of each class go to each fold: the rows, sorted by class, are dealt to the folds in turn, so that folds
/// differ by at most one row, in all and in each class.
fn shares(members: &[Vec<usize>], folds: usize) -> Vec<Vec<usize>> {
    let mut before = 0;
    members
        .iter()
        .map(|rows| {
            let dealt = before..before + rows.len();
            before = dealt.end;
            // The positions p of the class with p % folds == fold.
            (0..folds).map(|fold| upto(dealt.end, fold, folds) - upto(dealt.start, fold, folds)).collect()
        })
        .collect()
}

/// How many of the positions below `end` are dealt to `fold`.
fn upto(end: usize, fold: usize, folds: usize) -> usize {
    (end + folds - 1 - fold) / folds
}

/// The fold of each row: the rows of a class take its shares in an order drawn by lot.
fn assign(members: &[Vec<usize>], shares: &[Vec<usize>], rows: usize, generator: &mut Mt19937) -> Vec<usize> {
    let mut fold_of = vec![0; rows];
    for (rows, shares) in members.iter().zip(shares) {
        let mut drawn: Vec<usize> =
            shares.iter().enumerate().flat_map(|(fold, &count)| std::iter::repeat_n(fold, count)).collect();
        generator.shuffle(&mut drawn);
        for (&row, fold) in rows.iter().zip(drawn) {
            fold_of[row] = fold;
        }
    }
    fold_of
}
