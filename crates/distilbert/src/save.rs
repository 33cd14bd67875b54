//! A model into a safetensors file that transformers opens.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs::{self, File};
use std::path::Path as FilePath;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;
use safetensors::{Dtype, View};

use crate::classifier::DistilBertForSequenceClassification;
use crate::error::DistilBertError;
use crate::masked_lm::DistilBertForMaskedLM;
use crate::model::DistilBertModel;
use crate::names::Path;
use crate::replace::replace;

/// How the elements of a saved file are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
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

impl DistilBertForMaskedLM {
    /// Writes all tensors, as [`DistilBertForSequenceClassification::save_safetensors`]; the word table once.
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

/// Writes all tensors of a model in f32, and beside them `others`, flat, and `notes`, which
/// [`Checkpoint::values`](crate::Checkpoint::values) and [`Checkpoint::note`](crate::Checkpoint::note) give back: what it
/// takes to go on with a training.
///
/// # Errors
/// When the file cannot be written; an earlier one is then left as it was.
pub fn save_with(
    model: &impl Module,
    others: Vec<(String, Vec<f32>)>,
    notes: HashMap<String, String>,
    path: &FilePath,
) -> Result<(), DistilBertError> {
    write(tensors(model, Precision::F32).into_iter().chain(flat(others)), notes, path)
}

/// Writes values, flat, and `notes`, as [`save_with`] writes them beside a model.
///
/// # Errors
/// When the file cannot be written; an earlier one is then left as it was.
pub fn save_values(
    values: Vec<(String, Vec<f32>)>,
    notes: HashMap<String, String>,
    path: &FilePath,
) -> Result<(), DistilBertError> {
    write(flat(values), notes, path)
}

/// Writes one tensor, `[rows, width]`, row-major: the same values make the same bytes.
///
/// # Errors
/// When the file cannot be written; an earlier one is then left as it was.
pub fn save_rows(name: &str, values: &[f32], width: usize, path: &FilePath) -> Result<(), DistilBertError> {
    let shape = vec![values.len() / width.max(1), width];
    let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    write([(name.to_owned(), Stored { dtype: Dtype::F32, shape, bytes })], HashMap::new(), path)
}

fn flat(values: Vec<(String, Vec<f32>)>) -> impl Iterator<Item = (String, Stored)> {
    values.into_iter().map(|(name, values)| {
        let shape = vec![values.len()];
        let bytes = values.into_iter().flat_map(f32::to_le_bytes).collect();
        (name, Stored { dtype: Dtype::F32, shape, bytes })
    })
}

fn save(model: &impl Module, path: &FilePath, precision: Precision) -> Result<(), DistilBertError> {
    write(tensors(model, precision), HashMap::new(), path)
}

fn tensors(model: &impl Module, precision: Precision) -> Vec<(String, Stored)> {
    let mut collect = Collect { path: Path::default(), precision, tensors: Vec::new() };
    model.visit(&mut collect);
    collect.tensors
}

fn write(
    tensors: impl IntoIterator<Item = (String, Stored)>,
    mut notes: HashMap<String, String>,
    path: &FilePath,
) -> Result<(), DistilBertError> {
    notes.insert("format".into(), "pt".into());
    let io = |source| DistilBertError::Io { path: path.into(), source };
    replace(path, |new| {
        // The library leaves a file that its owner alone may read.
        let usual = File::create(new).and_then(|file| file.metadata()).map_err(io)?.permissions();
        safetensors::serialize_to_file(tensors, Some(notes), new).map_err(|error| match error {
            safetensors::SafeTensorError::IoError(source) => io(source),
            other => DistilBertError::Safetensors { path: path.into(), reason: other.to_string() },
        })?;
        fs::set_permissions(new, usual).map_err(io)
    })
}
