//! A model into a safetensors file that transformers opens.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path as FilePath;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;
use safetensors::{Dtype, View};

use crate::classifier::DistilBertForSequenceClassification;
use crate::error::DistilBertError;
use crate::model::DistilBertModel;
use crate::names::Path;

/// How the elements of a saved file are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// 32-bit floats.
    F32,
    /// 16-bit IEEE floats, half the size, rounded to nearest.
    F16,
}

struct Stored {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl View for Stored {
    fn dtype(&self) -> Dtype {
        self.dtype
    }
    fn shape(&self) -> &[usize] {
        &self.shape
    }
    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.bytes)
    }
    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}

struct Collect {
    path: Path,
    precision: Precision,
    tensors: Vec<(String, Stored)>,
}

impl ModuleVisitor for Collect {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let tensor = param.val().without_autodiff();
        let tensor = if self.path.is_transposed() { tensor.transpose() } else { tensor };
        let shape = tensor.dims().to_vec();
        let data = tensor.into_data();
        let values = data.iter::<f32>();
        let (dtype, bytes) = match self.precision {
            Precision::F32 => (Dtype::F32, values.flat_map(f32::to_le_bytes).collect()),
            Precision::F16 => (Dtype::F16, values.flat_map(|value| half::f16::from_f32(value).to_le_bytes()).collect()),
        };
        self.tensors.push((self.path.name(), Stored { dtype, shape, bytes }));
    }
}

impl DistilBertForSequenceClassification {
    /// Writes all tensors to `path` under transformers' names, with `format: pt` in the header.
    ///
    /// # Errors
    /// When the file cannot be written; an earlier one is then left as it was.
    pub fn save_safetensors(&self, path: &FilePath, precision: Precision) -> Result<(), DistilBertError> {
        save(self, path, precision)
    }
}

impl DistilBertModel {
    /// Writes the encoder alone, as [`DistilBertForSequenceClassification::save_safetensors`] writes it with a head;
    /// the names then lack the prefix `distilbert.`, as in transformers.
    ///
    /// # Errors
    /// When the file cannot be written; an earlier one is then left as it was.
    pub fn save_safetensors(&self, path: &FilePath, precision: Precision) -> Result<(), DistilBertError> {
        save(self, path, precision)
    }
}

fn save(module: &impl Module, path: &FilePath, precision: Precision) -> Result<(), DistilBertError> {
    let mut collect = Collect { path: Path::default(), precision, tensors: Vec::new() };
    module.visit(&mut collect);
    let metadata = HashMap::from([("format".to_string(), "pt".to_string())]);
    safetensors::serialize_to_file(collect.tensors, Some(metadata), path).map_err(|error| match error {
        safetensors::SafeTensorError::IoError(source) => DistilBertError::Io { path: path.into(), source },
        other => DistilBertError::Safetensors { path: path.into(), reason: other.to_string() },
    })
}
