//! The folder that an experiment leaves, and its zip.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rekindle_distilbert::Precision;
use rekindle_files::{Lock, write_atomic};
use rekindle_report::{StepRow, history, history_csv, report_html, scores_csv, summary_csv};
use rekindle_results::Results;
use rekindle_tokenizer::Tokenizer;
use rekindle_train::{SaveStrategy, Stop};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::error::ExperimentError;
use crate::experiment::Outcome;
use crate::experiment_store::ExperimentStore;

/// An output folder that has been seen to be writable before any work is done, and that no other run writes to.
///
/// Everything is written to a hidden folder within it first. Only when all of it is whole and on disk are the files
/// moved into place, `results.json` last and then the zip: a run that fails on the way leaves an earlier output as it
/// was. Beside it, in the folder whose name is its own with `.checkpoint` appended, lies while it runs what it takes to
/// go on after a break.
#[derive(Debug)]
pub struct Output {
    folder: PathBuf,
    lock: Lock,
}

/// What is appended to the folder's name for its zip, for the steps of a run that failed, and for what it takes to go on.
const ZIP: &str = ".zip";
const FAILED: &str = ".failed.csv";
const CHECKPOINT: &str = ".checkpoint";
/// Where files wait within the output folder until all are whole.
const STAGING: &str = ".staging";

impl Output {
    /// Prepares to write to `folder`, and to `folder` with `.zip` appended.
    ///
    /// # Errors
    /// When the folder is a file, nothing can be written beside or into it, or another run writes to it.
    pub fn prepare(folder: &Path) -> Result<Self, ExperimentError> {
        let refuse = |reason: String| ExperimentError::Output { path: folder.into(), reason };
        if folder.file_name().is_none() {
            return Err(refuse("is not the name of a folder".into()));
        }
        if folder.exists() && !folder.is_dir() {
            return Err(refuse("is a file; name a folder".into()));
        }
        if folder.is_symlink() && !folder.exists() {
            return Err(refuse("is a link that leads nowhere".into()));
        }
        let zip = beside(folder, ZIP);
        if zip.is_dir() {
            return Err(refuse(format!("{} is a folder, a file will be written there", zip.display())));
        }
        if folder.is_dir() {
            tempfile::tempfile_in(folder).map_err(|error| refuse(format!("cannot write into it: {error}")))?;
        }
        let lock = Lock::take(&beside(folder, CHECKPOINT)).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => refuse("another run is writing to it; name another folder, or wait".into()),
            _ => refuse(format!("cannot write beside it: {error}")),
        })?;
        Ok(Self { folder: folder.into(), lock })
    }

    /// Where the experiment keeps what it takes to go on after a break.
    pub fn store(&self, save_strategy: Option<SaveStrategy>, stop: Stop) -> ExperimentStore {
        ExperimentStore::new(self.lock.folder(), save_strategy, stop)
    }

    /// Writes `tl_results.csv`, `scores.csv`, `history.csv`, `report.html`, `results.json` and the zip; with `models`,
    /// also a folder a model under `models/`, each one a checkpoint that transformers opens.
    ///
    /// Returns the folder and the zip.
    ///
    /// # Errors
    /// When writing fails; nothing is then changed in the output folder.
    pub fn write(self, outcome: &Outcome, models: Option<&Tokenizer>) -> Result<(PathBuf, PathBuf), ExperimentError> {
        let is_new = !self.folder.exists();
        let staging = self.folder.join(STAGING);
        let zip = beside(&self.folder, ZIP);
        let done = self.stage(&staging, outcome, models).and_then(|files| {
            // The zip is whole before any file of an earlier output is replaced, and moved behind them.
            write_atomic(&zip, |new| {
                pack(new, &self.folder, &files).map_err(|source| io_error(&zip, source))?;
                files.move_to(&self.folder)
            })
        });
        let _ = fs::remove_dir_all(&staging);
        if let Err(error) = done {
            // Only an empty folder can be removed so.
            let _ = if is_new { fs::remove_dir(&self.folder) } else { Ok(()) };
            return Err(error);
        }
        let _ = fs::remove_file(beside(&self.folder, FAILED));
        self.lock.remove_all();
        Ok((self.folder, zip))
    }

    /// Writes all files of an outcome to `staging`.
    fn stage(&self, staging: &Path, outcome: &Outcome, models: Option<&Tokenizer>) -> Result<Files, ExperimentError> {
        // One that was left by a run that was killed.
        let _ = fs::remove_dir_all(staging);
        fs::create_dir_all(staging).map_err(|source| io_error(staging, source))?;
        let Outcome { results, .. } = outcome;
        let mut files = Files { root: staging.into(), names: Vec::new() };
        files.write("tl_results.csv", &summary_csv(results))?;
        files.write("scores.csv", &scores_csv(results))?;
        files.write("history.csv", &history_csv(history(results)))?;
        if let Some(tokenizer) = models {
            files.write_models(outcome, tokenizer)?;
        }
        files.write("report.html", report_html(results).as_bytes())?;
        files.write("results.json", &results.to_json())?;
        Ok(files)
    }

    /// Keeps the steps of a run that failed, each with its approach, as `history.csv` would have had them: in the file
    /// whose name is the folder's with `.failed.csv` appended. The folder and its zip are left as they are, and the next
    /// run that succeeds removes the file.
    ///
    /// # Errors
    /// When writing fails.
    pub fn write_failed(self, steps: &[StepRow]) -> Result<PathBuf, ExperimentError> {
        let path = beside(&self.folder, FAILED);
        let table = history_csv(steps.iter().cloned());
        write_atomic(&path, |new| fs::write(new, &table).map_err(|source| io_error(&path, source)))?;
        Ok(path)
    }
}

/// Files below a folder, each on disk before the next.
struct Files {
    root: PathBuf,
    names: Vec<String>,
}

impl Files {
    fn path(&mut self, name: &str) -> Result<PathBuf, ExperimentError> {
        let path = self.root.join(name);
        let parent = path.parent().unwrap_or(&self.root);
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

    fn write_models(&mut self, outcome: &Outcome, tokenizer: &Tokenizer) -> Result<(), ExperimentError> {
        let Outcome { results: Results { approaches, .. }, models } = outcome;
        for ((config, model), record) in models.iter().zip(approaches) {
            let name = format!("models/{}", record.approach);
            self.write(&format!("{name}/config.json"), config.to_json().as_bytes())?;
            self.write(&format!("{name}/tokenizer.json"), tokenizer.to_json()?.as_bytes())?;
            let settings = Tokenizer::config_json(config.max_position_embeddings);
            self.write(&format!("{name}/tokenizer_config.json"), settings.as_bytes())?;
            let weights = self.path(&format!("{name}/model.safetensors"))?;
            model.save_safetensors(&weights, Precision::F32)?;
        }
        Ok(())
    }

    /// Moves the files into place, each at once.
    fn move_to(&self, folder: &Path) -> Result<(), ExperimentError> {
        for name in &self.names {
            let target = folder.join(name);
            let parent = target.parent().unwrap_or(folder);
            fs::create_dir_all(parent).map_err(|source| io_error(parent, source))?;
            fs::rename(self.root.join(name), &target).map_err(|source| io_error(&target, source))?;
        }
        Ok(())
    }
}

/// The file beside an output folder whose name is the folder's with `suffix` appended.
fn beside(folder: &Path, suffix: &str) -> PathBuf {
    let mut name = folder.file_name().unwrap_or_default().to_os_string();
    name.push(suffix);
    folder.with_file_name(name)
}

fn pack(path: &Path, folder: &Path, files: &Files) -> io::Result<()> {
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

pub(crate) fn io_error(path: &Path, source: io::Error) -> ExperimentError {
    ExperimentError::Io { path: path.into(), source }
}
