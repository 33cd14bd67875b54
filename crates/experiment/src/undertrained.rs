//! Runs that have learned nothing.

use rekindle_results::RunRecord;

/// The fraction of the majority's loss that a run must stay below on the test examples.
const MARGIN: f64 = 0.95;

/// Returns whether a run has learned nothing: its loss is no better than that of the majority class, neither on the training
/// examples (in the epoch whose model was tested) nor on the test examples. An overfitted run has a low training loss. A run
/// without epochs is a fit to the end, and never undertrained.
///
/// The loss on the test examples must be better by 5 %, because that of a random head may be a little better by chance. The
/// training loss is the mean over an epoch, in which a run with a single epoch learns.
///
/// The majority baseline predicts the frequencies of the classes, which `weights` multiply in the training loss.
pub(crate) fn is_undertrained(
    record: &RunRecord,
    train: &[usize],
    test: &[usize],
    weights: Option<&[f64]>,
    classes: usize,
) -> bool {
    let Some(tested) = record.epochs.iter().find(|epoch| epoch.epoch == record.best_epoch) else { return false };
    let learned = tested.train_loss < majority_loss(train, train, weights, classes);
    !learned && record.loss >= MARGIN * majority_loss(train, test, None, classes)
}

/// Returns the loss of the class frequencies among `train` on `test`, in nats.
fn majority_loss(train: &[usize], test: &[usize], weights: Option<&[f64]>, classes: usize) -> f64 {
    let weight = |label: usize| weights.map_or(1.0, |weights| weights[label]);
    let mut frequencies = vec![0.0; classes];
    train.iter().for_each(|&label| frequencies[label] += weight(label));
    let all: f64 = frequencies.iter().sum();
    let losses: f64 = test.iter().map(|&label| -weight(label) * (frequencies[label] / all).ln()).sum();
    losses / test.iter().map(|&label| weight(label)).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use rekindle_results::EpochRecord;

    use super::*;

    #[test]
    fn a_run_is_undertrained_if_both_losses_are_no_better_than_those_of_the_majority() {
        // Frequencies 3/4 and 1/4: 0.5623 on the training examples; ln 2 with balanced weights; 0.8370 on the test examples,
        // of which 95 % are 0.7951.
        let (train, test) = ([0, 0, 0, 1], [0, 1]);
        let undertrained = |train_loss: f64, loss: f64, weights: Option<&[f64]>| {
            let mut record = RunRecord::default();
            (record.best_epoch, record.loss) = (2, loss);
            let epoch = |epoch, loss| EpochRecord::new(epoch, loss, 0.0, 0.0, 0.0);
            record.epochs = vec![epoch(1, 0.0), epoch(2, train_loss)];
            is_undertrained(&record, &train, &test, weights, 2)
        };
        assert!(undertrained(0.563, 0.838, None) && undertrained(0.563, 0.796, None));
        assert!(!undertrained(0.562, 0.838, None), "overfitted");
        assert!(!undertrained(0.563, 0.795, None), "learned within its only epoch");
        assert!(undertrained(0.694, 0.838, Some(&[0.5, 1.5])));
        assert!(!undertrained(0.692, 0.838, Some(&[0.5, 1.5])));
    }
}
