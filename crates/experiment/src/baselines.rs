//! The baselines of an experiment.

use std::time::Instant;

use rekindle_baseline::{Baseline, BaselineError, LogisticOptions, Majority, TfidfLogisticRegression};
use rekindle_metrics::{ConfusionMatrix, log_loss};
use rekindle_results::{BaselineRecord, CurvePoint};

use crate::approach_results::{ApproachResults, RunResult, f1};
use crate::error::ExperimentError;
use crate::experiment::Experiment;
use crate::sampling::Sampling;

/// Their names in the results.
const NAMES: [&str; 2] = ["majority", "tfidf_logistic_regression"];

/// Fits and tests each baseline on the samples of the approaches.
pub(crate) fn baselines(
    experiment: &Experiment,
    sampling: &Sampling,
    sizes: &[usize],
) -> Result<Vec<(BaselineRecord, ApproachResults)>, ExperimentError> {
    NAMES.iter().map(|name| baseline(name, experiment, sampling, sizes)).collect()
}

fn baseline(
    name: &str,
    experiment: &Experiment,
    sampling: &Sampling,
    sizes: &[usize],
) -> Result<(BaselineRecord, ApproachResults), ExperimentError> {
    let began = Instant::now();
    let (mut curve, mut last) = (Vec::new(), ApproachResults { name: name.into(), runs: Vec::new() });
    for &size in sizes {
        let mut runs = Vec::new();
        for (index, sample) in sampling.samples.iter().enumerate() {
            let train = sampling.draw(sample, size, experiment.seed() as u32)?;
            let fitted = fit(name, sampling, &train)?;
            runs.push(test(fitted.as_ref(), sampling, index)?);
        }
        last = ApproachResults { name: name.into(), runs };
        curve.push(CurvePoint::new(size, last.scores(sampling, size, experiment.seed())?));
    }
    let scores = match curve.last() {
        Some(point) => point.scores.clone(),
        None => last.scores(sampling, sampling.largest(), experiment.seed())?,
    };
    Ok((BaselineRecord::new(name, scores, curve, began.elapsed().as_secs_f64()), last))
}

/// Without words or with one class, TF-IDF falls back to the majority class.
fn fit(name: &str, sampling: &Sampling, train: &[usize]) -> Result<Box<dyn Baseline>, ExperimentError> {
    let (labels, classes) = (sampling.labels(train), sampling.all.classes.len());
    if name == NAMES[0] {
        return Ok(Box::new(Majority::fit(&labels, classes)?));
    }
    match TfidfLogisticRegression::fit(&sampling.texts(train), &labels, classes, &LogisticOptions::default()) {
        Ok(fitted) => Ok(Box::new(fitted)),
        Err(BaselineError::NoWords | BaselineError::OneClass { .. }) => Ok(Box::new(Majority::fit(&labels, classes)?)),
        Err(error) => Err(error.into()),
    }
}

fn test(fitted: &dyn Baseline, sampling: &Sampling, sample: usize) -> Result<RunResult, ExperimentError> {
    let rows = &sampling.samples[sample].test;
    let (texts, labels, classes) = (sampling.texts(rows), sampling.labels(rows), sampling.all.classes.len());
    let probabilities = fitted.probabilities(&texts);
    let predictions = fitted.predictions(&texts);
    let confusion = ConfusionMatrix::new(&labels, &predictions, classes)?;
    let (f1, loss) = (f1(&confusion), log_loss(&labels, &probabilities, classes)?);
    let (accuracy, f1_undefined) = (confusion.accuracy(), f1.zero_division);
    Ok(RunResult { sample, probabilities, predictions, accuracy, f1: f1.value, f1_undefined, loss })
}
