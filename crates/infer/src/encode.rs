//! Texts and text pairs as the tokens of a model.

use rekindle_encoders::EncoderConfig;
use rekindle_tokenizer::{Encoded, Tokenizer};

use crate::batched::Sequence;
use crate::error::InferError;
use crate::long_texts::{LongTexts, WindowPool};
use crate::windows::Windows;

/// Tokenized texts: a sequence per text or text pair, or several windows of a long text, one after the other.
#[derive(Clone, Debug, Default)]
pub struct EncodedTexts {
    /// The token ids of each sequence.
    pub input_ids: Vec<Vec<u32>>,
    /// The segments of each sequence; empty if all are 0.
    pub token_type_ids: Vec<Vec<u32>>,
    /// Which sequences are the windows of which text.
    pub windows: Windows,
}

impl EncodedTexts {
    /// Returns all sequences.
    pub fn sequences(&self) -> Vec<Sequence<'_>> {
        let types = |row: usize| self.token_type_ids.get(row).map_or(&[][..], Vec::as_slice);
        let ids = self.input_ids.iter().enumerate();
        ids.map(|(row, input_ids)| Sequence { input_ids, token_type_ids: types(row) }).collect()
    }

    /// Returns the number of tokens of all sequences.
    pub fn tokens(&self) -> usize {
        self.input_ids.iter().map(Vec::len).sum()
    }

    /// Joins tokenized texts of one model.
    pub fn concat(parts: impl IntoIterator<Item = Self>) -> Self {
        let (mut joined, mut counts, mut pool) = (Self::default(), Vec::new(), WindowPool::default());
        for part in parts {
            pool = part.windows.pool();
            counts.extend_from_slice(part.windows.counts());
            if !part.token_type_ids.is_empty() {
                // Empty: all are 0.
                joined.token_type_ids.resize(joined.input_ids.len(), Vec::new());
                joined.token_type_ids.extend(part.token_type_ids);
            }
            joined.input_ids.extend(part.input_ids);
        }
        Self { windows: Windows::new(counts, pool), ..joined }
    }
}

/// Returns many texts, each with or without a second one, as sequences of at most `max_length` tokens. A longer pair is
/// truncated as transformers' `longest_first` does it.
///
/// Segments are empty unless there are pairs, and both the tokenizer and the model distinguish their texts by segments, as
/// those of BERT do and those of RoBERTa do not.
///
/// # Errors
/// Returns an error if the tokenizer fails, `max_length` leaves no room for a word or for the stride of windows, or pairs are
/// not to be truncated.
pub fn encode<T: AsRef<str>>(
    tokenizer: &Tokenizer,
    config: &EncoderConfig,
    pairs: &[(T, Option<T>)],
    max_length: usize,
    long_texts: LongTexts,
) -> Result<EncodedTexts, InferError> {
    let has_pairs = pairs.iter().any(|(_, text_pair)| text_pair.is_some());
    if has_pairs && long_texts != LongTexts::Truncate {
        return Err(InferError::LongPairs { long_texts });
    }
    let texts = || pairs.iter().map(|(text, _)| text.as_ref()).collect::<Vec<&str>>();
    let one_each = |count: usize| Windows::new(vec![1; count], WindowPool::default());
    let (input_ids, windows) = match long_texts {
        LongTexts::Truncate if has_pairs => {
            let encoded = tokenizer.encode_pairs(pairs, max_length)?;
            return Ok(of_pairs(encoded, has_segments(tokenizer, config)));
        }
        LongTexts::Truncate => (tokenizer.encode_all(&texts(), max_length)?, one_each(pairs.len())),
        LongTexts::HeadTail => (tokenizer.encode_head_tail(&texts(), max_length)?, one_each(pairs.len())),
        LongTexts::Windows { stride, pool } => {
            let windows = tokenizer.encode_windows(&texts(), max_length, stride)?;
            let counts = windows.iter().map(Vec::len).collect();
            (windows.into_iter().flatten().collect(), Windows::new(counts, pool))
        }
    };
    Ok(EncodedTexts { input_ids, token_type_ids: Vec::new(), windows })
}

/// Returns one text, with or without a second one, as [`encode`], computed on this thread unless it is divided.
pub(crate) fn encode_one(
    tokenizer: &Tokenizer,
    config: &EncoderConfig,
    (text, text_pair): (&str, Option<&str>),
    max_length: usize,
    long_texts: LongTexts,
) -> Result<EncodedTexts, InferError> {
    if long_texts != LongTexts::Truncate {
        return encode(tokenizer, config, &[(text, text_pair)], max_length, long_texts);
    }
    let encoded = tokenizer.encode_pair(text, text_pair, max_length)?;
    Ok(of_pairs(vec![encoded], text_pair.is_some() && has_segments(tokenizer, config)))
}

fn of_pairs(encoded: Vec<Encoded>, has_segments: bool) -> EncodedTexts {
    let windows = Windows::new(vec![1; encoded.len()], WindowPool::default());
    let (input_ids, types) = encoded.into_iter().map(|one| (one.input_ids, one.token_type_ids)).unzip();
    EncodedTexts { input_ids, token_type_ids: if has_segments { types } else { Vec::new() }, windows }
}

/// Returns whether the model gets segments from the tokenizer.
pub(crate) fn has_segments(tokenizer: &Tokenizer, config: &EncoderConfig) -> bool {
    config.type_vocab_size > 1 && tokenizer.has_type_ids()
}
