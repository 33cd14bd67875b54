//! A pretrained model with its tokenizer, from a folder or from the program itself.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn::tensor::Device;
use rekindle_checkpoint::{Checkpoint, CheckpointError, LoadReport, Problem, ProblemType};
use rekindle_encoders::{EncoderConfig, LinearStorage, Pooling, SequenceClassifier, is_bare_encoder};
use rekindle_files::check_symlinks;
use rekindle_tokenizer::Tokenizer;
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::adapter::{adapted_config, base_of, merged};
use crate::card;
use crate::classes::{Rows, rows};
use crate::error::InferError;
use crate::folder::not_a_model;
use crate::long_texts::{LONG_TEXTS, LongTexts};
use crate::precision::{LinearPrecision, precision_of};
use crate::sentence_folder::SentenceModules;

/// The extensions of the files that are read in a model folder.
pub const MODEL_FILES: [&str; 3] = ["json", "safetensors", "txt"];

/// The source of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ModelSource {
    /// The Hugging Face hub, or its cache.
    Hub,
    /// A folder.
    Folder,
    /// The program itself.
    Embedded,
}

/// A checkpoint that is compiled into a program.
#[derive(Clone, Copy, Debug)]
pub struct EmbeddedModel {
    /// The name of the model in results.
    pub id: &'static str,
    /// `config.json`.
    pub config: &'static [u8],
    /// `model.safetensors`.
    pub weights: &'static [u8],
    /// `tokenizer.json`.
    pub tokenizer: &'static [u8],
    /// Its licence, as the hub names it.
    pub licence: &'static str,
}

/// An open checkpoint and its tokenizer. No weight is loaded yet; copies share the tensors.
#[derive(Clone, Debug)]
pub struct PretrainedModel {
    /// The name of the model in results: a hub id, a folder, or the name of the embedded model.
    pub id: String,
    /// The source of the model.
    pub source: ModelSource,
    /// Its configuration, with the classes of the checkpoint.
    pub config: EncoderConfig,
    /// Its tokenizer.
    pub tokenizer: Tokenizer,
    /// Its tensors.
    pub checkpoint: Arc<Checkpoint>,
    /// Its licence, as the metadata of its `README.md` name it.
    pub licence: Option<String>,
    /// What is read of texts that are longer than the maximum length, as training fixed it: `long_texts` in
    /// `tokenizer_config.json`.
    pub long_texts: LongTexts,
    /// Its folder, if it has one.
    pub(crate) folder: Option<PathBuf>,
    /// What the linear layers of the encoder are loaded in.
    precision: LinearPrecision,
    /// The transformer layers whose linear layers are stored in bf16.
    bf16_layers: Vec<usize>,
}

/// Reads the setting for long texts of a folder, whose `tokenizer_config.json` the tokenizer has read.
fn long_texts(folder: &Path) -> Result<LongTexts, InferError> {
    let path = folder.join("tokenizer_config.json");
    let fields = std::fs::read(&path).ok().and_then(|json| serde_json::from_slice::<Value>(&json).ok());
    match fields.as_ref().and_then(|fields| fields.get(LONG_TEXTS)) {
        None => Ok(LongTexts::default()),
        Some(Value::String(text)) => text.parse().map_err(|reason| InferError::LongTexts { path, reason }),
        Some(_) => Err(InferError::LongTexts { path, reason: "expected a string".into() }),
    }
}

impl PretrainedModel {
    /// Opens `config.json`, the weights and the tokenizer in `folder`; of an adapter of peft, those of its base model, if that
    /// is a folder too, [with the adapter](Self::with_adapter).
    ///
    /// # Errors
    /// Returns an error if one of them is missing, damaged or a link out of the folder, if the tokenizer does not belong to
    /// the model, or if the base model of an adapter is not a folder ([`InferError::AdapterBase`]).
    pub fn from_folder(folder: &Path) -> Result<Self, InferError> {
        if !folder.is_dir() {
            let kind = if folder.exists() { std::io::ErrorKind::NotADirectory } else { std::io::ErrorKind::NotFound };
            return Err(InferError::Folder { path: folder.into(), source: kind.into() });
        }
        check_symlinks(folder, &MODEL_FILES)?;
        if let Some(base) = base_of(folder)? {
            let is_adapter = base_of(Path::new(&base)).is_ok_and(|base| base.is_some());
            if !Path::new(&base).is_dir() || is_adapter {
                return Err(InferError::AdapterBase { folder: folder.into(), base });
            }
            return Self::from_folder(Path::new(&base))?.with_adapter(folder);
        }
        if let Some(reason) = not_a_model(folder) {
            return Err(InferError::NotAModel { folder: folder.into(), reason });
        }
        let config = EncoderConfig::from_folder(folder)?;
        let checkpoint = Checkpoint::open(folder)?;
        let id = folder.display().to_string();
        let model = Self::new(&id, ModelSource::Folder, config, Tokenizer::from_folder(folder)?, checkpoint)?;
        let long_texts = long_texts(folder)?;
        Ok(Self { licence: card::licence(folder), long_texts, folder: Some(folder.into()), ..model })
    }

    /// Returns the same model with another name and source in results.
    #[must_use]
    pub fn named(self, id: &str, source: ModelSource) -> Self {
        Self { id: id.into(), source, ..self }
    }

    /// Returns this model with the low-rank adapters and the head in a folder of peft, merged into its weights. The classes are
    /// those of a `config.json` in the folder, or else those of this model if the number fits, or else `LABEL_0`, `LABEL_1`, ….
    /// A tokenizer in the folder replaces that of this model.
    ///
    /// # Errors
    /// Returns an error if a file is missing, damaged or pickled, or if the adapter is of another kind or does not fit the model.
    pub fn with_adapter(self, folder: &Path) -> Result<Self, InferError> {
        self.check_f32("merging an adapter")?;
        check_symlinks(folder, &MODEL_FILES)?;
        let checkpoint = merged(&self.checkpoint, folder)?;
        let config = adapted_config(&self.config, folder, &checkpoint)?;
        let has_tokenizer =
            ["tokenizer.json", "vocab.txt", "vocab.json"].iter().any(|name| folder.join(name).is_file());
        let tokenizer = if has_tokenizer { Tokenizer::from_folder(folder)? } else { self.tokenizer };
        let long_texts = if has_tokenizer { long_texts(folder)? } else { self.long_texts };
        let id = folder.display().to_string();
        let model = Self::new(&id, ModelSource::Folder, config, tokenizer, checkpoint)?;
        Ok(Self { licence: card::licence(folder).or(self.licence), long_texts, ..model })
    }

    /// Opens the checkpoint that is compiled into the program.
    ///
    /// # Errors
    /// As [`from_folder`](Self::from_folder).
    pub fn embedded(model: EmbeddedModel) -> Result<Self, InferError> {
        let config = EncoderConfig::from_json(model.config, Path::new("embedded/config.json"))?;
        let checkpoint = Checkpoint::from_bytes("embedded/model.safetensors", model.weights)?;
        let tokenizer = Tokenizer::from_json_bytes(model.tokenizer)?;
        let opened = Self::new(model.id, ModelSource::Embedded, config, tokenizer, checkpoint)?;
        Ok(Self { licence: Some(model.licence.into()), ..opened })
    }

    fn new(
        id: &str,
        source: ModelSource,
        config: EncoderConfig,
        tokenizer: Tokenizer,
        checkpoint: Checkpoint,
    ) -> Result<Self, InferError> {
        let (entries, words) = (tokenizer.ids(), config.vocab_size);
        if entries > words {
            return Err(InferError::Vocabulary { tokenizer: entries, model: words });
        }
        let precision = precision_of(&config, &checkpoint)
            .map_err(|reason| InferError::Quantization { model: id.into(), reason })?;
        let (id, checkpoint) = (id.into(), Arc::new(checkpoint));
        let long_texts = LongTexts::default();
        Ok(Self {
            id,
            source,
            config,
            tokenizer,
            checkpoint,
            licence: None,
            long_texts,
            folder: None,
            precision,
            bf16_layers: Vec::new(),
        })
    }

    /// Returns what the linear layers of the encoder are loaded in: that of the weights in the files, unless
    /// [`with_precision`](Self::with_precision) said otherwise.
    pub fn precision(&self) -> LinearPrecision {
        self.precision
    }

    /// Loads the linear layers of the encoder in this precision. If the files have them in f32 and they are loaded in int8, each is
    /// quantized as it is read, and no two are in memory in f32.
    ///
    /// # Errors
    /// Returns an error for f32 if the files have them in int8.
    pub fn with_precision(self, precision: LinearPrecision) -> Result<Self, InferError> {
        if precision == LinearPrecision::F32 {
            self.check_f32("prediction in f32")?;
        }
        Ok(Self { precision, ..self })
    }

    /// Loads the linear layers of these transformer layers, counted from 0, rounded to bf16, which takes half the memory. They compute in
    /// f32, and must not be trained. A model that is loaded in int8 is loaded so.
    pub fn with_bf16_layers(self, layers: Vec<usize>) -> Self {
        Self { bf16_layers: layers, ..self }
    }

    /// Checks that the files have weights in f32, for `work` that needs them.
    ///
    /// # Errors
    /// Returns an error if the files have weights in int8.
    pub fn check_f32(&self, work: &str) -> Result<(), InferError> {
        match self.config.is_int8() {
            true => Err(InferError::Int8 { model: self.id.clone(), work: work.into() }),
            false => Ok(()),
        }
    }

    /// Returns the text of `README.md`, the model card, if the model has a folder with one.
    pub fn readme(&self) -> Option<String> {
        self.folder.as_deref().and_then(card::readme)
    }

    /// Returns what comes behind the encoder, if the folder is one of sentence-transformers.
    ///
    /// # Errors
    /// As [`SentenceModules::from_folder`].
    pub fn modules(&self) -> Result<Option<SentenceModules>, InferError> {
        self.folder.as_deref().map_or(Ok(None), SentenceModules::from_folder)
    }

    /// Returns the maximum number of tokens per text that training fixed: the `model_max_length` of a model with a trained
    /// head, or of any model if it is less than the positions. `None` if the files say nothing of the kind.
    pub fn trained_max_length(&self) -> Option<usize> {
        let positions = self.config.max_length();
        let length = self.tokenizer.model_max_length()?.min(positions);
        (length < positions || self.has_head()).then_some(length)
    }

    /// Returns whether the checkpoint has the classification head of its family for its classes.
    fn has_head(&self) -> bool {
        SequenceClassifier::has_head(&self.config, &self.checkpoint)
    }

    /// Returns the pooling that the encoder was trained with, as far as that can be known: what `config.json` says if it is not
    /// `[CLS]`; what the [modules](Self::modules) of sentence-transformers say, if they are supported; the mean for an encoder without any head, which is
    /// an embedding model; and otherwise `[CLS]`.
    pub fn pooling(&self) -> Pooling {
        let of_checkpoint = if is_bare_encoder(&self.checkpoint) { Pooling::Mean } else { Pooling::Cls };
        match self.config.classifier_pooling {
            Pooling::Cls => self.modules().ok().flatten().map_or(of_checkpoint, |modules| modules.embedding.pooling),
            pooling => pooling,
        }
    }

    /// Loads the weights, with a head for `classes`, as [`load_for`](Self::load_for) with one class per text.
    ///
    /// # Errors
    /// As [`SequenceClassifier::from_checkpoint`].
    pub fn load(
        &self,
        classes: &[String],
        seed: u64,
        device: &Device,
    ) -> Result<(EncoderConfig, SequenceClassifier, LoadReport), InferError> {
        self.load_for(classes, Problem::default(), seed, device)
    }

    /// Loads the weights, with a head for `classes`, whose outputs mean what `problem` says. Tensors that the checkpoint lacks are initialised by the seed.
    ///
    /// The rows of a trained head are matched with the classes by their names, as the report says: a class that the head has gets
    /// its row, and a row is initialised for the others. If the head has none of them, its rows keep their order. The output of
    /// a regression has no such name.
    ///
    /// # Errors
    /// As [`SequenceClassifier::from_checkpoint`].
    pub fn load_for(
        &self,
        classes: &[String],
        problem: Problem,
        seed: u64,
        device: &Device,
    ) -> Result<(EncoderConfig, SequenceClassifier, LoadReport), InferError> {
        let is_regression = problem.problem_type == Some(ProblemType::Regression);
        let config = self.config.clone().with_labels(classes).with_problem(problem);
        let from = |config: &EncoderConfig| self.sequence_classifier(config, seed, device);
        let rows = if self.has_head() && !is_regression {
            rows(&self.config.labels(), classes, self.config.output_parameters())
        } else {
            Rows::AsTheyAre(None)
        };
        let (model, mut report) = match &rows {
            Rows::Selected(..) => from(&self.config)?,
            _ => from(&config)?,
        };
        let model = match rows {
            Rows::AsTheyAre(matched) => {
                report.classes = matched;
                model
            }
            Rows::Selected(rows, matched) => {
                report.classes = Some(matched);
                model.with_classes(&rows).reinitialize(&config, &report, seed)
            }
        };
        Ok((config, model, report))
    }

    /// Loads the model of a configuration in the [precision](Self::precision).
    pub(crate) fn sequence_classifier(
        &self,
        config: &EncoderConfig,
        seed: u64,
        device: &Device,
    ) -> Result<(SequenceClassifier, LoadReport), CheckpointError> {
        SequenceClassifier::from_checkpoint_in(&self.storage(), config, &self.checkpoint, seed, device)
    }

    /// Returns what the linear layers of the encoder are stored in.
    pub(crate) fn storage(&self) -> LinearStorage {
        match self.precision {
            LinearPrecision::Int8 => LinearStorage::Int8,
            LinearPrecision::F32 if self.bf16_layers.is_empty() => LinearStorage::F32,
            LinearPrecision::F32 => LinearStorage::Bf16(self.bf16_layers.clone()),
        }
    }

    /// Returns the SHA-256 of all weight files, one after the other, in hexadecimal. Reads the files completely.
    pub fn sha256(&self) -> String {
        let digest = self.checkpoint.contents().fold(Sha256::new(), |hash, bytes| hash.chain_update(bytes)).finalize();
        self.checkpoint.release();
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
