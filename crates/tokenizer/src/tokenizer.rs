//! The tokenizer.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use tokenizers::{ModelWrapper, PaddingDirection, Tokenizer as Inner, TruncationDirection};

use crate::batch::Side;
use crate::catch_panic::catch_panic;
use crate::class::Class;
use crate::error::TokenizerError;
use crate::fields::{parse, read};
use crate::pipeline;
use crate::role::Role;
use crate::settings::Settings;
use crate::special::SpecialTokens;
use crate::vocabulary;

/// Texts on which a new tokenizer is tested.
const TRIALS: [&str; 2] = ["", "A b."];
/// The models of SentencePiece in repositories of the hub.
const SENTENCEPIECE: [&str; 4] = ["sentencepiece.bpe.model", "spiece.model", "spm.model", "tokenizer.model"];

/// A Hugging Face tokenizer without truncation and padding of its own. Cloning is cheap.
#[derive(Clone)]
pub struct Tokenizer {
    pub(crate) inner: Arc<Inner>,
    pub(crate) special: SpecialTokens,
    pad_id: u32,
    ids: usize,
    pub(crate) truncation_side: Side,
    pub(crate) padding_side: Side,
    model_max_length: Option<usize>,
    has_type_ids: bool,
}

/// What a `tokenizer.json` says of its model and cannot be asked of the library.
#[derive(Default, Deserialize)]
struct Parts {
    #[serde(default)]
    model: ModelParts,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ModelParts {
    unk_id: serde_json::Value,
    unk_token: serde_json::Value,
}

impl Tokenizer {
    /// Reads `tokenizer.json` in `folder` or, if it does not exist, `vocab.txt`, or `vocab.json` and `merges.txt`.
    ///
    /// `tokenizer_config.json`, `special_tokens_map.json`, `added_tokens.json` and the `model_type` of `config.json` count as
    /// in transformers 5. For BERT and MPNet, `do_lower_case`, `strip_accents` and `tokenize_chinese_chars`, or else
    /// their defaults (lower case, as lower case says, true), come before what `tokenizer.json` says. The classes of RoBERTa, XLM-RoBERTa, CamemBERT, ALBERT and DeBERTa-v2 build their own parts
    /// around its vocabulary. All other classes follow `tokenizer.json`.
    ///
    /// # Errors
    /// Returns an error if there is no vocabulary, a file cannot be read or parsed, a field has a value that is not supported,
    /// or the parts are inconsistent: no padding token, ids far above the number of entries, or a part that fails on simple
    /// texts.
    pub fn from_folder(folder: &Path) -> Result<Self, TokenizerError> {
        let file = |name: &str| Some(folder.join(name)).filter(|path| path.is_file());
        if let Some(json) = file("tokenizer.json") {
            let settings = Settings::from_folder(folder)?;
            return Self::from_json(&read(&json)?, &json, &settings);
        }
        let (text, vocab, merges) = (file("vocab.txt"), file("vocab.json"), file("merges.txt"));
        if text.is_none() && (vocab.is_none() || merges.is_none()) {
            return Err(missing(folder, vocab.or(merges)));
        }
        let mut settings = Settings::from_folder(folder)?;
        let reads_json = text.is_none() || matches!(settings.class, Some(Class::Roberta | Class::Gpt2));
        let (inner, path) = match (text, vocab.zip(merges)) {
            (_, Some((vocab, merges))) if reads_json => {
                (vocabulary::from_vocab_json(&vocab, &merges, &settings)?, vocab)
            }
            (Some(text), _) => (vocabulary::from_vocab_txt(&text, &mut settings)?, text),
            _ => return Err(missing(folder, None)),
        };
        Self::new(inner, &settings, ModelParts::default(), true).map_err(|error| error.in_file(&path))
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
        Self::new(vocabulary::wordpiece(vocabulary, &settings)?, &settings, ModelParts::default(), true)
    }

    fn from_json(json: &[u8], path: &Path, settings: &Settings) -> Result<Self, TokenizerError> {
        let invalid = |reason: String| TokenizerError::Invalid { path: path.into(), reason };
        // The library panics on some input that is not JSON, so parse it first.
        parse::<serde::de::IgnoredAny>(json, path)?;
        let parts = serde_json::from_slice::<Parts>(json).unwrap_or_default().model;
        let changed = settings.with_normalizer(json)?;
        let json = changed.as_deref().unwrap_or(json);
        let inner = catch_panic(|| Inner::from_bytes(json)).map_err(|panic| invalid(damaged(&panic)))?;
        let inner = inner.map_err(|error| invalid(error.to_string()))?;
        let rebuilds = settings.class.is_some_and(|class| class.rebuilds(inner.get_model()));
        Self::new(inner, settings, parts, rebuilds).map_err(|error| error.in_file(path))
    }

    /// If the class `builds` its parts, they replace those of `inner`.
    fn new(mut inner: Inner, settings: &Settings, model: ModelParts, builds: bool) -> Result<Self, TokenizerError> {
        let class = settings.class.filter(|_| builds);
        if let Some(class) = class {
            let unk_id = model.unk_id.as_u64().map(|id| id as usize);
            pipeline::build(&mut inner, class, settings, unk_id)?;
        }
        settings.apply(&mut inner, builds)?;
        if let Some(class) = class {
            pipeline::build_post_processor(&mut inner, class, settings)?;
        }
        if inner.get_post_processor().is_none() {
            inner.with_post_processor(Some(pipeline::segments()?));
        }
        let left = inner.get_truncation().is_some_and(|file| file.direction == TruncationDirection::Left);
        let padding = inner.get_padding().cloned();
        // Files contain truncation and padding of their own, often to 128 tokens. Only the side counts.
        inner.with_truncation(None).map_err(TokenizerError::library)?;
        inner.with_padding(None);
        let pads_left = padding.as_ref().is_some_and(|file| matches!(file.direction, PaddingDirection::Left));
        let unknown = model.unknown(&inner);
        let special = SpecialTokens::find(&inner, settings, unknown, padding.map(|file| file.pad_token));
        let pad_id = special.id(Role::Pad).ok_or_else(|| settings.missing(Role::Pad))?;
        let entries = inner.get_vocab(true);
        let greatest = entries.iter().max_by_key(|(_, id)| **id);
        let ids = greatest.map_or(0, |(_, id)| *id as usize + 1);
        // Some files have gaps between ids, which the library iterates over when it writes a file.
        if let Some((token, id)) = greatest.filter(|_| ids > 2 * entries.len() + 1024) {
            return Err(TokenizerError::Id { token: token.clone(), id: *id, entries: entries.len() });
        }
        let tokenizer = Self {
            inner: Arc::new(inner),
            special,
            pad_id,
            ids,
            truncation_side: settings.truncation_side.unwrap_or(Side::left_if(left)),
            padding_side: settings.padding_side.unwrap_or(Side::left_if(pads_left)),
            model_max_length: settings.model_max_length,
            has_type_ids: settings.has_type_ids,
        };
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

    /// Returns the id of the padding token, `[PAD]` for BERT.
    pub fn pad_id(&self) -> u32 {
        self.pad_id
    }

    /// Returns the id of the token for what the vocabulary does not have, `[UNK]` for BERT, if there is one.
    pub fn unk_id(&self) -> Option<u32> {
        self.special.id(Role::Unk)
    }

    /// Returns the id of the token of masked words, `[MASK]` for BERT, if there is one.
    pub fn mask_id(&self) -> Option<u32> {
        self.special.id(Role::Mask)
    }

    /// Returns the id of the token that starts a text, `[CLS]` for BERT and `<s>` for RoBERTa, if there is one.
    pub fn cls_id(&self) -> Option<u32> {
        self.special.id(Role::Cls).or(self.special.id(Role::Bos))
    }

    /// Returns the id of the token that ends a text, `[SEP]` for BERT and `</s>` for RoBERTa, if there is one.
    pub fn sep_id(&self) -> Option<u32> {
        self.special.id(Role::Sep).or(self.special.id(Role::Eos))
    }

    /// Returns the side at which the files say to pad a batch (`padding_side`).
    pub fn padding_side(&self) -> Side {
        self.padding_side
    }

    /// Returns whether transformers gives `token_type_ids` to the model (`model_input_names`).
    pub fn has_type_ids(&self) -> bool {
        self.has_type_ids
    }

    /// Returns the maximum number of tokens per text that the files give (`model_max_length`). It says what a model was
    /// trained with or has positions for; the caller decides how long texts may be.
    pub fn model_max_length(&self) -> Option<usize> {
        self.model_max_length
    }

    /// Returns the id of an entry, for example `[MASK]`.
    pub fn id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
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

    /// Returns the sorted ids of special tokens, such as `[PAD]`, `[UNK]`, `[CLS]`, `[SEP]` and `[MASK]` of BERT.
    pub fn special_ids(&self) -> Vec<u32> {
        let added = self.inner.get_added_tokens_decoder();
        let added = added.into_iter().filter(|(_, token)| token.special).map(|(id, _)| id);
        let mut ids: Vec<u32> = added.chain(self.special.ids()).collect();
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
        self.inner.to_string(true).map_err(TokenizerError::library)
    }
}

/// Without the vocabulary, which has tens of thousands of entries.
impl fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Tokenizer");
        shown.field("vocab_size", &self.vocab_size()).field("pad_id", &self.pad_id).finish_non_exhaustive()
    }
}

impl ModelParts {
    /// The token that the model has for what its vocabulary lacks.
    fn unknown(&self, inner: &Inner) -> Option<String> {
        match inner.get_model() {
            ModelWrapper::WordPiece(model) => return Some(model.unk_token.clone()),
            ModelWrapper::WordLevel(model) => return Some(model.unk_token.clone()),
            ModelWrapper::BPE(_) | ModelWrapper::Unigram(_) => {}
        }
        let by_id = || inner.id_to_token(self.unk_id.as_u64()?.try_into().ok()?);
        self.unk_token.as_str().map(String::from).or_else(by_id)
    }
}

/// The error for a folder without a vocabulary, which may have one of two files that belong together.
fn missing(folder: &Path, half: Option<PathBuf>) -> TokenizerError {
    if let Some(path) = half {
        let reason = "a vocabulary needs both vocab.json and merges.txt".into();
        return TokenizerError::Invalid { path, reason };
    }
    match SENTENCEPIECE.into_iter().map(|name| folder.join(name)).find(|path| path.is_file()) {
        Some(path) => TokenizerError::SentencePiece { path, folder: folder.into() },
        None => TokenizerError::Missing { folder: folder.into() },
    }
}

/// Calls the library, which panics on some damaged files.
pub(crate) fn caught<T>(work: impl FnOnce() -> tokenizers::Result<T>) -> Result<T, TokenizerError> {
    catch_panic(work).map_err(|panic| TokenizerError::Encode(damaged(&panic)))?.map_err(TokenizerError::library)
}

/// The usual reason of a panic of the library, and its message.
fn damaged(panic: &str) -> String {
    format!(
        "the tokenizer is probably damaged, its parts inconsistent: the library tokenizers failed with `{}`",
        panic.trim()
    )
}
