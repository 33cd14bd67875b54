//! What the frozen layers of a model compute for each text, once.

use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

use burn::tensor::{Device, Int, Tensor, TensorData};
use rekindle_encoders::{EncoderConfig, Mode, SequenceBatch, SequenceClassifier};
use rekindle_infer::{ForwardError, by_length, for_each_batch, pack, read};

use crate::dataset::{EncodedDataset, Sequences};
use crate::error::TrainError;

/// The most bytes that features take. The features of a larger data set are computed each time.
const MOST_BYTES: usize = 1 << 30;

/// The output of the frozen layers for each text of a data set, or each of its windows, without dropout. They serve every
/// selection from the data set.
pub struct FrozenFeatures {
    values: Values,
    all: Arc<Sequences>,
}

enum Values {
    /// The input of the head, of a frozen encoder: `[sequences, dim]`.
    Pooled(Box<Tensor<2>>),
    Hidden(HiddenStates),
}

/// The hidden states after the first layers of an encoder.
struct HiddenStates {
    layers: usize,
    dim: usize,
    /// Row-major `[tokens, dim]`.
    values: Vec<f32>,
    /// The first token of each sequence, and the number of tokens.
    starts: Vec<usize>,
}

impl HiddenStates {
    /// Returns the hidden states of sequences, end to end: `[tokens, dim]`.
    fn of(&self, sequences: &[usize], device: &Device) -> Tensor<2> {
        let of_sequence =
            |&sequence: &usize| &self.values[self.starts[sequence] * self.dim..self.starts[sequence + 1] * self.dim];
        let values = sequences.iter().map(of_sequence).collect::<Vec<_>>().concat();
        let shape = [values.len() / self.dim, self.dim];
        Tensor::from_data(TensorData::new(values, shape), device)
    }
}

/// Shows the number of sequences, and not the values.
impl fmt::Debug for FrozenFeatures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FrozenFeatures").field("sequences", &self.all.len()).finish_non_exhaustive()
    }
}

impl FrozenFeatures {
    /// Computes the features of the whole data set that `data` was selected from: of a frozen encoder, the input of the head; otherwise
    /// the hidden states of all tokens after the layers below the first trainable one. Returns `None` if no layer is frozen, the
    /// features need more than a gibibyte, or there is no text. `progress` receives the number of sequences done, and may cancel.
    ///
    /// # Errors
    /// Returns an error if a text does not fit the model, or `progress` cancels.
    pub fn of(
        model: &SequenceClassifier,
        config: &EncoderConfig,
        data: &EncodedDataset,
        batch_size: usize,
        device: &Device,
        progress: &mut dyn FnMut(usize) -> ControlFlow<()>,
    ) -> Result<Option<Self>, TrainError> {
        let all = data.whole();
        let Some(layers) = model.frozen_layers().filter(|&layers| layers > 0) else { return Ok(None) };
        let sequences = all.all();
        let starts = starts(sequences.iter().map(|sequence| sequence.input_ids.len()));
        let tokens = starts.last().copied().unwrap_or_default();
        let (is_frozen, dim) = (model.is_frozen(), config.hidden_size);
        let rows = if is_frozen { all.len() } else { tokens };
        if all.len() == 0 || rows.saturating_mul(dim * size_of::<f32>()) > MOST_BYTES {
            return Ok(None);
        }
        if is_frozen {
            let forward = |batch: &SequenceBatch| model.pool(batch, Mode::Eval);
            let values = by_length(&sequences, config, batch_size, device, progress, forward)?;
            return Ok(values.map(|values| Self { values: Values::Pooled(Box::new(values)), all: Arc::clone(all) }));
        }
        let model = model.trainable(|_| false);
        let mut values = vec![0.0; tokens * dim];
        for_each_batch(&sequences, config, batch_size, device, progress, |rows, batch| {
            let mut hidden = &*read(model.hidden_states(batch, layers))?;
            for &row in rows {
                let place = starts[row] * dim..starts[row + 1] * dim;
                let (of_row, rest) = hidden.split_at(place.len());
                values[place].copy_from_slice(of_row);
                hidden = rest;
            }
            Ok(())
        })?;
        let values = Values::Hidden(HiddenStates { layers, dim, values, starts });
        Ok(Some(Self { values, all: Arc::clone(all) }))
    }

    /// Returns whether these are the features of the texts of `data`.
    pub(crate) fn cover(&self, data: &EncodedDataset) -> bool {
        Arc::ptr_eq(&self.all, data.whole())
    }

    /// Returns whether these are features of layers that are frozen in a model.
    pub(crate) fn fit(&self, model: &SequenceClassifier) -> bool {
        match &self.values {
            Values::Pooled(_) => model.is_frozen(),
            Values::Hidden(hidden) => model.frozen_layers().is_some_and(|frozen| frozen >= hidden.layers),
        }
    }

    /// Returns whether what is left to compute is the head alone.
    pub(crate) fn are_pooled(&self) -> bool {
        matches!(self.values, Values::Pooled(_))
    }

    /// Returns the logits of the sequences of a data set that is covered, computed at once: `[sequences, outputs]`.
    pub(crate) fn logits(
        &self,
        model: &SequenceClassifier,
        config: &EncoderConfig,
        data: &EncodedDataset,
        mode: Mode,
        device: &Device,
    ) -> Result<Tensor<2>, TrainError> {
        let sequences = self.sequences(data);
        match &self.values {
            Values::Pooled(values) => Ok(model.classify(rows(values, &sequences), mode)),
            Values::Hidden(hidden) => {
                let batch = pack(&data.sequences(), config, device)?;
                Ok(model.forward_from(hidden.layers, hidden.of(&sequences, device), &batch, mode))
            }
        }
    }

    /// Returns the logits of the sequences of a data set that is covered, without dropout: row-major `[sequences, outputs]`.
    ///
    /// # Errors
    /// Returns an error if a text does not fit the model, or `progress` cancels.
    pub(crate) fn evaluate(
        &self,
        model: &SequenceClassifier,
        config: &EncoderConfig,
        data: &EncodedDataset,
        (batch_size, device): (usize, &Device),
        progress: &mut dyn FnMut(usize) -> ControlFlow<()>,
    ) -> Result<Vec<f32>, ForwardError> {
        let (sequences, outputs) = (self.sequences(data), config.num_labels());
        let hidden = match &self.values {
            Values::Pooled(values) => return read(model.classify(rows(values, &sequences), Mode::Eval)),
            Values::Hidden(hidden) => hidden,
        };
        let mut logits = vec![0.0; sequences.len() * outputs];
        for_each_batch(&data.sequences(), config, batch_size, device, progress, |rows, batch| {
            let of_batch: Vec<usize> = rows.iter().map(|&row| sequences[row]).collect();
            let values = model.forward_from(hidden.layers, hidden.of(&of_batch, device), batch, Mode::Eval);
            for (&row, values) in rows.iter().zip(read(values)?.chunks(outputs)) {
                logits[row * outputs..(row + 1) * outputs].copy_from_slice(values);
            }
            Ok(())
        })?;
        Ok(logits)
    }

    /// Returns the sequences of a data set that is covered, by their number in the whole.
    fn sequences(&self, data: &EncodedDataset) -> Vec<usize> {
        data.places().iter().flat_map(|&text| self.all.of_text(text)).collect()
    }
}

/// Returns rows of a tensor.
fn rows(values: &Tensor<2>, rows: &[usize]) -> Tensor<2> {
    let rows: Vec<i32> = rows.iter().map(|&row| row as i32).collect();
    let rows: Tensor<1, Int> = Tensor::from_data(TensorData::from(rows.as_slice()), &values.device());
    values.clone().select(0, rows)
}

/// Returns the sums of all counts before each one, and of all.
fn starts(counts: impl Iterator<Item = usize>) -> Vec<usize> {
    let ends = counts.scan(0, |end, count| {
        *end += count;
        Some(*end)
    });
    std::iter::once(0).chain(ends).collect()
}
