//! The settings of an experiment as records of `results.json`, and as what must be equal when it is resumed.

use rekindle_data::{Dataset, Target, Task, Time};
use rekindle_infer::{LongTexts, ModelSource, PretrainedModel};
use rekindle_metrics::Scorer;
use rekindle_results::{ArgumentsRecord, DataRecord, DesignRecord, MetricRecord, ModelRecord, Source};
use rekindle_tokenizer::Tokenizer;
use rekindle_train::{Shuffle, TrainingArguments};
use serde_json::{Map, Value, json};

use crate::approach::Approach;
use crate::data_profile::data_profile;
use crate::error::ExperimentError;
use crate::experiment::Experiment;
use crate::fingerprint::{examples_sha256, samples_sha256, tokens_sha256};
use crate::run_context::RunContext;
use crate::sampling::Sampling;
use crate::search::Search;
use crate::thresholds::ThresholdRule;

impl Experiment {
    /// Returns the settings that must be equal when the experiment is resumed.
    pub(crate) fn settings(
        &self,
        context: &RunContext<'_>,
        sizes: &[usize],
        backend: &str,
        sha256: &str,
    ) -> Map<String, Value> {
        let specs = |approaches: &[Approach]| approaches.iter().map(|one| one.spec.clone()).collect::<Vec<_>>();
        let rates = |approach: &Approach| {
            let [learning_rate, weight_decay] = approach.learner.rates();
            let head_learning_rate = approach.fine_tuning().and_then(|settings| settings.head_learning_rate);
            json!([learning_rate, head_learning_rate, weight_decay])
        };
        let settings = json!({
            "version": env!("CARGO_PKG_VERSION"),
            "model": sha256,
            "backend": backend,
            "examples": context.sampling.all.len(),
            "texts_and_labels": examples_sha256(&context.sampling.all),
            "tokens": tokens_sha256(&context.examples),
            "samples": samples_sha256(context.sampling),
            "approaches": specs(&self.approaches),
            "baselines": specs(&self.baselines),
            "rates": self.approaches.iter().map(rates).collect::<Vec<_>>(),
            "max_length": self.max_length,
            "min_steps": self.min_steps,
            "pooling": self.pooling,
            "seeds": self.seeds(),
            "sizes": sizes,
            "save_models": self.keep_models,
        });
        let search = |search: &Search| {
            json!({
                "candidates": specs(&search.candidates),
                "candidate_rates": search.candidates.iter().map(rates).collect::<Vec<_>>(),
                "inner_folds": search.inner_folds,
                "halving": search.halving,
                "patience": search.patience,
                "budget": search.budget.to_string(),
                "shuffled": search.is_shuffled,
            })
        };
        let searches: Vec<Value> = self.approaches.iter().filter_map(Approach::search).map(search).collect();
        let long_texts = (self.long_texts != LongTexts::Truncate).then(|| self.long_texts.to_string());
        let symmetric = Some(true).filter(|_| context.sampling.all.symmetric);
        let Dataset { group_column, time_column, .. } = &context.sampling.all;
        let columns = [("group_column", group_column), ("time_column", time_column)];
        let arguments = TrainingArguments {
            class_weights: context.class_weights(&context.sampling.samples[0].train),
            ..self.arguments.clone()
        };
        let further = [
            ("frozen_precision", self.frozen_precision.recorded()),
            ("refit", self.refit.then(|| "true".to_string())),
            ("calibrate", self.calibrate.map(|method| method.name().to_string())),
            ("threshold_rule", self.threshold_rule.map(|rule| rule.to_string())),
            ("calibration_folds", self.inner_folds.map(|folds| folds.to_string())),
        ];
        let fields = |settings: Value| if let Value::Object(settings) = settings { settings } else { Map::new() };
        let mut settings = fields(settings);
        settings.extend(fields(json!(arguments)));
        settings.extend(searches.into_iter().flat_map(fields));
        settings.extend(long_texts.map(|long_texts| ("long_texts".into(), long_texts.into())));
        settings.extend(further.into_iter().filter_map(|(name, value)| Some((name.into(), value?.into()))));
        settings.extend(symmetric.map(|symmetric| ("symmetric".into(), symmetric.into())));
        let near_duplicates = context.sampling.all.near_duplicates;
        settings.extend(near_duplicates.map(|similarity| ("near_duplicates".into(), similarity.into())));
        settings.extend(columns.into_iter().filter_map(|(name, column)| Some((name.into(), column.clone()?.into()))));
        settings
    }

    pub(crate) fn arguments_record(&self, context: &RunContext<'_>) -> ArgumentsRecord {
        let arguments = &self.arguments;
        let mut record = ArgumentsRecord::default();
        record.max_length = self.max_length;
        record.long_texts = (self.long_texts != LongTexts::Truncate).then(|| self.long_texts.to_string());
        record.batch_size = arguments.per_device_train_batch_size;
        record.gradient_accumulation_steps = arguments.gradient_accumulation_steps;
        (record.epochs, record.min_steps) = (arguments.num_train_epochs, self.min_steps);
        record.lr_scheduler_type = arguments.lr_scheduler_type.name().into();
        record.warmup_steps = arguments.warmup_steps;
        record.class_weights = context.class_weights(&context.sampling.samples[0].train);
        record.early_stopping_patience = arguments.early_stopping_patience;
        record.frozen_dropout = arguments.frozen_dropout;
        record.frozen_precision = self.frozen_precision.recorded();
        record.shuffle = (arguments.shuffle == Shuffle::None).then(|| "none".into());
        match self.threshold_rule {
            Some(rule @ ThresholdRule::Cost { .. }) => record.cost = Some(rule.to_string()),
            Some(ThresholdRule::FBeta(beta)) => record.f_beta = Some(beta),
            None => {}
        }
        record.calibration_folds = self.inner_folds;
        record
    }

    pub(crate) fn design_record(&self, sampling: &Sampling, sizes: &[usize]) -> DesignRecord {
        let mut record = DesignRecord::default();
        record.folds = sampling.folds.map(|(folds, _)| folds);
        record.repeats = sampling.folds.map_or(1, |(_, repeats)| repeats);
        (record.seeds, record.sizes) = (self.seeds(), sizes.to_vec());
        record.group_column.clone_from(&sampling.all.group_column);
        record.time_column.clone_from(&sampling.all.time_column);
        record.near_duplicates = sampling.all.near_duplicates;
        record.test_from = sampling.test_from().iter().map(Time::to_string).collect();
        record.validation = sampling.samples[0].validation.len();
        let ranking = self.metric(sampling);
        record.metric = ranking.name().into();
        record.metric_label = label(ranking, sampling).into();
        if sampling.all.task != Task::SingleLabel {
            let metrics = self.metrics(sampling).into_iter();
            record.metrics = metrics.map(|metric| MetricRecord::new(metric.name(), label(metric, sampling))).collect();
        }
        let metric = self.arguments.metric_for_best_model.name();
        record.metric_for_best_model = (record.validation > 0).then(|| metric.into());
        record
    }
}

/// Returns the name of a metric for readers.
pub(crate) fn label(metric: Scorer, sampling: &Sampling) -> &'static str {
    match sampling.all.task.has_classes() {
        true => metric.label(sampling.all.classes.len()),
        false => metric.label_for(sampling.kind()),
    }
}

pub(crate) fn model_record(pretrained: &PretrainedModel, sha256: String) -> ModelRecord {
    let source = match pretrained.source {
        ModelSource::Hub => Source::Hub,
        ModelSource::Folder => Source::Folder,
        ModelSource::Embedded => Source::Embedded,
    };
    ModelRecord::new(pretrained.id.as_str(), source, sha256)
}

/// Returns the record of the data, without the names of its files. Texts of more than `max_length` tokens are counted as truncated.
pub(crate) fn data_record(
    sampling: &Sampling,
    tokenizer: &Tokenizer,
    max_length: usize,
) -> Result<DataRecord, ExperimentError> {
    let mut record = DataRecord::default();
    record.task = sampling.all.task.name().into();
    record.class_counts = vec![0; sampling.all.classes.len()];
    for example in &sampling.all.examples {
        match &example.target {
            Target::Class(class) => record.class_counts[*class] += 1,
            Target::Labels(labels) => {
                let counts = record.class_counts.iter_mut().zip(labels).filter(|(_, has)| **has);
                counts.for_each(|(count, _)| *count += 1);
            }
            Target::Value(_) => {}
        }
    }
    (record.train, record.test) = (sampling.samples[0].train.len(), sampling.samples[0].test.len());
    record.classes = sampling.all.classes.names().to_vec();
    record.sha256 = examples_sha256(&sampling.all);
    record.unit = sampling.all.unit.into();
    record.profile = Some(data_profile(sampling, tokenizer, max_length)?);
    Ok(record)
}
