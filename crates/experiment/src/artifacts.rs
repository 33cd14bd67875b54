//! The files that an experiment leaves.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rekindle_distilbert::Precision;
use rekindle_tokenizer::Tokenizer;
use rekindle_train::StepRecord;
use tempfile::TempDir;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::error::ExperimentError;
use crate::report::report_html;
use crate::results::{ApproachRecord, Estimate, Results, Scores};
use crate::run::{Outcome, RunKey};

/// An output folder that has been seen to be writable before any work is done.
///
/// Everything is written to a hidden folder beside it first. Only when all of it is whole and on disk are the files
/// moved into place, `results.json` last and then the zip: a run that fails on the way leaves an earlier output as it
/// was.
pub struct Output {
    folder: PathBuf,
    staging: TempDir,
}

impl Output {
    /// Prepares to write to `folder`, and to `folder` with `.zip` appended.
    ///
    /// # Errors
    /// When the folder is a file, or nothing can be written beside or into it.
    pub fn prepare(folder: &Path) -> Result<Self, ExperimentError> {
        let refuse = |reason: String| ExperimentError::Output { path: folder.into(), reason };
        if folder.file_name().is_none() {
            return Err(refuse("is not the name of a folder".into()));
        }
        if folder.exists() && !folder.is_dir() {
            return Err(refuse("is a file; name a folder".into()));
        }
        let zip = beside(folder, ZIP);
        if zip.is_dir() {
            return Err(refuse(format!("{} is a folder, a file will be written there", zip.display())));
        }
        let parent = match folder.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
            _ => PathBuf::from("."),
        };
        fs::create_dir_all(&parent).map_err(|source| io_error(&parent, source))?;
        let staging = || tempfile::Builder::new().prefix(".rekindle-").tempdir_in(&parent);
        let staging = staging().map_err(|error| refuse(format!("cannot write beside it: {error}")))?;
        if folder.is_dir() {
            tempfile::tempfile_in(folder).map_err(|error| refuse(format!("cannot write into it: {error}")))?;
        }
        Ok(Self { folder: folder.into(), staging })
    }

    /// Writes `tl_results.csv`, `scores.csv`, `history.csv`, `report.html`, `results.json` and the zip; with `models`, also a folder a model under
    /// `models/`, each one a checkpoint that transformers opens.
    ///
    /// Returns the folder and the zip.
    ///
    /// # Errors
    /// When writing fails; nothing is then changed in the output folder.
    pub fn write(self, outcome: &Outcome, models: Option<&Tokenizer>) -> Result<(PathBuf, PathBuf), ExperimentError> {
        let staged = self.staging.path().join("output");
        fs::create_dir(&staged).map_err(|source| io_error(&staged, source))?;
        let mut files = Files { root: &staged, names: Vec::new() };
        files.write("tl_results.csv", &summary_csv(&outcome.results))?;
        files.write("scores.csv", &scores_csv(&outcome.results))?;
        files.write("history.csv", &history_csv(history(&outcome.results)))?;
        if let Some(tokenizer) = models {
            for ((config, model), record) in outcome.models.iter().zip(&outcome.results.approaches) {
                let name = format!("models/{}", record.approach);
                files.write(&format!("{name}/config.json"), config.to_json().as_bytes())?;
                files.write(&format!("{name}/tokenizer.json"), tokenizer.to_json()?.as_bytes())?;
                let settings = Tokenizer::config_json(config.max_position_embeddings);
                files.write(&format!("{name}/tokenizer_config.json"), settings.as_bytes())?;
                let weights = files.path(&format!("{name}/model.safetensors"))?;
                model.save_safetensors(&weights, Precision::F32)?;
            }
        }
        files.write("report.html", report_html(&outcome.results)?.as_bytes())?;
        files.write("results.json", &results_json(&outcome.results))?;

        let zip = self.staging.path().join("output.zip");
        pack(&zip, &self.folder, &files).map_err(|source| io_error(&zip, source))?;
        for name in &files.names {
            let target = self.folder.join(name);
            let parent = target.parent().unwrap_or(&self.folder);
            fs::create_dir_all(parent).map_err(|source| io_error(parent, source))?;
            fs::rename(staged.join(name), &target).map_err(|source| io_error(&target, source))?;
        }
        let target = beside(&self.folder, ZIP);
        fs::rename(&zip, &target).map_err(|source| io_error(&target, source))?;
        let _ = fs::remove_file(beside(&self.folder, FAILED));
        Ok((self.folder, target))
    }

    /// Keeps the steps of a run that failed, each with its approach, as `history.csv` would have had them: in the file
    /// whose name is the folder's with `.failed.csv` appended. The folder and its zip are left as they are, and the next
    /// run that succeeds removes the file.
    ///
    /// # Errors
    /// When writing fails.
    pub fn write_failed(self, steps: &[StepRow]) -> Result<PathBuf, ExperimentError> {
        let path = beside(&self.folder, FAILED);
        let mut files = Files { root: self.staging.path(), names: Vec::new() };
        files.write("failed.csv", &history_csv(steps.iter().cloned()))?;
        fs::rename(self.staging.path().join("failed.csv"), &path).map_err(|source| io_error(&path, source))?;
        Ok(path)
    }
}

/// A step, and the run that it belongs to.
#[derive(Clone, Debug)]
pub struct StepRow {
    /// The approach's name.
    pub approach: String,
    /// The run of it.
    pub run: RunKey,
    /// The step.
    pub step: StepRecord,
}

/// Files below a folder, each on disk before the next.
struct Files<'a> {
    root: &'a Path,
    names: Vec<String>,
}

impl Files<'_> {
    fn path(&mut self, name: &str) -> Result<PathBuf, ExperimentError> {
        let path = self.root.join(name);
        let parent = path.parent().unwrap_or(self.root);
        fs::create_dir_all(parent).map_err(|source| io_error(parent, source))?;
        self.names.push(name.into());
        Ok(path)
    }

    fn write(&mut self, name: &str, bytes: &[u8]) -> Result<(), ExperimentError> {
        let path = self.path(name)?;
        let write = || -> io::Result<()> {
            let mut file = File::create(&path)?;
            file.write_all(bytes)?;
            file.sync_all()
        };
        write().map_err(|source| io_error(&path, source))
    }
}

/// What is appended to the folder's name for its zip, and for the steps of a run that failed.
const ZIP: &str = ".zip";
const FAILED: &str = ".failed.csv";

/// The file beside an output folder whose name is the folder's with `suffix` appended.
fn beside(folder: &Path, suffix: &str) -> PathBuf {
    let mut name = folder.file_name().unwrap_or_default().to_os_string();
    name.push(suffix);
    folder.with_file_name(name)
}

fn pack(path: &Path, folder: &Path, files: &Files<'_>) -> io::Result<()> {
    let folder = folder.file_name().unwrap_or_default().to_string_lossy();
    let mut zip = ZipWriter::new(File::create(path)?);
    for name in &files.names {
        // Weights do not compress.
        let method = match name.ends_with(".safetensors") {
            true => zip::CompressionMethod::Stored,
            false => zip::CompressionMethod::Deflated,
        };
        let options = SimpleFileOptions::default().compression_method(method).large_file(true);
        zip.start_file(format!("{folder}/{name}"), options).map_err(io::Error::other)?;
        io::copy(&mut File::open(files.root.join(name))?, &mut zip)?;
    }
    zip.finish().map_err(io::Error::other)?.sync_all()
}

fn results_json(results: &Results) -> Vec<u8> {
    let mut json = serde_json::to_vec_pretty(results).unwrap_or_default();
    json.push(b'\n');
    json
}

/// `approach,accuracy,f1,loss`, a row an approach.
fn summary_csv(results: &Results) -> Vec<u8> {
    table(
        &["approach", "accuracy", "f1", "loss"],
        results.approaches.iter().map(|record| {
            let ApproachRecord { approach, accuracy, f1, loss, .. } = record;
            vec![approach.clone(), accuracy.to_string(), f1.to_string(), loss.to_string()]
        }),
    )
}

/// Every step of every run.
fn history(results: &Results) -> impl Iterator<Item = StepRow> {
    results.approaches.iter().flat_map(|record| {
        record.runs.iter().flat_map(move |run| {
            let key = RunKey { seed: run.seed, repeat: run.repeat, fold: run.fold, size: run.size };
            let row =
                move |step: &StepRecord| StepRow { approach: record.approach.clone(), run: key, step: step.clone() };
            run.steps.iter().map(row)
        })
    })
}

/// A row a step.
fn history_csv(steps: impl Iterator<Item = StepRow>) -> Vec<u8> {
    table(
        &["approach", "step", "epoch", "loss", "grad_norm", "learning_rate", "seed", "repeat", "fold", "size"],
        steps.map(|StepRow { approach, run, step }| {
            let mut row = vec![approach, step.step.to_string(), step.epoch.to_string()];
            row.extend([step.loss, step.grad_norm, step.learning_rate].map(|number| number.to_string()));
            row.extend([run.seed.to_string(), run.repeat.to_string(), run.fold.to_string(), run.size.to_string()]);
            row
        }),
    )
}

/// A row a score: of every approach and every baseline, at every training size, with its interval.
fn scores_csv(results: &Results) -> Vec<u8> {
    let approaches = results.approaches.iter().map(|record| ("approach", &record.approach, &record.curve));
    let baselines = results.baselines.iter().map(|record| ("baseline", &record.baseline, &record.curve));
    let rows = approaches.chain(baselines).flat_map(|(kind, name, curve)| {
        curve.iter().flat_map(move |point| {
            let Scores { accuracy, f1, loss } = &point.scores;
            [("accuracy", accuracy), ("f1", f1), ("loss", loss)].map(
                |(metric, Estimate { mean, interval, n, method, .. })| {
                    let end = |end: Option<f64>| end.map_or(String::new(), |end| end.to_string());
                    let (low, high) = (interval.map(|(low, _)| low), interval.map(|(_, high)| high));
                    let mut row =
                        vec![kind.into(), name.clone(), point.size.to_string(), metric.into(), mean.to_string()];
                    row.extend([end(low), end(high), n.to_string(), method.clone()]);
                    row
                },
            )
        })
    });
    table(&["kind", "name", "size", "metric", "mean", "low", "high", "n", "method"], rows)
}

fn table(header: &[&str], rows: impl Iterator<Item = Vec<String>>) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    // Writing to memory cannot fail.
    let _ = writer.write_record(header);
    rows.for_each(|row| {
        let _ = writer.write_record(row);
    });
    writer.into_inner().unwrap_or_default()
}

fn io_error(path: &Path, source: io::Error) -> ExperimentError {
    ExperimentError::Io { path: path.into(), source }
}
