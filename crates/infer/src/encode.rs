//! Texts and text pairs as the tokens of a model.

use rekindle_encoders::EncoderConfig;
use rekindle_tokenizer::{Encoded, Tokenizer, TokenizerError};

use crate::batched::Sequence;

/// Returns many texts, each with or without a second one, as at most `max_length` tokens. A longer pair is truncated as
/// transformers' `longest_first` does it.
///
/// Segments are empty unless there are pairs, and both the tokenizer and the model distinguish their texts by segments, as
/// those of BERT do and those of RoBERTa do not.
///
/// # Errors
/// As [`Tokenizer::encode_pairs`].
pub fn encode<T: AsRef<str>>(
    tokenizer: &Tokenizer,
    config: &EncoderConfig,
    pairs: &[(T, Option<T>)],
    max_length: usize,
) -> Result<Vec<Encoded>, TokenizerError> {
    let mut encoded = tokenizer.encode_pairs(pairs, max_length)?;
    let has_pairs = pairs.iter().any(|(_, text_pair)| text_pair.is_some());
    if !has_pairs || !has_segments(tokenizer, config) {
        encoded.iter_mut().for_each(|encoded| encoded.token_type_ids.clear());
    }
    Ok(encoded)
}

/// Returns whether the model gets segments from the tokenizer.
pub(crate) fn has_segments(tokenizer: &Tokenizer, config: &EncoderConfig) -> bool {
    config.type_vocab_size > 1 && tokenizer.has_type_ids()
}

impl<'a> From<&'a Encoded> for Sequence<'a> {
    fn from(encoded: &'a Encoded) -> Self {
        Self { input_ids: &encoded.input_ids, token_type_ids: &encoded.token_type_ids }
    }
}
