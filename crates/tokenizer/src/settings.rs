//! The files beside a vocabulary that change its ids.
//!
//! transformers obeys `tokenizer_config.json` where `tokenizer.json` says something else, and so does this crate. A field
//! that changes ids is obeyed or rejected by its name; the others are ignored.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value};
use tokenizers::{AddedToken, AddedVocabulary, Tokenizer as Inner};

use crate::batch::Side;
use crate::class::Class;
use crate::error::TokenizerError;
use crate::fields::{Fields, object, refused};
use crate::role::Role;

/// A maximum length from which on transformers means that there is none.
const UNLIMITED: f64 = 1e9;

/// The settings of a tokenizer's folder.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    /// `tokenizer_config.json`.
    path: PathBuf,
    /// `tokenizer_class`.
    class_name: Option<String>,
    /// What is built, if a file names it.
    pub(crate) class: Option<Class>,
    /// `do_lower_case`.
    pub(crate) lowercase: Option<bool>,
    /// `strip_accents`: the field may be `null`, which stands for the value of `do_lower_case`.
    pub(crate) strip_accents: Option<Option<bool>>,
    /// `tokenize_chinese_chars`.
    pub(crate) chinese_chars: Option<bool>,
    pub(crate) add_prefix_space: Option<bool>,
    pub(crate) keep_accents: Option<bool>,
    pub(crate) split_by_punct: Option<bool>,
    pub(crate) unk_id: Option<usize>,
    /// `model_max_length`, if there is a limit.
    pub(crate) model_max_length: Option<usize>,
    pub(crate) truncation_side: Option<Side>,
    pub(crate) padding_side: Option<Side>,
    /// Whether the model reads `token_type_ids`.
    pub(crate) has_type_ids: bool,
    split_special_tokens: bool,
    /// The file that gives ids to tokens: `tokenizer_config.json`, or `added_tokens.json`.
    ids_path: PathBuf,
    /// Whether `added_tokens_decoder` lists the tokens beside the vocabulary.
    lists_added: bool,
    /// Tokens beside the vocabulary, with the ids that the files give them.
    added: Vec<(Option<u32>, AddedToken)>,
    special: Vec<Named>,
}

/// A special token that a file names.
#[derive(Clone, Debug)]
struct Named {
    role: Role,
    token: AddedToken,
    path: PathBuf,
}

impl Settings {
    /// The settings of a vocabulary without files.
    pub(crate) fn lowercased(lowercase: bool) -> Self {
        Self { lowercase: Some(lowercase), class: Some(Class::Bert), ..Self::default() }
    }

    /// Reads `tokenizer_config.json`, `special_tokens_map.json`, `added_tokens.json` and the type of the model in
    /// `config.json`, each if it exists.
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
            lowercase: read.boolean("do_lower_case")?,
            strip_accents: match fields.get("strip_accents") {
                Some(Value::Null) => Some(None),
                _ => read.boolean("strip_accents")?.map(Some),
            },
            chinese_chars: read.boolean("tokenize_chinese_chars")?,
            add_prefix_space: read.boolean("add_prefix_space")?,
            keep_accents: read.boolean("keep_accents")?,
            split_by_punct: read.boolean("split_by_punct")?,
            unk_id: read.get("unk_id", Value::as_u64, "a number")?.map(|id| id as usize),
            model_max_length: read
                .get("model_max_length", Value::as_f64, "a number")?
                .filter(|length| (1.0..UNLIMITED).contains(length))
                .map(|length| length as usize),
            truncation_side: read.side("truncation_side")?,
            padding_side: read.side("padding_side")?,
            split_special_tokens: read.boolean("split_special_tokens")?.unwrap_or(false),
            added: read.added_tokens()?,
            lists_added: !older,
            ids_path: path.clone(),
            ..Self::default()
        };
        settings.read_class(&read, &folder.join("config.json"))?;
        if older {
            settings.ids_path = folder.join("added_tokens.json");
        }
        settings.special_tokens([Fields { path: &map_path, fields: &map }, read])?;
        settings.path = path;
        Ok(settings)
    }

    /// The class, and what depends on it.
    fn read_class(&mut self, read: &Fields<'_>, config: &Path) -> Result<(), TokenizerError> {
        let model = object(config)?;
        let model = Fields { path: config, fields: &model };
        let (name, model_type) = (read.name("tokenizer_class")?, model.name("model_type")?);
        let name = name.or(model.name("tokenizer_class")?);
        self.class = Class::choose(name.as_deref(), model_type.as_deref());
        let known = name.as_deref().is_some_and(|name| Class::named(name).is_some());
        let is_code = read.fields.get("auto_map").is_some_and(|map| map.get("AutoTokenizer").is_some());
        if is_code && !known && model_type.as_deref().and_then(Class::of_model).is_none() {
            let reason = "the tokenizer is Python code of its repository, which is never run";
            return Err(refused(read.path, "auto_map", reason));
        }
        let inputs = read.get("model_input_names", Value::as_array, "a list of names")?;
        let distilbert = model_type.as_deref() == Some("distilbert")
            || name.as_deref().is_some_and(|name| name.starts_with("DistilBert"));
        self.has_type_ids = match inputs {
            Some(inputs) => inputs.iter().any(|input| input == "token_type_ids"),
            None => !distilbert && self.class.is_some_and(Class::has_type_ids),
        };
        self.class_name = name;
        Ok(())
    }

    /// The special tokens of both files, and the tokens of `added_tokens.json`, which the earlier of two files decides.
    fn special_tokens(&mut self, files: [Fields<'_>; 2]) -> Result<(), TokenizerError> {
        for file in files {
            for role in Role::ALL {
                let Some((token, is_text)) = file.special_token(role)? else { continue };
                let strips = role == Role::Mask && is_text && self.class.is_some_and(Class::strips_before_mask);
                let token = if strips { token.lstrip(true) } else { token };
                self.special.push(Named { role, token, path: file.path.into() });
            }
        }
        if !self.lists_added {
            let roles: Vec<String> = Role::ALL.iter().filter_map(|role| Some(self.token(*role)?.content)).collect();
            self.added.extend(added_tokens_json(&self.ids_path, &roles)?);
        }
        self.added.sort_by_key(|(id, _)| id.unwrap_or(u32::MAX));
        for file in [files[1], files[0]] {
            self.added.extend(file.other_special_tokens()?.into_iter().map(|token| (None, token)));
        }
        Ok(())
    }

    /// The special token that a file names for a role.
    pub(crate) fn named_token(&self, role: Role) -> Option<&AddedToken> {
        self.special.iter().find(|named| named.role == role).map(|named| &named.token)
    }

    /// The special token of a role: the one that a file names, or the default of the class.
    pub(crate) fn token(&self, role: Role) -> Option<AddedToken> {
        self.named_token(role).cloned().or_else(|| {
            let token = AddedToken::from(self.class?.default_token(role)?, true);
            Some(token.lstrip(role == Role::Mask && self.class?.strips_before_mask()))
        })
    }

    /// The special token of a role and its id. An error names the file that names the token.
    pub(crate) fn required(&self, role: Role, inner: &Inner) -> Result<(String, u32), TokenizerError> {
        let token = self.token(role).map(|token| token.content);
        let id = token.as_deref().and_then(|token| inner.token_to_id(token));
        token.clone().zip(id).ok_or_else(|| self.missing(role))
    }

    /// The error for a special token that the vocabulary lacks.
    pub(crate) fn missing(&self, role: Role) -> TokenizerError {
        match self.special.iter().find(|named| named.role == role) {
            Some(Named { token, path, .. }) => {
                refused(path, role.field(), &format!("the vocabulary has no {}", token.content))
            }
            None => {
                let token = self.token(role).map(|token| token.content);
                let token = token.unwrap_or_else(|| format!("{}; name it in tokenizer_config.json", role.field()));
                TokenizerError::SpecialToken { token }
            }
        }
    }

    /// Rejects a class whose tokenizer for a vocabulary file is another one than those of `classes`.
    pub(crate) fn check_class(&self, file: &str, classes: &[Class], expected: &str) -> Result<(), TokenizerError> {
        match (&self.class_name, self.class) {
            (_, Some(class)) if classes.contains(&class) => Ok(()),
            (_, None) => Ok(()),
            (Some(name), Some(Class::Plain)) if Class::named(name).is_some() => Ok(()),
            (name, _) => {
                let name = name.as_deref().unwrap_or("the class of this model");
                let reason = format!("{name} is not supported with {file}, {expected} is");
                Err(refused(&self.path, "tokenizer_class", &format!("{reason}; save the tokenizer as tokenizer.json")))
            }
        }
    }

    /// Changes the content of a `tokenizer.json` to what the fields of BERT's normalizer say, or else the defaults of the class.
    /// Returns `None` if they agree.
    pub(crate) fn with_normalizer(&self, json: &[u8]) -> Result<Option<Vec<u8>>, TokenizerError> {
        #[derive(Deserialize)]
        struct Parts {
            #[serde(default)]
            normalizer: Value,
        }
        let default = |value: Value| self.class.map(|_| value);
        let fields = [
            ("lowercase", self.lowercase.map(Value::from).or(default(true.into()))),
            ("strip_accents", self.strip_accents.map(Value::from).or(default(Value::Null))),
            ("handle_chinese_chars", self.chinese_chars.map(Value::from).or(default(true.into()))),
        ];
        // The other classes build a normalizer, or follow the file.
        if !matches!(self.class, None | Some(Class::Bert | Class::MpNet)) {
            return Ok(None);
        }
        let Ok(Parts { normalizer }) = serde_json::from_slice(json) else { return Ok(None) };
        let is_bert = normalizer["type"] == "BertNormalizer";
        let differ = fields.into_iter().filter_map(|(name, value)| Some((name, value?)));
        let differ: Vec<_> = differ.filter(|(name, value)| is_bert && normalizer[*name] != *value).collect();
        if !is_bert && self.lowercase.is_some_and(|lowercase| lowercase != lowercases(&normalizer)) {
            let kind = normalizer["type"].as_str().unwrap_or("none");
            let reason = format!("tokenizer.json says otherwise by its normalizer ({kind}), which cannot be changed");
            return Err(refused(&self.path, "do_lower_case", &format!("{reason}; remove one of the two")));
        }
        if differ.is_empty() {
            return Ok(None);
        }
        let Ok(mut whole) = serde_json::from_slice::<Value>(json) else { return Ok(None) };
        for (name, value) in differ {
            whole["normalizer"][name] = value;
        }
        Ok(Some(whole.to_string().into_bytes()))
    }

    /// Adds the tokens beside the vocabulary. If the class builds the tokenizer, those of `added_tokens_decoder` are all.
    pub(crate) fn apply(&self, inner: &mut Inner, rebuilds: bool) -> Result<(), TokenizerError> {
        if rebuilds && self.lists_added {
            inner.with_added_vocabulary(AddedVocabulary::new());
        }
        for (id, token) in &self.added {
            inner.add_tokens(std::slice::from_ref(token));
            let given = inner.token_to_id(&token.content);
            if id.is_some() && *id != given {
                let (id, given) = (id.unwrap_or_default(), given.map_or("none".into(), |id| id.to_string()));
                let reason = format!("`{}` has the id {id}, but the vocabulary gives it {given}", token.content);
                return Err(TokenizerError::Invalid {
                    path: self.ids_path.clone(),
                    reason: format!("added tokens: {reason}"),
                });
            }
        }
        // transformers adds special tokens that the vocabulary lacks. Only a text that spells one would need them.
        let special = Role::ALL.iter().filter_map(|role| self.token(*role));
        let special = special.filter(|token| inner.token_to_id(&token.content).is_some());
        let special: Vec<AddedToken> = special.collect();
        for token in special {
            if !inner.get_added_vocabulary().get_vocab().contains_key(&token.content) {
                inner.add_tokens(&[token]);
            }
        }
        inner.set_encode_special_tokens(self.split_special_tokens);
        // Tokens are searched in normalized texts: by the normalizer as it is now.
        inner.add_tokens(&[]);
        Ok(())
    }
}

/// Whether a normalizer other than BERT's contains a step that lower-cases.
fn lowercases(normalizer: &Value) -> bool {
    let steps = normalizer["normalizers"].as_array().map_or(std::slice::from_ref(normalizer), Vec::as_slice);
    steps.iter().any(|step| step["type"] == "Lowercase" || step["lowercase"] == true)
}

/// The tokens of an `added_tokens.json`, by their ids.
fn added_tokens_json(path: &Path, special: &[String]) -> Result<Vec<(Option<u32>, AddedToken)>, TokenizerError> {
    let token = |(content, id): (String, Value)| {
        let id = id.as_u64().and_then(|id| u32::try_from(id).ok());
        let id = id.ok_or_else(|| refused(path, &content, "its id is not a number of 32 bits"))?;
        let special = special.contains(&content);
        Ok((Some(id), AddedToken::from(content, special)))
    };
    object(path)?.into_iter().map(token).collect()
}
