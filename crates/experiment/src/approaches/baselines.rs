//! Baselines as approaches: the majority class, and TF-IDF with logistic regression.

use std::time::Instant;

use rekindle_baseline::{
    BaselineError, LabelRates, LogisticOptions, Majority, MeanValue, MultilabelBaseline, RidgeOptions,
    TfidfLogisticRegression, TfidfOneVsRest, TfidfRidge, ValueBaseline,
};
use rekindle_data::Targets;
use rekindle_metrics::LogitScaling;
use rekindle_results::RunRecord;
use rekindle_train::{Stop, TrainError};

use crate::error::ExperimentError;
use crate::learner::{Fitted, Kind, Learner, Predictor, positive, unknown_option};
use crate::progress::Observer;
use crate::run_context::RunContext;
use crate::run_spec::RunSpec;
use crate::trained_model::TrainedModel;

/// A baseline, which knows no pretrained model.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Baseline {
    /// The frequencies of the classes, whatever the text.
    Majority,
    /// Logistic regression on words weighted by TF-IDF. Without words or with one class, the majority class is predicted.
    TfIdf(LogisticOptions<'static>),
}

impl Baseline {
    /// Returns the baselines with the names of the grammar, the names in results, and their default options.
    pub(crate) fn all() -> [(&'static str, &'static str, Self); 2] {
        [
            ("majority", "majority", Self::Majority),
            ("tfidf", "tfidf_logistic_regression", Self::TfIdf(LogisticOptions::default())),
        ]
    }

    pub(crate) const KIND: Kind = Kind {
        names: &["majority", "tfidf"],
        parse: |name| {
            let (_, result, baseline) = Self::all().into_iter().find(|(spec, ..)| *spec == name)?;
            Some((result.into(), Box::new(baseline)))
        },
    };

    /// Fits the baseline to texts and their targets.
    fn fitted(
        &self,
        texts: &[&str],
        targets: &Targets,
        outputs: usize,
        stop: &Stop,
    ) -> Result<FittedBaseline, BaselineError> {
        if let Self::TfIdf(options) = self {
            let options = &LogisticOptions { stop: Some(stop.flag()), ..*options };
            let fitted = match targets {
                Targets::Classes(labels) => TfidfLogisticRegression::fit(texts, labels, outputs, options)
                    .map(|fitted| FittedBaseline::Classes(Box::new(fitted))),
                Targets::Labels { values, labels } => TfidfOneVsRest::fit(texts, values, *labels, options)
                    .map(|fitted| FittedBaseline::Labels(Box::new(fitted))),
                Targets::Values(values) => {
                    let options =
                        RidgeOptions { alpha: 1.0 / options.c, stop: options.stop, ..RidgeOptions::default() };
                    TfidfRidge::fit(texts, values, &options).map(|fitted| FittedBaseline::Values(Box::new(fitted)))
                }
            };
            match fitted {
                Err(BaselineError::NoWords | BaselineError::OneClass { .. }) => {}
                fitted => return fitted,
            }
        }
        Ok(match targets {
            Targets::Classes(labels) => FittedBaseline::Classes(Box::new(Majority::fit(labels, outputs)?)),
            Targets::Labels { values, labels } => FittedBaseline::Labels(Box::new(LabelRates::fit(values, *labels)?)),
            Targets::Values(values) => FittedBaseline::Values(Box::new(MeanValue::fit(values)?)),
        })
    }
}

impl Learner for Baseline {
    fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        match (key, self) {
            ("C", Self::TfIdf(options)) => options.c = positive(value)?,
            (_, Self::TfIdf(_)) => return Err(unknown_option(key, "C")),
            (_, Self::Majority) => return Err("the majority class has no options".into()),
        }
        Ok(())
    }

    fn is_seeded(&self) -> bool {
        false
    }

    fn is_quick(&self) -> bool {
        true
    }

    fn has_model(&self) -> bool {
        false
    }

    fn parameters(&self, _: &RunContext<'_>) -> Result<[usize; 2], TrainError> {
        Ok([0, 0])
    }

    fn cost(&self, _: &RunContext<'_>, _: &RunSpec) -> f64 {
        0.0
    }

    fn fit(
        &self,
        context: &mut RunContext<'_>,
        spec: &RunSpec,
        _: &mut Observer<'_>,
    ) -> Result<Fitted, ExperimentError> {
        let (began, sampling, train) = (Instant::now(), context.sampling, &spec.rows.train);
        let texts = sampling.joined_texts(train);
        let texts: Vec<&str> = texts.iter().map(AsRef::as_ref).collect();
        let predictor = self.fitted(&texts, &sampling.targets(train), sampling.outputs().len(), &context.stop())?;
        let mut record = RunRecord::default();
        record.train_seconds = began.elapsed().as_secs_f64();
        Ok(Fitted { predictor: Box::new(predictor), record })
    }
}

/// A fitted baseline, by the kind of target.
enum FittedBaseline {
    Classes(Box<dyn rekindle_baseline::Baseline>),
    Labels(Box<dyn MultilabelBaseline>),
    Values(Box<dyn ValueBaseline>),
}

impl Predictor for FittedBaseline {
    /// The logarithms of the probabilities of classes, those of the odds of labels, or the numbers. A probability of 0 counts as
    /// the smallest that scikit-learn's `log_loss` knows.
    fn logits(
        &self,
        context: &RunContext<'_>,
        rows: &[usize],
        _: &mut Observer<'_>,
    ) -> Result<Vec<f32>, ExperimentError> {
        let texts = context.sampling.joined_texts(rows);
        let texts: Vec<&str> = texts.iter().map(AsRef::as_ref).collect();
        let log = |probability: f64| probability.max(f64::EPSILON).ln();
        Ok(match self {
            Self::Classes(fitted) => fitted.probabilities(&texts).into_iter().map(|p| log(p) as f32).collect(),
            Self::Labels(fitted) => {
                fitted.probabilities(&texts).into_iter().map(|p| (log(p) - log(1.0 - p)) as f32).collect()
            }
            Self::Values(fitted) => fitted.predictions(&texts).into_iter().map(|value| value as f32).collect(),
        })
    }

    fn into_model(self: Box<Self>, _: Option<&LogitScaling>) -> Result<Option<TrainedModel>, ExperimentError> {
        Ok(None)
    }
}
