//! JSON files and their fields, with errors that name them.

use std::path::Path;

use serde_json::{Map, Value};
use tokenizers::AddedToken;

use crate::batch::Side;
use crate::error::TokenizerError;
use crate::role::Role;

/// The fields of a file.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'a> {
    pub(crate) path: &'a Path,
    pub(crate) fields: &'a Map<String, Value>,
}

impl<'a> Fields<'a> {
    /// The value of a field that is neither absent nor `null`.
    pub(crate) fn get<T>(
        &self,
        field: &str,
        convert: impl Fn(&'a Value) -> Option<T>,
        expected: &str,
    ) -> Result<Option<T>, TokenizerError> {
        let Some(value) = self.fields.get(field).filter(|value| !value.is_null()) else { return Ok(None) };
        let refuse = || refused(self.path, field, &format!("{value} is not {expected}"));
        convert(value).map(Some).ok_or_else(refuse)
    }

    pub(crate) fn boolean(&self, field: &str) -> Result<Option<bool>, TokenizerError> {
        self.get(field, Value::as_bool, "true or false")
    }

    pub(crate) fn name(&self, field: &str) -> Result<Option<String>, TokenizerError> {
        Ok(self.get(field, Value::as_str, "a name")?.map(Into::into))
    }

    pub(crate) fn side(&self, field: &str) -> Result<Option<Side>, TokenizerError> {
        let side = |value: &Value| match value.as_str() {
            Some("left") => Some(Side::Left),
            Some("right") => Some(Side::Right),
            _ => None,
        };
        self.get(field, side, "`left` or `right`")
    }

    /// The tokens of `added_tokens_decoder`, by their ids.
    pub(crate) fn added_tokens(&self) -> Result<Vec<(Option<u32>, AddedToken)>, TokenizerError> {
        let field = "added_tokens_decoder";
        let Some(tokens) = self.get(field, Value::as_object, "an object of tokens")? else { return Ok(Vec::new()) };
        let token = |(id, value): (&String, &Value)| {
            let refuse = || refused(self.path, field, &format!("`{id}`: {value} is not a token"));
            Ok((Some(id.parse().map_err(|_| refuse())?), added_token(value, false).ok_or_else(refuse)?))
        };
        tokens.iter().map(token).collect()
    }

    /// The special token of a role, and whether the field has its text only.
    pub(crate) fn special_token(&self, role: Role) -> Result<Option<(AddedToken, bool)>, TokenizerError> {
        let token = |value| Some((added_token(value, true)?, value.is_string()));
        self.get(role.field(), token, "a token")
    }

    /// The special tokens without a role.
    pub(crate) fn other_special_tokens(&self) -> Result<Vec<AddedToken>, TokenizerError> {
        let mut tokens = Vec::new();
        for (field, value) in self.fields {
            if Role::ALL.iter().any(|role| role.field() == field) {
                continue;
            } else if field.ends_with("_token") {
                tokens.extend(added_token(value, true));
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

/// The fields of a JSON file; none if it does not exist.
pub(crate) fn object(path: &Path) -> Result<Map<String, Value>, TokenizerError> {
    if !path.is_file() {
        return Ok(Map::new());
    }
    parse(&read(path)?, path)
}

pub(crate) fn refused(path: &Path, field: &str, reason: &str) -> TokenizerError {
    TokenizerError::Invalid { path: path.into(), reason: format!("field `{field}`: {reason}") }
}

/// The first line of a Git LFS pointer, which lies in place of a file that was not downloaded.
const LFS_POINTER: &[u8] = b"version https://git-lfs.github.com/spec/";

/// Reads a file, which must not be a pointer.
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
