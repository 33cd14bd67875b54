//! A module into a safetensors file that transformers opens.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs::{self, File};
use std::path::Path;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Tensor, TensorData};
use rekindle_files::{FileError, write_atomic};
use safetensors::{Dtype, View};

use crate::error::CheckpointError;
use crate::int8::{Int8Tensor, scale_name};
use crate::path::ParamPath;

/// The element type of a saved file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Precision {
    /// 32-bit floats.
    F32,
    /// 16-bit IEEE floats, rounded to nearest.
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

impl Stored {
    // Not generic, so that it is compiled here, and optimised in every profile.
    fn new(data: TensorData, shape: Vec<usize>, precision: Precision) -> Self {
        let data = data.convert::<f32>();
        let values = data.as_slice::<f32>().unwrap_or_default();
        match precision {
            Precision::F32 => Self::of(values, shape),
            Precision::F16 => {
                let elements = values.iter().map(|&value| half::f16::from_f32(value).to_le_bytes());
                Self { dtype: Dtype::F16, shape, bytes: joined(elements) }
            }
        }
    }

    fn of(values: &[f32], shape: Vec<usize>) -> Self {
        Self { dtype: Dtype::F32, shape, bytes: joined(values.iter().map(|value| value.to_le_bytes())) }
    }
}

/// The bytes of elements. Several times as fast as to flatten an iterator.
fn joined<const N: usize>(elements: impl ExactSizeIterator<Item = [u8; N]>) -> Vec<u8> {
    let mut bytes = vec![0; elements.len() * N];
    bytes.as_chunks_mut::<N>().0.iter_mut().zip(elements).for_each(|(bytes, element)| *bytes = element);
    bytes
}

/// Returns the weight of a linear layer in int8 by the name of its parameter, if the layer is in int8.
pub type Int8Weights<'a> = &'a dyn Fn(&str) -> Option<Int8Tensor>;

struct Collect<'a> {
    path: ParamPath,
    precision: Precision,
    int8: Int8Weights<'a>,
    tensors: Vec<(String, Stored)>,
}

impl ModuleVisitor for Collect<'_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let tensor = param.val().without_autodiff();
        let tensor = if self.path.is_transposed() { tensor.transpose() } else { tensor };
        let (name, shape) = (self.path.name(), tensor.dims().to_vec());
        if let Some(Int8Tensor { values, scales }) =
            Some(&name).filter(|_| shape.contains(&0)).and_then(|name| (self.int8)(name))
        {
            let rows = scales.len();
            let shape = vec![rows, values.len().checked_div(rows).unwrap_or(0)];
            let bytes = joined(values.iter().map(|value| value.to_le_bytes()));
            self.tensors.push((scale_name(&name), Stored::of(&scales, vec![rows, 1])));
            self.tensors.push((name, Stored { dtype: Dtype::I8, shape, bytes }));
            return;
        }
        self.tensors.push((name, Stored::new(tensor.into_data(), shape, self.precision)));
    }
}

/// Writes all tensors of a model under the names of its parameters, with `format: pt` in the header.
///
/// # Errors
/// When the file cannot be written, or a parameter has no values in f32; an existing file is then unchanged.
pub fn save(model: &impl Module, path: &Path, precision: Precision) -> Result<(), CheckpointError> {
    save_with_int8(model, &|_| None, path, precision)
}

/// Writes all tensors of a model, as [`save`], with the weights of linear layers in int8 that `int8` returns.
///
/// # Errors
/// As [`save`].
pub fn save_with_int8(
    model: &impl Module,
    int8: Int8Weights<'_>,
    path: &Path,
    precision: Precision,
) -> Result<(), CheckpointError> {
    write(tensors(model, int8, precision)?, HashMap::new(), path)
}

/// Returns the bytes of a safetensors file with the tensors of a model in f32 that `rename` gives a name, under this name.
///
/// # Errors
/// When two tensors have the same name.
pub fn serialize(model: &impl Module, rename: impl Fn(&str) -> Option<String>) -> Result<Vec<u8>, CheckpointError> {
    let renamed = tensors(model, &|_| None, Precision::F32)?
        .into_iter()
        .filter_map(|(name, tensor)| Some((rename(&name)?, tensor)));
    to_bytes(renamed.collect())
}

/// Returns the bytes of a safetensors file with tensors of the given shapes.
pub(crate) fn serialize_values(tensors: Vec<(String, Vec<usize>, Vec<f32>)>) -> Result<Vec<u8>, CheckpointError> {
    let stored = |(name, shape, values): (String, Vec<usize>, Vec<f32>)| (name, Stored::of(&values, shape));
    to_bytes(tensors.into_iter().map(stored).collect())
}

fn to_bytes(tensors: Vec<(String, Stored)>) -> Result<Vec<u8>, CheckpointError> {
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    safetensors::serialize(tensors, Some(metadata))
        .map_err(|error| CheckpointError::Safetensors { path: "memory".into(), reason: error.to_string() })
}

/// Writes all tensors of a model in f32, further tensors of one dimension, and entries of the header, which
/// [`Checkpoint::values`](crate::Checkpoint::values) and [`Checkpoint::metadata`](crate::Checkpoint::metadata) return.
///
/// # Errors
/// When the file cannot be written; an existing one is then unchanged.
pub fn save_with(
    model: &impl Module,
    others: Vec<(String, Vec<f32>)>,
    metadata: HashMap<String, String>,
    path: &Path,
) -> Result<(), CheckpointError> {
    write(tensors(model, &|_| None, Precision::F32)?.into_iter().chain(flat(others)), metadata, path)
}

/// Writes tensors of one dimension and entries of the header, as [`save_with`] writes them with a model.
///
/// # Errors
/// When the file cannot be written; an existing one is then unchanged.
pub fn save_values(
    values: Vec<(String, Vec<f32>)>,
    metadata: HashMap<String, String>,
    path: &Path,
) -> Result<(), CheckpointError> {
    write(flat(values), metadata, path)
}

/// Writes one tensor, `[rows, width]`, row-major. The same values give the same bytes.
///
/// # Errors
/// When the file cannot be written; an existing one is then unchanged.
pub fn save_rows(name: &str, values: &[f32], width: usize, path: &Path) -> Result<(), CheckpointError> {
    let shape = vec![values.len() / width.max(1), width];
    write([(name.to_owned(), Stored::of(values, shape))], HashMap::new(), path)
}

fn flat(values: Vec<(String, Vec<f32>)>) -> impl Iterator<Item = (String, Stored)> {
    values.into_iter().map(|(name, values)| {
        let shape = vec![values.len()];
        (name, Stored::of(&values, shape))
    })
}

fn tensors(
    model: &impl Module,
    int8: Int8Weights<'_>,
    precision: Precision,
) -> Result<Vec<(String, Stored)>, CheckpointError> {
    let mut collect = Collect { path: ParamPath::default(), precision, int8, tensors: Vec::new() };
    model.visit(&mut collect);
    match collect.tensors.iter().find(|(_, stored)| stored.shape.contains(&0)) {
        None => Ok(collect.tensors),
        Some((name, _)) => {
            let reason = "it has no values in f32; load the model in f32".into();
            Err(CheckpointError::Device { tensor: name.clone(), reason })
        }
    }
}

fn write(
    tensors: impl IntoIterator<Item = (String, Stored)>,
    mut metadata: HashMap<String, String>,
    path: &Path,
) -> Result<(), CheckpointError> {
    metadata.insert("format".into(), "pt".into());
    let io = |source| CheckpointError::from(FileError::write(path, source));
    write_atomic(path, |new| {
        // The library creates files that only their owner may read.
        let usual = File::create(new).and_then(|file| file.metadata()).map_err(io)?.permissions();
        safetensors::serialize_to_file(tensors, Some(metadata), new).map_err(|error| match error {
            safetensors::SafeTensorError::IoError(source) => io(source),
            other => CheckpointError::Safetensors { path: path.into(), reason: other.to_string() },
        })?;
        fs::set_permissions(new, usual).map_err(io)
    })
}
