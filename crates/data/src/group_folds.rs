//! scikit-learn's `StratifiedGroupKFold`.
//!
//! Reproduces `StratifiedGroupKFold(shuffle=True)` of `sklearn/model_selection/_split.py` draw by draw, and its sums in
//! NumPy's order: they decide between folds that are equally good.

use std::collections::BTreeMap;

use crate::error::DataError;
use crate::folds::check_folds;
use crate::mt19937::Mt19937;
use crate::split::Split;

/// Returns stratified folds whose groups stay together: the rows of a group are in one fold. The groups are numbered from 0.
///
/// The result is that of scikit-learn's `StratifiedGroupKFold(n_splits, shuffle=True, random_state=generator)`, row by row, with
/// one `RandomState(random_state)` for all repeats. scikit-learn numbers groups in their sorted order.
///
/// # Errors
/// The errors of [`repeated_stratified_k_fold`](crate::repeated_stratified_k_fold), and an error if a class has fewer groups than
/// there are folds, or the groups are so large that a fold would be empty.
pub fn stratified_group_k_fold(
    labels: &[usize],
    groups: &[usize],
    folds: usize,
    repeats: usize,
    random_state: u32,
) -> Result<Vec<Split>, DataError> {
    check_folds(labels, folds, repeats)?;
    let members = members(groups);
    let classes = Classes::new(labels, &members);
    if let Some((class, groups)) = classes.groups.iter().enumerate().find(|(_, groups)| **groups < folds) {
        let class = classes.names[class].to_string();
        return Err(DataError::FoldGroups { class, groups: *groups, folds, column: None });
    }
    let mut generator = Mt19937::new(random_state);
    let mut splits = Vec::new();
    for _ in 0..repeats {
        let fold_of = assign(&members, &classes, folds, &mut generator);
        if (0..folds).any(|fold| !fold_of.contains(&fold)) {
            return Err(DataError::EmptyFold { folds, rows: labels.len() });
        }
        splits.extend((0..folds).map(|fold| {
            let (test, train) = (0..labels.len()).partition(|&row| fold_of[groups[row]] == fold);
            Split { train, test }
        }));
    }
    Ok(splits)
}

/// Returns the rows of each group.
pub(crate) fn members(groups: &[usize]) -> Vec<Vec<usize>> {
    let mut members = vec![Vec::new(); groups.iter().max().map_or(0, |last| last + 1)];
    groups.iter().enumerate().for_each(|(row, &group)| members[group].push(row));
    members
}

/// The classes that occur, in ascending order.
struct Classes {
    names: Vec<usize>,
    /// The class of each row.
    of: Vec<usize>,
    /// The numbers of rows and of groups of each class.
    rows: Vec<f64>,
    groups: Vec<usize>,
}

impl Classes {
    fn new(labels: &[usize], members: &[Vec<usize>]) -> Self {
        let mut index: BTreeMap<usize, usize> = labels.iter().map(|&label| (label, 0)).collect();
        index.values_mut().enumerate().for_each(|(position, class)| *class = position);
        let of: Vec<usize> = labels.iter().map(|label| index[label]).collect();
        let mut classes = Self {
            names: index.keys().copied().collect(),
            rows: vec![0.0; index.len()],
            groups: vec![0; index.len()],
            of,
        };
        classes.of.iter().for_each(|&class| classes.rows[class] += 1.0);
        for rows in members {
            let counts = classes.counts(rows);
            counts.iter().zip(&mut classes.groups).for_each(|(count, groups)| *groups += usize::from(*count > 0.0));
        }
        classes
    }

    /// Returns the number of rows of each class.
    fn counts(&self, rows: &[usize]) -> Vec<f64> {
        let mut counts = vec![0.0; self.rows.len()];
        rows.iter().for_each(|&row| counts[self.of[row]] += 1.0);
        counts
    }
}

/// Returns the fold of each group: groups with the most uneven classes come first, and each is assigned to the fold that
/// keeps the classes most even over the folds.
fn assign(members: &[Vec<usize>], classes: &Classes, folds: usize, generator: &mut Mt19937) -> Vec<usize> {
    let mut order = generator.permutation(members.len());
    let deviations: Vec<f64> = members.iter().map(|rows| deviation(&classes.counts(rows))).collect();
    order.sort_by(|&a, &b| deviations[b].total_cmp(&deviations[a]));
    let mut per_fold = vec![vec![0.0; classes.rows.len()]; folds];
    let mut fold_of = vec![0; members.len()];
    for group in order {
        let counts = classes.counts(&members[group]);
        let fold = best_fold(&mut per_fold, &classes.rows, &counts);
        add(&mut per_fold[fold], &counts, 1.0);
        fold_of[group] = fold;
    }
    fold_of
}

/// Returns the fold with which the classes are spread most evenly; of equal ones, the one with the fewest rows.
fn best_fold(per_fold: &mut [Vec<f64>], rows: &[f64], counts: &[f64]) -> usize {
    let (mut best, mut least, mut fewest) = (0, f64::INFINITY, f64::INFINITY);
    for fold in 0..per_fold.len() {
        add(&mut per_fold[fold], counts, 1.0);
        let spread = spread(per_fold, rows);
        add(&mut per_fold[fold], counts, -1.0);
        let size = per_fold[fold].iter().sum();
        // NumPy's `isclose`.
        let is_equal = (spread - least).abs() <= 1e-8 + 1e-5 * least.abs();
        if spread < least || is_equal && size < fewest {
            (best, least, fewest) = (fold, spread, size);
        }
    }
    best
}

fn add(to: &mut [f64], counts: &[f64], sign: f64) {
    to.iter_mut().zip(counts).for_each(|(to, count)| *to += sign * count);
}

/// Returns the mean over the classes of the standard deviation of the folds' shares of a class.
fn spread(per_fold: &[Vec<f64>], rows: &[f64]) -> f64 {
    let folds = per_fold.len() as f64;
    let deviation = |class: usize| {
        let share = |counts: &Vec<f64>| counts[class] / rows[class];
        let mean = per_fold.iter().map(share).fold(0.0, |sum, share| sum + share) / folds;
        let squares = per_fold.iter().map(|counts| (share(counts) - mean) * (share(counts) - mean));
        (squares.fold(0.0, |sum, square| sum + square) / folds).sqrt()
    };
    let deviations: Vec<f64> = (0..rows.len()).map(deviation).collect();
    pairwise_sum(&deviations) / rows.len() as f64
}

/// Returns the standard deviation, as `numpy.std`.
fn deviation(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let mean = pairwise_sum(values) / n;
    let squares: Vec<f64> = values.iter().map(|value| (value - mean) * (value - mean)).collect();
    (pairwise_sum(&squares) / n).sqrt()
}

/// Adds numbers in the order of NumPy: eight sums side by side, in blocks of at most 128.
fn pairwise_sum(values: &[f64]) -> f64 {
    const BLOCK: usize = 128;
    if values.len() < 8 {
        return values.iter().fold(0.0, |sum, value| sum + value);
    }
    if values.len() > BLOCK {
        let half = values.len() / 2;
        let (first, second) = values.split_at(half - half % 8);
        return pairwise_sum(first) + pairwise_sum(second);
    }
    let (blocks, rest) = values.as_chunks::<8>();
    let mut sums = blocks[0];
    for block in &blocks[1..] {
        sums.iter_mut().zip(block).for_each(|(sum, value)| *sum += value);
    }
    let [a, b, c, d, e, f, g, h] = sums;
    rest.iter().fold(((a + b) + (c + d)) + ((e + f) + (g + h)), |sum, value| sum + value)
}
