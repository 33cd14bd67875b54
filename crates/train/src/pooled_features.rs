//! The pooled features of a frozen encoder, computed once per text.

use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

use burn::tensor::{Device, Int, Tensor, TensorData};
use rekindle_distilbert::{DistilBertConfig, DistilBertForSequenceClassification, Mode, SequenceBatch};

use crate::dataset::{EncodedDataset, batch};
use crate::error::TrainError;
use crate::event::proceed;

/// The most bytes that features take. The features of a larger data set are computed each time.
const MOST_BYTES: usize = 1 << 30;

/// The input of the head for each text of a data set, without dropout: `[texts, dim]`. They serve every selection from
/// the data set.
pub struct PooledFeatures {
    values: Tensor<2>,
    all: Arc<Vec<Vec<u32>>>,
}

/// Shows the number of texts, and not the values on the device.
impl fmt::Debug for PooledFeatures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PooledFeatures").field("texts", &self.all.len()).finish_non_exhaustive()
    }
}

impl PooledFeatures {
    /// Computes the features of the whole data set that `data` was selected from. Returns `None` if the encoder is
    /// trainable, the features need more than a gibibyte, or there is no text. `progress` receives the number of texts
    /// done, and may cancel.
    ///
    /// # Errors
    /// Returns an error if a text does not fit the model, or `progress` cancels.
    pub fn of(
        model: &DistilBertForSequenceClassification,
        config: &DistilBertConfig,
        data: &EncodedDataset,
        batch_size: usize,
        device: &Device,
        progress: &mut dyn FnMut(usize) -> ControlFlow<()>,
    ) -> Result<Option<Self>, TrainError> {
        let all = data.whole();
        if !model.distilbert.is_frozen() || all.len().saturating_mul(config.dim * size_of::<f32>()) > MOST_BYTES {
            return Ok(None);
        }
        let forward = |batch: &SequenceBatch| model.pool(batch, Mode::Eval);
        let values = by_length(all, config, batch_size, device, progress, forward)?;
        Ok(values.map(|values| Self { values, all: Arc::clone(all) }))
    }

    /// Returns whether these are the features of the texts of `data`.
    pub(crate) fn cover(&self, data: &EncodedDataset) -> bool {
        Arc::ptr_eq(&self.all, data.whole())
    }

    /// Returns the features of some rows of a data set that is covered, `[rows, dim]`.
    pub(crate) fn rows(&self, data: &EncodedDataset, rows: impl IntoIterator<Item = usize>) -> Tensor<2> {
        let places: Vec<usize> = rows.into_iter().map(|row| data.places()[row]).collect();
        self.values.clone().select(0, indices(&places, &self.values.device()))
    }
}

/// Applies `forward` to all sequences, in batches of sequences of similar length, the longest first. Returns a row per
/// sequence, in the order given, or `None` without sequences. `progress` receives the number of sequences done.
///
/// A batch has at most as many tokens as `batch_size` of the longest sequences. The memory of such a batch is the bound;
/// short sequences fill it in larger numbers.
pub(crate) fn by_length<R: AsRef<[u32]>>(
    sequences: &[R],
    config: &DistilBertConfig,
    batch_size: usize,
    device: &Device,
    progress: &mut dyn FnMut(usize) -> ControlFlow<()>,
    forward: impl Fn(&SequenceBatch) -> Tensor<2>,
) -> Result<Option<Tensor<2>>, TrainError> {
    let length = |row: usize| sequences[row].as_ref().len();
    let mut order: Vec<usize> = (0..sequences.len()).collect();
    order.sort_by_key(|&row| std::cmp::Reverse(length(row)));
    let most = batch_size.max(1) * order.first().map_or(0, |&row| length(row));
    let mut done = 0;
    let mut parts: Vec<Tensor<2>> = Vec::new();
    while done < order.len() {
        // In this order, the first sequence of a batch is its longest.
        let count = (most / length(order[done]).max(1)).clamp(1, order.len() - done);
        let rows: Vec<&[u32]> = order[done..done + count].iter().map(|&row| sequences[row].as_ref()).collect();
        parts.push(forward(&batch(&rows, config, device)?));
        done += count;
        proceed(progress(done))?;
    }
    if parts.is_empty() {
        return Ok(None);
    }
    let mut places = vec![0; order.len()];
    for (place, &row) in order.iter().enumerate() {
        places[row] = place;
    }
    Ok(Some(Tensor::cat(parts, 0).select(0, indices(&places, device))))
}

fn indices(rows: &[usize], device: &Device) -> Tensor<1, Int> {
    let rows: Vec<i32> = rows.iter().map(|&row| row as i32).collect();
    Tensor::from_data(TensorData::from(rows.as_slice()), device)
}
