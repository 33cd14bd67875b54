//! What is chosen on examples that a model was not trained on: thresholds, calibration, and the confidences from which errors are
//! rare.

use rekindle_checkpoint::{Abstention, Calibration, Problem};
use rekindle_data::{Target, Targets, Task};
use rekindle_infer::OutputFunction;
use rekindle_metrics::{LogitScaling, probabilities, promised_errors, sigmoid};
use rekindle_results::{CalibrationRecord, PromisedErrorRecord, RunRecord};
use rekindle_train::predicted;

use crate::approach_results::LEVEL;
use crate::error::ExperimentError;
use crate::learner::{Learner, Predictor};
use crate::out_of_fold::{FOLDS, OutOfFold};
use crate::progress::Observer;
use crate::run_context::RunContext;
use crate::run_spec::RunSpec;
use crate::thresholds::{ThresholdRule, best_thresholds};

/// Examples that the model of a run was not trained on, and their logits.
struct HeldOut {
    targets: Targets,
    logits: Vec<f32>,
    source: &'static str,
}

impl RunContext<'_> {
    /// Chooses what the settings ask for, and adds it to the record of the run: from its validation examples, or without any from
    /// its training examples by inner folds. Test examples take no part.
    pub(crate) fn choose(
        &mut self,
        learner: &dyn Learner,
        predictor: &dyn Predictor,
        spec: &RunSpec,
        record: &mut RunRecord,
        observer: &mut Observer<'_>,
    ) -> Result<(), ExperimentError> {
        let found = self.held_out(learner, predictor, spec, record, observer)?;
        let Some(HeldOut { targets, logits, source }) = found else { return Ok(()) };
        let outputs = self.config.num_labels();
        // The trials of a search are compared as they are.
        if let Some(method) = self.settings.calibrate.filter(|_| spec.trial.is_none()) {
            let LogitScaling { weights, biases } = match &targets {
                Targets::Labels { values, labels } => LogitScaling::of_labels(method, &logits, values, *labels)?,
                Targets::Classes(truth) => LogitScaling::of_classes(method, &logits, truth, outputs)?,
                Targets::Values(_) => return Ok(()),
            };
            let mut calibration = CalibrationRecord::default();
            (calibration.method, calibration.source) = (method.name().into(), source.into());
            (calibration.examples, calibration.weights, calibration.biases) = (targets.len(), weights, biases);
            record.calibration = Some(calibration);
        }
        let logits = calibrated(record, logits);
        record.thresholds = self.thresholds(&targets, &logits);
        let problem = self.problem(record);
        if let (Targets::Classes(truth), Some(calibration)) = (&targets, &mut record.calibration) {
            let (confidence, correct) = confidences(&problem, &logits, truth, outputs);
            let promises = promised_errors(&confidence, &correct, LEVEL)?.into_iter();
            calibration.promised_errors = promises
                .map(|promise| PromisedErrorRecord::new(promise.threshold, promise.coverage, promise.error))
                .collect();
        }
        Ok(())
    }

    /// Returns the held-out examples of a run, if something is to be chosen on them.
    fn held_out(
        &mut self,
        learner: &dyn Learner,
        predictor: &dyn Predictor,
        spec: &RunSpec,
        record: &RunRecord,
        observer: &mut Observer<'_>,
    ) -> Result<Option<HeldOut>, ExperimentError> {
        // The trials of a search are not calibrated.
        if self.threshold_rule().is_none() && self.settings.calibrate.filter(|_| spec.trial.is_none()).is_none() {
            return Ok(None);
        }
        let validation = &spec.rows.validation;
        if !validation.is_empty() {
            let (targets, logits) = (self.sampling.targets(validation), predictor.logits(self, validation, observer)?);
            return Ok(Some(HeldOut { targets, logits, source: "validation examples" }));
        }
        if spec.trial.is_some() {
            return Ok(None);
        }
        let learner = learner.chosen(record).unwrap_or(learner);
        let Some(folds) = self.settings.inner_folds.or(learner.is_quick().then_some(FOLDS)) else { return Ok(None) };
        match self.out_of_fold(learner, spec, folds, observer) {
            Ok(OutOfFold { rows, logits }) => {
                Ok(Some(HeldOut { targets: self.sampling.targets(&rows), logits, source: "inner folds" }))
            }
            // Too few examples for folds: the usual thresholds remain.
            Err(ExperimentError::Data(_)) if !self.settings.asks_for_held_out() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Returns what thresholds optimise; nothing if the most probable class is predicted.
    fn threshold_rule(&self) -> Option<ThresholdRule> {
        let has_labels = self.sampling.all.task == Task::MultiLabel;
        self.settings.threshold_rule.or(has_labels.then_some(ThresholdRule::FBeta(1.0)))
    }

    /// Returns the best thresholds of each label, or of both of two classes; empty if the most probable class is predicted.
    fn thresholds(&self, targets: &Targets, logits: &[f32]) -> Vec<f32> {
        let Some(rule) = self.threshold_rule() else { return Vec::new() };
        match targets {
            Targets::Labels { values, labels } => {
                let p: Vec<f64> = logits.iter().map(|&logit| sigmoid(f64::from(logit))).collect();
                best_thresholds(&p, values, *labels, rule)
            }
            Targets::Classes(truth) if self.config.num_labels() == 2 => {
                let p: Vec<f64> = logits.chunks(2).map(|row| probabilities(row)[1]).collect();
                let truth: Vec<bool> = truth.iter().map(|&class| class == 1).collect();
                let threshold = best_thresholds(&p, &truth, 1, rule)[0];
                vec![1.0 - threshold, threshold]
            }
            _ => Vec::new(),
        }
    }

    /// Returns what the outputs of a model mean, with what was chosen for a run.
    pub(crate) fn problem(&self, record: &RunRecord) -> Problem {
        let mut problem = Problem { thresholds: record.thresholds.clone(), ..self.config.problem.clone() };
        let Some(calibration) = &record.calibration else { return problem };
        problem.calibration = Some(Calibration {
            method: calibration.method.clone(),
            source: calibration.source.clone(),
            examples: calibration.examples,
            weights: calibration.weights.clone(),
            biases: calibration.biases.clone(),
        });
        let promises = calibration.promised_errors.iter();
        problem.abstention = promises
            .map(|promise| Abstention {
                threshold: promise.threshold as f32,
                coverage: promise.coverage,
                error: promise.error,
            })
            .collect();
        problem
    }
}

/// Returns the calibrated logits of a run.
pub(crate) fn calibrated(record: &RunRecord, logits: Vec<f32>) -> Vec<f32> {
    match &record.calibration {
        Some(calibration) => scaling(calibration).apply(&logits),
        None => logits,
    }
}

/// Returns the scaling of a record.
pub(crate) fn scaling(calibration: &CalibrationRecord) -> LogitScaling {
    LogitScaling { weights: calibration.weights.clone(), biases: calibration.biases.clone() }
}

/// Returns the probability of the predicted class of each example as users see it, and whether it is the true one.
fn confidences(problem: &Problem, logits: &[f32], truth: &[usize], classes: usize) -> (Vec<f64>, Vec<bool>) {
    let of = |(row, &truth): (&[f32], &usize)| {
        let Target::Class(class) = predicted(problem, row) else { return (0.0, false) };
        let score = OutputFunction::Softmax.apply(row)[class] as f32;
        (f64::from(score), class == truth)
    };
    logits.chunks(classes).zip(truth).map(of).unzip()
}
