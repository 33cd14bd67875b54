//! Confusion matrix, ROC curves and calibration over all runs at the largest size.

use rekindle_metrics::{
    ConfusionMatrix, brier_score, expected_calibration_error, reliability_bins, roc_auc, roc_curve,
};
use rekindle_results::{CalibrationBin, Diagnostics, RocRecord};

use crate::approach_results::ApproachResults;
use crate::error::ExperimentError;
use crate::sampling::Sampling;

/// Bins of the calibration diagram.
const BINS: usize = 10;
/// Points that a ROC curve keeps.
const POINTS: usize = 200;

pub(crate) fn diagnostics(results: &ApproachResults, sampling: &Sampling) -> Result<Diagnostics, ExperimentError> {
    let classes = sampling.all.classes.len();
    let runs = &results.runs;
    let truth: Vec<usize> = runs.iter().flat_map(|run| sampling.labels(&sampling.samples[run.sample].test)).collect();
    let predictions: Vec<usize> = runs.iter().flat_map(|run| run.predictions.iter().copied()).collect();
    let probabilities: Vec<f64> = runs.iter().flat_map(|run| run.probabilities.iter().copied()).collect();
    let confusion = ConfusionMatrix::new(&truth, &predictions, classes)?;
    let row = |truth| (0..classes).map(|predicted| confusion.get(truth, predicted)).collect();
    let positives = if classes == 2 { 1..2 } else { 0..classes };
    let bins = reliability_bins(&truth, &probabilities, classes, BINS)?;
    let bins = bins.into_iter().filter(|bin| bin.count > 0);
    Ok(Diagnostics::new(
        (0..classes).map(row).collect(),
        positives.filter_map(|class| roc(class, &truth, &probabilities, classes)).collect(),
        bins.map(|bin| CalibrationBin::new((bin.low, bin.high), bin.count as u64, bin.confidence, bin.accuracy))
            .collect(),
        expected_calibration_error(&truth, &probabilities, classes, BINS)?,
        brier_score(&truth, &probabilities, classes)?,
    ))
}

/// Returns the curve of a class against all others; `None` for a class that never or always occurs.
fn roc(class: usize, truth: &[usize], probabilities: &[f64], classes: usize) -> Option<RocRecord> {
    let positive: Vec<bool> = truth.iter().map(|&label| label == class).collect();
    let scores: Vec<f64> = probabilities.chunks(classes).map(|row| row[class]).collect();
    let auc = roc_auc(&positive, &scores).ok()?;
    let points = roc_curve(&positive, &scores).ok()?;
    let step = points.len().div_ceil(POINTS).max(1);
    let last = points.len() - 1;
    let kept = points.iter().enumerate().filter(|(index, _)| index % step == 0 || *index == last);
    let points = kept.map(|(_, point)| (point.false_positive_rate, point.true_positive_rate)).collect();
    Some(RocRecord::new(class, auc, points))
}
