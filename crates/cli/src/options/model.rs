//! The option `--model`.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use rekindle::embedded::EMBEDDED;
use rekindle::hub::{self, Download, HubError, HubOptions};
use rekindle::infer::{InferError, ModelSource, PretrainedModel};
use rekindle::report::thousands;

use crate::exit::Failure;

/// The model that `auto` stands for.
const AUTO: &str = "distilbert-base-uncased";
/// Its name with the organisation, under which Python programs have it in the cache, too.
const AUTO_OF_ORGANISATION: &str = "distilbert/distilbert-base-uncased";

/// The addresses of the hub, which browsers show without `https://`.
const HUBS: [&str; 2] = ["huggingface.co", "hf.co"];

/// The value of `--model`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelChoice {
    /// The default model from the hub, or the embedded one if the hub cannot be reached.
    Auto,
    /// The embedded model.
    Embedded,
    /// A path: a folder, or what cannot be the name of a repository.
    Folder(PathBuf),
    /// A repository of the hub.
    Hub(String),
}

impl FromStr for ModelChoice {
    type Err = std::convert::Infallible;

    /// Reads a name as transformers does: an existing path is that path, a name of one or two plain parts is a hub id.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain = |part: &str| {
            !part.is_empty()
                && !part.starts_with('.')
                && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
        };
        Ok(match text {
            "auto" => Self::Auto,
            "embedded" => Self::Embedded,
            path if Path::new(path).exists() || id_of_url(path).is_some() => Self::Folder(path.into()),
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

impl Found {
    /// What is likely to be a mistake in the files of the model.
    pub fn warnings(&self) -> Vec<String> {
        let entries = self.model.tokenizer.unreachable_entries();
        let warning = |example: &String| {
            format!(
                "{}: upper-case letters in {} of {} entries of the vocabulary, for example in `{example}`, but the tokenizer \
                 lower-cases all texts and never uses such entries. If the model is a cased one, tokenizer_config.json must say \
                 `\"do_lower_case\": false`",
                self.model.id,
                thousands(entries.len()),
                thousands(self.model.tokenizer.vocab_size())
            )
        };
        entries.first().map(warning).into_iter().collect()
    }
}

/// The maximum length of texts where the options and the files of a model do not say, the notebook's.
const MAX_LENGTH: usize = 64;

/// The maximum number of tokens per text: as given, as the model was trained, or the default.
pub fn max_length(given: Option<usize>, model: &PretrainedModel) -> usize {
    let fallback = || MAX_LENGTH.min(model.config.max_length());
    given.or_else(|| model.trained_max_length()).unwrap_or_else(fallback)
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
        ModelChoice::Folder(folder) => open(folder, offline, progress)?,
        ModelChoice::Hub(id) => {
            let folder = hub::fetch(id, &options, progress).map_err(|error| {
                Failure::from(error).within(format!("no folder `{id}` exists; as the name of a model on the hub"))
            })?;
            PretrainedModel::from_folder(&folder)?.named(id, ModelSource::Hub)
        }
        ModelChoice::Auto => match fetch_default(&options, progress) {
            Ok((folder, id)) => PretrainedModel::from_folder(&folder)?.named(id, ModelSource::Hub),
            Err(error) if error.is_out_of_reach() => {
                substituted = Some(error.to_string());
                PretrainedModel::embedded(EMBEDDED)?
            }
            Err(error) => return Err(error.into()),
        },
    };
    Ok(Found { model, substituted })
}

/// Opens the model in a folder; the base model of an adapter may be on the hub.
fn open(folder: &Path, offline: bool, progress: &mut dyn FnMut(Download)) -> Result<PretrainedModel, Failure> {
    let name = folder.display();
    if folder.is_dir() {
        return match PretrainedModel::from_folder(folder) {
            Err(InferError::AdapterBase { base, .. }) => {
                let base_model = find(&ModelChoice::Hub(base.clone()), offline, progress);
                let base_model = base_model.map_err(|error| error.within(format!("{name}: an adapter of `{base}`")))?;
                Ok(base_model.model.with_adapter(folder)?)
            }
            opened => Ok(opened?),
        };
    }
    Err(Failure::input(match id_of_url(&name.to_string()) {
        Some(id) => format!("`{name}` is a URL; the model's name is `{id}`"),
        None if folder.exists() => format!("`{name}` is a file; name the folder that holds the model"),
        None => format!(
            "no folder `{name}` exists, and it is not the name of a model on the hub (`name` or `organisation/name`)"
        ),
    }))
}

/// The name of the model that an address of the hub leads to.
fn id_of_url(url: &str) -> Option<String> {
    let is_of_hub = |url: &&str| HUBS.iter().any(|hub| url.strip_prefix(hub).is_some_and(|rest| rest.starts_with('/')));
    let rest = url.split_once("://").map(|(_, rest)| rest).or(Some(url).filter(is_of_hub))?;
    let parts: Vec<_> = rest.split(['/', '?', '#']).skip(1).take(2).filter(|part| !part.is_empty()).collect();
    (!parts.is_empty()).then(|| parts.join("/"))
}

/// The folder and the name of the default model, which may be in the cache under either of its names.
fn fetch_default(
    options: &HubOptions,
    progress: &mut dyn FnMut(Download),
) -> Result<(PathBuf, &'static str), HubError> {
    for id in [AUTO, AUTO_OF_ORGANISATION] {
        if let Some(folder) = hub::cached(id, options)? {
            return Ok((folder, id));
        }
    }
    Ok((hub::fetch(AUTO, options, progress)?, AUTO))
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
        assert_eq!(choice("Cargo.toml"), Ok(ModelChoice::Folder("Cargo.toml".into())), "an existing file");
        for folder in ["./model", "../model", "/no/such/folder", "a/b/c"] {
            assert_eq!(choice(folder), Ok(ModelChoice::Folder(folder.into())));
        }
    }
    #[test]
    fn the_default_model_is_found_under_both_of_its_names() {
        let cache = tempfile::tempdir().expect("a folder");
        let mut options = HubOptions::new(cache.path());
        options.offline = true;
        assert!(fetch_default(&options, &mut |_| {}).is_err_and(|error| error.is_out_of_reach()));
        for id in [AUTO_OF_ORGANISATION, AUTO] {
            let snapshot = cache.path().join(format!("models--{}", id.replace('/', "--"))).join("snapshots/c0ffee");
            std::fs::create_dir_all(&snapshot).expect("created");
            for file in ["config.json", "model.safetensors", "vocab.txt"] {
                std::fs::write(snapshot.join(file), "").expect("written");
            }
            assert_eq!(fetch_default(&options, &mut |_| {}).expect("cached"), (snapshot, id));
        }
    }

    #[test]
    fn a_path_that_is_no_folder_is_an_error_that_says_what_it_is() {
        let message = |text: &str| {
            let choice = text.parse::<ModelChoice>().expect("infallible");
            match find(&choice, true, &mut |_| {}) {
                Ok(_) => panic!("{text}"),
                Err(failure) => failure.to_string(),
            }
        };
        assert!(message("./modle").contains("no folder `./modle` exists"), "{}", message("./modle"));
        assert!(message("a/b/c").contains("no folder `a/b/c` exists"), "{}", message("a/b/c"));
        assert!(message("Cargo.toml").contains("`Cargo.toml` is a file"), "{}", message("Cargo.toml"));
        for path in ["no-such-modle", "no-such/modle", "no--modle"] {
            let message = message(path);
            assert!(message.starts_with(&format!("no folder `{path}` exists; as the name of a model on")), "{message}");
        }
        for url in ["https://huggingface.co/org/name", "https://hf.co/org/name/tree/main", "huggingface.co/org/name"] {
            assert_eq!(message(url), format!("`{url}` is a URL; the model's name is `org/name`"));
        }
        assert!(message("https://huggingface.co/name").ends_with("`name`"));
        assert!(message("huggingface.co/name").ends_with("is a URL; the model's name is `name`"));
    }
}
