//! Classification of texts.

use std::fmt;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use burn::module::Module;
use burn::tensor::Device;
use rekindle_checkpoint::{copied, trainable};
use rekindle_encoders::{EncoderConfig, SentenceClassifier, SequenceClassifier, TransformerEncoder};
use rekindle_nn::{NamedLinear, NnError};
use rekindle_tokenizer::Tokenizer;
use serde::Serialize;

use crate::batched::{logits, sentence_logits};
use crate::decision::Decision;
use crate::encode::{EncodedTexts, encode, encode_one, has_segments};
use crate::error::InferError;
use crate::long_texts::LongTexts;
use crate::model::PretrainedModel;
use crate::output_function::OutputFunction;
use crate::precision::LinearPrecision;

/// The prediction of a [`Predictor`]: the fields of transformers' `text-classification` pipeline, and the logits.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Prediction {
    /// The name of the class with the largest logit.
    pub label: String,
    /// Its probability by the [`OutputFunction`] of the model; for a regression, the predicted number.
    pub score: f32,
    /// For several labels, the names of those whose probability reaches their threshold; absent otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<Vec<String>>,
    /// The logits, in the order of the classes.
    pub logits: Vec<f32>,
}

/// The batch size of [`Predictor::predict`].
const BATCH_SIZE: usize = 32;

/// A trained model that predicts the classes of texts. Copies are cheap: they share the weights.
#[derive(Clone)]
pub struct Predictor {
    shared: Arc<Shared>,
    long_texts: LongTexts,
}

/// What copies of a classifier share.
struct Shared {
    config: EncoderConfig,
    labels: Vec<String>,
    model: Model,
    tokenizer: Tokenizer,
    device: Device,
    max_length: usize,
}

/// The kinds of models with a classification head.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Model {
    /// An encoder with the head of its family.
    Sequence(Box<SequenceClassifier>),
    /// A linear head on sentence embeddings.
    Sentence(Box<SentenceClassifier>),
}

impl Model {
    /// The linear layers of the encoder.
    fn linear_layers(&mut self) -> Vec<NamedLinear<'_>> {
        match self {
            Self::Sequence(model) => model.linear_layers(),
            Self::Sentence(model) => model.encoder.linear_layers(),
        }
    }

    /// The number of weights that are in int8 only.
    pub(crate) fn int8_weights(&self) -> usize {
        // The layers are lent to be changed; a copy shares their weights.
        self.clone().linear_layers().into_iter().map(|layer| layer.linear.int8_weights()).sum()
    }

    /// The model with the linear layers of the encoder in int8.
    fn quantized(mut self) -> Result<Self, NnError> {
        for NamedLinear { name, linear } in self.linear_layers() {
            linear.quantize().map_err(|error| match error {
                NnError::Int8 { reason } => NnError::Int8 { reason: format!("{name}: {reason}") },
                error => error,
            })?;
        }
        Ok(self)
    }
}

impl From<SequenceClassifier> for Model {
    fn from(model: SequenceClassifier) -> Self {
        Self::Sequence(Box::new(model))
    }
}

impl From<SentenceClassifier> for Model {
    fn from(model: SentenceClassifier) -> Self {
        Self::Sentence(Box::new(model))
    }
}

/// Shows the classes, and not the weights.
impl fmt::Debug for Predictor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Predictor").field("labels", &self.labels()).finish_non_exhaustive()
    }
}

impl Predictor {
    /// Loads the weights of a checkpoint with a classification head, or of a model folder of sentence-transformers or SetFit
    /// with a linear one.
    ///
    /// # Errors
    /// Returns an error if the head is missing, pickled or has another number of classes, or if the weights cannot be read.
    pub fn new(pretrained: &PretrainedModel, device: &Device) -> Result<Self, InferError> {
        let modules = pretrained.modules()?;
        let (config, model) = match pretrained.folder.as_deref().zip(modules.as_ref()) {
            Some((folder, modules)) => {
                let (config, model) = pretrained.sentence_classifier(folder, modules, device)?;
                (config, Model::Sentence(Box::new(model)))
            }
            None => (pretrained.config.clone(), Model::Sequence(Box::new(with_head(pretrained, device)?))),
        };
        let lengths = [modules.and_then(|modules| modules.max_length), pretrained.trained_max_length()];
        let max_length = lengths.into_iter().flatten().fold(config.max_length(), usize::min);
        Ok(Self::from_model(config, model, pretrained.tokenizer.clone(), max_length, device)
            .with_long_texts(pretrained.long_texts))
    }

    /// Opens the model in a folder and loads its weights: [`PretrainedModel::from_folder`] and [`new`](Self::new).
    ///
    /// # Errors
    /// As these two.
    pub fn from_folder(folder: &Path, device: &Device) -> Result<Self, InferError> {
        Self::new(&PretrainedModel::from_folder(folder)?, device)
    }

    /// Returns a classifier from a model in memory, which reads at most `max_length` tokens per text.
    pub fn from_model(
        config: EncoderConfig,
        model: impl Into<Model>,
        tokenizer: Tokenizer,
        max_length: usize,
        device: &Device,
    ) -> Self {
        let (labels, device) = (config.labels(), device.clone());
        // Autodiff would build graphs that nobody reads.
        let model = match model.into() {
            Model::Sequence(model) => Model::Sequence(Box::new(model.trainable(|_| false))),
            Model::Sentence(model) => Model::Sentence(Box::new(trainable(model.as_ref(), |_| false))),
        };
        let shared = Arc::new(Shared { config, labels, model, tokenizer, device, max_length });
        Self { shared, long_texts: LongTexts::default() }
    }

    fn with_model(&self, model: Model) -> Self {
        let Shared { config, labels, tokenizer, device, max_length, .. } = &*self.shared;
        let (config, labels, tokenizer) = (config.clone(), labels.clone(), tokenizer.clone());
        let (device, max_length) = (device.clone(), *max_length);
        let shared = Arc::new(Shared { config, labels, model, tokenizer, device, max_length });
        Self { shared, long_texts: self.long_texts }
    }

    /// Computes the linear layers of the encoder in this precision. In int8 they take a quarter of the memory, once the classifier
    /// in f32 and its copies are gone; [`PretrainedModel::with_precision`] loads them so in less memory.
    ///
    /// # Errors
    /// Returns an error for int8 as [`Linear::quantize`](rekindle_nn::Linear::quantize); for f32 if the layers are in int8 already.
    pub fn with_precision(self, precision: LinearPrecision) -> Result<Self, InferError> {
        if precision == self.precision() {
            return Ok(self);
        }
        if precision == LinearPrecision::F32 {
            return Err(NnError::Int8 { reason: "the weights in f32 are gone; load the model again".into() }.into());
        }
        Ok(self.with_model(self.model().clone().quantized()?))
    }

    /// Returns what the linear layers of the encoder compute in.
    pub fn precision(&self) -> LinearPrecision {
        if self.model().int8_weights() > 0 { LinearPrecision::Int8 } else { LinearPrecision::F32 }
    }

    /// Returns the number of parameters, in any precision.
    pub fn num_params(&self) -> usize {
        let others = match self.model() {
            Model::Sequence(model) => model.num_params(),
            Model::Sentence(model) => model.num_params(),
        };
        others + self.model().int8_weights()
    }

    /// Copies the weights into memory, so that the files of the model may be replaced while the classifier is used. Otherwise,
    /// it shares the weights with the mapped files.
    ///
    /// # Errors
    /// Returns an error if the device fails.
    pub fn in_memory(self) -> Result<Self, InferError> {
        let model = match self.model() {
            Model::Sequence(model) => Model::Sequence(Box::new(copied(model.as_ref())?)),
            Model::Sentence(model) => Model::Sentence(Box::new(copied(model.as_ref())?)),
        };
        Ok(self.with_model(model))
    }

    /// Returns the model.
    pub fn model(&self) -> &Model {
        &self.shared.model
    }

    /// Returns what is read of texts that are longer than the maximum length.
    pub fn long_texts(&self) -> LongTexts {
        self.long_texts
    }

    /// Returns whether the model reads the segments of the tokenizer, `token_type_ids`.
    pub fn has_segments(&self) -> bool {
        has_segments(&self.shared.tokenizer, &self.shared.config)
    }

    /// Returns the same classifier, whose linear layers in the encoder compute as those of a file with int8 weights: see
    /// [`Linear::simulate_int8`](rekindle_nn::Linear::simulate_int8).
    ///
    /// # Panics
    /// Panics if the layers are in int8 already.
    pub fn simulate_int8(&self) -> Self {
        let mut model = self.model().clone();
        model.linear_layers().into_iter().for_each(|layer| layer.linear.simulate_int8());
        self.with_model(model)
    }

    /// Returns the maximum number of tokens per text that the model was trained with; its number of positions, if the files
    /// do not say.
    pub fn max_length(&self) -> usize {
        self.shared.max_length
    }

    /// Reads long texts in this way, instead of as the model was trained.
    #[must_use]
    pub fn with_long_texts(self, long_texts: LongTexts) -> Self {
        Self { long_texts, ..self }
    }

    /// Returns the names of the classes, in the order of the logits.
    pub fn labels(&self) -> &[String] {
        &self.shared.labels
    }

    /// Returns the function that turns its logits into scores.
    pub fn output_function(&self) -> OutputFunction {
        OutputFunction::of(&self.shared.config)
    }

    /// Returns the tokenizer of the model.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.shared.tokenizer
    }

    /// Returns the device of the weights.
    pub(crate) fn device(&self) -> &Device {
        &self.shared.device
    }

    /// Returns the configuration of the model, with its classes.
    pub fn config(&self) -> &EncoderConfig {
        &self.shared.config
    }

    /// Predicts the classes of texts of at most [`max_length`](Self::max_length) tokens, in batches of 32.
    ///
    /// # Errors
    /// As [`classify`](Self::classify).
    pub fn predict<T: AsRef<str>>(&self, texts: &[T]) -> Result<Vec<Prediction>, InferError> {
        self.classify(texts, self.max_length(), BATCH_SIZE)
    }

    /// Classifies texts, each as sequences of at most `max_length` tokens as the setting for long texts says, in batches of
    /// similar length. Returns the predictions in the order of the texts.
    ///
    /// # Errors
    /// Returns an error if `max_length` is more than the model's positions, if a text cannot be tokenized, or if the device
    /// fails.
    pub fn classify<T: AsRef<str>>(
        &self,
        texts: &[T],
        max_length: usize,
        batch_size: usize,
    ) -> Result<Vec<Prediction>, InferError> {
        let texts: Vec<(&str, Option<&str>)> = texts.iter().map(|text| (text.as_ref(), None)).collect();
        self.classify_pairs(&texts, max_length, batch_size)
    }

    /// Classifies texts, each with or without a second one, as [`classify`](Self::classify). A longer pair is truncated as
    /// transformers' `longest_first` does it.
    ///
    /// # Errors
    /// As [`classify`](Self::classify).
    pub fn classify_pairs<T: AsRef<str>>(
        &self,
        pairs: &[(T, Option<T>)],
        max_length: usize,
        batch_size: usize,
    ) -> Result<Vec<Prediction>, InferError> {
        let logits = self.pair_logits(pairs, max_length, batch_size)?;
        Ok(logits.chunks(self.shared.labels.len()).map(|row| self.prediction(row)).collect())
    }

    /// Returns the logits of texts, each with or without a second one: row-major `[texts, classes]`, in the order of the texts.
    ///
    /// # Errors
    /// As [`classify`](Self::classify).
    pub fn pair_logits<T: AsRef<str>>(
        &self,
        pairs: &[(T, Option<T>)],
        max_length: usize,
        batch_size: usize,
    ) -> Result<Vec<f32>, InferError> {
        let positions = self.shared.config.max_length();
        if max_length > positions {
            return Err(InferError::MaxLength { max_length, positions });
        }
        let encoded = encode(&self.shared.tokenizer, &self.shared.config, pairs, max_length, self.long_texts)?;
        self.logits(&encoded, batch_size)
    }

    /// Returns a text, or a pair of texts, as the tokens that the model reads, computed on this thread: for callers that form
    /// batches themselves, by [`EncodedTexts::concat`].
    ///
    /// # Errors
    /// Returns an error if the text cannot be tokenized.
    pub fn encode(&self, text: &str, text_pair: Option<&str>, max_length: usize) -> Result<EncodedTexts, InferError> {
        encode_one(&self.shared.tokenizer, &self.shared.config, (text, text_pair), max_length, self.long_texts)
    }

    /// Returns the logits of tokenized texts, row-major `[texts, classes]`, in the order given and in the batches of
    /// [`classify`](Self::classify).
    ///
    /// # Errors
    /// Returns an error if a text does not fit the model, a logit is not finite, or the device fails.
    pub fn logits(&self, encoded: &EncodedTexts, batch_size: usize) -> Result<Vec<f32>, InferError> {
        let (sequences, windows) = (encoded.sequences(), &encoded.windows);
        let mut progress = |_| ControlFlow::Continue(());
        let (config, device) = (&self.shared.config, &self.shared.device);
        Ok(match &self.shared.model {
            Model::Sequence(model) => {
                let logits = logits(model, config, &sequences, batch_size, device, &mut progress);
                windows.pooled_values(logits.map_err(|error| windows.in_text(error))?, config.num_labels())
            }
            Model::Sentence(model) => {
                sentence_logits(model, config, (&sequences, windows), batch_size, device, &mut progress)?
            }
        })
    }

    fn prediction(&self, logits: &[f32]) -> Prediction {
        let decided = self.decide(logits, &Decision::default());
        let (best, score) = decided.ranking.first().copied().unwrap_or_default();
        let name = |label: usize| self.shared.labels[label].clone();
        let labels = decided.labels.map(|labels| labels.into_iter().map(name).collect());
        Prediction { label: name(best), score, labels, logits: logits.to_vec() }
    }
}

/// Loads a model whose head is in the checkpoint.
fn with_head(pretrained: &PretrainedModel, device: &Device) -> Result<SequenceClassifier, InferError> {
    // The seed has no effect, because every tensor must be in the checkpoint.
    let (model, report) = pretrained.sequence_classifier(&pretrained.config, 0, device)?;
    match InferError::missing_head(&report, &["classifier.", "score."]) {
        Some((tensor, other)) => Err(InferError::NoHead { model: pretrained.id.clone(), tensor, other }),
        None => Ok(model),
    }
}
