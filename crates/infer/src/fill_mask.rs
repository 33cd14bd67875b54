//! Masked tokens filled by a masked language model.

use std::fmt;

use burn::tensor::Device;
use rekindle_encoders::{EncoderConfig, MaskedLanguageModel, Mode, SequenceBatch};
use rekindle_metrics::probabilities;
use rekindle_tokenizer::{Tokenizer, TokenizerError};
use serde::Serialize;

use crate::batched::read;
use crate::error::InferError;
use crate::model::PretrainedModel;

/// A word for a mask token: the fields of transformers' `fill-mask` pipeline.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Guess {
    /// Its probability, by softmax over the vocabulary.
    pub score: f32,
    /// Its token id.
    pub token: u32,
    /// Its entry in the vocabulary.
    pub token_str: String,
    /// The text with the word in place of the mask token; with several masks, it includes special tokens and the other masks.
    pub sequence: String,
}

/// A checkpoint with a head for masked language modelling.
pub struct FillMask {
    config: EncoderConfig,
    model: MaskedLanguageModel,
    tokenizer: Tokenizer,
    mask: u32,
    device: Device,
}

/// Shows the configuration, and not the weights.
impl fmt::Debug for FillMask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FillMask").field("config", &self.config).finish_non_exhaustive()
    }
}

impl FillMask {
    /// Loads the weights of a checkpoint with a head for masked language modelling.
    ///
    /// # Errors
    /// Returns an error if the head is missing, if the tokenizer has no mask token, or if the weights cannot be read.
    pub fn new(pretrained: &PretrainedModel, device: &Device) -> Result<Self, InferError> {
        pretrained.check_f32("filling masks")?;
        let (config, tokenizer) = (pretrained.config.clone(), pretrained.tokenizer.clone());
        // The seed has no effect, because every tensor must be in the checkpoint.
        let (model, report) = MaskedLanguageModel::from_checkpoint(&config, &pretrained.checkpoint, 0, device)?;
        if let Some((tensor, other)) = InferError::missing_head(&report, &["cls.", "lm_head."]) {
            return Err(InferError::NoMaskedLm { model: pretrained.id.clone(), tensor, other });
        }
        let mask = tokenizer.mask_id().ok_or(TokenizerError::SpecialToken { token: "mask token".into() })?;
        Ok(Self { config, model, tokenizer, mask, device: device.clone() })
    }

    /// Returns the `top_k` most probable words for every mask token of a text, such as `[MASK]`, in the order of the text, the most probable
    /// first.
    ///
    /// # Errors
    /// Returns an error if the text has no mask token, or more tokens than the model has positions.
    pub fn fill(&self, text: &str, top_k: usize) -> Result<Vec<Vec<Guess>>, InferError> {
        let refuse = |reason: String| InferError::Text { text: text.into(), reason };
        let positions = self.config.max_length();
        let ids = self.tokenizer.encode(text, positions + 1)?;
        if ids.len() > positions {
            return Err(refuse(format!("longer than the {positions} tokens that the model has positions for")));
        }
        let masks: Vec<u32> = (0..).zip(&ids).filter(|(_, id)| **id == self.mask).map(|(place, _)| place).collect();
        if masks.is_empty() {
            let mask = self.tokenizer.token(self.mask).unwrap_or_default();
            return Err(refuse(format!("has no {mask} to fill")));
        }
        let batch = SequenceBatch::new(&ids, &vec![1; ids.len()], &[0, ids.len()], &self.config, &self.device)?;
        let logits = read(self.model.forward(&batch.selecting(&masks)?, Mode::Eval))?;
        let rows = logits.chunks(self.config.vocab_size);
        let is_only = masks.len() == 1;
        masks.iter().zip(rows).map(|(&place, row)| self.guesses(&ids, place as usize, row, top_k, is_only)).collect()
    }

    fn guesses(
        &self,
        ids: &[u32],
        place: usize,
        logits: &[f32],
        top_k: usize,
        is_only: bool,
    ) -> Result<Vec<Guess>, InferError> {
        let scores = probabilities(logits);
        let mut best: Vec<u32> = (0..logits.len() as u32).collect();
        best.sort_by(|&a, &b| logits[b as usize].total_cmp(&logits[a as usize]));
        let guess = |token: u32| {
            let mut filled = ids.to_vec();
            filled[place] = token;
            Ok(Guess {
                score: scores[token as usize] as f32,
                token,
                token_str: self.tokenizer.token(token).unwrap_or_default(),
                sequence: self.tokenizer.decode(&filled, is_only)?,
            })
        };
        best.into_iter().take(top_k).map(guess).collect()
    }
}
