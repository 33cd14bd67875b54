//! Runs that have learned nothing.

use rekindle_data::{Targets, Task};
use rekindle_encoders::EncoderConfig;
use rekindle_results::RunRecord;
use rekindle_train::{example_loss, task_of};

/// The fraction of the loss of the best constant prediction that a run must stay below on the test examples.
const MARGIN: f64 = 0.95;

/// Returns whether a run has learned nothing: its loss is no better than that of the best constant prediction, neither on the
/// training examples (in the epoch whose model was tested) nor on the test examples. An overfitted run has a low training loss. A
/// run without epochs is a fit to the end, and never undertrained.
///
/// The loss on the test examples must be better by 5 %, because that of a random head may be a little better by chance. The
/// training loss is the mean over an epoch, in which a run with a single epoch learns.
///
/// The constant prediction has the frequencies of the classes or labels, or the mean of the numbers; `weights` multiply the
/// losses of the classes in training.
pub(crate) fn is_undertrained(
    record: &RunRecord,
    train: &Targets,
    test: &Targets,
    weights: Option<&[f64]>,
    config: &EncoderConfig,
) -> bool {
    let Some(tested) = record.epochs.iter().find(|epoch| epoch.epoch == record.best_epoch) else { return false };
    let task = task_of(&config.problem);
    let loss = |of: &Targets, weights| constant_loss(task, train, of, weights, config.num_labels());
    tested.train_loss >= loss(train, weights) && record.loss >= MARGIN * loss(test, None)
}

/// Returns the loss of the best constant prediction for `train` on `test`.
fn constant_loss(task: Task, train: &Targets, test: &Targets, weights: Option<&[f64]>, outputs: usize) -> f64 {
    let weight = |class: usize| weights.map_or(1.0, |weights| weights[class]);
    let rows = train.len() as f64;
    let logits: Vec<f32> = match train {
        Targets::Classes(classes) => {
            let mut frequencies = vec![0.0; outputs];
            classes.iter().for_each(|&class| frequencies[class] += weight(class));
            let all: f64 = frequencies.iter().sum();
            frequencies.iter().map(|frequency| (frequency / all).max(f64::MIN_POSITIVE).ln() as f32).collect()
        }
        Targets::Labels { values, labels } => {
            let count = |label: usize| values.iter().skip(label).step_by(*labels).filter(|has| **has).count() as f64;
            // A weighted label is predicted as if it occurred that much more often.
            let odds = |label: usize| weight(label) * count(label) / (rows - count(label)).max(f64::MIN_POSITIVE);
            (0..*labels).map(|label| odds(label).max(f64::MIN_POSITIVE).ln() as f32).collect()
        }
        Targets::Values(values) => vec![(values.iter().sum::<f64>() / rows) as f32],
    };
    let losses = (0..test.len()).map(|row| {
        let target = test.get(row);
        let weight = target.class().map_or(1.0, weight);
        (weight * example_loss(task, &logits, &target), weight)
    });
    let (sum, weights) = losses.fold((0.0, 0.0), |(sum, weights), (loss, weight)| (sum + loss, weights + weight));
    sum / weights
}

#[cfg(test)]
mod tests {
    use rekindle_results::EpochRecord;
    use rekindle_train::problem_of;

    use super::*;

    fn undertrained(task: Task, [train_loss, loss]: [f64; 2], targets: [Targets; 2], weights: Option<&[f64]>) -> bool {
        let mut record = RunRecord::default();
        (record.best_epoch, record.loss) = (2, loss);
        let epoch = |epoch, loss| EpochRecord::new(epoch, loss, 0.0, None, None);
        record.epochs = vec![epoch(1, 0.0), epoch(2, train_loss)];
        let outputs = if task == Task::Regression { 1 } else { 2 };
        let labels = (0..outputs).map(|label| label.to_string());
        let config = EncoderConfig::default().with_labels(labels).with_problem(problem_of(task));
        let [train, test] = targets;
        is_undertrained(&record, &train, &test, weights, &config)
    }

    #[test]
    fn a_run_is_undertrained_if_both_losses_are_no_better_than_those_of_the_majority() {
        // Frequencies 3/4 and 1/4: 0.5623 on the training examples; ln 2 with balanced weights; 0.8370 on the test examples,
        // of which 95 % are 0.7951.
        let undertrained = |train_loss: f64, loss: f64, weights: Option<&[f64]>| {
            let targets = [Targets::Classes(vec![0, 0, 0, 1]), Targets::Classes(vec![0, 1])];
            undertrained(Task::SingleLabel, [train_loss, loss], targets, weights)
        };
        assert!(undertrained(0.563, 0.838, None) && undertrained(0.563, 0.796, None));
        assert!(!undertrained(0.562, 0.838, None), "overfitted");
        assert!(!undertrained(0.563, 0.795, None), "learned within its only epoch");
        assert!(undertrained(0.694, 0.838, Some(&[0.5, 1.5])));
        assert!(!undertrained(0.692, 0.838, Some(&[0.5, 1.5])));
    }

    #[test]
    fn several_labels_and_numbers_have_a_constant_prediction_too() {
        // Rates 1/2 and 1/4: the mean of ln 2 and 0.5623 is 0.6277.
        let rows = vec![true, false, true, false, false, true, false, false];
        let labels = || Targets::Labels { values: rows.clone(), labels: 2 };
        let of_labels = |loss: f64| undertrained(Task::MultiLabel, [loss; 2], [labels(), labels()], None);
        assert!(of_labels(0.628) && !of_labels(0.59));
        // The mean of 1 and 3 has the squared error 1.
        let values = || Targets::Values(vec![1.0, 3.0]);
        let of_values = |loss: f64| undertrained(Task::Regression, [loss; 2], [values(), values()], None);
        assert!(of_values(1.01) && !of_values(0.94));
    }
}
