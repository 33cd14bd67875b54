//! Why the best approach misclassified examples: the words that spoke for the wrong prediction.

use burn::tensor::Device;
use rekindle_infer::{InferError, Predictor, PretrainedModel};
use rekindle_results::{ExplanationRecord, Misclassified, MisclassifiedExample, TargetRecord, WordRecord};

use crate::error::ExperimentError;
use crate::outcome::Outcome;

/// Examples that are explained.
const MOST: usize = 10;
/// Points of the integral, before they are doubled, and the most of them: enough to rank words.
const STEPS: [usize; 2] = [50, 200];

/// Explains the first misclassified examples of the best approach, whose model is `predictor` and whose predictions have the
/// place `index`, by [`Predictor::explain`]. Text pairs are not explained.
pub(crate) fn explain(
    misclassified: &mut Misclassified,
    index: usize,
    predictor: &Predictor,
) -> Result<(), InferError> {
    let count = misclassified.total_of_approach.min(MOST);
    for example in misclassified.examples.iter_mut().take(count).filter(|example| example.text_pair.is_none()) {
        let Some(output) = wrong_output(example, index) else { continue };
        let (label, [steps, max_steps]) = (predictor.labels().get(output).map(String::as_str), STEPS);
        let explanation = predictor.explain(&example.text, label, steps, max_steps)?;
        let words = explanation.words.iter().map(|word| WordRecord::new(word.start, word.end, word.attribution));
        example.explanation = Some(ExplanationRecord::new(explanation.label, words.collect()));
    }
    Ok(())
}

/// Returns the output whose mean score contradicts the truth most.
fn wrong_output(example: &MisclassifiedExample, index: usize) -> Option<usize> {
    let means = &example.predictions.get(index)?.probabilities;
    let error = |&output: &usize| match &example.label {
        TargetRecord::Class(class) if *class == output => -1.0,
        TargetRecord::Class(_) => means[output],
        TargetRecord::Labels(labels) => (means[output] - f64::from(u8::from(labels.contains(&output)))).abs(),
        TargetRecord::Value(_) => 0.0,
    };
    (0..means.len()).max_by(|a, b| error(a).total_cmp(&error(b)))
}

impl Outcome {
    /// Explains the most confident errors of the best approach in the results, if its model is kept. The model must be the one
    /// that made them.
    pub(crate) fn explain_errors(
        &mut self,
        pretrained: &PretrainedModel,
        device: &Device,
    ) -> Result<(), ExperimentError> {
        let name = self.results.misclassified.approach.clone();
        let index = self.results.approaches.iter().position(|record| record.approach == name);
        let Some(index) = index.filter(|_| self.models.iter().any(|(kept, _)| *kept == name)) else { return Ok(()) };
        let predictor = self.predictor(&name, pretrained, device)?;
        Ok(explain(&mut self.results.misclassified, index, &predictor)?)
    }
}
