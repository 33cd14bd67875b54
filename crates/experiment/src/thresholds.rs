//! The probabilities from which a label, or the second of two classes, is predicted.

use std::fmt;

/// The threshold of a label that no example has.
const USUAL: f64 = 0.5;

/// What a threshold optimises.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum ThresholdRule {
    /// The F-beta score of each label, where recall counts `beta` times as much as precision; F1 is that of 1.
    FBeta(f64),
    /// The smallest cost of errors. With calibrated probabilities and many examples, the threshold is
    /// `false_positive / (false_positive + false_negative)` (Elkan, 2001, "The Foundations of Cost-Sensitive Learning").
    Cost {
        /// The cost of a predicted label that is not true.
        false_positive: f64,
        /// The cost of a true label that is not predicted.
        false_negative: f64,
    },
}

/// As on the command line.
impl fmt::Display for ThresholdRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FBeta(beta) => write!(f, "F{beta}"),
            Self::Cost { false_positive, false_negative } => write!(f, "fp={false_positive},fn={false_negative}"),
        }
    }
}

impl ThresholdRule {
    /// Returns how good the predictions of a label are, greater is better: of `members` examples that have it, `hits` are among
    /// the `predicted` ones.
    fn score(self, hits: usize, predicted: usize, members: usize) -> f64 {
        let [hits, predicted, members] = [hits, predicted, members].map(|count| count as f64);
        match self {
            Self::FBeta(beta) => {
                let square = beta * beta;
                let all = predicted + square * members;
                if all > 0.0 { (1.0 + square) * hits / all } else { 0.0 }
            }
            Self::Cost { false_positive, false_negative } => {
                -(false_positive * (predicted - hits) + false_negative * (members - hits))
            }
        }
    }

    /// Returns the threshold that is best without looking at examples.
    fn prior(self) -> f64 {
        match self {
            Self::FBeta(_) => USUAL,
            Self::Cost { false_positive, false_negative } => false_positive / (false_positive + false_negative),
        }
    }
}

/// Returns the best threshold of each label over examples, by their probabilities, row-major `[examples, labels]`. Thresholds are
/// halfway between two neighbouring probabilities, or above all; of equally good ones, the one nearest to that of
/// calibrated probabilities (for F-beta, nearest to 0.5). A label that no example has keeps the latter.
pub(crate) fn best_thresholds(probabilities: &[f64], truth: &[bool], labels: usize, rule: ThresholdRule) -> Vec<f32> {
    let of = |label: usize| {
        let rows = probabilities.iter().skip(label).step_by(labels);
        let mut rows: Vec<(f64, bool)> = rows.copied().zip(truth.iter().skip(label).step_by(labels).copied()).collect();
        rows.sort_by(|a, b| b.0.total_cmp(&a.0));
        best_threshold(&rows, rule)
    };
    (0..labels).map(of).collect()
}

/// Returns the threshold of one label by its probabilities, in descending order.
fn best_threshold(rows: &[(f64, bool)], rule: ThresholdRule) -> f32 {
    let members = rows.iter().filter(|(_, truth)| *truth).count();
    let prior = rule.prior() as f32;
    if members == 0 {
        return prior;
    }
    let none = rule.score(0, 0, members);
    let highest = rows.first().map_or(1.0, |(probability, _)| *probability);
    let (mut hits, mut best) = (0, (none, ((1.0 + highest) / 2.0) as f32));
    for (place, &(probability, truth)) in rows.iter().enumerate() {
        hits += usize::from(truth);
        let next = rows.get(place + 1).map_or(0.0, |(next, _)| *next);
        if next == probability {
            continue;
        }
        let score = rule.score(hits, place + 1, members);
        let threshold = ((probability + next) / 2.0) as f32;
        let is_nearer = (threshold - prior).abs() < (best.1 - prior).abs();
        if score > best.0 || (score == best.0 && is_nearer) {
            best = (score, threshold);
        }
    }
    best.1
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Probabilities 0.9, 0.3 and 0.1 of label 0, which the first two examples have; label 1 never occurs.
    const PROBABILITIES: [f64; 6] = [0.9, 0.5, 0.3, 0.7, 0.1, 0.9];
    const TRUTH: [bool; 6] = [true, false, true, false, false, false];

    #[test]
    fn the_threshold_of_each_label_has_its_highest_f1() {
        let thresholds = best_thresholds(&PROBABILITIES, &TRUTH, 2, ThresholdRule::FBeta(1.0));
        assert!((thresholds[0] - 0.2).abs() < 1e-6, "{thresholds:?}");
        assert_eq!(thresholds[1], 0.5);
    }

    #[test]
    fn costs_and_beta_move_the_threshold() {
        // Descending: a member, none, a member, none.
        let (probabilities, truth) = ([0.8, 0.6, 0.4, 0.2], [true, false, true, false]);
        let of = |rule| best_thresholds(&probabilities, &truth, 1, rule)[0];
        let cost = |false_positive, false_negative| ThresholdRule::Cost { false_positive, false_negative };
        for (rule, expected) in [
            (ThresholdRule::FBeta(0.25), 0.7),
            (ThresholdRule::FBeta(2.0), 0.3),
            (cost(1.0, 10.0), 0.3),
            (cost(10.0, 1.0), 0.7),
            // A missed member and a wrong one cost the same: 0.7 and 0.3 are equally near to 0.5, and nothing is changed.
            (cost(1.0, 1.0), 0.7),
        ] {
            assert!((of(rule) - expected).abs() < 1e-6, "{rule}: {}", of(rule));
        }
        let rare = best_thresholds(&[0.9, 0.8], &[false, true], 1, cost(1000.0, 1.0));
        assert!(rare[0] > 0.9, "nothing is predicted: {rare:?}");
        assert!((best_thresholds(&[0.9], &[false], 1, cost(1.0, 3.0))[0] - 0.25).abs() < 1e-6);
    }
}
