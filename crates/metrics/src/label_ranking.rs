//! The average precision of each label.

use crate::confusion::{Score, mean};
use crate::error::MetricsError;
use crate::multilabel;

/// The rows ordered by the scores of each label, prepared to compute the average precision of any selection of the rows.
#[derive(Clone, Debug, PartialEq)]
pub struct LabelRankings {
    rows: usize,
    /// For each label, the rows by descending score.
    labels: Vec<Vec<Ranked>>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Ranked {
    row: usize,
    positive: bool,
    /// Whether the next row has a lower score.
    ends: bool,
}

impl LabelRankings {
    /// Orders rows by their scores; `truth` and `scores` are row-major with `labels` values per row.
    ///
    /// # Errors
    /// Returns an error if there are no rows, the lengths differ or are not a multiple of `labels`, or a score is not
    /// finite.
    pub fn new(truth: &[bool], scores: &[f64], labels: usize) -> Result<Self, MetricsError> {
        multilabel::check(truth, scores.len(), labels, "scores")?;
        if let Some((index, &value)) = scores.iter().enumerate().find(|(_, score)| !score.is_finite()) {
            return Err(MetricsError::Score { row: index / labels, value });
        }
        let rows = truth.len() / labels;
        let ranking = |label: usize| {
            let score = |row: usize| scores[row * labels + label];
            let mut order: Vec<usize> = (0..rows).collect();
            order.sort_by(|&a, &b| score(b).total_cmp(&score(a)));
            let ends = |place: usize| order.get(place + 1).is_none_or(|&next| score(next) != score(order[place]));
            let ranked = |(place, &row): (usize, &usize)| Ranked {
                row,
                positive: truth[row * labels + label],
                ends: ends(place),
            };
            order.iter().enumerate().map(ranked).collect()
        };
        Ok(Self { rows, labels: (0..labels).map(ranking).collect() })
    }

    /// Returns the average precision of a label over all rows (`average_precision_score`); 0 and flagged for a label without
    /// positive rows, as scikit-learn warns, and for one that does not exist.
    pub fn average_precision(&self, label: usize) -> Score {
        self.labels.get(label).map_or(NONE, |ranking| average_precision(ranking, |_| 1))
    }

    /// Returns the mean average precision over labels (`average_precision_score(average="macro")`).
    pub fn macro_average_precision(&self) -> Score {
        mean(self.labels.iter().map(|ranking| (average_precision(ranking, |_| 1), 1.0)))
    }

    /// Returns the mean average precision over labels for some rows, which may repeat, as in a resample of
    /// [`bootstrap`](crate::bootstrap). Rows that do not exist are left out.
    pub fn macro_average_precision_of(&self, rows: &[usize]) -> Score {
        let mut times = vec![0u32; self.rows];
        rows.iter().filter(|&&row| row < self.rows).for_each(|&row| times[row] += 1);
        mean(self.labels.iter().map(|ranking| (average_precision(ranking, |row| times[row]), 1.0)))
    }
}

const NONE: Score = Score { value: 0.0, zero_division: true };

/// Returns the mean precision over the thresholds, weighted by the increase in recall. A row counts as often as `times`
/// says.
fn average_precision(ranking: &[Ranked], times: impl Fn(usize) -> u32) -> Score {
    let (mut hits, mut predicted, mut new, mut sum) = (0u64, 0u64, 0u64, 0.0);
    for &Ranked { row, positive, ends } in ranking {
        let times = u64::from(times(row));
        predicted += times;
        new += if positive { times } else { 0 };
        if ends && new > 0 {
            hits += new;
            sum += new as f64 * hits as f64 / predicted as f64;
            new = 0;
        }
    }
    if hits == 0 { NONE } else { Score { value: sum / hits as f64, zero_division: false } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selection_is_the_ranking_of_its_rows() {
        let truth = [true, false, false, true, true, true];
        let scores = [0.9, 0.1, 0.4, 0.8, 0.4, 0.3];
        let rankings = LabelRankings::new(&truth, &scores, 2).expect("valid");
        assert_eq!(rankings.macro_average_precision_of(&[0, 1, 2]), rankings.macro_average_precision());
        let drawn = [2, 0, 0];
        let values = |row: &usize| [2 * row, 2 * row + 1];
        let truth: Vec<bool> = drawn.iter().flat_map(values).map(|index| truth[index]).collect();
        let scores: Vec<f64> = drawn.iter().flat_map(values).map(|index| scores[index]).collect();
        let alone = LabelRankings::new(&truth, &scores, 2).expect("valid");
        assert_eq!(rankings.macro_average_precision_of(&drawn), alone.macro_average_precision());
    }

    #[test]
    fn a_label_without_positive_rows_is_flagged() {
        let rankings = LabelRankings::new(&[true, false, true, false], &[0.1, 0.2, 0.3, 0.4], 2).expect("valid");
        assert_eq!(rankings.average_precision(0), Score { value: 1.0, zero_division: false });
        assert_eq!(rankings.average_precision(1), NONE);
        assert_eq!(rankings.macro_average_precision(), Score { value: 0.5, zero_division: true });
    }

    #[test]
    fn invalid_input_is_an_error() {
        let nan = LabelRankings::new(&[true, false], &[0.5, f64::NAN], 1);
        assert!(matches!(nan, Err(MetricsError::Score { row: 1, .. })));
        assert_eq!(LabelRankings::new(&[], &[], 1), Err(MetricsError::Empty));
    }
}
