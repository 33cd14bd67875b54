//! Texts and pairs of texts to ids.

use tokenizers::utils::truncation::truncate_encodings;
use tokenizers::{Encoding, PostProcessor, TruncationDirection, TruncationParams, TruncationStrategy};

use crate::batch::Side;
use crate::error::TokenizerError;
use crate::tokenizer::{Tokenizer, caught};

/// The number of bytes of a longer text that are tokenized first; more are tokenized only if these do not fill the
/// maximum length.
const LONG_TEXT: usize = 16 * 1024;
/// The number of bytes before a cut whose tokens may differ from those of the whole text, because a word or an added
/// token is cut.
const MARGIN: usize = 4 * 1024;

/// A text or a pair of texts as token ids, with what transformers knows of each token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Encoded {
    /// The token ids.
    pub input_ids: Vec<u32>,
    /// The segment of each token as the template of the tokenizer says, mostly 0 for the first text and 1 for the second.
    /// See [`Tokenizer::has_type_ids`] for whether the model reads them.
    pub token_type_ids: Vec<u32>,
    /// 1 for a special token that the template adds, 0 for a token of a text.
    pub special_tokens_mask: Vec<u32>,
}

/// The tokens of a text, without special tokens.
struct Pieces {
    encoding: Encoding,
    /// Whether these are all; otherwise they fill the maximum length.
    whole: bool,
}

impl Tokenizer {
    /// Returns the ids of one text with its special tokens: for BERT `[CLS]`, at most `max_length - 2` word pieces from its
    /// start, `[SEP]`. With the setting `truncation_side: left`, the pieces are those at its end.
    ///
    /// # Errors
    /// Returns an error if `max_length` leaves no room for a word, or the tokenizer fails on the text.
    pub fn encode(&self, text: &str, max_length: usize) -> Result<Vec<u32>, TokenizerError> {
        let room = self.room(max_length, false)?;
        let pieces = self.pieces(text, room)?;
        Ok(self.finish(pieces.encoding, None, room)?.get_ids().to_vec())
    }

    /// Returns the ids of many texts in their order, computed on all cores.
    ///
    /// # Errors
    /// See [`encode`](Self::encode).
    pub fn encode_all<T: AsRef<str>>(&self, texts: &[T], max_length: usize) -> Result<Vec<Vec<u32>>, TokenizerError> {
        let room = self.room(max_length, false)?;
        let pieces = self.many_pieces(texts.iter().map(AsRef::as_ref).collect(), room)?;
        let ids = |pieces: Pieces| Ok(self.finish(pieces.encoding, None, room)?.get_ids().to_vec());
        pieces.into_iter().map(ids).collect()
    }

    /// Returns a text, or a pair of texts joined by the template of the tokenizer, as at most `max_length` tokens. A longer
    /// pair is truncated as transformers' `longest_first` does it.
    ///
    /// # Errors
    /// Returns an error if `max_length` leaves no room for a word, or the tokenizer fails on a text.
    pub fn encode_pair(
        &self,
        text: &str,
        text_pair: Option<&str>,
        max_length: usize,
    ) -> Result<Encoded, TokenizerError> {
        let room = self.room(max_length, text_pair.is_some())?;
        let first = self.pieces(text, room)?;
        let Some(text_pair) = text_pair else { return Ok(Encoded::from(self.finish(first.encoding, None, room)?)) };
        let second = self.pieces(text_pair, room)?;
        self.join((text, first), (text_pair, second), room)
    }

    /// Returns many texts, each with or without a second one, in their order, tokenized on all cores.
    ///
    /// # Errors
    /// See [`encode_pair`](Self::encode_pair).
    pub fn encode_pairs<T: AsRef<str>>(
        &self,
        pairs: &[(T, Option<T>)],
        max_length: usize,
    ) -> Result<Vec<Encoded>, TokenizerError> {
        let has_pairs = pairs.iter().any(|(_, text_pair)| text_pair.is_some());
        let rooms = [self.room(max_length, false)?, if has_pairs { self.room(max_length, true)? } else { 0 }];
        let firsts = self.many_pieces(pairs.iter().map(|(text, _)| text.as_ref()).collect(), rooms[0])?;
        let seconds = pairs.iter().filter_map(|(_, text)| Some(text.as_ref()?.as_ref()));
        let mut seconds = self.many_pieces(seconds.collect(), rooms[1])?.into_iter();
        let mut encoded = Vec::with_capacity(pairs.len());
        for ((text, text_pair), first) in pairs.iter().zip(firsts) {
            encoded.push(match text_pair.as_ref().zip(text_pair.as_ref().and_then(|_| seconds.next())) {
                Some((text_pair, second)) => {
                    self.join((text.as_ref(), first), (text_pair.as_ref(), second), rooms[1])?
                }
                None => self.finish(first.encoding, None, rooms[0])?.into(),
            });
        }
        Ok(encoded)
    }

    /// Returns the word pieces of many texts in their order, computed on all cores, without truncation and special
    /// tokens.
    ///
    /// # Errors
    /// Returns an error if the tokenizer fails.
    pub fn pieces_all<T: AsRef<str>>(&self, texts: &[T]) -> Result<Vec<Vec<u32>>, TokenizerError> {
        let texts: Vec<&str> = texts.iter().map(AsRef::as_ref).collect();
        let encodings = caught(|| self.inner.encode_batch_fast(texts, false))?;
        Ok(encodings.iter().map(|encoding| encoding.get_ids().to_vec()).collect())
    }

    /// Returns the number of tokens of many texts in their order, computed on all cores. Texts are not truncated, and
    /// special tokens count, so [`encode`](Self::encode) does not truncate a text of at most `max_length` tokens.
    ///
    /// # Errors
    /// Returns an error if the tokenizer fails.
    pub fn lengths_all<T: AsRef<str>>(&self, texts: &[T]) -> Result<Vec<usize>, TokenizerError> {
        let texts: Vec<(&str, Option<&str>)> = texts.iter().map(|text| (text.as_ref(), None)).collect();
        self.pair_lengths_all(&texts)
    }

    /// Returns the number of tokens of many texts, each with or without a second one, as [`lengths_all`](Self::lengths_all).
    ///
    /// # Errors
    /// Returns an error if the tokenizer fails.
    pub fn pair_lengths_all<T: AsRef<str>>(&self, pairs: &[(T, Option<T>)]) -> Result<Vec<usize>, TokenizerError> {
        let texts = pairs.iter().flat_map(|(text, text_pair)| [Some(text), text_pair.as_ref()]).flatten();
        let encodings = caught(|| self.inner.encode_batch_fast(texts.map(AsRef::as_ref).collect(), false))?;
        let mut lengths = encodings.iter().map(|encoding| encoding.len());
        let mut length = |(_, text_pair): &(T, Option<T>)| {
            let pieces: usize = lengths.by_ref().take(1 + usize::from(text_pair.is_some())).sum();
            pieces + self.special_tokens_per_text(text_pair.is_some())
        };
        Ok(pairs.iter().map(&mut length).collect())
    }

    /// Returns the number of special tokens that every text gets, or every `pair` of texts.
    pub fn special_tokens_per_text(&self, pair: bool) -> usize {
        self.inner.get_post_processor().map_or(0, |processor| processor.added_tokens(pair))
    }

    /// Returns the ids of a text from those of its pieces, with the special tokens before and after them.
    pub fn with_special_tokens(&self, pieces: &[u32]) -> Vec<u32> {
        [&self.special.before, pieces, &self.special.after].concat()
    }

    /// Returns how many pieces fit in addition to the special tokens.
    pub(crate) fn room(&self, max_length: usize, pair: bool) -> Result<usize, TokenizerError> {
        let special = self.special_tokens_per_text(pair);
        match max_length.checked_sub(special) {
            None | Some(0) => Err(TokenizerError::MaxLength { max_length, special }),
            Some(room) => Ok(room),
        }
    }

    /// Returns the pieces of a text, or at least `room` of them.
    fn pieces(&self, text: &str, room: usize) -> Result<Pieces, TokenizerError> {
        let mut length = LONG_TEXT;
        loop {
            let head = self.head(text, length);
            if head.len() == text.len() {
                let encoding = caught(|| self.inner.encode_fast(text, false))?;
                return Ok(Pieces { encoding, whole: true });
            }
            let encoding = caught(|| self.inner.encode(head, false))?;
            if let Some(pieces) = certain(encoding, head, room) {
                return Ok(pieces);
            }
            length *= 4;
        }
    }

    /// Returns the [`pieces`](Self::pieces) of many texts, computed on all cores.
    fn many_pieces(&self, texts: Vec<&str>, room: usize) -> Result<Vec<Pieces>, TokenizerError> {
        let heads: Vec<&str> = texts.iter().map(|text| self.head(text, LONG_TEXT)).collect();
        let whole = |head: &str, text: &str| head.len() == text.len();
        let encodings = match heads.iter().zip(&texts).all(|(head, text)| whole(head, text)) {
            true => caught(|| self.inner.encode_batch_fast(heads.clone(), false))?,
            false => caught(|| self.inner.encode_batch(heads.clone(), false))?,
        };
        let each = encodings.into_iter().zip(texts).zip(heads);
        each.map(|((encoding, text), head)| match whole(head, text) {
            true => Ok(Pieces { encoding, whole: true }),
            false => certain(encoding, head, room).map_or_else(|| self.pieces(text, room), Ok),
        })
        .collect()
    }

    /// Returns the first `length` bytes of a text, or all of it if its end is needed.
    fn head<'a>(&self, text: &'a str, length: usize) -> &'a str {
        match self.truncation_side {
            Side::Left => text,
            Side::Right => &text[..text.floor_char_boundary(length)],
        }
    }

    /// Joins two texts, given with their pieces.
    fn join(
        &self,
        (text, mut first): (&str, Pieces),
        (text_pair, mut second): (&str, Pieces),
        room: usize,
    ) -> Result<Encoded, TokenizerError> {
        // If the room is odd, the longer text gets one token more, so which one that is must be known.
        let longer =
            |long: &Pieces, other: &Pieces| long.whole || other.whole && other.encoding.len() < long.encoding.len();
        if room % 2 == 1 && !(longer(&first, &second) && longer(&second, &first)) {
            for (pieces, text) in [(&mut first, text), (&mut second, text_pair)] {
                pieces.encoding = caught(|| self.inner.encode_fast(text, false))?;
            }
        }
        Ok(self.finish(first.encoding, Some(second.encoding), room)?.into())
    }

    /// Returns the side from which truncation removes tokens.
    pub(crate) fn direction(&self) -> TruncationDirection {
        match self.truncation_side {
            Side::Left => TruncationDirection::Left,
            Side::Right => TruncationDirection::Right,
        }
    }

    /// Truncates one or two texts to so many tokens, and adds the special tokens.
    pub(crate) fn finish(
        &self,
        text: Encoding,
        pair: Option<Encoding>,
        room: usize,
    ) -> Result<Encoding, TokenizerError> {
        let strategy = TruncationStrategy::LongestFirst;
        let params = TruncationParams { direction: self.direction(), max_length: room, strategy, stride: 0 };
        caught(|| {
            let (text, pair) = truncate_encodings(text, pair, &params)?;
            self.inner.post_process(text, pair, true)
        })
    }
}

impl From<Encoding> for Encoded {
    fn from(encoding: Encoding) -> Self {
        Self {
            input_ids: encoding.get_ids().to_vec(),
            token_type_ids: encoding.get_type_ids().to_vec(),
            special_tokens_mask: encoding.get_special_tokens_mask().to_vec(),
        }
    }
}

/// Returns the tokens of a text's head that are also those of the whole text, if they are at least `room`: those of words that
/// end well before the cut.
fn certain(mut encoding: Encoding, head: &str, room: usize) -> Option<Pieces> {
    let (words, ends) = (encoding.get_word_ids(), encoding.get_offsets());
    let end = head.len().saturating_sub(MARGIN);
    let tokens = match ends.iter().position(|&(_, last)| last > end) {
        Some(first) => words[..first].iter().rposition(|word| *word != words[first]).map_or(0, |last| last + 1),
        None => ends.len(),
    };
    (tokens >= room).then(|| {
        encoding.truncate(tokens, 0, TruncationDirection::Right);
        Pieces { encoding, whole: false }
    })
}
