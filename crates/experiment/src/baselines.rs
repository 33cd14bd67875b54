//! The floor under every comparison: what needs no pretrained model.

use std::time::Instant;

use rekindle_baseline::{Baseline, BaselineError, LogisticOptions, Majority, TfidfLogisticRegression};
use rekindle_metrics::{ConfusionMatrix, log_loss};

use crate::contender::{Contender, Tested, f1};
use crate::error::ExperimentError;
use crate::results::{BaselineRecord, CurvePoint};
use crate::run::Experiment;
use crate::sampling::Sampling;

/// Each by the name that it has in the results.
const NAMES: [&str; 2] = ["majority", "tfidf_logistic_regression"];

/// Fits and tests the baselines on the same samples as the approaches.
pub(crate) fn baselines(
    experiment: &Experiment,
    sampling: &Sampling,
    sizes: &[usize],
) -> Result<Vec<(BaselineRecord, Contender)>, ExperimentError> {
    NAMES.iter().map(|name| baseline(name, experiment, sampling, sizes)).collect()
}

fn baseline(
    name: &str,
    experiment: &Experiment,
    sampling: &Sampling,
    sizes: &[usize],
) -> Result<(BaselineRecord, Contender), ExperimentError> {
    let began = Instant::now();
    let (mut curve, mut last) = (Vec::new(), Contender { name: name.into(), tests: Vec::new() });
    for &size in sizes {
        let mut tests = Vec::new();
        for (index, sample) in sampling.samples.iter().enumerate() {
            let train = sampling.draw(sample, size, experiment.seed() as u32)?;
            let fitted = fit(name, sampling, &train)?;
            tests.push(test(fitted.as_ref(), sampling, index)?);
        }
        last = Contender { name: name.into(), tests };
        curve.push(CurvePoint { size, scores: last.scores(sampling, size, experiment.seed())? });
    }
    let scores = match curve.last() {
        Some(point) => point.scores.clone(),
        None => last.scores(sampling, sampling.largest(), experiment.seed())?,
    };
    let record = BaselineRecord {
        baseline: name.into(),
        accuracy: scores.accuracy.mean,
        f1: scores.f1.mean,
        loss: scores.loss.mean,
        scores,
        curve,
        seconds: began.elapsed().as_secs_f64(),
    };
    Ok((record, last))
}

/// Texts without words leave nothing to count but classes.
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

fn test(fitted: &dyn Baseline, sampling: &Sampling, sample: usize) -> Result<Tested, ExperimentError> {
    let rows = &sampling.samples[sample].test;
    let (texts, labels, classes) = (sampling.texts(rows), sampling.labels(rows), sampling.all.classes.len());
    let probabilities = fitted.probabilities(&texts);
    let predictions = fitted.predictions(&texts);
    let confusion = ConfusionMatrix::new(&labels, &predictions, classes)?;
    let (f1, loss) = (f1(&confusion), log_loss(&labels, &probabilities, classes)?);
    let (accuracy, f1_undefined) = (confusion.accuracy(), f1.zero_division);
    Ok(Tested { sample, probabilities, predictions, accuracy, f1: f1.value, f1_undefined, loss })
}
