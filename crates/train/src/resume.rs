//! A pretraining on disk, to be taken up again.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use rekindle_checkpoint::{Checkpoint, save_with, trainable};
use rekindle_distilbert::DistilBertForMaskedLM;
use rekindle_files::FileError;
use serde_json::{Map, Value};

use crate::error::TrainError;
use crate::optimizer::{AdamW, Progress};
use crate::plan::Plan;
use crate::pretrain::{Pretraining, Run};
use crate::settings::{difference, fields, fingerprint};

/// The file of a checkpoint.
const WEIGHTS: &str = "model.safetensors";
/// The keys of its header: steps done, and the settings of the run.
const STEP: &str = "rekindle_step";
const SETTINGS: &str = "rekindle_settings";

impl<'a> Pretraining<'a> {
    /// Writes `model.safetensors` in `folder`: weights, moments of the optimizer and the number of steps.
    ///
    /// The file is whole at any time: it is written beside and then takes the place of an earlier one.
    ///
    /// # Errors
    /// When it cannot be written; an earlier one is then left as it was.
    pub fn save(&self, folder: &Path) -> Result<(), TrainError> {
        let moments = self.run.optimizer.progress()?.into_iter().flat_map(Progress::tensors);
        let settings = Value::Object(self.run.settings()).to_string();
        let metadata = HashMap::from([(STEP.into(), self.run.step.to_string()), (SETTINGS.into(), settings)]);
        fs::create_dir_all(folder)
            .map_err(|source| FileError::write(folder, source).into())
            .and_then(|()| save_with(&self.model, moments.collect(), metadata, &folder.join(WEIGHTS)))
            .map_err(|error| TrainError::Save(error.into()))
    }

    /// Whether [`save`](Self::save) wrote to `folder`.
    pub fn is_begun(folder: &Path) -> bool {
        folder.join(WEIGHTS).is_file()
    }

    /// The run that [`save`](Self::save) wrote to `folder`, in place of this one, which has the same settings and text.
    ///
    /// # Errors
    /// When there is no checkpoint, it is not whole, or its settings or its text are others.
    pub fn resume(self, folder: &Path) -> Result<Self, TrainError> {
        let refuse = |reason: String| TrainError::Resume { path: folder.into(), reason };
        let checkpoint = Checkpoint::open(folder)?;
        let step = checkpoint.metadata(STEP).and_then(|step| step.parse().ok()).filter(|step| *step <= self.steps());
        let settings = checkpoint.metadata(SETTINGS).and_then(|settings| serde_json::from_str(settings).ok());
        let (Some(step), Some(settings)) = (step, settings) else {
            return Err(refuse("is no checkpoint of a pretraining".into()));
        };
        let texts = "another corpus, vocabulary or length of sequences";
        if let Some(reason) = difference(&settings, &self.run.settings(), texts) {
            return Err(refuse(reason));
        }
        let Self { mut run, .. } = self;
        let (model, report) = DistilBertForMaskedLM::from_checkpoint(&run.config, &checkpoint, 0, &run.device)?;
        if let Some(tensor) = report.missing.first() {
            return Err(refuse(format!("lacks the tensor {tensor}")));
        }
        let plan = Plan::full(&run.config);
        let model = trainable(&model, |name| plan.trains(name));
        run.optimizer = AdamW::new(&run.arguments.training, &model);
        run.optimizer.restore(|name, size| {
            let moments = Progress::find(name, size, &checkpoint)?;
            let lacks = || refuse(format!("lacks moments of the tensor {name}"));
            Ok(Some((step as i32, moments.ok_or_else(lacks)?)))
        })?;
        run.step = step;
        Ok(Self { model, run })
    }
}

impl Run<'_> {
    /// What must be the same when the run is taken up again.
    fn settings(&self) -> Map<String, Value> {
        let mut settings = fields(&self.arguments);
        settings.insert("corpus".into(), fingerprint(self.sequences.iter().map(Vec::as_slice)).into());
        settings
    }
}
