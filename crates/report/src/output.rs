//! The output folder of an experiment, and its zip.

use std::error::Error;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rekindle_files::{FileError, Lock, write_atomic};
use rekindle_results::Results;

use crate::csv::{StepRow, history, history_csv, label_issues_csv, predictions_csv, scores_csv, summary_csv};
use crate::error::ReportError;
use crate::html::report_html;
use crate::manifest::Manifest;
use crate::staging::{self, Staging};

/// An output folder that is known to be writable before any work is done, and that no other process writes to.
///
/// All files are written to a hidden folder within it. When they are complete and synced, they are moved into place,
/// `results.json` last, followed by the zip: a failure leaves an earlier output unchanged. The state of an unfinished experiment
/// is beside it, in the folder with `.checkpoint` appended to its name.
///
/// The hidden file `.rekindle` lists what was written. Only these files are ever replaced or removed.
#[derive(Debug)]
pub struct Output {
    folder: PathBuf,
    lock: Lock,
    /// What earlier experiments wrote to the folder.
    earlier: Manifest,
    is_replacing: bool,
}

/// What is appended to the name of the folder for its zip, for the steps of a failed run, and for unfinished work.
const ZIP: &str = ".zip";
const FAILED: &str = ".failed.csv";
const CHECKPOINT: &str = ".checkpoint";
/// The hidden folder for files that are not complete.
const STAGING: &str = ".staging";
/// The files that experiments write, without their models.
const FILES: [&str; 7] = [
    "tl_results.csv",
    "scores.csv",
    "history.csv",
    "predictions.csv",
    "label_issues.csv",
    "report.html",
    "results.json",
];
/// The folder of the models.
const MODELS: &str = "models";
/// What the folder for unfinished work may contain.
const STATE: [&str; 3] = ["lock", "run", "before"];

impl Output {
    /// Prepares to write to `folder`, and to `folder` with `.zip` appended. `models` are the names of the models that will be
    /// saved. With `overwrite`, results of an earlier experiment are replaced, with its models.
    ///
    /// # Errors
    /// Returns an error if the folder is a file, if it or the folder around it is not writable, if another process writes to
    /// it, if it has results and `overwrite` is false, or if a file would be replaced that is not an experiment's.
    pub fn prepare(folder: &Path, models: &[String], overwrite: bool) -> Result<Self, ReportError> {
        let refuse = |reason: String| ReportError::Output { path: folder.into(), reason };
        if folder.file_name().is_none() {
            return Err(refuse(
                "has no name, after which the zip could be named; give a folder in it, for example `results`".into(),
            ));
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
        let earlier = Manifest::read(folder)?;
        let own_zip = zip.exists() && staging::is_own(&zip);
        let is_replacing = earlier.is_present(folder) || own_zip;
        if is_replacing && !overwrite {
            return Err(refuse(
                "has the results of an earlier experiment; to replace them, add --overwrite, or name another folder"
                    .into(),
            ));
        }
        let models = models.iter().map(|name| format!("{MODELS}/{name}"));
        check_foreign(folder, &earlier, FILES.map(str::to_owned).into_iter().chain(models))?;
        let state = beside(folder, CHECKPOINT);
        let failed = beside(folder, FAILED);
        let foreign = [
            (zip.exists() && !own_zip, &zip),
            (failed.exists() && !is_history(&failed), &failed),
            (state.is_dir() && !has_only(&state, &STATE), &state),
        ];
        if let Some((_, path)) = foreign.into_iter().find(|(is_foreign, _)| *is_foreign) {
            return Err(foreign_error(folder, path));
        }
        if folder.is_dir() {
            tempfile::tempfile_in(folder).map_err(|error| refuse(format!("not writable: {error}")))?;
        }
        let lock = Lock::take(&state).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => refuse("another run is writing to it; give another folder, or wait".into()),
            _ => refuse(format!("cannot write beside it: {error}")),
        })?;
        Ok(Self { folder: folder.into(), lock, earlier, is_replacing })
    }

    /// Returns whether there are earlier results, which will be replaced.
    pub fn is_replacing(&self) -> bool {
        self.is_replacing
    }

    /// Returns the folder for the state of the unfinished experiment.
    pub fn checkpoint_folder(&self) -> &Path {
        self.lock.folder()
    }

    /// Writes `tl_results.csv`, `scores.csv`, `history.csv`, `predictions.csv`, `label_issues.csv` if label errors were looked for,
    /// the files of `models`, `report.html`, `results.json` and the zip.
    ///
    /// `models` receives an empty folder `models`, writes to it, and returns the names of its files, relative to the folder.
    /// They are in the zip only with `zip_models`. Files of earlier experiments that this one does not replace are removed.
    /// Returns the output folder and the zip.
    ///
    /// # Errors
    /// Returns an error if writing fails, or if a file would be replaced that is not an experiment's; the output folder is then
    /// unchanged.
    pub fn write<E: Into<Box<dyn Error + Send + Sync>>>(
        mut self,
        results: &Results,
        zip_models: bool,
        models: impl FnOnce(&Path) -> Result<Vec<String>, E>,
    ) -> Result<(PathBuf, PathBuf), ReportError> {
        let is_new = !self.folder.exists();
        let staging = self.folder.join(STAGING);
        let zip = beside(&self.folder, ZIP);
        let done = stage(&staging, results, models).and_then(|files| {
            check_foreign(&self.folder, &self.earlier, files.names().iter().cloned())?;
            // The zip is complete before any file of an earlier output is replaced, and moved after them.
            write_atomic(&zip, |new| {
                let packed = |name: &str| zip_models || !name.starts_with(MODELS);
                files.pack(new, &self.folder, packed).map_err(|source| FileError::write(&zip, source))?;
                self.earlier.extend(&self.folder, files.names())?;
                files.move_to(&self.folder)?;
                self.earlier.retain(&self.folder, files.names())
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
    if let Some(issues) = &results.label_issues {
        files.write("label_issues.csv", &label_issues_csv(results, issues))?;
    }
    let written = models(&staging.join(MODELS)).map_err(|error| ReportError::Models(error.into()))?;
    files.add(written.iter().map(|name| format!("{MODELS}/{name}")))?;
    files.write("report.html", report_html(results).as_bytes())?;
    files.write("results.json", &results.to_json())?;
    Ok(files)
}

/// Checks that the files and folders of these names are not in the folder, or are an experiment's.
fn check_foreign(folder: &Path, earlier: &Manifest, names: impl Iterator<Item = String>) -> Result<(), ReportError> {
    let is_there = |path: &Path| path.symlink_metadata().is_ok();
    for name in names {
        if is_there(&folder.join(&name)) && !earlier.owns(&name) {
            return Err(foreign_error(folder, &folder.join(name)));
        }
    }
    let models = folder.join(MODELS);
    if is_there(&models) && !models.is_dir() { Err(foreign_error(folder, &models)) } else { Ok(()) }
}

fn foreign_error(folder: &Path, path: &Path) -> ReportError {
    let reason = format!(
        "{} is not from an earlier experiment, and is not replaced; move it, or name another folder",
        path.display()
    );
    ReportError::Output { path: folder.into(), reason }
}

/// Whether a file is a table of steps.
fn is_history(path: &Path) -> bool {
    let header = history_csv(std::iter::empty());
    fs::read(path).is_ok_and(|table| table.starts_with(&header))
}

/// Whether a folder has no other entries.
fn has_only(folder: &Path, names: &[&str]) -> bool {
    let is_known =
        |entry: io::Result<fs::DirEntry>| entry.is_ok_and(|entry| names.iter().any(|name| entry.file_name() == *name));
    fs::read_dir(folder).is_ok_and(|mut entries| entries.all(is_known))
}

/// Returns the path beside a folder whose name is the folder's with `suffix` appended.
fn beside(folder: &Path, suffix: &str) -> PathBuf {
    let mut name = folder.file_name().unwrap_or_default().to_os_string();
    name.push(suffix);
    folder.with_file_name(name)
}
