//! `rekindle evaluate`.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use rekindle::data::{Cell, DataError, Dataset, ReadOptions, Rows, Table};
use rekindle::experiment::{EvaluatedModel, ModelEvaluation};
use rekindle::infer::{Decision, InferError, LinearPrecision, Predictor};
use rekindle::metrics::Scorer;
use rekindle::report::Output;
use rekindle::results::Results;

use super::experiment::provenance;
use crate::exit::Failure;
use crate::options::model::{self, ModelChoice};
use crate::options::{DataFileArgs, EngineArgs, SeveralLabelsArgs, TextArgs, precision, probability};
use crate::terminal::text::{abstention_lines, other_case, slices_table};
use crate::terminal::{Display, Verbosity};

/// The options of `rekindle evaluate`.
#[derive(Args, Debug)]
#[command(after_long_help = EXAMPLES)]
pub struct EvaluateArgs {
    /// Trained model: a folder, for example of `experiment --save-models`, or a hub id. May be given several times: the models
    /// are compared on the same texts.
    #[arg(long, value_name = "FOLDER|HUB_ID", required = true, help_heading = "Model")]
    pub model: Vec<ModelChoice>,
    /// Use cached files only; do not access the network.
    #[arg(long, help_heading = "Model")]
    pub offline: bool,

    /// Labelled texts (CSV, TSV, JSON or JSONL, each also in gzip or zip, or Parquet) that the models were not trained on.
    #[arg(long, value_name = "FILE", help_heading = "Data")]
    pub data: PathBuf,
    #[command(flatten)]
    pub data_file: DataFileArgs,
    #[command(flatten)]
    pub labels: SeveralLabelsArgs,
    /// Column with the group of each text, for example its author, by name or by number from 0. Intervals and tests do not treat texts
    /// of a group as independent.
    #[arg(long, value_name = "COLUMN", help_heading = "Data")]
    pub group_column: Option<String>,

    #[command(flatten)]
    pub texts: TextArgs,

    /// Metric that the models are compared by, any of those of `experiment --metric` [default: accuracy, f1_micro,
    /// quadratic_weighted_kappa or rmse, by the task of the model].
    #[arg(long, value_name = "NAME", value_parser = str::parse::<Scorer>, help_heading = "Scores")]
    pub metric: Option<Scorer>,
    /// Add the scores of the texts of each value of a column, by name or by number from 0, the worst first.
    #[arg(long, value_name = "COLUMN", help_heading = "Scores")]
    pub by: Option<String>,

    /// Add the share of the texts whose score is at least this probability, and the share of these that are wrong: what `predict
    /// --abstain-below` leaves.
    #[arg(long, value_name = "PROBABILITY", value_parser = probability, help_heading = "Scores")]
    pub abstain_below: Option<f32>,
    /// The same for `predict --max-error`: from the score above which the model promises that at most this fraction of its
    /// predictions is wrong.
    #[arg(long, value_name = "FRACTION", value_parser = probability, conflicts_with = "abstain_below", help_heading = "Scores")]
    pub max_error: Option<f32>,

    /// Folder for the report (report.html), the scores and the predictions, with a zip beside it [default: none].
    #[arg(long, short, value_name = "FOLDER", help_heading = "Output")]
    pub output: Option<PathBuf>,
    /// Replace the results of an earlier run in the output folder.
    #[arg(long, requires = "output", help_heading = "Output")]
    pub overwrite: bool,
    /// Print the results as JSON, the contents of results.json.
    #[arg(long, help_heading = "Output")]
    pub json: bool,
    /// Print only the scores and warnings.
    #[arg(long, short, help_heading = "Output")]
    pub quiet: bool,
    #[command(flatten)]
    pub engine: EngineArgs,
    /// Precision of the encoder's linear layers, as of `predict` [default: that of the weights in a model's files]. With `f32,int8`,
    /// each model is evaluated in both, and they are compared. Misclassified texts of a model in int8 are listed, but not explained.
    #[arg(long, value_delimiter = ',', value_name = "f32|int8", help_heading = "Engine")]
    pub precision: Vec<LinearPrecision>,
}

/// The seed of the bootstrap, the default of `experiment --seed`.
const SEED: u64 = 42;

/// Runs the command.
///
/// # Errors
/// Returns an error if a model or the data cannot be read, the labels do not match, or the output cannot be written. Earlier
/// results are then unchanged.
pub fn run(args: &EvaluateArgs, began: Instant) -> Result<(), Failure> {
    let verbosity = Verbosity::of(args.quiet, false);
    let mut display = if args.json { Display::beside_data(verbosity) } else { Display::new(verbosity) };
    // Before the models are loaded.
    Rows::open(&args.data, &read_options(args))?;
    for (place, &precision) in args.precision.iter().enumerate() {
        precision::check(precision, args.engine.backend)?;
        if args.precision[..place].contains(&precision) {
            return Err(Failure::usage(format!("--precision: {precision} is given twice")));
        }
    }
    let devices = args.engine.device()?;
    let output = args.output.as_deref().map(|folder| Output::prepare(folder, &[], args.overwrite));
    let output = output.transpose().map_err(Failure::output)?;
    let mut models: Vec<EvaluatedModel> = Vec::new();
    for choice in &args.model {
        let found = model::find(choice, args.offline, &mut |download| display.download(&download))?;
        found.warnings().iter().for_each(|warning| display.warn(warning));
        let pretrained = found.model;
        if models.iter().any(|other| other.pretrained.id == pretrained.id) {
            return Err(Failure::usage(format!("--model: {} is given twice", pretrained.id)));
        }
        display.line(&format!("model    {}", model::describe(&pretrained)));
        let given = args.precision.iter().copied().map(Some);
        let precisions: Vec<_> = if args.precision.is_empty() { vec![None] } else { given.collect() };
        for precision in precisions {
            let pretrained = precision::with_precision(pretrained.clone(), precision, args.engine.backend)?;
            let classifier = Predictor::new(&pretrained, &devices.first)?;
            let classifier = classifier.with_long_texts(args.texts.long_texts.unwrap_or(pretrained.long_texts));
            let abstain_below =
                abstain_below(args, &classifier).map_err(|error| Failure::usage(format!("--{error}")))?;
            models.push(EvaluatedModel { pretrained, classifier, abstain_below });
        }
    }
    let data = examples(args, &models[0])?;
    display.line(&format!("data     {} examples", rekindle::report::thousands(data.len())));
    if let Some(matched) = other_case(&data) {
        display.line(&format!("labels   {matched}"));
    }
    let slices = args.by.as_deref().map(|column| values(args, column, &data)).transpose()?;
    let total = models.len() * data.len();
    let SliceValues { column, values } = slices.unwrap_or_default();
    let slices = args.by.as_ref().map(|_| (column.as_str(), values.as_slice()));
    let evaluation = ModelEvaluation {
        max_length: args.texts.max_length,
        batch_size: args.texts.batch_size,
        metric: args.metric,
        seed: SEED,
        // Only these show explanations.
        explain: args.json || args.output.is_some(),
    };
    let results = evaluation.run(&models, data, slices, began, &mut |done| display.reading(0, done, total));
    display.clear();
    let mut results = results?;
    results.backend = args.engine.backend.name().into();
    results.data.files = vec![args.data.display().to_string()];
    results.provenance = provenance();
    results.peak_memory = rekindle::allocator::peak_memory();
    if args.json {
        display.result(String::from_utf8_lossy(&results.to_json()).trim_end());
    } else {
        show(&display, &results);
    }
    if let Some(output) = output {
        let no_models = |_: &Path| Ok::<_, Infallible>(Vec::new());
        let (folder, zip) = output.write(&results, false, no_models).map_err(Failure::output)?;
        display.line(&format!("results in {} and {}", folder.display(), zip.display()));
    }
    Ok(())
}

fn show(display: &Display, results: &Results) {
    display.line("");
    display.summary(results);
    if let Some(lines) = abstention_lines(results) {
        display.result(&format!("\n{lines}"));
    }
    if !results.slices.is_empty() {
        display.result(&format!("\n{}", slices_table(results)));
    }
}

/// The score below which a model predicts nothing, if that was asked for.
fn abstain_below(args: &EvaluateArgs, classifier: &Predictor) -> Result<Option<f32>, InferError> {
    let promised = args.max_error.map(|error| classifier.abstain_below(error.into())).transpose()?;
    let abstain_below = args.abstain_below.or(promised);
    let decision = Decision { abstain_below, ..Decision::default() };
    classifier.check_decision(&decision)?;
    Ok(abstain_below)
}

/// How the file is read.
fn read_options(args: &EvaluateArgs) -> ReadOptions {
    ReadOptions { group_column: args.group_column.clone(), ..args.labels.add_to(args.data_file.read_options()) }
}

/// Reads the examples, whose labels must be those of the model.
fn examples(args: &EvaluateArgs, model: &EvaluatedModel) -> Result<Dataset, Failure> {
    let options = read_options(args);
    let labels = model.labels();
    labels.read_like_in_any_case(&args.data, &options).map_err(|error| {
        let first = match &error {
            DataError::Rows { first, .. } => first,
            error => error,
        };
        if !matches!(first, DataError::UnknownLabel { .. }) {
            return error.into();
        }
        let options = ReadOptions { task: Some(labels.task), label_order: Vec::new(), ..options };
        let found = Dataset::read(&args.data, &options).map(|data| data.classes.to_string());
        let found = found.map_or(String::new(), |found| format!(" has the labels {found}, and it"));
        let (data, id) = (args.data.display(), &model.pretrained.id);
        Failure::from(error).with_note(format!(
            "{data}{found} cannot be evaluated with {id}, which predicts {}; name the labels of the file as those of the model",
            labels.classes
        ))
    })
}

/// A column of the table.
#[derive(Default)]
struct SliceValues {
    column: String,
    /// The value of each example.
    values: Vec<String>,
}

/// Reads the values of a column for the examples, in their order.
fn values(args: &EvaluateArgs, column: &str, data: &Dataset) -> Result<SliceValues, Failure> {
    let table = Table::open(&args.data, &args.data_file.read_options())?;
    let names = table.columns().to_vec();
    let named = names.iter().find(|name| &***name == column);
    let Some(name) = named.or_else(|| names.get(column.parse::<usize>().ok()?)) else {
        let names = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        return Err(Failure::input(format!("{}: --by {column}: the columns are {names}", args.data.display())));
    };
    let mut values = Vec::with_capacity(data.len());
    for row in table {
        let row = row?;
        let cell = row.cells.into_iter().find(|(of, _)| of == name).map_or(Cell::Null, |(_, cell)| cell);
        values.push(match cell {
            Cell::Text(text) | Cell::Json(text) => text,
            _ => String::new(),
        });
    }
    if values.len() != data.len() {
        return Err(Failure::input(format!("{}: changed while it was read", args.data.display())));
    }
    Ok(SliceValues { column: name.to_string(), values })
}

const EXAMPLES: &str = "\
Examples:
  rekindle evaluate --model ./model --data reviews.csv
  rekindle evaluate --model ./model --data reviews.csv --output evaluation
  rekindle evaluate --model ./model --data reviews.csv --json > scores.json
  rekindle evaluate --model ./model --data reviews.csv --by label
  rekindle evaluate --model ./model --data reviews.csv --abstain-below 0.9";
