//! Baselines as approaches: the majority class, and TF-IDF with logistic regression.

use std::borrow::Cow;
use std::time::Instant;

use rekindle_baseline::{BaselineError, LogisticOptions, Majority, TfidfLogisticRegression};
use rekindle_results::RunRecord;
use rekindle_train::TrainError;

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
    TfIdf(LogisticOptions),
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

    fn classifier(
        &self,
        texts: &[Cow<'_, str>],
        labels: &[usize],
        classes: usize,
    ) -> Result<Classifier, BaselineError> {
        if let Self::TfIdf(options) = self {
            let texts: Vec<&str> = texts.iter().map(AsRef::as_ref).collect();
            match TfidfLogisticRegression::fit(&texts, labels, classes, options) {
                Ok(fitted) => return Ok(Box::new(fitted)),
                Err(BaselineError::NoWords | BaselineError::OneClass { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Box::new(Majority::fit(labels, classes)?))
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
        let (texts, labels) = (sampling.joined_texts(train), sampling.labels(train));
        let classifier = self.classifier(&texts, &labels, sampling.all.classes.len())?;
        let mut record = RunRecord::default();
        record.train_seconds = began.elapsed().as_secs_f64();
        Ok(Fitted { predictor: Box::new(FittedBaseline(classifier)), record })
    }
}

type Classifier = Box<dyn rekindle_baseline::Baseline>;

struct FittedBaseline(Classifier);

impl Predictor for FittedBaseline {
    /// The logarithms of the probabilities. A probability of 0 counts as the smallest that scikit-learn's `log_loss` knows.
    fn logits(
        &self,
        context: &RunContext<'_>,
        rows: &[usize],
        _: &mut Observer<'_>,
    ) -> Result<Vec<f32>, ExperimentError> {
        let texts = context.sampling.joined_texts(rows);
        let probabilities = self.0.probabilities(&texts.iter().map(AsRef::as_ref).collect::<Vec<_>>());
        Ok(probabilities.into_iter().map(|probability| probability.max(f64::EPSILON).ln() as f32).collect())
    }

    fn into_model(self: Box<Self>) -> Option<TrainedModel> {
        None
    }
}
