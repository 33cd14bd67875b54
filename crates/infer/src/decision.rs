//! From scores to labels: how many, from which score, and when none.

use rekindle_checkpoint::ProblemType;
use rekindle_metrics::argmax;

use crate::error::InferError;
use crate::predictor::Predictor;

/// How the scores of a text become labels. The default is the class with the largest logit and, for several labels and for two
/// classes, the thresholds of the model if it has any.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decision {
    /// The number of classes that are ranked, the predicted one first.
    pub top_k: usize,
    /// The probability from which a label is predicted: for two classes the second one, for several labels each.
    pub threshold: Option<f32>,
    /// The score below which nothing is predicted.
    pub abstain_below: Option<f32>,
}

impl Default for Decision {
    fn default() -> Self {
        Self { top_k: 1, threshold: None, abstain_below: None }
    }
}

/// What a [`Decision`] says of a text. Classes are indices into [`Predictor::labels`].
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Decided {
    /// The predicted class, and then the most probable others, each with its score.
    pub ranking: Vec<(usize, f32)>,
    /// Whether the score of the predicted class is too low to predict it.
    pub is_abstained: bool,
    /// For several labels, those that are predicted.
    pub labels: Option<Vec<usize>>,
    /// The score of every class, by the [`OutputFunction`](crate::OutputFunction) of the model.
    pub scores: Vec<f32>,
}

impl Predictor {
    /// Checks that a decision has a meaning for this model.
    ///
    /// # Errors
    /// Returns an error if a threshold is given for a model that has neither two classes nor several labels, or if classes are ranked or
    /// rejected that the model does not have, because it predicts numbers.
    pub fn check_decision(&self, decision: &Decision) -> Result<(), InferError> {
        let refuse = |option: &'static str, reason: String| Err(InferError::Decision { option, reason });
        let classes = self.labels().len();
        match self.config().problem.problem_type {
            Some(ProblemType::Regression) => match decision {
                Decision { threshold: Some(_), .. } => refuse("threshold", "the model predicts a number".into()),
                Decision { abstain_below: Some(_), .. } => {
                    refuse("abstain-below", "the model predicts a number".into())
                }
                Decision { top_k: 2.., .. } => refuse("top-k", "the model predicts a number".into()),
                _ => Ok(()),
            },
            Some(ProblemType::MultiLabelClassification) => Ok(()),
            _ if decision.threshold.is_some() && classes != 2 => {
                refuse("threshold", format!("the model has {classes} classes; expected two classes or several labels"))
            }
            _ => Ok(()),
        }
    }

    /// Returns the lowest score to predict, so that at most the fraction `max_error` of the predicted classes is wrong: what
    /// [`Decision::abstain_below`] should be. Training chose it by bounds that hold together with a probability of 95 % for texts from
    /// the source of the examples (Geifman and El-Yaniv, 2017). They are an estimate if the examples come from inner folds, or also
    /// chose the best epoch.
    ///
    /// # Errors
    /// Returns an error if the model has no such scores, or none for so few errors.
    pub fn abstain_below(&self, max_error: f64) -> Result<f32, InferError> {
        let refuse = |reason: String| Err(InferError::Decision { option: "max-error", reason });
        let problem = &self.config().problem;
        let Some(last) = problem.abstention.last() else {
            return refuse(
                "the model has no error bounds; train one with one class per text and `experiment --calibrate temperature`"
                    .into(),
            );
        };
        match problem.abstention.iter().find(|point| point.error <= max_error) {
            Some(point) => Ok(point.threshold),
            None => {
                let examples = problem.calibration.as_ref().map_or(0, |calibration| calibration.examples);
                refuse(format!(
                    "the lowest error bound of the model is {:.4}, from {examples} examples; give at least this, or calibrate on more \
                     examples",
                    last.error
                ))
            }
        }
    }

    /// Returns whether a text may have several labels, or none.
    pub fn has_several_labels(&self) -> bool {
        self.config().problem.problem_type == Some(ProblemType::MultiLabelClassification)
    }

    /// Decides on the labels of a text by its logits.
    pub fn decide(&self, logits: &[f32], decision: &Decision) -> Decided {
        let problem = &self.config().problem;
        let scores = self.output_function().apply(logits);
        let scores: Vec<f32> = scores.into_iter().map(|score| score as f32).collect();
        let has_labels = self.has_several_labels();
        let stored = problem.thresholds.get(1).copied();
        let predicted = match decision.threshold.or(stored) {
            Some(threshold) if !has_labels && scores.len() == 2 => usize::from(scores[1] >= threshold),
            _ => argmax(logits),
        };
        let mut ranking: Vec<usize> = (0..scores.len()).collect();
        ranking.sort_by(|&a, &b| (b == predicted).cmp(&(a == predicted)).then(logits[b].total_cmp(&logits[a])));
        let score = |class: usize| (class, scores.get(class).copied().unwrap_or_default());
        let ranking: Vec<(usize, f32)> = ranking.into_iter().take(decision.top_k.max(1)).map(score).collect();
        let is_abstained =
            decision.abstain_below.is_some_and(|least| ranking.iter().take(1).any(|(_, score)| *score < least));
        let labels = has_labels.then(|| {
            let reached =
                |&label: &usize| scores[label] >= decision.threshold.unwrap_or_else(|| problem.threshold(label));
            (0..scores.len()).filter(reached).collect()
        });
        Decided { ranking, is_abstained, labels, scores }
    }
}
