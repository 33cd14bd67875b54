//! Successive halving (Jamieson and Talwalkar, 2016): which inner folds candidates are trained for, and how many remain.
//!
//! The resource is the number of inner folds. As in scikit-learn's `HalvingGridSearchCV` with `min_resources="exhaust"`, the
//! last rung has all of it. A candidate that remains keeps its scores, so that nothing is trained twice.

/// The rungs of a search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rungs {
    /// The inner folds that a candidate has been trained for at the end of each rung, ascending.
    pub(crate) folds: Vec<usize>,
    factor: usize,
}

impl Rungs {
    /// Returns the rungs for so many candidates: each reduces them by the factor, until at most `factor` are left or
    /// the first rung has one fold. Without
    /// a factor, every candidate is trained for all folds.
    pub(crate) fn new(candidates: usize, folds: usize, factor: Option<usize>) -> Self {
        let Some(factor) = factor.filter(|factor| *factor > 1) else { return Self { folds: vec![folds], factor: 1 } };
        let (mut rungs, mut left) = (vec![folds], candidates);
        while left > factor && rungs[0] > 1 {
            rungs.insert(0, rungs[0].div_ceil(factor));
            left = left.div_ceil(factor);
        }
        Self { folds: rungs, factor }
    }

    /// Returns how many of the candidates of a rung remain.
    pub(crate) fn kept(&self, candidates: usize) -> usize {
        candidates.div_ceil(self.factor)
    }

    /// Returns how many candidates reach the last rung at most.
    pub(crate) fn last(&self) -> usize {
        self.factor
    }

    /// Returns the trainings after the first rung, if so many candidates complete it.
    pub(crate) fn later(&self, started: usize) -> usize {
        let (mut left, mut trainings) = (started, 0);
        for pair in self.folds.windows(2) {
            left = self.kept(left);
            // A single candidate is chosen without further trainings.
            trainings += if left > 1 { left * (pair[1] - pair[0]) } else { 0 };
        }
        trainings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rung_reduces_the_candidates_and_the_last_has_all_folds() {
        let folds = |candidates, folds, factor| Rungs::new(candidates, folds, factor).folds;
        assert_eq!(folds(27, 5, None), [5]);
        assert_eq!(folds(3, 5, Some(3)), [5], "few candidates are all compared on all folds");
        assert_eq!(folds(9, 5, Some(3)), [2, 5]);
        assert_eq!(folds(27, 5, Some(3)), [1, 2, 5]);
        assert_eq!(folds(1000, 5, Some(3)), [1, 2, 5], "a rung has at least one fold");
        assert_eq!(folds(8, 10, Some(2)), [3, 5, 10]);
    }

    #[test]
    fn trainings_are_counted() {
        let rungs = Rungs::new(27, 5, Some(3));
        assert_eq!((rungs.kept(27), rungs.later(27)), (9, 9 + 3 * 3));
        assert_eq!(rungs.later(4), 2, "one of the two candidates of the second rung remains, and is chosen");
        assert_eq!(Rungs::new(27, 5, None).later(27), 0);
    }
}
