//! The experiment: every approach from the same start, on the same samples.

use std::sync::Arc;
use std::time::Instant;

use rekindle_checkpoint::LoadReport;
use rekindle_distilbert::{DistilBertConfig, DistilBertForSequenceClassification};
use rekindle_train::{Event, Metric, Plan, TrainingArguments};
use serde_json::{Map, Value, json};

use crate::approach::Approach;
use crate::baselines::baselines;
use crate::contender::{Contender, Tested};
use crate::error::ExperimentError;
use crate::findings::findings;
use crate::hosts::{Engine, HostNews, make_runs};
use crate::job::Job;
use crate::journal::Journal;
use crate::misread::misread;
use crate::model::{PretrainedModel, samples_sha256, sentences_sha256, sha256, tokens_sha256};
use crate::pairwise::comparisons;
use crate::quality::quality;
use crate::results::{
    ApproachRecord, ArgumentsRecord, BaselineRecord, CurvePoint, DataRecord, DesignRecord, ModelRecord, Provenance,
    Results, RunRecord,
};
use crate::sampling::Sampling;
use crate::trial::{Bench, Draw, Trial};

/// The most classes of an experiment: each run's counts have a cell for every pair of them.
const MOST_CLASSES: usize = 1000;

/// What to compare, and how.
#[derive(Clone, Debug)]
pub struct Experiment {
    /// The approaches, in the order of the results.
    pub approaches: Vec<Approach>,
    /// Tokens a sentence at most, `[CLS]` and `[SEP]` among them.
    pub max_length: usize,
    /// What all approaches share; their own rates stand in [`Approach`], and seeds in `seeds`.
    pub arguments: TrainingArguments,
    /// Seeds of head, shuffling and dropout: every approach is tried with each on every sample. Empty, the arguments'
    /// own.
    pub seeds: Vec<u64>,
    /// Training sizes to try, `None` for all sentences there are; empty, all alone.
    pub sizes: Vec<Option<usize>>,
    /// What each class weighs in the training loss.
    pub class_weights: ClassWeights,
    /// Whether trained models are kept: of the first seed at the largest size. With folds they are trained once more, on
    /// all sentences.
    pub keep_models: bool,
}

/// What each class weighs in the training loss.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum ClassWeights {
    /// All the same.
    #[default]
    Alike,
    /// In inverse proportion to how often it occurs among the training sentences, as scikit-learn's `balanced`.
    Balanced,
    /// A weight for each class, in their order.
    Given(Vec<f64>),
}

/// Something that happened, for whoever shows it.
#[derive(Clone, Copy, Debug)]
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
        /// Runs that it takes.
        runs: usize,
    },
    /// A run begins.
    Run {
        /// Seed, repeat and fold.
        key: RunKey,
    },
    /// The base of the current run reads the training sentences.
    Pretraining(&'a Event),
    /// Something happened within the current run.
    Training(&'a Event),
    /// A run is tested.
    Tested(&'a RunRecord),
    /// A run was done before the experiment was broken off.
    Restored(&'a RunRecord),
    /// The runs that are not done are spread over hosts.
    Spread {
        /// The hosts' names.
        hosts: &'a [String],
        /// Runs that an earlier experiment did.
        done: usize,
        /// All runs.
        runs: usize,
    },
    /// Of an experiment that is spread over hosts, a host has something to tell. Its runs are told of once more when all
    /// are done, as restored.
    Host {
        /// The host.
        name: &'a str,
        /// What it does.
        news: HostNews<'a>,
    },
    /// With folds: the model to be kept is trained, on all sentences.
    Final,
    /// An approach is done.
    Done(&'a ApproachRecord),
    /// A baseline is done.
    Baseline(&'a BaselineRecord),
}

/// Which run of an approach.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunKey {
    /// Seed of head, shuffling and dropout.
    pub seed: u64,
    /// From 1: which dealing into folds.
    pub repeat: usize,
    /// From 1: which fold is tested on.
    pub fold: usize,
    /// Training sentences.
    pub size: usize,
}

/// A finished experiment: its numbers and its trained models.
#[derive(Debug)]
pub struct Outcome {
    /// The numbers.
    pub results: Results,
    /// The trained models, in the order of the approaches, where they were to be kept; frozen weights are shared.
    pub models: Vec<(DistilBertConfig, DistilBertForSequenceClassification)>,
}

impl Experiment {
    /// Both of the notebook's approaches under its settings: 64 tokens, one seed, all sentences.
    pub fn notebook() -> Self {
        Self {
            approaches: Approach::notebook(),
            max_length: 64,
            arguments: TrainingArguments::default(),
            seeds: Vec::new(),
            sizes: Vec::new(),
            class_weights: ClassWeights::Alike,
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

    /// The training sizes, ascending.
    fn sizes(&self, sampling: &Sampling) -> Result<Vec<usize>, ExperimentError> {
        let largest = sampling.largest();
        let all = [None];
        let asked = if self.sizes.is_empty() { &all[..] } else { &self.sizes };
        let mut sizes: Vec<usize> = asked.iter().map(|size| size.unwrap_or(largest)).collect();
        if let Some(&size) = sizes.iter().find(|&&size| size > largest) {
            return Err(ExperimentError::Size { size, largest });
        }
        sizes.sort_unstable();
        sizes.dedup();
        Ok(sizes)
    }

    /// Runs that each approach takes.
    pub(crate) fn runs(&self, sampling: &Sampling) -> usize {
        sampling.samples.len() * self.seeds().len() * self.sizes.len().max(1)
    }

    /// Tries every approach from the same weights on every sample, at every size, with every seed, and the baselines
    /// beside them.
    ///
    /// `began` is the start of the time that is reported. What a `journal` tells of is not done again; runs are spread over
    /// hosts by way of one.
    ///
    /// # Errors
    /// When the sentences do not fit the model, there are more than a thousand classes, the weights cannot be
    /// read, training stops, all hosts are gone, or the journal is of another experiment or cannot be written.
    pub fn run<'a>(
        &self,
        pretrained: &PretrainedModel,
        sampling: &Sampling,
        engine: impl Into<Engine<'a>>,
        began: Instant,
        journal: Option<&Journal>,
        observer: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Outcome, ExperimentError> {
        let Engine { backend, device, hosts } = engine.into();
        self.check(pretrained, sampling)?;
        let sizes = self.sizes(sampling)?;
        // The checksum reads the whole file: beside the loading, not before it.
        let checkpoint = Arc::clone(&pretrained.checkpoint);
        let checksum = std::thread::spawn(move || sha256(&checkpoint));

        let mut bench = Bench::new(self, pretrained, sampling, device, journal)?;
        let sha256 = checksum.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        if let Some(journal) = journal {
            journal.check_compatible(&self.settings(&bench, &sizes, backend, &sha256))?;
        }
        observer(Progress::Loaded { report: &bench.report });
        let jobs = self.jobs(sampling, &sizes);
        if let Some(journal) = journal.filter(|_| !hosts.is_empty()) {
            make_runs(&bench, journal, &jobs, hosts, observer)?;
        }
        let (mut records, mut models, mut contenders) = (Vec::new(), Vec::new(), Vec::new());
        for jobs in jobs.chunk_by(|one, next| one.approach == next.approach) {
            let approach = jobs[0].approach(self);
            let (record, contender, model) = self.approach(&mut bench, approach, jobs, observer)?;
            observer(Progress::Done(&record));
            records.push(record);
            contenders.push(contender);
            models.extend(model.map(|model| (bench.config(approach), model.merged())));
        }
        let (baseline_records, floor): (Vec<_>, Vec<_>) = baselines(self, sampling, &sizes)?.into_iter().unzip();
        baseline_records.iter().for_each(|record| observer(Progress::Baseline(record)));
        let largest = sizes.last().copied().unwrap_or(0);
        let comparisons = comparisons(&contenders, &floor, sampling, largest)?;
        let results = Results {
            model: ModelRecord { id: pretrained.id.clone(), source: pretrained.source, sha256 },
            backend: backend.into(),
            seed: self.seed(),
            data: data_record(sampling),
            arguments: self.arguments_record(&bench),
            design: self.design_record(sampling, &sizes),
            provenance: Provenance::default(),
            findings: findings(&comparisons, &contenders, &floor, sampling),
            approaches: records,
            baselines: baseline_records,
            comparisons,
            misread: misread(&contenders, sampling),
            seconds: began.elapsed().as_secs_f64(),
            peak_memory: None,
        };
        Ok(Outcome { results, models })
    }

    /// Whether model and sentences are such that an experiment can be made of them.
    fn check(&self, pretrained: &PretrainedModel, sampling: &Sampling) -> Result<(), ExperimentError> {
        let (max_length, positions) = (self.max_length, pretrained.config.max_position_embeddings);
        if max_length > positions {
            return Err(ExperimentError::MaxLength { max_length, positions });
        }
        match sampling.all.classes.len() {
            classes if classes > MOST_CLASSES => Err(ExperimentError::Classes { classes, most: MOST_CLASSES }),
            _ => Ok(()),
        }
    }

    /// All runs of one approach: its record, its tests at the largest size, and the model to keep.
    fn approach(
        &self,
        bench: &mut Bench<'_>,
        approach: &Approach,
        jobs: &[Job],
        observer: &mut dyn FnMut(Progress<'_>),
    ) -> Result<(ApproachRecord, Contender, Option<DistilBertForSequenceClassification>), ExperimentError> {
        let (plan, trainable, total) = bench.plan(approach)?;
        observer(Progress::Approach { approach, trainable, total, runs: self.runs(bench.sampling) });
        let mut series = Series::new(&approach.name);
        for jobs in jobs.chunk_by(|one, next| (one.size, one.sample.is_some()) == (next.size, next.sample.is_some())) {
            match jobs {
                [last] if last.sample.is_none() => {
                    observer(Progress::Final);
                    series.kept = Some(self.last_run(bench, &plan, last, observer)?);
                }
                _ => self.at_size(bench, &plan, jobs, &mut series, observer)?,
            }
        }
        let record = self.record(approach, [trainable, total], &series, bench.sampling)?;
        Ok((record, series.last, series.kept))
    }

    /// The runs of an approach at one training size: a point of its curve.
    fn at_size(
        &self,
        bench: &mut Bench<'_>,
        plan: &Plan,
        jobs: &[Job],
        series: &mut Series,
        observer: &mut dyn FnMut(Progress<'_>),
    ) -> Result<(), ExperimentError> {
        let (sampling, size) = (bench.sampling, jobs[0].size);
        series.begin();
        for job in jobs {
            let (sample, train) = job.rows(self, sampling)?;
            let draw = Draw { sample: &sample, train: &train, seed: job.seed, number: job.number };
            let Trial { record, evaluation, model } =
                bench.trial(job.approach(self), plan, draw, job.keeps, observer)?;
            series.last.tests.push(Tested {
                sample: job.sample.unwrap_or_default(),
                probabilities: evaluation.probabilities(),
                f1_undefined: evaluation.f1().zero_division,
                predictions: evaluation.predictions,
                accuracy: record.accuracy,
                f1: record.f1,
                loss: record.loss,
            });
            series.runs.push(record);
            series.kept = series.kept.take().or(model);
        }
        let scores = series.last.scores(sampling, size, self.seed())?;
        series.curve.push(CurvePoint { size, scores });
        Ok(())
    }

    fn record(
        &self,
        approach: &Approach,
        [trainable, total]: [usize; 2],
        series: &Series,
        sampling: &Sampling,
    ) -> Result<ApproachRecord, ExperimentError> {
        let Series { runs, curve, last, first, .. } = series;
        let scores = match curve.last() {
            Some(point) => point.scores.clone(),
            None => last.scores(sampling, sampling.largest(), self.seed())?,
        };
        Ok(ApproachRecord {
            approach: approach.name.clone(),
            spec: approach.spec.clone(),
            learning_rate: approach.learning_rate,
            weight_decay: approach.weight_decay,
            trainable,
            total,
            accuracy: scores.accuracy.mean,
            f1: scores.f1.mean,
            f1_undefined: last.tests.iter().any(|test| test.f1_undefined),
            loss: scores.loss.mean,
            scores,
            steps: runs.get(*first).map(|run| run.steps.clone()).unwrap_or_default(),
            epochs: runs.get(*first).map(|run| run.epochs.clone()).unwrap_or_default(),
            predictions: predictions(last, sampling, self.seeds().len()),
            curve: curve.clone(),
            quality: quality(last, sampling)?,
            train_seconds: runs.iter().map(|run| run.train_seconds).sum(),
            eval_seconds: runs.iter().map(|run| run.eval_seconds).sum(),
            runs: runs.clone(),
        })
    }

    /// The model that folds lead to.
    fn last_run(
        &self,
        bench: &mut Bench<'_>,
        plan: &Plan,
        job: &Job,
        observer: &mut dyn FnMut(Progress<'_>),
    ) -> Result<DistilBertForSequenceClassification, ExperimentError> {
        let (approach, (sample, train)) = (job.approach(self), job.rows(self, bench.sampling)?);
        let draw = Draw { sample: &sample, train: &train, seed: job.seed, number: job.number };
        match bench.kept_model(approach)? {
            Some(model) => Ok(model),
            None => {
                let trained = bench.train(approach, plan, draw, observer)?;
                bench.keep_model(approach, trained.model)
            }
        }
    }

    /// What must be the same when the experiment goes on after a break.
    fn settings(&self, bench: &Bench<'_>, sizes: &[usize], backend: &str, sha256: &str) -> Map<String, Value> {
        let approach = |approach: &Approach| {
            let Approach { spec, learning_rate, weight_decay, .. } = approach;
            json!([spec, learning_rate, weight_decay])
        };
        let settings = json!({
            "version": env!("CARGO_PKG_VERSION"),
            "model": sha256,
            "backend": backend,
            "data": bench.sampling.all.len(),
            "sentences": sentences_sha256(&bench.sampling.all),
            "tokens": tokens_sha256(&bench.sentences),
            "samples": samples_sha256(bench.sampling),
            "approaches": self.approaches.iter().map(approach).collect::<Vec<_>>(),
            "max_length": self.max_length,
            "arguments": self.arguments,
            "class_weights": bench.class_weights(&bench.sampling.samples[0].train),
            "seeds": self.seeds(),
            "sizes": sizes,
            "keep_models": self.keep_models,
        });
        if let Value::Object(settings) = settings { settings } else { Map::new() }
    }

    fn arguments_record(&self, bench: &Bench<'_>) -> ArgumentsRecord {
        let arguments = &self.arguments;
        ArgumentsRecord {
            max_length: self.max_length,
            batch_size: arguments.per_device_train_batch_size,
            gradient_accumulation_steps: arguments.gradient_accumulation_steps,
            epochs: arguments.num_train_epochs,
            lr_scheduler_type: arguments.lr_scheduler_type.name().into(),
            warmup_steps: arguments.warmup_steps,
            class_weights: bench.class_weights(&bench.sampling.samples[0].train),
            early_stopping_patience: arguments.early_stopping_patience,
            frozen_dropout: arguments.frozen_dropout,
        }
    }

    fn design_record(&self, sampling: &Sampling, sizes: &[usize]) -> DesignRecord {
        let validation = sampling.samples[0].validation.len();
        let metric = match self.arguments.metric_for_best_model {
            Metric::Accuracy => "accuracy",
            Metric::F1 => "f1",
            _ => "loss",
        };
        DesignRecord {
            folds: sampling.folds.map(|(folds, _)| folds),
            repeats: sampling.folds.map_or(1, |(_, repeats)| repeats),
            seeds: self.seeds(),
            sizes: sizes.to_vec(),
            validation,
            metric_for_best_model: (validation > 0).then(|| metric.into()),
        }
    }
}

/// The runs of an approach so far.
struct Series {
    runs: Vec<RunRecord>,
    curve: Vec<CurvePoint>,
    /// The tests at the last size, and which of the runs is the first of that size.
    last: Contender,
    first: usize,
    /// The model to keep.
    kept: Option<DistilBertForSequenceClassification>,
}

impl Series {
    fn new(name: &str) -> Self {
        let last = Contender { name: name.into(), tests: Vec::new() };
        Self { runs: Vec::new(), curve: Vec::new(), last, first: 0, kept: None }
    }

    /// Begins another size.
    fn begin(&mut self) {
        self.first = self.runs.len();
        self.last.tests.clear();
    }
}

fn data_record(sampling: &Sampling) -> DataRecord {
    let mut class_counts = vec![0; sampling.all.classes.len()];
    sampling.all.examples.iter().for_each(|example| class_counts[example.label] += 1);
    DataRecord {
        train: sampling.samples[0].train.len(),
        test: sampling.samples[0].test.len(),
        classes: sampling.all.classes.names().to_vec(),
        files: Vec::new(),
        class_counts,
        sha256: sentences_sha256(&sampling.all),
    }
}

/// Of every test sentence, by the first seed; with folds, of every sentence, by the first repeat.
fn predictions(contender: &Contender, sampling: &Sampling, seeds: usize) -> Vec<usize> {
    let first = contender.tests.iter().step_by(seeds).filter(|test| sampling.samples[test.sample].repeat == 1);
    let mut by_row: Vec<(usize, usize)> = first
        .flat_map(|test| sampling.samples[test.sample].test.iter().copied().zip(test.predictions.iter().copied()))
        .collect();
    by_row.sort_unstable();
    by_row.into_iter().map(|(_, prediction)| prediction).collect()
}
