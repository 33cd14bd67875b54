//! What of an experiment is done, on disk, so that a break loses none of it.

use std::fmt::Display;
use std::fs;
use std::path::{Path, PathBuf};

use rekindle_distilbert::{Checkpoint, DistilBertConfig, DistilBertForSequenceClassification, Precision, replace};
use rekindle_train::{Checkpoints, SaveStrategy, Stop};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::ExperimentError;
use crate::output::io_error;
use crate::results::RunRecord;

/// The finished runs of an experiment, the checkpoints of the one under way, and the models to keep.
///
/// ```text
/// run/experiment.json          what must be the same when it goes on
/// run/trials/00000.json        a finished run
/// run/trials/00001/            the checkpoints of the run under way
/// run/models/NAME/             a trained model to keep
/// before/                      an earlier run that was broken off and not taken up
/// ```
#[derive(Debug)]
pub struct Journal {
    folder: PathBuf,
    save_strategy: Option<SaveStrategy>,
    stop: Stop,
    /// Whether it is that of the experiment itself, which leaves nothing behind that came to nothing.
    is_own: bool,
}

/// A finished run.
#[derive(Serialize, Deserialize)]
pub(crate) struct Finished {
    pub(crate) record: RunRecord,
    /// Of the test sentences.
    pub(crate) logits: Vec<f32>,
}

const RUN: &str = "run";
const BEFORE: &str = "before";
const SETTINGS: &str = "experiment.json";
const WEIGHTS: &str = "model.safetensors";

impl Journal {
    pub(crate) fn new(folder: &Path, save_strategy: Option<SaveStrategy>, stop: Stop) -> Self {
        Self { folder: folder.into(), save_strategy, stop, is_own: true }
    }

    /// The same journal, for another thread.
    pub(crate) fn share(&self) -> Self {
        let Self { folder, save_strategy, stop, .. } = self;
        Self { folder: folder.clone(), save_strategy: *save_strategy, stop: stop.clone(), is_own: false }
    }

    /// The folder that it lies in.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether a run was broken off that had come to something.
    pub fn is_begun(&self) -> bool {
        let has_entries = |name: &str| fs::read_dir(self.path(name)).is_ok_and(|mut entries| entries.next().is_some());
        self.path(SETTINGS).is_file() && has_entries("trials")
    }

    /// Begins a run anew. One that was broken off is set aside, in the folder that is returned.
    ///
    /// # Errors
    /// When files cannot be moved or removed.
    pub fn begin(&self) -> Result<Option<PathBuf>, ExperimentError> {
        let (run, before) = (self.folder.join(RUN), self.folder.join(BEFORE));
        if !self.is_begun() {
            remove_dir(&run)?;
            return Ok(None);
        }
        remove_dir(&before)?;
        fs::rename(&run, &before).map_err(|source| io_error(&run, source))?;
        Ok(Some(before))
    }

    /// Notes what must be the same when the experiment goes on, or makes sure that it is.
    pub(crate) fn agree(&self, settings: &Map<String, Value>) -> Result<(), ExperimentError> {
        agree(&self.path(SETTINGS), settings)
    }

    /// A run that is done already.
    pub(crate) fn finished(&self, number: usize) -> Result<Option<Finished>, ExperimentError> {
        read(&self.record(number))
    }

    /// The error of a finished run that is not of the sentences it should be of.
    pub(crate) fn damaged(&self, number: usize, why: &dyn Display) -> ExperimentError {
        damaged(&self.record(number), why)
    }

    /// Notes that a run is done, and removes its checkpoints.
    pub(crate) fn finish(&self, number: usize, finished: &Finished) -> Result<(), ExperimentError> {
        write(&self.record(number), finished)?;
        remove_dir(&self.trial(number))
    }

    /// Where a run keeps its checkpoints.
    pub(crate) fn checkpoints(&self, number: usize) -> Checkpoints {
        Checkpoints { folder: self.trial(number), save_strategy: self.save_strategy, stop: self.stop.clone() }
    }

    /// Ends the experiment where it is asked to.
    pub(crate) fn check_stop(&self) -> Result<(), ExperimentError> {
        if self.stop.is_requested() { Err(ExperimentError::Interrupted) } else { Ok(()) }
    }

    /// Keeps a trained model.
    pub(crate) fn save_model(
        &self,
        name: &str,
        model: &DistilBertForSequenceClassification,
    ) -> Result<(), ExperimentError> {
        let folder = self.path("models").join(name);
        let refuse = |reason: String| ExperimentError::Output { path: folder.clone(), reason };
        fs::create_dir_all(&folder).map_err(|error| refuse(error.to_string()))?;
        model.save_safetensors(&folder.join(WEIGHTS), Precision::F32).map_err(|error| refuse(error.to_string()))
    }

    /// A trained model that was kept.
    pub(crate) fn model(
        &self,
        name: &str,
        config: &DistilBertConfig,
        device: &burn::tensor::Device,
    ) -> Result<Option<DistilBertForSequenceClassification>, ExperimentError> {
        let path = self.path("models").join(name).join(WEIGHTS);
        if !path.is_file() {
            return Ok(None);
        }
        let (model, report) = config.load(&Checkpoint::from_file(&path)?, 0, device)?;
        match report.missing.is_empty() && report.mismatched.is_empty() {
            true => Ok(Some(model)),
            false => Err(ExperimentError::Journal { path, reason: "is not the model of this run".into() }),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(RUN).join(name)
    }

    fn trial(&self, number: usize) -> PathBuf {
        self.path("trials").join(format!("{number:05}"))
    }

    fn record(&self, number: usize) -> PathBuf {
        self.path("trials").join(format!("{number:05}.json"))
    }
}

impl Drop for Journal {
    /// Of a run that came to nothing, nothing is left.
    fn drop(&mut self) {
        if self.is_own && !self.is_begun() {
            let _ = remove_dir(&self.folder.join(RUN));
        }
    }
}

/// Notes settings in a file or, where it is there, makes sure that they are those.
pub(crate) fn agree(path: &Path, settings: &Map<String, Value>) -> Result<(), ExperimentError> {
    let Some(theirs) = read::<Map<String, Value>>(path)? else {
        return write(path, settings);
    };
    let differs = settings.iter().find(|(name, value)| theirs.get(*name) != Some(value));
    let Some((name, ours)) = differs else { return Ok(()) };
    let theirs = theirs.get(name).unwrap_or(&Value::Null);
    let reason = format!(
        "the run that was broken off had {name} {theirs}, not {ours}; give it the same, or begin without --resume"
    );
    Err(ExperimentError::Journal { path: path.into(), reason })
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, ExperimentError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io_error(path, error)),
    };
    serde_json::from_slice(&bytes).map(Some).map_err(|error| damaged(path, &error))
}

fn damaged(path: &Path, why: &dyn Display) -> ExperimentError {
    let reason = format!("is damaged ({why}); remove it, and what it tells of is done once more");
    ExperimentError::Journal { path: path.into(), reason }
}

fn write(path: &Path, content: &impl Serialize) -> Result<(), ExperimentError> {
    let json = serde_json::to_vec(content).unwrap_or_default();
    let refuse = |error: std::io::Error| ExperimentError::Output { path: path.into(), reason: error.to_string() };
    fs::create_dir_all(path.parent().unwrap_or(path)).map_err(refuse)?;
    replace(path, |new| fs::write(new, &json).map_err(refuse))
}

/// Removes a folder that may not be there. What Windows keeps because it is mapped is in nobody's way.
fn remove_dir(path: &Path) -> Result<(), ExperimentError> {
    match fs::remove_dir_all(path) {
        Err(error) if cfg!(unix) && error.kind() != std::io::ErrorKind::NotFound => Err(io_error(path, error)),
        _ => Ok(()),
    }
}
