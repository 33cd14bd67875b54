//! Sentence embeddings, and a linear head on them: the models of sentence-transformers.

use std::path::Path;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use rekindle_checkpoint::{Checkpoint, CheckpointError, LoadReport, Precision, save};
use rekindle_nn::{Linear, Mode, SequenceBatch, TokenSelection, join_halves};
use serde::{Deserialize, Serialize};

use crate::config::{DistilBertConfig, Pooling};
use crate::layout::LAYOUT;
use crate::model::DistilBertModel;

/// How the hidden states of a text become one vector, its embedding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Embedding {
    /// Which hidden states of a layer are read.
    pub pooling: Pooling,
    /// The number of layers that are averaged, from the last one down: at least 1. sentence-transformers'
    /// `WeightedLayerPooling` with equal weights.
    pub layers: usize,
    /// Whether embeddings are scaled to length 1. sentence-transformers' `Normalize`.
    pub normalize: bool,
}

impl Embedding {
    /// The smallest norm that an embedding is divided by, as in PyTorch's `normalize`.
    pub const LEAST_NORM: f64 = 1e-12;

    /// Returns the pooled last hidden states, not normalized.
    pub fn last(pooling: Pooling) -> Self {
        Self { pooling, layers: 1, normalize: false }
    }

    /// Scales the rows to length 1, if embeddings are normalized.
    ///
    /// # Shapes
    /// - pooled: `[sequences, dim]`
    /// - output: `[sequences, dim]`
    pub fn finish(&self, pooled: Tensor<2>) -> Tensor<2> {
        if !self.normalize {
            return pooled;
        }
        let norm = pooled.clone().square().sum_dim(1).sqrt().clamp_min(Self::LEAST_NORM);
        pooled / norm
    }
}

impl DistilBertModel {
    /// The embedding of each sequence.
    ///
    /// # Shapes
    /// - output: `[sequences, dim]`
    pub fn embed(&self, batch: &SequenceBatch, embedding: Embedding, mode: Mode) -> Tensor<2> {
        let Embedding { pooling, layers, .. } = embedding;
        embedding.finish(Tensor::cat(self.pool_layers(batch, &[pooling], &[layers], mode), 1))
    }

    /// The pooled hidden states of each sequence, averaged over the last layers: for each pooling, for each number of layers.
    ///
    /// If no weight is tracked, the two halves of a batch are computed in parallel on the CPU.
    ///
    /// # Shapes
    /// - output: `[sequences, dim]` each
    pub fn pool_layers(
        &self,
        batch: &SequenceBatch,
        poolings: &[Pooling],
        layers: &[usize],
        mode: Mode,
    ) -> Vec<Tensor<2>> {
        if let [0 | 1] = layers {
            let selection = match poolings.contains(&Pooling::Mean) {
                true => TokenSelection::All,
                false => TokenSelection::First,
            };
            let hidden = self.forward(batch, selection, mode);
            return poolings.iter().map(|&pooling| pool(batch, &hidden, pooling, selection)).collect();
        }
        match batch.halves().filter(|_| self.is_frozen()) {
            Some((first, second)) => {
                [first, second].into_iter().for_each(|half| half.upload(true, true));
                let average = |half, place| self.averages(half, poolings, layers, mode.at(place));
                let (first, second) = join_halves(batch.device(), || average(first, 0), || average(second, 1));
                first.into_iter().zip(second).map(|(first, second)| Tensor::cat(vec![first, second], 0)).collect()
            }
            None => {
                batch.upload(true, true);
                self.averages(batch, poolings, layers, mode)
            }
        }
    }

    /// The averages of [`pool_layers`](Self::pool_layers).
    fn averages(&self, batch: &SequenceBatch, poolings: &[Pooling], layers: &[usize], mode: Mode) -> Vec<Tensor<2>> {
        let (count, all) = (self.transformer.layer.len(), TokenSelection::All);
        let most = layers.iter().copied().max().unwrap_or(1).clamp(1, count);
        let mut hidden = self.embeddings.forward(batch, mode.at(count));
        // By layer, from the first that is averaged, then by pooling.
        let mut pooled: Vec<Vec<Tensor<2>>> = Vec::with_capacity(most);
        for (index, layer) in self.transformer.layer.iter().enumerate() {
            hidden = layer.forward(hidden, batch, all, mode.at(index));
            if index >= count - most {
                pooled.push(poolings.iter().map(|&pooling| pool(batch, &hidden, pooling, all)).collect());
            }
        }
        let average = |(pooling, layers): (usize, usize)| {
            let layers = layers.clamp(1, most);
            let parts = pooled[most - layers..].iter().map(|layer| layer[pooling].clone());
            parts.reduce(|sum, part| sum + part).map(|sum| sum / layers as f32)
        };
        let pairs = (0..poolings.len()).flat_map(|pooling| layers.iter().map(move |&layers| (pooling, layers)));
        pairs.filter_map(average).collect()
    }
}

/// Pools hidden states, which are those of `selection`.
fn pool(batch: &SequenceBatch, hidden: &Tensor<2>, pooling: Pooling, selection: TokenSelection) -> Tensor<2> {
    match (pooling, selection) {
        (Pooling::Mean, _) => batch.mean(hidden.clone()),
        (Pooling::Cls, TokenSelection::All) => batch.select(hidden.clone(), TokenSelection::First),
        (Pooling::Cls, _) => hidden.clone(),
    }
}

/// An encoder, an embedding and a linear head on it: sentence-transformers' `Transformer`, `Pooling`, `Normalize` and
/// `Dense` without activation.
#[derive(Module, Debug)]
pub struct SentenceClassifier {
    /// The encoder.
    pub distilbert: DistilBertModel,
    /// `[dim, num_labels]`.
    pub classifier: Linear,
    /// What the head reads of a sequence.
    #[module(skip)]
    pub embedding: Embedding,
}

impl SentenceClassifier {
    /// Creates a classifier with a head of zeros.
    pub fn new(distilbert: DistilBertModel, embedding: Embedding, config: &DistilBertConfig, device: &Device) -> Self {
        Self { distilbert, classifier: Linear::new(config.dim, config.num_labels(), device), embedding }
    }

    /// Loads the weights that [`save_safetensors`](Self::save_safetensors) wrote. The load report lists what is missing.
    ///
    /// # Errors
    /// When a tensor of the encoder is missing or of another shape, or cannot be read.
    pub fn from_checkpoint(
        config: &DistilBertConfig,
        embedding: Embedding,
        checkpoint: &Checkpoint,
        device: &Device,
    ) -> Result<(Self, LoadReport), CheckpointError> {
        let model = Self::new(DistilBertModel::new(config, device), embedding, config, device);
        checkpoint.load(model, &LAYOUT, &|spec| config.initialize(spec, 0), device)
    }

    /// Writes encoder and head to `path`, without the embedding.
    ///
    /// # Errors
    /// When the file cannot be written; an existing one is then unchanged.
    pub fn save_safetensors(&self, path: &Path, precision: Precision) -> Result<(), CheckpointError> {
        save(self, path, precision)
    }

    /// The logits of each sequence.
    ///
    /// # Shapes
    /// - output: `[sequences, num_labels]`
    pub fn forward(&self, batch: &SequenceBatch, mode: Mode) -> Tensor<2> {
        self.classifier.forward(self.distilbert.embed(batch, self.embedding, mode))
    }
}
