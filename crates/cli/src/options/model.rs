//! The option `--model`.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use rekindle::embedded::EMBEDDED;
use rekindle::hub::{self, Download, HubOptions};
use rekindle::infer::{ModelSource, PretrainedModel};

use crate::exit::Failure;

/// The model that `auto` stands for.
const AUTO: &str = "distilbert-base-uncased";

/// The value of `--model`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelChoice {
    /// The default model from the hub, or the embedded one if the hub cannot be reached.
    Auto,
    /// The embedded model.
    Embedded,
    /// A folder.
    Folder(PathBuf),
    /// A repository of the hub.
    Hub(String),
}

impl FromStr for ModelChoice {
    type Err = std::convert::Infallible;

    /// Reads a name as transformers does: an existing folder is that folder, a name of one or two plain parts is a hub
    /// id.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain = |part: &str| {
            !part.is_empty()
                && !part.starts_with('.')
                && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
        };
        Ok(match text {
            "auto" => Self::Auto,
            "embedded" => Self::Embedded,
            folder if Path::new(folder).is_dir() => Self::Folder(folder.into()),
            id if id.split('/').count() <= 2 && id.split('/').all(plain) => Self::Hub(id.into()),
            folder => Self::Folder(folder.into()),
        })
    }
}

/// The model of the option, or its substitute.
pub struct Found {
    /// The opened model.
    pub model: PretrainedModel,
    /// With `auto`: why the embedded model is used instead of the default.
    pub substituted: Option<String>,
}

/// The name and the source of a model.
pub fn describe(model: &PretrainedModel) -> String {
    let source = match model.source {
        ModelSource::Hub => "Hugging Face hub",
        ModelSource::Folder => "folder",
        ModelSource::Embedded => "embedded in the program, pretrained on generated English",
    };
    format!("{} ({source})", model.id)
}

/// Opens the model, and downloads it if necessary.
///
/// # Errors
/// Returns an error if the model cannot be found or read. Only `auto` falls back to the embedded model, and only if the
/// hub cannot be reached.
pub fn find(choice: &ModelChoice, offline: bool, progress: &mut dyn FnMut(Download)) -> Result<Found, Failure> {
    let mut options = HubOptions::from_variables(&|name| std::env::var_os(name), std::env::home_dir());
    options.offline |= offline;
    let mut substituted = None;
    let model = match choice {
        ModelChoice::Embedded => PretrainedModel::embedded(EMBEDDED)?,
        ModelChoice::Folder(folder) => {
            PretrainedModel::from_folder(folder, &folder.display().to_string(), ModelSource::Folder)?
        }
        ModelChoice::Hub(id) => {
            PretrainedModel::from_folder(&hub::fetch(id, &options, progress)?, id, ModelSource::Hub)?
        }
        ModelChoice::Auto => match hub::fetch(AUTO, &options, progress) {
            Ok(folder) => PretrainedModel::from_folder(&folder, AUTO, ModelSource::Hub)?,
            Err(error) if error.is_out_of_reach() => {
                substituted = Some(error.to_string());
                PretrainedModel::embedded(EMBEDDED)?
            }
            Err(error) => return Err(error.into()),
        },
    };
    Ok(Found { model, substituted })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_are_read_as_transformers_reads_them() {
        let choice = |text: &str| text.parse::<ModelChoice>();
        assert_eq!(choice("auto"), Ok(ModelChoice::Auto));
        assert_eq!(choice("distilbert-base-uncased"), Ok(ModelChoice::Hub("distilbert-base-uncased".into())));
        assert_eq!(choice("org/name.v2"), Ok(ModelChoice::Hub("org/name.v2".into())));
        assert_eq!(choice("src"), Ok(ModelChoice::Folder("src".into())), "an existing folder");
        for folder in ["./model", "../model", "/no/such/folder", "a/b/c"] {
            assert_eq!(choice(folder), Ok(ModelChoice::Folder(folder.into())));
        }
    }
}
