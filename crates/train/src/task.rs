//! What the kind of label means for a training: its loss, and the loss and the prediction of an evaluated example.

use burn::tensor::activation::{log_softmax, softmax};
use burn::tensor::{Int, Tensor, TensorData};
use rekindle_checkpoint::{Problem, ProblemType};
use rekindle_data::{Target, Targets, Task};
use rekindle_metrics::{TargetKind, argmax, probabilities, sigmoid};

/// The power of the distance between two classes in the ordinal log loss.
const ORDINAL_POWER: f64 = 1.5;
/// Added to the probabilities of which the ordinal log loss takes the logarithm.
const TINY: f64 = 1e-7;

/// Returns the task that the outputs of a head are trained for.
pub fn task_of(problem: &Problem) -> Task {
    match problem.problem_type {
        Some(ProblemType::MultiLabelClassification) => Task::MultiLabel,
        Some(ProblemType::Regression) => Task::Regression,
        _ if problem.ordinal => Task::Ordinal,
        _ => Task::SingleLabel,
    }
}

/// Returns what is predicted for a task, which decides what metrics are defined.
pub fn target_kind(task: Task) -> TargetKind {
    match task {
        Task::SingleLabel => TargetKind::Class,
        Task::Ordinal => TargetKind::OrderedClass,
        Task::MultiLabel => TargetKind::Labels,
        Task::Regression => TargetKind::Value,
    }
}

/// Returns what a configuration says of a task: nothing for classes, whose outputs need no mention.
pub fn problem_of(task: Task) -> Problem {
    let problem_type = match task {
        Task::MultiLabel => Some(ProblemType::MultiLabelClassification),
        Task::Regression => Some(ProblemType::Regression),
        Task::SingleLabel | Task::Ordinal => None,
    };
    Problem { problem_type, ordinal: task == Task::Ordinal, ..Problem::default() }
}

/// Returns the mean loss of `[examples, outputs]` logits, `[1]`, as transformers computes it for the task: the cross-entropy for
/// classes, the binary cross-entropy over all labels for several, the squared error for a number. Ordered classes have the
/// ordinal log loss.
///
/// `weights` are those of the classes, by which the mean is weighted; or those of the positive examples of each label, as
/// `pos_weight` of PyTorch's `BCEWithLogitsLoss`.
pub(crate) fn loss(task: Task, logits: Tensor<2>, targets: &Targets, weights: Option<&[f64]>) -> Tensor<1> {
    match targets {
        Targets::Labels { values, labels } => binary_cross_entropy(logits, values, *labels, weights),
        Targets::Values(values) => squared_error(logits, values),
        Targets::Classes(classes) if task == Task::Ordinal => {
            weighted_mean(ordinal_log_losses(logits, classes), classes, weights)
        }
        Targets::Classes(classes) => weighted_mean(cross_entropies(logits, classes), classes, weights),
    }
}

/// Returns the mean of losses per example, `[examples, 1]`, weighted by the classes if they have weights.
fn weighted_mean(losses: Tensor<2>, classes: &[usize], weights: Option<&[f64]>) -> Tensor<1> {
    let Some(weights) = weights else { return losses.mean() };
    let weights: Vec<f32> = classes.iter().map(|&class| weights[class] as f32).collect();
    let sum: f32 = weights.iter().sum();
    let weights = constant(weights, [classes.len(), 1], &losses);
    (losses * weights).sum().div_scalar(sum)
}

/// Returns a tensor without derivative beside another.
fn constant(values: Vec<f32>, shape: [usize; 2], beside: &Tensor<2>) -> Tensor<2> {
    Tensor::from_data(TensorData::new(values, shape), &beside.device().without_autodiff())
}

/// Returns the cross-entropy of each example, `[examples, 1]`.
pub(crate) fn cross_entropies(logits: Tensor<2>, classes: &[usize]) -> Tensor<2> {
    let device = logits.device().without_autodiff();
    let indices: Vec<i32> = classes.iter().map(|&class| class as i32).collect();
    let indices = Tensor::<2, Int>::from_data(TensorData::new(indices, [classes.len(), 1]), &device);
    log_softmax(logits, 1).gather(1, indices).neg()
}

/// Returns the ordinal log loss of each example, `[examples, 1]`: the sum of -log(1 - p) over the wrong classes, weighted by a
/// power of their distance (Castagnos, Mihelich and Dognin, 2022, "A Simple Log-based Loss Function for Ordinal Text
/// Classification").
fn ordinal_log_losses(logits: Tensor<2>, classes: &[usize]) -> Tensor<2> {
    let [examples, outputs] = logits.dims();
    let distances = classes.iter().flat_map(|&class| (0..outputs).map(move |other| distance(class, other) as f32));
    let distances = constant(distances.collect(), [examples, outputs], &logits);
    let wrong = softmax(logits, 1).neg().add_scalar(1.0 + TINY).log();
    (wrong * distances).sum_dim(1).neg()
}

fn distance(class: usize, other: usize) -> f64 {
    (class.abs_diff(other) as f64).powf(ORDINAL_POWER)
}

/// Returns the mean binary cross-entropy over examples and labels, by the formula of PyTorch, which does not overflow.
fn binary_cross_entropy(logits: Tensor<2>, truth: &[bool], labels: usize, weights: Option<&[f64]>) -> Tensor<1> {
    let shape = [truth.len() / labels.max(1), labels];
    let truth_values = truth.iter().map(|&value| f32::from(u8::from(value))).collect();
    let truth_values = constant(truth_values, shape, &logits);
    // log(1 + exp(-x)) = log(1 + exp(-|x|)) + max(-x, 0)
    let negative = logits.clone().neg().clamp_min(0.0);
    let softplus = logits.clone().abs().neg().exp().add_scalar(1.0).log() + negative;
    let softplus = match weights {
        None => softplus,
        Some(weights) => {
            let factors = truth.iter().enumerate().map(
                |(place, &value)| {
                    if value { weights[place % labels] as f32 } else { 1.0 }
                },
            );
            let factors: Vec<f32> = factors.collect();
            softplus * constant(factors, shape, &logits)
        }
    };
    (truth_values.neg().add_scalar(1.0) * logits + softplus).mean()
}

/// Returns the mean squared error.
fn squared_error(logits: Tensor<2>, values: &[f64]) -> Tensor<1> {
    let values = constant(values.iter().map(|&value| value as f32).collect(), [values.len(), 1], &logits);
    let errors = logits - values;
    (errors.clone() * errors).mean()
}

/// Returns the loss of one example without weights, in double precision.
pub fn example_loss(task: Task, logits: &[f32], target: &Target) -> f64 {
    match target {
        Target::Labels(labels) => {
            let softplus = |x: f64| x.max(0.0) + (-x.abs()).exp().ln_1p();
            let losses = logits.iter().zip(labels).map(|(&logit, &truth)| {
                let logit = f64::from(logit);
                softplus(logit) - if truth { logit } else { 0.0 }
            });
            losses.sum::<f64>() / labels.len() as f64
        }
        Target::Value(value) => {
            let error = f64::from(logits.first().copied().unwrap_or_default()) - value;
            error * error
        }
        Target::Class(class) if task == Task::Ordinal => {
            let wrong = probabilities(logits).into_iter().enumerate();
            wrong.map(|(other, p)| -(1.0 - p + TINY).ln() * distance(*class, other)).sum()
        }
        Target::Class(class) => cross_entropy(logits, *class),
    }
}

fn cross_entropy(row: &[f32], label: usize) -> f64 {
    let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = row.iter().map(|value| f64::from(value - largest).exp()).sum();
    sum.ln() - f64::from(row[label] - largest)
}

/// Returns what the logits of one example predict: the class with the largest logit, or of two classes the second one if its
/// probability reaches its threshold; the labels whose probability reaches their threshold; or the number.
pub fn predicted(problem: &Problem, logits: &[f32]) -> Target {
    match task_of(problem) {
        Task::MultiLabel => {
            let reaches = |(label, &logit): (usize, &f32)| sigmoid(f64::from(logit)) as f32 >= problem.threshold(label);
            Target::Labels(logits.iter().enumerate().map(reaches).collect())
        }
        Task::Regression => Target::Value(logits.first().copied().map_or(0.0, f64::from)),
        _ if logits.len() == 2 && !problem.thresholds.is_empty() => {
            Target::Class(usize::from(probabilities(logits)[1] as f32 >= problem.threshold(1)))
        }
        Task::SingleLabel | Task::Ordinal => Target::Class(argmax(logits)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_by_hand() {
        let class = |logits: &[f32], class| example_loss(Task::SingleLabel, logits, &Target::Class(class));
        assert!((class(&[0.0, 0.0], 1) - std::f64::consts::LN_2).abs() < 1e-12);
        assert!((class(&[1000.0, 0.0], 1) - 1000.0).abs() < 1e-9);
        let labels = Target::Labels([true, false].into());
        let loss = example_loss(Task::MultiLabel, &[1000.0, -1000.0], &labels);
        assert_eq!(loss, 0.0);
        assert!((example_loss(Task::MultiLabel, &[-1000.0, 0.0], &labels) - (1000.0 + 2f64.ln()) / 2.0).abs() < 1e-9);
        assert_eq!(example_loss(Task::Regression, &[2.5], &Target::Value(1.0)), 2.25);
        // Equal probabilities of three classes: log(2/3) once with distance 1 and once with distance 2.
        let ordinal = example_loss(Task::Ordinal, &[0.0; 3], &Target::Class(0));
        assert!((ordinal + (2.0f64 / 3.0).ln() * (1.0 + 2f64.powf(1.5))).abs() < 1e-6, "{ordinal}");
    }

    #[test]
    fn predictions_by_task() {
        let several = Problem { thresholds: vec![0.2, 0.5], ..problem_of(Task::MultiLabel) };
        assert_eq!(predicted(&several, &[-1.0, -0.1]), Target::Labels([true, false].into()));
        let two = Problem { thresholds: vec![0.8, 0.2], ..problem_of(Task::SingleLabel) };
        assert_eq!([0.0, -2.0].map(|logit| predicted(&two, &[0.0, logit])), [Target::Class(1), Target::Class(0)]);
        assert_eq!(predicted(&problem_of(Task::Ordinal), &[0.0, 2.0, 1.0]), Target::Class(1));
        assert_eq!(predicted(&problem_of(Task::Regression), &[0.25]), Target::Value(0.25));
        for task in Task::ALL {
            assert_eq!(task_of(&problem_of(task)), task);
        }
    }
}
