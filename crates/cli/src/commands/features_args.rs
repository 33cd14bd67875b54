//! The options of `rekindle features`.

use std::num::NonZero;
use std::path::PathBuf;

use clap::{ArgGroup, Args, ValueEnum};
use rekindle_distilbert::Pooling;

use crate::cli::EngineArgs;
use crate::model::ModelChoice;

/// The options of `rekindle features`.
#[derive(Args, Debug)]
#[command(after_long_help = EXAMPLES, group = ArgGroup::new("texts").required(true).args(["data", "input"]))]
pub struct FeaturesArgs {
    /// A file with a text a line.
    #[arg(long, value_name = "FILE", help_heading = "Data")]
    pub input: Option<PathBuf>,
    /// Labelled sentences (CSV, TSV or JSONL, each also as .gz, or Parquet), whose texts are read.
    #[arg(long, value_name = "FILE", help_heading = "Data")]
    pub data: Option<PathBuf>,
    /// The column that holds the text [default: text, or sentence].
    #[arg(long, value_name = "NAME", requires = "data", help_heading = "Data")]
    pub text_column: Option<String>,
    /// The column that holds the label [default: label].
    #[arg(long, value_name = "NAME", requires = "data", help_heading = "Data")]
    pub label_column: Option<String>,
    /// The file has no header: column 1 is the text, column 2 the label.
    #[arg(long, requires = "data", conflicts_with_all = ["text_column", "label_column"], help_heading = "Data")]
    pub no_header: bool,

    /// The checkpoint whose base reads: a folder, `embedded`, or a hub id.
    #[arg(long, value_name = "embedded|FOLDER|HUB_ID", help_heading = "Model")]
    pub model: ModelChoice,
    /// Ask no network: what is not in the cache is not to be had.
    #[arg(long, help_heading = "Model")]
    pub offline: bool,
    /// What is kept of a text: what stands at [CLS], or the mean of all tokens [default: as the checkpoint says].
    #[arg(long, value_name = "KIND", help_heading = "Model")]
    pub pooling: Option<PoolingChoice>,
    /// Tokens a text at most, `[CLS]` and `[SEP]` among them; what is behind is cut off.
    #[arg(long, default_value_t = 64, value_name = "TOKENS", help_heading = "Model")]
    pub max_length: usize,
    /// Texts computed together, where they are the longest.
    #[arg(long, default_value = "32", value_name = "TEXTS", help_heading = "Model")]
    pub batch_size: NonZero<usize>,
    #[command(flatten)]
    pub engine: EngineArgs,

    /// Folder for the shards, and for features.json, which says what they are of.
    #[arg(long, short, value_name = "FOLDER", help_heading = "Output")]
    pub output: PathBuf,
    /// Texts a shard. Each is written when it is whole.
    #[arg(long, default_value = "10000", value_name = "TEXTS", help_heading = "Output")]
    pub shard_size: NonZero<usize>,
    /// Go on where an earlier run was broken off; all other options as before. Where there is none, begin.
    #[arg(long, help_heading = "Output")]
    pub resume: bool,
    /// Print warnings and the end result alone.
    #[arg(long, short, conflicts_with = "verbose", help_heading = "Output")]
    pub quiet: bool,
    /// Print every shard.
    #[arg(long, short, help_heading = "Output")]
    pub verbose: bool,
}

/// What becomes of the hidden states of a text.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum PoolingChoice {
    /// The last hidden state of [CLS].
    Cls,
    /// The mean of the last hidden states.
    Mean,
}

impl From<PoolingChoice> for Pooling {
    fn from(choice: PoolingChoice) -> Self {
        match choice {
            PoolingChoice::Cls => Self::Cls,
            PoolingChoice::Mean => Self::Mean,
        }
    }
}

const EXAMPLES: &str = "\
Examples:
  rekindle features --model embedded --data reviews.csv --output features
  rekindle features --model ./model --input reviews.txt --pooling mean --output means --resume

In Python: safetensors.numpy.load_file('features/features-00000-of-00001.safetensors')['features']";
