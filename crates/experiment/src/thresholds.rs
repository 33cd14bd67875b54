//! The probabilities from which each of several labels is predicted.

use rekindle_metrics::sigmoid;

/// The threshold of a label that no example has.
const USUAL: f32 = 0.5;

/// Returns for each label the threshold with the highest F1 over examples, by their logits, row-major `[examples, labels]`.
/// Thresholds are halfway between two neighbouring probabilities; of equal ones, the one nearest to 0.5.
pub(crate) fn best_thresholds(logits: &[f32], truth: &[bool], labels: usize) -> Vec<f32> {
    let of = |label: usize| {
        let rows = logits.iter().skip(label).step_by(labels).zip(truth.iter().skip(label).step_by(labels));
        let mut rows: Vec<(f64, bool)> = rows.map(|(&logit, &truth)| (sigmoid(f64::from(logit)), truth)).collect();
        rows.sort_by(|a, b| b.0.total_cmp(&a.0));
        best_threshold(&rows)
    };
    (0..labels).map(of).collect()
}

/// Returns the threshold of one label by its probabilities, in descending order.
fn best_threshold(rows: &[(f64, bool)]) -> f32 {
    let members = rows.iter().filter(|(_, truth)| *truth).count();
    let (mut hits, mut best) = (0, (0.0, USUAL));
    for (place, &(probability, truth)) in rows.iter().enumerate() {
        hits += usize::from(truth);
        let next = rows.get(place + 1).map_or(0.0, |(next, _)| *next);
        if next == probability {
            continue;
        }
        let f1 = 2.0 * hits as f64 / (place + 1 + members).max(1) as f64;
        let threshold = ((probability + next) / 2.0) as f32;
        let is_nearer = (threshold - 0.5).abs() < (best.1 - 0.5f32).abs();
        if f1 > best.0 || (f1 == best.0 && f1 > 0.0 && is_nearer) {
            best = (f1, threshold);
        }
    }
    best.1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_threshold_of_each_label_has_its_highest_f1() {
        // Probabilities 0.9, 0.3 and 0.1 of label 0, which the first two examples have; label 1 never occurs.
        let logit = |p: f64| (p / (1.0 - p)).ln() as f32;
        let logits = [logit(0.9), 0.0, logit(0.3), 1.0, logit(0.1), 2.0];
        let thresholds = best_thresholds(&logits, &[true, false, true, false, false, false], 2);
        assert!((thresholds[0] - 0.2).abs() < 1e-6, "{thresholds:?}");
        assert_eq!(thresholds[1], 0.5);
    }
}
