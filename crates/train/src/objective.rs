//! Objectives: what a training minimises, and how the result is evaluated.

use burn::tensor::{Device, Tensor};
use rekindle_encoders::{Mode, ParamRoles};
use rekindle_metrics::Scorer;
use serde_json::{Map, Value};

use crate::arguments::TrainingArguments;
use crate::dataset::order;
use crate::error::TrainError;
use crate::event::Observer;
use crate::plan::TuningPlan;

/// A loss over examples, and the evaluation that goes with it: [`Classification`](crate::Classification),
/// [`MaskedLm`](crate::MaskedLm) or [`Contrastive`](crate::Contrastive). [`Trainer`](crate::Trainer) runs the loop over any of
/// them.
///
/// Examples are numbered from 0.
pub trait Objective: Sync {
    /// The model that is trained.
    type Model: ParamRoles + Send + Sync;
    /// What is drawn at random once per step, for all its examples: for example, which words are masked.
    type Step: Sync;
    /// The evaluation of a model.
    type Evaluation;

    /// The name of the objective in training checkpoints.
    const NAME: &'static str;

    /// Returns the number of examples per epoch.
    fn examples(&self) -> usize;

    /// Returns the examples of an epoch, counted from 0, in the order in which batches are filled.
    fn order(&self, epoch: usize, arguments: &TrainingArguments) -> Vec<usize> {
        order(self.examples(), arguments.seed, epoch, arguments.shuffle)
    }

    /// Returns the number of tokens of a training example.
    fn tokens(&self, example: usize) -> usize;

    /// Returns the number by which the user knows a training example: its row in the whole data set, counted from 0.
    fn row(&self, example: usize) -> usize {
        example
    }

    /// Checks that training with these arguments is possible.
    ///
    /// # Errors
    /// Returns an error if there are no examples, or if an argument does not apply to this objective.
    fn check(&self, arguments: &TrainingArguments) -> Result<(), TrainError>;

    /// Returns what must be equal when a training resumes, beside the arguments and the tuning plan.
    fn settings(&self) -> Map<String, Value>;

    /// Prepares a training of `model`, before its first step.
    ///
    /// # Errors
    /// Returns an error if an example does not fit the model, or if the observer cancels.
    fn begin(
        &mut self,
        model: &Self::Model,
        context: TrainingContext<'_>,
        observer: &mut Observer<'_>,
    ) -> Result<(), TrainError> {
        let _ = (model, context, observer);
        Ok(())
    }

    /// Returns whether it pays to split batches over several devices.
    fn splits_batches(&self) -> bool {
        true
    }

    /// Returns the examples of a batch in parts that are computed one after the other, so that each has at most about `most`
    /// sequences; the loss of the batch is the mean over all of them. By default, a batch has one part.
    fn parts(&self, batch: &[usize], most: usize) -> Vec<Vec<usize>> {
        let _ = most;
        vec![batch.to_vec()]
    }

    /// Draws what is random in a step, counted from 0, over its examples in this order.
    fn draw(&self, examples: &[usize], step: usize, context: TrainingContext<'_>) -> Self::Step;

    /// Returns over how many items [`loss`](Self::loss) averages for some examples of a step: examples, masked words, or
    /// the sum of class weights. The loss of a step is the mean over the items of all its micro-batches and devices.
    fn items(&self, step: &Self::Step, examples: &[usize], context: TrainingContext<'_>) -> f64;

    /// Returns the mean loss of some examples of a step, `[1]`. The device is the one that holds the model.
    ///
    /// # Errors
    /// Returns an error if an example does not fit the model.
    fn loss(
        &self,
        step: &Self::Step,
        examples: &[usize],
        model: &Self::Model,
        mode: Mode,
        context: TrainingContext<'_>,
    ) -> Result<Tensor<1>, TrainError>;

    /// Returns whether there are examples to evaluate on.
    fn is_evaluated(&self) -> bool;

    /// Computes the outputs of a model for the evaluation examples, without dropout. [`score`](Self::score) turns them
    /// into an evaluation; training checkpoints store them.
    ///
    /// # Errors
    /// Returns an error if an example does not fit the model, an output is not finite, or the observer cancels.
    fn evaluate(
        &mut self,
        model: &Self::Model,
        context: TrainingContext<'_>,
        observer: &mut Observer<'_>,
    ) -> Result<Vec<f32>, TrainError>;

    /// Returns the evaluation that outputs of [`evaluate`](Self::evaluate) make.
    ///
    /// # Errors
    /// Returns an error if the outputs do not belong to the evaluation examples.
    fn score(&self, outputs: Vec<f32>, context: TrainingContext<'_>) -> Result<Self::Evaluation, TrainError>;

    /// Returns the outputs that an evaluation was made from.
    fn outputs(evaluation: &Self::Evaluation) -> &[f32];

    /// Returns the scores of an evaluation, among them the metric that decides which epoch is the best.
    fn scores(evaluation: &Self::Evaluation, metric: Scorer) -> Scores;
}

/// What an objective knows of the training that it is used in.
#[derive(Clone, Copy, Debug)]
pub struct TrainingContext<'a> {
    /// Which parameters are trainable.
    pub plan: &'a TuningPlan,
    /// How the training runs.
    pub arguments: &'a TrainingArguments,
    /// The device to compute on.
    pub device: &'a Device,
}

/// The scores of an evaluation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scores {
    /// Mean loss; of classes and labels, in nats.
    pub loss: f64,
    /// Fraction of examples that are predicted correctly, if the objective predicts classes.
    pub accuracy: Option<f64>,
    /// F1 of class 1 for two classes, macro F1 for more, if the objective predicts classes.
    pub f1: Option<f64>,
    /// The metric that decides which epoch is the best.
    pub metric: f64,
}
