//! The files beside a vocabulary that change its ids.
//!
//! transformers obeys `tokenizer_config.json` where `tokenizer.json` says something else, and so does this crate. A field
//! that changes ids is obeyed or rejected by its name; the others are ignored.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value};
use tokenizers::{AddedToken, Tokenizer as Inner};

use crate::error::TokenizerError;
use crate::tokenizer::{parse, read};

/// The special tokens that the models of this crate have, by their fields.
pub(crate) const SPECIAL: [(&str, &str); 5] = [
    ("unk_token", "[UNK]"),
    ("sep_token", "[SEP]"),
    ("pad_token", "[PAD]"),
    ("cls_token", "[CLS]"),
    ("mask_token", "[MASK]"),
];
/// The classes whose tokenizer is that of `vocab.txt`. Each also exists with the suffix `Fast`.
const BERT_CLASSES: [&str; 5] =
    ["BertTokenizer", "DistilBertTokenizer", "ElectraTokenizer", "ConvBertTokenizer", "MobileBertTokenizer"];
/// The classes that follow `tokenizer.json` and ignore the fields of the normalizer.
const PLAIN_CLASSES: [&str; 2] = ["PreTrainedTokenizer", "TokenizersBackend"];
/// A maximum length from which on transformers means that there is none.
const UNLIMITED: f64 = 1e9;

/// The settings of a tokenizer's folder.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    /// `tokenizer_config.json`.
    path: PathBuf,
    class: Option<String>,
    /// `do_lower_case`.
    pub(crate) lowercase: Option<bool>,
    /// `strip_accents`: the field may be `null`, which stands for the value of `do_lower_case`.
    pub(crate) strip_accents: Option<Option<bool>>,
    /// `tokenize_chinese_chars`.
    pub(crate) chinese_chars: Option<bool>,
    /// `model_max_length`, if there is a limit.
    pub(crate) model_max_length: Option<usize>,
    /// Whether `truncation_side` is `left`.
    pub(crate) truncates_left: Option<bool>,
    split_special_tokens: bool,
    /// The file that gives ids to tokens: `tokenizer_config.json`, or `added_tokens.json`.
    ids_path: PathBuf,
    /// Tokens beside the vocabulary, with the ids that the files give them.
    added: Vec<(Option<u32>, AddedToken)>,
}

impl Settings {
    /// The settings of a vocabulary without files.
    pub(crate) fn lowercased(lowercase: bool) -> Self {
        Self { lowercase: Some(lowercase), ..Self::default() }
    }

    /// Reads `tokenizer_config.json`, `special_tokens_map.json` and `added_tokens.json`, each if it exists.
    pub(crate) fn from_folder(folder: &Path) -> Result<Self, TokenizerError> {
        let path = folder.join("tokenizer_config.json");
        let mut fields = object(&path)?;
        // As in transformers, the older files count only where the newer field does not exist.
        let older = !fields.contains_key("added_tokens_decoder");
        let map_path = folder.join("special_tokens_map.json");
        let map = if older { object(&map_path)? } else { Map::new() };
        fields.retain(|field, _| !map.contains_key(field));
        let read = Fields { path: &path, fields: &fields };
        let mut settings = Self {
            class: read.get("tokenizer_class", Value::as_str, "a name")?.map(Into::into),
            lowercase: read.boolean("do_lower_case")?,
            strip_accents: match fields.get("strip_accents") {
                Some(Value::Null) => Some(None),
                _ => read.boolean("strip_accents")?.map(Some),
            },
            chinese_chars: read.boolean("tokenize_chinese_chars")?,
            model_max_length: read
                .get("model_max_length", Value::as_f64, "a number")?
                .filter(|length| (1.0..UNLIMITED).contains(length))
                .map(|length| length as usize),
            truncates_left: read.truncates_left()?,
            split_special_tokens: read.boolean("split_special_tokens")?.unwrap_or(false),
            added: read.added_tokens()?,
            path: path.clone(),
            ids_path: path.clone(),
        };
        if older {
            settings.ids_path = folder.join("added_tokens.json");
            settings.added.extend(added_tokens_json(&settings.ids_path)?);
        }
        settings.added.sort_by_key(|(id, _)| id.unwrap_or(u32::MAX));
        let special = [read, Fields { path: &map_path, fields: &map }].map(|fields| fields.special_tokens());
        for tokens in special {
            settings.added.extend(tokens?.into_iter().map(|token| (None, token)));
        }
        Ok(settings)
    }

    /// Rejects a class whose tokenizer for `vocab.txt` is another one.
    pub(crate) fn check_class(&self) -> Result<(), TokenizerError> {
        match &self.class {
            Some(class) if !is_one_of(class, &BERT_CLASSES) && !is_one_of(class, &PLAIN_CLASSES) => {
                let reason = format!("{class} is not supported with vocab.txt, BertTokenizer is");
                Err(refused(&self.path, "tokenizer_class", &format!("{reason}; save the tokenizer as tokenizer.json")))
            }
            _ => Ok(()),
        }
    }

    /// Changes the content of a `tokenizer.json` to what the fields of the normalizer say. Returns `None` if they agree.
    pub(crate) fn with_normalizer(&self, json: &[u8]) -> Result<Option<Vec<u8>>, TokenizerError> {
        #[derive(Deserialize)]
        struct Parts {
            #[serde(default)]
            normalizer: Value,
        }
        let fields = [
            ("lowercase", "do_lower_case", self.lowercase.map(Value::from)),
            ("strip_accents", "strip_accents", self.strip_accents.map(Value::from)),
            ("handle_chinese_chars", "tokenize_chinese_chars", self.chinese_chars.map(Value::from)),
        ];
        if self.class.as_ref().is_some_and(|class| is_one_of(class, &PLAIN_CLASSES)) {
            return Ok(None);
        }
        let Ok(Parts { normalizer }) = serde_json::from_slice(json) else { return Ok(None) };
        let is_bert = normalizer["type"] == "BertNormalizer";
        let differ = fields.into_iter().filter_map(|(name, field, value)| Some((name, field, value?)));
        let differ: Vec<_> = differ.filter(|(name, _, value)| is_bert && normalizer[*name] != *value).collect();
        if !is_bert && self.lowercase.is_some_and(|lowercase| lowercase != lowercases(&normalizer)) {
            let kind = normalizer["type"].as_str().unwrap_or("none");
            let reason = format!("tokenizer.json says otherwise by its normalizer ({kind}), which cannot be changed");
            return Err(refused(&self.path, "do_lower_case", &format!("{reason}; remove one of the two")));
        }
        if differ.is_empty() {
            return Ok(None);
        }
        let Ok(mut whole) = serde_json::from_slice::<Value>(json) else { return Ok(None) };
        for (name, _, value) in differ {
            whole["normalizer"][name] = value;
        }
        Ok(Some(whole.to_string().into_bytes()))
    }

    /// Adds the tokens beside the vocabulary.
    pub(crate) fn apply(&self, inner: &mut Inner) -> Result<(), TokenizerError> {
        for (id, token) in &self.added {
            // transformers adds special tokens that the vocabulary lacks. Only a text that spells one would need them.
            if id.is_none() && SPECIAL.iter().any(|(_, name)| *name == token.content) && known(inner, token).is_none() {
                continue;
            }
            inner.add_tokens(std::slice::from_ref(token));
            let given = known(inner, token);
            if id.is_some() && *id != given {
                let (id, given) = (id.unwrap_or_default(), given.map_or("none".into(), |id| id.to_string()));
                let reason = format!("`{}` has the id {id}, but the vocabulary gives it {given}", token.content);
                return Err(TokenizerError::Invalid {
                    path: self.ids_path.clone(),
                    reason: format!("added tokens: {reason}"),
                });
            }
        }
        inner.set_encode_special_tokens(self.split_special_tokens);
        Ok(())
    }
}

fn known(inner: &Inner, token: &AddedToken) -> Option<u32> {
    inner.token_to_id(&token.content)
}

/// Whether a class is one of `classes`, with or without the suffix `Fast`.
fn is_one_of(class: &str, classes: &[&str]) -> bool {
    classes.contains(&class.strip_suffix("Fast").unwrap_or(class))
}

/// Whether a normalizer other than BERT's contains a step that lower-cases.
fn lowercases(normalizer: &Value) -> bool {
    let steps = normalizer["normalizers"].as_array().map_or(std::slice::from_ref(normalizer), Vec::as_slice);
    steps.iter().any(|step| step["type"] == "Lowercase" || step["lowercase"] == true)
}

/// The fields of a file, with errors that name them.
struct Fields<'a> {
    path: &'a Path,
    fields: &'a Map<String, Value>,
}

impl<'a> Fields<'a> {
    /// The value of a field that is neither absent nor `null`.
    fn get<T>(
        &self,
        field: &str,
        convert: impl Fn(&'a Value) -> Option<T>,
        expected: &str,
    ) -> Result<Option<T>, TokenizerError> {
        let Some(value) = self.fields.get(field).filter(|value| !value.is_null()) else { return Ok(None) };
        let refuse = || refused(self.path, field, &format!("{value} is not {expected}"));
        convert(value).map(Some).ok_or_else(refuse)
    }

    fn boolean(&self, field: &str) -> Result<Option<bool>, TokenizerError> {
        self.get(field, Value::as_bool, "true or false")
    }

    fn truncates_left(&self) -> Result<Option<bool>, TokenizerError> {
        let side = |value: &Value| match value.as_str() {
            Some("left") => Some(true),
            Some("right") => Some(false),
            _ => None,
        };
        self.get("truncation_side", side, "`left` or `right`")
    }

    /// The tokens of `added_tokens_decoder`, by their ids.
    fn added_tokens(&self) -> Result<Vec<(Option<u32>, AddedToken)>, TokenizerError> {
        let field = "added_tokens_decoder";
        let Some(tokens) = self.get(field, Value::as_object, "an object of tokens")? else { return Ok(Vec::new()) };
        let token = |(id, value): (&String, &Value)| {
            let refuse = || refused(self.path, field, &format!("`{id}`: {value} is not a token"));
            Ok((Some(id.parse().map_err(|_| refuse())?), added_token(value, false).ok_or_else(refuse)?))
        };
        tokens.iter().map(token).collect()
    }

    /// The special tokens of all other fields.
    fn special_tokens(&self) -> Result<Vec<AddedToken>, TokenizerError> {
        let mut tokens = Vec::new();
        for (field, value) in self.fields {
            let token = || added_token(value, true);
            if let Some((_, supported)) = SPECIAL.iter().find(|(name, _)| name == field) {
                match token() {
                    Some(token) if token.content == *supported => tokens.push(token),
                    None if value.is_null() => {}
                    _ => return Err(refused(self.path, field, &format!("{value} is not supported; {supported} is"))),
                }
            } else if field.ends_with("_token") {
                tokens.extend(token());
            } else if matches!(field.as_str(), "additional_special_tokens" | "extra_special_tokens") {
                let values: Vec<&Value> = match value {
                    Value::Array(values) => values.iter().collect(),
                    Value::Object(values) => values.values().collect(),
                    _ => Vec::new(),
                };
                let refuse = |value| refused(self.path, field, &format!("{value} is not a token"));
                for value in values {
                    tokens.push(added_token(value, true).ok_or_else(|| refuse(value))?);
                }
            }
        }
        Ok(tokens)
    }
}

/// A token as transformers writes it: its text, or an object with its properties.
fn added_token(value: &Value, special: bool) -> Option<AddedToken> {
    let flag = |name: &str| value.get(name).and_then(Value::as_bool);
    let content = value.as_str().or_else(|| value.get("content")?.as_str())?;
    let special = special || flag("special").unwrap_or(false);
    let token = AddedToken::from(content, special).single_word(flag("single_word").unwrap_or(false));
    let token = token.lstrip(flag("lstrip").unwrap_or(false)).rstrip(flag("rstrip").unwrap_or(false));
    Some(token.normalized(flag("normalized").unwrap_or(!special)))
}

/// The tokens of an `added_tokens.json`, by their ids.
fn added_tokens_json(path: &Path) -> Result<Vec<(Option<u32>, AddedToken)>, TokenizerError> {
    let token = |(content, id): (String, Value)| {
        let id = id.as_u64().and_then(|id| u32::try_from(id).ok());
        let id = id.ok_or_else(|| refused(path, &content, "its id is not a number of 32 bits"))?;
        let special = SPECIAL.iter().any(|(_, name)| *name == content);
        Ok((Some(id), AddedToken::from(content, special)))
    };
    object(path)?.into_iter().map(token).collect()
}

/// The fields of a JSON file; none if it does not exist.
fn object(path: &Path) -> Result<Map<String, Value>, TokenizerError> {
    if !path.is_file() {
        return Ok(Map::new());
    }
    parse(&read(path)?, path)
}

fn refused(path: &Path, field: &str, reason: &str) -> TokenizerError {
    TokenizerError::Invalid { path: path.into(), reason: format!("field `{field}`: {reason}") }
}
