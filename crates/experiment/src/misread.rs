//! The test sentences that an approach misread.

use crate::contender::Contender;
use crate::results::{MisreadRecord, MisreadSentence, Reading};
use crate::sampling::Sampling;

/// Sentences that are kept: more, nobody reads.
const MOST: usize = 500;

/// Every sentence that any approach misread in any test, those that most tests misread first.
pub(crate) fn misread(approaches: &[Contender], sampling: &Sampling) -> MisreadRecord {
    let classes = sampling.all.classes.len();
    let none = || Reading { runs: 0, wrong: 0, probabilities: vec![0.0; classes] };
    let mut readings: Vec<Vec<Reading>> = approaches.iter().map(|_| Vec::new()).collect();
    for (contender, readings) in approaches.iter().zip(&mut readings) {
        readings.resize_with(sampling.all.len(), none);
        for test in &contender.tests {
            let rows = &sampling.samples[test.sample].test;
            for (place, &row) in rows.iter().enumerate() {
                let reading = &mut readings[row];
                reading.runs += 1;
                reading.wrong += usize::from(test.predictions[place] != sampling.all.examples[row].label);
                let probabilities = &test.probabilities[place * classes..(place + 1) * classes];
                reading.probabilities.iter_mut().zip(probabilities).for_each(|(sum, value)| *sum += value);
            }
        }
    }
    let wrong = |row: usize| readings.iter().map(|readings| readings[row].wrong).sum::<usize>();
    let mut rows: Vec<usize> = (0..sampling.all.len()).filter(|&row| wrong(row) > 0).collect();
    rows.sort_by_key(|&row| std::cmp::Reverse(wrong(row)));
    // A fixed test set stands behind the training sentences.
    let first = if sampling.folds.is_some() { 0 } else { sampling.samples[0].test.first().copied().unwrap_or(0) };
    let mean = |reading: &Reading| Reading {
        probabilities: reading.probabilities.iter().map(|sum| sum / reading.runs.max(1) as f64).collect(),
        ..reading.clone()
    };
    let sentence = |&row: &usize| MisreadSentence {
        row: row - first,
        text: sampling.all.examples[row].text.clone(),
        label: sampling.all.examples[row].label,
        approaches: readings.iter().map(|readings| mean(&readings[row])).collect(),
    };
    MisreadRecord { total: rows.len(), sentences: rows.iter().take(MOST).map(sentence).collect() }
}
