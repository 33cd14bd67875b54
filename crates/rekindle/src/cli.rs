//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use rekindle_data::TestSize;
use rekindle_experiment::Approach;
use rekindle_train::Shuffle;

use crate::backend::Backend;
use crate::model::ModelChoice;

/// Transfer learning for text classification.
#[derive(Debug, Parser)]
#[command(name = "rekindle", version, propagate_version = true, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Train with the base frozen and with the last layer free, compare both, and pack the results.
    Experiment(ExperimentArgs),
    /// Classify texts with a trained model: a JSON line for each.
    Predict(PredictArgs),
    /// List the backends that were compiled in, and the devices they find.
    Devices,
}

/// The options of `rekindle predict`.
#[derive(Args, Debug)]
#[command(after_long_help = PREDICT_EXAMPLES)]
pub struct PredictArgs {
    /// The trained model: a folder such as `--save-models` leaves, or a hub id.
    #[arg(long, value_name = "FOLDER|HUB_ID")]
    pub model: ModelChoice,
    /// Ask no network: what is not in the cache is not to be had.
    #[arg(long)]
    pub offline: bool,
    /// Texts to classify. Without any, and without --input: the lines of standard input.
    #[arg(conflicts_with = "input")]
    pub text: Vec<String>,
    /// A file with a text a line; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    pub input: Option<PathBuf>,
    /// Tokens a text at most; what is behind is cut off [default: all that the model has positions for].
    #[arg(long, value_name = "TOKENS")]
    pub max_length: Option<usize>,
    /// Texts computed together.
    #[arg(long, default_value_t = 8, value_name = "TEXTS")]
    pub batch_size: usize,
    /// The engine that computes.
    #[arg(long, default_value_t = Backend::default(), value_name = "NAME")]
    pub backend: Backend,
}

/// The options of `rekindle experiment`.
#[derive(Args, Debug)]
#[command(after_long_help = EXAMPLES)]
pub struct ExperimentArgs {
    /// The checkpoint to start from: `auto`, `embedded`, a folder, or a hub id such as `distilbert-base-uncased`.
    ///
    /// `auto` takes distilbert-base-uncased from the Hugging Face cache or the hub, and the embedded model where the hub
    /// cannot be reached. Any other choice is taken as it is, or is an error.
    #[arg(long, default_value = "auto", value_name = "auto|embedded|FOLDER|HUB_ID", help_heading = "Model")]
    pub model: ModelChoice,
    /// Ask no network: what is not in the cache is not to be had.
    #[arg(long, help_heading = "Model")]
    pub offline: bool,

    /// Labelled sentences to train on (CSV, TSV or JSONL). Without any file: the notebook's twelve sentences.
    #[arg(long, value_name = "FILE", requires = "test", conflicts_with = "data", help_heading = "Data")]
    pub train: Option<PathBuf>,
    /// Labelled sentences to test on.
    #[arg(long, value_name = "FILE", requires = "train", help_heading = "Data")]
    pub test: Option<PathBuf>,
    /// Labelled sentences, to be split into training and test.
    #[arg(long, value_name = "FILE", help_heading = "Data")]
    pub data: Option<PathBuf>,
    /// Share of the sentences to test on (0.25), or their number (100); stratified by class.
    #[arg(long, default_value = "0.25", value_name = "SHARE|NUMBER", conflicts_with = "test", help_heading = "Data")]
    pub test_size: TestSize,
    /// The column that holds the text [default: text, or sentence].
    #[arg(long, value_name = "NAME", help_heading = "Data")]
    pub text_column: Option<String>,
    /// The column that holds the label [default: label].
    #[arg(long, value_name = "NAME", help_heading = "Data")]
    pub label_column: Option<String>,
    /// The files have no header: column 1 is the text, column 2 the label.
    #[arg(long, conflicts_with_all = ["text_column", "label_column"], help_heading = "Data")]
    pub no_header: bool,

    /// What to compare: feature-extraction (base frozen) and last-layer (last transformer layer free).
    #[arg(long, default_value = "feature-extraction,last-layer", value_name = "LIST", value_parser = Approaches::parse, help_heading = "Training")]
    pub approaches: Approaches,
    /// Tokens a sentence at most, `[CLS]` and `[SEP]` among them.
    #[arg(long, default_value_t = 64, value_name = "TOKENS", help_heading = "Training")]
    pub max_length: usize,
    /// Sentences a step.
    #[arg(long, default_value_t = 8, value_name = "SENTENCES", help_heading = "Training")]
    pub batch_size: usize,
    /// Passes over the training sentences.
    #[arg(long, default_value_t = 1, help_heading = "Training")]
    pub epochs: usize,
    /// Seed of the split, the fresh head, shuffling and dropout.
    #[arg(long, default_value_t = 42, help_heading = "Training")]
    pub seed: u32,
    /// The order of the training sentences: the one that transformers' Trainer draws at the same seed, or the file's.
    #[arg(long, default_value = "reference", value_name = "reference|none", value_parser = shuffle, help_heading = "Training")]
    pub shuffle: Shuffle,
    /// Whether the frozen part drops out while training, as in the reference. With `off` it is deterministic, and what
    /// a wholly frozen base makes of each sentence is computed once for all epochs (up to 1 GiB of it).
    #[arg(long, default_value = "on", value_name = "on|off", help_heading = "Training", hide_possible_values = true)]
    pub frozen_dropout: Switch,
    /// The engine that computes.
    #[arg(long, default_value_t = Backend::default(), value_name = "NAME", help_heading = "Training")]
    pub backend: Backend,

    /// Folder for the results; a zip of the same name stands beside it.
    #[arg(long, short, default_value = "artifacts_transfer_learning", value_name = "FOLDER", help_heading = "Output")]
    pub output: PathBuf,
    /// Also save the trained models, as checkpoints that transformers opens.
    #[arg(long, help_heading = "Output")]
    pub save_models: bool,
    /// Print the summary and warnings alone.
    #[arg(long, short, conflicts_with = "verbose", help_heading = "Output")]
    pub quiet: bool,
    /// Print every step.
    #[arg(long, short, help_heading = "Output")]
    pub verbose: bool,
}

/// On or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    /// Act.
    On,
    /// Do not.
    Off,
}

fn shuffle(name: &str) -> Result<Shuffle, String> {
    match name {
        "reference" => Ok(Shuffle::Reference),
        "none" => Ok(Shuffle::None),
        _ => Err("there are reference and none".into()),
    }
}

/// A list of approaches, as one value for clap.
#[derive(Clone, Debug)]
pub struct Approaches(pub Vec<Approach>);

impl Approaches {
    fn parse(list: &str) -> Result<Self, String> {
        Approach::parse_list(list).map(Self).map_err(|error| error.to_string())
    }
}

const PREDICT_EXAMPLES: &str = "\
Examples:
  rekindle predict --model out/models/fine_tune_last_layer 'a joy to use'
  rekindle predict --model ./model --input reviews.txt > labels.jsonl";

const EXAMPLES: &str = "\
Examples:
  rekindle experiment
  rekindle experiment --model ./my-distilbert --data reviews.csv --test-size 0.2
  rekindle experiment --train train.tsv --test dev.tsv --no-header --approaches last-layer --epochs 3";
