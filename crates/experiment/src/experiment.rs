//! What an experiment compares, and the runs that follow from it. `runner` computes them.

use std::sync::Arc;

use rekindle_encoders::Pooling;
use rekindle_infer::LongTexts;
use rekindle_metrics::{LabelIssueFilter, Scaling, Scorer};
use rekindle_train::TrainingArguments;

use crate::approach::Approach;
use crate::approach_results::metrics;
use crate::error::ExperimentError;
use crate::learner::Learner;
use crate::run_settings::{ClassWeights, FrozenPrecision, RunSettings};
use crate::run_spec::RunSpec;
use crate::sampling::{Sample, Sampling};
use crate::thresholds::ThresholdRule;

/// What to compare, and how.
#[derive(Clone, Debug)]
pub struct Experiment {
    /// The approaches, in the order of the results.
    pub approaches: Vec<Approach>,
    /// The baselines that every approach is compared with. One that is among the approaches need not be repeated.
    pub baselines: Vec<Approach>,
    /// Maximum number of tokens per text, including `[CLS]` and `[SEP]`.
    pub max_length: usize,
    /// What is read of longer texts.
    pub long_texts: LongTexts,
    /// Fewest steps of a run: with few examples, a run has more than `num_train_epochs` epochs, but at most 20. 0 for exactly
    /// `num_train_epochs`.
    pub min_steps: usize,
    /// What the head reads, in approaches that do not say so; absent for what the configuration of the model says.
    pub pooling: Option<Pooling>,
    /// The settings that all approaches share. Learning rates are those of each [`Approach`], and seeds are `seeds`.
    pub arguments: TrainingArguments,
    /// Seeds of head, shuffling and dropout: every approach is run with each on every sample. Empty for the seed of the
    /// arguments.
    pub seeds: Vec<u64>,
    /// Training sizes, `None` for all examples; empty for all examples only.
    pub sizes: Vec<Option<usize>>,
    /// What the linear layers of transformer layers are stored in that no approach trains.
    pub frozen_precision: FrozenPrecision,
    /// The weight of each class in the training loss.
    pub class_weights: ClassWeights,
    /// The metric that approaches are ranked by, and that is compared between them; absent for the usual one of the task.
    pub metric: Option<Scorer>,
    /// With folds, which examples are reported as suspected label errors.
    pub label_issue_filter: LabelIssueFilter,
    /// How the logits of trained models are calibrated, if at all: on the validation examples, or by inner folds.
    pub calibrate: Option<Scaling>,
    /// What the thresholds of two classes or of several labels optimise, chosen as the calibration is; absent for F1 of several
    /// labels, and for the most probable of two classes.
    pub threshold_rule: Option<ThresholdRule>,
    /// Folds of the training examples that calibration and thresholds are chosen on if there are no validation examples. Absent
    /// for five, and for approaches that are quick to fit only; others are trained once more per fold.
    pub inner_folds: Option<usize>,
    /// Whether trained models are kept: those of the first seed at the largest size. With folds, a final model per approach is
    /// trained on all examples.
    pub keep_models: bool,
    /// Whether the models that are kept are trained on all examples with one fixed test set, too, as they are with folds.
    pub refit: bool,
}

impl Experiment {
    /// Returns the notebook's experiment: its two approaches, 64 tokens, one seed, all examples.
    pub fn notebook() -> Self {
        Self {
            approaches: Approach::notebook(),
            baselines: Approach::baselines(),
            max_length: 64,
            long_texts: LongTexts::Truncate,
            min_steps: 0,
            pooling: None,
            arguments: TrainingArguments::default(),
            seeds: Vec::new(),
            sizes: Vec::new(),
            frozen_precision: FrozenPrecision::F32,
            class_weights: ClassWeights::Equal,
            metric: None,
            label_issue_filter: LabelIssueFilter::default(),
            calibrate: None,
            threshold_rule: None,
            inner_folds: None,
            keep_models: false,
            refit: false,
        }
    }

    /// Returns the epochs of a run over so many training examples, in approaches without epochs of their own.
    pub fn epochs(&self, examples: usize) -> usize {
        let (min_steps, arguments) = (self.min_steps, self.arguments.clone());
        RunSettings { min_steps, arguments, ..RunSettings::default() }.epochs(examples)
    }

    /// The first seed.
    pub(crate) fn seed(&self) -> u64 {
        self.seeds.first().copied().unwrap_or(self.arguments.seed)
    }

    /// The metric that ranks approaches, for the labels of the data.
    pub(crate) fn metric(&self, sampling: &Sampling) -> Scorer {
        let metric = self.metric.unwrap_or_else(|| Scorer::usual(sampling.kind()));
        if sampling.all.task.has_classes() { metric.of_classes(sampling.all.classes.len()) } else { metric }
    }

    /// The metrics of all tables.
    pub(crate) fn metrics(&self, sampling: &Sampling) -> Vec<Scorer> {
        metrics(sampling.kind(), self.metric(sampling))
    }

    pub(crate) fn seeds(&self) -> Vec<u64> {
        if self.seeds.is_empty() { vec![self.arguments.seed] } else { self.seeds.clone() }
    }

    /// The seeds that a learner is run with.
    pub(crate) fn seeds_of(&self, learner: &dyn Learner) -> Vec<u64> {
        if learner.is_seeded() { self.seeds() } else { vec![self.seed()] }
    }

    /// Returns the training sizes, ascending and each once.
    pub(crate) fn sizes(&self, sampling: &Sampling) -> Result<Vec<usize>, ExperimentError> {
        let largest = sampling.largest();
        let all = [None];
        let given = if self.sizes.is_empty() { &all[..] } else { &self.sizes };
        let mut sizes: Vec<usize> = given.iter().map(|size| size.unwrap_or(largest)).collect();
        if let Some(&size) = sizes.iter().find(|&&size| size > largest) {
            return Err(ExperimentError::Size { size, largest });
        }
        sizes.sort_unstable();
        sizes.dedup();
        Ok(sizes)
    }

    /// Returns the number of runs per approach, without the final model.
    pub(crate) fn runs(&self, sampling: &Sampling, sizes: &[usize]) -> usize {
        sampling.samples.len() * self.seeds().len() * sizes.len()
    }

    /// Returns the number of runs of an approach, with the one of its final model.
    ///
    /// # Errors
    /// Returns an error if a training size is larger than the smallest sample.
    pub fn runs_per_approach(&self, sampling: &Sampling) -> Result<usize, ExperimentError> {
        let runs = self.runs(sampling, &self.sizes(sampling)?);
        Ok(runs + usize::from(self.keep_models && self.is_final(sampling)))
    }

    /// Returns all runs, in the order of the results.
    pub(crate) fn run_specs(&self, sampling: &Sampling, sizes: &[usize]) -> Result<Vec<RunSpec>, ExperimentError> {
        let rows = self.rows(sampling, sizes)?;
        let final_rows = Arc::new(final_rows(sampling));
        let is_final = self.is_final(sampling);
        let mut specs = Vec::new();
        for (approach, Approach { name, learner, .. }) in self.approaches.iter().chain(&self.baselines).enumerate() {
            let keep_models = self.keep_models && learner.has_model();
            let name: Arc<str> = name.as_str().into();
            let seeds = self.seeds_of(&**learner);
            for (&size, samples) in sizes.iter().zip(&rows) {
                let keeps_model = keep_models && !is_final && Some(&size) == sizes.last();
                for (sample, rows) in samples.iter().enumerate() {
                    for &seed in &seeds {
                        let (number, name, rows) = (specs.len(), Arc::clone(&name), Arc::clone(rows));
                        let keeps_model = keeps_model && seed == self.seed();
                        let (sample, trial) = (Some(sample), None);
                        specs.push(RunSpec { number, trial, approach, name, size, sample, rows, seed, keeps_model });
                    }
                }
            }
            if keep_models && is_final {
                let (number, size, rows) = (specs.len(), sampling.all.len(), Arc::clone(&final_rows));
                let (sample, trial, seed) = (None, None, self.seed());
                specs.push(RunSpec { number, trial, approach, name, size, sample, rows, seed, keeps_model: true });
            }
        }
        Ok(specs)
    }

    /// Returns whether models that are kept are trained on all examples.
    pub(crate) fn is_final(&self, sampling: &Sampling) -> bool {
        sampling.folds.is_some() || self.refit
    }

    /// Returns the examples of each sample at each size.
    fn rows(&self, sampling: &Sampling, sizes: &[usize]) -> Result<Vec<Vec<Arc<Sample>>>, ExperimentError> {
        let draw = |sample: &Sample, size| {
            let train = sampling.draw(sample, size, self.seed() as u32)?;
            Ok(Arc::new(Sample { train, ..sample.clone() }))
        };
        sizes.iter().map(|&size| sampling.samples.iter().map(|sample| draw(sample, size)).collect()).collect()
    }

    /// Returns the approach of a run, which may be a baseline.
    pub(crate) fn approach_of(&self, spec: &RunSpec) -> &Approach {
        let Self { approaches, baselines, .. } = self;
        approaches.get(spec.approach).unwrap_or_else(|| &baselines[spec.approach - approaches.len()])
    }

    /// Returns whether a run is one of a baseline.
    pub(crate) fn is_baseline(&self, spec: &RunSpec) -> bool {
        spec.approach >= self.approaches.len()
    }

    /// Returns what all runs share.
    pub(crate) fn run_settings(&self, sampling: &Sampling) -> RunSettings {
        RunSettings {
            max_length: self.max_length,
            long_texts: self.long_texts,
            min_steps: self.min_steps,
            pooling: self.pooling,
            arguments: self.arguments.clone(),
            class_weights: self.class_weights.clone(),
            metric: self.metric(sampling),
            has_final_models: self.keep_models && self.is_final(sampling),
            calibrate: self.calibrate,
            threshold_rule: self.threshold_rule,
            inner_folds: self.inner_folds,
            seed: self.seed(),
        }
    }
}

/// Returns the examples of the final model: it is trained on all but those that choose its best epoch and those that are dropped.
fn final_rows(sampling: &Sampling) -> Sample {
    let by_time = sampling.all.time_column.is_some();
    // By time, the last sample has the newest ones.
    let sample = if by_time { sampling.samples.last() } else { sampling.samples.first() };
    let validation = sample.map(|sample| sample.validation.clone()).unwrap_or_default();
    let is_used = |row: &usize| !validation.contains(row) && sampling.dropped.binary_search(row).is_err();
    let train = (0..sampling.all.len()).filter(is_used).collect();
    Sample { train, validation, ..Sample::default() }
}

#[cfg(test)]
mod tests {
    use rekindle_data::{TestSize, twelve_sentences};

    use super::*;

    #[test]
    fn sizes_that_are_equal_are_one_size() {
        let (train, test) = twelve_sentences().train_test_split(TestSize::Fraction(0.25), 42, true).expect("a split");
        let sampling = Sampling::fixed(train, None, test);
        let experiment = Experiment { sizes: vec![Some(9), None], ..Experiment::notebook() };
        let sizes = experiment.sizes(&sampling).expect("sizes");
        assert_eq!(sizes, [9]);
        let specs = experiment.run_specs(&sampling, &sizes).expect("runs");
        assert_eq!(specs.len(), experiment.approaches.len() + experiment.baselines.len());
        assert_eq!(experiment.runs(&sampling, &sizes), 1);
    }
}
