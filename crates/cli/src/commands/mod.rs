//! The commands: a file for each, with its options and what it does.

pub mod compare;
pub mod data;
pub mod devices;
pub mod evaluate;
pub mod experiment;
pub mod explain;
pub mod export;
pub mod features;
pub mod fill_mask;
pub mod fit;
pub mod host;
pub mod models;
pub mod plan;
pub mod predict;
pub mod pretrain;
#[cfg(feature = "serve")]
pub mod serve;
pub mod suggest;
pub mod tune;
pub mod vocab;

use std::time::Instant;

use clap::Subcommand;

use crate::exit::Failure;

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Profile labelled texts before training: classes, lengths, duplicates, conflicting labels, leakage.
    Data(data::DataArgs),
    /// Say before a run what its design can detect, how many examples are needed, and how long it takes.
    Plan(Box<plan::PlanArgs>),
    /// Train with several approaches, compare them, and write the results.
    Experiment(Box<experiment::ExperimentArgs>),
    /// Find a good model for labelled texts within a budget of time, and report its honest score.
    Fit(Box<fit::FitArgs>),
    /// Search for the best settings on inner folds of the training examples; the test examples only give the score.
    Tune(Box<tune::TuneArgs>),
    /// Compare the results of several experiments: the settings that differ, and the scores.
    Compare(compare::CompareArgs),
    /// Classify texts with a trained model; prints one JSON line per text.
    Predict(predict::PredictArgs),
    /// Test trained models on labelled texts: the scores of an experiment, without training.
    Evaluate(evaluate::EvaluateArgs),
    /// Suggest what to label next: texts that a trained model is uncertain of, and that differ.
    Suggest(suggest::SuggestArgs),
    /// Explain the prediction for a text: what each word adds to the score of a class.
    Explain(explain::ExplainArgs),
    /// Serve trained models over HTTP, with a JSON API and metrics, until Ctrl-C.
    #[cfg(feature = "serve")]
    Serve(serve::ServeArgs),
    /// Export a trained model as an ONNX file or a model folder, in f32 or with int8 weights.
    Export(export::ExportArgs),
    /// Learn a WordPiece vocabulary from plain text.
    Vocab(vocab::VocabArgs),
    /// Train a new model or a checkpoint on plain text with masked language modelling.
    Pretrain(pretrain::PretrainArgs),
    /// Compute the features of texts with a frozen encoder, in shards on disk.
    Features(features::FeaturesArgs),
    /// Predict the token behind each mask token; prints one JSON line per text.
    FillMask(fill_mask::FillMaskArgs),
    /// List the families of models: what each supports, and examples on the hub.
    Models(models::ModelsArgs),
    /// List the compiled backends and their devices; with --host, also those of other machines.
    Devices(devices::DevicesArgs),
    /// Offer this machine's devices to other machines, until Ctrl-C.
    Host(host::HostArgs),
}

impl Command {
    /// Runs the command; `began` is when the program started.
    ///
    /// # Errors
    /// Whatever stopped it.
    pub fn run(&self, began: Instant) -> Result<(), Failure> {
        match self {
            Self::Data(args) => data::run(args),
            Self::Plan(args) => plan::run(args, began),
            Self::Experiment(args) => experiment::run(args, began),
            Self::Fit(args) => fit::run(args, began),
            Self::Tune(args) => tune::run(args, began),
            Self::Compare(args) => compare::run(args),
            Self::Predict(args) => args.engine.backend.guard(|| predict::run(args)),
            Self::Evaluate(args) => args.engine.backend.guard(|| evaluate::run(args, began)),
            Self::Suggest(args) => args.engine.backend.guard(|| suggest::run(args)),
            Self::Explain(args) => args.engine.backend.guard(|| explain::run(args)),
            #[cfg(feature = "serve")]
            Self::Serve(args) => serve::run(args),
            Self::Export(args) => args.engine.backend.guard(|| export::run(args)),
            Self::Vocab(args) => vocab::run(args),
            Self::Pretrain(args) => args.engine.backend.guard(|| pretrain::run(args, began)),
            Self::Features(args) => args.engine.backend.guard(|| features::run(args, began)),
            Self::FillMask(args) => args.engine.backend.guard(|| fill_mask::run(args)),
            Self::Models(args) => models::run(args),
            Self::Devices(args) => devices::run(args),
            Self::Host(args) => host::run(args),
        }
    }
}
