//! The confident joint: how many rows of each given class belong to each class, as far as the model is confident.

use super::{LabelIssues, TOLERANCE};
use crate::logits::argmax;

/// The least threshold of a class.
const LEAST_THRESHOLD: f64 = 2.0 * TOLERANCE;
/// The threshold of a class without rows, which no probability reaches.
const NEVER: f64 = 2.0;

impl LabelIssues<'_> {
    /// Returns the number of rows of each given class that belong to each class, row-major `[given, true]`, calibrated so that
    /// each given class keeps its number of rows (`compute_confident_joint`).
    pub fn confident_joint(&self) -> Vec<usize> {
        let classes = self.classes;
        let mut joint = vec![0.0_f64; classes * classes];
        let mut labelled = vec![0.0; classes];
        for (&label, confident) in self.labels.iter().zip(self.confident_classes()) {
            labelled[label] += 1.0;
            if let Some(class) = confident {
                joint[label * classes + class] += 1.0;
            }
        }
        (0..classes).for_each(|class| joint[class * (classes + 1)] = joint[class * (classes + 1)].max(1.0));
        for (row, labelled) in joint.chunks_mut(classes).zip(&labelled) {
            let sum: f64 = row.iter().sum();
            row.iter_mut().for_each(|count| *count = *count / sum * labelled);
        }
        // NumPy adds up the transposed matrix.
        let transposed: Vec<f64> =
            (0..classes * classes).map(|place| joint[place % classes * classes + place / classes]).collect();
        let sum = pairwise_sum(&transposed);
        let rows = self.labels.len() as f64;
        joint.iter_mut().for_each(|count| *count = *count / sum * rows);
        joint.chunks(classes).flat_map(round).collect()
    }

    /// Returns whether the model is confident of another class than the given one, for each row.
    pub(super) fn off_diagonal(&self) -> Vec<bool> {
        let classes = self.labels.iter().zip(self.confident_classes());
        classes.map(|(label, confident)| confident.is_some_and(|class| class != *label)).collect()
    }

    /// Returns the class that the model is confident of, for each row: the only one whose probability reaches its threshold,
    /// or the most probable one if several do.
    fn confident_classes(&self) -> Vec<Option<usize>> {
        let thresholds = self.thresholds();
        let of = |values: &[f64]| {
            let mut reaching =
                (0..values.len()).filter(|&class| values[class] >= thresholds[class] - TOLERANCE).take(2);
            let first = reaching.next()?;
            Some(if reaching.next().is_some() { argmax(values) } else { first })
        };
        self.probabilities.chunks(self.classes).map(of).collect()
    }

    /// Returns the mean probability of each class over the rows that have been given it (`get_confident_thresholds`).
    fn thresholds(&self) -> Vec<f64> {
        let mut values = vec![Vec::new(); self.classes];
        for (row, &label) in self.labels.iter().enumerate() {
            values[label].push(self.row(row)[label]);
        }
        let threshold = |values: &Vec<f64>| match values.len() {
            0 => NEVER,
            rows => (pairwise_sum(values) / rows as f64).max(LEAST_THRESHOLD),
        };
        values.iter().map(threshold).collect()
    }
}

/// Returns how many rows of a given class are counted as each class, if at least `kept` are counted as the given one: the others
/// give up equal numbers (`_keep_at_least_n_per_class`).
pub(super) fn keep(counts: &[usize], class: usize, kept: usize) -> Vec<usize> {
    let others = counts.iter().filter(|count| **count > 0).count().saturating_sub(1).max(1);
    let given_up = kept.saturating_sub(counts[class]) as f64 / others as f64;
    let mut counts: Vec<usize> = counts.iter().map(|&count| (count as f64 - given_up).max(0.0) as usize).collect();
    counts[class] = counts[class].max(kept);
    counts
}

/// Rounds counts so that their sum is kept (`round_preserving_sum`).
fn round(counts: &[f64]) -> Vec<usize> {
    let mut rounded: Vec<f64> = counts.iter().map(|count| count.round_ties_even()).collect();
    let sum = pairwise_sum(counts).round_ties_even();
    loop {
        let missing = sum - rounded.iter().sum::<f64>();
        if missing == 0.0 {
            return rounded.into_iter().map(|count| count.max(0.0) as usize).collect();
        }
        let mut order: Vec<usize> = (0..counts.len()).collect();
        order.sort_by(|a, b| (counts[*a] - rounded[*a]).total_cmp(&(counts[*b] - rounded[*b])));
        if missing > 0.0 {
            order.reverse();
        }
        let changed = (missing.abs() as usize).min(counts.len());
        order[..changed].iter().for_each(|&place| rounded[place] += missing.signum());
    }
}

/// Returns the sum of values in the order of NumPy, on which the last digit depends, and with it how halves are rounded.
fn pairwise_sum(values: &[f64]) -> f64 {
    match values.len() {
        ..=7 => values.iter().sum(),
        8..=128 => {
            let (chunks, rest) = values.as_chunks::<8>();
            let mut sums = [0.0; 8];
            for chunk in chunks {
                sums.iter_mut().zip(chunk).for_each(|(sum, value)| *sum += value);
            }
            let [a, b, c, d, e, f, g, h] = sums;
            rest.iter().fold(((a + b) + (c + d)) + ((e + f) + (g + h)), |sum, value| sum + value)
        }
        length => {
            let (first, second) = values.split_at(length / 2 / 8 * 8);
            pairwise_sum(first) + pairwise_sum(second)
        }
    }
}
