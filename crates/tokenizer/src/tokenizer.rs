//! Text to token ids.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use tokenizers::{Encoding, PostProcessor, Tokenizer as Inner};

use crate::error::TokenizerError;
use crate::quiet;
use crate::vocabulary;

/// Of a longer text, so many bytes are tokenized first, and more only where they do not fill a sentence.
const LONG_TEXT: usize = 16 * 1024;
/// Bytes before a cut in which words may be others than in the whole text: a word that is cut, an added token.
const MARGIN: usize = 4 * 1024;

/// What a tokenizer is tried on before it is believed.
const TRIALS: [&str; 2] = ["", "A b."];
/// What is said where the library panics.
const DAMAGED: &str = "the tokenizer is damaged: its parts do not fit together";

/// A tokenizer of Hugging Face's, without truncation or padding of its own. Cloning is cheap.
#[derive(Clone)]
pub struct Tokenizer {
    inner: Arc<Inner>,
    pad_id: u32,
    ids: usize,
}

impl Tokenizer {
    /// Reads `tokenizer.json` in `folder`, or else `vocab.txt` with the settings of `tokenizer_config.json`, where
    /// there is one.
    ///
    /// # Errors
    /// When neither is there, a file cannot be read or parsed, or its parts do not belong together: the vocabulary has no
    /// `[PAD]`, ids far beyond its entries, or a part that fails on the plainest text.
    pub fn from_folder(folder: &Path) -> Result<Self, TokenizerError> {
        let (json, vocab) = (folder.join("tokenizer.json"), folder.join("vocab.txt"));
        if json.is_file() {
            Self::parse(&read(&json)?, &json)
        } else if vocab.is_file() {
            Self::new(vocabulary::from_files(&vocab, &folder.join("tokenizer_config.json"))?)
        } else {
            Err(TokenizerError::Missing { folder: folder.into() })
        }
    }

    /// Parses the text of a `tokenizer.json`.
    ///
    /// # Errors
    /// As [`from_folder`](Self::from_folder).
    pub fn from_json_bytes(json: &[u8]) -> Result<Self, TokenizerError> {
        Self::parse(json, Path::new("tokenizer.json"))
    }

    /// BERT's WordPiece over `vocabulary`, in the order of ids.
    ///
    /// # Errors
    /// When one of `[PAD]`, `[UNK]`, `[CLS]` and `[SEP]` is not in it.
    pub fn wordpiece(vocabulary: Vec<String>, lowercase: bool) -> Result<Self, TokenizerError> {
        let settings = vocabulary::Settings { do_lower_case: lowercase, ..vocabulary::Settings::default() };
        Self::new(vocabulary::wordpiece(vocabulary, &settings)?)
    }

    fn parse(json: &[u8], path: &Path) -> Result<Self, TokenizerError> {
        let invalid = |reason: String| TokenizerError::Invalid { path: path.into(), reason };
        // The library has its own way with what is no JSON: it panics at some of it.
        serde_json::from_slice::<serde::de::IgnoredAny>(json).map_err(|error| invalid(error.to_string()))?;
        let inner = quiet::catch(|| Inner::from_bytes(json)).ok_or_else(|| invalid(DAMAGED.into()))?;
        let inner = inner.map_err(|error| invalid(error.to_string()))?;
        Self::new(inner).map_err(|error| invalid(error.to_string()))
    }

    fn new(mut inner: Inner) -> Result<Self, TokenizerError> {
        // Files carry a truncation and a padding of their own, often 128.
        inner.with_truncation(None).map_err(|error| TokenizerError::Encode(error.to_string()))?;
        inner.with_padding(None);
        let pad_id = inner.token_to_id("[PAD]").ok_or(TokenizerError::SpecialToken { token: "[PAD]" })?;
        let entries = inner.get_vocab(true);
        let greatest = entries.iter().max_by_key(|(_, id)| **id);
        let ids = greatest.map_or(0, |(_, id)| *id as usize + 1);
        // Some files have gaps; whoever writes them walks over these.
        if let Some((token, id)) = greatest.filter(|_| ids > 2 * entries.len() + 1024) {
            return Err(TokenizerError::Id { token: token.clone(), id: *id, entries: entries.len() });
        }
        let tokenizer = Self { inner: Arc::new(inner), pad_id, ids };
        for text in TRIALS {
            if let Some(id) = tokenizer.encode(text, usize::MAX)?.into_iter().find(|id| *id as usize >= ids) {
                return Err(TokenizerError::Encode(format!("a special token has the id {id}, which no entry has")));
            }
        }
        Ok(tokenizer)
    }

    /// The number of entries, added tokens among them.
    pub fn vocab_size(&self) -> usize {
        self.inner.get_vocab_size(true)
    }

    /// One more than the greatest id, which is `vocab_size` but where a vocabulary has gaps.
    pub fn ids(&self) -> usize {
        self.ids
    }

    /// The id of `[PAD]`.
    pub fn pad_id(&self) -> u32 {
        self.pad_id
    }

    /// The ids of one text: `[CLS]`, at most `max_length - 2` word pieces from its start, `[SEP]`.
    ///
    /// # Errors
    /// When `max_length` leaves no room for a word, or the tokenizer refuses the text.
    pub fn encode(&self, text: &str, max_length: usize) -> Result<Vec<u32>, TokenizerError> {
        let room = self.room(max_length)?;
        let mut length = LONG_TEXT;
        loop {
            let head = head(text, length);
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

    /// The ids of many texts, in their order, on all cores.
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    pub fn encode_all<T: AsRef<str>>(&self, texts: &[T], max_length: usize) -> Result<Vec<Vec<u32>>, TokenizerError> {
        let room = self.room(max_length)?;
        let heads: Vec<&str> = texts.iter().map(|text| head(text.as_ref(), LONG_TEXT)).collect();
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

    /// The word pieces of many texts, in their order, on all cores: nothing cut off, no special tokens added.
    ///
    /// # Errors
    /// When the tokenizer refuses a text.
    pub fn pieces_all<T: AsRef<str>>(&self, texts: &[T]) -> Result<Vec<Vec<u32>>, TokenizerError> {
        let texts: Vec<&str> = texts.iter().map(AsRef::as_ref).collect();
        let encodings = caught(|| self.inner.encode_batch_fast(texts, false))?;
        Ok(encodings.iter().map(|encoding| encoding.get_ids().to_vec()).collect())
    }

    /// How many tokens each of many texts has, in their order, on all cores: nothing cut off, special tokens counted, so
    /// that a text of at most `max_length` is one that [`encode`](Self::encode) leaves whole.
    ///
    /// # Errors
    /// When the tokenizer refuses a text.
    pub fn lengths_all<T: AsRef<str>>(&self, texts: &[T]) -> Result<Vec<usize>, TokenizerError> {
        let texts: Vec<&str> = texts.iter().map(AsRef::as_ref).collect();
        let encodings = caught(|| self.inner.encode_batch_fast(texts, false))?;
        Ok(encodings.iter().map(|encoding| encoding.len() + self.special()).collect())
    }

    /// The id of an entry, such as `[MASK]`.
    pub fn id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }

    /// The entry of an id.
    pub fn token(&self, id: u32) -> Option<String> {
        self.inner.id_to_token(id)
    }

    /// All entries, in the order of their ids.
    pub fn vocabulary(&self) -> Vec<String> {
        let mut entries: Vec<(String, u32)> = self.inner.get_vocab(true).into_iter().collect();
        entries.sort_by_key(|(_, id)| *id);
        entries.into_iter().map(|(token, _)| token).collect()
    }

    /// The ids that stand for no text: `[PAD]`, `[UNK]`, `[CLS]`, `[SEP]`, `[MASK]` and the like, sorted.
    pub fn special_ids(&self) -> Vec<u32> {
        let added = self.inner.get_added_tokens_decoder();
        let added = added.into_iter().filter(|(_, token)| token.special).map(|(id, _)| id);
        let named = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"].into_iter().filter_map(|token| self.id(token));
        let mut ids: Vec<u32> = added.chain(named).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// Ids back to text; with `skip_special`, without special tokens.
    ///
    /// # Errors
    /// When the tokenizer refuses.
    pub fn decode(&self, ids: &[u32], skip_special: bool) -> Result<String, TokenizerError> {
        caught(|| self.inner.decode(ids, skip_special))
    }

    /// The text of a `tokenizer_config.json` that `AutoTokenizer` wants beside `tokenizer.json`, for a model with so
    /// many positions.
    pub fn config_json(positions: usize) -> String {
        format!("{{\n  \"model_max_length\": {positions},\n  \"tokenizer_class\": \"DistilBertTokenizer\"\n}}\n")
    }

    /// The text of a `tokenizer.json` for this tokenizer.
    ///
    /// # Errors
    /// When a part of it cannot be written.
    pub fn to_json(&self) -> Result<String, TokenizerError> {
        self.inner.to_string(true).map_err(refused)
    }

    /// How many word pieces fit beside the special tokens.
    fn room(&self, max_length: usize) -> Result<usize, TokenizerError> {
        let special = self.special();
        match max_length.checked_sub(special) {
            None | Some(0) => Err(TokenizerError::MaxLength { max_length, special }),
            Some(room) => Ok(room),
        }
    }

    /// The tokens that every text gets.
    fn special(&self) -> usize {
        self.inner.get_post_processor().map_or(0, |processor| processor.added_tokens(false))
    }

    fn finish(&self, mut encoding: Encoding, room: usize) -> Result<Vec<u32>, TokenizerError> {
        encoding.truncate(room, 0, tokenizers::TruncationDirection::Right);
        Ok(caught(|| self.inner.post_process(encoding, None, true))?.get_ids().to_vec())
    }
}

/// Without its tens of thousands of entries.
impl fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Tokenizer");
        shown.field("vocab_size", &self.vocab_size()).field("pad_id", &self.pad_id).finish_non_exhaustive()
    }
}

/// So many bytes of a text, or all of it.
fn head(text: &str, length: usize) -> &str {
    &text[..text.floor_char_boundary(length)]
}

/// How many tokens of a text's head are those of the whole text: all of the words that end well before the cut.
fn certain(encoding: &Encoding, head: &str) -> usize {
    let (words, ends) = (encoding.get_word_ids(), encoding.get_offsets());
    let end = head.len().saturating_sub(MARGIN);
    let Some(first) = ends.iter().position(|&(_, last)| last > end) else { return ends.len() };
    words[..first].iter().rposition(|word| *word != words[first]).map_or(0, |last| last + 1)
}

/// Asks the library, which panics at some damaged files.
fn caught<T>(work: impl FnOnce() -> tokenizers::Result<T>) -> Result<T, TokenizerError> {
    quiet::catch(work).ok_or_else(|| TokenizerError::Encode(DAMAGED.into()))?.map_err(refused)
}

fn refused(error: tokenizers::Error) -> TokenizerError {
    TokenizerError::Encode(error.to_string())
}

pub(crate) fn read(path: &Path) -> Result<Vec<u8>, TokenizerError> {
    std::fs::read(path).map_err(|source| TokenizerError::Io { path: path.into(), source })
}
