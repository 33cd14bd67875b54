//! Running an experiment: every approach from the same pretrained weights, on the same samples.

use std::ops::ControlFlow;
use std::time::Instant;

use rekindle_data::Task;
use rekindle_encoders::{ParamInfo, ParamRole, Pooling};
use rekindle_infer::{InferError, PretrainedModel};
use rekindle_results::{ApproachRecord, Results};

use crate::accumulator::RunAccumulator;
use crate::approach::Approach;
use crate::approach_results::ApproachResults;
use crate::budget::Spending;
use crate::cautions::cautions;
use crate::error::ExperimentError;
use crate::experiment::Experiment;
use crate::experiment_store::ExperimentStore;
use crate::findings::findings;
use crate::label_issues::label_issues;
use crate::misclassified::misclassified;
use crate::outcome::Outcome;
use crate::pairwise::Comparisons;
use crate::predictions::predictions;
use crate::progress::Progress;
use crate::records::{data_record, label, model_record};
use crate::remote_runs::{Engine, compute_runs};
use crate::run_context::RunContext;
use crate::run_settings::{ClassWeights, FrozenPrecision};
use crate::run_spec::RunSpec;
use crate::sampling::Sampling;
use crate::search::search_findings;

/// Maximum number of classes: the confusion matrix of each run has a cell for every pair of classes.
const MOST_CLASSES: usize = 1000;

impl Experiment {
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
        let pretrained = &self.as_stored(pretrained)?;
        let sizes = self.sizes(sampling)?;
        let specs = self.run_specs(sampling, &sizes)?;
        // The checksum reads all weights: in a thread, while they are loaded.
        let checksum = std::thread::spawn({
            let pretrained = pretrained.clone();
            move || pretrained.sha256()
        });

        let runs = self.runs(sampling, &sizes);
        let mut context = RunContext::new(self.run_settings(sampling), pretrained, sampling, runs, device, store)?;
        self.check_approaches(&context)?;
        let sha256 = checksum.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        if let Some(store) = store {
            store.check_compatible(&self.settings(&context, &sizes, backend, &sha256))?;
        }
        observer(Progress::Loaded { report: &context.report });
        observer(Progress::Planned { runs: specs.iter().filter(|spec| !self.is_baseline(spec)).count() });
        if let Some(store) = store.filter(|_| !workers.is_empty()) {
            compute_runs(self, &context, store, &specs, workers, observer)?;
        }
        let (mut records, mut models, mut approaches) = (Vec::new(), Vec::new(), Vec::new());
        let mut runs_predictions = Vec::new();
        let (mut baseline_records, mut baselines) = (Vec::new(), Vec::new());
        for specs in specs.chunk_by(|one, next| one.approach == next.approach) {
            let approach = self.approach_of(&specs[0]);
            if self.is_baseline(&specs[0]) {
                let (record, accumulator) = self.run_approach(&mut context, approach, specs, &mut |_| ())?;
                observer(Progress::Baseline(&record));
                baseline_records.push(record);
                baselines.push(accumulator.last);
                runs_predictions.extend(accumulator.predictions);
            } else {
                let (record, accumulator) = self.run_approach(&mut context, approach, specs, observer)?;
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
        let metric = self.metric(sampling);
        let comparisons = Comparisons { metric, sampling, size: largest, seed: self.seed() };
        let comparisons = comparisons.of(&trained, &baselines)?;
        let model = model_record(pretrained, sha256);
        let (arguments, design) = (self.arguments_record(&context), self.design_record(sampling, &sizes));
        let data = data_record(sampling, &pretrained.tokenizer, self.max_length)?;
        let mut results = Results::new(model, data, arguments, design);
        (results.backend, results.seed) = (backend.into(), self.seed());
        results.findings = findings(&comparisons, &approaches, &baselines, sampling, metric);
        for record in &records {
            let label = label(metric, sampling);
            results.findings.extend(search_findings(record, &sizes, metric, label));
        }
        results.findings.extend(cautions(&context, results.data.profile.as_ref()));
        let (issues, finding) = label_issues(&approaches, sampling, metric, self.label_issue_filter);
        results.label_issues = issues;
        results.findings.extend(finding);
        results.misclassified = misclassified(&approaches, sampling, metric);
        results.predictions = predictions(sampling, runs_predictions);
        (results.approaches, results.baselines, results.comparisons) = (records, baseline_records, comparisons);
        results.seconds = began.elapsed().as_secs_f64();
        let mut outcome = Outcome { results, models };
        // A final model has learned from the test examples.
        if !self.is_final(sampling) {
            outcome.explain_errors(pretrained, device)?;
        }
        Ok(outcome)
    }

    /// Returns an error if the examples do not fit the model.
    pub(crate) fn check(&self, pretrained: &PretrainedModel, sampling: &Sampling) -> Result<(), ExperimentError> {
        let (max_length, positions) = (self.max_length, pretrained.config.max_length());
        if max_length > positions {
            return Err(InferError::MaxLength { max_length, positions }.into());
        }
        if !self.approaches.is_empty() {
            pretrained.check_f32("training")?;
        }
        self.metric(sampling).for_target(sampling.kind())?;
        self.arguments.metric_for_best_model.for_target(sampling.kind())?;
        self.check_class_weights(sampling)?;
        self.check_held_out(sampling)?;
        let has_model = self.approaches.iter().any(|approach| approach.learner.has_model());
        if self.frozen_precision != FrozenPrecision::F32 && !has_model {
            return Err(no_frozen_weights("no approach has an encoder"));
        }
        match sampling.all.classes.len() {
            classes if classes > MOST_CLASSES => Err(ExperimentError::Classes { classes, most: MOST_CLASSES }),
            _ => Ok(()),
        }
    }

    /// Returns the model as it is loaded: what no approach trains is stored in `frozen_precision`.
    fn as_stored(&self, pretrained: &PretrainedModel) -> Result<PretrainedModel, ExperimentError> {
        if self.frozen_precision == FrozenPrecision::F32 {
            return Ok(pretrained.clone());
        }
        let config = &pretrained.config;
        let is_trained = |layer: &usize| {
            let weight = ParamInfo { role: ParamRole::Layer(*layer), is_bias: false };
            self.approaches.iter().any(|approach| approach.learner.trains(config, weight))
        };
        let frozen: Vec<usize> = (0..config.num_hidden_layers).filter(|layer| !is_trained(layer)).collect();
        match frozen.is_empty() {
            false => Ok(pretrained.clone().with_bf16_layers(frozen)),
            true => Err(no_frozen_weights(
                "every transformer layer is trained by an approach, so that no weight is frozen in all of them",
            )),
        }
    }

    /// Returns an error if the class weights do not fit the labels, whatever the approach.
    fn check_class_weights(&self, sampling: &Sampling) -> Result<(), ExperimentError> {
        let outputs = sampling.outputs().len();
        let reason = match (&self.class_weights, sampling.all.task) {
            (ClassWeights::Equal, _) => return Ok(()),
            (_, Task::Regression) => "regression has no classes to weigh".into(),
            (ClassWeights::Given(weights), _) if weights.len() != outputs => {
                format!("{} weights for {outputs} classes", weights.len())
            }
            _ => return Ok(()),
        };
        Err(ExperimentError::Argument { argument: "class_weights", reason })
    }

    /// Returns an error if calibration or thresholds do not fit the labels, or an approach has no examples to choose them on.
    fn check_held_out(&self, sampling: &Sampling) -> Result<(), ExperimentError> {
        let refuse = |argument, reason| Err(ExperimentError::Argument { argument, reason });
        let (task, outputs) = (sampling.all.task, sampling.outputs().len());
        if self.calibrate.is_some() && task == Task::Regression {
            return refuse("calibrate", "regression has no probabilities".into());
        }
        if self.threshold_rule.is_some() && task != Task::MultiLabel && (!task.has_classes() || outputs != 2) {
            let found = if task.has_classes() { format!("{outputs} classes") } else { task.name().into() };
            return refuse("threshold_rule", format!("{found}; expected two classes or several labels"));
        }
        let is_asked = self.calibrate.is_some() || self.threshold_rule.is_some();
        if self.inner_folds.is_some() && !is_asked && task != Task::MultiLabel {
            return refuse(
                "calibration_folds",
                "needs a calibration, costs or F-beta, which is chosen on these folds".into(),
            );
        }
        if self.inner_folds == Some(0) || self.inner_folds == Some(1) {
            return refuse("calibration_folds", "expected at least 2".into());
        }
        let has_rows = self.inner_folds.is_some() || !sampling.samples[0].validation.is_empty();
        match self.approaches.iter().find(|approach| is_asked && !has_rows && !approach.is_quick()) {
            None => Ok(()),
            Some(approach) => {
                let reason =
                    format!("{} needs validation examples, or inner folds that train it once more each", approach.spec);
                refuse(if self.calibrate.is_some() { "calibrate" } else { "threshold_rule" }, reason)
            }
        }
    }

    /// Returns an error if an approach does not fit the model, so that no other approach is trained before it fails.
    fn check_approaches(&self, context: &RunContext<'_>) -> Result<(), ExperimentError> {
        let candidates = self.approaches.iter().filter_map(Approach::search).flat_map(|search| &search.candidates);
        let mut without_model = candidates.filter(|candidate| !candidate.learner.has_model());
        if let Some(candidate) = without_model.next().filter(|_| self.keep_models) {
            let reason = format!("the candidate `{}` has no model to save", candidate.spec);
            return Err(ExperimentError::Argument { argument: "save_models", reason });
        }
        let fits = |approach: &Approach| match approach.learner.parameters(context) {
            Ok(_) => Ok(()),
            Err(source) => Err(approach.failed(source)),
        };
        self.approaches.iter().try_for_each(fits)
    }

    /// Computes or restores all runs of one approach. Returns its record and its runs.
    fn run_approach(
        &self,
        context: &mut RunContext<'_>,
        approach: &Approach,
        specs: &[RunSpec],
        observer: &mut dyn FnMut(Progress<'_>),
    ) -> Result<(ApproachRecord, RunAccumulator), ExperimentError> {
        let parameters = approach.learner.parameters(context).map_err(|source| approach.failed(source))?;
        let [trainable, total] = parameters;
        let runs = specs.iter().filter(|spec| spec.sample.is_some()).count();
        observer(Progress::Approach { approach: &approach.name, spec: &approach.spec, trainable, total, runs });
        let mut accumulator = RunAccumulator::new(&approach.name, approach.label());
        context.spending = Spending::default();
        for specs in specs.chunk_by(|one, next| (one.size, one.sample.is_some()) == (next.size, next.sample.is_some()))
        {
            match specs {
                [spec] if spec.sample.is_none() => {
                    observer(Progress::FinalModel);
                    let (run, model) = context.final_model(&*approach.learner, spec, &mut |event| {
                        observer(event);
                        ControlFlow::Continue(())
                    })?;
                    (accumulator.last_run, accumulator.model) = (Some(run), model);
                }
                _ => self.at_size(context, approach, specs, &mut accumulator, observer)?,
            }
        }
        // What is kept of a search is the model of one of its candidates.
        let kept = accumulator.kept(approach);
        let parameters = match kept.name == approach.name {
            true => parameters,
            false => kept.learner.parameters(context).map_err(|source| kept.failed(source))?,
        };
        let mut record = accumulator.record(self, approach, kept, parameters, context.sampling)?;
        record.search = approach.search().map(|search| accumulator.search(search, context));
        record.pooling = kept.fine_tuning().map(|settings| match settings.config(context).classifier_pooling {
            Pooling::Mean => "mean".into(),
            _ => "cls".into(),
        });
        let saved = kept.learner.saved_parameters(context);
        record.saved_bytes = Some((size_of::<f32>() * saved) as u64).filter(|_| kept.learner.has_model());
        Ok((record, accumulator))
    }

    /// Computes or restores the runs of an approach at one training size.
    fn at_size(
        &self,
        context: &mut RunContext<'_>,
        approach: &Approach,
        specs: &[RunSpec],
        accumulator: &mut RunAccumulator,
        observer: &mut dyn FnMut(Progress<'_>),
    ) -> Result<(), ExperimentError> {
        accumulator.start_size();
        for spec in specs {
            let (record, result, model) = context.run(&*approach.learner, spec, observer)?;
            accumulator.push(record, result, context.sampling);
            accumulator.model = accumulator.model.take().or(model);
        }
        accumulator.finish_size(self, context.sampling, specs[0].size);
        Ok(())
    }
}

/// The error of weights that cannot be stored in a lower precision.
fn no_frozen_weights(reason: &str) -> ExperimentError {
    ExperimentError::Argument { argument: "frozen_precision", reason: reason.into() }
}
