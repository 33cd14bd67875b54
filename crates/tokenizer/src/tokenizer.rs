//! The tokenizer.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use tokenizers::models::ModelWrapper;
use tokenizers::{Encoding, PostProcessor, Tokenizer as Inner, TruncationDirection};

use crate::catch_panic::catch_panic;
use crate::error::TokenizerError;
use crate::settings::Settings;
use crate::vocabulary;

/// The number of bytes of a longer text that are tokenized first; more are tokenized only if these do not fill the
/// maximum length.
const LONG_TEXT: usize = 16 * 1024;
/// The number of bytes before a cut whose tokens may differ from those of the whole text, because a word or an added
/// token is cut.
const MARGIN: usize = 4 * 1024;

/// Texts on which a new tokenizer is tested.
const TRIALS: [&str; 2] = ["", "A b."];
/// The message if the library panics.
const DAMAGED: &str = "the tokenizer is damaged: its parts are inconsistent";

/// A Hugging Face tokenizer without truncation and padding of its own. Cloning is cheap.
#[derive(Clone)]
pub struct Tokenizer {
    pub(crate) inner: Arc<Inner>,
    pad_id: u32,
    ids: usize,
    pub(crate) truncates_left: bool,
    model_max_length: Option<usize>,
}

impl Tokenizer {
    /// Reads `tokenizer.json` in `folder` or, if it does not exist, `vocab.txt`.
    ///
    /// `tokenizer_config.json`, `special_tokens_map.json` and `added_tokens.json` change it as in transformers: where
    /// `do_lower_case`, `strip_accents` or `tokenize_chinese_chars` differ from `tokenizer.json`, the fields count.
    ///
    /// # Errors
    /// Returns an error if both are missing, a file cannot be read or parsed, a field has a value that is not supported, or
    /// the parts are inconsistent: the vocabulary has no `[PAD]`, ids are far above the number of entries, or a part fails on
    /// simple texts.
    pub fn from_folder(folder: &Path) -> Result<Self, TokenizerError> {
        let (json, vocab) = (folder.join("tokenizer.json"), folder.join("vocab.txt"));
        if !json.is_file() && !vocab.is_file() {
            return Err(TokenizerError::Missing { folder: folder.into() });
        }
        let settings = Settings::from_folder(folder)?;
        match json.is_file() {
            true => Self::from_json(&read(&json)?, &json, &settings),
            false => Self::new(vocabulary::from_file(&vocab, &settings)?, &settings),
        }
    }

    /// Parses the content of a `tokenizer.json`.
    ///
    /// # Errors
    /// See [`from_folder`](Self::from_folder).
    pub fn from_json_bytes(json: &[u8]) -> Result<Self, TokenizerError> {
        Self::from_json(json, Path::new("tokenizer.json"), &Settings::default())
    }

    /// Creates BERT's WordPiece tokenizer for `vocabulary`, in the order of ids.
    ///
    /// # Errors
    /// Returns an error if `[PAD]`, `[UNK]`, `[CLS]` or `[SEP]` is missing.
    pub fn wordpiece(vocabulary: Vec<String>, lowercase: bool) -> Result<Self, TokenizerError> {
        let settings = Settings::lowercased(lowercase);
        Self::new(vocabulary::wordpiece(vocabulary, &settings)?, &settings)
    }

    fn from_json(json: &[u8], path: &Path, settings: &Settings) -> Result<Self, TokenizerError> {
        let invalid = |reason: String| TokenizerError::Invalid { path: path.into(), reason };
        // The library panics on some input that is not JSON, so parse it first.
        parse::<serde::de::IgnoredAny>(json, path)?;
        let changed = settings.with_normalizer(json)?;
        let json = changed.as_deref().unwrap_or(json);
        let inner = catch_panic(|| Inner::from_bytes(json)).ok_or_else(|| invalid(DAMAGED.into()))?;
        let inner = inner.map_err(|error| invalid(error.to_string()))?;
        Self::new(inner, settings).map_err(|error| match error {
            TokenizerError::Invalid { .. } => error,
            error => invalid(error.to_string()),
        })
    }

    fn new(mut inner: Inner, settings: &Settings) -> Result<Self, TokenizerError> {
        settings.apply(&mut inner)?;
        let left = inner.get_truncation().is_some_and(|file| file.direction == TruncationDirection::Left);
        // Files contain truncation and padding of their own, often to 128 tokens. Only the side counts.
        inner.with_truncation(None).map_err(|error| TokenizerError::Encode(error.to_string()))?;
        inner.with_padding(None);
        let pad_id = inner.token_to_id("[PAD]").ok_or(TokenizerError::SpecialToken { token: "[PAD]" })?;
        let entries = inner.get_vocab(true);
        let greatest = entries.iter().max_by_key(|(_, id)| **id);
        let ids = greatest.map_or(0, |(_, id)| *id as usize + 1);
        // Some files have gaps between ids, which the library iterates over when it writes a file.
        if let Some((token, id)) = greatest.filter(|_| ids > 2 * entries.len() + 1024) {
            return Err(TokenizerError::Id { token: token.clone(), id: *id, entries: entries.len() });
        }
        let (truncates_left, model_max_length) = (settings.truncates_left.unwrap_or(left), settings.model_max_length);
        let tokenizer = Self { inner: Arc::new(inner), pad_id, ids, truncates_left, model_max_length };
        for text in TRIALS {
            if let Some(id) = tokenizer.encode(text, usize::MAX)?.into_iter().find(|id| *id as usize >= ids) {
                return Err(TokenizerError::Encode(format!(
                    "a special token has the id {id}, which is not in the vocabulary"
                )));
            }
        }
        Ok(tokenizer)
    }

    /// Returns the number of entries, including added tokens.
    pub fn vocab_size(&self) -> usize {
        self.inner.get_vocab_size(true)
    }

    /// Returns one more than the greatest id. It equals `vocab_size` unless the vocabulary has gaps.
    pub fn ids(&self) -> usize {
        self.ids
    }

    /// Returns the id of `[PAD]`.
    pub fn pad_id(&self) -> u32 {
        self.pad_id
    }

    /// Returns the maximum number of tokens per text that the files give (`model_max_length`). It says what a model was
    /// trained with or has positions for; the caller decides how long texts may be.
    pub fn model_max_length(&self) -> Option<usize> {
        self.model_max_length
    }

    /// Returns the ids of one text: `[CLS]`, at most `max_length - 2` word pieces from its start, `[SEP]`. With the setting
    /// `truncation_side: left`, the word pieces are those at its end.
    ///
    /// # Errors
    /// Returns an error if `max_length` leaves no room for a word, or the tokenizer fails on the text.
    pub fn encode(&self, text: &str, max_length: usize) -> Result<Vec<u32>, TokenizerError> {
        let room = self.room(max_length)?;
        let mut length = LONG_TEXT;
        loop {
            let head = self.head(text, length);
            if head.len() == text.len() {
                return self.finish(caught(|| self.inner.encode_fast(text, false))?, room);
            }
            let encoding = caught(|| self.inner.encode(head, false))?;
            if certain(&encoding, head) >= room {
                return self.finish(encoding, room);
            }
            length *= 4;
        }
    }

    /// Returns the ids of many texts in their order, computed on all cores.
    ///
    /// # Errors
    /// See [`encode`](Self::encode).
    pub fn encode_all<T: AsRef<str>>(&self, texts: &[T], max_length: usize) -> Result<Vec<Vec<u32>>, TokenizerError> {
        let room = self.room(max_length)?;
        let heads: Vec<&str> = texts.iter().map(|text| self.head(text.as_ref(), LONG_TEXT)).collect();
        let whole = |head: &str, text: &T| head.len() == text.as_ref().len();
        let encodings = match heads.iter().zip(texts).all(|(head, text)| whole(head, text)) {
            true => caught(|| self.inner.encode_batch_fast(heads.clone(), false))?,
            false => caught(|| self.inner.encode_batch(heads.clone(), false))?,
        };
        let each = encodings.into_iter().zip(texts).zip(heads);
        each.map(|((encoding, text), head)| match whole(head, text) || certain(&encoding, head) >= room {
            true => self.finish(encoding, room),
            false => self.encode(text.as_ref(), max_length),
        })
        .collect()
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
        let texts: Vec<&str> = texts.iter().map(AsRef::as_ref).collect();
        let encodings = caught(|| self.inner.encode_batch_fast(texts, false))?;
        Ok(encodings.iter().map(|encoding| encoding.len() + self.special()).collect())
    }

    /// Returns the id of an entry, for example `[MASK]`.
    pub fn id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }

    /// Returns the id that stands for unknown words, if the tokenizer has one: `[UNK]` of most models.
    pub fn unk_id(&self) -> Option<u32> {
        match self.inner.get_model() {
            ModelWrapper::WordPiece(model) => self.id(&model.unk_token),
            ModelWrapper::WordLevel(model) => self.id(&model.unk_token),
            ModelWrapper::BPE(model) => model.unk_token.as_deref().and_then(|token| self.id(token)),
            // The field is private.
            ModelWrapper::Unigram(model) => serde_json::to_value(model).ok()?["unk_id"].as_u64()?.try_into().ok(),
        }
    }

    /// Returns the entry of an id.
    pub fn token(&self, id: u32) -> Option<String> {
        self.inner.id_to_token(id)
    }

    /// Returns all entries, in the order of their ids.
    pub fn vocabulary(&self) -> Vec<String> {
        let mut entries: Vec<(String, u32)> = self.inner.get_vocab(true).into_iter().collect();
        entries.sort_by_key(|(_, id)| *id);
        entries.into_iter().map(|(token, _)| token).collect()
    }

    /// Returns the sorted ids of special tokens: `[PAD]`, `[UNK]`, `[CLS]`, `[SEP]`, `[MASK]` and others.
    pub fn special_ids(&self) -> Vec<u32> {
        let added = self.inner.get_added_tokens_decoder();
        let added = added.into_iter().filter(|(_, token)| token.special).map(|(id, _)| id);
        let named = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"].into_iter().filter_map(|token| self.id(token));
        let mut ids: Vec<u32> = added.chain(named).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// Converts ids to text; with `skip_special`, without special tokens.
    ///
    /// # Errors
    /// Returns an error if the tokenizer fails.
    pub fn decode(&self, ids: &[u32], skip_special: bool) -> Result<String, TokenizerError> {
        caught(|| self.inner.decode(ids, skip_special))
    }

    /// Returns the content of a `tokenizer.json` for this tokenizer.
    ///
    /// # Errors
    /// Returns an error if a part of it cannot be serialized.
    pub fn to_json(&self) -> Result<String, TokenizerError> {
        self.inner.to_string(true).map_err(refused)
    }

    /// Returns how many word pieces fit in addition to the special tokens.
    fn room(&self, max_length: usize) -> Result<usize, TokenizerError> {
        let special = self.special();
        match max_length.checked_sub(special) {
            None | Some(0) => Err(TokenizerError::MaxLength { max_length, special }),
            Some(room) => Ok(room),
        }
    }

    /// Returns the number of special tokens that every text gets.
    fn special(&self) -> usize {
        self.inner.get_post_processor().map_or(0, |processor| processor.added_tokens(false))
    }

    /// Returns the first `length` bytes of a text, or all of it if its end is needed.
    fn head<'a>(&self, text: &'a str, length: usize) -> &'a str {
        if self.truncates_left { text } else { &text[..text.floor_char_boundary(length)] }
    }

    fn finish(&self, mut encoding: Encoding, room: usize) -> Result<Vec<u32>, TokenizerError> {
        let side = if self.truncates_left { TruncationDirection::Left } else { TruncationDirection::Right };
        encoding.truncate(room, 0, side);
        Ok(caught(|| self.inner.post_process(encoding, None, true))?.get_ids().to_vec())
    }
}

/// Without the vocabulary, which has tens of thousands of entries.
impl fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Tokenizer");
        shown.field("vocab_size", &self.vocab_size()).field("pad_id", &self.pad_id).finish_non_exhaustive()
    }
}

/// Returns how many tokens of a text's head are also those of the whole text: those of words that end well before the
/// cut.
fn certain(encoding: &Encoding, head: &str) -> usize {
    let (words, ends) = (encoding.get_word_ids(), encoding.get_offsets());
    let end = head.len().saturating_sub(MARGIN);
    let Some(first) = ends.iter().position(|&(_, last)| last > end) else { return ends.len() };
    words[..first].iter().rposition(|word| *word != words[first]).map_or(0, |last| last + 1)
}

/// Calls the library, which panics on some damaged files.
fn caught<T>(work: impl FnOnce() -> tokenizers::Result<T>) -> Result<T, TokenizerError> {
    catch_panic(work).ok_or_else(|| TokenizerError::Encode(DAMAGED.into()))?.map_err(refused)
}

fn refused(error: tokenizers::Error) -> TokenizerError {
    TokenizerError::Encode(error.to_string())
}

/// The first line of a Git LFS pointer, which lies in place of a file that was not downloaded.
const LFS_POINTER: &[u8] = b"version https://git-lfs.github.com/spec/";

pub(crate) fn read(path: &Path) -> Result<Vec<u8>, TokenizerError> {
    let bytes = std::fs::read(path).map_err(|source| TokenizerError::Io { path: path.into(), source })?;
    match bytes.starts_with(LFS_POINTER) {
        true => Err(TokenizerError::LfsPointer { path: path.into() }),
        false => Ok(bytes),
    }
}

/// Parses the content of a JSON file.
pub(crate) fn parse<'a, T: serde::Deserialize<'a>>(json: &'a [u8], path: &Path) -> Result<T, TokenizerError> {
    serde_json::from_slice(json)
        .map_err(|error| TokenizerError::Invalid { path: path.into(), reason: error.to_string() })
}
