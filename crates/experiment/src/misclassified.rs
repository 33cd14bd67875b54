//! Misclassified test examples.

use rekindle_data::Target;
use rekindle_metrics::Scorer;
use rekindle_results::{Misclassified, MisclassifiedExample, Prediction};

use crate::approach_results::{ApproachResults, best};
use crate::sampling::Sampling;
use crate::target_record::target_record;

/// Maximum number of examples in the record.
const MOST: usize = 500;

/// Returns the examples that any approach misclassified in any run: first those of the best approach, by descending probability
/// of the most probable wrong class, then those of the others, by the same probability of the best approach. Several labels are
/// misclassified if any is wrong, and a number if it is not exact: the largest deviations come first.
pub(crate) fn misclassified(approaches: &[ApproachResults], sampling: &Sampling, metric: Scorer) -> Misclassified {
    let outputs = sampling.outputs().len();
    let none = || Prediction::new(0, 0, vec![0.0; outputs]);
    let mut predictions: Vec<Vec<Prediction>> = approaches.iter().map(|_| Vec::new()).collect();
    for (results, predictions) in approaches.iter().zip(&mut predictions) {
        predictions.resize_with(sampling.all.len(), none);
        for run in &results.runs {
            let rows = &sampling.samples[run.sample].test;
            for (place, &row) in rows.iter().enumerate() {
                let prediction = &mut predictions[row];
                prediction.runs += 1;
                prediction.wrong += usize::from(run.predictions.get(place) != *sampling.target(row));
                let probabilities = &run.scores[place * outputs..(place + 1) * outputs];
                prediction.probabilities.iter_mut().zip(probabilities).for_each(|(sum, value)| *sum += value);
            }
        }
    }
    let wrong = |row: usize| predictions.iter().map(|predictions| predictions[row].wrong).sum::<usize>();
    let mut rows: Vec<usize> = (0..sampling.all.len()).filter(|&row| wrong(row) > 0).collect();
    let best =
        best(approaches, metric).and_then(|best| approaches.iter().position(|results| results.name == best.name));
    let of_best = |row: usize| best.map(|index| &predictions[index][row]);
    let is_wrong = |row: &usize| of_best(*row).is_some_and(|prediction| prediction.wrong > 0);
    let confidence = |row: usize| {
        of_best(row).map_or(0.0, |Prediction { runs, probabilities, .. }| {
            let means = probabilities.iter().map(|sum| sum / (*runs).max(1) as f64);
            means.enumerate().map(|(output, mean)| deviation(mean, output, sampling.target(row))).fold(0.0, f64::max)
        })
    };
    rows.sort_by(|a, b| is_wrong(b).cmp(&is_wrong(a)).then(confidence(*b).total_cmp(&confidence(*a))));
    let total_of_best = rows.iter().filter(|row| is_wrong(row)).count();
    // A fixed test set follows the training examples.
    let first = if sampling.folds.is_some() { 0 } else { sampling.samples[0].test.first().copied().unwrap_or(0) };
    let mean = |Prediction { runs, wrong, probabilities, .. }: &Prediction| {
        Prediction::new(*runs, *wrong, probabilities.iter().map(|sum| sum / (*runs).max(1) as f64).collect())
    };
    let example = |&row: &usize| {
        let example = &sampling.all.examples[row];
        let predictions = predictions.iter().map(|predictions| mean(&predictions[row])).collect();
        let label = target_record(&example.target);
        let mut record =
            MisclassifiedExample::new(row - first, example.line, example.text.as_str(), label, predictions);
        record.text_pair.clone_from(&example.text_pair);
        record
    };
    let name = best.map_or("", |index| approaches[index].name.as_str());
    Misclassified::new(rows.len(), name, total_of_best, rows.iter().take(MOST).map(example).collect())
}

/// Returns how much the mean score of an output contradicts the truth: the probability of a wrong class, or the distance from
/// the truth.
fn deviation(mean: f64, output: usize, target: &Target) -> f64 {
    match target {
        Target::Class(class) if *class == output => 0.0,
        Target::Class(_) => mean,
        Target::Labels(labels) => (mean - f64::from(u8::from(labels[output]))).abs(),
        Target::Value(value) => (mean - value).abs(),
    }
}
