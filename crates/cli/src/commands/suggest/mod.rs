//! `rekindle suggest`.

mod forecast;

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use rekindle::data::{
    Cell, ColumnKind, DataError, OutputFormat, Table, TableColumn, TableRow, TableSummary, TableWriter, pair_groups,
};
use rekindle::files::write_atomic;
use rekindle::infer::{Decision, OutputFunction, Predictor};
use rekindle::metrics::{diverse_uncertain_rows, probabilities};
use rekindle::report::thousands;
use rekindle::results::Results;

use crate::exit::Failure;
use crate::options::model::{self, ModelChoice};
use crate::options::table_output::PREFIX;
use crate::options::{EngineArgs, PrecisionArgs, TableFileArgs, TableOutputArgs, TextArgs, at_least};
use crate::terminal::{Display, Verbosity};

/// The options of `rekindle suggest`.
#[derive(Args, Debug)]
#[command(after_long_help = EXAMPLES)]
pub struct SuggestArgs {
    /// Trained model: a folder, for example of `experiment --save-models`, or a hub id. It predicts one class per text.
    #[arg(long, value_name = "FOLDER|HUB_ID", help_heading = "Model")]
    pub model: ModelChoice,
    /// Use cached files only; do not access the network.
    #[arg(long, help_heading = "Model")]
    pub offline: bool,

    /// Table with texts without labels (CSV, TSV, JSON or JSONL, each also in gzip or zip, or Parquet). Its rows and their
    /// features are kept in memory.
    #[arg(long, value_name = "FILE", help_heading = "Data")]
    pub data: PathBuf,
    #[command(flatten)]
    pub table: TableFileArgs,
    #[command(flatten)]
    pub texts: TextArgs,

    /// Number of texts to suggest.
    #[arg(long, default_value_t = 100, value_name = "TEXTS", value_parser = at_least(1), help_heading = "Suggestions")]
    pub count: usize,
    /// Seed of the choice.
    #[arg(long, default_value_t = 42, help_heading = "Suggestions")]
    pub seed: u32,
    /// Results of an experiment with --sizes: say what so many more labels would bring.
    #[arg(long, value_name = "FILE|FOLDER", help_heading = "Suggestions")]
    pub results: Option<PathBuf>,

    #[command(flatten)]
    pub output: TableOutputArgs,
    /// Replace the output file of an earlier run.
    #[arg(long, requires = "output", help_heading = "Output")]
    pub overwrite: bool,
    /// Print only warnings.
    #[arg(long, short, conflicts_with = "results", help_heading = "Output")]
    pub quiet: bool,
    #[command(flatten)]
    pub engine: EngineArgs,
    #[command(flatten)]
    pub precision: PrecisionArgs,
}

/// Number of texts that are computed at a time.
const CHUNK: usize = 1024;

/// Runs the command.
///
/// # Errors
/// Returns an error if the table, the results or the model cannot be read, the model does not predict one class per text, or the
/// output cannot be written. An earlier output file is then unchanged.
pub fn run(args: &SuggestArgs) -> Result<(), Failure> {
    let mut display = Display::beside_data(Verbosity::of(args.quiet, false));
    args.output.check(args.overwrite)?;
    args.precision.check(args.engine.backend)?;
    let table = Rows::read(args)?;
    let results = args.results.as_deref().map(Results::read).transpose()?;
    let devices = args.engine.device()?;
    let found = model::find(&args.model, args.offline, &mut |download| display.download(&download))?;
    found.warnings().iter().for_each(|warning| display.warn(warning));
    let model = args.precision.apply(found.model, args.engine.backend)?;
    let classifier = Predictor::new(&model, &devices.first)?;
    let classifier = classifier.with_long_texts(args.texts.long_texts.unwrap_or(model.long_texts));
    if classifier.output_function() != OutputFunction::Softmax {
        let reason = "does not predict one class per text, from which uncertainty is computed";
        return Err(Failure::usage(format!("--model: {} {reason}", model.id)));
    }
    let added = added(args, &table, &display)?;
    let candidates = table.candidates();
    if candidates.is_empty() {
        return Err(Failure::input(format!("{}: no texts", args.data.display())));
    }
    let predicted = predict(args, &classifier, &table, &candidates, &mut display);
    display.clear();
    let Predicted { features, logits, probabilities } = predicted?;
    let classes = classifier.labels().len();
    let chosen = diverse_uncertain_rows(&features, &probabilities, classes, args.count, args.seed.into())
        .map_err(Failure::other)?;
    let rows = chosen.iter().map(|&place| {
        let cells = table.rows[candidates[place]].cells.iter().cloned();
        let suggested = cells_of(&classifier, &logits[place * classes..(place + 1) * classes]);
        cells.chain(added.iter().cloned().zip(suggested)).collect::<Vec<_>>()
    });
    write(args, &table, &added, rows)?;
    report(args, &display, &table, candidates.len(), chosen.len());
    if let Some(results) = &results {
        let name = model.id.rsplit(['/', '\\']).next().unwrap_or_default();
        display.line(&forecast::forecast(results, name, args.count));
    }
    Ok(())
}

/// The rows of the table.
struct Rows {
    format: OutputFormat,
    columns: Vec<TableColumn>,
    rows: Vec<TableRow>,
}

impl Rows {
    /// Reads the table of the options; a regular file is read once before, so that all invalid rows are named, and types are known.
    fn read(args: &SuggestArgs) -> Result<Self, Failure> {
        let (path, options) = (&args.data, args.table.read_options());
        let format = args.output.format()?;
        let table = Table::open(path, &options)?;
        let names = table.columns().iter().cloned();
        let mut columns = names.map(|name| TableColumn { name, kind: ColumnKind::Text }).collect();
        let table = match path.is_file() {
            true => {
                columns = TableSummary::new(table)?.columns;
                Table::open(path, &options)?
            }
            false => table,
        };
        let rows = table.collect::<Result<Vec<TableRow>, DataError>>()?;
        Ok(Self { format, columns, rows })
    }

    /// Returns the rows of different texts that are not empty.
    fn candidates(&self) -> Vec<usize> {
        let texts = self.rows.iter().map(|row| (row.text.as_str(), row.text_pair.as_deref()));
        let mut seen = HashSet::new();
        let groups = pair_groups(texts, false).into_iter().enumerate();
        let is_new = |(row, group): &(usize, usize)| !self.rows[*row].text.trim().is_empty() && seen.insert(*group);
        groups.filter(is_new).map(|(row, _)| row).collect()
    }
}

/// What the model computes of the candidates, a row per candidate.
#[derive(Default)]
struct Predicted {
    features: Vec<f32>,
    logits: Vec<f32>,
    probabilities: Vec<f32>,
}

fn predict(
    args: &SuggestArgs,
    classifier: &Predictor,
    table: &Rows,
    candidates: &[usize],
    display: &mut Display,
) -> Result<Predicted, Failure> {
    let max_length = args.texts.max_length.unwrap_or(classifier.max_length());
    let mut predicted = Predicted::default();
    let mut done = 0;
    for chunk in candidates.chunks(CHUNK) {
        let rows = chunk.iter().map(|&row| &table.rows[row]);
        let texts: Vec<(&str, Option<&str>)> = rows.map(|row| (row.text.as_str(), row.text_pair.as_deref())).collect();
        let outputs = classifier.pair_outputs(&texts, max_length, args.texts.batch_size)?;
        predicted.features.extend(outputs.features);
        let rows = outputs.logits.chunks(classifier.labels().len());
        let rows = rows.flat_map(|logits| around_threshold(classifier, logits));
        predicted.probabilities.extend(rows.map(|probability| probability as f32));
        predicted.logits.extend(outputs.logits);
        done += chunk.len();
        display.reading(0, done, candidates.len());
    }
    Ok(predicted)
}

/// Returns the probabilities of the classes, from which uncertainty is computed. If a model of two classes has a threshold, its
/// odds count as even: a text is uncertain if its label might as well be the other one.
fn around_threshold(classifier: &Predictor, logits: &[f32]) -> Vec<f64> {
    match (classifier.config().problem.thresholds.get(1), logits) {
        (Some(&threshold), &[first, second]) => {
            let threshold = threshold.clamp(f32::EPSILON, 1.0 - f32::EPSILON);
            probabilities(&[first, second - (threshold / (1.0 - threshold)).ln()])
        }
        _ => probabilities(logits),
    }
}

/// Returns the names of the added columns: the predicted label, its score, and why the text is suggested.
fn added(args: &SuggestArgs, table: &Rows, display: &Display) -> Result<[Arc<str>; 3], Failure> {
    let names = |prefix: &str| ["label", "score", "reason"].map(|name| Arc::from(format!("{prefix}{name}")));
    let clash = |names: &[Arc<str>; 3]| {
        table.columns.iter().map(|column| &column.name).find(|name| names.contains(name)).cloned()
    };
    let plain = names(args.output.prefix.as_deref().unwrap_or_default());
    let Some(name) = clash(&plain) else { return Ok(plain) };
    let prefixed = names(PREFIX);
    match args.output.prefix.is_none() && clash(&prefixed).is_none() {
        true => {
            display
                .warn(&format!("the table has a column `{name}`: the names of the new columns begin with `{PREFIX}`"));
            Ok(prefixed)
        }
        false => Err(Failure::usage(format!(
            "{}: already has a column `{name}`, which the suggestions need; name them differently with `--prefix`",
            args.data.display()
        ))),
    }
}

/// Returns the predicted label and its score, as `predict` does, and the two classes that the model hesitates between.
fn cells_of(classifier: &Predictor, logits: &[f32]) -> [Cell; 3] {
    let ranking = classifier.decide(logits, &Decision { top_k: 2, ..Decision::default() }).ranking;
    let named = |(class, score): &(usize, f32)| format!("{} {score:.3}", classifier.labels()[*class]);
    let (label, score) = ranking.first().copied().unwrap_or_default();
    let score = Cell::Json(serde_json::to_string(&score).unwrap_or_default());
    let reason = ranking.iter().map(named).collect::<Vec<_>>().join(" or ");
    [Cell::Text(classifier.labels()[label].clone()), score, Cell::Text(reason)]
}

/// Writes the suggested rows to the output file, or to standard output.
fn write(
    args: &SuggestArgs,
    table: &Rows,
    added: &[Arc<str>; 3],
    rows: impl Iterator<Item = Vec<(Arc<str>, Cell)>>,
) -> Result<(), Failure> {
    let kinds = [ColumnKind::Text, ColumnKind::Float, ColumnKind::Text];
    let added = added.iter().cloned().zip(kinds).map(|(name, kind)| TableColumn { name, kind });
    let columns: Vec<TableColumn> = table.columns.iter().cloned().chain(added).collect();
    let write = |out: Box<dyn Write + Send>| -> io::Result<()> {
        let mut writer = TableWriter::new(table.format, &columns, out)?;
        rows.into_iter().try_for_each(|cells| writer.write(&cells))?;
        writer.finish()
    };
    let Some(output) = &args.output.output else { return Ok(write(Box::new(BufWriter::new(io::stdout())))?) };
    let failed = |path: &Path, error: io::Error| match error.kind() {
        io::ErrorKind::InvalidInput => Failure::input(format!("{}: {error}", args.data.display())),
        _ => Failure::output(format!("{}: {error}", path.display())),
    };
    write_atomic(output, |new| {
        let file = File::create(new).map_err(|error| failed(output, error))?;
        write(Box::new(BufWriter::new(file))).map_err(|error| failed(output, error))
    })
}

/// Says how many texts are suggested, and how many were left out.
fn report(args: &SuggestArgs, display: &Display, table: &Rows, candidates: usize, chosen: usize) {
    let left_out = table.rows.len() - candidates;
    let left_out = match left_out {
        0 => String::new(),
        count => format!(", without {} empty or repeated", thousands(count)),
    };
    if chosen < args.count {
        display.warn(&format!("the table has only {} different texts; all of them are suggested", thousands(chosen)));
    }
    display.line(&format!("{} of {} texts suggested{left_out}", thousands(chosen), thousands(candidates)));
    if let Some(output) = &args.output.output {
        display.line(&format!("suggestions in {}", output.display()));
    }
}

const EXAMPLES: &str = "\
Examples:
  rekindle suggest --model ./model --data reviews.csv --count 20
  rekindle suggest --model ./model --data reviews.csv --output next.csv";
