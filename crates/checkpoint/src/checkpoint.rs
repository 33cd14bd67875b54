//! The tensors of a checkpoint, in one safetensors file or in shards.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

use burn::tensor::Bytes;
use rekindle_files::{FileError, check_lfs_pointer};
use safetensors::{Dtype, SafeTensorError, SafeTensors};
use serde::Deserialize;

use crate::bytes::FileBytes;
use crate::decode::decode;
use crate::error::CheckpointError;
use crate::save::serialize_values;

const WEIGHTS: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";
/// The files that transformers wrote before safetensors.
const PICKLES: [&str; 2] = ["pytorch_model.bin", "pytorch_model.bin.index.json"];

/// An open checkpoint: the names and shapes of its tensors. Values are read on demand. Copies share the files.
#[derive(Clone)]
pub struct Checkpoint {
    files: Vec<(PathBuf, FileBytes)>,
    metadata: BTreeMap<String, String>,
    tensors: BTreeMap<String, Entry>,
}

/// Shows the files and the number of tensors.
impl fmt::Debug for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let files: Vec<&PathBuf> = self.files.iter().map(|(path, _)| path).collect();
        let mut shown = f.debug_struct("Checkpoint");
        shown.field("files", &files).field("tensors", &self.tensors.len()).finish_non_exhaustive()
    }
}

/// Where a tensor is stored.
#[derive(Clone)]
struct Entry {
    file: usize,
    dtype: Dtype,
    shape: Vec<usize>,
    start: usize,
    end: usize,
}

#[derive(Deserialize)]
struct ShardIndex {
    weight_map: BTreeMap<String, String>,
}

impl Checkpoint {
    /// Opens `model.safetensors` in `folder`, or the shards that `model.safetensors.index.json` lists.
    ///
    /// # Errors
    /// When neither exists, a file is truncated or not safetensors, or the index names a file outside the folder or a
    /// tensor that its shard does not contain.
    pub fn open(folder: &Path) -> Result<Self, CheckpointError> {
        let (single, index) = (folder.join(WEIGHTS), folder.join(INDEX));
        if single.is_file() {
            return Self::from_file(&single);
        }
        if !index.is_file() {
            if let Some(path) = PICKLES.map(|name| folder.join(name)).into_iter().find(|path| path.is_file()) {
                return Err(CheckpointError::Pickle { path });
            }
            let linked = |path: PathBuf| path.read_link().ok().map(|target| (path, target));
            if let Some((path, target)) = [single, index].into_iter().find_map(linked) {
                return Err(CheckpointError::DanglingLink { path, target });
            }
            let expected = "model.safetensors (nor model.safetensors.index.json)";
            return Err(CheckpointError::MissingFile { folder: folder.into(), expected });
        }
        let bytes = std::fs::read(&index).map_err(|source| FileError::read(&index, source))?;
        check_lfs_pointer(&index, &bytes)?;
        let parsed: ShardIndex = serde_json::from_slice(&bytes)
            .map_err(|error| CheckpointError::Json { path: index.clone(), reason: error.to_string() })?;
        let refuse = |reason| CheckpointError::Index { path: index.clone(), reason };
        let shards: BTreeSet<&String> = parsed.weight_map.values().collect();
        if let Some(outside) = shards.iter().find(|shard| !is_plain_name(shard)) {
            return Err(refuse(format!("shard `{outside}` is not a plain file name")));
        }
        if let Some(absent) = shards.iter().find(|shard| !folder.join(shard).is_file()) {
            return Err(refuse(format!("shard `{absent}` is not in the folder")));
        }
        let checkpoint = Self::from_files(shards.iter().map(|shard| folder.join(shard)).collect())?;
        for (tensor, shard) in &parsed.weight_map {
            let holder = checkpoint.tensors.get(tensor).map(|entry| &*checkpoint.files[entry.file].0);
            if holder != Some(&folder.join(shard)) {
                return Err(refuse(format!("tensor `{tensor}` is not in `{shard}`")));
            }
        }
        Ok(checkpoint)
    }

    /// Opens one safetensors file.
    ///
    /// # Errors
    /// When it cannot be read, is truncated or is not safetensors.
    pub fn from_file(path: &Path) -> Result<Self, CheckpointError> {
        Self::from_files(vec![path.into()])
    }

    /// Opens a checkpoint that is compiled into the program. `name` stands for its path in error messages.
    ///
    /// # Errors
    /// When the bytes are not a whole safetensors file.
    pub fn from_bytes(name: &str, bytes: &'static [u8]) -> Result<Self, CheckpointError> {
        let mut checkpoint = Self::empty();
        checkpoint.add(name.into(), FileBytes::Static(bytes))?;
        Ok(checkpoint)
    }

    /// Returns the checkpoint with further tensors, each with its shape, which replace those of the same names. `name` stands for
    /// their path in error messages.
    ///
    /// # Errors
    /// When a tensor has another number of values than its shape.
    pub fn with_tensors(
        mut self,
        name: &str,
        tensors: Vec<(String, Vec<usize>, Vec<f32>)>,
    ) -> Result<Self, CheckpointError> {
        for (tensor, ..) in &tensors {
            self.tensors.remove(tensor);
        }
        self.add(name.into(), FileBytes::Owned(serialize_values(tensors)?.into()))?;
        Ok(self)
    }

    /// A checkpoint without tensors: a model that is loaded from it is initialized from its seed.
    pub fn empty() -> Self {
        Self { files: Vec::new(), metadata: BTreeMap::new(), tensors: BTreeMap::new() }
    }

    fn from_files(paths: Vec<PathBuf>) -> Result<Self, CheckpointError> {
        let mut checkpoint = Self::empty();
        for path in paths {
            let bytes = FileBytes::map(&path).map_err(|source| FileError::read(&path, source))?;
            checkpoint.add(path, bytes)?;
        }
        Ok(checkpoint)
    }

    fn add(&mut self, path: PathBuf, bytes: FileBytes) -> Result<(), CheckpointError> {
        let refuse = |reason: String| CheckpointError::Safetensors { path: path.clone(), reason };
        check_lfs_pointer(&path, &bytes)?;
        let (header, metadata) = SafeTensors::read_metadata(&bytes).map_err(|error| match error {
            SafeTensorError::MetadataIncompleteBuffer => {
                refuse(format!("its header describes other bytes than the {} there are; is it cut off?", bytes.len()))
            }
            error => refuse(error.to_string()),
        })?;
        let data = size_of::<u64>() + header;
        for (name, info) in metadata.tensors() {
            let (start, end) = (data + info.data_offsets.0, data + info.data_offsets.1);
            let (file, dtype, shape) = (self.files.len(), info.dtype, info.shape.clone());
            if self.tensors.insert(name.clone(), Entry { file, dtype, shape, start, end }).is_some() {
                return Err(refuse(format!("tensor `{name}` is in another shard, too")));
            }
        }
        self.metadata.extend(metadata.metadata().clone().unwrap_or_default());
        self.files.push((path, bytes));
        Ok(())
    }

    /// The files, in the order in which they were opened.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(|(path, _)| path.as_path())
    }

    /// The whole bytes of each file, for a checksum.
    pub fn contents(&self) -> impl Iterator<Item = &[u8]> {
        self.files.iter().map(|(_, bytes)| &bytes[..])
    }

    /// Whether there are no tensors.
    pub fn is_empty(&self) -> bool {
        self.tensors.is_empty()
    }

    /// The names of all tensors as the files have them, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// The names of the tensors of each file, in the order of the files.
    pub(crate) fn names_by_file(&self) -> Vec<Vec<&str>> {
        let mut names = vec![Vec::new(); self.files.len()];
        for (name, entry) in &self.tensors {
            names[entry.file].push(name.as_str());
        }
        names
    }

    /// The shape of a tensor as it is stored.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.tensors.get(name).map(|entry| entry.shape.as_slice())
    }

    pub(crate) fn dtype(&self, name: &str) -> Option<Dtype> {
        self.tensors.get(name).map(|entry| entry.dtype)
    }

    /// The bytes of a tensor.
    pub(crate) fn bytes(&self, name: &str) -> Option<&[u8]> {
        self.tensors.get(name).map(|entry| &self.files[entry.file].1[entry.start..entry.end])
    }

    /// The value of a key in the headers of the files.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.metadata.get(key).map(String::as_str)
    }

    /// The values of a tensor in f32, in the order of the file, those of int8 multiplied by their scales; `None` if there is no such
    /// tensor.
    ///
    /// # Errors
    /// When the element type is not supported, or a value is not finite.
    pub fn values(&self, name: &str) -> Result<Option<Vec<f32>>, CheckpointError> {
        self.tensors.get(name).map(|entry| self.decoded(name, entry, false)).transpose()
    }

    /// Releases the resident memory of the files; later reads fetch it from the files again.
    pub fn release(&self) {
        self.files.iter().for_each(|(_, bytes)| bytes.release());
    }

    /// The path of the file that contains a tensor, or of the first file.
    pub(crate) fn path_of(&self, name: &str) -> PathBuf {
        let file = self.tensors.get(name).map_or(0, |entry| entry.file);
        self.files.get(file).map(|(path, _)| path.clone()).unwrap_or_default()
    }

    /// A tensor in f32, row-major; with `transpose`, the transpose of a matrix.
    ///
    /// A tensor that is stored in exactly this form is shared with the mapped file and not copied.
    pub(crate) fn read(&self, name: &str, transpose: bool) -> Result<Option<Bytes>, CheckpointError> {
        let Some(entry) = self.tensors.get(name) else { return Ok(None) };
        let file = &self.files[entry.file].1;
        let as_is = cfg!(target_endian = "little") && entry.dtype == Dtype::F32 && !transpose;
        if let Some(shared) = Some(entry.start..entry.end).filter(|_| as_is).and_then(|range| file.share(range)) {
            let (elements, _) = file[entry.start..entry.end].as_chunks::<4>();
            self.check_finite(name, entry, elements.iter().map(|&element| f32::from_le_bytes(element)))?;
            return Ok(Some(shared));
        }
        let values = self.decoded(name, entry, transpose)?;
        Ok(Some(Bytes::from_elems(values)))
    }

    /// A copy of a tensor's values.
    fn decoded(&self, name: &str, entry: &Entry, transpose: bool) -> Result<Vec<f32>, CheckpointError> {
        let (path, bytes) = &self.files[entry.file];
        let columns = if transpose { entry.shape.last().copied() } else { None };
        let scales = if entry.dtype == Dtype::I8 { Some(self.int8_scales(name)?) } else { None };
        let mut values = decode(&bytes[entry.start..entry.end], entry.dtype, columns).ok_or_else(|| {
            let dtype = format!("{:?}", entry.dtype);
            CheckpointError::Dtype { path: path.clone(), tensor: name.into(), dtype }
        })?;
        if let Some(scales) = scales {
            scale_rows(&mut values, &scales, transpose);
        }
        self.check_finite(name, entry, values.iter().copied())?;
        Ok(values)
    }

    fn check_finite(
        &self,
        name: &str,
        entry: &Entry,
        values: impl Iterator<Item = f32>,
    ) -> Result<(), CheckpointError> {
        match values.fold(true, |finite, value| finite & value.is_finite()) {
            true => Ok(()),
            false => {
                let path = self.files[entry.file].0.clone();
                Err(CheckpointError::NotFinite { path, tensor: name.into() })
            }
        }
    }
}

/// Multiplies each row of a matrix by its scale, or each column of its transpose.
fn scale_rows(values: &mut [f32], scales: &[f32], is_transposed: bool) {
    let rows = scales.len().max(1);
    if is_transposed {
        values.chunks_mut(rows).for_each(|row| row.iter_mut().zip(scales).for_each(|(value, scale)| *value *= scale));
    } else {
        let columns = (values.len() / rows).max(1);
        values
            .chunks_mut(columns)
            .zip(scales)
            .for_each(|(row, scale)| row.iter_mut().for_each(|value| *value *= scale));
    }
}

/// Whether a name leads to no other folder on any system.
fn is_plain_name(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\', ':', '\0'])
}
