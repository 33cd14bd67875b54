//! Classification and regression: the loss of the targets of an [`EncodedDataset`].

use burn::tensor::Tensor;
use rekindle_data::{Targets, Task};
use rekindle_encoders::{EncoderConfig, Mode, SequenceClassifier};
use rekindle_infer::pack;
use rekindle_metrics::Scorer;
use serde_json::{Map, Value};

use crate::arguments::TrainingArguments;
use crate::dataset::{EncodedDataset, balanced};
use crate::error::TrainError;
use crate::evaluate::{Evaluation, evaluate};
use crate::event::{Event, Observer};
use crate::frozen_features::FrozenFeatures;
use crate::objective::{Objective, Scores, TrainingContext};
use crate::settings::DATA;
use crate::task::{loss, target_kind, task_of};

/// The objective of a classifier: the mean loss of its outputs, as the `problem` of the configuration says: cross-entropy of the
/// classes, binary cross-entropy of several labels, or the squared error of a number.
///
/// If the frozen layers are deterministic (`frozen_dropout = false`), their output is computed once for all epochs.
#[derive(Debug)]
pub struct Classification<'a> {
    config: &'a EncoderConfig,
    train: &'a EncodedDataset,
    evaluation: Option<&'a EncodedDataset>,
    /// Features that the caller has computed.
    features: Option<&'a FrozenFeatures>,
    /// Features that this training computes.
    train_features: Option<FrozenFeatures>,
    eval_features: Option<FrozenFeatures>,
    /// Whether a step computes the head alone.
    trains_head: bool,
}

impl<'a> Classification<'a> {
    /// Trains the model of `config` on `train`, without evaluations.
    pub fn new(config: &'a EncoderConfig, train: &'a EncodedDataset) -> Self {
        let (evaluation, features, train_features, eval_features) = (None, None, None, None);
        Self { config, train, evaluation, features, train_features, eval_features, trains_head: false }
    }

    /// Evaluates on these examples after every epoch.
    pub fn evaluated_on(self, data: impl Into<Option<&'a EncodedDataset>>) -> Self {
        Self { evaluation: data.into(), ..self }
    }

    /// Uses features of the frozen layers that are already computed. Without them, they are computed if several epochs use them.
    pub fn with_features(self, features: impl Into<Option<&'a FrozenFeatures>>) -> Self {
        Self { features: features.into(), ..self }
    }

    /// Returns the features of a data set by the frozen layers of a model that the caller or this training has computed.
    fn known(&self, model: &SequenceClassifier, data: &EncodedDataset) -> Option<&FrozenFeatures> {
        let computed = [self.features, self.train_features.as_ref(), self.eval_features.as_ref()];
        computed.into_iter().flatten().find(|features| features.cover(data) && features.fit(model))
    }

    /// Computes the features of `data` by the layers that stay frozen, if they are not known.
    fn extract(
        &self,
        model: &SequenceClassifier,
        data: &EncodedDataset,
        context: TrainingContext<'_>,
        event: impl Fn(usize, usize) -> Event,
        observer: &mut Observer<'_>,
    ) -> Result<Option<FrozenFeatures>, TrainError> {
        let model = context.plan.at_last(model);
        if self.known(&model, data).is_some() {
            return Ok(None);
        }
        let mut progress = |done| observer(&event(done, data.whole().len()));
        let size = context.arguments.per_device_eval_batch_size;
        FrozenFeatures::of(&model, self.config, data, size, context.device, &mut progress)
    }

    /// Returns whether there are several epochs.
    fn has_several_epochs(&self, context: TrainingContext<'_>) -> bool {
        context.arguments.epochs(self.train.len()) > 1
    }

    /// Returns the logits of training examples, with dropout.
    fn logits(
        &self,
        examples: &[usize],
        model: &SequenceClassifier,
        mode: Mode,
        context: TrainingContext<'_>,
    ) -> Result<Tensor<2>, TrainError> {
        let examples = self.train.select(examples);
        let is_deterministic = !context.arguments.frozen_dropout;
        let logits = match is_deterministic.then(|| self.known(model, self.train)).flatten() {
            Some(features) => features.logits(model, self.config, &examples, mode, context.device)?,
            None => model.forward(&pack(&examples.sequences(), self.config, context.device)?, mode),
        };
        Ok(examples.windows().pooled(logits))
    }
}

impl Objective for Classification<'_> {
    type Model = SequenceClassifier;
    type Step = ();
    type Evaluation = Evaluation;

    const NAME: &'static str = "classification";

    fn examples(&self) -> usize {
        self.train.len()
    }

    fn tokens(&self, example: usize) -> usize {
        self.train.tokens(example)
    }

    fn row(&self, example: usize) -> usize {
        self.train.places()[example]
    }

    fn check(&self, arguments: &TrainingArguments) -> Result<(), TrainError> {
        if self.train.is_empty() {
            return Err(TrainError::Empty { purpose: "train on" });
        }
        if self.evaluation.is_some_and(EncodedDataset::is_empty) {
            return Err(TrainError::Empty { purpose: "evaluate" });
        }
        self.train.check_windows(1)?;
        let (outputs, weights) = (self.config.num_labels(), arguments.class_weights.as_ref().map(Vec::len));
        let task = task_of(&self.config.problem);
        if weights.is_some() && task == Task::Regression {
            return Err(TrainError::argument("class_weights", "regression has no classes to weigh"));
        }
        if let Some(weights) = weights.filter(|&weights| weights != outputs) {
            return Err(TrainError::argument("class_weights", format!("{weights} weights for {outputs} classes")));
        }
        arguments.metric_for_best_model.for_target(target_kind(task))?;
        Ok(())
    }

    fn settings(&self) -> Map<String, Value> {
        let data = [Some(self.train), self.evaluation].map(|data| data.map(EncodedDataset::fingerprints));
        Map::from_iter([(DATA.into(), format!("{data:?}").into())])
    }

    fn begin(
        &mut self,
        model: &Self::Model,
        context: TrainingContext<'_>,
        observer: &mut Observer<'_>,
    ) -> Result<(), TrainError> {
        if context.arguments.frozen_dropout {
            return Ok(());
        }
        if context.plan.freezes_encoder() || self.has_several_epochs(context) {
            let event = |done, total| Event::Extracting { done, total };
            self.train_features = self.extract(model, self.train, context, event, observer)?;
        }
        self.trains_head = self.known(&context.plan.at_last(model), self.train).is_some_and(FrozenFeatures::are_pooled);
        Ok(())
    }

    fn splits_batches(&self) -> bool {
        !self.trains_head
    }

    /// As many windows as a batch of short texts has, but all windows of a text.
    fn parts(&self, batch: &[usize], most: usize) -> Vec<Vec<usize>> {
        let counts = self.train.select(batch).windows();
        let mut parts: Vec<(usize, Vec<usize>)> = Vec::new();
        for (&example, &count) in batch.iter().zip(counts.counts()) {
            match parts.last_mut().filter(|(windows, _)| windows + count <= most) {
                Some((windows, part)) => {
                    *windows += count;
                    part.push(example);
                }
                None => parts.push((count, vec![example])),
            }
        }
        parts.into_iter().map(|(_, part)| part).collect()
    }

    fn draw(&self, _: &[usize], _: usize, _: TrainingContext<'_>) {}

    fn items(&self, (): &(), examples: &[usize], context: TrainingContext<'_>) -> f64 {
        let weights = context.arguments.class_weights.as_deref();
        let labels = self.train.labels();
        match weights.filter(|_| !labels.is_empty()) {
            Some(weights) => examples.iter().map(|&example| weights[labels[example]]).sum(),
            None => examples.len() as f64,
        }
    }

    fn loss(
        &self,
        (): &(),
        examples: &[usize],
        model: &Self::Model,
        mode: Mode,
        context: TrainingContext<'_>,
    ) -> Result<Tensor<1>, TrainError> {
        // The order within a batch does not change its mean. The encoder splits a batch in the middle: both micro-batches
        // should have the same number of tokens.
        let micro_batches = balanced(examples, 2, |example| self.tokens(example)).concat();
        let logits = self.logits(&micro_batches, model, mode, context)?;
        let (targets, weights) =
            (self.train.targets().select(&micro_batches), context.arguments.class_weights.as_deref());
        Ok(loss(task_of(&self.config.problem), logits, &targets, weights))
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
        let Some(data) = self.evaluation else { return Err(TrainError::Empty { purpose: "evaluate" }) };
        if context.plan.freezes_encoder() && self.eval_features.is_none() && self.has_several_epochs(context) {
            let event = |done, total| Event::Evaluating { done, total };
            self.eval_features = self.extract(model, data, context, event, observer)?;
        }
        let features = self.known(model, data);
        let size = context.arguments.per_device_eval_batch_size;
        Ok(evaluate(model, self.config, data, features, size, context.device, observer)?.logits)
    }

    fn score(&self, outputs: Vec<f32>, _: TrainingContext<'_>) -> Result<Evaluation, TrainError> {
        let none = Targets::Classes(Vec::new());
        let targets = self.evaluation.map_or(&none, EncodedDataset::targets);
        Evaluation::new(outputs, targets, self.config.num_labels(), &self.config.problem)
    }

    fn outputs(evaluation: &Evaluation) -> &[f32] {
        &evaluation.logits
    }

    fn scores(evaluation: &Evaluation, metric: Scorer) -> Scores {
        let [accuracy, f1] = evaluation.accuracy_and_f1().map_or([None; 2], |scores| scores.map(Some));
        Scores { loss: evaluation.loss, accuracy, f1, metric: evaluation.outcome.score(metric) }
    }
}
