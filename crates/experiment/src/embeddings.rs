//! The embeddings of examples by the frozen encoder, computed once for all runs.

use std::collections::HashMap;
use std::ops::ControlFlow;

use burn::tensor::{Device, Tensor};
use rekindle_baseline::DenseRows;
use rekindle_encoders::{Embedding, Encoder, EncoderConfig, Mode, Pooling, SequenceBatch, TransformerEncoder};
use rekindle_infer::{by_length, read};
use rekindle_train::{EncodedDataset, TrainError};

/// Which examples are embedded, and how: what one pass of the encoder computes.
#[derive(Clone, Debug)]
pub(crate) struct Request<'a> {
    /// The poolings; all are computed from the same hidden states.
    pub(crate) poolings: &'a [Pooling],
    /// The numbers of layers that are averaged.
    pub(crate) layers: &'a [usize],
    /// The examples.
    pub(crate) rows: &'a [usize],
}

/// Examples that are embedded before their embeddings are stored: of several kinds together they take more memory.
const PART: usize = 8192;

/// Embeddings by example, pooled over its windows, not normalized.
type ByExample = HashMap<usize, Box<[f32]>>;

/// Embeddings by pooling and number of layers.
#[derive(Debug, Default)]
pub(crate) struct Embeddings {
    known: HashMap<(Pooling, usize), ByExample>,
}

impl Embeddings {
    /// Computes the embeddings of a request that are not known yet.
    pub(crate) fn compute(
        &mut self,
        encoder: &Encoder,
        config: &EncoderConfig,
        examples: &EncodedDataset,
        Request { poolings, layers, rows }: &Request<'_>,
        (batch_size, device): (usize, &Device),
        progress: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
    ) -> Result<(), TrainError> {
        let kinds: Vec<(Pooling, usize)> =
            poolings.iter().flat_map(|&pooling| layers.iter().map(move |&layers| (pooling, layers))).collect();
        let is_known =
            |row: &usize| kinds.iter().all(|kind| self.known.get(kind).is_some_and(|rows| rows.contains_key(row)));
        let missing: Vec<usize> = rows.iter().copied().filter(|row| !is_known(row)).collect();
        let columns = kinds.len() * config.hidden_size;
        let forward = |batch: &SequenceBatch| Tensor::cat(encoder.pool_layers(batch, poolings, layers, Mode::Eval), 1);
        let windows = examples.windows();
        let total = missing.iter().map(|&row| windows.counts()[row]).sum();
        let mut before = 0;
        for part in missing.chunks(PART) {
            let part_examples = examples.select(part);
            let (sequences, windows) = (part_examples.sequences(), part_examples.windows());
            let mut progress = |done| progress(before + done, total);
            let Some(values) = by_length(&sequences, config, batch_size, device, &mut progress, forward)? else {
                return Ok(());
            };
            let values = windows.pooled_values(read(values)?, columns);
            if let Some(place) = values.iter().position(|value| !value.is_finite()) {
                return Err(TrainError::Logits { sentence: part[place / columns] });
            }
            for (row, values) in part.iter().zip(values.chunks(columns)) {
                for (&kind, values) in kinds.iter().zip(values.chunks(config.hidden_size)) {
                    self.known.entry(kind).or_default().insert(*row, values.into());
                }
            }
            before += sequences.len();
        }
        Ok(())
    }

    /// Adds the embeddings of other texts, numbered from `first` on.
    pub(crate) fn extend(&mut self, others: Self, first: usize) {
        for (kind, rows) in others.known {
            let rows = rows.into_iter().map(|(row, values)| (first + row, values));
            self.known.entry(kind).or_default().extend(rows);
        }
    }

    /// Returns the embeddings of examples that are known; others are left out.
    pub(crate) fn rows(&self, embedding: Embedding, rows: &[usize], dim: usize) -> DenseRows {
        let Some(known) = self.known.get(&(embedding.pooling, embedding.layers)) else {
            return DenseRows::new(Vec::new(), dim);
        };
        let mut values = Vec::with_capacity(rows.len() * dim);
        for row in rows.iter().filter_map(|row| known.get(row)) {
            let norm = row.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
            let scale = if embedding.normalize { 1.0 / norm.max(Embedding::LEAST_NORM) } else { 1.0 };
            values.extend(row.iter().map(|value| f64::from(*value) * scale));
        }
        DenseRows::new(values, dim)
    }
}
