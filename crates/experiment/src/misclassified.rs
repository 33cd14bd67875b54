//! Misclassified test examples.

use rekindle_metrics::Scorer;
use rekindle_results::{Misclassified, MisclassifiedExample, Prediction};

use crate::approach_results::{ApproachResults, best};
use crate::sampling::Sampling;

/// Maximum number of examples in the record.
const MOST: usize = 500;

/// Returns the examples that any approach misclassified in any run: first those of the best approach, by descending probability
/// of the most probable wrong class, then those of the others, by the same probability of the best approach.
pub(crate) fn misclassified(approaches: &[ApproachResults], sampling: &Sampling, metric: Scorer) -> Misclassified {
    let classes = sampling.all.classes.len();
    let none = || Prediction::new(0, 0, vec![0.0; classes]);
    let mut predictions: Vec<Vec<Prediction>> = approaches.iter().map(|_| Vec::new()).collect();
    for (results, predictions) in approaches.iter().zip(&mut predictions) {
        predictions.resize_with(sampling.all.len(), none);
        for run in &results.runs {
            let rows = &sampling.samples[run.sample].test;
            for (place, &row) in rows.iter().enumerate() {
                let prediction = &mut predictions[row];
                prediction.runs += 1;
                prediction.wrong += usize::from(run.predictions[place] != sampling.all.examples[row].label);
                let probabilities = &run.probabilities[place * classes..(place + 1) * classes];
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
        let label = sampling.all.examples[row].label;
        of_best(row).map_or(0.0, |Prediction { runs, probabilities, .. }| {
            let wrong = probabilities.iter().enumerate().filter(|(class, _)| *class != label);
            wrong.map(|(_, sum)| sum / (*runs).max(1) as f64).fold(0.0, f64::max)
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
        let mut record =
            MisclassifiedExample::new(row - first, example.line, example.text.as_str(), example.label, predictions);
        record.text_pair.clone_from(&example.text_pair);
        record
    };
    let name = best.map_or("", |index| approaches[index].name.as_str());
    Misclassified::new(rows.len(), name, total_of_best, rows.iter().take(MOST).map(example).collect())
}
