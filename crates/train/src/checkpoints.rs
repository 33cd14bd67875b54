//! Where a training keeps what it takes to go on after a break, and when it writes that down.

use std::collections::HashMap;
use std::fs;
use std::num::NonZero;
use std::path::{Path, PathBuf};

use rekindle_checkpoint::{Checkpoint, save_values};
use rekindle_files::FileError;

use crate::error::TrainError;
use crate::stop::Stop;

/// How often a checkpoint is written, as transformers' `save_strategy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SaveStrategy {
    /// After every so many steps.
    Steps(NonZero<usize>),
    /// After every epoch and its evaluation.
    Epoch,
}

/// The checkpoints of one training: files in a folder of its own.
///
/// A checkpoint holds what the steps changed: trained parameters, their moments, the losses so far, the epochs and the
/// best of them. Order, dropout and rates follow from the seed and the number of the step, so that a training that
/// goes on from one takes the very steps of an unbroken one.
#[derive(Clone, Debug)]
pub struct Checkpoints {
    /// The folder. A training goes on from the newest checkpoint in it.
    pub folder: PathBuf,
    /// When one is written; `None` for only when it is asked to [`stop`](Self::stop).
    pub save_strategy: Option<SaveStrategy>,
    /// Ends the training after the step under way, with a checkpoint, and [`TrainError::Interrupted`].
    pub stop: Stop,
}

/// What a checkpoint's name begins with, before the number of steps.
const PREFIX: &str = "step-";
const SUFFIX: &str = ".safetensors";

impl Checkpoints {
    /// Whether one is due after so many steps.
    pub(crate) fn due_after_step(&self, step: usize) -> bool {
        matches!(self.save_strategy, Some(SaveStrategy::Steps(every)) if step.is_multiple_of(every.get()))
    }

    /// Whether one is due after an epoch.
    pub(crate) fn due_after_epoch(&self) -> bool {
        self.save_strategy == Some(SaveStrategy::Epoch)
    }

    /// Writes a checkpoint after so many steps, and then removes those before it.
    pub(crate) fn write(
        &self,
        step: usize,
        values: Vec<(String, Vec<f32>)>,
        notes: HashMap<String, String>,
    ) -> Result<PathBuf, TrainError> {
        let path = self.folder.join(format!("{PREFIX}{step:08}{SUFFIX}"));
        fs::create_dir_all(&self.folder)
            .map_err(|source| FileError::write(&self.folder, source).into())
            .and_then(|()| save_values(values, notes, &path))
            .map_err(|error| TrainError::Save(error.into()))?;
        for (_, older) in self.all()?.into_iter().filter(|(_, older)| *older != path) {
            // Windows keeps a file that is still mapped; the next checkpoint asks again.
            let _ = fs::remove_file(older);
        }
        Ok(path)
    }

    /// The newest checkpoint.
    pub(crate) fn newest(&self) -> Result<Option<(PathBuf, Checkpoint)>, TrainError> {
        let Some((_, path)) = self.all()?.into_iter().max() else { return Ok(None) };
        let checkpoint = Checkpoint::from_file(&path)?;
        Ok(Some((path, checkpoint)))
    }

    /// All checkpoints, with their steps.
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

/// The number of steps in a checkpoint's name.
fn step_of(path: &Path) -> Option<usize> {
    path.file_name()?.to_str()?.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?.parse().ok()
}
