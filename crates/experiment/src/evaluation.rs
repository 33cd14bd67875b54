//! Trained models on labelled examples: the results of an experiment, without training.

use std::collections::BTreeMap;
use std::time::Instant;

use rekindle_data::{Classes, Dataset, Targets, Task};
use rekindle_encoders::EncoderConfig;
use rekindle_infer::{LinearPrecision, Predictor, PretrainedModel};
use rekindle_metrics::{MetricsError, Scorer, wilson_interval};
use rekindle_results::{AbstentionRecord, ArgumentsRecord, Estimate, ModelRecord, Results, RunRecord, SliceRecord};
use rekindle_train::{Evaluation, TrainError, TrainingArguments, task_of};

use crate::accumulator::{RunAccumulator, scores};
use crate::approach_results::{ApproachResults, LEVEL, RunResult};
use crate::error::ExperimentError;
use crate::experiment::Experiment;
use crate::explained::explain;
use crate::findings::findings;
use crate::misclassified::misclassified;
use crate::pairwise::Comparisons;
use crate::predictions::predictions;
use crate::records::{data_record, model_record};
use crate::run::add_scores;
use crate::sampling::Sampling;

/// Texts that are tokenized and classified together.
const CHUNK: usize = 1024;

/// A trained model that is evaluated. Its name in the results is that of the model, with the precision unless that is f32.
#[derive(Debug)]
pub struct EvaluatedModel {
    /// The files.
    pub pretrained: PretrainedModel,
    /// The loaded weights.
    pub classifier: Predictor,
    /// The score below which the model predicts nothing, as [`Decision::abstain_below`](rekindle_infer::Decision::abstain_below).
    /// The results then also have the fraction of the texts that are predicted, and the fraction of these that are wrong; all
    /// other scores are those of all texts. Needs one class per text.
    pub abstain_below: Option<f32>,
}

impl EvaluatedModel {
    fn name(&self) -> String {
        match self.classifier.precision() {
            LinearPrecision::F32 => self.pretrained.id.clone(),
            precision => format!("{} ({precision})", self.pretrained.id),
        }
    }

    /// Returns a data set without examples, with the task and the classes of the model: [`Dataset::read_like`] reads examples of
    /// them.
    pub fn labels(&self) -> Dataset {
        let task = task_of(&self.classifier.config().problem);
        let classes = match task {
            Task::Regression => Classes::default(),
            _ => Classes::in_order(self.classifier.labels().iter().map(String::as_str)),
        };
        Dataset { task, classes, ..Dataset::default() }
    }

    /// Returns an error if the model has another task or other classes, also in another order.
    fn check_like(&self, first: &Self) -> Result<(), ExperimentError> {
        let [Dataset { task, classes, .. }, expected] = [self, first].map(Self::labels);
        if (task, &classes) == (expected.task, &expected.classes) {
            return Ok(());
        }
        let (model, task, classes) = (self.pretrained.id.clone(), task.name(), classes.to_string());
        let first = format!("{} predicts {}: {}", first.pretrained.id, expected.task.name(), expected.classes);
        Err(ExperimentError::OtherClasses { model, task, classes, first })
    }
}

/// How trained models are evaluated.
#[derive(Clone, Debug)]
pub struct ModelEvaluation {
    /// Maximum number of tokens per text; absent for that of each model.
    pub max_length: Option<usize>,
    /// Texts per batch.
    pub batch_size: usize,
    /// The metric that is compared; absent for the usual one of the task.
    pub metric: Option<Scorer>,
    /// The seed of the bootstrap.
    pub seed: u64,
    /// Whether the most confident errors of the best model are explained by their words. Each needs at least fifty forward and
    /// backward passes; a model in int8 is not explained.
    pub explain: bool,
}

/// The logits of a model on all examples, with a configuration whose thresholds are those of the model.
struct Tested {
    name: String,
    config: EncoderConfig,
    logits: Vec<f32>,
}

impl Tested {
    /// Returns the result on some of the examples.
    fn result(&self, sampling: &Sampling, rows: &[usize]) -> Result<RunResult, ExperimentError> {
        let outputs = self.config.num_labels();
        let logits = rows.iter().flat_map(|&row| self.logits[row * outputs..(row + 1) * outputs].iter().copied());
        RunResult::new(logits.collect(), &sampling.targets(rows), &self.config).map_err(|error| self.failed(error))
    }

    fn failed(&self, source: TrainError) -> ExperimentError {
        ExperimentError::Train { approach: self.name.clone(), source }
    }
}

impl ModelEvaluation {
    /// Tests models of the same classes on examples of [`EvaluatedModel::labels`] of the first. With several models, the results
    /// compare them on the same examples. `observer` is told how many texts of all models are done.
    ///
    /// `slices` names a column and has its value for each example: the results then have the scores of the examples of each value,
    /// the worst first.
    ///
    /// # Errors
    /// Returns an error if the metric is not one of the task, if a text does not fit a model, or if the device fails.
    pub fn run(
        &self,
        models: &[EvaluatedModel],
        data: Dataset,
        slices: Option<(&str, &[String])>,
        began: Instant,
        observer: &mut dyn FnMut(usize),
    ) -> Result<Results, ExperimentError> {
        let Some(first) = models.first() else { return Err(ExperimentError::NoModels) };
        let max_length = self.max_length.unwrap_or(first.classifier.max_length());
        let experiment = Experiment {
            approaches: Vec::new(),
            baselines: Vec::new(),
            max_length,
            metric: self.metric,
            arguments: TrainingArguments { seed: self.seed, ..TrainingArguments::default() },
            ..Experiment::notebook()
        };
        let sampling = Sampling::fixed(data.select(&[]), None, data);
        for model in models {
            experiment.check(&model.pretrained, &sampling)?;
            model.check_like(first)?;
        }
        let (mut approaches, mut tested, mut records, mut runs) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (number, model) in models.iter().enumerate() {
            let started = Instant::now();
            let before = number * sampling.all.len();
            let logits = self.logits(model, &sampling, &mut |done| observer(before + done))?;
            let seconds = started.elapsed().as_secs_f64();
            let (name, config) = (model.name(), model.classifier.config().clone());
            let one = Tested { name, config, logits };
            let mut accumulator = RunAccumulator::new(&one.name, one.name.clone());
            let (record, result) = self.one(&one, &experiment, &sampling, seconds)?;
            accumulator.push(record, result, &sampling);
            accumulator.finish_size(&experiment, &sampling, 0);
            let mut record = accumulator.scored(&experiment, 1, &sampling)?;
            record.total = model.classifier.num_params();
            let abstention = model.abstain_below.map(|least| abstention(&accumulator.last, &sampling, least));
            record.diagnostics.abstention = abstention.transpose()?;
            let precision = Some(model.classifier.precision()).filter(|precision| *precision != LinearPrecision::F32);
            record.precision = precision.map(|precision| precision.to_string());
            records.push(record);
            approaches.push(accumulator.last);
            runs.extend(accumulator.predictions);
            tested.push(one);
        }
        let metric = experiment.metric(&sampling);
        let comparisons = Comparisons { metric, sampling: &sampling, size: 0, seed: self.seed };
        let comparisons = comparisons.of(&approaches.iter().collect::<Vec<_>>(), &[])?;
        let mut arguments = ArgumentsRecord::default();
        (arguments.max_length, arguments.batch_size) = (max_length, self.batch_size);
        let data = data_record(&sampling, &first.pretrained.tokenizer, max_length)?;
        let mut results =
            Results::new(models_record(models), data, arguments, experiment.design_record(&sampling, &[0]));
        results.seed = self.seed;
        if approaches.len() > 1 {
            results.findings = findings(&comparisons, &approaches, &[], &sampling, metric);
        }
        results.misclassified = misclassified(&approaches, &sampling, metric);
        let best = models.iter().position(|model| model.name() == results.misclassified.approach);
        // Explanations need derivatives.
        let in_f32 = |best: &usize| models[*best].classifier.precision() == LinearPrecision::F32;
        if let Some(best) = best.filter(|_| self.explain).filter(in_f32) {
            explain(&mut results.misclassified, best, &models[best].classifier)?;
        }
        results.predictions = predictions(&sampling, runs);
        (results.approaches, results.comparisons) = (records, comparisons);
        if let Some((column, values)) = slices {
            results.slices = slice_records(&tested, &experiment, &sampling, column, values)?;
        }
        results.seconds = began.elapsed().as_secs_f64();
        Ok(results)
    }

    /// Returns the logits of all examples.
    fn logits(
        &self,
        model: &EvaluatedModel,
        sampling: &Sampling,
        observer: &mut dyn FnMut(usize),
    ) -> Result<Vec<f32>, ExperimentError> {
        let rows = &sampling.samples[0].test;
        let max_length = self.max_length.unwrap_or(model.classifier.max_length());
        let (mut logits, mut done) = (Vec::new(), 0);
        for texts in sampling.texts(rows).chunks(CHUNK) {
            logits.extend(model.classifier.pair_logits(texts, max_length, self.batch_size)?);
            done += texts.len();
            observer(done);
        }
        Ok(logits)
    }

    /// Returns the record and the result of one model.
    fn one(
        &self,
        tested: &Tested,
        experiment: &Experiment,
        sampling: &Sampling,
        seconds: f64,
    ) -> Result<(RunRecord, RunResult), ExperimentError> {
        let (config, rows) = (&tested.config, &sampling.samples[0].test);
        let targets = sampling.targets(rows);
        let evaluation = Evaluation::new(tested.logits.clone(), &targets, config.num_labels(), &config.problem);
        let evaluation = evaluation.map_err(|error| tested.failed(error))?;
        let mut record = RunRecord::default();
        (record.seed, record.repeat, record.fold) = (self.seed, 1, 1);
        (record.test, record.eval_seconds) = (rows.len(), seconds);
        record.thresholds.clone_from(&config.problem.thresholds);
        add_scores(&mut record, &evaluation, experiment.metrics(sampling));
        Ok((record, tested.result(sampling, rows)?))
    }
}

/// Returns what a model predicts if it abstains below a score.
fn abstention(results: &ApproachResults, sampling: &Sampling, least: f32) -> Result<AbstentionRecord, ExperimentError> {
    let classes = sampling.outputs().len();
    let (mut all, mut predicted, mut wrong) = (0, 0, 0);
    for run in &results.runs {
        let Targets::Classes(truth) = sampling.targets(&sampling.samples[run.sample].test) else {
            let reason = format!("needs one class per text; the task is {}", sampling.all.task);
            return Err(ExperimentError::Argument { argument: "abstain_below", reason });
        };
        for (row, (&class, &truth)) in run.predictions.classes().iter().zip(&truth).enumerate() {
            let is_predicted = run.scores[row * classes + class] as f32 >= least;
            all += 1;
            predicted += usize::from(is_predicted);
            wrong += usize::from(is_predicted && class != truth);
        }
    }
    let share = |hits: usize, rows: usize| {
        let interval = wilson_interval(hits as f64, rows, LEVEL)?;
        Ok::<_, MetricsError>(Estimate::new(
            interval.estimate,
            Some((interval.low, interval.high)),
            LEVEL,
            rows,
            "Wilson",
        ))
    };
    let error = if predicted > 0 { Some(share(wrong, predicted)?) } else { None };
    Ok(AbstentionRecord::new(least.into(), share(predicted, all)?, error))
}

/// Returns the scores of the examples of each value of a column. The value with the worst score of the first model comes first.
fn slice_records(
    tested: &[Tested],
    experiment: &Experiment,
    sampling: &Sampling,
    column: &str,
    values: &[String],
) -> Result<Vec<SliceRecord>, ExperimentError> {
    let mut slices: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (row, value) in values.iter().enumerate().take(sampling.all.len()) {
        slices.entry(value).or_default().push(row);
    }
    let metric = experiment.metric(sampling);
    let sign = if metric.greater_is_better() { 1.0 } else { -1.0 };
    let mut groups = Vec::new();
    for (value, rows) in slices {
        let part = Sampling::fixed(sampling.all.select(&[]), None, sampling.all.select(&rows));
        let mut records = Vec::new();
        for one in tested {
            let (name, label, runs) = (one.name.clone(), one.name.clone(), vec![one.result(sampling, &rows)?]);
            let scores = scores(&ApproachResults { name, label, runs }, experiment, &part, 0);
            let defined = scores.iter().filter(|(_, estimate)| estimate.mean.is_finite());
            let defined = defined.map(|(name, estimate)| (name, estimate.clone())).collect();
            records.push(SliceRecord::new(column, value, rows.len(), &one.name, defined));
        }
        let score = records.first().and_then(|record| record.scores.get(metric.name())).map(|score| sign * score.mean);
        groups.push((score.unwrap_or(f64::INFINITY), records));
    }
    groups.sort_by(|a, b| a.0.total_cmp(&b.0));
    Ok(groups.into_iter().flat_map(|(_, records)| records).collect())
}

/// Returns the record of all models: their names and checksums in one.
fn models_record(models: &[EvaluatedModel]) -> ModelRecord {
    // A model may be evaluated in two precisions.
    let is_new = |place: usize| models[..place].iter().all(|other| other.pretrained.id != models[place].pretrained.id);
    let records = (0..models.len()).filter(|&place| is_new(place)).map(|place| &models[place].pretrained);
    let records = records.map(|pretrained| model_record(pretrained, pretrained.sha256()));
    let joined = records.reduce(|all, next| {
        let join = |a: String, b: String| format!("{a}, {b}");
        ModelRecord::new(join(all.id, next.id), all.source, join(all.sha256, next.sha256))
    });
    joined.unwrap_or_else(|| ModelRecord::new("", rekindle_results::Source::Folder, ""))
}
