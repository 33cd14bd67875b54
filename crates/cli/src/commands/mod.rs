//! The command line.

use std::path::PathBuf;

use clap::{ArgAction, ArgGroup, Args, Parser, Subcommand};

use crate::exit;
use crate::model::ModelChoice;

mod engine;
mod experiment;
mod features;

pub use engine::{EngineArgs, HostArgs, HostsArgs};
pub use experiment::{ExperimentArgs, Switch};
pub use features::FeaturesArgs;

/// Transfer learning for text classification.
#[derive(Debug, Parser)]
#[command(name = "rekindle", version, propagate_version = true, arg_required_else_help = true)]
// Ours instead: clap's own come first, before what a command can do.
#[command(disable_help_flag = true, disable_version_flag = true)]
#[command(after_help = EXAMPLES, after_long_help = format!("{EXAMPLES}\n\n{}", exit::CODES))]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Print help; with -h, a line for each option.
    #[arg(long, short, global = true, action = ArgAction::Help, help_heading = "Help")]
    help: Option<bool>,
    /// Print the version.
    #[arg(long, short = 'V', global = true, action = ArgAction::Version, help_heading = "Help")]
    version: Option<bool>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Look at labelled sentences before training on them: classes, lengths, repeats, contradictions, leaks.
    Data(DataArgs),
    /// Train in several ways (the base frozen, the last layer free…), compare them, and pack the results.
    Experiment(Box<ExperimentArgs>),
    /// Lay the results of experiments side by side: what differs between them, and what each came to.
    Compare(CompareArgs),
    /// Classify texts with a trained model: a JSON line for each.
    Predict(PredictArgs),
    /// Learn a lower-case WordPiece vocabulary from plain text.
    Vocab(VocabArgs),
    /// Train a masked-language model on plain text: a new one, or on from a checkpoint.
    Pretrain(PretrainArgs),
    /// Compute what a frozen base makes of each text, in shards on disk.
    Features(FeaturesArgs),
    /// Guess the word behind each [MASK]: a JSON line for each text.
    FillMask(FillMaskArgs),
    /// List the backends that were compiled in, and the devices they find; with --host, those of other machines.
    #[command(after_long_help = DEVICES_EXAMPLES)]
    Devices(HostsArgs),
    /// Offer this machine's devices to experiments on other machines, until Ctrl-C.
    Host(HostArgs),
}

/// The options of `rekindle data`.
#[derive(Args, Debug)]
#[command(after_long_help = DATA_EXAMPLES)]
pub struct DataArgs {
    /// Labelled sentences (CSV, TSV or JSONL, each also as .gz, or Parquet), of any size: they are read once, and not
    /// kept.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Labelled sentences to test on: whether they leak from the first file, and have labels that it lacks.
    #[arg(long, value_name = "FILE", help_heading = "Data")]
    pub test: Option<PathBuf>,
    /// The column that holds the text [default: text, or sentence].
    #[arg(long, value_name = "NAME", help_heading = "Data")]
    pub text_column: Option<String>,
    /// The column that holds the label [default: label].
    #[arg(long, value_name = "NAME", help_heading = "Data")]
    pub label_column: Option<String>,
    /// The files have no header: column 1 is the text, column 2 the label.
    #[arg(long, conflicts_with_all = ["text_column", "label_column"], help_heading = "Data")]
    pub no_header: bool,

    /// The checkpoint whose tokenizer counts: `auto`, `embedded`, a folder, or a hub id; as with `experiment`.
    #[arg(long, default_value = "auto", value_name = "auto|embedded|FOLDER|HUB_ID", help_heading = "Tokens")]
    pub model: ModelChoice,
    /// Ask no network: what is not in the cache is not to be had.
    #[arg(long, help_heading = "Tokens")]
    pub offline: bool,
    /// Tokens a sentence at most, `[CLS]` and `[SEP]` among them: how many would be cut off.
    #[arg(long, default_value_t = 64, value_name = "TOKENS", help_heading = "Tokens")]
    pub max_length: usize,

    /// Print one JSON object, shares between 0 and 1.
    #[arg(long, help_heading = "Output")]
    pub json: bool,
}

/// The options of `rekindle compare`.
#[derive(Args, Debug)]
#[command(after_long_help = COMPARE_EXAMPLES)]
pub struct CompareArgs {
    /// Output folders of `rekindle experiment`, or the files results.json in them.
    #[arg(required = true, value_name = "RUN")]
    pub runs: Vec<PathBuf>,
    /// Print the comparison as JSON.
    #[arg(long, help_heading = "Output")]
    pub json: bool,
}

/// The options of `rekindle predict`.
#[derive(Args, Debug)]
#[command(after_long_help = PREDICT_EXAMPLES)]
pub struct PredictArgs {
    /// Texts to classify. Without any, and without --input: the lines of standard input.
    #[arg(conflicts_with = "input")]
    pub text: Vec<String>,

    /// The trained model: a folder such as `--save-models` leaves, or a hub id.
    #[arg(long, value_name = "FOLDER|HUB_ID", help_heading = "Model")]
    pub model: ModelChoice,
    /// Ask no network: what is not in the cache is not to be had.
    #[arg(long, help_heading = "Model")]
    pub offline: bool,

    /// A file with a text a line; `-` is standard input.
    #[arg(long, value_name = "FILE", help_heading = "Texts")]
    pub input: Option<PathBuf>,
    /// Tokens a text at most; what is behind is cut off [default: all that the model has positions for].
    #[arg(long, value_name = "TOKENS", help_heading = "Texts")]
    pub max_length: Option<usize>,
    /// Texts computed together.
    #[arg(long, default_value_t = 8, value_name = "TEXTS", help_heading = "Texts")]
    pub batch_size: usize,
    #[command(flatten)]
    pub engine: EngineArgs,
}

/// The options of `rekindle vocab`.
#[derive(Args, Debug)]
#[command(after_long_help = VOCAB_EXAMPLES)]
pub struct VocabArgs {
    /// Text files to learn from.
    #[arg(long, value_name = "FILE", required = true, num_args = 1.., help_heading = "Data")]
    pub corpus: Vec<PathBuf>,
    /// Entries at most; special tokens and single characters are among them.
    #[arg(long, default_value_t = 8000, value_name = "ENTRIES", help_heading = "Data")]
    pub size: usize,
    /// Folder for tokenizer.json, tokenizer_config.json and vocab.txt.
    #[arg(long, short, value_name = "FOLDER", help_heading = "Output")]
    pub output: PathBuf,
}

/// The options of `rekindle pretrain`.
#[derive(Args, Debug)]
#[command(after_long_help = PRETRAIN_EXAMPLES, group = ArgGroup::new("start").required(true).args(["model", "vocab"]))]
pub struct PretrainArgs {
    /// Text files to learn from. Lines that follow each other share a sequence; a blank line ends it.
    #[arg(long, value_name = "FILE", required = true, num_args = 1.., help_heading = "Data")]
    pub corpus: Vec<PathBuf>,
    /// Tokens a sequence at most, `[CLS]` and `[SEP]` among them; a new model has as many positions.
    #[arg(long, default_value_t = 128, value_name = "TOKENS", help_heading = "Data")]
    pub max_length: usize,
    /// Percent of the sequences that are held out, to tell the loss on.
    #[arg(long, default_value_t = 5, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..100), help_heading = "Data")]
    pub validation_split_percentage: u8,

    /// Go on from this checkpoint: a folder, or a hub id.
    #[arg(long, value_name = "FOLDER|HUB_ID", help_heading = "Model")]
    pub model: Option<ModelChoice>,
    /// Ask no network: what is not in the cache is not to be had.
    #[arg(long, help_heading = "Model")]
    pub offline: bool,
    /// Begin with a new model for the tokenizer in this folder.
    #[arg(long, value_name = "FOLDER", help_heading = "Model")]
    pub vocab: Option<PathBuf>,
    /// Transformer layers of a new model.
    #[arg(long, default_value_t = 4, conflicts_with = "model", help_heading = "Model")]
    pub layers: usize,
    /// Width of its hidden states.
    #[arg(long, default_value_t = 256, conflicts_with = "model", help_heading = "Model")]
    pub dim: usize,
    /// Its attention heads; they divide the width.
    #[arg(long, default_value_t = 4, conflicts_with = "model", help_heading = "Model")]
    pub heads: usize,
    /// Width of its feed-forward blocks [default: four times --dim].
    #[arg(long, conflicts_with = "model", value_name = "WIDTH", help_heading = "Model")]
    pub hidden_dim: Option<usize>,

    /// Passes over the text.
    #[arg(long, default_value_t = 3, help_heading = "Training")]
    pub epochs: usize,
    /// Steps in all, whatever the epochs.
    #[arg(long, conflicts_with = "epochs", help_heading = "Training")]
    pub steps: Option<usize>,
    /// Sequences a step.
    #[arg(long, default_value_t = 32, value_name = "SEQUENCES", help_heading = "Training")]
    pub batch_size: usize,
    /// The highest rate; it falls linearly to 0.
    #[arg(long, default_value_t = 5e-4, value_name = "RATE", help_heading = "Training")]
    pub learning_rate: f64,
    /// Steps over which the rate rises from 0.
    #[arg(long, default_value_t = 0, value_name = "STEPS", help_heading = "Training")]
    pub warmup_steps: usize,
    /// Decoupled decay of all but biases and LayerNorms.
    #[arg(long, default_value_t = 0.01, value_name = "DECAY", help_heading = "Training")]
    pub weight_decay: f64,
    /// Share of the words that are to be guessed.
    #[arg(long, default_value_t = 0.15, value_name = "SHARE", help_heading = "Training")]
    pub mlm_probability: f64,
    /// Seed of the new weights, of order, hidden words and dropout.
    #[arg(long, default_value_t = 42, help_heading = "Training")]
    pub seed: u32,
    #[command(flatten)]
    pub engine: EngineArgs,

    /// Folder for the model; while training, its folder `checkpoint` holds what --resume needs.
    #[arg(long, short, value_name = "FOLDER", help_heading = "Output")]
    pub output: PathBuf,
    /// Write a checkpoint, and evaluate, after every so many steps [default: not before the end].
    #[arg(long, value_name = "STEPS", help_heading = "Output")]
    pub save_every: Option<std::num::NonZero<usize>>,
    /// Go on from the checkpoint in the output folder; all other options as before. Where there is none, begin.
    #[arg(long, help_heading = "Output")]
    pub resume: bool,
    /// Print warnings and the end result alone.
    #[arg(long, short, conflicts_with = "verbose", help_heading = "Output")]
    pub quiet: bool,
    /// Print every step.
    #[arg(long, short, help_heading = "Output")]
    pub verbose: bool,
}

/// The options of `rekindle fill-mask`.
#[derive(Args, Debug)]
#[command(after_long_help = FILL_MASK_EXAMPLES)]
pub struct FillMaskArgs {
    /// Texts with [MASK] in them.
    #[arg(required = true)]
    pub text: Vec<String>,

    /// A masked-language model: a folder such as `rekindle pretrain` leaves, or a hub id.
    #[arg(long, value_name = "FOLDER|HUB_ID", help_heading = "Model")]
    pub model: ModelChoice,
    /// Ask no network: what is not in the cache is not to be had.
    #[arg(long, help_heading = "Model")]
    pub offline: bool,

    /// Guesses for each [MASK].
    #[arg(long, default_value_t = 5, value_name = "GUESSES", help_heading = "Texts")]
    pub top_k: usize,
    #[command(flatten)]
    pub engine: EngineArgs,
}

// Every example is run by tests/transcripts.rs. A line of more than 72 characters would not fit a page of the manual.

const EXAMPLES: &str = "\
Examples:
  rekindle data reviews.csv
  rekindle experiment --data reviews.csv --folds 5 --save-models
  rekindle predict 'a joy to use' \\
      --model artifacts_transfer_learning/models/fine_tune_last_layer

`rekindle COMMAND --help` says all of a command, with more of them.";

const DATA_EXAMPLES: &str = "\
Examples:
  rekindle data reviews.csv
  rekindle data train.tsv --test dev.tsv --no-header --max-length 128
  rekindle data reviews.parquet --json | jq .data.classes";

const COMPARE_EXAMPLES: &str = "\
Examples:
  rekindle compare artifacts_transfer_learning other_seed
  rekindle compare one/results.json two/results.json --json > both.json";

const PREDICT_EXAMPLES: &str = "\
Examples:
  rekindle predict 'a joy to use' \\
      --model artifacts_transfer_learning/models/fine_tune_last_layer
  rekindle predict --model ./model --input reviews.txt > labels.jsonl";

const VOCAB_EXAMPLES: &str = "\
Examples:
  rekindle vocab --corpus reviews.txt --size 8000 --output vocab
  rekindle vocab --corpus reviews.txt sentences.txt --output vocab";

const PRETRAIN_EXAMPLES: &str = "\
Examples:
  rekindle vocab --corpus reviews.txt --size 8000 --output vocab
  rekindle pretrain --corpus reviews.txt --vocab vocab --output base \\
      --epochs 10 --warmup-steps 500 --save-every 1000
  rekindle pretrain --corpus reviews.txt --model distilbert-base-uncased \\
      --output adapted --learning-rate 5e-5";

const FILL_MASK_EXAMPLES: &str = "\
Examples:
  rekindle fill-mask --model base 'a [MASK] to use'
  rekindle fill-mask --model base --top-k 1 'the [MASK] was [MASK]'";

const DEVICES_EXAMPLES: &str = "\
Examples:
  rekindle devices";
