//! Baselines as approaches: the majority class, and TF-IDF with logistic regression.

use std::time::Instant;

use rekindle_baseline::{BaselineError, LogisticOptions, Majority, TfidfLogisticRegression};
use rekindle_results::RunRecord;
use rekindle_train::TrainError;

use crate::approach::{Fitted, Learner, Predictor, positive, unknown_option};
use crate::error::ExperimentError;
use crate::progress::Observer;
use crate::run_context::RunContext;
use crate::run_spec::RunSpec;
use crate::trained_model::TrainedModel;

/// The frequencies of the classes, whatever the text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MajorityClass;

impl MajorityClass {
    /// The name in results.
    pub(crate) const NAME: &'static str = "majority";

    pub(crate) fn parse_name(name: &str) -> Option<(String, Box<dyn Learner>)> {
        (name == "majority").then(|| (Self::NAME.into(), Box::new(Self) as Box<dyn Learner>))
    }
}

/// Logistic regression on words weighted by TF-IDF.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TfIdf {
    options: LogisticOptions,
}

impl TfIdf {
    /// The name in results.
    pub(crate) const NAME: &'static str = "tfidf_logistic_regression";

    pub(crate) fn parse_name(name: &str) -> Option<(String, Box<dyn Learner>)> {
        (name == "tfidf").then(|| (Self::NAME.into(), Box::new(Self::default()) as Box<dyn Learner>))
    }
}

impl Learner for MajorityClass {
    fn set(&mut self, _: &str, _: &str) -> Result<(), String> {
        Err("the majority class has no options".into())
    }

    fn is_seeded(&self) -> bool {
        false
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
        fitted(context, spec, |_, labels, classes| Ok(Box::new(Majority::fit(labels, classes)?)))
    }
}

impl Learner for TfIdf {
    fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        match key {
            "C" => self.options.c = positive(value)?,
            _ => return Err(unknown_option(key, "C")),
        }
        Ok(())
    }

    fn is_seeded(&self) -> bool {
        false
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

    /// Without words or with one class, the majority class is predicted.
    fn fit(
        &self,
        context: &mut RunContext<'_>,
        spec: &RunSpec,
        _: &mut Observer<'_>,
    ) -> Result<Fitted, ExperimentError> {
        fitted(context, spec, |texts, labels, classes| {
            match TfidfLogisticRegression::fit(texts, labels, classes, &self.options) {
                Ok(fitted) => Ok(Box::new(fitted)),
                Err(BaselineError::NoWords | BaselineError::OneClass { .. }) => {
                    Ok(Box::new(Majority::fit(labels, classes)?))
                }
                Err(error) => Err(error),
            }
        })
    }
}

type Classifier = Box<dyn rekindle_baseline::Baseline>;

/// Fits a baseline to the training texts of a run.
fn fitted(
    context: &RunContext<'_>,
    spec: &RunSpec,
    fit: impl Fn(&[&str], &[usize], usize) -> Result<Classifier, BaselineError>,
) -> Result<Fitted, ExperimentError> {
    let (began, sampling, train) = (Instant::now(), context.sampling, &spec.rows.train);
    let classifier = fit(&sampling.texts(train), &sampling.labels(train), sampling.all.classes.len())?;
    let mut record = RunRecord::default();
    record.train_seconds = began.elapsed().as_secs_f64();
    Ok(Fitted { predictor: Box::new(FittedBaseline(classifier)), record })
}

struct FittedBaseline(Classifier);

impl Predictor for FittedBaseline {
    /// The logarithms of the probabilities. A probability of 0 counts as the smallest that scikit-learn's `log_loss` knows.
    fn logits(
        &self,
        context: &RunContext<'_>,
        rows: &[usize],
        _: &mut Observer<'_>,
    ) -> Result<Vec<f32>, ExperimentError> {
        let probabilities = self.0.probabilities(&context.sampling.texts(rows));
        Ok(probabilities.into_iter().map(|probability| probability.max(f64::EPSILON).ln() as f32).collect())
    }

    fn into_model(self: Box<Self>) -> Option<TrainedModel> {
        None
    }
}
