//! The files of training checkpoints, and when they are written.

use std::collections::HashMap;
use std::fs;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rekindle_checkpoint::{Checkpoint, save_values};
use rekindle_files::FileError;

use crate::error::TrainError;

/// How often a training checkpoint is written, as transformers' `save_strategy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SaveStrategy {
    /// After every so many steps.
    Steps(NonZero<usize>),
    /// After every epoch and its evaluation.
    Epoch,
    /// After an epoch and its evaluation, if the training began, or the last of these checkpoints was written, at least so
    /// long ago.
    LongEpochs(Duration),
}

/// The checkpoints of one training: files in a folder of its own, of which the newest is kept.
///
/// A checkpoint holds what the steps change: trainable parameters, their moments, the losses so far, the epochs and the
/// best of them. The order of examples, masking, dropout and learning rates follow from the seed and the number of the
/// step, so that a resumed training takes exactly the steps of an uninterrupted one.
///
/// The format has a version. A checkpoint of another version is an error that says so.
#[derive(Clone, Debug)]
pub struct Checkpoints {
    /// The folder. A training resumes from the newest checkpoint in it.
    pub folder: PathBuf,
    /// When one is written; `None` for only when the training is asked to stop.
    pub save_strategy: Option<SaveStrategy>,
    /// Whether one is written at the end, so that a finished training is restored instead of repeated.
    pub save_final: bool,
}

/// The name of a checkpoint, around the number of steps.
const PREFIX: &str = "step-";
const SUFFIX: &str = ".safetensors";
/// The file of a checkpoint of masked language modelling before the format had a version.
const UNVERSIONED: &str = "model.safetensors";

impl Checkpoints {
    /// Returns whether the folder holds a checkpoint.
    pub fn is_begun(&self) -> bool {
        self.all().is_ok_and(|all| !all.is_empty()) || self.folder.join(UNVERSIONED).is_file()
    }

    /// Returns whether one is due after so many steps.
    pub(crate) fn due_after_step(&self, step: usize) -> bool {
        matches!(self.save_strategy, Some(SaveStrategy::Steps(every)) if step.is_multiple_of(every.get()))
    }

    /// Returns whether one is due after an epoch; `age` is the time since the begin or the last of them.
    pub(crate) fn due_after_epoch(&self, age: Duration) -> bool {
        match self.save_strategy {
            Some(SaveStrategy::Epoch) => true,
            Some(SaveStrategy::LongEpochs(least)) => age >= least,
            _ => false,
        }
    }

    /// Writes a checkpoint after so many steps, and then removes the earlier ones.
    pub(crate) fn write(
        &self,
        step: usize,
        values: Vec<(String, Vec<f32>)>,
        metadata: HashMap<String, String>,
    ) -> Result<PathBuf, TrainError> {
        let path = self.folder.join(format!("{PREFIX}{step:08}{SUFFIX}"));
        fs::create_dir_all(&self.folder)
            .map_err(|source| FileError::write(&self.folder, source).into())
            .and_then(|()| save_values(values, metadata, &path))
            .map_err(|error| TrainError::Save(error.into()))?;
        for (_, older) in self.all()?.into_iter().filter(|(_, older)| *older != path) {
            // Windows keeps a file that is still mapped; the next checkpoint tries again.
            let _ = fs::remove_file(older);
        }
        Ok(path)
    }

    /// Opens the newest checkpoint.
    pub(crate) fn newest(&self) -> Result<Option<(PathBuf, Checkpoint)>, TrainError> {
        let newest = self.all()?.into_iter().max().map(|(_, path)| path);
        let unversioned = self.folder.join(UNVERSIONED);
        let Some(path) = newest.or_else(|| unversioned.is_file().then_some(unversioned)) else { return Ok(None) };
        let checkpoint = Checkpoint::from_file(&path)?;
        Ok(Some((path, checkpoint)))
    }

    /// Returns all checkpoints, with their steps.
    fn all(&self) -> Result<Vec<(usize, PathBuf)>, TrainError> {
        let io = |source| TrainError::Io { path: self.folder.clone(), source };
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(io(error)),
        };
        let paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>().map_err(io)?;
        Ok(paths.into_iter().filter_map(|path| Some((step_of(&path)?, path))).collect())
    }
}

/// Returns the number of steps in the name of a checkpoint.
fn step_of(path: &Path) -> Option<usize> {
    path.file_name()?.to_str()?.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_epochs_have_a_checkpoint_and_short_ones_share_one() {
        let due = |save_strategy, seconds| {
            let checkpoints = Checkpoints { folder: PathBuf::new(), save_strategy, save_final: false };
            checkpoints.due_after_epoch(Duration::from_secs(seconds))
        };
        let long = Some(SaveStrategy::LongEpochs(Duration::from_secs(300)));
        assert_eq!([299, 300, 3000].map(|age| due(long, age)), [false, true, true]);
        assert!(due(Some(SaveStrategy::Epoch), 0) && !due(None, 3000));
        assert!(!due(NonZero::new(2).map(SaveStrategy::Steps), 3000));
    }
}
