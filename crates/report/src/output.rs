//! The output folder of an experiment, and its zip.

use std::error::Error;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rekindle_files::{FileError, Lock, write_atomic};
use rekindle_results::Results;

use crate::csv::{StepRow, history, history_csv, predictions_csv, scores_csv, summary_csv};
use crate::error::ReportError;
use crate::html::report_html;
use crate::staging::Staging;

/// An output folder that is known to be writable before any work is done, and that no other process writes to.
///
/// All files are written to a hidden folder within it. When they are complete and synced, they are moved into place,
/// `results.json` last, followed by the zip: a failure leaves an earlier output unchanged. The state of an unfinished experiment
/// is beside it, in the folder with `.checkpoint` appended to its name.
#[derive(Debug)]
pub struct Output {
    folder: PathBuf,
    lock: Lock,
}

/// What is appended to the name of the folder for its zip, for the steps of a failed run, and for unfinished work.
const ZIP: &str = ".zip";
const FAILED: &str = ".failed.csv";
const CHECKPOINT: &str = ".checkpoint";
/// The hidden folder for files that are not complete.
const STAGING: &str = ".staging";

impl Output {
    /// Prepares to write to `folder`, and to `folder` with `.zip` appended.
    ///
    /// # Errors
    /// Returns an error if the folder is a file, if it or the folder around it is not writable, or if another process writes to
    /// it.
    pub fn prepare(folder: &Path) -> Result<Self, ReportError> {
        let refuse = |reason: String| ReportError::Output { path: folder.into(), reason };
        if folder.file_name().is_none() {
            return Err(refuse("not the name of a folder".into()));
        }
        if folder.exists() && !folder.is_dir() {
            return Err(refuse("is a file; give a folder".into()));
        }
        if folder.is_symlink() && !folder.exists() {
            return Err(refuse("is a symbolic link to nothing".into()));
        }
        let zip = beside(folder, ZIP);
        if zip.is_dir() {
            return Err(refuse(format!("{} is a folder, but the zip will be written there", zip.display())));
        }
        if folder.is_dir() {
            tempfile::tempfile_in(folder).map_err(|error| refuse(format!("not writable: {error}")))?;
        }
        let lock = Lock::take(&beside(folder, CHECKPOINT)).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => refuse("another run is writing to it; give another folder, or wait".into()),
            _ => refuse(format!("cannot write beside it: {error}")),
        })?;
        Ok(Self { folder: folder.into(), lock })
    }

    /// Returns the folder for the state of the unfinished experiment.
    pub fn checkpoint_folder(&self) -> &Path {
        self.lock.folder()
    }

    /// Writes `tl_results.csv`, `scores.csv`, `history.csv`, `predictions.csv`, the files of `models`, `report.html`, `results.json`
    /// and the zip.
    ///
    /// `models` receives an empty folder `models`, writes to it, and returns the names of its files, relative to the folder.
    /// Returns the output folder and the zip.
    ///
    /// # Errors
    /// Returns an error if writing fails; the output folder is then unchanged.
    pub fn write<E: Into<Box<dyn Error + Send + Sync>>>(
        self,
        results: &Results,
        models: impl FnOnce(&Path) -> Result<Vec<String>, E>,
    ) -> Result<(PathBuf, PathBuf), ReportError> {
        let is_new = !self.folder.exists();
        let staging = self.folder.join(STAGING);
        let zip = beside(&self.folder, ZIP);
        let done = stage(&staging, results, models).and_then(|files| {
            // The zip is complete before any file of an earlier output is replaced, and moved after them.
            write_atomic(&zip, |new| {
                files.pack(new, &self.folder).map_err(|source| FileError::write(&zip, source))?;
                files.move_to(&self.folder)
            })?;
            Ok(())
        });
        let _ = fs::remove_dir_all(&staging);
        if let Err(error) = done {
            // Removes only an empty folder.
            let _ = if is_new { fs::remove_dir(&self.folder) } else { Ok(()) };
            return Err(error);
        }
        let _ = fs::remove_file(beside(&self.folder, FAILED));
        self.lock.remove_all();
        Ok((self.folder, zip))
    }

    /// Writes the steps of a failed experiment, in the format of `history.csv`, to the file with `.failed.csv` appended to the
    /// name of the folder. The folder and its zip are unchanged, and the next successful run removes the file.
    ///
    /// # Errors
    /// Returns an error if writing fails.
    pub fn write_failed(self, steps: &[StepRow]) -> Result<PathBuf, ReportError> {
        let path = beside(&self.folder, FAILED);
        let table = history_csv(steps.iter().cloned());
        write_atomic(&path, |new| fs::write(new, &table).map_err(|source| FileError::write(&path, source)))?;
        Ok(path)
    }
}

/// Writes all files to `staging`.
fn stage<E: Into<Box<dyn Error + Send + Sync>>>(
    staging: &Path,
    results: &Results,
    models: impl FnOnce(&Path) -> Result<Vec<String>, E>,
) -> Result<Staging, ReportError> {
    let mut files = Staging::new(staging)?;
    files.write("tl_results.csv", &summary_csv(results))?;
    files.write("scores.csv", &scores_csv(results))?;
    files.write("history.csv", &history_csv(history(results)))?;
    files.write("predictions.csv", &predictions_csv(results))?;
    let written = models(&staging.join("models")).map_err(|error| ReportError::Models(error.into()))?;
    files.add(written.iter().map(|name| format!("models/{name}")))?;
    files.write("report.html", report_html(results).as_bytes())?;
    files.write("results.json", &results.to_json())?;
    Ok(files)
}

/// Returns the path beside a folder whose name is the folder's with `suffix` appended.
fn beside(folder: &Path, suffix: &str) -> PathBuf {
    let mut name = folder.file_name().unwrap_or_default().to_os_string();
    name.push(suffix);
    folder.with_file_name(name)
}
