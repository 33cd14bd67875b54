//! A masked-language model at work: the words behind `[MASK]`.

use std::fmt;

use burn::tensor::{Device, Tensor};
use rekindle_distilbert::{DistilBertConfig, DistilBertForMaskedLM, Mode, SequenceBatch};
use rekindle_tokenizer::Tokenizer;
use serde::Serialize;

use crate::error::ExperimentError;
use crate::model::PretrainedModel;

/// A word for a `[MASK]`: the fields of transformers' `fill-mask` pipeline.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Guess {
    /// Its probability, by softmax over all words.
    pub score: f32,
    /// Its id.
    pub token: u32,
    /// The entry of the vocabulary.
    pub token_str: String,
    /// The text with the word in its place; where there are more, with special tokens and the other `[MASK]`s.
    pub sequence: String,
}

/// A checkpoint with a masked-language head: texts in, words out.
pub struct FillMask {
    config: DistilBertConfig,
    model: DistilBertForMaskedLM,
    tokenizer: Tokenizer,
    mask: u32,
    device: Device,
}

/// Its shape, without its weights.
impl fmt::Debug for FillMask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FillMask").field("config", &self.config).finish_non_exhaustive()
    }
}

impl FillMask {
    /// Reads the weights of a checkpoint that has a masked-language head.
    ///
    /// # Errors
    /// When the head is missing, the tokenizer has no `[MASK]`, or the weights cannot be read.
    pub fn new(pretrained: &PretrainedModel, device: &Device) -> Result<Self, ExperimentError> {
        let (config, tokenizer) = (pretrained.config.clone(), pretrained.tokenizer.clone());
        // The seed does not matter: nothing fresh is accepted.
        let (model, report) = DistilBertForMaskedLM::from_checkpoint(&config, &pretrained.checkpoint, 0, device)?;
        let absent = report.missing.first().or(report.mismatched.first().map(|tensor| &tensor.name));
        if let Some(tensor) = absent {
            return Err(ExperimentError::NoMaskedLm { model: pretrained.id.clone(), tensor: tensor.clone() });
        }
        let mask = tokenizer.id("[MASK]");
        let mask = mask.ok_or(rekindle_tokenizer::TokenizerError::SpecialToken { token: "[MASK]" })?;
        Ok(Self { config, model, tokenizer, mask, device: device.clone() })
    }

    /// The likeliest `top_k` words for every `[MASK]` of a text, in the order of the text, the likeliest first.
    ///
    /// # Errors
    /// When the text has no `[MASK]`, or more tokens than the model has positions.
    pub fn fill(&self, text: &str, top_k: usize) -> Result<Vec<Vec<Guess>>, ExperimentError> {
        let refuse = |reason: String| ExperimentError::Text { text: text.into(), reason };
        let positions = self.config.max_position_embeddings;
        let ids = self.tokenizer.encode(text, positions + 1)?;
        if ids.len() > positions {
            return Err(refuse(format!("is longer than the {positions} tokens that the model has positions for")));
        }
        let masks: Vec<u32> = (0..).zip(&ids).filter(|(_, id)| **id == self.mask).map(|(place, _)| place).collect();
        if masks.is_empty() {
            return Err(refuse("has no [MASK] to fill".into()));
        }
        let batch = SequenceBatch::new(&ids, &vec![1; ids.len()], &[0, ids.len()], &self.config, &self.device)?;
        let logits = self.values(self.model.forward(&batch.selecting(&masks)?, Mode::Eval))?;
        let rows = logits.chunks(self.config.vocab_size);
        let guesses =
            masks.iter().zip(rows).map(|(&place, row)| self.guesses(&ids, place as usize, row, top_k, &masks));
        guesses.collect()
    }

    fn values(&self, logits: Tensor<2>) -> Result<Vec<f32>, ExperimentError> {
        let data = logits
            .try_into_data()
            .map_err(|error| ExperimentError::Prediction(rekindle_train::TrainError::Device(error.to_string())))?;
        Ok(data.iter::<f32>().collect())
    }

    fn guesses(
        &self,
        ids: &[u32],
        place: usize,
        logits: &[f32],
        top_k: usize,
        masks: &[u32],
    ) -> Result<Vec<Guess>, ExperimentError> {
        let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let sum: f64 = logits.iter().map(|logit| f64::from(logit - largest).exp()).sum();
        let mut best: Vec<u32> = (0..logits.len() as u32).collect();
        best.sort_by(|&a, &b| logits[b as usize].total_cmp(&logits[a as usize]));
        let guess = |token: u32| {
            let mut filled = ids.to_vec();
            filled[place] = token;
            Ok(Guess {
                score: (f64::from(logits[token as usize] - largest).exp() / sum) as f32,
                token,
                token_str: self.tokenizer.token(token).unwrap_or_default(),
                sequence: self.tokenizer.decode(&filled, masks.len() == 1)?,
            })
        };
        best.into_iter().take(top_k).map(guess).collect()
    }
}
