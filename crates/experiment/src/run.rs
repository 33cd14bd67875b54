//! The experiment: every approach from the same start, on the same data.

use std::sync::Arc;
use std::time::Instant;

use burn::tensor::Device;
use rekindle_data::Dataset;
use rekindle_distilbert::{DistilBertConfig, DistilBertForSequenceClassification, LoadReport};
use rekindle_train::{EncodedDataset, Event, TrainingArguments, train};

use crate::approach::Approach;
use crate::error::ExperimentError;
use crate::model::{PretrainedModel, sha256};
use crate::results::*;

/// What to compare, and how.
#[derive(Clone, Debug)]
pub struct Experiment {
    /// The approaches, in the order of the results.
    pub approaches: Vec<Approach>,
    /// Tokens a sentence at most, `[CLS]` and `[SEP]` among them.
    pub max_length: usize,
    /// What all approaches share; their own rates stand in [`Approach`].
    pub arguments: TrainingArguments,
}

/// Something that happened, for whoever shows it.
#[non_exhaustive]
pub enum Progress<'a> {
    /// The weights are read.
    Loaded {
        /// What did not match.
        report: &'a LoadReport,
    },
    /// An approach begins.
    Approach {
        /// The approach.
        approach: &'a Approach,
        /// Trained parameters.
        trainable: usize,
        /// All parameters.
        total: usize,
    },
    /// Something happened within the current approach.
    Training(&'a Event),
    /// An approach is done.
    Done(&'a ApproachRecord),
}

/// A finished experiment: its numbers and its trained models.
pub struct Outcome {
    /// The numbers.
    pub results: Results,
    /// The configuration of every model, with the classes of the data.
    pub config: DistilBertConfig,
    /// The models, in the order of the approaches; their frozen weights are shared.
    pub models: Vec<DistilBertForSequenceClassification>,
}

impl Experiment {
    /// Trains and evaluates every approach from the same weights, head included.
    ///
    /// `backend` is recorded as it is given; `began` is the start of the time that is reported.
    ///
    /// # Errors
    /// When the sentences do not fit the model, the weights cannot be read, or training stops.
    pub fn run(
        &self,
        pretrained: &PretrainedModel,
        train_data: &Dataset,
        test_data: &Dataset,
        (backend, device): (&str, &Device),
        began: Instant,
        observer: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Outcome, ExperimentError> {
        let positions = pretrained.config.max_position_embeddings;
        if self.max_length > positions {
            return Err(ExperimentError::MaxLength { max_length: self.max_length, positions });
        }
        // The checksum reads the whole file: beside the work, not before it.
        let checkpoint = Arc::clone(&pretrained.checkpoint);
        let checksum = std::thread::spawn(move || sha256(&checkpoint));

        let classes = train_data.classes.names();
        let [train_set, test_set] = [train_data, test_data].map(|data| self.encode(pretrained, data));
        let (train_set, test_set) = (train_set?, test_set?);
        let seed = self.arguments.seed;
        let (config, model, report) = pretrained.load(classes, seed, device)?;
        observer(Progress::Loaded { report: &report });

        let mut bench = Bench { experiment: self, config: &config, model: &model, train_set, test_set, device };
        let mut approaches = Vec::new();
        let mut models = Vec::new();
        for approach in &self.approaches {
            let (record, model) = bench.approach(approach, observer)?;
            observer(Progress::Done(&record));
            approaches.push(record);
            models.push(model);
        }
        let sha256 = checksum.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let results = Results {
            model: ModelRecord { id: pretrained.id.clone(), source: pretrained.source, sha256 },
            backend: backend.into(),
            seed,
            data: DataRecord { train: train_data.len(), test: test_data.len(), classes: classes.to_vec(), files: Vec::new(), class_counts: Vec::new() },
            design: DesignRecord { folds: None, repeats: 1, seeds: vec![seed], sizes: Vec::new(), validation: 0, metric_for_best_model: None },
            provenance: Provenance::default(), findings: Vec::new(), baselines: Vec::new(), comparisons: Vec::new(), misread: MisreadRecord::default(), peak_memory: None,
            arguments: ArgumentsRecord {
                max_length: self.max_length,
                batch_size: self.arguments.per_device_train_batch_size,
                epochs: self.arguments.num_train_epochs,
                frozen_dropout: self.arguments.frozen_dropout,
                gradient_accumulation_steps: 1, lr_scheduler_type: "linear".into(), warmup_steps: 0.0, class_weights: None, early_stopping_patience: None,
            },
            approaches,
            seconds: began.elapsed().as_secs_f64(),
        };
        Ok(Outcome { results, config, models })
    }

    fn encode(&self, pretrained: &PretrainedModel, data: &Dataset) -> Result<EncodedDataset, ExperimentError> {
        let texts: Vec<&str> = data.examples.iter().map(|example| example.text.as_str()).collect();
        let sentences = pretrained.tokenizer.encode_all(&texts, self.max_length)?;
        EncodedDataset::new(sentences, data.labels(), data.classes.len())
            .map_err(|source| ExperimentError::Train { approach: "data".into(), source })
    }
}

/// What every approach is tried on.
struct Bench<'a> {
    experiment: &'a Experiment,
    config: &'a DistilBertConfig,
    model: &'a DistilBertForSequenceClassification,
    train_set: EncodedDataset,
    test_set: EncodedDataset,
    device: &'a Device,
}

impl Bench<'_> {
    fn approach(
        &mut self,
        approach: &Approach,
        observer: &mut dyn FnMut(Progress<'_>),
    ) -> Result<(ApproachRecord, DistilBertForSequenceClassification), ExperimentError> {
        let model = approach.trainable.apply(self.model, self.config);
        let (mut trainable, mut total) = (0, 0);
        for parameter in model.parameters() {
            total += parameter.size;
            trainable += if parameter.trainable { parameter.size } else { 0 };
        }
        observer(Progress::Approach { approach, trainable, total });
        let trained = train(
            model,
            self.config,
            &self.train_set,
            &self.test_set,
            &approach.arguments(&self.experiment.arguments),
            self.device,
            &mut |event| observer(Progress::Training(event)),
        )
        .map_err(|source| ExperimentError::Train { approach: approach.name.clone(), source })?;
        let f1 = trained.evaluation.f1();
        let record = ApproachRecord {
            approach: approach.name.clone(),
            spec: approach.name.clone(),
            scores: Scores { accuracy: none(), f1: none(), loss: none() },
            curve: Vec::new(), runs: Vec::new(), quality: Quality { confusion: Vec::new(), roc: Vec::new(), calibration: Vec::new(), ece: 0.0, brier: 0.0 },
            trainable,
            total,
            accuracy: trained.evaluation.accuracy(),
            f1: f1.value,
            f1_undefined: f1.zero_division,
            loss: trained.evaluation.loss,
            steps: trained.steps,
            epochs: trained.epochs,
            predictions: trained.evaluation.predictions,
            train_seconds: trained.train_time.as_secs_f64(),
            eval_seconds: trained.eval_time.as_secs_f64(),
        };
        Ok((record, trained.model))
    }
}

fn none() -> Estimate { Estimate { mean: 0.0, interval: None, level: 0.95, n: 0, method: String::new() } }
