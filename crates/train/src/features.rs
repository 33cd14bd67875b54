//! What a frozen base makes of each sentence, computed once.

use burn::tensor::{Device, Int, Tensor, TensorData};
use rekindle_distilbert::{DistilBertConfig, DistilBertForSequenceClassification, Mode, Rows, TokenBatch};

use crate::dataset::{EncodedDataset, batch};
use crate::error::TrainError;

/// Features take this many bytes at most; those of a larger data set are computed anew each time.
const MOST_BYTES: usize = 1 << 30;

/// The last hidden state of each sentence's first token, `[sentences, dim]`, without dropout.
pub(crate) struct Features(Tensor<2>);

impl Features {
    /// The features of all sentences; `None` where the base is trained, or they would take more than a gibibyte.
    pub(crate) fn of(
        model: &DistilBertForSequenceClassification,
        config: &DistilBertConfig,
        data: &EncodedDataset,
        batch_size: usize,
        device: &Device,
        progress: &mut dyn FnMut(usize),
    ) -> Result<Option<Self>, TrainError> {
        if !model.distilbert.is_frozen() || data.len().saturating_mul(config.dim * size_of::<f32>()) > MOST_BYTES {
            return Ok(None);
        }
        let model = model.trainable(|_| false);
        let forward = |batch: &TokenBatch| model.distilbert.forward(batch, Rows::First, Mode::Eval);
        Ok(by_length(data.sentences(), config, batch_size, device, progress, forward)?.map(Self))
    }

    /// The features of some sentences, `[rows, dim]`.
    pub(crate) fn rows(&self, rows: &[usize]) -> Tensor<2> {
        self.0.clone().select(0, indices(rows, &self.0.device()))
    }

    /// The features of all sentences.
    pub(crate) fn all(&self) -> Tensor<2> {
        self.0.clone()
    }
}

/// What `forward` makes of each sentence, a row each in the order given, from batches of sentences of like length, the
/// longest first; `None` without sentences. `progress` is told how many are done.
///
/// A batch has at most as many tokens as `batch_size` of the longest sentences: the memory that such a batch takes is
/// the bound, and short sentences fill it in larger numbers.
pub(crate) fn by_length(
    sentences: &[Vec<u32>],
    config: &DistilBertConfig,
    batch_size: usize,
    device: &Device,
    progress: &mut dyn FnMut(usize),
    forward: impl Fn(&TokenBatch) -> Tensor<2>,
) -> Result<Option<Tensor<2>>, TrainError> {
    let mut order: Vec<usize> = (0..sentences.len()).collect();
    order.sort_by_key(|&row| std::cmp::Reverse(sentences[row].len()));
    let most = batch_size.max(1) * order.first().map_or(0, |&row| sentences[row].len());
    let mut done = 0;
    let mut parts: Vec<Tensor<2>> = Vec::new();
    while done < order.len() {
        // Of sentences sorted so, none behind the first of a batch is longer than it.
        let count = (most / sentences[order[done]].len().max(1)).clamp(1, order.len() - done);
        let rows: Vec<&[u32]> = order[done..done + count].iter().map(|&row| sentences[row].as_slice()).collect();
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
