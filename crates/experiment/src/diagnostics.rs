//! Scores per class, confusion matrix, curves and calibration over all runs at the largest size.

use std::collections::HashSet;

use rekindle_data::Targets;
use rekindle_metrics::{
    ConfusionMatrix, MultilabelPredictions, average_precision, brier_score, expected_calibration_error,
    precision_recall_curve, reliability_bins, roc_auc, roc_curve, wilson_interval,
};
use rekindle_results::{CalibrationBin, ClassRecord, Diagnostics, Estimate, PrecisionRecallRecord, RocRecord};

use crate::approach_results::{ApproachResults, LEVEL, RunResult};
use crate::error::ExperimentError;
use crate::probability_scores::probability_record;
use crate::sampling::Sampling;

/// Bins of the calibration diagram.
pub(crate) const BINS: usize = 10;
/// Pairs of true and predicted numbers that are kept.
const VALUES: usize = 2000;
/// Points that a curve keeps.
const POINTS: usize = 200;

/// Returns the diagnostics of all runs; `seed` is that of the bootstrap.
pub(crate) fn diagnostics(
    results: &ApproachResults,
    sampling: &Sampling,
    seed: u64,
) -> Result<Diagnostics, ExperimentError> {
    let of = |scores: fn(&RunResult) -> &Vec<f64>| results.runs.iter().flat_map(scores).copied().collect::<Vec<f64>>();
    let (scores, uncalibrated) = (of(|run| &run.scores), of(|run| &run.uncalibrated));
    let mut diagnostics = of_predictions(results, sampling, &scores)?;
    diagnostics.probabilities = probability_record(results, sampling, &scores, seed)?;
    if !uncalibrated.is_empty() {
        diagnostics.uncalibrated = probability_record(results, sampling, &uncalibrated, seed)?;
    }
    Ok(diagnostics)
}

/// Returns the diagnostics of the predictions, with the scores of all runs.
fn of_predictions(
    results: &ApproachResults,
    sampling: &Sampling,
    scores: &[f64],
) -> Result<Diagnostics, ExperimentError> {
    let runs = || results.runs.iter();
    let rows: Vec<usize> = runs().flat_map(|run| sampling.samples[run.sample].test.iter().copied()).collect();
    match sampling.targets(&rows) {
        Targets::Classes(truth) => {
            let predictions = runs().flat_map(|run| run.predictions.classes().iter().copied()).collect::<Vec<_>>();
            of_classes(&truth, &predictions, scores, sampling.outputs().len(), tests_per_example(results, sampling))
        }
        Targets::Labels { values: truth, labels } => {
            let rows = |run: &RunResult| (0..run.predictions.len()).collect::<Vec<_>>();
            let of_run = |run: &RunResult, row: usize| run.predictions.labels(row).to_vec();
            let predictions = runs().flat_map(|run| rows(run).into_iter().flat_map(move |row| of_run(run, row)));
            let predictions: Vec<bool> = predictions.collect();
            of_labels(&truth, &predictions, scores, labels, tests_per_example(results, sampling))
        }
        Targets::Values(truth) => {
            let mut diagnostics = Diagnostics::default();
            let pairs: Vec<(f64, f64)> = truth.into_iter().zip(scores.iter().copied()).collect();
            let step = pairs.len().div_ceil(VALUES).max(1);
            diagnostics.values = pairs.into_iter().step_by(step).collect();
            Ok(diagnostics)
        }
    }
}

fn of_classes(
    truth: &[usize],
    predictions: &[usize],
    probabilities: &[f64],
    classes: usize,
    tests: f64,
) -> Result<Diagnostics, ExperimentError> {
    let confusion = ConfusionMatrix::new(truth, predictions, classes)?;
    let row = |truth| (0..classes).map(|predicted| confusion.get(truth, predicted)).collect();
    let positives = if classes == 2 { 1..2 } else { 0..classes };
    let bins = reliability_bins(truth, probabilities, classes, BINS)?;
    let bins = bins.into_iter().filter(|bin| bin.count > 0);
    let mut diagnostics = Diagnostics::new(
        (0..classes).map(row).collect(),
        Vec::new(),
        bins.map(|bin| CalibrationBin::new((bin.low, bin.high), bin.count as u64, bin.confidence, bin.accuracy))
            .collect(),
        expected_calibration_error(truth, probabilities, classes, BINS)?,
        brier_score(truth, probabilities, classes)?,
    );
    add_curves(&mut diagnostics, positives, |class| {
        let positive = truth.iter().map(|&label| label == class).collect();
        (positive, probabilities.chunks(classes).map(|row| row[class]).collect())
    });
    let counts = |class| Counts::of_class(class, &confusion);
    diagnostics.classes = (0..classes).map(|class| class_record(class, counts(class), tests)).collect();
    Ok(diagnostics)
}

fn of_labels(
    truth: &[bool],
    predictions: &[bool],
    probabilities: &[f64],
    labels: usize,
    tests: f64,
) -> Result<Diagnostics, ExperimentError> {
    let confusion = MultilabelPredictions::new(truth, predictions, labels)?.confusion();
    let mut diagnostics = Diagnostics::default();
    add_curves(&mut diagnostics, 0..labels, |label| {
        let positive = truth.iter().skip(label).step_by(labels).copied().collect();
        (positive, probabilities.iter().skip(label).step_by(labels).copied().collect())
    });
    let counts = |label| Counts {
        hits: confusion.hits(label),
        predicted: confusion.predicted(label),
        members: confusion.support(label),
    };
    diagnostics.classes = (0..labels).map(|label| class_record(label, counts(label), tests)).collect();
    // The calibration of all labels together: each is a question of its own, with the answers no and yes.
    let answers: Vec<usize> = truth.iter().map(|&has| usize::from(has)).collect();
    let both: Vec<f64> = probabilities.iter().flat_map(|&p| [1.0 - p, p]).collect();
    let bins = reliability_bins(&answers, &both, 2, BINS)?.into_iter().filter(|bin| bin.count > 0);
    diagnostics.calibration = bins
        .map(|bin| CalibrationBin::new((bin.low, bin.high), bin.count as u64, bin.confidence, bin.accuracy))
        .collect();
    (diagnostics.ece, diagnostics.brier) =
        (expected_calibration_error(&answers, &both, 2, BINS)?, brier_score(&answers, &both, 2)?);
    Ok(diagnostics)
}

/// Adds the ROC and precision-recall curves of classes or labels, each given by which examples have it, and its scores.
fn add_curves(
    diagnostics: &mut Diagnostics,
    classes: std::ops::Range<usize>,
    of: impl Fn(usize) -> (Vec<bool>, Vec<f64>),
) {
    for class in classes {
        let (positive, scores) = of(class);
        diagnostics.roc.extend(roc(class, &positive, &scores));
        diagnostics.precision_recall.extend(precision_recall(class, &positive, &scores));
    }
}

/// Returns how many runs test on each example: one per repeat and seed.
fn tests_per_example(results: &ApproachResults, sampling: &Sampling) -> f64 {
    let tested = || results.runs.iter().flat_map(|run| &sampling.samples[run.sample].test);
    let distinct: HashSet<usize> = tested().copied().collect();
    tested().count() as f64 / distinct.len().max(1) as f64
}

/// Counts of a class or label over all runs.
#[derive(Clone, Copy)]
struct Counts {
    /// Examples that belong to it and are predicted as it.
    hits: u64,
    predicted: u64,
    members: u64,
}

impl Counts {
    fn of_class(class: usize, confusion: &ConfusionMatrix) -> Self {
        let others = || 0..confusion.classes();
        Self {
            hits: confusion.get(class, class),
            predicted: others().map(|truth| confusion.get(truth, class)).sum(),
            members: others().map(|predicted| confusion.get(class, predicted)).sum(),
        }
    }
}

/// Returns the scores of a class over all runs. Predictions of several runs for an example are not independent: the intervals
/// count each example once.
fn class_record(class: usize, Counts { hits, predicted, members }: Counts, tests: f64) -> ClassRecord {
    let examples = |count: u64| (count as f64 / tests).round() as usize;
    let fraction = |count: u64| {
        let rows = if count > 0 { examples(count).max(1) } else { 0 };
        let mean = if count > 0 { hits as f64 / count as f64 } else { 0.0 };
        let ends = wilson_interval(mean * rows as f64, rows, LEVEL).ok().map(|interval| (interval.low, interval.high));
        Estimate::new(mean, ends, LEVEL, rows, "Wilson")
    };
    // F1 = 2J / (1 + J), where J (Jaccard) is the fraction of hits among the examples that are of the class or predicted as it.
    let mut f1 = fraction(predicted + members - hits);
    let of_jaccard = |jaccard: f64| 2.0 * jaccard / (1.0 + jaccard);
    f1.mean = if predicted + members > 0 { 2.0 * hits as f64 / (predicted + members) as f64 } else { 0.0 };
    f1.interval = f1.interval.map(|(low, high)| (of_jaccard(low), of_jaccard(high)));
    ClassRecord::new(class, examples(members), fraction(predicted), fraction(members), f1)
}

/// Returns the ROC curve of a class against all others; `None` for a class that never or always occurs.
fn roc(class: usize, positive: &[bool], scores: &[f64]) -> Option<RocRecord> {
    let auc = roc_auc(positive, scores).ok()?;
    let curve = roc_curve(positive, scores).ok()?;
    let points = thinned(&curve).map(|point| (point.false_positive_rate, point.true_positive_rate)).collect();
    Some(RocRecord::new(class, auc, points))
}

/// Returns the precision-recall curve of a class against all others; `None` for a class that never or always occurs.
fn precision_recall(class: usize, positive: &[bool], scores: &[f64]) -> Option<PrecisionRecallRecord> {
    let average = average_precision(positive, scores).ok()?;
    let mut curve = precision_recall_curve(positive, scores).ok()?;
    curve.reverse();
    let points: Vec<(f64, f64)> = curve.iter().map(|point| (point.recall, point.precision)).collect();
    // Points between two of the same recall lie on a vertical line.
    let last = points.len() - 1;
    let is_corner = |index: usize| points[index - 1].0 != points[index].0 || points[index + 1].0 != points[index].0;
    let corners = (0..=last).filter(|&index| index == 0 || index == last || is_corner(index));
    let corners: Vec<(f64, f64)> = corners.map(|index| points[index]).collect();
    let points = thinned(&corners).copied().collect();
    let prevalence = positive.iter().filter(|&&positive| positive).count() as f64 / positive.len() as f64;
    Some(PrecisionRecallRecord::new(class, average, prevalence, points))
}

/// Returns at most about [`POINTS`] points, with the first and the last.
pub(crate) fn thinned<T>(points: &[T]) -> impl Iterator<Item = &T> {
    let step = points.len().div_ceil(POINTS).max(1);
    let last = points.len().saturating_sub(1);
    points.iter().enumerate().filter(move |(index, _)| index % step == 0 || *index == last).map(|(_, point)| point)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn precision_recall_curves_keep_their_corners() {
        let positive: Vec<bool> = (0..1000).map(|row| row % 250 == 0).collect();
        let scores: Vec<f64> = (0..1000).map(f64::from).collect();
        let record = precision_recall(1, &positive, &scores).expect("a curve");
        // From no row to the first positive one, and before and at each further one.
        assert_eq!(record.points[..4], [(0.0, 1.0), (0.0, 0.0), (0.25, 1.0 / 250.0), (0.25, 1.0 / 499.0)]);
        assert_eq!((record.points.len(), record.points.last()), (9, Some(&(1.0, 4.0 / 1000.0))));
        assert_eq!(record.prevalence, 4.0 / 1000.0);
    }

    #[test]
    fn scores_per_class_count_each_example_once() {
        // Two runs on the same five examples: 3 of 4 predictions of class 1 are right, and 3 of its 6 members are found.
        let truth = [0, 0, 1, 1, 1, 0, 0, 1, 1, 1];
        let predicted = [0, 1, 1, 1, 0, 0, 0, 1, 0, 0];
        let confusion = ConfusionMatrix::new(&truth, &predicted, 3).expect("valid");
        let record = class_record(1, Counts::of_class(1, &confusion), 2.0);
        assert_eq!((record.support, record.precision.n, record.recall.n), (3, 2, 3));
        assert_eq!((record.precision.mean, record.recall.mean, record.f1.mean), (0.75, 0.5, 0.6));
        for estimate in [&record.precision, &record.recall, &record.f1] {
            let (low, high) = estimate.interval.expect("an interval");
            assert!(low < estimate.mean && estimate.mean < high, "{estimate:?}");
        }
        let unseen = class_record(2, Counts::of_class(2, &confusion), 2.0);
        assert_eq!((unseen.support, unseen.f1.mean, unseen.f1.interval, unseen.f1.n), (0, 0.0, None, 0));
    }
}
