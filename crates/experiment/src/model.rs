//! A pretrained model with its tokenizer, from a folder or from the program itself.

use std::path::Path;
use std::sync::Arc;

use burn::tensor::Device;
use rekindle_checkpoint::{Checkpoint, LoadReport};
use rekindle_distilbert::{DistilBertConfig, DistilBertForSequenceClassification};
use rekindle_files::check_symlinks;
use rekindle_results::Source;
use rekindle_tokenizer::Tokenizer;
use sha2::{Digest, Sha256};

use crate::error::ExperimentError;
/// The extensions of the files that are read in a model folder.
pub const MODEL_FILES: [&str; 3] = ["json", "safetensors", "txt"];

/// A checkpoint that is compiled into a program.
#[derive(Clone, Copy, Debug)]
pub struct EmbeddedModel {
    /// Its name in every artifact.
    pub id: &'static str,
    /// `config.json`.
    pub config: &'static [u8],
    /// `model.safetensors`.
    pub weights: &'static [u8],
    /// `tokenizer.json`.
    pub tokenizer: &'static [u8],
}

/// An opened checkpoint and its tokenizer, before any weight is read. Copies share its tensors.
#[derive(Clone, Debug)]
pub struct PretrainedModel {
    /// The name in every artifact: a hub id, a folder, or the embedded model's.
    pub id: String,
    /// Where it came from.
    pub source: Source,
    /// Its configuration, with the classes of the checkpoint.
    pub config: DistilBertConfig,
    /// Its tokenizer.
    pub tokenizer: Tokenizer,
    /// Its tensors.
    pub checkpoint: Arc<Checkpoint>,
}

impl PretrainedModel {
    /// Opens `config.json`, the weights and the tokenizer in `folder`.
    ///
    /// # Errors
    /// When one of them is absent or broken or a link out of the folder, or tokenizer and model do not belong together.
    pub fn from_folder(folder: &Path, id: &str, source: Source) -> Result<Self, ExperimentError> {
        if !folder.is_dir() {
            let kind = if folder.exists() { std::io::ErrorKind::NotADirectory } else { std::io::ErrorKind::NotFound };
            return Err(ExperimentError::Io { path: folder.into(), source: kind.into() });
        }
        check_symlinks(folder, &MODEL_FILES)?;
        let config = DistilBertConfig::from_folder(folder)?;
        let checkpoint = Checkpoint::open(folder)?;
        Self::new(id, source, config, Tokenizer::from_folder(folder)?, checkpoint)
    }

    /// Opens the checkpoint that is compiled into the program.
    ///
    /// # Errors
    /// As [`from_folder`](Self::from_folder).
    pub fn embedded(model: EmbeddedModel) -> Result<Self, ExperimentError> {
        let config = DistilBertConfig::from_json(model.config, Path::new("embedded/config.json"))?;
        let checkpoint = Checkpoint::from_bytes("embedded/model.safetensors", model.weights)?;
        Self::new(model.id, Source::Embedded, config, Tokenizer::from_json_bytes(model.tokenizer)?, checkpoint)
    }

    fn new(
        id: &str,
        source: Source,
        config: DistilBertConfig,
        tokenizer: Tokenizer,
        checkpoint: Checkpoint,
    ) -> Result<Self, ExperimentError> {
        let (entries, words) = (tokenizer.ids(), config.vocab_size);
        if entries > words {
            return Err(ExperimentError::Vocabulary { tokenizer: entries, model: words });
        }
        Ok(Self { id: id.into(), source, config, tokenizer, checkpoint: Arc::new(checkpoint) })
    }

    /// Reads the weights, with a head for `classes`.
    ///
    /// # Errors
    /// Returns an error if a tensor is missing or has another shape, as
    /// [`DistilBertForSequenceClassification::from_checkpoint`] does.
    pub fn load(
        &self,
        classes: &[String],
        seed: u64,
        device: &Device,
    ) -> Result<(DistilBertConfig, DistilBertForSequenceClassification, LoadReport), ExperimentError> {
        let config = self.config.clone().with_labels(classes);
        let (model, report) =
            DistilBertForSequenceClassification::from_checkpoint(&config, &self.checkpoint, seed, device)?;
        Ok((config, model, report))
    }
}

/// The SHA-256 of all weights files, one after the other, in hexadecimal.
pub(crate) fn sha256(checkpoint: &Checkpoint) -> String {
    let digest = checkpoint.contents().fold(Sha256::new(), |hash, bytes| hash.chain_update(bytes)).finalize();
    checkpoint.release();
    hexadecimal(&digest)
}

/// The SHA-256 of texts, each behind its length.
pub(crate) fn texts_sha256(texts: &[String]) -> String {
    let mut hash = Sha256::new();
    for text in texts {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text);
    }
    hexadecimal(&hash.finalize())
}

fn hexadecimal(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
