//! The finished runs of a long computation, on disk, so that an interruption loses none of them.

use std::fmt::Display;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::atomic::write_atomic;
use crate::differences::Differences;
use crate::error::FileError;

/// The settings and the finished runs of a computation, and folders for what its runs need on the way.
///
/// Runs are numbered; a record is any serializable value.
///
/// ```text
/// run/experiment.json          the settings, which must be the same when the computation is resumed
/// run/trials/00000.json        the record of a finished run
/// run/trials/00001/            files of a run in progress
/// run/NAME/                    other files to keep
/// before/                      an earlier computation that was interrupted and not resumed
/// ```
#[derive(Debug)]
pub struct RunStore {
    folder: PathBuf,
    /// Whether dropping the store removes a computation without a finished run.
    is_owner: bool,
}

const RUN: &str = "run";
const BEFORE: &str = "before";
const SETTINGS: &str = "experiment.json";
const TRIALS: &str = "trials";

impl RunStore {
    /// The store in a folder. When it is dropped, a computation that has begun no run is removed.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.into(), is_owner: true }
    }

    /// The same store, for another thread; dropping it removes nothing.
    pub fn share(&self) -> Self {
        Self { folder: self.folder.clone(), is_owner: false }
    }

    /// The folder of the store.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether there is an interrupted computation that has begun a run.
    pub fn is_begun(&self) -> bool {
        let has_entries = |path: PathBuf| fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_some());
        self.path(SETTINGS).is_file() && has_entries(self.path(TRIALS))
    }

    /// Begins a new computation. An interrupted one is moved to the folder that is returned.
    ///
    /// # Errors
    /// [`FileError::Write`] when files cannot be moved or removed.
    pub fn begin(&self) -> Result<Option<PathBuf>, FileError> {
        let (run, before) = (self.folder.join(RUN), self.folder.join(BEFORE));
        if !self.is_begun() {
            remove_dir(&run)?;
            return Ok(None);
        }
        remove_dir(&before)?;
        fs::rename(&run, &before).map_err(|source| FileError::write(&run, source))?;
        Ok(Some(before))
    }

    /// Stores the settings of a new computation, or compares them with those of the interrupted one.
    ///
    /// # Errors
    /// As [`check_compatible`].
    pub fn check_compatible(&self, settings: &Map<String, Value>) -> Result<(), FileError> {
        check_compatible(&self.path(SETTINGS), settings)
    }

    /// The record of a run, if it is finished.
    ///
    /// # Errors
    /// [`FileError::Damaged`] when the record does not parse; [`FileError::Read`] when it cannot be read.
    pub fn finished<T: DeserializeOwned>(&self, number: usize) -> Result<Option<T>, FileError> {
        read(&self.record(number))
    }

    /// The error for the record of a run that parses, but contradicts the rest.
    pub fn damaged(&self, number: usize, reason: impl Display) -> FileError {
        damaged(&self.record(number), reason)
    }

    /// Stores the record of a finished run, and removes the folder of the run.
    ///
    /// # Errors
    /// [`FileError::Write`] when files cannot be written or removed.
    pub fn finish<T: Serialize>(&self, number: usize, record: &T) -> Result<(), FileError> {
        write(&self.record(number), record)?;
        remove_dir(&self.run_folder(number))
    }

    /// The folder for the files of a run in progress. Nothing creates it here.
    pub fn run_folder(&self, number: usize) -> PathBuf {
        self.path(TRIALS).join(format!("{number:05}"))
    }

    /// The store of the parts of a run in progress, in the folder of the run; dropping it removes nothing.
    pub fn within(&self, number: usize) -> Self {
        Self { folder: self.run_folder(number), is_owner: false }
    }

    /// The path of other files that live as long as the computation.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(RUN).join(name)
    }

    fn record(&self, number: usize) -> PathBuf {
        self.path(TRIALS).join(format!("{number:05}.json"))
    }
}

impl Drop for RunStore {
    fn drop(&mut self) {
        if self.is_owner && !self.is_begun() {
            let _ = remove_dir(&self.folder.join(RUN));
        }
    }
}

/// Stores settings in a JSON file or, if it exists, compares them with those in it.
///
/// # Errors
/// [`FileError::Settings`] when a setting differs, [`FileError::Damaged`] when the file does not parse, and
/// [`FileError::Read`] or [`FileError::Write`].
pub fn check_compatible(path: &Path, settings: &Map<String, Value>) -> Result<(), FileError> {
    let Some(stored) = read::<Map<String, Value>>(path)? else {
        return write(path, settings);
    };
    match Differences::between(&stored, settings) {
        different if different.is_empty() => Ok(()),
        different => Err(FileError::Settings { path: path.into(), different }),
    }
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, FileError> {
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|error| damaged(path, error)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(FileError::read(path, error)),
    }
}

fn damaged(path: &Path, reason: impl Display) -> FileError {
    FileError::Damaged { path: path.into(), reason: reason.to_string() }
}

fn write(path: &Path, content: &impl Serialize) -> Result<(), FileError> {
    let io = |source| FileError::write(path, source);
    let json = serde_json::to_vec(content).map_err(|error| io(error.into()))?;
    fs::create_dir_all(path.parent().unwrap_or(path)).map_err(io)?;
    write_atomic(path, |new| fs::write(new, &json).map_err(io))
}

/// Removes a folder that may not exist. Windows keeps files that are memory-mapped, which is harmless here.
fn remove_dir(path: &Path) -> Result<(), FileError> {
    match fs::remove_dir_all(path) {
        Err(error) if cfg!(unix) && error.kind() != ErrorKind::NotFound => Err(FileError::write(path, error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(epochs: u64) -> Map<String, Value> {
        Map::from_iter([("epochs".to_string(), epochs.into())])
    }

    #[test]
    fn finished_runs_are_read_back_and_settings_must_match() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = RunStore::new(folder.path());
        store.check_compatible(&settings(3)).expect("stored");
        fs::create_dir_all(store.run_folder(0)).expect("a folder");
        store.finish(0, &1.5).expect("written");
        assert!(!store.run_folder(0).exists(), "the files of a finished run are removed");
        drop(store);

        let store = RunStore::new(folder.path());
        assert!(store.is_begun());
        assert_eq!(store.finished::<f64>(0).expect("read"), Some(1.5));
        assert_eq!(store.finished::<f64>(1).expect("read"), None);
        store.check_compatible(&settings(3)).expect("the same");
        let error = store.check_compatible(&settings(4)).expect_err("another").to_string();
        assert!(error.contains("other settings: epochs was 3, is 4;"), "{error}");
        fs::write(store.record(0), "{").expect("written");
        assert!(matches!(store.finished::<f64>(0), Err(FileError::Damaged { .. })));
    }

    #[test]
    fn an_interrupted_computation_is_set_aside_and_an_empty_one_removed() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = RunStore::new(folder.path());
        store.check_compatible(&settings(3)).expect("stored");
        assert_eq!(store.begin().expect("begun"), None, "no run had begun");
        store.check_compatible(&settings(3)).expect("stored");
        store.finish(0, &1).expect("written");
        let before = store.begin().expect("begun").expect("set aside");
        assert!(before.join("trials/00000.json").is_file() && !store.is_begun());
        store.check_compatible(&settings(4)).expect("stored");
        drop(store);
        assert!(!folder.path().join(RUN).exists());
    }
}
