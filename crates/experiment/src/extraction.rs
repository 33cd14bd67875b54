//! Features of a large data set: the outputs of the frozen encoder, in shards on disk.

use std::ops::{ControlFlow, Range};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rekindle_checkpoint::{Checkpoint, CheckpointError, save_rows};
use rekindle_encoders::{EncoderConfig, Pooling, SequenceClassifier};
use rekindle_files::check_compatible;
use rekindle_infer::{ForwardError, InferError, LinearPrecision, LongTexts, PretrainedModel, encode, features};
use rekindle_remote::{Devices, Event, Failure, Items, WorkError, WorkQueue, Worker, run};
use rekindle_train::Stop;
use serde_json::{Value, json};

use crate::error::ExperimentError;
use crate::fingerprint::texts_sha256;

/// How features are extracted and stored.
#[derive(Clone, Debug)]
pub struct Extraction {
    /// How the hidden states of a text become one vector.
    pub pooling: Pooling,
    /// Maximum number of tokens per text, including `[CLS]` and `[SEP]`.
    pub max_length: usize,
    /// What is read of longer texts: the features of the windows of a text are pooled.
    pub long_texts: LongTexts,
    /// Maximum number of texts per batch; batches of short texts hold more of them.
    pub batch_size: usize,
    /// Texts per file.
    pub shard_size: usize,
    /// The folder of the files.
    pub folder: PathBuf,
}

/// An event of an extraction.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum ExtractionEvent<'a> {
    /// The number of texts in shards that exist already. The first event.
    Existing(usize),
    /// An event of a worker.
    Worker {
        /// The name of the worker.
        name: &'a str,
        /// The event. Shards are numbered from 0; progress is a number of texts.
        event: Event<usize, usize, usize, &'a str>,
    },
}

/// The name of the tensor in a shard.
const TENSOR: &str = "features";
/// The file that describes the shards.
const INDEX: &str = "features.json";
/// Texts that are tokenized at once: enough to form batches of similar length.
const CHUNK: usize = 1024;

impl Extraction {
    /// Whether `folder` holds features, complete or not.
    pub fn is_begun(folder: &Path) -> bool {
        folder.join(INDEX).is_file()
    }

    /// Writes `features.json`, a description of the features, and shards `features-00000-of-00100.safetensors` to the folder.
    /// Each shard has a tensor `features`, `[texts, dim]`, in the order of the texts. Shards are written atomically; shards
    /// that exist are kept.
    ///
    /// Each text may have a second one: a text pair has one vector. `backend` is the name of the backend for the description.
    ///
    /// # Errors
    /// Returns an error if the texts do not fit the model, if the folder cannot be written or holds other features, if no worker
    /// is left, or if the extraction is stopped.
    pub fn run(
        &self,
        pretrained: &PretrainedModel,
        texts: Vec<(String, Option<String>)>,
        backend: &str,
        workers: Vec<Worker>,
        stop: &Stop,
        observer: &mut dyn FnMut(ExtractionEvent<'_>),
    ) -> Result<(), ExperimentError> {
        let positions = pretrained.config.max_length();
        if self.max_length > positions {
            return Err(InferError::MaxLength { max_length: self.max_length, positions }.into());
        }
        let mut index = json!({
            "version": env!("CARGO_PKG_VERSION"),
            "model": pretrained.id,
            "model_sha256": pretrained.sha256(),
            "backend": backend,
            "pooling": self.pooling,
            "max_length": self.max_length,
            "dim": pretrained.config.hidden_size,
            "rows": texts.len(),
            "rows_sha256": texts_sha256(&texts),
            "shard_size": self.shard_size,
        });
        if self.long_texts != LongTexts::Truncate {
            index["long_texts"] = self.long_texts.to_string().into();
        }
        if pretrained.precision() != LinearPrecision::F32 {
            index["precision"] = pretrained.precision().to_string().into();
        }
        if let Value::Object(index) = index {
            check_compatible(&self.folder.join(INDEX), &index)?;
        }
        let shards = Shards { extraction: self.clone(), pretrained: pretrained.clone(), texts, stop: stop.clone() };
        let numbers = 0..shards.count();
        let recorded: Vec<bool> = numbers.clone().map(|number| shards.exists(number)).collect();
        let existing = numbers.clone().filter(|&number| recorded[number]).map(|number| shards.rows(number).len());
        observer(ExtractionEvent::Existing(existing.sum()));
        let costs = numbers.map(|number| shards.rows(number).len() as f64).collect();
        let result = run(Arc::new(shards), Items { costs, recorded }, workers, &mut |name, event| {
            let event = match &event {
                Event::Ready(description) => Event::Ready(description.as_deref()),
                Event::Started(number) => Event::Started(*number),
                Event::Progress(texts) => Event::Progress(*texts),
                Event::Finished((number, _)) => Event::Finished(*number),
                Event::Lost(reason) => Event::Lost(reason.as_str()),
                Event::GivenUp(reason) => Event::GivenUp(reason.as_str()),
            };
            observer(ExtractionEvent::Worker { name, event });
            Ok(())
        });
        result.map_err(|error| match error {
            WorkError::Queue(error) => error,
            WorkError::NoWorkers { worker, reason } => ExperimentError::NoWorkers { worker, reason },
        })
    }
}

/// What the threads of workers need.
struct Shards {
    extraction: Extraction,
    pretrained: PretrainedModel,
    texts: Vec<(String, Option<String>)>,
    stop: Stop,
}

impl Shards {
    fn count(&self) -> usize {
        self.texts.len().div_ceil(self.extraction.shard_size)
    }

    fn rows(&self, number: usize) -> Range<usize> {
        let first = number * self.extraction.shard_size;
        first..self.texts.len().min(first + self.extraction.shard_size)
    }

    /// Named like the shards of a checkpoint, but numbered from 0 like data sets.
    fn path(&self, number: usize) -> PathBuf {
        self.extraction.folder.join(format!("features-{number:05}-of-{:05}.safetensors", self.count()))
    }

    /// Whether a shard exists and is complete.
    fn exists(&self, number: usize) -> bool {
        let shape = [self.rows(number).len(), self.pretrained.config.hidden_size];
        let path = self.path(number);
        path.is_file() && Checkpoint::from_file(&path).is_ok_and(|shard| shard.shape(TENSOR) == Some(&shape[..]))
    }
}

/// A frozen encoder on the devices of a worker.
struct Encoder<'a> {
    config: EncoderConfig,
    model: SequenceClassifier,
    devices: &'a Devices,
}

impl WorkQueue for Shards {
    type Connection = Devices;
    type Context<'a> = Encoder<'a>;
    /// Texts.
    type Progress = usize;
    /// `[texts, dim]`, row-major.
    type Output = Vec<f32>;
    type Error = ExperimentError;

    fn describe(devices: &Devices) -> Option<String> {
        devices.description()
    }

    fn prepare<'a>(&'a self, devices: &'a Devices) -> Result<Encoder<'a>, Failure<ExperimentError>> {
        // The head is not used.
        let classes = self.pretrained.config.labels();
        let (config, model, _) =
            self.pretrained.load(&classes, 0, &devices.first).map_err(|error| Failure::Fatal(error.into()))?;
        Ok(Encoder { config, model: model.with_pooling(self.extraction.pooling), devices })
    }

    fn compute(
        &self,
        encoder: &mut Encoder<'_>,
        number: usize,
        progress: &mut dyn FnMut(Option<usize>) -> ControlFlow<()>,
    ) -> Result<Vec<f32>, Failure<ExperimentError>> {
        let Extraction { max_length, long_texts, batch_size, .. } = self.extraction;
        let Encoder { config, model, devices } = encoder;
        let rows = self.rows(number);
        let mut values = Vec::with_capacity(rows.len() * config.hidden_size);
        for (place, texts) in self.texts[rows.clone()].chunks(CHUNK).enumerate() {
            self.check_stop().map_err(Failure::Fatal)?;
            let encoded = encode(&self.pretrained.tokenizer, config, texts, max_length, long_texts);
            let encoded = encoded.map_err(|error| Failure::Fatal(error.into()))?;
            let (sequences, windows) = (encoded.sequences(), &encoded.windows);
            let features =
                features(model, config, &sequences, batch_size, &devices.first, &mut |_| ControlFlow::Continue(()));
            let features = features.map_err(|error| failure(windows.in_text(error), rows.start + place * CHUNK))?;
            values.extend(windows.pooled_values(features, config.hidden_size));
            if progress(Some(texts.len())).is_break() {
                return Err(Failure::Cancelled);
            }
        }
        Ok(values)
    }

    fn record(&self, number: usize, values: &Vec<f32>) -> Result<Vec<f64>, ExperimentError> {
        let path = self.path(number);
        let refuse = |error: CheckpointError| ExperimentError::Output { path: path.clone(), reason: error.to_string() };
        save_rows(TENSOR, values, self.pretrained.config.hidden_size, &path).map_err(refuse)?;
        Ok(Vec::new())
    }

    fn poisoned(&self, number: usize, reason: String) -> ExperimentError {
        ExperimentError::Poisoned { item: format!("shard {number}"), reason }
    }

    fn check_stop(&self) -> Result<(), ExperimentError> {
        if self.stop.is_requested() { Err(ExperimentError::Interrupted) } else { Ok(()) }
    }

    fn is_stop(error: &ExperimentError) -> bool {
        matches!(error, ExperimentError::Interrupted)
    }
}

/// Tells a failed device from an error that every worker would have. `first` is the number of the first text.
fn failure(error: ForwardError, first: usize) -> Failure<ExperimentError> {
    match error {
        ForwardError::Device(reason) => Failure::Lost(reason),
        ForwardError::NotFinite { text } => {
            Failure::Fatal(ExperimentError::Features(ForwardError::NotFinite { text: first + text }))
        }
        error => Failure::Fatal(ExperimentError::Features(error)),
    }
}
