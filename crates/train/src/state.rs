//! The state of a training in a checkpoint.
//!
//! A checkpoint is a safetensors file. Tensors hold trainable parameters, moments, losses and the outputs of the kept
//! evaluation; a JSON object in the metadata holds the rest.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::time::Duration;

use rekindle_checkpoint::{Checkpoint, values, with_values};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::best::Kept;
use crate::error::TrainError;
use crate::event::{EpochRecord, Event, Observer, emit};
use crate::objective::Objective;
use crate::optimizer::Progress;
use crate::settings::{different, fields};
use crate::trainer::{Run, Trainer};

/// The version of the format. Raise it when the meaning of a checkpoint changes.
const VERSION: u64 = 1;
/// The key of the metadata that holds the [`TrainingState`].
const STATE: &str = "rekindle_training";
/// A key of checkpoints of masked language modelling before the format had a version.
const UNVERSIONED: &str = "rekindle_step";
/// The prefixes of a parameter's name for its value, and for its value in the kept epoch.
const VALUE: &str = "value.";
const BEST: &str = "best.";
/// The losses and gradient norms of all steps, and the outputs of the kept evaluation.
const LOSSES: &str = "history.loss";
const NORMS: &str = "history.grad_norm";
const OUTPUTS: &str = "evaluation.outputs";

/// The state of a training, without tensors.
#[derive(Serialize, Deserialize)]
struct TrainingState {
    version: u64,
    objective: String,
    settings: Map<String, Value>,
    step: usize,
    /// Steps of each trainable parameter.
    steps: BTreeMap<String, i32>,
    epochs: Vec<EpochRecord>,
    train_time: Duration,
    eval_time: Duration,
}

impl<O: Objective> Trainer<'_, O> {
    /// Returns what must be equal when the training resumes. The initial weights must be equal too, but are not compared.
    fn settings(&self) -> Map<String, Value> {
        let mut settings = fields(self.arguments);
        settings.insert("plan".into(), Value::Object(fields(self.plan)));
        settings.extend(self.objective.settings());
        settings
    }
}

impl<O: Objective> Run<'_, O> {
    /// Returns the settings of the training. They read every token, so they are computed once.
    fn settings(&self) -> &Map<String, Value> {
        self.settings.get_or_init(|| self.trainer.settings())
    }

    /// Writes a checkpoint, if the training has checkpoints. Pending steps are read first: a checkpoint holds finite
    /// losses only.
    pub(crate) fn save(&mut self, model: &O::Model, observer: &mut Observer<'_>) -> Result<(), TrainError> {
        self.history.read(observer)?;
        let Some(checkpoints) = &self.trainer.checkpoints else { return Ok(()) };
        let progress = self.optimizer.progress()?;
        let steps: BTreeMap<_, _> = progress.iter().map(|of| (of.name.clone(), of.steps)).collect();
        let prefixed = |prefix: &str, model: &O::Model| {
            let values = values(model, |name| steps.contains_key(name))?;
            Ok::<_, TrainError>(values.into_iter().map(|(name, values)| (format!("{prefix}{name}"), values)).collect())
        };
        let mut tensors: Vec<(String, Vec<f32>)> = prefixed(VALUE, model)?;
        if let Some(kept) = &self.best.kept {
            tensors.push((OUTPUTS.into(), O::outputs(&kept.evaluation).to_vec()));
            tensors.extend(kept.model.as_ref().map(|best| prefixed(BEST, best)).transpose()?.unwrap_or_default());
        }
        tensors.extend(progress.into_iter().flat_map(Progress::tensors));
        let records = &self.history.records;
        tensors.push((LOSSES.into(), records.iter().map(|record| record.loss as f32).collect()));
        tensors.push((NORMS.into(), records.iter().map(|record| record.grad_norm as f32).collect()));
        let step = records.len();
        let state = TrainingState {
            version: VERSION,
            objective: O::NAME.into(),
            settings: self.settings().clone(),
            step,
            steps,
            epochs: self.best.epochs.clone(),
            train_time: self.train_time,
            eval_time: self.eval_time,
        };
        let metadata = HashMap::from([(STATE.into(), serde_json::to_string(&state).unwrap_or_default())]);
        self.history.checkpoint = Some(checkpoints.write(step, tensors, metadata)?);
        Ok(())
    }

    /// Restores the newest checkpoint, if there is one. Returns the model of the checkpoint, made from the initial model.
    pub(crate) fn restore(&mut self, model: O::Model, observer: &mut Observer<'_>) -> Result<O::Model, TrainError> {
        let checkpoints = self.trainer.checkpoints.as_ref();
        let Some((path, checkpoint)) = checkpoints.map(|all| all.newest()).transpose()?.flatten() else {
            return Ok(model);
        };
        let file = SavedTraining { path: &path, checkpoint: &checkpoint };
        let state = file.state(O::NAME, self.settings())?;
        let epoch = self.epoch_after(state.step, state.epochs.len());
        let steps = self.trainer.steps_per_epoch();
        let fits = match epoch < self.trainer.epochs() {
            true => (epoch * steps..=((epoch + 1) * steps).min(self.trainer.steps())).contains(&state.step),
            false => epoch == self.trainer.epochs() && state.step == self.trainer.steps(),
        };
        if !fits {
            return Err(file.refuse(format!("is damaged: step {} is not in epoch {}", state.step, epoch + 1)));
        }
        self.add_param_group(&self.trainer.plan.apply(&model, epoch), epoch);
        self.optimizer.restore(|name, size| match state.steps.get(name) {
            Some(&steps) => Ok(Some((steps, file.moments(name, size)?))),
            None => Ok(None),
        })?;
        let numbers = |name| file.values(name, state.step);
        self.history.restore(&numbers(LOSSES)?, &numbers(NORMS)?, |step| self.trainer.planned(step));
        let of = |prefix: &'static str| {
            with_values(&model, |name, size| {
                let is_saved = state.steps.contains_key(name);
                is_saved.then(|| file.values(&format!("{prefix}{name}"), size)).transpose()
            })
        };
        if self.trainer.objective.is_evaluated() && !state.epochs.is_empty() {
            let outputs = file.outputs()?;
            let evaluation = self.trainer.objective.score(outputs, self.trainer.context());
            let evaluation =
                evaluation.map_err(|error| file.refuse(format!("has other values of `{OUTPUTS}`: {error}")))?;
            let chooses = self.trainer.arguments.load_best_model_at_end;
            self.best.kept = Some(Kept { evaluation, model: chooses.then(|| of(BEST)).transpose()? });
        }
        let model = of(VALUE)?;
        self.best.epochs = state.epochs;
        (self.train_time, self.eval_time) = (state.train_time, state.eval_time);
        self.history.checkpoint = Some(path);
        emit(observer, &Event::Resumed { step: state.step })?;
        self.history.records.iter().try_for_each(|record| emit(observer, &Event::Step(record.clone())))?;
        Ok(model)
    }
}

/// A checkpoint that is read.
struct SavedTraining<'a> {
    path: &'a Path,
    checkpoint: &'a Checkpoint,
}

impl SavedTraining<'_> {
    fn refuse(&self, reason: String) -> TrainError {
        TrainError::Resume { path: self.path.into(), reason }
    }

    fn state(&self, objective: &str, settings: &Map<String, Value>) -> Result<TrainingState, TrainError> {
        let state = self.checkpoint.metadata(STATE).and_then(|state| serde_json::from_str::<Value>(state).ok());
        let is_unversioned = self.checkpoint.metadata(UNVERSIONED).is_some();
        let version = state.as_ref().map(|state| state["version"].as_u64().unwrap_or(0));
        match version.or(is_unversioned.then_some(0)) {
            None => return Err(self.refuse("is not a training checkpoint".into())),
            Some(VERSION) => {}
            Some(version) => {
                return Err(self.refuse(format!(
                    "was written in version {version} of the checkpoint format, and only version {VERSION} can be read; \
                     resume it with the release that wrote it, or start again without it"
                )));
            }
        }
        let state = state.and_then(|state| serde_json::from_value::<TrainingState>(state).ok());
        let state = state.ok_or_else(|| self.refuse("is damaged: its metadata is not complete".into()))?;
        if state.objective != objective {
            return Err(self.refuse(format!("was written with the objective {}, not {objective}", state.objective)));
        }
        match different(&state.settings, settings) {
            different if different.is_empty() => Ok(state),
            different => Err(TrainError::Settings { path: self.path.into(), different }),
        }
    }

    fn outputs(&self) -> Result<Vec<f32>, TrainError> {
        self.checkpoint.values(OUTPUTS)?.ok_or_else(|| self.refuse(format!("lacks the values of `{OUTPUTS}`")))
    }

    fn values(&self, name: &str, size: usize) -> Result<Vec<f32>, TrainError> {
        let values = self.checkpoint.values(name)?.filter(|values| values.len() == size);
        values.ok_or_else(|| self.refuse(format!("lacks {size} values of `{name}`")))
    }

    fn moments(&self, name: &str, size: usize) -> Result<[Vec<f32>; 2], TrainError> {
        let moments = Progress::find(name, size, self.checkpoint)?;
        moments.ok_or_else(|| self.refuse(format!("lacks moments of `{name}`")))
    }
}
