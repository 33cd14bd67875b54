//! How good predicted classes and probabilities are: confusion, ROC and calibration over all tests.

use rekindle_metrics::{
    ConfusionMatrix, brier_score, expected_calibration_error, reliability_bins, roc_auc, roc_curve,
};

use crate::contender::Contender;
use crate::error::ExperimentError;
use crate::results::{CalibrationBin, Quality, RocRecord};
use crate::sampling::Sampling;

/// Bins of the calibration diagram.
const BINS: usize = 10;
/// Points that a ROC curve keeps: more cannot be seen.
const POINTS: usize = 200;

pub(crate) fn quality(contender: &Contender, sampling: &Sampling) -> Result<Quality, ExperimentError> {
    let classes = sampling.all.classes.len();
    let tests = &contender.tests;
    let truth: Vec<usize> =
        tests.iter().flat_map(|test| sampling.labels(&sampling.samples[test.sample].test)).collect();
    let predictions: Vec<usize> = tests.iter().flat_map(|test| test.predictions.iter().copied()).collect();
    let probabilities: Vec<f64> = tests.iter().flat_map(|test| test.probabilities.iter().copied()).collect();
    let confusion = ConfusionMatrix::new(&truth, &predictions, classes)?;
    let row = |truth| (0..classes).map(|predicted| confusion.get(truth, predicted)).collect();
    let positives = if classes == 2 { 1..2 } else { 0..classes };
    let bins = reliability_bins(&truth, &probabilities, classes, BINS)?;
    Ok(Quality {
        confusion: (0..classes).map(row).collect(),
        roc: positives.filter_map(|class| roc(class, &truth, &probabilities, classes)).collect(),
        ece: expected_calibration_error(&truth, &probabilities, classes, BINS)?,
        brier: brier_score(&truth, &probabilities, classes)?,
        calibration: bins
            .into_iter()
            .filter(|bin| bin.count > 0)
            .map(|bin| CalibrationBin {
                range: (bin.low, bin.high),
                count: bin.count as u64,
                confidence: bin.confidence,
                accuracy: bin.accuracy,
            })
            .collect(),
    })
}

/// The curve of a class against all others; `None` where it never or always occurs.
fn roc(class: usize, truth: &[usize], probabilities: &[f64], classes: usize) -> Option<RocRecord> {
    let positive: Vec<bool> = truth.iter().map(|&label| label == class).collect();
    let scores: Vec<f64> = probabilities.chunks(classes).map(|row| row[class]).collect();
    let auc = roc_auc(&positive, &scores).ok()?;
    let points = roc_curve(&positive, &scores).ok()?;
    let step = points.len().div_ceil(POINTS).max(1);
    let last = points.len() - 1;
    let kept = points.iter().enumerate().filter(|(index, _)| index % step == 0 || *index == last);
    let points = kept.map(|(_, point)| (point.false_positive_rate, point.true_positive_rate)).collect();
    Some(RocRecord { class, auc, points })
}
