//! Masked language modelling: cross-entropy of masked words in plain text.

use std::collections::HashMap;

use burn::tensor::Tensor;
use rekindle_checkpoint::trainable;
use rekindle_encoders::{EncoderConfig, MaskedLanguageModel, Mode};
use rekindle_infer::read;
use rekindle_metrics::Scorer;
use serde_json::{Map, Value};

use crate::arguments::TrainingArguments;
use crate::error::TrainError;
use crate::event::{Event, Observer, emit};
use crate::masking::{MaskedBatch, Masking};
use crate::objective::{Objective, Scores, TrainingContext};
use crate::settings::{DATA, fingerprint};

/// The number of the first step of an evaluation, which decides its masked words: far from the steps of a training.
const EVALUATION: u64 = 1 << 63;

/// The objective of a masked language model: the mean cross-entropy of the masked words of a step.
///
/// The words are masked per step. Accumulated micro-batches and batches that are split over devices therefore have the
/// masked words of one large batch, and their step is its step.
#[derive(Clone, Debug)]
pub struct MaskedLm<'a> {
    config: &'a EncoderConfig,
    masking: Masking,
    train: &'a [Vec<u32>],
    evaluation: Option<&'a [Vec<u32>]>,
}

/// The evaluation of a masked language model.
#[derive(Clone, Debug, PartialEq)]
pub struct MaskedLmEvaluation {
    /// Mean cross-entropy of the masked words, in nats.
    pub loss: f64,
    /// The number of masked words.
    pub words: usize,
    /// The loss of each batch.
    losses: Vec<f32>,
}

impl MaskedLmEvaluation {
    /// Returns the perplexity: the exponential of the loss.
    pub fn perplexity(&self) -> f64 {
        self.loss.exp()
    }
}

impl<'a> MaskedLm<'a> {
    /// Trains the model of `config` on sequences, without evaluations.
    pub fn new(config: &'a EncoderConfig, masking: Masking, train: &'a [Vec<u32>]) -> Self {
        Self { config, masking, train, evaluation: None }
    }

    /// Evaluates on these sequences after every epoch. Every evaluation masks the same words.
    pub fn evaluated_on(self, sequences: impl Into<Option<&'a [Vec<u32>]>>) -> Self {
        Self { evaluation: sequences.into(), ..self }
    }

    /// Returns the masked batches of an evaluation.
    fn evaluation_batches(&self, arguments: &TrainingArguments) -> impl Iterator<Item = MaskedBatch> {
        let batches = self.evaluation.unwrap_or_default().chunks(arguments.per_device_eval_batch_size.max(1));
        let seed = arguments.seed;
        batches.enumerate().map(move |(index, rows)| self.masking.hide(rows, seed, EVALUATION + index as u64))
    }
}

/// The examples of a step, with masked words.
#[derive(Debug)]
pub struct MaskedStep {
    batch: MaskedBatch,
    /// The index of each example in the batch.
    indices: HashMap<usize, usize>,
}

impl MaskedStep {
    fn select(&self, examples: &[usize]) -> MaskedBatch {
        let indices: Vec<usize> = examples.iter().filter_map(|example| self.indices.get(example).copied()).collect();
        self.batch.select(&indices)
    }
}

impl Objective for MaskedLm<'_> {
    type Model = MaskedLanguageModel;
    type Step = MaskedStep;
    type Evaluation = MaskedLmEvaluation;

    const NAME: &'static str = "masked language modelling";

    fn examples(&self) -> usize {
        self.train.len()
    }

    fn tokens(&self, example: usize) -> usize {
        self.train[example].len()
    }

    fn check(&self, arguments: &TrainingArguments) -> Result<(), TrainError> {
        if self.train.is_empty() {
            return Err(TrainError::Empty { purpose: "train on" });
        }
        if self.evaluation.is_some_and(<[_]>::is_empty) {
            return Err(TrainError::Empty { purpose: "evaluate" });
        }
        if arguments.class_weights.is_some() {
            return Err(TrainError::argument("class_weights", "masked language modelling has no classes to weigh"));
        }
        match arguments.metric_for_best_model {
            Scorer::Loss => Ok(()),
            _ => Err(TrainError::argument("metric_for_best_model", "masked language modelling has the loss only")),
        }
    }

    fn settings(&self) -> Map<String, Value> {
        let data = [Some(self.train), self.evaluation]
            .map(|sequences| sequences.map(|all| fingerprint(all.iter().map(Vec::as_slice))));
        Map::from_iter([
            ("mlm_probability".into(), self.masking.probability().into()),
            (DATA.into(), format!("{data:?}").into()),
        ])
    }

    fn draw(&self, examples: &[usize], step: usize, context: TrainingContext<'_>) -> MaskedStep {
        let sequences: Vec<&[u32]> = examples.iter().map(|&example| self.train[example].as_slice()).collect();
        let batch = self.masking.hide(&sequences, context.arguments.seed, step as u64);
        MaskedStep { batch, indices: examples.iter().enumerate().map(|(index, &example)| (example, index)).collect() }
    }

    fn items(&self, step: &MaskedStep, examples: &[usize], _: TrainingContext<'_>) -> f64 {
        step.select(examples).labels.len() as f64
    }

    fn loss(
        &self,
        step: &MaskedStep,
        examples: &[usize],
        model: &Self::Model,
        mode: Mode,
        context: TrainingContext<'_>,
    ) -> Result<Tensor<1>, TrainError> {
        step.select(examples).loss(model, self.config, mode, context.device)
    }

    fn is_evaluated(&self) -> bool {
        self.evaluation.is_some()
    }

    fn evaluate(
        &mut self,
        model: &Self::Model,
        context: TrainingContext<'_>,
        observer: &mut Observer<'_>,
    ) -> Result<Vec<f32>, TrainError> {
        let model = trainable(model, |_| false);
        let (mut losses, mut done, total) = (Vec::new(), 0, self.evaluation.unwrap_or_default().len());
        for batch in self.evaluation_batches(context.arguments) {
            let loss = match batch.labels.is_empty() {
                true => 0.0,
                false => read(batch.loss(&model, self.config, Mode::Eval, context.device)?)?[0],
            };
            if !loss.is_finite() {
                return Err(TrainError::Logits { sentence: done });
            }
            losses.push(loss);
            done += batch.sentences.len();
            emit(observer, &Event::Evaluating { done, total })?;
        }
        Ok(losses)
    }

    fn score(&self, losses: Vec<f32>, context: TrainingContext<'_>) -> Result<MaskedLmEvaluation, TrainError> {
        let expected = self.evaluation.unwrap_or_default().len().div_ceil(context.arguments.per_device_eval_batch_size);
        if losses.len() != expected {
            return Err(TrainError::Shape { logits: losses.len(), sentences: expected, classes: 1 });
        }
        let (mut sum, mut words) = (0.0, 0);
        for (batch, &loss) in self.evaluation_batches(context.arguments).zip(&losses) {
            sum += f64::from(loss) * batch.labels.len() as f64;
            words += batch.labels.len();
        }
        if words == 0 || !sum.is_finite() {
            return Err(TrainError::Empty { purpose: "evaluate" });
        }
        Ok(MaskedLmEvaluation { loss: sum / words as f64, words, losses })
    }

    fn outputs(evaluation: &MaskedLmEvaluation) -> &[f32] {
        &evaluation.losses
    }

    fn scores(evaluation: &MaskedLmEvaluation, _: Scorer) -> Scores {
        Scores { loss: evaluation.loss, accuracy: None, f1: None, metric: evaluation.loss }
    }
}
