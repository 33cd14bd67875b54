//! Classes of numbers, by which a split of numbers is stratified.

use std::collections::{BTreeMap, HashSet};

use crate::error::DataError;

/// Returns the quantile interval of each value, as a class for a stratified split or stratified folds: at most `bins`
/// intervals with about equally many rows.
///
/// The intervals are those of `pandas.qcut(values, bins, labels=False, duplicates="drop")`: their ends are quantiles as
/// `numpy.quantile` interpolates them, an interval includes its upper end, and intervals between equal ends are dropped. A
/// split needs several rows of each class: `least` is the smallest number of groups (see [`text_groups`](crate::text_groups))
/// that each interval must have, and the number of intervals is the largest of at most `bins` with which they do. If even two
/// intervals are too many, all rows have the class 0.
///
/// # Errors
/// Returns an error if a value is not finite.
pub fn quantile_classes(values: &[f64], groups: &[usize], bins: usize, least: usize) -> Result<Vec<usize>, DataError> {
    if let Some((row, &value)) = values.iter().enumerate().find(|(_, value)| !value.is_finite()) {
        return Err(DataError::NotFinite { row, value });
    }
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let classes = (2..=bins.min(values.len())).rev().map(|bins| cut(values, &sorted, bins));
    Ok(classes.into_iter().find(|classes| smallest(classes, groups) >= least).unwrap_or_else(|| vec![0; values.len()]))
}

/// Returns the number of groups of the class with the fewest.
fn smallest(classes: &[usize], groups: &[usize]) -> usize {
    let mut members: BTreeMap<usize, HashSet<usize>> = BTreeMap::new();
    for (&class, &group) in classes.iter().zip(groups) {
        members.entry(class).or_default().insert(group);
    }
    members.values().map(HashSet::len).min().unwrap_or_default()
}

/// Returns the interval of each value, as `pandas.qcut`.
fn cut(values: &[f64], sorted: &[f64], bins: usize) -> Vec<usize> {
    let mut ends: Vec<f64> = (0..=bins).map(|bin| quantile(sorted, share(bin, bins))).collect();
    ends.dedup();
    // The first interval includes its lower end, too.
    values.iter().map(|value| ends.partition_point(|end| end < value).saturating_sub(1)).collect()
}

/// Returns `bin / bins`, rounded up if it is not exact, as in pandas.
fn share(bin: usize, bins: usize) -> f64 {
    let share = if bin == bins { 1.0 } else { bin as f64 * (1.0 / bins as f64) };
    if share * bins as f64 == bin as f64 { share } else { share.next_up() }
}

/// Returns a quantile of sorted values, rounded as in `numpy.quantile`.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let last = sorted.len() - 1;
    let place = share * last as f64;
    let below = (place.floor() as usize).min(last);
    let (low, high, weight) = (sorted[below], sorted[(below + 1).min(last)], place - below as f64);
    if weight >= 0.5 { high - (high - low) * (1.0 - weight) } else { low + (high - low) * weight }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(n: usize) -> Vec<usize> {
        (0..n).collect()
    }

    #[test]
    fn few_rows_have_fewer_intervals() {
        let values: Vec<f64> = (0..10).map(f64::from).collect();
        let classes = |bins, least| quantile_classes(&values, &rows(10), bins, least).expect("finite");
        assert_eq!(classes(5, 2), [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]);
        assert_eq!(classes(5, 5), [0, 0, 0, 0, 0, 1, 1, 1, 1, 1]);
        assert_eq!(classes(5, 6), [0; 10]);
        assert_eq!(classes(100, 1), rows(10).as_slice());
        assert_eq!(classes(0, 1), [0; 10]);
    }

    #[test]
    fn equal_texts_count_once() {
        let values: Vec<f64> = (0..6).map(f64::from).collect();
        let classes = |groups: &[usize]| quantile_classes(&values, groups, 2, 3).expect("finite");
        assert_eq!(classes(&[0, 0, 0, 1, 2, 3]), [0; 6]);
        assert_eq!(classes(&[0, 1, 2, 3, 4, 5]), [0, 0, 0, 1, 1, 1]);
    }

    #[test]
    fn equal_values_are_one_class() {
        let classes = |values: &[f64], least| quantile_classes(values, &rows(6), 4, least).expect("finite");
        assert_eq!(classes(&[2.0; 5], 1), [0; 5]);
        assert_eq!(classes(&[1.0, 1.0, 1.0, 1.0, 2.0, 3.0], 2), [0, 0, 0, 0, 1, 1]);
        assert_eq!(classes(&[], 1), [] as [usize; 0]);
    }

    #[test]
    fn a_value_that_is_not_finite_is_an_error() {
        let error = quantile_classes(&[1.0, f64::INFINITY], &rows(2), 2, 1).expect_err("not finite");
        assert_eq!(error.to_string(), "row 1: value inf is not finite");
    }
}
