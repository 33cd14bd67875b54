//! `rekindle predict`.

mod columns;
mod lines;
mod logits_store;
mod table;

use std::path::{Path, PathBuf};

use clap::Args;
use rekindle::data::open_text;
use rekindle::infer::{Decision, InferError, Predictor};

use self::columns::PredictedColumns;
use crate::exit::Failure;
use crate::options::data_file::warn_of_table;
use crate::options::model::{self, ModelChoice};
use crate::options::table_output::PREFIX;
use crate::options::{EngineArgs, PrecisionArgs, TableFileArgs, TableOutputArgs, TextArgs, at_least, probability};
use crate::terminal::{Display, Verbosity};

/// The options of `rekindle predict`.
#[derive(Args, Debug)]
#[command(after_long_help = EXAMPLES)]
pub struct PredictArgs {
    /// Texts to classify [default: the lines of standard input].
    #[arg(conflicts_with = "input")]
    pub text: Vec<String>,

    /// Trained model: a folder, for example of `experiment --save-models`, or a hub id.
    #[arg(long, value_name = "FOLDER|HUB_ID", help_heading = "Model")]
    pub model: ModelChoice,
    /// Use cached files only; do not access the network.
    #[arg(long, help_heading = "Model")]
    pub offline: bool,

    /// File with one text per line; `-` is standard input.
    #[arg(long, value_name = "FILE", help_heading = "Texts")]
    pub input: Option<PathBuf>,
    /// Classify text pairs: each line or argument has two texts, separated by a tab.
    #[arg(long, help_heading = "Texts")]
    pub pairs: bool,
    #[command(flatten)]
    pub texts: TextArgs,

    /// Table with the texts (CSV, TSV, JSON or JSONL, each also in gzip or zip, or Parquet); its columns are kept.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["text", "input", "pairs"], help_heading = "Data")]
    pub data: Option<PathBuf>,
    #[command(flatten)]
    pub table: TableFileArgs,

    /// Number of classes to report, the predicted one first (`label_2`, `score_2`, ...).
    #[arg(long, default_value_t = 1, value_name = "CLASSES", value_parser = at_least(1), help_heading = "Decision")]
    pub top_k: usize,
    /// Predict the second of two classes, or each of several labels, from this probability [default:
    /// the most probable class, or the thresholds of the model].
    #[arg(long, value_name = "PROBABILITY", value_parser = probability, help_heading = "Decision")]
    pub threshold: Option<f32>,
    /// Predict nothing if the score is lower: the label is empty (`null` in JSON).
    #[arg(long, value_name = "PROBABILITY", value_parser = probability, help_heading = "Decision")]
    pub abstain_below: Option<f32>,
    /// Predict nothing if the score is lower than the one from which at most this fraction of the predictions is wrong, with a
    /// probability of 95 %; needs a model of `experiment --calibrate`.
    #[arg(long, value_name = "FRACTION", value_parser = probability, conflicts_with_all = ["abstain_below", "threshold"], help_heading = "Decision")]
    pub max_error: Option<f32>,

    #[command(flatten)]
    pub output: TableOutputArgs,
    /// Add a column with the score of each class: `score_CLASS`.
    #[arg(long, help_heading = "Output")]
    pub all_scores: bool,
    /// Resume an interrupted run with the same model and texts, if there is one.
    #[arg(long, requires = "output", help_heading = "Output")]
    pub resume: bool,
    /// Replace the output file of an earlier run, and what an interrupted run left.
    #[arg(long, requires = "output", conflicts_with = "resume", help_heading = "Output")]
    pub overwrite: bool,
    /// Print only warnings.
    #[arg(long, short, help_heading = "Output")]
    pub quiet: bool,
    #[command(flatten)]
    pub engine: EngineArgs,
    #[command(flatten)]
    pub precision: PrecisionArgs,
}

/// Number of texts that are read before they are classified: enough to batch texts of similar length, in little memory.
const CHUNK: usize = 1024;

impl PredictArgs {
    /// Returns how scores become labels.
    fn decision(&self, classifier: &Predictor) -> Result<Decision, InferError> {
        let promised = self.max_error.map(|error| classifier.abstain_below(error.into())).transpose()?;
        let abstain_below = self.abstain_below.or(promised);
        let decision = Decision { top_k: self.top_k, threshold: self.threshold, abstain_below };
        classifier.check_decision(&decision)?;
        Ok(decision)
    }

    /// Returns the first given option that only tables have.
    fn given_of_table(&self) -> Option<&'static str> {
        let is_given = [("--output", self.output.output.is_some()), ("--quiet", self.quiet)];
        let given = is_given.into_iter().find(|(_, is_given)| *is_given).map(|(option, _)| option);
        self.table.given().or(given)
    }
}

/// Runs the command.
///
/// # Errors
/// Returns an error if the model or the input cannot be read. Predictions for earlier texts are printed.
pub fn run(args: &PredictArgs) -> Result<(), Failure> {
    if let Some(option) = args.given_of_table().filter(|_| args.data.is_none()) {
        return Err(Failure::usage(format!("{option}: needs a table to read; add --data")));
    }
    let verbosity = if args.data.is_some() { Verbosity::of(args.quiet, false) } else { Verbosity::Quiet };
    let mut display = Display::beside_data(verbosity);
    args.precision.check(args.engine.backend)?;
    let devices = args.engine.device()?;
    let path = args.input.as_deref().filter(|path| *path != Path::new("-"));
    let input = path.map(open_text).transpose()?;
    let table = args.data.as_deref().map(|data| table::Input::open(args, data)).transpose()?;
    let found = model::find(&args.model, args.offline, &mut |download| display.download(&download))?;
    found.warnings().iter().for_each(|warning| display.warn(warning));
    let model = args.precision.apply(found.model, args.engine.backend)?;
    let classifier = Predictor::new(&model, &devices.first)?;
    let classifier = classifier.with_long_texts(args.texts.long_texts.unwrap_or(model.long_texts));
    let decision = args.decision(&classifier).map_err(|error| Failure::usage(format!("--{error}")))?;
    let columns = PredictedColumns::new(args, decision, &classifier, args.output.prefix.as_deref().unwrap_or_default());
    if let Some(table) = table {
        let columns = match table.clash(&columns).filter(|_| args.output.prefix.is_none()) {
            Some(name) => {
                let prefixed = PredictedColumns::new(args, decision, &classifier, PREFIX);
                display.warn(&format!(
                    "the table has a column `{name}`: the names of the new columns begin with `{PREFIX}`"
                ));
                prefixed
            }
            None => columns,
        };
        return table.predict(&model, &classifier, &columns, &mut display);
    }
    let mut answer = lines::Answer::new(args, &classifier, &columns)?;
    if !args.text.is_empty() {
        return answer.arguments(&args.text);
    }
    match path.zip(input) {
        Some((path, input)) => {
            if !args.pairs {
                warn_of_table(path, &display);
            }
            answer.file(input, path)
        }
        None => answer.standard_input(),
    }
}

const EXAMPLES: &str = "\
Examples:
  rekindle predict 'a joy to use' \\
      --model artifacts_transfer_learning/models/fine_tune_last_layer
  rekindle predict --model ./model --input reviews.txt > labels.jsonl
  rekindle predict --model ./model --data reviews.csv --output labelled.csv
  rekindle predict --model ./model --pairs --input pairs.tsv";
