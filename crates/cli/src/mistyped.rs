//! Suggestions for options and commands of other programs. clap suggests what is spelled alike, which is something else.

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, Error, ErrorKind};

use crate::terminal::fitted_error;

/// Options of transformers, SetFit, scikit-learn and PyTorch's examples, and ours.
const OPTIONS: &[(&[&str], &str)] = &[
    (&["lr", "rate", "learning-rate"], "--learning-rate"),
    (&["num-train-epochs", "num-epochs", "epoch"], "--epochs"),
    (&["max-steps", "num-steps"], "--steps"),
    (&["per-device-train-batch-size", "train-batch-size", "batch", "bs"], "--batch-size"),
    (&["grad-accum", "gradient-accumulation"], "--gradient-accumulation-steps"),
    (&["model-name-or-path", "model-name", "base-model", "checkpoint", "pretrained"], "--model"),
    (&["output-dir", "out", "out-dir", "save-dir"], "--output"),
    (&["train-file", "training", "train-data"], "--train"),
    (&["test-file", "test-data"], "--test"),
    (&["validation-file", "eval-file", "eval", "dev", "val"], "--validation"),
    (&["train-file", "input", "file", "dataset", "dataset-name", "csv"], "--data"),
    (&["val-size", "eval-size", "dev-size"], "--validation-size"),
    (&["max-seq-length", "max-seq-len", "max-len", "seq-length"], "--max-length"),
    (&["text-column-name", "text-col", "text-field", "sentence-column"], "--text-column"),
    (&["label-column-name", "label-col", "label-field", "target", "target-column", "labels"], "--label-column"),
    (&["cv", "k", "kfold", "k-fold", "n-splits"], "--folds"),
    (&["approach", "method", "methods", "strategy"], "--approaches"),
    (&["scheduler", "lr-scheduler"], "--lr-scheduler-type"),
    (&["warmup", "warmup-ratio"], "--warmup-steps"),
    (&["patience"], "--early-stopping-patience"),
    (&["save-steps", "save-strategy"], "--checkpoint-every"),
    (&["resume-from-checkpoint", "continue"], "--resume"),
    (&["local-files-only"], "--offline"),
    (&["device", "gpu"], "--backend"),
    (&["random-state", "random-seed"], "--seed"),
    (&["vocab-size"], "--size"),
    (&["top", "topk", "k"], "--top-k"),
];

/// Commands of other programs, and what does the same here.
const COMMANDS: &[(&[&str], &str)] = &[
    (
        &["train", "training", "finetune", "fine-tune"],
        "`rekindle experiment` trains classifiers on labelled texts, and `rekindle fit` the best one that it finds; `rekindle \
         pretrain` trains an encoder on plain text",
    ),
    (
        &["eval", "test", "score", "benchmark", "cv", "cross-validate", "run"],
        "`rekindle evaluate` tests a trained model; `rekindle experiment` trains and tests, and its --folds cross-validates",
    ),
    (&["classify", "infer", "inference", "generate"], "`rekindle predict` classifies texts with a trained model"),
    (&["active-learning", "active", "query", "annotate", "next"], "`rekindle suggest` suggests what to label next"),
    (&["stats", "profile", "describe", "inspect", "info", "dataset"], "`rekindle data` profiles a file"),
    (&["report", "results", "diff"], "`rekindle compare` shows the results of experiments"),
    (&["embed", "embeddings", "encode", "extract"], "`rekindle features` computes the features of texts"),
    (&["tokenizer", "tokenize", "train-tokenizer"], "`rekindle vocab` learns a vocabulary"),
    (
        &["mlm", "mask", "unmask"],
        "`rekindle pretrain` trains with masked language modelling; `rekindle fill-mask` predicts",
    ),
    (&["serve", "server", "worker"], "`rekindle host` offers this machine's devices to other machines"),
    (&["backends", "gpus"], "`rekindle devices` lists backends and devices"),
];

/// Replaces the suggestion of an error about an unknown option or command, where one of ours is meant.
pub fn improve(mut error: Error, command: &clap::Command, mut arguments: impl Iterator<Item = String>) -> Error {
    match (error.kind(), error.get(ContextKind::InvalidArg), error.get(ContextKind::InvalidSubcommand)) {
        (ErrorKind::UnknownArgument, Some(ContextValue::String(given)), _) => {
            let Some(command) = arguments.find_map(|name| command.find_subcommand(name)) else { return error };
            let Some(option) = option(command, given) else { return error };
            match option {
                Some(option) => error.insert(ContextKind::SuggestedArg, ContextValue::String(option)),
                // What is spelled alike means something else.
                None => error.remove(ContextKind::SuggestedArg),
            };
            // clap's names the option that it suggests.
            let usage = command.clone().bin_name(format!("rekindle {}", command.get_name())).render_usage();
            error.insert(ContextKind::Usage, ContextValue::StyledStr(usage));
        }
        (ErrorKind::InvalidSubcommand, _, Some(ContextValue::String(given))) => {
            if let Some(tip) = meant(COMMANDS, &given.to_lowercase().replace('_', "-")) {
                error.remove(ContextKind::SuggestedSubcommand);
                error.insert(
                    ContextKind::Suggested,
                    ContextValue::StyledStrs(vec![StyledStr::from(fitted_error(tip, "  tip: ".len()))]),
                );
            }
        }
        _ => {}
    }
    error
}

/// The option of a command that is meant by the name of another program's: `None` if the name is unknown, `Some(None)` if
/// the command has no such option.
fn option(command: &clap::Command, given: &str) -> Option<Option<String>> {
    let has = |option: &str| command.get_arguments().any(|arg| arg.get_long() == option.strip_prefix("--"));
    let name = given.trim_start_matches('-').split('=').next()?.to_lowercase().replace('_', "-");
    let same = Some(format!("--{name}")).filter(|option| has(option));
    let mut known = OPTIONS.iter().filter(|(names, _)| names.contains(&name.as_str())).peekable();
    let is_known = same.is_some() || known.peek().is_some();
    is_known.then(|| same.or_else(|| known.map(|(_, option)| (*option).to_owned()).find(|option| has(option))))
}

fn meant(table: &[(&[&str], &'static str)], given: &str) -> Option<&'static str> {
    table.iter().find(|(names, _)| names.contains(&given)).map(|(_, ours)| *ours)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(arguments: &[&str]) -> String {
        let arguments = ["rekindle"].iter().chain(arguments).map(|argument| (*argument).to_owned());
        let error = crate::command().try_get_matches_from(arguments.clone()).expect_err("unknown");
        improve(error, &crate::command(), arguments).to_string()
    }

    #[test]
    fn options_of_other_programs_are_understood() {
        for (arguments, expected) in [
            (&["experiment", "--num_train_epochs", "3"][..], "'--epochs'"),
            (&["pretrain", "--lr", "1e-3"], "'--learning-rate'"),
            (&["experiment", "--batch_size=8"], "'--batch-size'"),
            (&["experiment", "--output-dir", "out"], "'--output'"),
            (&["experiment", "--max_seq_length", "64"], "'--max-length'"),
            (&["experiment", "--resume_from_checkpoint"], "'--resume'"),
            (&["predict", "--input_file", "x"], "'--input'"),
        ] {
            let message = message(arguments);
            assert!(message.contains(expected), "{arguments:?}: {message}");
        }
    }

    #[test]
    fn commands_of_other_programs_are_understood() {
        for (name, expected) in
            [("train", "rekindle experiment"), ("fine_tune", "rekindle pretrain"), ("embed", "rekindle features")]
        {
            let message = message(&[name]);
            assert!(message.contains(expected) && !message.contains("similar"), "{message}");
        }
        assert!(message(&["experimnt"]).contains("'experiment'"), "clap's own suggestion");
    }

    #[test]
    fn every_suggested_option_exists() {
        let command = crate::command();
        for (_, option) in OPTIONS {
            let has = |command: &clap::Command| {
                command.get_arguments().any(|arg| arg.get_long() == option.strip_prefix("--"))
            };
            assert!(command.get_subcommands().any(has), "{option}");
        }
    }
}
