//! Contrastive training of the encoder: texts with the same target become similar, and others dissimilar.

use std::convert::Infallible;

use burn::tensor::Tensor;
use rekindle_data::Targets;
use rekindle_encoders::{EncoderConfig, Mode, SequenceClassifier};
use rekindle_infer::pack;
use rekindle_metrics::Scorer;
use serde_json::{Map, Value};

use crate::arguments::TrainingArguments;
use crate::class_batches::ClassBatches;
use crate::contrastive_loss::ContrastiveLoss;
use crate::dataset::{EncodedDataset, balanced};
use crate::error::TrainError;
use crate::event::Observer;
use crate::objective::{Objective, Scores, TrainingContext};
use crate::settings::DATA;

/// The objective of contrastive training: a [`ContrastiveLoss`] over all pairs of each batch, of which every text is encoded
/// once. The embedding of a text is the pooled output of the encoder, L2-normalised.
///
/// Batches are sampled by class, so that they have pairs within classes and between them. With several labels per text, the class of
/// an example is the rarest label that it shares with another one; values are divided into at most eight quantiles, and scaled to
/// between 0 and 1 for the loss. Classes are sampled equally often, and an epoch uses at most 64 examples of a class and about 4,096
/// in all; [`pairs`](Self::pairs) says how many pairs that makes. The head has no part in the loss: leave it out of the plan
/// ([`TuningPlan::encoder`](crate::TuningPlan::encoder)).
///
/// A batch is not split over several devices, because its pairs need all of its embeddings.
#[derive(Clone, Debug)]
pub struct Contrastive<'a> {
    config: &'a EncoderConfig,
    train: &'a EncodedDataset,
    loss: ContrastiveLoss,
    batches: ClassBatches,
    batch_size: usize,
    /// The smallest value, and the range of the values.
    values: [f64; 2],
}

/// The most quantiles of values that batches are sampled by, each of at least two values.
const QUANTILES: usize = 8;

impl<'a> Contrastive<'a> {
    /// Trains the model of `config` on `train`, in batches of the size that the arguments of the training have.
    pub fn new(
        config: &'a EncoderConfig,
        train: &'a EncodedDataset,
        loss: ContrastiveLoss,
        arguments: &TrainingArguments,
    ) -> Self {
        let batch_size = arguments.per_device_train_batch_size;
        let batches = ClassBatches::new(&strata(train.targets()), batch_size);
        Self { config, train, loss, batches, batch_size, values: range(train.targets()) }
    }

    /// Returns the number of pairs per epoch.
    pub fn pairs(&self) -> usize {
        self.batches.pairs()
    }
}

/// Returns what batches are sampled by: the class, the rarest label that is shared with another example, or the quantile of the
/// value. If two examples share a label, two are therefore of one stratum.
fn strata(targets: &Targets) -> Vec<usize> {
    match targets {
        Targets::Classes(classes) => classes.clone(),
        Targets::Labels { labels, .. } => {
            let count = |label: usize| (0..targets.len()).filter(|&row| targets.labels(row)[label]).count();
            let counts: Vec<usize> = (0..*labels).map(count).collect();
            let rarest = |row| {
                let shared = (0..*labels).filter(|&label| targets.labels(row)[label] && counts[label] > 1);
                shared.min_by_key(|&label| counts[label]).unwrap_or(*labels)
            };
            (0..targets.len()).map(rarest).collect()
        }
        Targets::Values(values) => {
            let mut sorted = values.clone();
            sorted.sort_by(f64::total_cmp);
            let below = |value: &f64| sorted.partition_point(|other| other.total_cmp(value).is_lt());
            let quantiles = QUANTILES.min(values.len() / 2);
            values.iter().map(|value| below(value) * quantiles / values.len()).collect()
        }
    }
}

/// Returns the smallest of the values, and their range, positive.
fn range(targets: &Targets) -> [f64; 2] {
    let Targets::Values(values) = targets else { return [0.0, 1.0] };
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    [least, if most > least { most - least } else { 1.0 }]
}

impl Objective for Contrastive<'_> {
    type Model = SequenceClassifier;
    type Step = ();
    type Evaluation = Infallible;

    const NAME: &'static str = "contrastive";

    fn examples(&self) -> usize {
        self.batches.examples()
    }

    fn order(&self, epoch: usize, arguments: &TrainingArguments) -> Vec<usize> {
        self.batches.order(arguments.seed, epoch, arguments.shuffle)
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
        self.train.check_windows(self.batch_size)?;
        if !self.batches.have_pairs() {
            return Err(TrainError::NoPairs);
        }
        if arguments.class_weights.is_some() {
            return Err(TrainError::argument(
                "class_weights",
                "contrastive training samples all classes equally often",
            ));
        }
        match arguments.per_device_train_batch_size {
            1 => Err(TrainError::argument("per_device_train_batch_size", "a batch of one example has no pairs")),
            size if size != self.batch_size => {
                let reason = format!("{size}, but the batches were sampled with {}", self.batch_size);
                Err(TrainError::argument("per_device_train_batch_size", reason))
            }
            _ => Ok(()),
        }
    }

    fn settings(&self) -> Map<String, Value> {
        let data = self.train.fingerprints();
        let loss = serde_json::to_value(self.loss).unwrap_or_default();
        Map::from_iter([("loss".into(), loss), (DATA.into(), format!("{data:?}").into())])
    }

    fn splits_batches(&self) -> bool {
        false
    }

    fn draw(&self, _: &[usize], _: usize, _: TrainingContext<'_>) {}

    fn items(&self, (): &(), examples: &[usize], _: TrainingContext<'_>) -> f64 {
        examples.len() as f64
    }

    fn loss(
        &self,
        (): &(),
        examples: &[usize],
        model: &Self::Model,
        mode: Mode,
        context: TrainingContext<'_>,
    ) -> Result<Tensor<1>, TrainError> {
        // The encoder splits a batch in the middle: both halves should have the same number of tokens.
        let examples = balanced(examples, 2, |example| self.tokens(example)).concat();
        let examples = self.train.select(&examples);
        let pooled = model.pool(&pack(&examples.sequences(), self.config, context.device)?, mode);
        let [least, range] = self.values;
        let targets = match examples.targets() {
            Targets::Values(values) => &Targets::Values(values.iter().map(|value| (value - least) / range).collect()),
            targets => targets,
        };
        Ok(self.loss.of(examples.windows().pooled(pooled), targets))
    }

    fn is_evaluated(&self) -> bool {
        false
    }

    fn evaluate(
        &mut self,
        _: &Self::Model,
        _: TrainingContext<'_>,
        _: &mut Observer<'_>,
    ) -> Result<Vec<f32>, TrainError> {
        Err(TrainError::Empty { purpose: "evaluate" })
    }

    fn score(&self, _: Vec<f32>, _: TrainingContext<'_>) -> Result<Infallible, TrainError> {
        Err(TrainError::Empty { purpose: "evaluate" })
    }

    fn outputs(evaluation: &Infallible) -> &[f32] {
        match *evaluation {}
    }

    fn scores(evaluation: &Infallible, _: Scorer) -> Scores {
        match *evaluation {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(rows: &[&[usize]]) -> Targets {
        let values = rows.iter().flat_map(|row| (0..4).map(|label| row.contains(&label)));
        Targets::Labels { values: values.collect(), labels: 4 }
    }

    #[test]
    fn strata_are_the_rarest_shared_labels() {
        // Label 0 occurs three times, 1 and 2 twice, 3 once.
        let targets = labels(&[&[0, 1], &[0, 2], &[0, 3], &[1, 2], &[]]);
        assert_eq!(strata(&targets), [1, 2, 0, 1, 4]);
    }

    #[test]
    fn examples_that_share_a_label_are_pairs_although_no_two_have_the_same_labels() {
        let has_pairs = |targets: &Targets| ClassBatches::new(&strata(targets), 8).have_pairs();
        assert!(has_pairs(&labels(&[&[0, 1], &[0, 2], &[3]])));
        assert!(has_pairs(&labels(&[&[0, 1], &[1, 2], &[0, 2]])));
        assert!(!has_pairs(&labels(&[&[0], &[1], &[2], &[]])), "nothing is shared");
    }

    #[test]
    fn few_values_have_fewer_quantiles() {
        let of = |values: &[f64]| strata(&Targets::Values(values.to_vec()));
        assert_eq!(of(&[3.0, 1.0, 2.0, 5.0, 4.0, 6.0]), [1, 0, 0, 2, 1, 2]);
        assert_eq!(of(&[2.0; 5]), [0; 5]);
        let many: Vec<f64> = (0..80).map(f64::from).collect();
        assert_eq!(of(&many)[70..], [7; 10]);
        assert!(of(&[]).is_empty());
    }
}
