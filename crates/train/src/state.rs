//! A training's state into a checkpoint, and out of it.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::time::Duration;

use rekindle_checkpoint::{Checkpoint, values, with_values};
use rekindle_distilbert::DistilBertForSequenceClassification;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::best::Kept;
use crate::dataset::EncodedDataset;
use crate::error::TrainError;
use crate::evaluate::Evaluation;
use crate::event::{EpochRecord, Event};
use crate::optimizer::Progress;
use crate::settings::{difference, fields, fingerprint};
use crate::trainer::{Run, Training};

/// The key of a checkpoint's header under which a training's [`Note`] lies.
const NOTE: &str = "rekindle_training";
/// What stands before a parameter's name for its value, and for its value in the epoch that is kept.
const VALUE: &str = "value.";
const BEST: &str = "best.";
/// The losses and gradient norms of all steps, and the logits of the evaluation that is kept.
const LOSSES: &str = "history.loss";
const NORMS: &str = "history.grad_norm";
const LOGITS: &str = "evaluation.logits";

/// What of a training is not a tensor.
#[derive(Serialize, Deserialize)]
struct Note {
    settings: Map<String, Value>,
    step: usize,
    /// Steps of each trained parameter.
    steps: BTreeMap<String, i32>,
    epochs: Vec<EpochRecord>,
    train_time: Duration,
    eval_time: Duration,
}

impl Training<'_> {
    /// What must be the same when the training is taken up again; the model's weights, too, which are not looked at.
    fn settings(&self) -> Map<String, Value> {
        let mut settings = fields(self.arguments);
        settings.insert("plan".into(), Value::Object(fields(self.plan)));
        let texts = |data: &EncodedDataset| {
            let labels: Vec<u32> = data.labels().iter().map(|&label| label as u32).collect();
            [fingerprint(data.sentences().into_iter()), fingerprint([labels.as_slice()].into_iter())]
        };
        let corpus = [Some(self.train), self.evaluation].map(|data| data.map(texts));
        settings.insert("corpus".into(), format!("{corpus:?}").into());
        settings
    }
}

impl Run<'_> {
    /// The training's settings: they take in every token, and are looked at once.
    fn settings(&self) -> &Map<String, Value> {
        self.settings.get_or_init(|| self.training.settings())
    }

    /// Writes a checkpoint, where the training keeps any. What it counts as good has been read back before.
    pub(crate) fn save(
        &mut self,
        model: &DistilBertForSequenceClassification,
        observer: &mut dyn FnMut(&Event),
    ) -> Result<(), TrainError> {
        self.history.read_back(observer)?;
        let Some(checkpoints) = &self.training.checkpoints else { return Ok(()) };
        let progress = self.optimizer.progress()?;
        let steps: BTreeMap<_, _> = progress.iter().map(|of| (of.name.clone(), of.steps)).collect();
        let prefixed = |prefix: &str, model: &DistilBertForSequenceClassification| {
            let values = values(model, |name| steps.contains_key(name))?;
            Ok::<_, TrainError>(values.into_iter().map(|(name, values)| (format!("{prefix}{name}"), values)).collect())
        };
        let mut tensors: Vec<(String, Vec<f32>)> = prefixed(VALUE, model)?;
        if let Some(kept) = &self.best.kept {
            tensors.push((LOGITS.into(), kept.evaluation.logits.clone()));
            tensors.extend(kept.model.as_ref().map(|best| prefixed(BEST, best)).transpose()?.unwrap_or_default());
        }
        tensors.extend(progress.into_iter().flat_map(Progress::tensors));
        let records = &self.history.records;
        tensors.push((LOSSES.into(), records.iter().map(|record| record.loss as f32).collect()));
        tensors.push((NORMS.into(), records.iter().map(|record| record.grad_norm as f32).collect()));
        let step = records.len();
        let note = Note {
            settings: self.settings().clone(),
            step,
            steps,
            epochs: self.best.epochs.clone(),
            train_time: self.train_time,
            eval_time: self.eval_time,
        };
        let note = serde_json::to_string(&note).unwrap_or_default();
        self.history.checkpoint = Some(checkpoints.write(step, tensors, HashMap::from([(NOTE.into(), note)]))?);
        Ok(())
    }

    /// Goes on from the newest checkpoint, where there is one: the model that it left, made of the one that the training
    /// began with.
    pub(crate) fn take_up(
        &mut self,
        model: DistilBertForSequenceClassification,
        observer: &mut dyn FnMut(&Event),
    ) -> Result<DistilBertForSequenceClassification, TrainError> {
        let checkpoints = self.training.checkpoints.as_ref();
        let Some((path, checkpoint)) = checkpoints.map(|all| all.newest()).transpose()?.flatten() else {
            return Ok(model);
        };
        let file = Saved { path: &path, checkpoint: &checkpoint };
        let note = file.note(self.settings())?;
        let epoch = self.epoch_after(note.step, note.epochs.len());
        let steps = self.training.steps_per_epoch();
        if !(epoch * steps..=(epoch + 1) * steps).contains(&note.step) {
            return Err(file.refuse(format!("is damaged: {} steps are not in epoch {}", note.step, epoch + 1)));
        }
        self.admit(&self.training.plan.track(&model, epoch), epoch);
        self.optimizer.restore(|name, size| match note.steps.get(name) {
            Some(&steps) => Ok(Some((steps, file.moments(name, size)?))),
            None => Ok(None),
        })?;
        let numbers = |name| file.values(name, note.step);
        self.history.restore(&numbers(LOSSES)?, &numbers(NORMS)?, |step| self.training.planned(step));
        let trained = |name: &str| note.steps.contains_key(name);
        let of = |prefix: &'static str| {
            with_values(&model, |name, size| {
                trained(name).then(|| file.values(&format!("{prefix}{name}"), size)).transpose()
            })
        };
        if let (Some(data), false) = (self.training.evaluation, note.epochs.is_empty()) {
            let classes = self.training.config.num_labels();
            let evaluation = Evaluation::new(file.values(LOGITS, data.len() * classes)?, data.labels(), classes)?;
            let chooses = self.training.arguments.load_best_model_at_end;
            self.best.kept = Some(Kept { evaluation, model: chooses.then(|| of(BEST)).transpose()? });
        }
        self.best.epochs = note.epochs;
        (self.train_time, self.eval_time) = (note.train_time, note.eval_time);
        observer(&Event::Resumed { step: note.step });
        self.history.records.iter().for_each(|record| observer(&Event::Step(record.clone())));
        let model = of(VALUE)?;
        self.history.checkpoint = Some(path);
        Ok(model)
    }
}

/// A checkpoint that is read.
struct Saved<'a> {
    path: &'a Path,
    checkpoint: &'a Checkpoint,
}

impl Saved<'_> {
    fn refuse(&self, reason: String) -> TrainError {
        TrainError::Resume { path: self.path.into(), reason }
    }

    fn note(&self, ours: &Map<String, Value>) -> Result<Note, TrainError> {
        let note = self.checkpoint.metadata(NOTE).and_then(|note| serde_json::from_str::<Note>(note).ok());
        let note = note.ok_or_else(|| self.refuse("is no checkpoint of a training".into()))?;
        match difference(&note.settings, ours, "other sentences or labels") {
            Some(reason) => Err(self.refuse(reason)),
            None => Ok(note),
        }
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
