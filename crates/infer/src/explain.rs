//! What each word of a text contributes to an output of a classifier.

use rekindle_tokenizer::{EncodedWords, Word};
use serde::Serialize;

use crate::decision::Decision;
use crate::encode::EncodedTexts;
use crate::error::InferError;
use crate::integrated_gradients::IntegratedGradients;
use crate::long_texts::WindowPool;
use crate::predictor::Predictor;
use crate::windows::Windows;

/// Why a [`Predictor`] gives a score to a class: the integrated gradients of the class's logit.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Explanation {
    /// The name of the explained class.
    pub label: String,
    /// Its probability by the [`OutputFunction`](crate::OutputFunction) of the model; for a regression, the predicted number.
    pub score: f32,
    /// The logit that is explained.
    pub logit: f32,
    /// The logit of the baseline: the text with all tokens but the special ones replaced by padding tokens.
    pub baseline_logit: f32,
    /// The words that the model reads, in the order of the text.
    pub words: Vec<WordAttribution>,
    /// The sum of all attributions minus the difference of the two logits; 0 of exact integrals.
    pub gap: f64,
    /// Whether the gap is at most 1 % of the difference of the logits, or at most 0.0001.
    pub is_complete: bool,
    /// The number of points of the integral.
    pub steps: usize,
    /// Whether the text is longer than what the model reads of it.
    pub is_truncated: bool,
}

/// The contribution of a word.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct WordAttribution {
    /// The first byte of the word in the text.
    pub start: usize,
    /// The byte behind the word.
    pub end: usize,
    /// The word as it is in the text.
    pub text: String,
    /// What it adds to the logit; negative if the word speaks against the class.
    pub attribution: f64,
}

impl Predictor {
    /// Explains the score of a class, by default the predicted one, by the words of a text: integrated gradients (Sundararajan
    /// et al., 2017) at the word embeddings, from a baseline of padding tokens between the special tokens of the text.
    ///
    /// The integral has `steps` points, and twice as many each time until the sum of the attributions is within 1 % of the
    /// difference of the logits, or more than `max_steps` points would be needed. The first [`max_length`](Self::max_length) tokens
    /// are read, whatever the setting for long texts.
    ///
    /// # Errors
    /// Returns an error if the model computes in int8 or has no such class, the text cannot be tokenized, an output is not finite,
    /// or the device fails.
    pub fn explain(
        &self,
        text: &str,
        label: Option<&str>,
        steps: usize,
        max_steps: usize,
    ) -> Result<Explanation, InferError> {
        let EncodedWords { input_ids, words, is_truncated } = self.tokenizer().encode_words(text, self.max_length())?;
        let windows = Windows::new(vec![1], WindowPool::default());
        let encoded = EncodedTexts { input_ids: vec![input_ids.clone()], token_type_ids: Vec::new(), windows };
        let logits = self.logits(&encoded, 1)?;
        let output = match label {
            Some(label) => self.output_of(label)?,
            None => self.decide(&logits, &Decision::default()).ranking.first().map_or(0, |(output, _)| *output),
        };
        let score = self.output_function().apply(&logits)[output] as f32;
        let padding = self.tokenizer().pad_id();
        let is_special = |token: usize| words.iter().all(|word| !word.tokens.contains(&token));
        let baseline: Vec<u32> =
            input_ids.iter().enumerate().map(|(token, &id)| if is_special(token) { id } else { padding }).collect();
        let path = [&input_ids[..], &baseline];
        let integral = IntegratedGradients::new(self.model(), self.config(), path, output, self.device())?;
        let found = integral.until_complete(steps, max_steps)?;
        let of_word = |word: Word| WordAttribution {
            start: word.start,
            end: word.end,
            text: text[word.start..word.end].into(),
            attribution: found.tokens[word.tokens].iter().sum(),
        };
        Ok(Explanation {
            label: self.labels()[output].clone(),
            score,
            logit: found.logit,
            baseline_logit: found.baseline_logit,
            words: words.into_iter().map(of_word).collect(),
            gap: found.gap(),
            is_complete: found.is_complete(),
            steps: found.steps,
            is_truncated,
        })
    }

    /// Returns the output of a class.
    fn output_of(&self, label: &str) -> Result<usize, InferError> {
        self.labels().iter().position(|name| name == label).ok_or_else(|| {
            let known: Vec<String> = self.labels().iter().map(|label| format!("`{label}`")).collect();
            InferError::Decision {
                option: "label",
                reason: format!("the model has no class `{label}`; its classes are {}", known.join(", ")),
            }
        })
    }
}
