//! Stratified splits and folds, by the kind of target.

use std::borrow::Cow;

use crate::error::DataError;
use crate::folds::repeated_stratified_k_fold;
use crate::group_folds::stratified_group_k_fold;
use crate::group_split::group_train_test_split;
use crate::multilabel_split::{multilabel_train_test_split, repeated_multilabel_stratified_k_fold};
use crate::quantile_classes::quantile_classes;
use crate::split::{Split, TestSize, train_test_split};
use crate::target::Targets;

/// The most intervals by which numbers are stratified.
const BINS: usize = 10;

/// Splits rows into a training and a test set; rows of the same group stay on one side.
///
/// Classes are stratified by [`group_train_test_split`], without groups by [`train_test_split`]; several labels by
/// [`multilabel_train_test_split`]; and numbers as classes are, by their [`quantile_classes`].
///
/// # Errors
/// The errors of these functions.
pub fn split_targets(
    targets: &Targets,
    groups: Option<&[usize]>,
    test_size: TestSize,
    random_state: u32,
    stratify: bool,
) -> Result<Split, DataError> {
    let alone = || Cow::Owned((0..targets.len()).collect());
    match targets {
        Targets::Labels { values, labels } if stratify => {
            let groups = groups.map_or_else(alone, Cow::Borrowed);
            multilabel_train_test_split(values, *labels, &groups, test_size, random_state)
        }
        _ => {
            let least = test_size.rows(targets.len()).map_or(1, |test| test.min(targets.len() - test));
            let strata = strata(targets, &groups.map_or_else(alone, Cow::Borrowed), BINS.min(least), 2)?;
            match groups {
                Some(groups) => group_train_test_split(&strata, groups, test_size, random_state, stratify),
                None => train_test_split(&strata, test_size, random_state, stratify),
            }
        }
    }
}

/// Returns stratified folds that keep the rows of a group in one fold: classes by [`stratified_group_k_fold`], without groups by
/// [`repeated_stratified_k_fold`]; several labels by [`repeated_multilabel_stratified_k_fold`]; and numbers as classes are, by
/// their [`quantile_classes`].
///
/// # Errors
/// The errors of these functions.
pub fn fold_targets(
    targets: &Targets,
    groups: Option<&[usize]>,
    folds: usize,
    repeats: usize,
    random_state: u32,
) -> Result<Vec<Split>, DataError> {
    let all = groups.map_or_else(|| Cow::Owned((0..targets.len()).collect()), Cow::Borrowed);
    match targets {
        Targets::Labels { values, labels } => {
            repeated_multilabel_stratified_k_fold(values, *labels, &all, folds, repeats, random_state)
        }
        _ => {
            let strata = strata(targets, &all, BINS, folds)?;
            match groups {
                Some(groups) => stratified_group_k_fold(&strata, groups, folds, repeats, random_state),
                None => repeated_stratified_k_fold(&strata, folds, repeats, random_state),
            }
        }
    }
}

/// Returns the class by which each row is stratified. Every class has at least so many groups, if its rows have numbers.
fn strata<'a>(
    targets: &'a Targets,
    groups: &[usize],
    bins: usize,
    least: usize,
) -> Result<Cow<'a, [usize]>, DataError> {
    match targets {
        Targets::Classes(classes) => Ok(Cow::Borrowed(classes)),
        Targets::Values(values) => quantile_classes(values, groups, bins, least).map(Cow::Owned),
        Targets::Labels { .. } => Ok(Cow::Owned(vec![0; targets.len()])),
    }
}
