//! The options of `rekindle experiment`.

use std::num::NonZero;
use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};
use rekindle::data::TestSize;
use rekindle::experiment::{Approach, ClassWeights, FrozenPrecision, ThresholdRule};
use rekindle::infer::LongTexts;
use rekindle::metrics::{LabelIssueFilter, Scaling, Scorer};
use rekindle::train::{SaveStrategy, SchedulerType, Shuffle};

use crate::options::model::ModelChoice;
use crate::options::{DataFileArgs, EngineArgs, GroupArgs, LabelArgs, MIN_LENGTH, at_least, positive, rate};

/// The options of `rekindle experiment`.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = EXAMPLES)]
pub struct ExperimentArgs {
    /// Checkpoint to start from: `auto`, `embedded`, a folder, or a hub id, for example `distilbert-base-uncased`.
    ///
    /// `auto` is distilbert-base-uncased from the Hugging Face cache or the hub, and the embedded model if the hub
    /// cannot be reached. No other choice is replaced.
    #[arg(long, default_value = "auto", value_name = "auto|embedded|FOLDER|HUB_ID", help_heading = "Model")]
    pub model: ModelChoice,
    /// Use cached files only; do not access the network.
    #[arg(long, help_heading = "Model")]
    pub offline: bool,

    /// The same as --data FILE.
    #[arg(value_name = "FILE", conflicts_with_all = ["data", "train"], help_heading = "Data")]
    pub file: Option<PathBuf>,
    /// Labelled texts (CSV, TSV, JSON or JSONL, each also in gzip or zip, or Parquet) that are split into training and test
    /// examples, or into folds. With --test, all of them are training examples. Without --data and --train, the notebook's twelve
    /// sentences are used.
    #[arg(long, value_name = "FILE", help_heading = "Data")]
    pub data: Option<PathBuf>,
    /// Labelled texts to train on; needs --test.
    #[arg(long, value_name = "FILE", conflicts_with = "data", help_heading = "Data")]
    pub train: Option<PathBuf>,
    /// Labelled texts to test on.
    #[arg(long, value_name = "FILE", help_heading = "Data")]
    pub test: Option<PathBuf>,
    /// Labelled texts that select the best epoch.
    #[arg(long, value_name = "FILE", help_heading = "Data")]
    pub validation: Option<PathBuf>,
    /// Share (0.25) or number (100) of the examples to test on, stratified by class [default: 0.25].
    #[arg(long, value_name = "SHARE|NUMBER", conflicts_with = "test", help_heading = "Data")]
    pub test_size: Option<TestSize>,
    /// Share or number of the training examples that are held out and select the best epoch.
    #[arg(long, value_name = "SHARE|NUMBER", conflicts_with = "validation", help_heading = "Data")]
    pub validation_size: Option<TestSize>,
    #[command(flatten)]
    pub data_file: DataFileArgs,
    #[command(flatten)]
    pub labels: LabelArgs,
    /// Do not train on the examples that this file lists as label errors: `label_issues.csv` of an experiment with --folds, or
    /// some of its rows. Test examples are never dropped.
    #[arg(long, value_name = "FILE", help_heading = "Data")]
    pub drop_label_issues: Option<PathBuf>,
    #[command(flatten)]
    pub groups: GroupArgs,
    /// Regard a text pair and the pair with exchanged texts as equal texts, which stay on one side of a split; needs
    /// --text-pair-column.
    #[arg(long, requires = "text_pair_column", help_heading = "Data")]
    pub symmetric: bool,

    /// Approaches to compare: NAME[:OPTION=VALUE]..., separated by commas; --help lists them [default:
    /// feature-extraction,last-layer, and probe on your own data].
    #[arg(long, value_name = "LIST", value_parser = Approaches::parse, help_heading = "Comparison", long_help = APPROACHES)]
    pub approaches: Option<Approaches>,
    /// Metric that ranks the approaches, and that the tests, findings and charts compare: accuracy, balanced_accuracy, f1 (of
    /// the second class; macro for more than two), f1_macro, f1_weighted, matthews_corrcoef or loss; for several labels also
    /// f1_micro, f1_samples, average_precision and hamming_loss; for ordinal tasks also quadratic_weighted_kappa and mae; for
    /// regression rmse, mse, mae, r2, pearson or spearman [default: accuracy, f1_micro, quadratic_weighted_kappa, rmse].
    #[arg(long, value_name = "NAME", value_parser = str::parse::<Scorer>, help_heading = "Comparison")]
    pub metric: Option<Scorer>,
    /// Number of stratified folds: each is the test set of a training on the others.
    #[arg(long, value_name = "FOLDS", value_parser = at_least(2), conflicts_with_all = ["train", "test", "validation", "test_size"], help_heading = "Comparison")]
    pub folds: Option<usize>,
    /// Filter that suspects label errors, as cleanlab's: prune_by_noise_rate, prune_by_class, both, confident_learning,
    /// predicted_neq_given, low_normalized_margin or low_self_confidence; needs --folds [default: prune_by_noise_rate].
    #[arg(long, value_name = "FILTER", value_parser = label_issue_filter(), hide_possible_values = true, help_heading = "Comparison")]
    pub label_issue_filter: Option<LabelIssueFilter>,
    /// Number of times that the examples are split into folds.
    #[arg(long, default_value_t = 1, value_parser = at_least(1), help_heading = "Comparison")]
    pub repeats: usize,
    /// Seeds of the new head, of shuffling and of dropout; every run is repeated with each [default: --seed].
    #[arg(long, value_delimiter = ',', value_name = "LIST", help_heading = "Comparison")]
    pub seeds: Vec<u32>,
    /// Numbers of training examples, for example 8,32,all: a learning curve.
    #[arg(long, value_delimiter = ',', value_name = "LIST", value_parser = size, help_heading = "Comparison")]
    pub sizes: Vec<Size>,

    /// Calibrate probabilities by one temperature, or by a weight and a bias per class; the saved models contain it. It is fitted to
    /// the validation examples, or without any by inner folds.
    #[arg(long, value_name = "temperature|vector", value_parser = one_of(SCALINGS), hide_possible_values = true, help_heading = "Decision")]
    pub calibrate: Option<Scaling>,
    /// Costs of errors: of a predicted label that is not true, and of a true one that is not predicted. The thresholds of the second
    /// of two classes, or of each of several labels, are those of the smallest cost on the examples of --calibrate.
    #[arg(long, value_name = "fp=COST,fn=COST", value_parser = cost, conflicts_with = "f_beta", help_heading = "Decision")]
    pub cost: Option<ThresholdRule>,
    /// Thresholds of the highest F-beta score, in which recall counts BETA times as much as precision [default: 1 for several labels;
    /// the most probable of two classes].
    #[arg(long, value_name = "BETA", value_parser = f_beta, help_heading = "Decision")]
    pub f_beta: Option<ThresholdRule>,
    /// Number of inner folds of the training examples that calibration and thresholds are chosen on if there are no validation
    /// examples. Every approach is trained once more per fold [default: 5 for probe and tfidf; none for others].
    #[arg(long, value_name = "FOLDS", value_parser = at_least(2), conflicts_with_all = ["validation", "validation_size"], help_heading = "Decision")]
    pub calibration_folds: Option<usize>,

    /// Maximum number of tokens per text, including `[CLS]` and `[SEP]`; longer texts are truncated [default: as the model was
    /// trained; 64 if its files do not say].
    #[arg(long, value_name = "TOKENS", value_parser = at_least(MIN_LENGTH), help_heading = "Training")]
    pub max_length: Option<usize>,
    /// What is read of a text of more than --max-length tokens: its first tokens, its first and last ones, or all of them in
    /// windows, whose outputs are pooled [default: as the model was trained; truncate if its
    /// files do not say].
    #[arg(long, value_name = "truncate|head-tail|windows[:stride=N][:pool=mean|max]", value_parser = str::parse::<LongTexts>, help_heading = "Training")]
    pub long_texts: Option<LongTexts>,
    /// Number of examples per batch [default: 8; for contrastive: 16].
    #[arg(long, value_name = "EXAMPLES", value_parser = at_least(1), help_heading = "Training")]
    pub batch_size: Option<usize>,
    /// Number of batches whose gradients are accumulated per step.
    #[arg(long, default_value_t = 1, value_name = "BATCHES", value_parser = at_least(1), help_heading = "Training")]
    pub gradient_accumulation_steps: usize,
    /// Number of passes over the training examples [default: 1 for the notebook's sentences; on your data 3, or as many
    /// as make 100 steps and 10 steps per class, at most 20; for contrastive 10, or 3 with more than 32 classes].
    #[arg(long, value_parser = at_least(1), help_heading = "Training")]
    pub epochs: Option<usize>,
    /// Peak learning rate of all parameters, in every approach without an `lr` of its own [default: by approach].
    #[arg(long, visible_alias = "lr", value_name = "RATE", value_parser = learning_rate, help_heading = "Training")]
    pub learning_rate: Option<f64>,
    /// Schedule of the learning rate after warm-up.
    #[arg(long, default_value = "linear", value_name = "linear|cosine|constant", value_parser = one_of(SCHEDULERS), hide_possible_values = true, help_heading = "Training")]
    pub lr_scheduler_type: SchedulerType,
    /// Number of steps over which the learning rate rises from 0; below 1, their share of all steps.
    #[arg(long, default_value_t = 0.0, value_name = "STEPS|SHARE", value_parser = rate, help_heading = "Training")]
    pub warmup_steps: f64,
    /// Weights of the classes in the training loss: equal, inversely proportional to frequency, or one per class.
    #[arg(long, default_value = "none", value_name = "none|balanced|W,W,...", value_parser = class_weights, help_heading = "Training")]
    pub class_weights: Weights,
    /// Metric that selects the best epoch, any of those of --metric; needs validation examples [default: loss].
    #[arg(long, value_name = "NAME", value_parser = scorer(), hide_possible_values = true, help_heading = "Training")]
    pub metric_for_best_model: Option<Scorer>,
    /// Stop a run after so many epochs without improvement on the validation examples.
    #[arg(long, value_name = "EPOCHS", value_parser = at_least(1), help_heading = "Training")]
    pub early_stopping_patience: Option<usize>,
    /// Seed of the split and of the folds, and without --seeds of everything else.
    #[arg(long, default_value_t = 42, help_heading = "Training")]
    pub seed: u32,
    /// Order of the training examples: that of transformers' Trainer with the same seed, or the order of the file.
    #[arg(long, default_value = "reference", value_name = "reference|none", value_parser = one_of(SHUFFLES), hide_possible_values = true, help_heading = "Training")]
    pub shuffle: Shuffle,
    /// Dropout in frozen layers during training, as in the reference. With `off`, what the frozen layers compute of a text is kept for
    /// all epochs and runs (up to 1 GiB).
    #[arg(long, default_value = "on", value_name = "on|off", help_heading = "Training", hide_possible_values = true)]
    pub frozen_dropout: Switch,
    /// Precision in which the weights of linear layers are stored that no approach trains. `bf16` takes half their memory; they compute
    /// in f32, and only --backend flex has it.
    #[arg(long, default_value = "f32", value_name = "f32|bf16", value_parser = one_of(FROZEN_PRECISIONS), hide_possible_values = true, help_heading = "Training")]
    pub frozen_precision: FrozenPrecision,
    #[command(flatten)]
    pub engine: EngineArgs,
    /// Number of devices of other machines per run, which split its batches. Results match single-device training up to
    /// summation order and dropout.
    #[arg(long, default_value = "1", value_name = "DEVICES", value_parser = positive, help_heading = "Engine")]
    pub devices_per_run: NonZero<usize>,

    /// Folder for the results; a zip of the same name is written next to it.
    #[arg(long, short, default_value = DEFAULT_OUTPUT, value_name = "FOLDER", help_heading = "Output")]
    pub output: PathBuf,
    /// Replace the results of an earlier experiment in the folder, including its models. Other files are never replaced. The
    /// twelve sentences replace their own results in the default folder without this option.
    #[arg(long, help_heading = "Output")]
    pub overwrite: bool,
    /// Save the trained models as checkpoints that transformers opens, or sentence-transformers (`probe`, `contrastive`); with folds,
    /// trained on all examples.
    #[arg(long, help_heading = "Output")]
    pub save_models: bool,
    /// Pack the saved models into the zip, too.
    #[arg(long, help_heading = "Output")]
    pub zip_models: bool,
    /// Write a training checkpoint after every so many steps, or after every epoch [default: after an epoch, if the last
    /// one is five minutes old]. Ctrl-C writes one, too. Finished runs are always kept.
    #[arg(long, value_name = "STEPS|epoch", value_parser = save_strategy, help_heading = "Output")]
    pub checkpoint_every: Option<SaveStrategy>,
    /// Resume an interrupted experiment, if there is one. All other options must be unchanged.
    #[arg(long, help_heading = "Output")]
    pub resume: bool,
    /// Print only the summary and warnings.
    #[arg(long, short, conflicts_with = "verbose", help_heading = "Output")]
    pub quiet: bool,
    /// Print every step.
    #[arg(long, short, help_heading = "Output")]
    pub verbose: bool,
    #[arg(skip)]
    pub design: Design,
}

impl ExperimentArgs {
    /// Returns the file that is split, by position or by option.
    pub fn data(&self) -> Option<&PathBuf> {
        self.file.as_ref().or(self.data.as_ref())
    }
}

/// How test examples are chosen without an option that says so, and what models are saved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Design {
    /// One test set. The models are those that were tested.
    #[default]
    OneTestSet,
    /// Folds if examples are few, and otherwise one test set. The models are trained on all examples, but not on those of a test file.
    BySize,
}

/// The default of `--batch-size`, of approaches without one of their own.
pub const BATCH_SIZE: usize = 8;

/// The default of `--output`.
pub const DEFAULT_OUTPUT: &str = "artifacts_transfer_learning";

/// On or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    /// Act.
    On,
    /// Do not.
    Off,
}

/// Parses the name of a metric; completions and suggestions know the names.
fn scorer() -> impl TypedValueParser<Value = Scorer> {
    PossibleValuesParser::new(Scorer::ALL.map(Scorer::name)).try_map(|name| name.parse::<Scorer>())
}

/// Parses the name of a filter for label errors.
fn label_issue_filter() -> impl TypedValueParser<Value = LabelIssueFilter> {
    let filter = |name: String| LabelIssueFilter::ALL.into_iter().find(|filter| filter.name() == name);
    let names = PossibleValuesParser::new(LabelIssueFilter::ALL.map(LabelIssueFilter::name));
    names.try_map(move |name| filter(name).ok_or("unknown"))
}

/// Parses one of a few values; completions and suggestions know their names.
fn one_of<T: Clone + Send + Sync + 'static>(values: &'static [(&'static str, T)]) -> impl TypedValueParser<Value = T> {
    let value = |name: String| values.iter().find(|(one, _)| *one == name).map(|(_, value)| value.clone());
    PossibleValuesParser::new(values.iter().map(|(name, _)| *name)).try_map(move |name| value(name).ok_or("unknown"))
}

const SCALINGS: &[(&str, Scaling)] = &[("temperature", Scaling::Temperature), ("vector", Scaling::Vector)];

const SHUFFLES: &[(&str, Shuffle)] = &[("reference", Shuffle::Reference), ("none", Shuffle::None)];

const FROZEN_PRECISIONS: &[(&str, FrozenPrecision)] = &[("f32", FrozenPrecision::F32), ("bf16", FrozenPrecision::Bf16)];

const SCHEDULERS: &[(&str, SchedulerType)] =
    &[("linear", SchedulerType::Linear), ("cosine", SchedulerType::Cosine), ("constant", SchedulerType::Constant)];

/// A list of approaches, as one value for clap.
#[derive(Clone, Debug)]
pub struct Approaches(pub Vec<Approach>);

impl Approaches {
    fn parse(list: &str) -> Result<Self, String> {
        Approach::parse_list(list).map(Self).map_err(|error| error.to_string())
    }

    /// Parses a list with alternatives.
    pub fn parse_space(list: &str) -> Result<Self, String> {
        Approach::parse_space(list).map(Self).map_err(|error| error.to_string())
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

fn learning_rate(text: &str) -> Result<f64, String> {
    let rate = text.parse().ok().filter(|rate: &f64| rate.is_finite() && *rate > 0.0);
    rate.ok_or_else(|| "expected a number above 0, for example 2e-5".into())
}

/// A number of training examples; `None` for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(pub Option<usize>);

fn size(text: &str) -> Result<Size, String> {
    match text.trim() {
        "all" => Ok(Size(None)),
        number => match number.parse() {
            Ok(count) if count > 0 => Ok(Size(Some(count))),
            _ => Err("is neither a number of examples nor `all`".into()),
        },
    }
}

/// Class weights, as one value for clap.
#[derive(Clone, Debug, PartialEq)]
pub struct Weights(pub ClassWeights);

fn class_weights(text: &str) -> Result<Weights, String> {
    let weight = |number: &str| number.trim().parse().ok().filter(|weight: &f64| weight.is_finite() && *weight > 0.0);
    Ok(Weights(match text {
        "none" => ClassWeights::Equal,
        "balanced" => ClassWeights::Balanced,
        list => match list.split(',').map(weight).collect() {
            Some(weights) => ClassWeights::Given(weights),
            None => return Err("expected none, balanced, or a positive weight per class".into()),
        },
    }))
}

/// Parses the costs of both kinds of errors.
fn cost(text: &str) -> Result<ThresholdRule, String> {
    let expected = || String::from("expected two costs above 0, for example fp=1,fn=10");
    let (mut false_positive, mut false_negative) = (None, None);
    for part in text.split(',') {
        let (name, value) = part.trim().split_once('=').ok_or_else(expected)?;
        let value = value.trim().parse().ok().filter(|cost: &f64| cost.is_finite() && *cost > 0.0);
        let into = match name.trim() {
            "fp" => &mut false_positive,
            "fn" => &mut false_negative,
            _ => return Err(expected()),
        };
        if into.replace(value.ok_or_else(expected)?).is_some() {
            return Err(expected());
        }
    }
    let (false_positive, false_negative) = false_positive.zip(false_negative).ok_or_else(expected)?;
    Ok(ThresholdRule::Cost { false_positive, false_negative })
}

fn f_beta(text: &str) -> Result<ThresholdRule, String> {
    let beta = text.parse().ok().filter(|beta: &f64| beta.is_finite() && *beta > 0.0);
    beta.map(ThresholdRule::FBeta).ok_or_else(|| "expected a number above 0, for example 2".into())
}

// Narrow enough for a man page, which does not keep tables.
const APPROACHES: &str = "\
Approaches to compare: NAME[:OPTION=VALUE]..., separated by commas.

The default is feature-extraction,last-layer, and on your own data also
probe.

Trainable parameters, with the default learning rates on your
data (of the encoder, of the head) and for the notebook's
sentences:

  feature-extraction  the head, on a frozen encoder
                      (2e-3; 2e-3)
  last-layer, last-N  the head and the last layer, or the last N
                      layers (1e-4, 1e-3; 2e-5)
  full                all parameters (5e-5, 1e-3; 2e-5)
  gradual             all parameters, one more layer from the top
                      each epoch (5e-5, 1e-3; 2e-5)
  lora                the head and low-rank adapters, merged
                      when saved (1e-3; 1e-3)
  bitfit              the head and all biases (1e-3; 1e-3)
  contrastive         the encoder, on pairs of texts, then a
                      logistic regression; alias setfit (1e-4)

Without gradient descent:

  probe               logistic regression on the embeddings of
                      the frozen encoder; seconds on a CPU
  majority, tfidf     the baselines, which are always run too

Options of probe (C also of tfidf [1]):

  C=VALUE             inverse strength of regularization [chosen
                      by inner folds]
  layers=last|lastN|all
                      layers whose hidden states are averaged
                      [last or last4, by inner folds]
  names=COUNT         the name of each class counts as so many
                      training examples [0]
  pooling=cls|mean    [that of a sentence-transformers folder;
                      otherwise mean, unless inner folds find
                      cls clearly better]

Options of the others (contrastive has lr, epochs and those that
name it):

  lr=RATE             peak learning rate of all parameters
  head-lr=RATE        peak learning rate of the head
  wd=DECAY            weight decay [0.01; feature-extraction: 0]
  pooling=cls|mean    input of the head: the first token, or the
                      mean over all tokens [on your data: mean for an
                      embedding model, otherwise cls]
  pretrain=EPOCHS     masked language modelling on the training
                      texts first
  layer-decay=FACTOR  for last-N, full and gradual: learning rate
                      of a layer relative to the layer above
  every=EPOCHS        for gradual: epochs between two layers [1]
  r=RANK              for lora: rank [8]; for contrastive: trains
                      adapters of this rank (1e-3)
  alpha=ALPHA         for lora: the output of an adapter is
                      scaled by ALPHA / RANK [8]
  targets=A+B+...     for lora: adapted linear layers, by the ends
                      of their names [queries and values;
                      `rekindle models` lists them]
  loss=LOSS           for contrastive: cosine, supcon or triplet
                      [cosine; more than 32 classes: supcon]
  epochs=EPOCHS       passes over the training examples
                      [--epochs; contrastive: 10, and 3 with more
                      than 32 classes]
  layers=lastN        for contrastive: average of the last N layers
                      for the head [last]";

const EXAMPLES: &str = "\
Examples:
  rekindle experiment
  rekindle experiment reviews.csv
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
