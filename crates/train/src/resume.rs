//! A pretraining on disk, to be taken up again.

use std::collections::HashMap;
use std::fs::{self, File};
use std::path::Path;

use rekindle_distilbert::{Checkpoint, save_with, trainable};
use serde_json::{Map, Value};

use crate::error::TrainError;
use crate::optimizer::AdamW;
use crate::plan::Plan;
use crate::pretrain::{Pretraining, Run};

/// The file of a checkpoint.
const WEIGHTS: &str = "model.safetensors";
/// The keys of its header: steps done, and the settings of the run.
const STEP: &str = "rekindle_step";
const SETTINGS: &str = "rekindle_settings";
/// What stands before a parameter's name for its moments, as PyTorch calls them.
const MOMENTS: [&str; 2] = ["exp_avg.", "exp_avg_sq."];

impl<'a> Pretraining<'a> {
    /// Writes `model.safetensors` in `folder`: weights, moments of the optimizer and the number of steps.
    ///
    /// The file is whole at any time: it is written beside and then takes the place of an earlier one.
    ///
    /// # Errors
    /// When it cannot be written; an earlier one is then left as it was.
    pub fn save(&self, folder: &Path) -> Result<(), TrainError> {
        let io = |source| TrainError::Io { path: folder.into(), source };
        fs::create_dir_all(folder).map_err(io)?;
        let (new, path) = (folder.join(format!("{WEIGHTS}.new")), folder.join(WEIGHTS));
        let moments = self.run.optimizer.moments()?.into_iter().flat_map(|(name, moments)| {
            MOMENTS.into_iter().zip(moments).map(move |(kind, values)| (format!("{kind}{name}"), values))
        });
        let settings = Value::Object(self.run.settings()).to_string();
        let notes = HashMap::from([(STEP.into(), self.run.step.to_string()), (SETTINGS.into(), settings)]);
        save_with(&self.model, moments.collect(), notes, &new)?;
        File::open(&new).and_then(|file| file.sync_all()).map_err(io)?;
        fs::rename(&new, &path).map_err(io)
    }

    /// The run that [`save`](Self::save) wrote to `folder`, in place of this one, which has the same settings and text.
    ///
    /// # Errors
    /// When there is no checkpoint, it is not whole, or its settings or its text are others.
    pub fn resume(self, folder: &Path) -> Result<Self, TrainError> {
        let refuse = |reason: String| TrainError::Resume { path: folder.into(), reason };
        let checkpoint = Checkpoint::open(folder)?;
        let step = checkpoint.note(STEP).and_then(|step| step.parse().ok());
        let settings = checkpoint.note(SETTINGS).and_then(|settings| serde_json::from_str(settings).ok());
        let (Some(step), Some(settings)) = (step, settings) else {
            return Err(refuse("is no checkpoint of a pretraining".into()));
        };
        if let Some(reason) = difference(&settings, &self.run.settings()) {
            return Err(refuse(reason));
        }
        let Self { mut run, .. } = self;
        let (model, report) = run.config.load_masked_lm(&checkpoint, 0, &run.device)?;
        if let Some(tensor) = report.missing.first() {
            return Err(refuse(format!("lacks the tensor {tensor}")));
        }
        let plan = Plan::full(&run.config);
        let model = trainable(&model, |name| plan.trains(name));
        run.optimizer = AdamW::new(&run.arguments.training, &model);
        run.optimizer.restore(step, |name| {
            let find = |kind| {
                let tensor = format!("{kind}{name}");
                checkpoint.values(&tensor)?.ok_or_else(|| refuse(format!("lacks the tensor {tensor}")))
            };
            Ok::<_, TrainError>([find(MOMENTS[0])?, find(MOMENTS[1])?])
        })?;
        run.step = step;
        Ok(Self { model, run })
    }
}

impl Run<'_> {
    /// What must be the same when the run is taken up again.
    fn settings(&self) -> Map<String, Value> {
        let mut settings = match serde_json::to_value(&self.arguments) {
            Ok(Value::Object(settings)) => settings,
            _ => Map::new(),
        };
        settings.insert("corpus".into(), fingerprint(self.sequences).into());
        settings
    }
}

/// The first setting that differs, in words.
fn difference(theirs: &Map<String, Value>, ours: &Map<String, Value>) -> Option<String> {
    let (name, ours) = ours.iter().find(|(name, value)| theirs.get(*name) != Some(value))?;
    let theirs = theirs.get(name).unwrap_or(&Value::Null);
    Some(match name.as_str() {
        "corpus" => "was written with another corpus, vocabulary or length of sequences".into(),
        name => format!("was written with {name} {theirs}, not {ours}"),
    })
}

/// The number of sequences and the 64-bit FNV-1a hash of their ids.
fn fingerprint(sequences: &[Vec<u32>]) -> String {
    let step = |hash: u64, id: u32| (hash ^ u64::from(id)).wrapping_mul(0x100_0000_01b3);
    let hash = sequences.iter().fold(0xcbf2_9ce4_8422_2325, |hash, row| row.iter().copied().fold(hash, step));
    format!("{} {hash:016x}", sequences.len())
}
