//! The settings that a resumed computation compares, by the options that they come from.

use std::error::Error;

use rekindle::experiment::ExperimentError;
use rekindle::files::{Difference, Differences, FileError};
use rekindle::train::TrainError;

/// Returns how a message names a setting of the libraries.
fn name(setting: &str) -> String {
    let name = match setting {
        "texts_and_labels" => "the texts or labels (--data, --train, --test)",
        "tokens" => "the tokens (--max-length, --model)",
        "texts_xxh64" => "the texts (--data, --text-column, --text-pair-column)",
        "samples" => "the samples (--test-size, --folds, --seed, --drop-label-issues)",
        "data" => "the data (examples, labels, vocabulary or --max-length)",
        "examples" => "the number of examples",
        "baselines" => "the baselines",
        "rates" => "the learning rates and weight decays",
        "min_steps" => "the least number of steps",
        "num_train_epochs" => "--epochs",
        "max_steps" => "--steps",
        "per_device_train_batch_size" => "--batch-size",
        "candidates" => "the candidates (--approaches, --space)",
        "candidate_rates" => "the learning rates of the candidates",
        "budget" => "--budget or --runs",
        "threshold_rule" => "--cost or --f-beta",
        "approaches"
        | "backend"
        | "batch_size"
        | "calibrate"
        | "calibration_folds"
        | "class_weights"
        | "early_stopping_patience"
        | "frozen_dropout"
        | "frozen_precision"
        | "group_column"
        | "gradient_accumulation_steps"
        | "halving"
        | "inner_folds"
        | "learning_rate"
        | "long_texts"
        | "lr_scheduler_type"
        | "max_length"
        | "metric_for_best_model"
        | "mlm_probability"
        | "model"
        | "near_duplicates"
        | "precision"
        | "save_models"
        | "seed"
        | "seeds"
        | "shard_size"
        | "shuffle"
        | "sizes"
        | "symmetric"
        | "time_column"
        | "warmup_steps"
        | "weight_decay" => return format!("--{}", setting.replace('_', "-")),
        _ => setting,
    };
    name.into()
}

fn named(different: &Differences) -> Differences {
    let named = |one: &Difference| Difference { name: name(&one.name), values: one.values.clone() };
    Differences(different.0.iter().map(named).collect())
}

/// Returns the message of an error that a new beginning avoids, with the option that prevents one.
fn begin_again(error: &impl Error) -> String {
    format!("{error}\nto begin again, run the command without --resume")
}

/// Returns the message of an error, in which settings have the names of options.
pub fn of_files(error: &FileError) -> String {
    match error {
        FileError::Settings { path, different } => {
            begin_again(&FileError::Settings { path: path.clone(), different: named(different) })
        }
        _ => error.to_string(),
    }
}

/// Returns the message of an error, in which settings have the names of options.
pub fn of_training(error: &TrainError) -> String {
    match error {
        TrainError::Settings { path, different } => {
            begin_again(&TrainError::Settings { path: path.clone(), different: named(different) })
        }
        _ => error.to_string(),
    }
}

/// Returns the message of an error, in which settings have the names of options.
pub fn of_experiment(error: &ExperimentError) -> String {
    match error {
        ExperimentError::File(error) => of_files(error),
        ExperimentError::StoredModel { .. } => begin_again(error),
        ExperimentError::Argument { argument, reason } => format!("{}: {reason}", name(argument)),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_named_by_their_options() {
        let values = Some(["3".to_owned(), "4".to_owned()]);
        let different = ["num_train_epochs", "warmup_steps", "dim"]
            .map(|name| Difference { name: name.into(), values: values.clone() });
        let error = FileError::Settings { path: "state".into(), different: Differences(different.into()) };
        let message = of_experiment(&error.into());
        assert!(message.contains("--epochs was 3, is 4; --warmup-steps was 3, is 4; dim was 3, is 4"), "{message}");
    }
}
