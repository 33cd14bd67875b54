//! A model applied to tokenized texts, in batches of similar length.

use std::ops::ControlFlow;

use burn::tensor::{Device, Int, Tensor, TensorData};
use rekindle_encoders::{
    Embedding, EncoderConfig, Mode, SentenceClassifier, SequenceBatch, SequenceClassifier, TransformerEncoder,
};
use rekindle_nn::{NnError, on_pool};
use rekindle_tokenizer::Batch;

use crate::forward_error::ForwardError;
use crate::windows::Windows;

/// Returns the logits of tokenized texts, without dropout: row-major `[texts, classes]`, in the order given.
///
/// The model is used as it is. If its parameters are trainable, this builds an autodiff graph that nobody reads: pass
/// `model.trainable(|_| false)` instead.
///
/// Batches hold texts of similar length, the longest first, and at most as many tokens as `batch_size` of the longest
/// texts, or 1,024. `progress` receives the number of texts done, and may cancel.
///
/// # Errors
/// Returns an error if a text does not fit the model, a logit is not finite, or `progress` cancels.
pub fn logits<R: Tokenized>(
    model: &SequenceClassifier,
    config: &EncoderConfig,
    texts: &[R],
    batch_size: usize,
    device: &Device,
    progress: &mut dyn FnMut(usize) -> ControlFlow<()>,
) -> Result<Vec<f32>, ForwardError> {
    let forward = |batch: &SequenceBatch| model.forward(batch, Mode::Eval);
    finite(by_length(texts, config, batch_size, device, progress, forward)?, config.num_labels())
}

/// Returns the pooled features of tokenized texts, without dropout: row-major `[texts, dim]`, in the order given, in the
/// batches of [`logits`].
///
/// # Errors
/// Returns an error if a text does not fit the model, a value is not finite, or `progress` cancels.
pub fn features<R: Tokenized>(
    model: &SequenceClassifier,
    config: &EncoderConfig,
    texts: &[R],
    batch_size: usize,
    device: &Device,
    progress: &mut dyn FnMut(usize) -> ControlFlow<()>,
) -> Result<Vec<f32>, ForwardError> {
    let forward = |batch: &SequenceBatch| model.pool(batch, Mode::Eval);
    finite(by_length(texts, config, batch_size, device, progress, forward)?, config.hidden_size)
}

/// Returns the logits of tokenized texts by a sentence classifier, as [`logits`] does by a sequence classifier. The embeddings of
/// the `windows` of a text are pooled, and the head reads one embedding per text.
///
/// # Errors
/// Returns an error if a text does not fit the model, a logit is not finite, or `progress` cancels.
pub fn sentence_logits<R: Tokenized>(
    model: &SentenceClassifier,
    config: &EncoderConfig,
    (texts, windows): (&[R], &Windows),
    batch_size: usize,
    device: &Device,
    progress: &mut dyn FnMut(usize) -> ControlFlow<()>,
) -> Result<Vec<f32>, ForwardError> {
    let logits = match windows.are_texts() {
        true => {
            let forward = |batch: &SequenceBatch| model.forward(batch, Mode::Eval);
            by_length(texts, config, batch_size, device, progress, forward)?
        }
        false => {
            let embeddings = sentence_embeddings(model, config, (texts, windows), batch_size, device, progress)?;
            embeddings.map(|embeddings| model.classifier.forward(embeddings))
        }
    };
    finite(logits, config.num_labels())
}

/// Returns the embeddings of tokenized texts, `[texts, dim]`, in the order given; nothing without texts. Those of the
/// `windows` of a text are pooled before they are normalised.
///
/// # Errors
/// Returns an error if a text does not fit the model, or `progress` cancels.
pub fn sentence_embeddings<R: Tokenized>(
    model: &SentenceClassifier,
    config: &EncoderConfig,
    (texts, windows): (&[R], &Windows),
    batch_size: usize,
    device: &Device,
    progress: &mut dyn FnMut(usize) -> ControlFlow<()>,
) -> Result<Option<Tensor<2>>, ForwardError> {
    let embedding = model.embedding;
    let of_window = Embedding { normalize: embedding.normalize && windows.are_texts(), ..embedding };
    let forward = |batch: &SequenceBatch| model.encoder.embed(batch, of_window, Mode::Eval);
    let rows = by_length(texts, config, batch_size, device, progress, forward)?;
    if windows.are_texts() {
        return Ok(rows);
    }
    let pooled = |rows| {
        let dim = config.hidden_size;
        let values = windows.pooled_values(read(rows)?, dim);
        let shape = [values.len() / dim, dim];
        Ok(embedding.finish(Tensor::from_data(TensorData::new(values, shape), device)))
    };
    rows.map(pooled).transpose()
}

/// Reads rows, and checks that they are finite.
fn finite(rows: Option<Tensor<2>>, width: usize) -> Result<Vec<f32>, ForwardError> {
    let values = rows.map_or(Ok(Vec::new()), read)?;
    match values.iter().position(|value| !value.is_finite()) {
        Some(place) => Err(ForwardError::NotFinite { text: place / width.max(1) }),
        None => Ok(values),
    }
}

/// Applies `forward` to all sequences, in the batches of [`for_each_batch`]. Returns a row per sequence, in the order given, or
/// `None` without sequences. `progress` receives the number of sequences done.
///
/// # Errors
/// Returns an error if a sequence does not fit the model, or `progress` cancels.
pub fn by_length<R: Tokenized>(
    sequences: &[R],
    config: &EncoderConfig,
    batch_size: usize,
    device: &Device,
    progress: &mut dyn FnMut(usize) -> ControlFlow<()>,
    forward: impl Fn(&SequenceBatch) -> Tensor<2> + Sync,
) -> Result<Option<Tensor<2>>, ForwardError> {
    let (mut parts, mut places): (Vec<Tensor<2>>, _) = (Vec::new(), vec![0; sequences.len()]);
    let mut done = 0;
    for_each_batch(sequences, config, batch_size, device, progress, |rows, batch| {
        parts.push(on_pool(device, || forward(batch)));
        for &row in rows {
            places[row] = done;
            done += 1;
        }
        Ok(())
    })?;
    if parts.is_empty() {
        return Ok(None);
    }
    let places: Tensor<1, Int> = Tensor::from_data(TensorData::from(places.as_slice()), device);
    Ok(Some(Tensor::cat(parts, 0).select(0, places)))
}

/// The tokens up to which a batch is filled: with those of 8 sentences, a product spends a seventh of its time on arranging the weights.
const SMALL_BATCH: usize = 1024;

/// Calls `compute` with batches of sequences of similar length, the longest first, and with their places in the order given.
/// `progress` receives the number of sequences done.
///
/// A batch has at most as many tokens as `batch_size` of the longest sequences, or 1,024. The memory of such a batch is the
/// bound; short sequences fill it in larger numbers.
///
/// # Errors
/// Returns an error if a sequence does not fit the model, `compute` returns one, or `progress` cancels.
pub fn for_each_batch<R: Tokenized>(
    sequences: &[R],
    config: &EncoderConfig,
    batch_size: usize,
    device: &Device,
    progress: &mut dyn FnMut(usize) -> ControlFlow<()>,
    mut compute: impl FnMut(&[usize], &SequenceBatch) -> Result<(), ForwardError>,
) -> Result<(), ForwardError> {
    let length = |row: usize| sequences[row].input_ids().len();
    let mut order: Vec<usize> = (0..sequences.len()).collect();
    order.sort_by_key(|&row| std::cmp::Reverse(length(row)));
    let most = (batch_size.max(1) * order.first().map_or(0, |&row| length(row))).max(SMALL_BATCH);
    let mut done = 0;
    while done < order.len() {
        // In this order, the first sequence of a batch is its longest.
        let count = (most / length(order[done]).max(1)).clamp(1, order.len() - done);
        let places = &order[done..done + count];
        let rows: Vec<Sequence> = places.iter().map(|&row| Sequence::of(&sequences[row])).collect();
        compute(places, &pack(&rows, config, device)?)?;
        done += count;
        if progress(done).is_break() {
            return Err(ForwardError::Cancelled);
        }
    }
    Ok(())
}

/// Packs sequences for the model of `config` on `device`.
///
/// # Errors
/// Returns an error if a sequence does not fit the model, or has a segment that the model lacks.
pub fn pack<R: Tokenized>(sequences: &[R], config: &EncoderConfig, device: &Device) -> Result<SequenceBatch, NnError> {
    let ids: Vec<&[u32]> = sequences.iter().map(Tokenized::input_ids).collect();
    let packed = Batch::packed(&ids);
    let batch = SequenceBatch::new(&packed.input_ids, &packed.attention_mask, &packed.cu_seqlens, config, device)?;
    if sequences.iter().all(|sequence| sequence.token_type_ids().is_empty()) {
        return Ok(batch);
    }
    let of = |sequence: &R| match sequence.token_type_ids() {
        [] => vec![0; sequence.input_ids().len()],
        types => types.to_vec(),
    };
    batch.with_token_types(&sequences.iter().flat_map(of).collect::<Vec<u32>>())
}

/// A tokenized text, or pair of texts. Lists of token ids are tokenized texts in one segment.
pub trait Tokenized {
    /// Returns the token ids.
    fn input_ids(&self) -> &[u32];

    /// Returns the segment of each token; nothing if all are 0.
    fn token_type_ids(&self) -> &[u32] {
        &[]
    }
}

impl<R: AsRef<[u32]>> Tokenized for R {
    fn input_ids(&self) -> &[u32] {
        self.as_ref()
    }
}

/// A borrowed [`Tokenized`] text, or pair of texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sequence<'a> {
    /// The token ids.
    pub input_ids: &'a [u32],
    /// The segment of each token; empty if all are 0.
    pub token_type_ids: &'a [u32],
}

impl<'a> Sequence<'a> {
    fn of(tokenized: &'a impl Tokenized) -> Self {
        Self { input_ids: tokenized.input_ids(), token_type_ids: tokenized.token_type_ids() }
    }
}

impl Tokenized for Sequence<'_> {
    fn input_ids(&self) -> &[u32] {
        self.input_ids
    }

    fn token_type_ids(&self) -> &[u32] {
        self.token_type_ids
    }
}

/// Reads the values of a tensor from its device, row-major.
///
/// # Errors
/// Returns an error if the device failed, which may have happened in an earlier operation.
pub fn read<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>, ForwardError> {
    let data = tensor.try_into_data().map_err(|error| ForwardError::Device(root_cause(&error.to_string()).into()))?;
    Ok(data.iter::<f32>().collect())
}

/// Returns the last of a chain of causes. Burn puts each cause below a line `Caused by:`, followed by a stack trace.
fn root_cause(error: &str) -> &str {
    let root = error.rsplit("Caused by:").next().unwrap_or(error);
    root.trim().lines().next().unwrap_or(error)
}

#[cfg(test)]
mod tests {
    use super::root_cause;

    #[test]
    fn the_root_of_a_failure() {
        let error = "An error happened\nCaused by:\n  An IO error\nCaused by:\n  can't allocate 8 bytes\nNo backtrace available";
        assert_eq!(root_cause(error), "can't allocate 8 bytes");
        assert_eq!(root_cause("gone"), "gone");
    }
}
