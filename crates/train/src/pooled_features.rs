//! The pooled features of a frozen encoder, computed once per text.

use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

use burn::tensor::{Device, Int, Tensor, TensorData};
use rekindle_encoders::{EncoderConfig, Mode, SequenceBatch, SequenceClassifier};
use rekindle_infer::by_length;

use crate::dataset::{EncodedDataset, Sequences};
use crate::error::TrainError;

/// The most bytes that features take. The features of a larger data set are computed each time.
const MOST_BYTES: usize = 1 << 30;

/// The input of the head for each text of a data set, or each of its windows, without dropout: `[sequences, dim]`. They serve every selection from
/// the data set.
pub struct PooledFeatures {
    values: Tensor<2>,
    all: Arc<Sequences>,
}

/// Shows the number of sequences, and not the values on the device.
impl fmt::Debug for PooledFeatures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PooledFeatures").field("sequences", &self.all.len()).finish_non_exhaustive()
    }
}

impl PooledFeatures {
    /// Computes the features of the whole data set that `data` was selected from. Returns `None` if the encoder is
    /// trainable, the features need more than a gibibyte, or there is no text. `progress` receives the number of sequences
    /// done, and may cancel.
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
        if !model.is_frozen() || all.len().saturating_mul(config.hidden_size * size_of::<f32>()) > MOST_BYTES {
            return Ok(None);
        }
        let forward = |batch: &SequenceBatch| model.pool(batch, Mode::Eval);
        let values = by_length(&all.all(), config, batch_size, device, progress, forward)?;
        Ok(values.map(|values| Self { values, all: Arc::clone(all) }))
    }

    /// Returns whether these are the features of the texts of `data`.
    pub(crate) fn cover(&self, data: &EncodedDataset) -> bool {
        Arc::ptr_eq(&self.all, data.whole())
    }

    /// Returns the features of the sequences of a data set that is covered, `[sequences, dim]`.
    pub(crate) fn rows(&self, data: &EncodedDataset) -> Tensor<2> {
        let places = data.places().iter().flat_map(|&text| self.all.of_text(text));
        let places: Vec<i32> = places.map(|sequence| sequence as i32).collect();
        let places: Tensor<1, Int> = Tensor::from_data(TensorData::from(places.as_slice()), &self.values.device());
        self.values.clone().select(0, places)
    }
}
