//! What a frozen base makes of each sentence, computed once.

use std::fmt;
use std::sync::Arc;

use burn::tensor::{Device, Int, Tensor, TensorData};
use rekindle_distilbert::{DistilBertConfig, DistilBertForSequenceClassification, Mode, SequenceBatch};

use crate::dataset::{EncodedDataset, batch};
use crate::error::TrainError;

/// Features take this many bytes at most; those of a larger data set are computed anew each time.
const MOST_BYTES: usize = 1 << 30;

/// What the head reads of each sentence when nothing drops out, `[sentences, dim]`: of a data set and of every selection
/// from it.
pub struct Features {
    values: Tensor<2>,
    all: Arc<Vec<Vec<u32>>>,
}

/// How many sentences there are, and not what lies on a device.
impl fmt::Debug for Features {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Features").field("sentences", &self.all.len()).finish_non_exhaustive()
    }
}

impl Features {
    /// The features of the whole that `data` was selected from; `None` where the base is trained, they would take more
    /// than a gibibyte, or there is no sentence. `progress` is told how many sentences are done.
    ///
    /// # Errors
    /// When a sentence does not fit the model.
    pub fn of(
        model: &DistilBertForSequenceClassification,
        config: &DistilBertConfig,
        data: &EncodedDataset,
        batch_size: usize,
        device: &Device,
        progress: &mut dyn FnMut(usize),
    ) -> Result<Option<Self>, TrainError> {
        let all = data.whole();
        if !model.distilbert.is_frozen() || all.len().saturating_mul(config.dim * size_of::<f32>()) > MOST_BYTES {
            return Ok(None);
        }
        let forward = |batch: &SequenceBatch| model.pool(batch, Mode::Eval);
        let values = by_length(all, config, batch_size, device, progress, forward)?;
        Ok(values.map(|values| Self { values, all: Arc::clone(all) }))
    }

    /// Whether these are the features of `data`'s sentences.
    pub(crate) fn cover(&self, data: &EncodedDataset) -> bool {
        Arc::ptr_eq(&self.all, data.whole())
    }

    /// The features of some rows of a data set that is covered, `[rows, dim]`.
    pub(crate) fn rows(&self, data: &EncodedDataset, rows: impl IntoIterator<Item = usize>) -> Tensor<2> {
        let places: Vec<usize> = rows.into_iter().map(|row| data.places()[row]).collect();
        self.values.clone().select(0, indices(&places, &self.values.device()))
    }
}

/// What `forward` makes of each sentence, a row each in the order given, from batches of sentences of like length, the
/// longest first; `None` without sentences. `progress` is told how many are done.
///
/// A batch has at most as many tokens as `batch_size` of the longest sentences: the memory that such a batch takes is
/// the bound, and short sentences fill it in larger numbers.
pub(crate) fn by_length<R: AsRef<[u32]>>(
    sentences: &[R],
    config: &DistilBertConfig,
    batch_size: usize,
    device: &Device,
    progress: &mut dyn FnMut(usize),
    forward: impl Fn(&SequenceBatch) -> Tensor<2>,
) -> Result<Option<Tensor<2>>, TrainError> {
    let length = |row: usize| sentences[row].as_ref().len();
    let mut order: Vec<usize> = (0..sentences.len()).collect();
    order.sort_by_key(|&row| std::cmp::Reverse(length(row)));
    let most = batch_size.max(1) * order.first().map_or(0, |&row| length(row));
    let mut done = 0;
    let mut parts: Vec<Tensor<2>> = Vec::new();
    while done < order.len() {
        // Of sentences sorted so, none behind the first of a batch is longer than it.
        let count = (most / length(order[done]).max(1)).clamp(1, order.len() - done);
        let rows: Vec<&[u32]> = order[done..done + count].iter().map(|&row| sentences[row].as_ref()).collect();
        parts.push(forward(&batch(&rows, config, device)?));
        done += count;
        progress(done);
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
