//! Combinations of options that cannot be honoured. They are errors before anything is loaded, because an option without
//! effect gives results that are not what the user asked for.

use std::collections::BTreeSet;

use rekindle::data::Task;
use rekindle::experiment::{Approach, FrozenPrecision, TrainingOption};
use rekindle::train::SchedulerType;

use super::args::ExperimentArgs;
use crate::exit::Failure;
use crate::options::backend::Backend;

/// Checks that every given option has an effect.
///
/// clap checks pairs that exclude each other (`conflicts_with`). Options that need another one are checked here: clap
/// drops a `requires` without a message if the required option is excluded.
///
/// # Errors
/// Returns an error that names the option and what it needs.
pub fn check(args: &ExperimentArgs, approaches: &[Approach]) -> Result<(), Failure> {
    let has_file = args.data().is_some() || args.train.is_some();
    let is_split = args.validation.is_some() || args.validation_size.is_some();
    let needs = [
        (args.train.is_some() && args.test.is_none(), "--train: needs --test; to split one file, use --data"),
        (args.test.is_some() && !has_file, "--test: needs a file to train on; add --data or --train"),
        (args.validation.is_some() && !has_file, "--validation: needs a file to train on; add --data or --train"),
        (
            args.frozen_precision == FrozenPrecision::Bf16 && args.engine.backend != Backend::Flex,
            "--frozen-precision bf16: only --backend flex stores weights in bf16",
        ),
        (args.zip_models && !args.save_models, "--zip-models: needs --save-models"),
        (
            args.label_issue_filter.is_some() && args.folds.is_none(),
            "--label-issue-filter: needs --folds, so that every example is tested by a model that was not trained on it",
        ),
        (
            args.drop_label_issues.is_some() && !has_file,
            "--drop-label-issues: needs a file to train on; add --data or --train",
        ),
        (args.repeats > 1 && args.folds.is_none(), "--repeats: needs --folds, the number of folds per repeat"),
        (
            args.repeats > 1 && args.groups.time_column.is_some(),
            "--repeats: folds by time (--time-column) are always the same; add --seeds to repeat the training",
        ),
        (
            args.metric_for_best_model.is_some() && !is_split,
            "--metric-for-best-model: no validation examples, and the test examples must not select the best epoch; \
             add --validation-size or --validation",
        ),
        (
            args.early_stopping_patience.is_some() && !is_split,
            "--early-stopping-patience: no validation examples, and the test examples must not stop the training; add \
             --validation-size or --validation",
        ),
    ];
    if let Some((_, reason)) = needs.iter().find(|(is_missing, _)| *is_missing) {
        return Err(Failure::usage(reason));
    }
    has_effect(args, approaches)?;
    held_out(args, approaches, is_split)?;
    if let Some(option) = args.data_file.given().or(args.labels.given()).or(args.groups.given()).filter(|_| !has_file) {
        return Err(Failure::usage(format!("{option}: needs a file to read; add --data or --train")));
    }
    distinct("--seeds", args.seeds.iter().map(u32::to_string))?;
    distinct("--sizes", args.sizes.iter().map(|size| size.0.map_or("all".into(), |size| size.to_string())))
}

/// Checks that the examples have labels that options about label errors are for.
///
/// # Errors
/// Returns an error that names the option and the task.
pub fn check_labels(args: &ExperimentArgs, task: Task) -> Result<(), Failure> {
    let given = [
        ("--label-issue-filter", args.label_issue_filter.is_some()),
        ("--drop-label-issues", args.drop_label_issues.is_some()),
    ];
    match given.into_iter().find(|(_, is_given)| *is_given && !task.has_classes()) {
        Some((option, _)) => Err(Failure::usage(format!("{option}: needs one class per text, and the task is {task}"))),
        None => Ok(()),
    }
}

/// Checks that one of the approaches has each given option of the training.
fn has_effect(args: &ExperimentArgs, approaches: &[Approach]) -> Result<(), Failure> {
    let given = [
        ("--epochs", args.epochs.is_some(), TrainingOption::Epochs),
        ("--learning-rate", args.learning_rate.is_some(), TrainingOption::LearningRate),
        ("--lr-scheduler-type", args.lr_scheduler_type != SchedulerType::Linear, TrainingOption::LearningRate),
        ("--warmup-steps", args.warmup_steps > 0.0, TrainingOption::LearningRate),
        ("--gradient-accumulation-steps", args.gradient_accumulation_steps > 1, TrainingOption::GradientAccumulation),
        ("--metric-for-best-model", args.metric_for_best_model.is_some(), TrainingOption::BestEpoch),
        ("--early-stopping-patience", args.early_stopping_patience.is_some(), TrainingOption::BestEpoch),
    ];
    // An approach that names its own value does not have that of the option.
    for (name, is_given, option, key) in [
        ("--epochs", args.epochs.is_some(), TrainingOption::Epochs, ":epochs="),
        ("--learning-rate", args.learning_rate.is_some(), TrainingOption::LearningRate, ":lr="),
    ] {
        let mut users = approaches.iter().filter(|approach| approach.has_option(option)).peekable();
        if is_given && users.peek().is_some() && users.all(|approach| approach.spec.contains(key)) {
            return Err(Failure::usage(format!("{name}: each of the --approaches that has it names its own")));
        }
    }
    let is_unused = |option| !approaches.iter().any(|approach| approach.has_option(option));
    let Some((name, _, option)) = given.into_iter().find(|(_, is_given, option)| *is_given && is_unused(*option))
    else {
        return Ok(());
    };
    let reason = match option {
        TrainingOption::Epochs => "trains in epochs",
        TrainingOption::LearningRate => "has a learning rate",
        TrainingOption::GradientAccumulation => "accumulates gradients; contrastive needs all pairs of a batch at once",
        _ => "selects an epoch",
    };
    Err(Failure::usage(format!("{name}: none of the --approaches {reason}")))
}

/// Checks that what is chosen on held-out examples has some.
fn held_out(args: &ExperimentArgs, approaches: &[Approach], is_split: bool) -> Result<(), Failure> {
    let given = [
        ("--calibrate", args.calibrate.is_some()),
        ("--cost", args.cost.is_some()),
        ("--f-beta", args.f_beta.is_some()),
    ];
    let Some((option, _)) = given.into_iter().find(|(_, is_given)| *is_given) else { return Ok(()) };
    match approaches.iter().find(|approach| !is_split && args.calibration_folds.is_none() && !approach.is_quick()) {
        None => Ok(()),
        Some(approach) => Err(Failure::usage(format!(
            "{option}: no validation examples for {approach}, and the test examples must choose nothing; add \
             --validation-size, or --calibration-folds 5, which trains it five more times"
        ))),
    }
}

/// Checks that a list names nothing twice: the repetition would be computed again, or counted once.
fn distinct(option: &str, values: impl Iterator<Item = String>) -> Result<(), Failure> {
    let mut seen = BTreeSet::new();
    for value in values {
        if !seen.insert(value.clone()) {
            return Err(Failure::usage(format!("{option}: {value} is given twice")));
        }
    }
    Ok(())
}
