//! The words of a text, and the tokens of each.

use std::ops::Range;

use crate::error::TokenizerError;
use crate::tokenizer::{Tokenizer, caught};

/// A word of a text: what the tokenizer divides into tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// The first byte of the word in the text.
    pub start: usize,
    /// The byte behind the word.
    pub end: usize,
    /// Its tokens among those of the text.
    pub tokens: Range<usize>,
}

/// A text as token ids, and its words in their order. Tokens of no word are special tokens that the template adds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EncodedWords {
    /// The token ids, as [`Tokenizer::encode`] returns them.
    pub input_ids: Vec<u32>,
    /// The words.
    pub words: Vec<Word>,
    /// Whether tokens are left out, because there are more than the maximum length.
    pub is_truncated: bool,
}

impl Tokenizer {
    /// Returns the ids of a text as [`encode`](Self::encode), and the place of each word in the text.
    ///
    /// # Errors
    /// See [`encode`](Self::encode).
    pub fn encode_words(&self, text: &str, max_length: usize) -> Result<EncodedWords, TokenizerError> {
        let room = self.room(max_length, false)?;
        let whole = caught(|| self.inner.encode(text, false))?;
        let is_truncated = whole.len() > room;
        let encoding = self.finish(whole, None, room)?;
        let mut words: Vec<Word> = Vec::new();
        let mut last = None;
        let tokens = encoding.get_word_ids().iter().zip(encoding.get_offsets());
        for (token, (word, &(start, end))) in tokens.enumerate() {
            if encoding.get_special_tokens_mask()[token] == 1 {
                last = None;
                continue;
            }
            match words.last_mut().filter(|_| word.is_some() && last == *word) {
                Some(current) => {
                    current.tokens.end = token + 1;
                    (current.start, current.end) = (current.start.min(start), current.end.max(end));
                }
                None => words.push(Word { start, end, tokens: token..token + 1 }),
            }
            last = *word;
        }
        words.iter_mut().for_each(|word| trim(word, text));
        Ok(EncodedWords { input_ids: encoding.get_ids().to_vec(), words, is_truncated })
    }
}

/// Moves the ends of a word to whole characters, and off the white space that belongs to its first token in some vocabularies.
fn trim(word: &mut Word, text: &str) {
    let (start, end) = (text.floor_char_boundary(word.start), text.ceil_char_boundary(word.end));
    let span = &text[start.min(end)..end];
    word.start = start.min(end) + (span.len() - span.trim_start().len());
    word.end = word.start + span.trim().len();
}
