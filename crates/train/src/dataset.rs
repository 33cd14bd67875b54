//! Tokenized sentences with their classes, and the order in which they are visited.

use std::sync::Arc;

use burn::tensor::Device;
use rekindle_data::Mt19937;
use rekindle_distilbert::{DistilBertConfig, SequenceBatch};
use rekindle_tokenizer::Batch;

use crate::arguments::Shuffle;
use crate::error::TrainError;

/// Sentences as token ids, each with its class. A selection of rows shares the sentences of the whole.
#[derive(Clone, Debug)]
pub struct EncodedDataset {
    all: Arc<Vec<Vec<u32>>>,
    rows: Vec<usize>,
    labels: Vec<usize>,
}

impl EncodedDataset {
    /// Pairs sentences with labels, the indices of their classes below `classes`.
    ///
    /// # Errors
    /// When their numbers differ, or a label is not below `classes`.
    pub fn new(sentences: Vec<Vec<u32>>, labels: Vec<usize>, classes: usize) -> Result<Self, TrainError> {
        if sentences.len() != labels.len() {
            return Err(TrainError::Length { sentences: sentences.len(), labels: labels.len() });
        }
        if let Some((sentence, &label)) = labels.iter().enumerate().find(|(_, label)| **label >= classes) {
            return Err(TrainError::Label { sentence, label, classes });
        }
        Ok(Self { rows: (0..sentences.len()).collect(), all: Arc::new(sentences), labels })
    }

    /// The given rows, in the order given; rows that do not exist are left out.
    pub fn select(&self, rows: &[usize]) -> Self {
        let rows = || rows.iter().filter(|&&row| row < self.len());
        Self {
            all: Arc::clone(&self.all),
            rows: rows().map(|&row| self.rows[row]).collect(),
            labels: rows().map(|&row| self.labels[row]).collect(),
        }
    }

    /// The number of sentences.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The class of each sentence.
    pub fn labels(&self) -> &[usize] {
        &self.labels
    }

    /// The token ids of a sentence.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn sentence(&self, row: usize) -> &[u32] {
        &self.all[self.rows[row]]
    }

    /// The token ids of each sentence.
    pub fn sentences(&self) -> Vec<&[u32]> {
        self.rows.iter().map(|&row| self.all[row].as_slice()).collect()
    }

    /// All rows in the order of `epoch`, from 0.
    ///
    /// `Trainer` seeds its sampler with the seed plus the epoch, so that an epoch can be taken up again without having
    /// drawn those before it.
    pub fn order(&self, seed: u64, epoch: usize, shuffle: Shuffle) -> Vec<usize> {
        order(self.len(), seed, epoch, shuffle)
    }

    /// The sentences of the whole that this is a selection of.
    pub(crate) fn whole(&self) -> &Arc<Vec<Vec<u32>>> {
        &self.all
    }

    /// Where each row stands in the whole.
    pub(crate) fn places(&self) -> &[usize] {
        &self.rows
    }
}

/// So many rows in the order of an epoch.
pub(crate) fn order(rows: usize, seed: u64, epoch: usize, shuffle: Shuffle) -> Vec<usize> {
    match shuffle {
        Shuffle::Reference => Mt19937::new(seed.wrapping_add(epoch as u64) as u32).torch_permutation(rows),
        Shuffle::None => (0..rows).collect(),
    }
}

/// Sentences packed for the model of `config` on `device`.
pub(crate) fn batch<R: AsRef<[u32]>>(
    sentences: &[R],
    config: &DistilBertConfig,
    device: &Device,
) -> Result<SequenceBatch, TrainError> {
    let batch = Batch::packed(sentences);
    Ok(SequenceBatch::new(&batch.input_ids, &batch.attention_mask, &batch.cu_seqlens, config, device)?)
}
