//! The `tokenizer_config.json` of a saved tokenizer.

use serde_json::{Map, Value, json};
use tokenizers::ModelWrapper;

use crate::batch::Side;
use crate::role::Role;
use crate::tokenizer::Tokenizer;

/// The longest word that transformers' `BertTokenizer` splits.
const LONGEST_WORD: usize = 100;

impl Tokenizer {
    /// Returns the content of a `tokenizer_config.json`, which `AutoTokenizer` needs next to `tokenizer.json` to give the ids
    /// of this tokenizer. `model_max_length` is the maximum number of tokens per text, and `has_type_ids` says whether the
    /// model reads `token_type_ids`.
    ///
    /// `BertTokenizer` and its kind build their own normalizer from these fields, whatever `tokenizer.json` says. A tokenizer
    /// that they cannot build is saved as a `PreTrainedTokenizerFast`, which follows `tokenizer.json`.
    pub fn config_json(&self, model_max_length: usize, has_type_ids: bool) -> String {
        let mut fields = Map::new();
        let normalizer = self.bert_normalizer();
        let class = match (&normalizer, has_type_ids) {
            (None, _) => "PreTrainedTokenizerFast",
            (Some(_), false) => "DistilBertTokenizer",
            (Some(_), true) => "BertTokenizer",
        };
        fields.insert("tokenizer_class".into(), class.into());
        fields.insert("model_max_length".into(), model_max_length.into());
        match normalizer {
            Some(normalizer) => {
                fields.insert("do_lower_case".into(), normalizer["lowercase"].clone());
                fields.insert("strip_accents".into(), normalizer["strip_accents"].clone());
                fields.insert("tokenize_chinese_chars".into(), normalizer["handle_chinese_chars"].clone());
            }
            None => {
                let inputs = match has_type_ids {
                    true => json!(["input_ids", "token_type_ids", "attention_mask"]),
                    false => json!(["input_ids", "attention_mask"]),
                };
                fields.insert("model_input_names".into(), inputs);
            }
        }
        let added = self.inner.get_added_vocabulary().get_vocab();
        for role in Role::ALL {
            let token = self.special.id(role).and_then(|id| self.token(id));
            // A named token is found in texts, which the tokens of the model are not.
            let token = token.filter(|token| role == Role::Pad || added.contains_key(token));
            if token.is_some() || !matches!(role, Role::Bos | Role::Eos) {
                fields.insert(role.field().into(), token.into());
            }
        }
        for (field, side) in [("truncation_side", self.truncation_side), ("padding_side", self.padding_side)] {
            if side == Side::Left {
                fields.insert(field.into(), "left".into());
            }
        }
        if self.inner.get_encode_special_tokens() {
            fields.insert("split_special_tokens".into(), true.into());
        }
        format!("{:#}\n", Value::Object(fields))
    }

    /// The normalizer, if the tokenizer is one that `BertTokenizer` builds from its vocabulary and the fields.
    fn bert_normalizer(&self) -> Option<Value> {
        let normalizer = serde_json::to_value(self.inner.get_normalizer()).ok()?;
        let splitter = serde_json::to_value(self.inner.get_pre_tokenizer()).ok()?;
        let ModelWrapper::WordPiece(model) = self.inner.get_model() else { return None };
        let (cls, sep) = (self.special.id(Role::Cls)?, self.special.id(Role::Sep)?);
        let pair = self.encode_pair("", Some(""), usize::MAX).ok()?;
        let is_bert = normalizer["type"] == "BertNormalizer"
            && normalizer["clean_text"] == true
            && splitter["type"] == "BertPreTokenizer"
            && model.max_input_chars_per_word == LONGEST_WORD
            && model.continuing_subword_prefix == "##"
            && self.special.id(Role::Unk) == self.id(&model.unk_token)
            && (self.special.before.as_slice(), self.special.after.as_slice()) == (&[cls], &[sep])
            && (pair.input_ids, pair.token_type_ids) == (vec![cls, sep, sep], vec![0, 0, 1]);
        is_bert.then_some(normalizer)
    }

    /// Returns the entries with upper-case letters, if the tokenizer lower-cases texts and thus never uses them.
    pub fn unreachable_entries(&self) -> Vec<String> {
        let lowercases = self.inner.get_normalizer().is_some_and(|normalizer| {
            let mut probe = tokenizers::NormalizedString::from("A");
            tokenizers::Normalizer::normalize(normalizer, &mut probe).is_ok() && probe.get() == "a"
        });
        if !lowercases {
            return Vec::new();
        }
        let added = self.inner.get_added_vocabulary().get_vocab();
        let special = self.special_ids();
        let unreachable = |entry: &String| {
            entry.to_lowercase() != **entry
                && !added.contains_key(entry)
                && self.id(entry).is_some_and(|id| special.binary_search(&id).is_err())
        };
        self.vocabulary().into_iter().filter(unreachable).collect()
    }
}
