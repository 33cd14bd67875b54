//! Texts that are longer than a model reads: their head and tail, or all of them in windows.

use tokenizers::utils::truncation::truncate_encodings;
use tokenizers::{Encoding, TruncationParams, TruncationStrategy};

use crate::error::TokenizerError;
use crate::tokenizer::{Tokenizer, caught};

/// The proportion of head and tail in Sun et al. (2019), "How to Fine-Tune BERT for Text Classification?": 128 and 382 of 510
/// tokens.
const HEAD: usize = 128;
const HEAD_AND_TAIL: usize = 510;
/// Texts that are tokenized together, because all of their tokens are in memory.
const CHUNK: usize = 64;

impl Tokenizer {
    /// Returns the ids of many texts in their order, each as at most `max_length` tokens: of a longer text the first and the
    /// last tokens, in the proportion of 128 to 382 (Sun et al., 2019), the head rounded to the nearest number.
    ///
    /// # Errors
    /// See [`encode`](Self::encode).
    pub fn encode_head_tail<T: AsRef<str>>(
        &self,
        texts: &[T],
        max_length: usize,
    ) -> Result<Vec<Vec<u32>>, TokenizerError> {
        let room = self.room(max_length, false)?;
        let head = (room * HEAD + HEAD_AND_TAIL / 2) / HEAD_AND_TAIL;
        let ids = |encoding: Encoding| match encoding.get_ids() {
            all if all.len() <= room => Ok(self.finish(encoding, None, room)?.get_ids().to_vec()),
            all => Ok(self.with_special_tokens(&[&all[..head], &all[all.len() - (room - head)..]].concat())),
        };
        self.whole(texts, ids)
    }

    /// Returns the windows of many texts in their order: all tokens of a text in sequences of at most `max_length` tokens, each
    /// with special tokens, where `stride` tokens of the text overlap between a window and the next. These are the sequences of
    /// transformers' `return_overflowing_tokens` with this `stride`.
    ///
    /// # Errors
    /// Returns an error if `max_length` leaves no room for a word, the room is not larger than the stride, or the tokenizer
    /// fails on a text.
    pub fn encode_windows<T: AsRef<str>>(
        &self,
        texts: &[T],
        max_length: usize,
        stride: usize,
    ) -> Result<Vec<Vec<Vec<u32>>>, TokenizerError> {
        let room = self.room(max_length, false)?;
        if stride >= room {
            return Err(TokenizerError::Stride { stride, room });
        }
        let strategy = TruncationStrategy::LongestFirst;
        let params = TruncationParams { direction: self.direction(), max_length: room, strategy, stride };
        let windows = |encoding: Encoding| {
            let encoding = caught(|| {
                let (text, _) = truncate_encodings(encoding, None, &params)?;
                self.inner.post_process(text, None, true)
            })?;
            let all = std::iter::once(&encoding).chain(encoding.get_overflowing());
            Ok(all.map(|window| window.get_ids().to_vec()).collect())
        };
        self.whole(texts, windows)
    }

    /// Tokenizes whole texts on all cores, and converts the tokens of each, without special tokens.
    fn whole<T: AsRef<str>, W>(
        &self,
        texts: &[T],
        convert: impl Fn(Encoding) -> Result<W, TokenizerError>,
    ) -> Result<Vec<W>, TokenizerError> {
        let mut converted = Vec::with_capacity(texts.len());
        for texts in texts.chunks(CHUNK) {
            let texts: Vec<&str> = texts.iter().map(AsRef::as_ref).collect();
            let encodings = caught(|| self.inner.encode_batch_fast(texts, false))?;
            for encoding in encodings {
                converted.push(convert(encoding)?);
            }
        }
        Ok(converted)
    }
}
