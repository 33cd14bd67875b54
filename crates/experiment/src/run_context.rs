//! What learners get: the model, the examples and the settings of an experiment, on a device.

use std::collections::{BTreeSet, HashMap};
use std::ops::ControlFlow;

use burn::tensor::Device;
use rekindle_checkpoint::LoadReport;
use rekindle_data::Targets;
use rekindle_encoders::{EncoderConfig, Pooling, SequenceClassifier};
use rekindle_infer::{PretrainedModel, encode};
use rekindle_train::{Checkpoints, EncodedDataset, Event, FrozenFeatures, Stop, TrainError, problem_of};

use crate::budget::Spending;
use crate::embeddings::{Embeddings, Request};
use crate::error::ExperimentError;
use crate::experiment_store::ExperimentStore;
use crate::progress::{Observer, Progress};
use crate::run_settings::{ClassWeights, RunSettings};
use crate::run_spec::RunSpec;
use crate::sampling::Sampling;

/// What all runs share on a device.
pub(crate) struct RunContext<'a> {
    pub(crate) settings: RunSettings,
    pub(crate) pretrained: &'a PretrainedModel,
    pub(crate) sampling: &'a Sampling,
    /// Runs per approach.
    pub(crate) runs: usize,
    /// All examples, tokenized.
    pub(crate) examples: EncodedDataset,
    pub(crate) config: EncoderConfig,
    /// The model as it was loaded.
    pub(crate) model: SequenceClassifier,
    pub(crate) report: LoadReport,
    pub(crate) device: &'a Device,
    /// More devices that batches are split over.
    pub(crate) further: &'a [Device],
    /// Finished runs, and the checkpoints of the current one.
    pub(crate) store: Option<&'a ExperimentStore>,
    /// The features of all examples by the frozen encoder, if several runs need them.
    features: HashMap<Pooling, Option<FrozenFeatures>>,
    /// The features of all examples by so many layers below trained ones, if several runs need them: those of one approach, because they
    /// are large.
    hidden_states: Option<(usize, Option<FrozenFeatures>)>,
    /// The embeddings of examples by the frozen encoder, for approaches that do not train it.
    pub(crate) embeddings: Embeddings,
    /// What the searches of the current approach have spent.
    pub(crate) spending: Spending,
}

impl<'a> RunContext<'a> {
    /// Loads the weights and tokenizes all examples.
    pub(crate) fn new(
        settings: RunSettings,
        pretrained: &'a PretrainedModel,
        sampling: &'a Sampling,
        runs: usize,
        device: &'a Device,
        store: Option<&'a ExperimentStore>,
    ) -> Result<Self, ExperimentError> {
        let all = &sampling.all;
        let texts = sampling.texts(&(0..all.len()).collect::<Vec<_>>());
        let (max_length, long_texts) = (settings.max_length, settings.long_texts);
        let encoded = encode(&pretrained.tokenizer, &pretrained.config, &texts, max_length, long_texts)?;
        let examples =
            EncodedDataset::with_targets(vec![Vec::new(); all.len()], all.targets(), sampling.outputs().len())
                .and_then(|examples| examples.with_texts(encoded))
                .map_err(ExperimentError::Examples)?;
        Self::on(device, examples, settings, pretrained, sampling, runs, store)
    }

    /// Loads the weights for examples that are tokenized already.
    pub(crate) fn on(
        device: &'a Device,
        examples: EncodedDataset,
        settings: RunSettings,
        pretrained: &'a PretrainedModel,
        sampling: &'a Sampling,
        runs: usize,
        store: Option<&'a ExperimentStore>,
    ) -> Result<Self, ExperimentError> {
        let problem = problem_of(sampling.all.task);
        let (config, model, report) = pretrained.load_for(&sampling.outputs(), problem, settings.seed, device)?;
        let (further, features) = (&[][..], HashMap::new());
        Ok(Self {
            settings,
            pretrained,
            sampling,
            runs,
            examples,
            config,
            model,
            report,
            device,
            further,
            store,
            features,
            hidden_states: None,
            embeddings: Embeddings::default(),
            spending: Spending::default(),
        })
    }

    /// Returns an error for an option of an approach that is not possible with text pairs, if the examples are pairs.
    pub(crate) fn refuse_pairs(&self, argument: &'static str, reason: &str) -> Result<(), TrainError> {
        match self.sampling.all.has_pairs() {
            true => Err(TrainError::Argument { argument, reason: format!("not possible with text pairs: {reason}") }),
            false => Ok(()),
        }
    }

    /// Checks that no `texts` training examples together have more windows than are trained on at once.
    pub(crate) fn check_windows(&self, texts: usize) -> Result<(), TrainError> {
        let rows: BTreeSet<usize> = self.sampling.samples.iter().flat_map(|sample| &sample.train).copied().collect();
        self.examples.select(&Vec::from_iter(rows)).check_windows(texts)
    }

    /// Where a run keeps its checkpoints.
    pub(crate) fn checkpoints(&self, spec: &RunSpec) -> Option<Checkpoints> {
        self.store.map(|store| store.checkpoints(spec))
    }

    /// Returns the number of runs per approach, with the one of the final model.
    pub(crate) fn searches(&self) -> usize {
        self.runs + usize::from(self.settings.has_final_models)
    }

    /// Returns the request to stop the experiment.
    pub(crate) fn stop(&self) -> Stop {
        self.store.map(ExperimentStore::stop).unwrap_or_default()
    }

    /// Returns the weight of each class in the training loss.
    pub(crate) fn class_weights(&self, train: &[usize]) -> Option<Vec<f64>> {
        match &self.settings.class_weights {
            ClassWeights::Equal => None,
            ClassWeights::Given(weights) => Some(weights.clone()),
            ClassWeights::Balanced => {
                let mut counts = vec![0usize; self.config.num_labels()];
                let targets = self.sampling.targets(train);
                targets.classes().iter().for_each(|&label| counts[label] += 1);
                for row in 0..targets.len() {
                    let labels = targets.labels(row).iter().zip(&mut counts).filter(|(has, _)| **has);
                    labels.for_each(|(_, count)| *count += 1);
                }
                // The weight of a class that does not occur is never used.
                let weight = |count: usize| match targets {
                    Targets::Labels { .. } => (train.len() - count).max(1) as f64 / count.max(1) as f64,
                    _ => train.len() as f64 / counts.len() as f64 / count.max(1) as f64,
                };
                Some(counts.iter().map(|&count| weight(count)).collect())
            }
        }
    }

    /// Computes the embeddings of a request that are not known yet.
    pub(crate) fn embed(&mut self, request: &Request<'_>, observer: &mut Observer<'_>) -> Result<(), TrainError> {
        let stop = self.stop();
        let mut progress = |done, total| {
            let flow = observer(Progress::Training(&Event::Extracting { done, total }));
            if stop.is_requested() { ControlFlow::Break(()) } else { flow }
        };
        let size = self.settings.arguments.per_device_eval_batch_size;
        let (encoder, on) = (self.model.encoder(), (size, self.device));
        self.embeddings.compute(&encoder, &self.config, &self.examples, request, on, &mut progress)
    }

    /// Returns the features of all examples by the frozen layers of a model, if they are computed.
    pub(crate) fn features(&self, frozen: &SequenceClassifier) -> Option<&FrozenFeatures> {
        let layers = frozen.frozen_layers()?;
        match frozen.is_frozen() {
            true => self.features.get(&frozen.pooling())?.as_ref(),
            false => self.hidden_states.as_ref().filter(|(of, _)| *of == layers)?.1.as_ref(),
        }
    }

    /// Computes the features of all examples by the frozen layers of a model once for all runs, if there are several. Hidden states
    /// between layers serve only a training without dropout in frozen layers.
    pub(crate) fn remember_features(
        &mut self,
        frozen: &SequenceClassifier,
        observer: &mut Observer<'_>,
    ) -> Result<(), TrainError> {
        let is_shared = |layers: &usize| *layers > 0 && self.runs > 1;
        let Some(layers) = frozen.frozen_layers().filter(is_shared) else { return Ok(()) };
        let is_done = match frozen.is_frozen() {
            true => self.features.contains_key(&frozen.pooling()),
            false => {
                let is_known = self.hidden_states.as_ref().is_some_and(|(of, _)| *of == layers);
                self.settings.arguments.frozen_dropout || is_known
            }
        };
        if is_done {
            return Ok(());
        }
        let total = self.examples.sequences().len();
        let mut progress = |done| observer(Progress::Training(&Event::Extracting { done, total }));
        let size = self.settings.arguments.per_device_eval_batch_size;
        let features = FrozenFeatures::of(frozen, &self.config, &self.examples, size, self.device, &mut progress)?;
        match frozen.is_frozen() {
            true => drop(self.features.insert(frozen.pooling(), features)),
            false => self.hidden_states = Some((layers, features)),
        }
        Ok(())
    }
}
