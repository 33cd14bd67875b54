//! scikit-learn's `RepeatedStratifiedKFold`.
//!
//! Reproduces `StratifiedKFold(shuffle=True)` of `sklearn/model_selection/_split.py` draw by draw, with one generator
//! for all repeats.

use crate::error::DataError;
use crate::mt19937::Mt19937;
use crate::split::Split;

/// Returns the splits of scikit-learn's `RepeatedStratifiedKFold(n_splits, n_repeats, random_state)`, row by row. Each
/// fold of the first repeat is the test set in turn, then each of the next repeat. Rows are ascending in both sets.
///
/// # Errors
/// Returns an error with fewer than two folds, no repeat or no row; or if a class has fewer rows than there are folds.
/// In the last case scikit-learn only warns, unless all classes are too small.
pub fn repeated_stratified_k_fold(
    labels: &[usize],
    folds: usize,
    repeats: usize,
    random_state: u32,
) -> Result<Vec<Split>, DataError> {
    let members = check_folds(labels, folds, repeats)?;
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

/// Returns the rows of each class, with classes in the order of their first occurrence, or an error if there are no such folds.
pub(crate) fn check_folds(labels: &[usize], folds: usize, repeats: usize) -> Result<Vec<Vec<usize>>, DataError> {
    if folds < 2 || repeats == 0 || labels.is_empty() {
        return Err(DataError::Folds { folds, repeats, rows: labels.len() });
    }
    let members = by_appearance(labels);
    if let Some(rows) = members.iter().min_by_key(|rows| rows.len()).filter(|rows| rows.len() < folds) {
        let class = labels[rows[0]].to_string();
        return Err(DataError::FoldClass { class, members: rows.len(), folds });
    }
    Ok(members)
}

/// Returns the rows of each class, with classes in the order of their first occurrence.
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

/// Returns the number of rows of each class in each fold. The rows, sorted by class, are assigned to the folds in turn,
/// so the sizes of folds differ by at most one row, in total and per class.
fn shares(members: &[Vec<usize>], folds: usize) -> Vec<Vec<usize>> {
    let mut before = 0;
    members
        .iter()
        .map(|rows| {
            let dealt = before..before + rows.len();
            before = dealt.end;
            // The number of positions p of the class with p % folds == fold.
            (0..folds).map(|fold| upto(dealt.end, fold, folds) - upto(dealt.start, fold, folds)).collect()
        })
        .collect()
}

/// Returns how many of the positions below `end` are assigned to `fold`.
fn upto(end: usize, fold: usize, folds: usize) -> usize {
    (end + folds - 1 - fold) / folds
}

/// Returns the fold of each row: the shares of a class are assigned to its rows in random order.
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
