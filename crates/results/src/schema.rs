//! The schema version, and reading a file of a known one.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use serde::de::{Deserialize, Deserializer, Error};
use serde_json::Value;

use crate::error::ResultsError;
use crate::results::Results;

/// The schema version of files without the field `schema_version`.
pub const FIRST_SCHEMA_VERSION: u32 = 1;

/// The schema version that this crate writes. It changes when a field is removed, renamed or gets another meaning; a field that
/// is added does not change it.
pub const SCHEMA_VERSION: u32 = 1;

impl Results {
    /// Reads the results of an experiment from its output folder, or from the file `results.json` itself.
    ///
    /// # Errors
    /// Returns an error if there is no such file, if it is damaged, or if its schema version is unknown.
    pub fn read(path: &Path) -> Result<Self, ResultsError> {
        let file = if path.is_dir() { path.join("results.json") } else { path.to_path_buf() };
        let bytes = fs::read(&file).map_err(|source| match source.kind() {
            ErrorKind::NotFound => ResultsError::NotFound { path: file.clone() },
            _ => ResultsError::Io { path: file.clone(), source },
        })?;
        serde_json::from_slice(&bytes).map_err(|source| match source.classify() {
            _ if !may_be_results(&bytes) => ResultsError::NotResults { path: file },
            serde_json::error::Category::Data => ResultsError::Schema { path: file, source },
            _ => ResultsError::Damaged { path: file, source },
        })
    }

    /// Returns the contents of `results.json`.
    pub fn to_json(&self) -> Vec<u8> {
        // Writing to memory cannot fail, and every key is a string.
        let mut json = serde_json::to_vec_pretty(self).unwrap_or_default();
        json.push(b'\n');
        json
    }
}

/// Whether a file that cannot be read as results may be damaged results, or those of another version.
fn may_be_results(bytes: &[u8]) -> bool {
    match serde_json::from_slice::<Value>(bytes) {
        Ok(json) => json.get("schema_version").is_some() || json["model"]["id"].is_string(),
        Err(_) => bytes.trim_ascii_start().starts_with(b"{"),
    }
}

/// Returns the version of a file without the field.
pub(crate) fn first() -> u32 {
    FIRST_SCHEMA_VERSION
}

/// Reads the field `schema_version`. The field comes first in the file, so that an unknown version is reported before a field
/// that has changed with it.
pub(crate) fn known<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let version = u32::deserialize(deserializer)?;
    if (FIRST_SCHEMA_VERSION..=SCHEMA_VERSION).contains(&version) {
        return Ok(version);
    }
    Err(D::Error::custom(format!("unknown schema_version {version}, known is {SCHEMA_VERSION}")))
}
