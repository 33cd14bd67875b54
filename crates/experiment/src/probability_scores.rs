//! How good the probabilities of an approach are: calibration, and accuracy against coverage.

use std::collections::HashMap;

use rekindle_data::Targets;
use rekindle_metrics::{ProbabilityRows, ProbabilityScore, bootstrap, reliability_bins, risk_coverage};
use rekindle_results::{CalibrationBin, Estimate, ProbabilityRecord};

use crate::approach_results::{ApproachResults, LEAST, LEVEL, RESAMPLES};
use crate::diagnostics::{BINS, thinned};
use crate::error::ExperimentError;
use crate::sampling::Sampling;

/// Rows that all resamples of an interval may read, and the fewest resamples: with more rows, there is no interval.
const MOST_ROWS: usize = 20_000_000;
const FEWEST: usize = 200;

/// Returns the scores of the probabilities of all runs, row-major as those of the results; nothing for a regression.
pub(crate) fn probability_record(
    results: &ApproachResults,
    sampling: &Sampling,
    probabilities: &[f64],
    seed: u64,
) -> Result<Option<ProbabilityRecord>, ExperimentError> {
    let examples: Vec<usize> =
        results.runs.iter().flat_map(|run| sampling.samples[run.sample].test.iter().copied()).collect();
    // The answers of several labels are rows of their own, with the classes no and yes.
    let (truth, probabilities, classes, per_example) = match sampling.targets(&examples) {
        Targets::Classes(truth) => (truth, probabilities.to_vec(), sampling.outputs().len(), 1),
        Targets::Labels { values, labels } => {
            let answers = values.iter().map(|&has| usize::from(has)).collect();
            (answers, probabilities.iter().flat_map(|&p| [1.0 - p, p]).collect(), 2, labels)
        }
        Targets::Values(_) => return Ok(None),
    };
    let rows = ProbabilityRows::new(&truth, &probabilities, classes, BINS)?;
    // Examples of a group are drawn together.
    let clusters = sampling.clusters(&examples);
    let method = if clusters.is_some() { "bootstrap of groups" } else { "bootstrap" };
    let units = units(clusters.as_ref().unwrap_or(&examples), per_example);
    let resamples = (MOST_ROWS / truth.len().max(1)).min(RESAMPLES);
    let estimate = |score: ProbabilityScore| {
        let statistic =
            |chosen: &[usize]| rows.score_of(score, chosen.iter().flat_map(|&unit| units[unit].iter().copied()));
        let interval = || bootstrap(units.len(), resamples, LEVEL, seed, statistic).ok();
        let interval = (units.len() >= LEAST && resamples >= FEWEST).then(interval).flatten();
        let ends = interval.map(|interval| (interval.low, interval.high)).filter(|(low, high)| low < high);
        (score.name(), Estimate::new(rows.score(score), ends, LEVEL, units.len(), method))
    };
    let bins = reliability_bins(&truth, &probabilities, classes, BINS)?.into_iter();
    let bins = bins.map(|bin| CalibrationBin::new((bin.low, bin.high), bin.count as u64, bin.confidence, bin.accuracy));
    let mut record = ProbabilityRecord::new(ProbabilityScore::ALL.map(estimate).into_iter().collect(), bins.collect());
    if per_example == 1 && matches!(sampling.targets(&examples[..1]), Targets::Classes(_)) {
        let curve = risk_coverage(&rows.confidences(), &rows.correct())?;
        record.aurc = Some(curve.aurc);
        record.selective = thinned(&curve.points).map(|(coverage, risk)| (*coverage, 1.0 - risk)).collect();
    }
    Ok(Some(record))
}

/// Returns the rows of each distinct example or group, by the number of that of each prediction: resamples draw them whole, also
/// the predictions of several runs.
fn units(numbers: &[usize], per_example: usize) -> Vec<Vec<usize>> {
    let mut places: HashMap<usize, usize> = HashMap::new();
    let mut units: Vec<Vec<usize>> = Vec::new();
    for (index, number) in numbers.iter().enumerate() {
        let place = *places.entry(*number).or_insert(units.len());
        if place == units.len() {
            units.push(Vec::new());
        }
        units[place].extend(index * per_example..(index + 1) * per_example);
    }
    units
}
