//! The predictions of all runs, with the examples that they were tested on.

use rekindle_results::{Predictions, RunPredictions, TestExample};

use crate::sampling::Sampling;
use crate::target_record::target_record;

/// Returns the predictions of `runs`, whose examples are rows of the data set, with the texts of these examples.
pub(crate) fn predictions(sampling: &Sampling, mut runs: Vec<RunPredictions>) -> Predictions {
    let mut places: Vec<Option<usize>> = vec![None; sampling.all.len()];
    let mut examples = Vec::new();
    for index in runs.iter_mut().flat_map(|run| &mut run.examples) {
        *index = *places[*index].get_or_insert_with(|| {
            let example = &sampling.all.examples[*index];
            let (text, text_pair) = (example.text.clone(), example.text_pair.clone());
            let label = target_record(&example.target);
            examples.push(TestExample { line: example.line, text, text_pair, label });
            examples.len() - 1
        });
    }
    Predictions { examples, runs }
}
