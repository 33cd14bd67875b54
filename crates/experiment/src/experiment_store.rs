//! The finished work of an experiment, on disk, so that an interruption loses none of it.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use rekindle_files::RunStore;
use rekindle_results::RunRecord;
use rekindle_train::{Checkpoints, SaveStrategy, Stop};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::ExperimentError;
use crate::run_spec::RunSpec;
use crate::trained_model::TrainedModel;

/// The finished runs of an experiment, the checkpoints of the one in progress, and the models to keep.
///
/// A [`RunStore`] with `models/NAME/`, a folder per trained model.
#[derive(Debug)]
pub struct ExperimentStore {
    runs: RunStore,
    save_strategy: Option<SaveStrategy>,
    stop: Stop,
}

/// A finished run.
#[derive(Serialize, Deserialize)]
pub(crate) struct FinishedRun {
    pub(crate) record: RunRecord,
    /// The logits of the test examples.
    pub(crate) logits: Vec<f32>,
}

impl ExperimentStore {
    /// Returns the store in a folder. Runs write training checkpoints as `save_strategy` says, and end when `stop` is
    /// requested.
    pub fn new(folder: &Path, save_strategy: Option<SaveStrategy>, stop: Stop) -> Self {
        Self { runs: RunStore::new(folder), save_strategy, stop }
    }

    /// The same store, for another thread.
    pub(crate) fn share(&self) -> Self {
        Self { runs: self.runs.share(), save_strategy: self.save_strategy, stop: self.stop.clone() }
    }

    /// The folder of the store.
    pub fn folder(&self) -> &Path {
        self.runs.folder()
    }

    /// Whether there is an interrupted experiment that has begun a run.
    pub fn is_begun(&self) -> bool {
        self.runs.is_begun()
    }

    /// Begins a new experiment. An interrupted one is moved to the folder that is returned.
    ///
    /// # Errors
    /// When files cannot be moved or removed.
    pub fn begin(&self) -> Result<Option<PathBuf>, ExperimentError> {
        Ok(self.runs.begin()?)
    }

    /// Stores the settings of a new experiment, or compares them with those of the interrupted one.
    pub(crate) fn check_compatible(&self, settings: &Map<String, Value>) -> Result<(), ExperimentError> {
        Ok(self.runs.check_compatible(settings)?)
    }

    /// The record of a run, if it is finished.
    pub(crate) fn finished(&self, number: usize) -> Result<Option<FinishedRun>, ExperimentError> {
        Ok(self.runs.finished(number)?)
    }

    /// The error for the record of a run that does not fit the examples.
    pub(crate) fn damaged(&self, number: usize, reason: &dyn Display) -> ExperimentError {
        self.runs.damaged(number, reason).into()
    }

    /// Stores the record of a finished run, and removes its checkpoints.
    pub(crate) fn finish(&self, number: usize, finished: &FinishedRun) -> Result<(), ExperimentError> {
        Ok(self.runs.finish(number, finished)?)
    }

    /// The record of a training within a run, if it is finished.
    pub(crate) fn finished_trial<T: DeserializeOwned>(&self, spec: &RunSpec) -> Result<Option<T>, ExperimentError> {
        let Some(trial) = spec.trial else { return Ok(None) };
        Ok(self.runs.within(spec.number).finished(trial)?)
    }

    /// Stores the record of a finished training within a run, and removes its checkpoints.
    pub(crate) fn finish_trial<T: Serialize>(&self, spec: &RunSpec, trained: &T) -> Result<(), ExperimentError> {
        match spec.trial {
            Some(trial) => Ok(self.runs.within(spec.number).finish(trial, trained)?),
            None => Ok(()),
        }
    }

    /// Where a run, or a training within it, keeps its checkpoints.
    pub(crate) fn checkpoints(&self, spec: &RunSpec) -> Checkpoints {
        let folder = match spec.trial {
            Some(trial) => self.runs.within(spec.number).run_folder(trial),
            None => self.runs.run_folder(spec.number),
        };
        Checkpoints { folder, save_strategy: self.save_strategy, save_final: false }
    }

    /// Returns the request to stop the experiment.
    pub(crate) fn stop(&self) -> Stop {
        self.stop.clone()
    }

    /// Returns an error when a stop is requested.
    pub(crate) fn check_stop(&self) -> Result<(), ExperimentError> {
        if self.stop.is_requested() { Err(ExperimentError::Interrupted) } else { Ok(()) }
    }

    /// Stores a trained model.
    pub(crate) fn save_model(&self, name: &str, model: &TrainedModel) -> Result<(), ExperimentError> {
        model.store(&self.runs.path("models").join(name))
    }

    /// A stored model, if there is one of this name.
    pub(crate) fn model(&self, name: &str, device: &Device) -> Result<Option<TrainedModel>, ExperimentError> {
        TrainedModel::restore(&self.runs.path("models").join(name), device)
    }
}
