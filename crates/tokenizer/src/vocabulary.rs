//! Reads the vocabulary of older checkpoints, which have no `tokenizer.json`.

use std::path::Path;

use ahash::AHashMap;
use tokenizers::decoders::wordpiece::WordPiece as Decoder;
use tokenizers::models::bpe::BPE;
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::BertNormalizer;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::processors::bert::BertProcessing;
use tokenizers::{AddedToken, Tokenizer as Inner};

use crate::class::Class;
use crate::error::TokenizerError;
use crate::fields::{parse, read};
use crate::role::Role;
use crate::settings::Settings;

/// Reads `vocab.txt`.
pub(crate) fn from_vocab_txt(vocab: &Path, settings: &mut Settings) -> Result<Inner, TokenizerError> {
    settings.check_class("vocab.txt", &[Class::Bert, Class::MpNet], "BertTokenizer")?;
    settings.class = settings.class.filter(|class| *class != Class::Plain).or(Some(Class::Bert));
    let tokens = text(vocab)?.lines().map(|line| line.trim_end().to_string()).collect();
    wordpiece(tokens, settings).map_err(|error| error.in_file(vocab))
}

/// Reads `vocab.json` and `merges.txt`, the files of a byte-level BPE. Its parts are those that the class builds.
pub(crate) fn from_vocab_json(vocab: &Path, merges: &Path, settings: &Settings) -> Result<Inner, TokenizerError> {
    settings.check_class("vocab.json and merges.txt", &[Class::Roberta, Class::Gpt2], "RobertaTokenizer")?;
    if !matches!(settings.class, Some(Class::Roberta | Class::Gpt2)) {
        let reason = "no file says which tokenizer this is; expected `tokenizer_class` in tokenizer_config.json or `model_type` in config.json";
        return Err(TokenizerError::Invalid { path: vocab.into(), reason: reason.into() });
    }
    let entries: AHashMap<String, u32> = parse(&read(vocab)?, vocab)?;
    let mut pairs = Vec::new();
    for (index, line) in text(merges)?.lines().enumerate() {
        if line.starts_with("#version") {
            continue;
        }
        let parts: Vec<&str> = line.split(' ').collect();
        let invalid = |reason: String| TokenizerError::Invalid {
            path: merges.into(),
            reason: format!("line {}: {reason}", index + 1),
        };
        let [first, second] = parts[..] else { return Err(invalid(format!("`{line}` is not two entries"))) };
        for entry in [first, second, &format!("{first}{second}")] {
            if !entries.contains_key(entry) {
                return Err(invalid(format!("`{entry}` is not in {}", vocab.display())));
            }
        }
        pairs.push((first.to_string(), second.to_string()));
    }
    let model = BPE::builder().vocab_and_merges(entries, pairs).build().map_err(TokenizerError::library)?;
    Ok(Inner::new(model))
}

fn text(path: &Path) -> Result<String, TokenizerError> {
    String::from_utf8(read(path)?)
        .map_err(|error| TokenizerError::Invalid { path: path.into(), reason: error.to_string() })
}

/// Creates BERT's pipeline for a vocabulary.
///
/// Settings that are absent have the defaults of transformers' `BertTokenizer` or `MPNetTokenizer`.
pub(crate) fn wordpiece(vocabulary: Vec<String>, settings: &Settings) -> Result<Inner, TokenizerError> {
    // As in transformers, the last of several equal entries counts. The ids of the others stay reserved.
    let mut entries = AHashMap::with_capacity(vocabulary.len());
    for (id, token) in vocabulary.into_iter().enumerate().rev() {
        let token = if entries.contains_key(&token) { format!("[repeated {id}]") } else { token };
        entries.insert(token, id as u32);
    }
    let token = |role: Role| {
        let token = settings.token(role).map(|token| token.content).unwrap_or_default();
        let id = entries.get(&token).copied().ok_or_else(|| settings.missing(role))?;
        Ok::<_, TokenizerError>((token, id))
    };
    let (sep, cls, (unknown, _)) = (token(Role::Sep)?, token(Role::Cls)?, token(Role::Unk)?);
    token(Role::Pad)?;
    let special = Role::ALL.into_iter().filter_map(|role| settings.token(role));
    let special: Vec<AddedToken> = special.filter(|token| entries.contains_key(&token.content)).collect();

    let model = WordPiece::builder().vocab(entries).unk_token(unknown).build().map_err(TokenizerError::library)?;
    let mut inner = Inner::new(model);
    let (lower, chinese) = (settings.lowercase.unwrap_or(true), settings.chinese_chars.unwrap_or(true));
    let normalizer = BertNormalizer::new(true, chinese, settings.strip_accents.flatten(), lower);
    inner.with_normalizer(Some(normalizer));
    inner.with_pre_tokenizer(Some(BertPreTokenizer));
    inner.with_post_processor(Some(BertProcessing::new(sep, cls)));
    inner.with_decoder(Some(Decoder::default()));
    inner.add_special_tokens(&special);
    Ok(inner)
}
