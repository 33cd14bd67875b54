//! The commands: a file for each, with its options and what it does.

pub mod compare;
pub mod data;
pub mod devices;
pub mod experiment;
pub mod features;
pub mod fill_mask;
pub mod host;
pub mod predict;
pub mod pretrain;
pub mod vocab;

use std::time::Instant;

use clap::Subcommand;

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Look at labelled sentences before training on them: classes, lengths, repeats, contradictions, leaks.
    Data(data::DataArgs),
    /// Train in several ways (the base frozen, the last layer free…), compare them, and pack the results.
    Experiment(Box<experiment::ExperimentArgs>),
    /// Lay the results of experiments side by side: what differs between them, and what each came to.
    Compare(compare::CompareArgs),
    /// Classify texts with a trained model: a JSON line for each.
    Predict(predict::PredictArgs),
    /// Learn a lower-case WordPiece vocabulary from plain text.
    Vocab(vocab::VocabArgs),
    /// Train a masked-language model on plain text: a new one, or on from a checkpoint.
    Pretrain(pretrain::PretrainArgs),
    /// Compute what a frozen base makes of each text, in shards on disk.
    Features(features::FeaturesArgs),
    /// Guess the word behind each [MASK]: a JSON line for each text.
    FillMask(fill_mask::FillMaskArgs),
    /// List the backends that were compiled in, and the devices they find; with --host, those of other machines.
    Devices(devices::DevicesArgs),
    /// Offer this machine's devices to experiments on other machines, until Ctrl-C.
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
            Self::Experiment(args) => experiment::run(args, began),
            Self::Compare(args) => compare::run(args),
            Self::Predict(args) => args.engine.backend.guard(|| predict::run(args)),
            Self::Vocab(args) => vocab::run(args),
            Self::Pretrain(args) => args.engine.backend.guard(|| pretrain::run(args, began)),
            Self::Features(args) => args.engine.backend.guard(|| features::run(args, began)),
            Self::FillMask(args) => args.engine.backend.guard(|| fill_mask::run(args)),
            Self::Devices(args) => devices::run(args),
            Self::Host(args) => host::run(args),
        }
    }
}
