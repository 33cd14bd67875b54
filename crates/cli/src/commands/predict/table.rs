//! A table with its predictions.

use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::path::Path;
use std::sync::Arc;

use rekindle::data::{
    ColumnKind, DataError, Format, OutputFormat, ReadOptions, Table, TableColumn, TableRow, TableSummary, TableWriter,
};
use rekindle::files::write_atomic;
use rekindle::infer::{Predictor, PretrainedModel};
use rekindle::report::thousands;
use rekindle::train::Stop;
use serde_json::{Map, Value, json};

use super::columns::PredictedColumns;
use super::logits_store::LogitsStore;
use super::{CHUNK, PredictArgs};
use crate::exit::Failure;
use crate::interrupt;
use crate::terminal::Display;

/// A table that is to be predicted.
pub struct Input<'a> {
    args: &'a PredictArgs,
    path: &'a Path,
    options: ReadOptions,
    format: OutputFormat,
    /// Whether the columns of a Parquet file are copied as they are, so that only its texts are read.
    is_copied: bool,
    columns: Vec<TableColumn>,
    /// What a first pass over the file found; a pipe has only one pass.
    summary: Option<TableSummary>,
}

/// What is predicted with.
struct TablePredictor<'a> {
    classifier: &'a Predictor,
    columns: &'a PredictedColumns,
    max_length: usize,
    batch_size: usize,
}

impl<'a> Input<'a> {
    /// Opens the table of the options, and reads a regular file once, so that rows that cannot be used are errors before any
    /// prediction.
    ///
    /// # Errors
    /// Returns an error if the table cannot be read, or the output cannot be written.
    pub fn open(args: &'a PredictArgs, path: &'a Path) -> Result<Self, Failure> {
        let options = args.table.read_options();
        let format = args.output.format()?;
        let is_file = path.is_file();
        let table = open(path, &options, format)?;
        if format.is_parquet() && !is_file {
            let reason = "Parquet needs two passes over the table, and a pipe has one; save it to a file first";
            return Err(Failure::usage(format!("--data {}: {reason}", path.display())));
        }
        check_output(args)?;
        let is_copied = format.is_parquet() && table.format() == Format::Parquet;
        let names = table.columns().iter().cloned();
        let mut columns: Vec<TableColumn> = names.map(|name| TableColumn { name, kind: ColumnKind::Text }).collect();
        let summary = is_file.then(|| TableSummary::new(table)).transpose()?;
        if let Some(summary) = summary.as_ref().filter(|_| !is_copied) {
            columns.clone_from(&summary.columns);
        }
        Ok(Self { args, path, options, format, is_copied, columns, summary })
    }

    /// Returns the first of the columns that the table already has.
    pub fn clash(&self, columns: &PredictedColumns) -> Option<Arc<str>> {
        let has = |new: &TableColumn| self.columns.iter().any(|old| old.name == new.name);
        columns.table().into_iter().find(has).map(|column| column.name)
    }

    /// Writes the table with its predictions.
    ///
    /// # Errors
    /// Returns whatever stopped it; then no output file exists, and `--resume` continues.
    pub fn predict(
        &self,
        model: &PretrainedModel,
        classifier: &Predictor,
        columns: &PredictedColumns,
        display: &mut Display,
    ) -> Result<(), Failure> {
        let added = columns.table();
        if let Some(name) = self.clash(columns) {
            return Err(Failure::usage(format!(
                "{}: already has a column `{name}`, which the predictions need; name them differently with `--prefix`",
                self.path.display()
            )));
        }
        let max_length = self.args.texts.max_length.unwrap_or(classifier.max_length());
        let predictor = TablePredictor { classifier, columns, max_length, batch_size: self.args.texts.batch_size };
        let Some(output) = &self.args.output.output else {
            let writer = self.writer(Box::new(BufWriter::new(io::stdout())), &added)?;
            let done = self.rows(&predictor, writer, None, &Stop::default(), display, &Failure::from);
            display.clear();
            return done.map(drop);
        };
        let stop = Stop::default();
        interrupt::handle(&stop, display.notices())?;
        let settings = self.settings(model, &predictor);
        let store = settings.map(|settings| LogitsStore::open(output, &settings, classifier.labels().len(), CHUNK));
        let mut store = store.transpose()?;
        let kept = store.as_ref().map_or(0, LogitsStore::stored);
        let failed = |error| Failure::output(format!("{}: {error}", output.display()));
        let mut rows = 0;
        let done = write_atomic(output, |new| {
            let out = BufWriter::new(File::create(new).map_err(failed)?);
            let writer = self.writer(Box::new(out), &added)?;
            rows = self.rows(&predictor, writer, store.as_mut(), &stop, display, &failed)?;
            Ok::<(), Failure>(())
        });
        display.clear();
        done?;
        if let Some(store) = store {
            store.remove();
        }
        let read = thousands(rows.saturating_sub(kept));
        display.line(&format!(
            "{} rows, {read} of them read now\npredictions in {}",
            thousands(rows),
            output.display()
        ));
        Ok(())
    }

    fn writer(&self, out: Box<dyn io::Write + Send>, added: &[TableColumn]) -> Result<TableWriter, Failure> {
        if self.is_copied {
            return extending(self.path, added, out);
        }
        TableWriter::new(self.format, &[&self.columns, added].concat(), out).map_err(|error| match error.kind() {
            io::ErrorKind::InvalidInput => Failure::input(format!("{}: {error}", self.path.display())),
            _ => error.into(),
        })
    }

    /// Writes all rows, and returns their number.
    fn rows(
        &self,
        predictor: &TablePredictor<'_>,
        mut writer: TableWriter,
        mut store: Option<&mut LogitsStore>,
        stop: &Stop,
        display: &mut Display,
        failed: &dyn Fn(io::Error) -> Failure,
    ) -> Result<usize, Failure> {
        let mut table = open(self.path, &self.options, self.format)?;
        let total = self.summary.as_ref().map_or(0, |summary| summary.rows);
        let stored = store.as_ref().map_or(0, |store| store.stored());
        let mut done = 0;
        loop {
            let rows: Vec<TableRow> = table.by_ref().take(CHUNK).collect::<Result<_, DataError>>()?;
            if rows.is_empty() {
                break;
            }
            let logits = match &mut store {
                Some(store) if done + rows.len() <= stored => store.read(done, rows.len())?,
                store => {
                    let logits = predictor.logits(&rows)?;
                    store.as_mut().map_or(Ok(()), |store| store.append(&logits))?;
                    logits
                }
            };
            done += rows.len();
            let classes = predictor.classifier.labels().len();
            for (row, logits) in rows.into_iter().zip(logits.chunks(classes)) {
                let mut cells = if self.is_copied { Vec::new() } else { row.cells };
                predictor.columns.append(predictor.classifier, logits, &mut cells);
                writer.write(&cells).map_err(failed)?;
            }
            if self.args.output.output.is_none() {
                writer.flush().map_err(failed)?;
            }
            if stop.is_requested() {
                return Err(Failure::interrupted(format!("stopped after {} rows", thousands(done))));
            }
            if total > 0 {
                display.reading(stored.min(done), done.saturating_sub(stored), total.max(done));
            }
        }
        writer.finish().map_err(failed)?;
        Ok(done)
    }

    /// Returns what must be the same when a run is resumed; a pipe cannot be resumed.
    fn settings(&self, model: &PretrainedModel, predictor: &TablePredictor<'_>) -> Option<Map<String, Value>> {
        let TableSummary { rows, texts_xxh64, .. } = self.summary.as_ref()?;
        let settings = json!({
            "version": env!("CARGO_PKG_VERSION"),
            "model": model.id,
            "model_sha256": model.sha256(),
            "backend": self.args.engine.backend.name(),
            "precision": predictor.classifier.precision(),
            "max_length": predictor.max_length,
            "long_texts": self.args.texts.long_texts.unwrap_or(model.long_texts).to_string(),
            "batch_size": predictor.batch_size,
            "rows": rows,
            "texts_xxh64": format!("{texts_xxh64:016x}"),
        });
        settings.as_object().cloned()
    }
}

impl TablePredictor<'_> {
    fn logits(&self, rows: &[TableRow]) -> Result<Vec<f32>, Failure> {
        let texts: Vec<(&str, Option<&str>)> =
            rows.iter().map(|row| (row.text.as_str(), row.text_pair.as_deref())).collect();
        Ok(self.classifier.pair_logits(&texts, self.max_length, self.batch_size)?)
    }
}

/// Opens the table. Only the texts of a Parquet file are read if its columns are copied to another one.
fn open(path: &Path, options: &ReadOptions, format: OutputFormat) -> Result<Table, DataError> {
    if format.is_parquet() { Table::open_text_of_parquet(path, options) } else { Table::open(path, options) }
}

#[cfg(feature = "parquet")]
fn extending(path: &Path, added: &[TableColumn], out: Box<dyn io::Write + Send>) -> Result<TableWriter, Failure> {
    Ok(TableWriter::extending(path, added, out)?)
}

#[cfg(not(feature = "parquet"))]
fn extending(path: &Path, _: &[TableColumn], _: Box<dyn io::Write + Send>) -> Result<TableWriter, Failure> {
    Err(DataError::NoParquet { path: path.into() }.into())
}

/// Checks that the output file and what an interrupted run left are not lost without a word.
fn check_output(args: &PredictArgs) -> Result<(), Failure> {
    args.output.check(args.overwrite)?;
    let Some(output) = &args.output.output else { return Ok(()) };
    let partial = LogitsStore::folder(output);
    if !partial.exists() || args.resume {
        return Ok(());
    }
    if !args.overwrite {
        let partial = partial.display();
        return Err(Failure::output(format!(
            "{partial}: an interrupted run is here; continue it with --resume, or replace it with --overwrite"
        )));
    }
    fs::remove_dir_all(&partial).map_err(|error| Failure::output(format!("{}: {error}", partial.display())))
}
