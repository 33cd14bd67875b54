//! Reads the vocabulary of older checkpoints, which have no `tokenizer.json`.

use std::path::Path;

use ahash::AHashMap;
use tokenizers::decoders::wordpiece::WordPiece as Decoder;
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::BertNormalizer;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::processors::bert::BertProcessing;
use tokenizers::{AddedToken, Tokenizer as Inner};

use crate::error::TokenizerError;
use crate::settings::{SPECIAL, Settings};
use crate::tokenizer::read;

/// Reads `vocab.txt`.
pub(crate) fn from_file(vocab: &Path, settings: &Settings) -> Result<Inner, TokenizerError> {
    settings.check_class()?;
    let text = String::from_utf8(read(vocab)?)
        .map_err(|error| TokenizerError::Invalid { path: vocab.into(), reason: error.to_string() })?;
    let tokens = text.lines().map(|line| line.trim_end().to_string()).collect();
    wordpiece(tokens, settings)
        .map_err(|error| TokenizerError::Invalid { path: vocab.into(), reason: error.to_string() })
}

/// Creates BERT's pipeline for a vocabulary.
///
/// Settings that are absent have the defaults of transformers' `BertTokenizer`.
pub(crate) fn wordpiece(vocabulary: Vec<String>, settings: &Settings) -> Result<Inner, TokenizerError> {
    // As in transformers, the last of several equal entries counts. The ids of the others stay reserved.
    let mut entries = AHashMap::with_capacity(vocabulary.len());
    for (id, token) in vocabulary.into_iter().enumerate().rev() {
        let token = if entries.contains_key(&token) { format!("[repeated {id}]") } else { token };
        entries.insert(token, id as u32);
    }
    let id = |token: &'static str| entries.get(token).copied().ok_or(TokenizerError::SpecialToken { token });
    let (cls, sep) = (id("[CLS]")?, id("[SEP]")?);
    id("[UNK]")?;
    id("[PAD]")?;
    let special = SPECIAL.into_iter().map(|(_, token)| token).filter(|token| id(token).is_ok());
    let special: Vec<AddedToken> = special.map(|token| AddedToken::from(token, true)).collect();

    let model = WordPiece::builder()
        .vocab(entries)
        .unk_token("[UNK]".into())
        .build()
        .map_err(|error| TokenizerError::Encode(error.to_string()))?;
    let mut inner = Inner::new(model);
    let (lower, chinese) = (settings.lowercase.unwrap_or(true), settings.chinese_chars.unwrap_or(true));
    let normalizer = BertNormalizer::new(true, chinese, settings.strip_accents.flatten(), lower);
    inner.with_normalizer(Some(normalizer));
    inner.with_pre_tokenizer(Some(BertPreTokenizer));
    inner.with_post_processor(Some(BertProcessing::new(("[SEP]".into(), sep), ("[CLS]".into(), cls))));
    inner.with_decoder(Some(Decoder::default()));
    inner.add_special_tokens(&special);
    Ok(inner)
}
