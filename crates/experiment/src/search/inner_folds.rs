//! The inner folds of a search: a split of the training examples of a run.

use rekindle_data::{DataError, Split, fold_targets};

use crate::error::ExperimentError;
use crate::sampling::Sampling;

/// Returns the rows to train on and to test on of each inner fold of some rows: those of scikit-learn's `StratifiedKFold` with
/// shuffling, or of `StratifiedGroupKFold` if there are groups or texts repeat.
///
/// There are fewer folds if a class has fewer examples, but at least two. The only example of a class is trained on in all folds.
///
/// # Errors
/// Returns an error if there are not enough examples for two folds.
pub(crate) fn inner_folds(
    sampling: &Sampling,
    rows: &[usize],
    folds: usize,
    seed: u64,
) -> Result<Vec<Split>, ExperimentError> {
    let (rows, single) = without_single(sampling, rows);
    let (targets, groups) = (sampling.targets(&rows), sampling.groups_of(&rows));
    let split = |folds| fold_targets(&targets, groups.as_deref(), folds, 1, seed as u32);
    let mut found = split(folds);
    for fewer in (2..folds).rev() {
        if !matches!(
            found,
            Err(DataError::FoldClass { .. } | DataError::FoldGroups { .. } | DataError::EmptyFold { .. })
        ) {
            break;
        }
        found = split(fewer);
    }
    let found = found.map_err(|error| sampling.all.name_class(error))?;
    let of = |part: Vec<usize>| part.into_iter().map(|index| rows[index]);
    let split = |part: Split| Split {
        train: of(part.train).chain(single.iter().copied()).collect(),
        test: of(part.test).collect(),
    };
    Ok(found.into_iter().map(split).collect())
}

/// Returns the rows whose class has several different texts or groups, and those of the other classes.
fn without_single(sampling: &Sampling, rows: &[usize]) -> (Vec<usize>, Vec<usize>) {
    let groups = sampling.groups_of(rows).unwrap_or_else(|| rows.to_vec());
    let class = |row: usize| sampling.target(row).class();
    let mut first: Vec<Option<usize>> = vec![None; sampling.all.classes.len()];
    let mut has_several = vec![false; first.len()];
    for (&row, &group) in rows.iter().zip(&groups) {
        if let Some(class) = class(row) {
            has_several[class] |= *first[class].get_or_insert(group) != group;
        }
    }
    rows.iter().partition(|row| class(**row).is_none_or(|class| has_several[class]))
}

#[cfg(test)]
mod tests {
    use rekindle_data::twelve_sentences;

    use super::*;

    #[test]
    fn folds_cover_the_rows_and_a_single_example_is_always_trained_on() {
        let sampling = Sampling::folds(twelve_sentences(), 3, 1, 42).expect("folds");
        let [zero, one] =
            [0, 1].map(|class| (0..12).filter(|&row| sampling.target(row).class() == Some(class)).collect::<Vec<_>>());
        let rows = [&zero[..3], &one[..3]].concat();
        let folds = inner_folds(&sampling, &rows, 5, 1).expect("folds");
        assert_eq!(folds.len(), 3, "a class has three examples");
        let mut tested: Vec<usize> = folds.iter().flat_map(|fold| fold.test.clone()).collect();
        tested.sort_unstable();
        let mut all = rows.clone();
        all.sort_unstable();
        assert_eq!(tested, all);

        let rows = [&zero[..4], &one[..1]].concat();
        let folds = inner_folds(&sampling, &rows, 2, 1).expect("folds");
        assert!(folds.iter().all(|fold| fold.train.contains(&one[0]) && !fold.test.contains(&one[0])));
        assert!(inner_folds(&sampling, &[zero[0], one[0]], 2, 1).is_err(), "nothing can be held out");
    }
}
