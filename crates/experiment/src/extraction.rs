//! What a frozen base makes of a large data set: features in shards on disk, made by one device or by many.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rekindle_checkpoint::{Checkpoint, CheckpointError, save_rows};
use rekindle_distilbert::{DistilBertConfig, DistilBertForSequenceClassification, Pooling};
use rekindle_files::check_compatible;
use rekindle_train::{Stop, TrainError, features};
use serde_json::{Value, json};

use crate::error::ExperimentError;
use crate::model::{PretrainedModel, sha256, texts_sha256};
use crate::spread::{Devices, Host, News, Work, spread};

/// How features are computed and kept.
#[derive(Clone, Debug)]
pub struct Extraction {
    /// What becomes of the hidden states of a sentence.
    pub pooling: Pooling,
    /// Tokens a sentence at most, `[CLS]` and `[SEP]` among them.
    pub max_length: usize,
    /// Sentences computed together, where they are the longest.
    pub batch_size: usize,
    /// Sentences a file.
    pub shard_size: usize,
    /// Where the files go.
    pub folder: PathBuf,
}

/// What a host does.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum ShardNews<'a> {
    /// Of no host, and before all else: so many sentences are in shards that are there already.
    Kept(usize),
    /// It is connected and has the weights.
    Ready,
    /// It begins a shard, numbered from 0.
    Begins(usize),
    /// It has read so many sentences more.
    Read(usize),
    /// A shard is on disk.
    Done(usize),
    /// It is lost. What it was on is done elsewhere, and it is asked again.
    Lost(&'a str),
    /// It is not asked again.
    GivenUp(&'a str),
}

/// The name of the tensor in a shard.
const TENSOR: &str = "features";
/// The file that says what the shards are of.
const INDEX: &str = "features.json";
/// Sentences between one look around and the next: enough to find many of like length.
const CHUNK: usize = 1024;

impl Extraction {
    /// Whether `folder` holds features already, be it in part.
    pub fn is_begun(folder: &Path) -> bool {
        folder.join(INDEX).is_file()
    }

    /// Writes `features.json`, which says what they are of, and `features-00000-of-00100.safetensors` and so on to
    /// the folder: in the order of the texts, a tensor `features`, `[rows, dim]`, in each. A file is there when it is
    /// whole. Those that are there are not made again.
    ///
    /// `backend` is recorded as it is given. `observer` is told a host's name and what it does.
    ///
    /// # Errors
    /// When the texts do not fit the model, the folder cannot be written or holds features of something else, all hosts
    /// are gone, or one asks to stop.
    pub fn run(
        &self,
        pretrained: &PretrainedModel,
        texts: Vec<String>,
        backend: &str,
        hosts: Vec<Host>,
        stop: &Stop,
        observer: &mut dyn FnMut(&str, ShardNews<'_>),
    ) -> Result<(), ExperimentError> {
        let positions = pretrained.config.max_position_embeddings;
        if self.max_length > positions {
            return Err(ExperimentError::MaxLength { max_length: self.max_length, positions });
        }
        let index = json!({
            "version": env!("CARGO_PKG_VERSION"),
            "model": pretrained.id,
            "model_sha256": sha256(&pretrained.checkpoint),
            "backend": backend,
            "pooling": self.pooling,
            "max_length": self.max_length,
            "dim": pretrained.config.dim,
            "rows": texts.len(),
            "rows_sha256": texts_sha256(&texts),
            "shard_size": self.shard_size,
        });
        if let Value::Object(index) = index {
            check_compatible(&self.folder.join(INDEX), &index)?;
        }
        let shards = Shards { extraction: self.clone(), pretrained: pretrained.clone(), texts, stop: stop.clone() };
        let numbers = 0..shards.count();
        let settled: Vec<bool> = numbers.clone().map(|number| shards.is_made(number)).collect();
        let kept = numbers.clone().filter(|&number| settled[number]).map(|number| shards.rows(number).len());
        observer("", ShardNews::Kept(kept.sum()));
        let costs = numbers.map(|number| shards.rows(number).len() as f64).collect();
        spread(Arc::new(shards), costs, settled, hosts, &mut |name, news| {
            let news = match &news {
                News::Ready => ShardNews::Ready,
                News::Begins(number) => ShardNews::Begins(*number),
                News::Step(rows) => ShardNews::Read(*rows),
                News::Done(number, _) => ShardNews::Done(*number),
                News::Lost(reason) => ShardNews::Lost(reason),
                News::GivenUp(reason) => ShardNews::GivenUp(reason),
            };
            observer(name, news);
            Ok(())
        })
    }
}

/// All shards, for the threads of hosts.
struct Shards {
    extraction: Extraction,
    pretrained: PretrainedModel,
    texts: Vec<String>,
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

    /// Named as the shards of a checkpoint are, but from 0 as data sets count.
    fn path(&self, number: usize) -> PathBuf {
        self.extraction.folder.join(format!("features-{number:05}-of-{:05}.safetensors", self.count()))
    }

    /// One that is damaged is made again.
    fn is_made(&self, number: usize) -> bool {
        let shape = [self.rows(number).len(), self.pretrained.config.dim];
        let path = self.path(number);
        path.is_file() && Checkpoint::from_file(&path).is_ok_and(|shard| shard.shape(TENSOR) == Some(&shape[..]))
    }
}

/// A frozen base on a device.
struct Base<'a> {
    config: DistilBertConfig,
    model: DistilBertForSequenceClassification,
    devices: &'a Devices,
}

impl Work for Shards {
    type Bench<'a> = Base<'a>;
    /// Sentences read.
    type Step = usize;
    type Made = Vec<f32>;

    fn bench<'a>(&'a self, devices: &'a Devices) -> Result<Base<'a>, ExperimentError> {
        // The head is not asked.
        let (config, mut model, _) = self.pretrained.load(&self.pretrained.config.labels(), 0, &devices.first)?;
        model.pooling = self.extraction.pooling;
        Ok(Base { config, model, devices })
    }

    fn make(
        &self,
        bench: &mut Base<'_>,
        number: usize,
        tell: &mut dyn FnMut(Option<usize>),
    ) -> Result<Vec<f32>, ExperimentError> {
        let Extraction { max_length, batch_size, .. } = self.extraction;
        let Base { config, model, devices } = bench;
        let failed = |source| ExperimentError::Train { approach: TENSOR.into(), source };
        let mut made = Vec::with_capacity(self.rows(number).len() * config.dim);
        for (place, texts) in self.texts[self.rows(number)].chunks(CHUNK).enumerate() {
            self.check_stop()?;
            let sentences = self.pretrained.tokenizer.encode_all(texts, max_length)?;
            let rows = features(model, config, &sentences, batch_size, &devices.first, &mut |_| {});
            made.extend(rows.map_err(|source| match source {
                TrainError::Logits { sentence } => {
                    failed(TrainError::Logits { sentence: self.rows(number).start + place * CHUNK + sentence })
                }
                source => failed(source),
            })?);
            tell(Some(texts.len()));
        }
        Ok(made)
    }

    fn settle(&self, number: usize, made: &Vec<f32>) -> Result<(), ExperimentError> {
        let path = self.path(number);
        let refuse = |error: CheckpointError| ExperimentError::Output { path: path.clone(), reason: error.to_string() };
        save_rows(TENSOR, made, self.pretrained.config.dim, &path).map_err(refuse)
    }

    fn hopeless(&self, number: usize, reason: String) -> ExperimentError {
        let approach = format!("{TENSOR}, shard {number}");
        ExperimentError::Train { approach, source: TrainError::Device(reason) }
    }

    fn check_stop(&self) -> Result<(), ExperimentError> {
        if self.stop.is_requested() { Err(ExperimentError::Interrupted) } else { Ok(()) }
    }
}
