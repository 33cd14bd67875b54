//! The experiment: every approach from the same pretrained weights, on the same samples.

use std::ops::ControlFlow;
use std::time::Instant;

use rekindle_distilbert::Pooling;
use rekindle_infer::{InferError, PretrainedModel};
use rekindle_results::{ApproachRecord, Results};
use rekindle_train::TrainingArguments;

use crate::accumulator::RunAccumulator;
use crate::approach::{Approach, Learner};
use crate::approach_results::ApproachResults;
use crate::cautions::cautions;
use crate::error::ExperimentError;
use crate::experiment_store::ExperimentStore;
use crate::findings::findings;
use crate::misclassified::misclassified;
use crate::pairwise::comparisons;
use crate::predictions::predictions;
use crate::progress::Progress;
use crate::records::{data_record, model_record};
use crate::remote_runs::{Engine, compute_runs};
use crate::run_context::RunContext;
use crate::run_spec::RunSpec;
use crate::sampling::Sampling;
use crate::trained_model::TrainedModel;

/// Maximum number of classes: the confusion matrix of each run has a cell for every pair of classes.
const MOST_CLASSES: usize = 1000;

/// What to compare, and how.
#[derive(Clone, Debug)]
pub struct Experiment {
    /// The approaches, in the order of the results.
    pub approaches: Vec<Approach>,
    /// The baselines that every approach is compared with. One that is among the approaches need not be repeated.
    pub baselines: Vec<Approach>,
    /// Maximum number of tokens per text, including `[CLS]` and `[SEP]`.
    pub max_length: usize,
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
    /// The weight of each class in the training loss.
    pub class_weights: ClassWeights,
    /// Whether trained models are kept: those of the first seed at the largest size. With folds, a final model per approach is
    /// trained on all examples.
    pub keep_models: bool,
}

/// The weight of each class in the training loss.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum ClassWeights {
    /// Equal weights.
    #[default]
    Equal,
    /// Inversely proportional to the frequency of the class among the training examples, as scikit-learn's `balanced`.
    Balanced,
    /// One weight per class, in their order.
    Given(Vec<f64>),
}

/// A finished experiment: results and trained models.
#[derive(Debug)]
pub struct Outcome {
    /// The results.
    pub results: Results,
    /// The trained models that are kept, each with the name of its approach. They share frozen weights.
    pub models: Vec<(String, TrainedModel)>,
}

impl Experiment {
    /// Returns the notebook's experiment: its two approaches, 64 tokens, one seed, all examples.
    pub fn notebook() -> Self {
        Self {
            approaches: Approach::notebook(),
            baselines: Approach::baselines(),
            max_length: 64,
            min_steps: 0,
            pooling: None,
            arguments: TrainingArguments::default(),
            seeds: Vec::new(),
            sizes: Vec::new(),
            class_weights: ClassWeights::Equal,
            keep_models: false,
        }
    }

    /// The first seed.
    pub(crate) fn seed(&self) -> u64 {
        self.seeds.first().copied().unwrap_or(self.arguments.seed)
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

    /// Runs every approach from the same weights on every sample, at every size, with every seed; then the baselines.
    ///
    /// `began` is the start of the reported time. Runs that are in the `store` are restored from it; distributing runs over
    /// workers needs one.
    ///
    /// # Errors
    /// Returns an error if the examples do not fit the model, if there are more than 1000 classes, if the weights cannot be
    /// loaded, if training fails or is stopped, if no worker is left, or if the store belongs to another experiment or cannot
    /// be written.
    pub fn run<'a>(
        &self,
        pretrained: &PretrainedModel,
        sampling: &Sampling,
        engine: impl Into<Engine<'a>>,
        began: Instant,
        store: Option<&ExperimentStore>,
        observer: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Outcome, ExperimentError> {
        let Engine { backend, device, workers } = engine.into();
        self.check(pretrained, sampling)?;
        let sizes = self.sizes(sampling)?;
        let specs = self.run_specs(sampling, &sizes)?;
        // The checksum reads all weights: in a thread, while they are loaded.
        let checksum = std::thread::spawn({
            let pretrained = pretrained.clone();
            move || pretrained.sha256()
        });

        let runs = self.runs(sampling, &sizes);
        let mut context = RunContext::new(self, pretrained, sampling, runs, device, store)?;
        let sha256 = checksum.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        if let Some(store) = store {
            store.check_compatible(&self.settings(&context, &sizes, backend, &sha256))?;
        }
        observer(Progress::Loaded { report: &context.report });
        observer(Progress::Planned { runs: specs.len() });
        if let Some(store) = store.filter(|_| !workers.is_empty()) {
            compute_runs(&context, store, &specs, workers, observer)?;
        }
        let (mut records, mut models, mut approaches) = (Vec::new(), Vec::new(), Vec::new());
        let mut runs_predictions = Vec::new();
        let (mut baseline_records, mut baselines) = (Vec::new(), Vec::new());
        for specs in specs.chunk_by(|one, next| one.approach == next.approach) {
            let approach = specs[0].approach(self);
            if specs[0].is_baseline(self) {
                let (record, accumulator) = self.approach(&mut context, approach, specs, &mut |_| ())?;
                observer(Progress::Baseline(&record));
                baseline_records.push(record);
                baselines.push(accumulator.last);
                runs_predictions.extend(accumulator.predictions);
            } else {
                let (record, accumulator) = self.approach(&mut context, approach, specs, observer)?;
                let RunAccumulator { last: results, model, predictions: of_runs, .. } = accumulator;
                observer(Progress::ApproachFinished(&record));
                records.push(record);
                approaches.push(results);
                runs_predictions.extend(of_runs);
                models.extend(model.map(|model| (approach.name.clone(), model)));
            }
        }
        let largest = sizes.last().copied().unwrap_or(0);
        let trained: Vec<&ApproachResults> = approaches.iter().filter(|results| results.undertrained() == 0).collect();
        let comparisons = comparisons(&trained, &baselines, sampling, largest)?;
        let model = model_record(pretrained, sha256);
        let (arguments, design) = (self.arguments_record(&context), self.design_record(sampling, &sizes));
        let mut results = Results::new(model, data_record(&context)?, arguments, design);
        (results.backend, results.seed) = (backend.into(), self.seed());
        results.findings = findings(&comparisons, &approaches, &baselines, sampling);
        results.findings.extend(cautions(&context, results.data.profile.as_ref()));
        results.misclassified = misclassified(&approaches, sampling);
        results.predictions = predictions(sampling, runs_predictions);
        (results.approaches, results.baselines, results.comparisons) = (records, baseline_records, comparisons);
        results.seconds = began.elapsed().as_secs_f64();
        Ok(Outcome { results, models })
    }

    /// Returns an error if the examples do not fit the model.
    fn check(&self, pretrained: &PretrainedModel, sampling: &Sampling) -> Result<(), ExperimentError> {
        let (max_length, positions) = (self.max_length, pretrained.config.max_position_embeddings);
        if max_length > positions {
            return Err(InferError::MaxLength { max_length, positions }.into());
        }
        match sampling.all.classes.len() {
            classes if classes > MOST_CLASSES => Err(ExperimentError::Classes { classes, most: MOST_CLASSES }),
            _ => Ok(()),
        }
    }

    /// Computes or restores all runs of one approach. Returns its record and its runs.
    fn approach(
        &self,
        context: &mut RunContext<'_>,
        approach: &Approach,
        specs: &[RunSpec],
        observer: &mut dyn FnMut(Progress<'_>),
    ) -> Result<(ApproachRecord, RunAccumulator), ExperimentError> {
        let parameters = approach.learner.parameters(context).map_err(|source| approach.failed(source))?;
        let [trainable, total] = parameters;
        let runs = specs.iter().filter(|spec| spec.sample.is_some()).count();
        observer(Progress::Approach { approach, trainable, total, runs });
        let mut accumulator = RunAccumulator::new(approach);
        for specs in specs.chunk_by(|one, next| (one.size, one.sample.is_some()) == (next.size, next.sample.is_some()))
        {
            match specs {
                [spec] if spec.sample.is_none() => {
                    observer(Progress::FinalModel);
                    accumulator.model = context.final_model(spec, &mut |event| {
                        observer(event);
                        ControlFlow::Continue(())
                    })?;
                }
                _ => self.at_size(context, specs, &mut accumulator, observer)?,
            }
        }
        let mut record = accumulator.record(self, approach, parameters, context.sampling)?;
        record.pooling = approach.fine_tuning().map(|settings| match settings.config(context).classifier_pooling {
            Pooling::Mean => "mean".into(),
            _ => "cls".into(),
        });
        let saved = approach.learner.saved_parameters(context);
        record.saved_bytes = Some((size_of::<f32>() * saved) as u64).filter(|_| approach.learner.has_model());
        Ok((record, accumulator))
    }

    /// Computes or restores the runs of an approach at one training size.
    fn at_size(
        &self,
        context: &mut RunContext<'_>,
        specs: &[RunSpec],
        accumulator: &mut RunAccumulator,
        observer: &mut dyn FnMut(Progress<'_>),
    ) -> Result<(), ExperimentError> {
        accumulator.start_size();
        for spec in specs {
            let (record, result, model) = context.run(spec, observer)?;
            accumulator.push(record, result, context.sampling);
            accumulator.model = accumulator.model.take().or(model);
        }
        accumulator.finish_size(context.sampling, specs[0].size, self.seed())
    }
}
