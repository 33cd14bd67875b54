//! The parts of a tokenizer that the classes of transformers build around a model.

use tokenizers::decoders::byte_level::ByteLevel as ByteLevelDecoder;
use tokenizers::models::unigram::Unigram;
use tokenizers::normalizers::replace::ReplacePattern;
use tokenizers::normalizers::{
    Lowercase, NFC, NFKD, NormalizerWrapper, Precompiled, Replace, Sequence as Normalizers, Strip, StripAccents,
};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::metaspace::{Metaspace, PrependScheme};
use tokenizers::pre_tokenizers::punctuation::Punctuation;
use tokenizers::pre_tokenizers::sequence::Sequence as PreTokenizers;
use tokenizers::pre_tokenizers::whitespace::WhitespaceSplit;
use tokenizers::processors::roberta::RobertaProcessing;
use tokenizers::processors::template::{Template, TemplateProcessing};
use tokenizers::{ModelWrapper, SplitDelimiterBehavior, Tokenizer as Inner};

use crate::class::Class;
use crate::error::TokenizerError;
use crate::role::Role;
use crate::settings::Settings;

/// The character that stands for a space in vocabularies of SentencePiece.
const SPACE: char = '▁';

/// Replaces normalizer, pre-tokenizer and the settings of the model by those of the class. `unk_id` is that of the model.
pub(crate) fn build(
    inner: &mut Inner,
    class: Class,
    settings: &Settings,
    unk_id: Option<usize>,
) -> Result<(), TokenizerError> {
    let prefix_space = settings.add_prefix_space;
    match class {
        Class::Roberta | Class::Gpt2 => {
            inner.with_normalizer(None::<NormalizerWrapper>);
            inner.with_pre_tokenizer(Some(ByteLevel::new(prefix_space.unwrap_or(false), true, true)));
            inner.with_decoder(Some(ByteLevelDecoder::default()));
        }
        Class::XlmRoberta | Class::Camembert => {
            let map = precompiled(inner.get_normalizer());
            inner.with_normalizer(map);
            inner.with_pre_tokenizer(Some(words(prefix_space)));
        }
        Class::Albert => {
            let normalizer = albert_normalizer(precompiled(inner.get_normalizer()), settings)?;
            inner.with_normalizer(Some(normalizer));
            inner.with_pre_tokenizer(Some(words(prefix_space)));
        }
        Class::DebertaV2 => {
            inner.with_normalizer(Some(deberta_normalizer(settings)?));
            let punctuation = settings.split_by_punct.unwrap_or(false);
            let punctuation = punctuation.then(|| Punctuation::new(SplitDelimiterBehavior::Isolated).into());
            let spaces = metaspace(prefix_space, PrependScheme::First).into();
            inner.with_pre_tokenizer(Some(PreTokenizers::new(punctuation.into_iter().chain([spaces]).collect())));
        }
        Class::Bert | Class::MpNet | Class::Plain => {}
    }
    build_model(inner, class, settings, unk_id)
}

/// The settings of the model that a class does not read from `tokenizer.json`.
fn build_model(
    inner: &mut Inner,
    class: Class,
    settings: &Settings,
    unk_id: Option<usize>,
) -> Result<(), TokenizerError> {
    match inner.get_model() {
        ModelWrapper::BPE(model) => {
            let is_built = model.unk_token.is_none()
                && !model.fuse_unk
                && !model.byte_fallback
                && !model.ignore_merges
                && model.dropout.is_none()
                && [&model.continuing_subword_prefix, &model.end_of_word_suffix].iter().all(|affix| is_empty(affix));
            if !is_built {
                let mut model = model.clone();
                (model.unk_token, model.dropout) = (None, None);
                (model.fuse_unk, model.byte_fallback, model.ignore_merges) = (false, false, false);
                (model.continuing_subword_prefix, model.end_of_word_suffix) = (None, None);
                inner.with_model(model);
            }
        }
        ModelWrapper::Unigram(model) => {
            let unknown = settings.token(Role::Unk).map(|token| token.content);
            let place = |token: Option<String>, zero: bool| {
                model.iter().position(|(entry, score)| Some(entry) == token.as_ref() && (!zero || *score == 0.0))
            };
            let built = match class {
                Class::XlmRoberta => 3,
                Class::Albert => 1,
                Class::Camembert => place(unknown, false).unwrap_or(0),
                _ => place(unknown, true).or(settings.unk_id).unwrap_or(1),
            };
            if unk_id != Some(built) || model.byte_fallback() {
                let entries = model.iter().cloned().collect();
                let model = Unigram::from(entries, Some(built), false).map_err(TokenizerError::library)?;
                inner.with_model(model);
            }
        }
        ModelWrapper::WordPiece(_) | ModelWrapper::WordLevel(_) => {}
    }
    Ok(())
}

/// Replaces the post-processor by that of the class, which needs the ids of its special tokens.
pub(crate) fn build_post_processor(inner: &mut Inner, class: Class, settings: &Settings) -> Result<(), TokenizerError> {
    let token = |role: Role| settings.required(role, inner);
    match class {
        Class::Roberta | Class::MpNet => {
            let processing = RobertaProcessing::new(token(Role::Sep)?, token(Role::Cls)?);
            let prefix_space = class == Class::Roberta && settings.add_prefix_space.unwrap_or(false);
            inner.with_post_processor(Some(processing.trim_offsets(true).add_prefix_space(prefix_space)));
        }
        Class::XlmRoberta | Class::Camembert => {
            let (first, last) = (token(Role::Bos)?, token(Role::Eos)?);
            let (bos, eos) = (&first.0, &last.0);
            let single = format!("{bos} $A {eos}");
            let pair = format!("{bos} $A {eos} {eos} $B {eos}");
            inner.with_post_processor(Some(template(&single, &pair, vec![first, last])?));
        }
        Class::DebertaV2 => {
            let (first, last) = (token(Role::Cls)?, token(Role::Sep)?);
            let (cls, sep) = (&first.0, &last.0);
            let single = format!("{cls}:0 $A:0 {sep}:0");
            let pair = format!("{single} $B:1 {sep}:1");
            inner.with_post_processor(Some(template(&single, &pair, vec![first, last])?));
        }
        Class::Bert | Class::Gpt2 | Class::Albert | Class::Plain => {}
    }
    Ok(())
}

/// The post-processor of transformers for a tokenizer without one: two segments, and no special tokens.
pub(crate) fn segments() -> Result<TemplateProcessing, TokenizerError> {
    template("$A:0", "$A:0 $B:1", Vec::new())
}

fn template(single: &str, pair: &str, tokens: Vec<(String, u32)>) -> Result<TemplateProcessing, TokenizerError> {
    let parse = |text: &str| Template::try_from(text).map_err(TokenizerError::library);
    let mut builder = TemplateProcessing::builder();
    builder.single(parse(single)?).pair(parse(pair)?).special_tokens(tokens);
    builder.build().map_err(TokenizerError::library)
}

/// Words with the space before them, as in SentencePiece.
fn words(prefix_space: Option<bool>) -> PreTokenizers {
    PreTokenizers::new(vec![WhitespaceSplit.into(), metaspace(prefix_space, PrependScheme::Never).into()])
}

fn metaspace(prefix_space: Option<bool>, otherwise: PrependScheme) -> Metaspace {
    let scheme = if prefix_space.unwrap_or(true) { PrependScheme::Always } else { otherwise };
    Metaspace::new(SPACE, scheme, true)
}

fn albert_normalizer(map: Option<Precompiled>, settings: &Settings) -> Result<Normalizers, TokenizerError> {
    let mut steps = vec![replace(ReplacePattern::String("``".into()), "\"")?];
    steps.push(replace(ReplacePattern::String("''".into()), "\"")?);
    if !settings.keep_accents.unwrap_or(false) {
        steps.extend([NFKD.into(), StripAccents.into()]);
    }
    if settings.lowercase.unwrap_or(true) {
        steps.push(Lowercase.into());
    }
    steps.extend(map.map(NormalizerWrapper::from));
    Ok(Normalizers::new(steps))
}

fn deberta_normalizer(settings: &Settings) -> Result<Normalizers, TokenizerError> {
    let mut steps = Vec::new();
    if settings.lowercase.unwrap_or(false) {
        steps.push(Lowercase.into());
    }
    steps.push(replace(ReplacePattern::Regex(r"\s{2,}|[\n\r\t]".into()), " ")?);
    steps.extend([NFC.into(), Strip::new(false, true).into()]);
    Ok(Normalizers::new(steps))
}

fn replace(pattern: ReplacePattern, content: &str) -> Result<NormalizerWrapper, TokenizerError> {
    Ok(Replace::new(pattern, content).map_err(TokenizerError::library)?.into())
}

/// The map of characters that SentencePiece compiled, if a normalizer has one.
fn precompiled(normalizer: Option<&NormalizerWrapper>) -> Option<Precompiled> {
    match normalizer? {
        NormalizerWrapper::Precompiled(map) => Some(map.clone()),
        NormalizerWrapper::Sequence(steps) => steps.as_ref().iter().find_map(|step| precompiled(Some(step))),
        _ => None,
    }
}

fn is_empty(affix: &Option<String>) -> bool {
    affix.as_deref().unwrap_or_default().is_empty()
}
