//! The model card of a saved model: `README.md`, with the metadata that the Hugging Face hub reads.

use std::fmt;
use std::fs;
use std::path::Path;

use rekindle_files::check_symlinks;

use crate::model::{ModelSource, PretrainedModel};

/// What a model card says. [`Display`](fmt::Display) writes it as Markdown.
#[derive(Clone, Debug)]
pub struct ModelCard {
    /// The heading.
    pub title: String,
    /// The library that opens the folder, as the hub names it: `transformers` or `sentence-transformers`.
    pub library_name: &'static str,
    /// The task, as the hub names it: `text-classification` or `fill-mask`.
    pub pipeline_tag: &'static str,
    /// The model that training began from; `None` for a new one.
    pub base: Option<BaseModel>,
    /// Paragraphs and tables about the model, in Markdown, under their headings.
    pub sections: Vec<(&'static str, String)>,
}

/// The model that a training began from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseModel {
    /// Its name in results.
    pub id: String,
    /// Its source.
    pub source: ModelSource,
    /// Its licence, as its own model card names it.
    pub licence: Option<String>,
}

impl From<&PretrainedModel> for BaseModel {
    fn from(model: &PretrainedModel) -> Self {
        Self { id: model.id.clone(), source: model.source, licence: model.licence.clone() }
    }
}

impl fmt::Display for ModelCard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "---\nlibrary_name: {}\npipeline_tag: {}", self.library_name, self.pipeline_tag)?;
        if let Some(base) = &self.base {
            // Only the hub's own names are links there.
            if base.source == ModelSource::Hub {
                writeln!(f, "base_model: {}", base.id)?;
            }
            if let Some(licence) = &base.licence {
                writeln!(f, "license: {licence}")?;
            }
        }
        writeln!(f, "tags:\n- rekindle\n---\n\n# {}", self.title)?;
        for (heading, text) in &self.sections {
            writeln!(f, "\n## {heading}\n\n{}", text.trim_end())?;
        }
        let Some(base) = &self.base else {
            return writeln!(f, "\n## Base model\n\nNone: all weights were initialised from a seed.");
        };
        let licence = match &base.licence {
            Some(licence) => format!("Its licence is `{licence}`, which also applies to models derived from it."),
            None => "Its licence is not known here; check it before you publish this model.".into(),
        };
        writeln!(f, "\n## Base model\n\nThe weights come from `{}`. {licence}", base.id)
    }
}

/// Returns the README of a model folder.
pub(crate) fn readme(folder: &Path) -> Option<String> {
    // As the other files of the folder, it must not be a link to a file elsewhere.
    check_symlinks(folder, &["md"]).ok()?;
    Some(String::from_utf8_lossy(&fs::read(folder.join("README.md")).ok()?).into_owned())
}

/// Returns the licence that the README of a model folder names in its metadata (`license: apache-2.0`).
pub(crate) fn licence(folder: &Path) -> Option<String> {
    let text = readme(folder)?;
    let metadata = text.strip_prefix("---")?.split("\n---").next()?;
    let value = metadata.lines().find_map(|line| line.strip_prefix("license:"))?;
    let value = value.trim().trim_matches(['"', '\'']);
    let is_name = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    (!value.is_empty() && value.chars().all(is_name)).then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_has_the_metadata_of_the_hub() {
        let base = BaseModel { id: "org/base".into(), source: ModelSource::Hub, licence: Some("mit".into()) };
        let sections = vec![("Results", "good\n".into())];
        let mut card = ModelCard {
            title: "reviews".into(),
            library_name: "transformers",
            pipeline_tag: "text-classification",
            base: Some(base),
            sections,
        };
        let text = card.to_string();
        let metadata =
            "---\nlibrary_name: transformers\npipeline_tag: text-classification\nbase_model: org/base\nlicense: mit\n";
        assert!(text.starts_with(metadata), "{text}");
        assert!(text.contains("\n# reviews\n\n## Results\n\ngood\n\n## Base model\n\nThe weights come from `org/base`. Its licence is `mit`"));
        card.base = None;
        assert!(card.to_string().contains("None: all weights"));
    }

    #[test]
    fn the_licence_is_read_from_the_metadata_of_a_readme() {
        let folder = tempfile::tempdir().expect("a folder");
        let of = |text: &str| {
            fs::write(folder.path().join("README.md"), text).expect("written");
            licence(folder.path())
        };
        assert_eq!(of("---\nlanguage: en\nlicense: apache-2.0\n---\n# A model\n").as_deref(), Some("apache-2.0"));
        assert_eq!(of("---\nlicense: \"mit\"\n---\n").as_deref(), Some("mit"));
        assert_eq!(of("# A model\nlicense: mit\n"), None);
        assert_eq!(of("---\ntags: [a]\n---\nlicense: mit\n"), None);
        assert_eq!(of("---\nlicense: [a, b]\n---\n"), None);
    }
}
