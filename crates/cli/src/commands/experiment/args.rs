//! The options of `rekindle experiment`.

use std::num::NonZero;
use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};
use rekindle::data::TestSize;
use rekindle::experiment::{Approach, ClassWeights};
use rekindle::train::{Metric, SaveStrategy, SchedulerType, Shuffle};

use crate::options::EngineArgs;
use crate::options::model::ModelChoice;

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

    /// Labelled sentences to train on (CSV, TSV or JSONL, each also as .gz, or Parquet). Without any file: the notebook's
    /// twelve sentences.
    #[arg(long, value_name = "FILE", requires = "test", conflicts_with = "data", help_heading = "Data")]
    pub train: Option<PathBuf>,
    /// Labelled sentences to test on.
    #[arg(long, value_name = "FILE", requires = "train", help_heading = "Data")]
    pub test: Option<PathBuf>,
    /// Labelled sentences to choose the best epoch by.
    #[arg(long, value_name = "FILE", requires = "train", help_heading = "Data")]
    pub validation: Option<PathBuf>,
    /// Labelled sentences, to be split into training and test, or into folds.
    #[arg(long, value_name = "FILE", help_heading = "Data")]
    pub data: Option<PathBuf>,
    /// Share of the sentences to test on (0.25), or their number (100); stratified by class.
    #[arg(long, default_value = "0.25", value_name = "SHARE|NUMBER", conflicts_with = "test", help_heading = "Data")]
    pub test_size: TestSize,
    /// Share or number of the training sentences to hold out, to choose the best epoch by.
    #[arg(long, value_name = "SHARE|NUMBER", conflicts_with = "validation", help_heading = "Data")]
    pub validation_size: Option<TestSize>,
    /// The column that holds the text [default: text, or sentence].
    #[arg(long, value_name = "NAME", help_heading = "Data")]
    pub text_column: Option<String>,
    /// The column that holds the label [default: label].
    #[arg(long, value_name = "NAME", help_heading = "Data")]
    pub label_column: Option<String>,
    /// The files have no header: column 1 is the text, column 2 the label.
    #[arg(long, conflicts_with_all = ["text_column", "label_column"], help_heading = "Data")]
    pub no_header: bool,

    /// What to compare: NAME[:OPTION=VALUE]... for each, between commas; --help lists them.
    #[arg(long, default_value = "feature-extraction,last-layer", value_name = "LIST", value_parser = Approaches::parse, help_heading = "Comparison", long_help = APPROACHES)]
    pub approaches: Approaches,
    /// Test on every sentence once: stratified folds, each by what was trained on the others.
    #[arg(long, value_name = "FOLDS", conflicts_with_all = ["train", "test_size"], help_heading = "Comparison")]
    pub folds: Option<usize>,
    /// How often to deal the sentences into folds anew.
    #[arg(long, default_value_t = 1, requires = "folds", help_heading = "Comparison")]
    pub repeats: usize,
    /// Seeds of fresh head, shuffling and dropout: everything is tried with each [default: --seed].
    #[arg(long, value_delimiter = ',', value_name = "LIST", help_heading = "Comparison")]
    pub seeds: Vec<u32>,
    /// Numbers of training sentences to try, such as 8,32,all: a learning curve.
    #[arg(long, value_delimiter = ',', value_name = "LIST", value_parser = size, help_heading = "Comparison")]
    pub sizes: Vec<Size>,

    /// Tokens a sentence at most, `[CLS]` and `[SEP]` among them.
    #[arg(long, default_value_t = 64, value_name = "TOKENS", help_heading = "Training")]
    pub max_length: usize,
    /// Sentences a batch.
    #[arg(long, default_value_t = 8, value_name = "SENTENCES", help_heading = "Training")]
    pub batch_size: usize,
    /// Batches whose gradients make one step.
    #[arg(long, default_value_t = 1, value_name = "BATCHES", help_heading = "Training")]
    pub gradient_accumulation_steps: usize,
    /// Passes over the training sentences.
    #[arg(long, default_value_t = 1, help_heading = "Training")]
    pub epochs: usize,
    /// How the learning rate goes after its warm-up.
    #[arg(long, default_value = "linear", value_name = "linear|cosine|constant", value_parser = one_of(SCHEDULERS), hide_possible_values = true, help_heading = "Training")]
    pub lr_scheduler_type: SchedulerType,
    /// Steps over which the rate rises from 0; below 1, their share of all steps.
    #[arg(long, default_value_t = 0.0, value_name = "STEPS|SHARE", help_heading = "Training")]
    pub warmup_steps: f64,
    /// What each class weighs in the training loss: the same, the more the rarer, or a weight for each.
    #[arg(long, default_value = "none", value_name = "none|balanced|W,W,...", value_parser = class_weights, help_heading = "Training")]
    pub class_weights: Weights,
    /// What the best epoch is chosen by, where there are validation sentences.
    #[arg(long, default_value = "loss", value_name = "loss|accuracy|f1", value_parser = one_of(METRICS), hide_possible_values = true, help_heading = "Training")]
    pub metric_for_best_model: Metric,
    /// End a run after so many epochs without improvement on the validation sentences.
    #[arg(long, value_name = "EPOCHS", help_heading = "Training")]
    pub early_stopping_patience: Option<usize>,
    /// Seed of the split and the folds; without --seeds, of all else too.
    #[arg(long, default_value_t = 42, help_heading = "Training")]
    pub seed: u32,
    /// The order of the training sentences: the one that transformers' Trainer draws at the same seed, or the file's.
    #[arg(long, default_value = "reference", value_name = "reference|none", value_parser = one_of(SHUFFLES), hide_possible_values = true, help_heading = "Training")]
    pub shuffle: Shuffle,
    /// Whether the frozen part drops out while training, as in the reference. With `off` it is deterministic, and what
    /// a wholly frozen base makes of each sentence is computed once for all epochs and runs (up to 1 GiB of it).
    #[arg(long, default_value = "on", value_name = "on|off", help_heading = "Training", hide_possible_values = true)]
    pub frozen_dropout: Switch,
    #[command(flatten)]
    pub engine: EngineArgs,
    /// Devices of other machines that each run is given, and splits its batches over. What they come to is what one comes
    /// to, but for the order of sums and for dropout.
    #[arg(long, default_value = "1", value_name = "DEVICES", help_heading = "Engine")]
    pub devices_per_run: NonZero<usize>,

    /// Folder for the results; a zip of the same name stands beside it.
    #[arg(long, short, default_value = "artifacts_transfer_learning", value_name = "FOLDER", help_heading = "Output")]
    pub output: PathBuf,
    /// Also save the trained models, as checkpoints that transformers opens; with folds, trained on all sentences.
    #[arg(long, help_heading = "Output")]
    pub save_models: bool,
    /// Write a checkpoint after every so many steps, or after every epoch; finished runs are always kept. Ctrl-C writes one
    /// too.
    #[arg(long, value_name = "STEPS|epoch", value_parser = save_strategy, help_heading = "Output")]
    pub checkpoint_every: Option<SaveStrategy>,
    /// Go on with a run that was broken off; all other options as before. Where there is none, begin.
    #[arg(long, help_heading = "Output")]
    pub resume: bool,
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

/// One of a few values, whose names completions and suggestions then know.
fn one_of<T: Clone + Send + Sync + 'static>(values: &'static [(&'static str, T)]) -> impl TypedValueParser<Value = T> {
    let value = |name: String| values.iter().find(|(one, _)| *one == name).map(|(_, value)| value.clone());
    PossibleValuesParser::new(values.iter().map(|(name, _)| *name)).try_map(move |name| value(name).ok_or("unknown"))
}

const SHUFFLES: &[(&str, Shuffle)] = &[("reference", Shuffle::Reference), ("none", Shuffle::None)];

const SCHEDULERS: &[(&str, SchedulerType)] =
    &[("linear", SchedulerType::Linear), ("cosine", SchedulerType::Cosine), ("constant", SchedulerType::Constant)];

const METRICS: &[(&str, Metric)] = &[("loss", Metric::Loss), ("accuracy", Metric::Accuracy), ("f1", Metric::F1)];

/// A list of approaches, as one value for clap.
#[derive(Clone, Debug)]
pub struct Approaches(pub Vec<Approach>);

impl Approaches {
    fn parse(list: &str) -> Result<Self, String> {
        Approach::parse_list(list).map(Self).map_err(|error| error.to_string())
    }
}

fn save_strategy(text: &str) -> Result<SaveStrategy, String> {
    match text {
        "epoch" => Ok(SaveStrategy::Epoch),
        number => {
            number.parse().map(SaveStrategy::Steps).map_err(|_| "is neither a number of steps nor `epoch`".into())
        }
    }
}

/// A number of training sentences; `None` for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(pub Option<usize>);

fn size(text: &str) -> Result<Size, String> {
    match text.trim() {
        "all" => Ok(Size(None)),
        number => match number.parse() {
            Ok(count) if count > 0 => Ok(Size(Some(count))),
            _ => Err("is neither a number of sentences nor `all`".into()),
        },
    }
}

/// What each class weighs, as one value for clap.
#[derive(Clone, Debug, PartialEq)]
pub struct Weights(pub ClassWeights);

fn class_weights(text: &str) -> Result<Weights, String> {
    let weight = |number: &str| number.trim().parse().ok().filter(|weight: &f64| weight.is_finite() && *weight > 0.0);
    Ok(Weights(match text {
        "none" => ClassWeights::Alike,
        "balanced" => ClassWeights::Balanced,
        list => match list.split(',').map(weight).collect() {
            Some(weights) => ClassWeights::Given(weights),
            None => return Err("there are none, balanced, or a positive weight for each class".into()),
        },
    }))
}

// Narrow enough for a page of the manual, which does not know that it is a table.
const APPROACHES: &str = "\
What to compare: NAME[:OPTION=VALUE]... for each, between commas.

  feature-extraction  the head, on a frozen base (rate 2e-3)
  last-layer, last-N  the head and the last layer, or N (2e-5)
  full                everything (2e-5)
  gradual             everything, a layer more from the top each
                      epoch (2e-5)
  lora                the head and low-rank adapters, merged
                      when saved (1e-3)
  bitfit              the head and all biases (1e-3)

  lr=RATE             the highest learning rate
  wd=DECAY            weight decay [0.01; feature-extraction: 0]
  pooling=cls|mean    the head reads [CLS], or all tokens' mean
  pretrain=EPOCHS     first guess hidden words of the training
                      sentences
  layer-decay=FACTOR  of last-N, full and gradual: a layer's
                      rate over that of the one above
  every=EPOCHS        of gradual: from one layer to the next [1]
  r=RANK              of lora [8]
  alpha=ALPHA         of lora: what adapters add is scaled by
                      ALPHA / RANK [8]
  targets=A+B+...     of lora: of q_lin, k_lin, v_lin, out_lin,
                      lin1, lin2 [q_lin+v_lin]";

const EXAMPLES: &str = "\
Examples:
  rekindle experiment
  rekindle experiment --model ./my-distilbert --data reviews.csv \\
      --test-size 0.2
  rekindle experiment --train train.tsv --test dev.tsv --no-header \\
      --approaches last-layer --epochs 3
  rekindle experiment --data reviews.csv --folds 5 --repeats 3 \\
      --approaches feature-extraction,last-2,full,lora:r=16
  rekindle experiment --data reviews.csv --sizes 8,32,all \\
      --validation-size 0.1 --epochs 20 --early-stopping-patience 3
  rekindle experiment --data reviews.csv --folds 5 --approaches last-2 \\
      --epochs 3 --checkpoint-every epoch --resume";
