//! The tensors of a checkpoint, in one safetensors file or in shards.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

use burn::tensor::Bytes;
use half::{bf16, f16};
use safetensors::{Dtype, SafeTensorError, SafeTensors};
use serde::Deserialize;

use crate::bert;
use crate::error::DistilBertError;
use crate::mapping;
use crate::names;

const WEIGHTS: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";
/// What transformers wrote before safetensors.
const PICKLES: [&str; 2] = ["pytorch_model.bin", "pytorch_model.bin.index.json"];

/// An opened checkpoint: the names and shapes of its tensors, whose values are read on demand.
pub struct Checkpoint {
    files: Vec<(PathBuf, mapping::Bytes)>,
    notes: BTreeMap<String, String>,
    tensors: BTreeMap<String, Entry>,
}

/// The files, and how many tensors they hold.
impl fmt::Debug for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let files: Vec<&PathBuf> = self.files.iter().map(|(path, _)| path).collect();
        let mut shown = f.debug_struct("Checkpoint");
        shown.field("files", &files).field("tensors", &self.tensors.len()).finish_non_exhaustive()
    }
}

struct Entry {
    /// The name in the file, which may be an old one.
    name: String,
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
    /// When neither is there, a file is cut off or not safetensors, or the index names a file outside the folder or
    /// a tensor that its shard does not hold.
    pub fn open(folder: &Path) -> Result<Self, DistilBertError> {
        let (single, index) = (folder.join(WEIGHTS), folder.join(INDEX));
        if single.is_file() {
            return Self::from_file(&single);
        }
        if !index.is_file() {
            if let Some(path) = PICKLES.map(|name| folder.join(name)).into_iter().find(|path| path.is_file()) {
                return Err(DistilBertError::Pickle { path });
            }
            let expected = "model.safetensors (nor model.safetensors.index.json)";
            return Err(DistilBertError::MissingFile { folder: folder.into(), expected });
        }
        let bytes = std::fs::read(&index).map_err(|source| DistilBertError::Io { path: index.clone(), source })?;
        let parsed: ShardIndex = serde_json::from_slice(&bytes)
            .map_err(|error| DistilBertError::Json { path: index.clone(), reason: error.to_string() })?;
        let refuse = |reason| DistilBertError::Index { path: index.clone(), reason };
        let shards: BTreeSet<&String> = parsed.weight_map.values().collect();
        if let Some(outside) = shards.iter().find(|shard| !is_plain_name(shard)) {
            return Err(refuse(format!("shard `{outside}` is not a plain file name")));
        }
        if let Some(absent) = shards.iter().find(|shard| !folder.join(shard).is_file()) {
            return Err(refuse(format!("shard `{absent}` is not in the folder")));
        }
        let checkpoint = Self::from_files(shards.iter().map(|shard| folder.join(shard)).collect())?;
        let held: BTreeSet<(&str, &Path)> =
            checkpoint.tensors.values().map(|entry| (&*entry.name, &*checkpoint.files[entry.file].0)).collect();
        for (tensor, shard) in &parsed.weight_map {
            if !held.contains(&(tensor, &folder.join(shard))) {
                return Err(refuse(format!("tensor `{tensor}` is not in `{shard}`")));
            }
        }
        Ok(checkpoint)
    }

    /// Opens one safetensors file.
    ///
    /// # Errors
    /// When it cannot be read, is cut off or is not safetensors.
    pub fn from_file(path: &Path) -> Result<Self, DistilBertError> {
        Self::from_files(vec![path.into()])
    }

    /// A checkpoint that is compiled into the program; `name` stands for its path in error messages.
    ///
    /// # Errors
    /// When the bytes are not a whole safetensors file.
    pub fn from_bytes(name: &str, bytes: &'static [u8]) -> Result<Self, DistilBertError> {
        let mut checkpoint = Self::empty();
        checkpoint.add(name.into(), mapping::Bytes::Static(bytes))?;
        Ok(checkpoint)
    }

    /// A checkpoint without tensors: a model loaded from it is fresh from its seed.
    pub fn empty() -> Self {
        Self { files: Vec::new(), notes: BTreeMap::new(), tensors: BTreeMap::new() }
    }

    fn from_files(paths: Vec<PathBuf>) -> Result<Self, DistilBertError> {
        let mut checkpoint = Self::empty();
        for path in paths {
            let bytes =
                mapping::Bytes::map(&path).map_err(|source| DistilBertError::Io { path: path.clone(), source })?;
            checkpoint.add(path, bytes)?;
        }
        Ok(checkpoint)
    }

    fn add(&mut self, path: PathBuf, bytes: mapping::Bytes) -> Result<(), DistilBertError> {
        let refuse = |reason: String| DistilBertError::Safetensors { path: path.clone(), reason };
        let (header, metadata) = SafeTensors::read_metadata(&bytes).map_err(|error| match error {
            SafeTensorError::MetadataIncompleteBuffer => {
                refuse(format!("its header speaks of other bytes than the {} there are; is it cut off?", bytes.len()))
            }
            error => refuse(error.to_string()),
        })?;
        let data = size_of::<u64>() + header;
        let canonical = match bert::is_bert(metadata.tensors().keys().map(String::as_str)) {
            true => bert::canonical,
            false => names::canonical,
        };
        for (name, info) in metadata.tensors() {
            let (start, end) = (data + info.data_offsets.0, data + info.data_offsets.1);
            let entry = Entry {
                name: name.clone(),
                file: self.files.len(),
                dtype: info.dtype,
                shape: info.shape.clone(),
                start,
                end,
            };
            if let Some(twin) = self.tensors.insert(names::modern(&canonical(&name)), entry) {
                return Err(refuse(format!("tensors `{name}` and `{}` are the same parameter", twin.name)));
            }
        }
        self.notes.extend(metadata.metadata().clone().unwrap_or_default());
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

    /// Whether there is no tensor at all.
    pub fn is_empty(&self) -> bool {
        self.tensors.is_empty()
    }

    /// Today's names of all tensors, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// The name under which the file holds the tensor that is called `name` today.
    pub(crate) fn name_in_file(&self, name: &str) -> Option<&str> {
        self.tensors.get(name).map(|entry| entry.name.as_str())
    }

    /// The shape of a tensor as it is stored.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.tensors.get(name).map(|entry| entry.shape.as_slice())
    }

    /// What a file says of itself under a key of its header.
    pub fn note(&self, key: &str) -> Option<&str> {
        self.notes.get(key).map(String::as_str)
    }

    /// The values of a tensor as they are stored, in f32; `None` where there is none of that name.
    ///
    /// # Errors
    /// When the tensor is stored in a type that holds no weights, or holds a value that is not finite.
    pub fn values(&self, name: &str) -> Result<Option<Vec<f32>>, DistilBertError> {
        self.decoded(name, false)
    }

    /// The path of the file that holds a tensor, or of the first file.
    pub(crate) fn path_of(&self, name: &str) -> PathBuf {
        let file = self.tensors.get(name).map_or(0, |entry| entry.file);
        self.files.get(file).map(|(path, _)| path.clone()).unwrap_or_default()
    }

    /// Gives back the memory that holds pages of the files; whoever reads on finds them in the files.
    pub fn release(&self) {
        self.files.iter().for_each(|(_, bytes)| bytes.release());
    }

    /// The memory of a tensor of f32, row-major; with `transpose`, of the transpose of a matrix. What the file holds in
    /// just that form is shared with it.
    ///
    /// # Errors
    /// When the tensor is stored in a type that holds no weights, or holds a value that is not finite.
    pub(crate) fn read(&self, name: &str, transpose: bool) -> Result<Option<Bytes>, DistilBertError> {
        let Some(entry) = self.tensors.get(name) else { return Ok(None) };
        let (_, file) = &self.files[entry.file];
        let types = if name == bert::POSITIONS { self.types(entry)? } else { None };
        let as_is = cfg!(target_endian = "little") && entry.dtype == Dtype::F32 && !transpose && types.is_none();
        if let Some(shared) = Some(entry.start..entry.end).filter(|_| as_is).and_then(|range| file.share(range)) {
            let (elements, _) = file[entry.start..entry.end].as_chunks::<4>();
            self.check_finite(entry, elements.iter().map(|&element| f32::from_le_bytes(element)))?;
            return Ok(Some(shared));
        }
        let Some(mut values) = self.decoded(name, transpose)? else { return Ok(None) };
        if let Some(types) = types {
            let width = entry.shape.last().copied().unwrap_or(1).max(1);
            values.chunks_mut(width).for_each(|row| row.iter_mut().zip(&types).for_each(|(value, add)| *value += add));
        }
        Ok(Some(Bytes::from_elems(values)))
    }

    /// The row for each type of token, as wide as a position's, where a file has such rows.
    fn types(&self, positions: &Entry) -> Result<Option<Vec<f32>>, DistilBertError> {
        let Some(entry) = self.tensors.get(bert::TOKEN_TYPES) else { return Ok(None) };
        let expected =
            vec![entry.shape.first().copied().unwrap_or(0).max(1), positions.shape.last().copied().unwrap_or(0)];
        if entry.shape != expected {
            let (path, tensor) = (self.files[entry.file].0.clone(), entry.name.clone());
            return Err(DistilBertError::Shape { path, tensor, found: entry.shape.clone(), expected });
        }
        self.decoded(bert::TOKEN_TYPES, false)
    }

    /// A copy of a tensor's values.
    fn decoded(&self, name: &str, transpose: bool) -> Result<Option<Vec<f32>>, DistilBertError> {
        let Some(entry) = self.tensors.get(name) else { return Ok(None) };
        let (path, bytes) = &self.files[entry.file];
        let bytes = &bytes[entry.start..entry.end];
        let columns = if transpose { entry.shape.last().copied() } else { None };
        let values = match entry.dtype {
            Dtype::F32 => decode::<4>(bytes, columns, f32::from_le_bytes),
            Dtype::F16 => decode::<2>(bytes, columns, |b| f16::from_le_bytes(b).to_f32()),
            Dtype::BF16 => decode::<2>(bytes, columns, |b| bf16::from_le_bytes(b).to_f32()),
            Dtype::F64 => decode::<8>(bytes, columns, |b| f64::from_le_bytes(b) as f32),
            other => {
                let (tensor, dtype) = (entry.name.clone(), format!("{other:?}"));
                return Err(DistilBertError::Dtype { path: path.clone(), tensor, dtype });
            }
        };
        self.check_finite(entry, values.iter().copied())?;
        Ok(Some(values))
    }

    fn check_finite(&self, entry: &Entry, values: impl Iterator<Item = f32>) -> Result<(), DistilBertError> {
        let path = || self.files[entry.file].0.clone();
        match values.fold(true, |finite, value| finite & value.is_finite()) {
            true => Ok(()),
            false => Err(DistilBertError::NotFinite { path: path(), tensor: entry.name.clone() }),
        }
    }
}

/// Whether a name leads to no other folder on any system.
fn is_plain_name(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\', ':', '\0'])
}

/// Little-endian elements of `N` bytes to f32; with `columns`, of a matrix of so many, transposed.
fn decode<const N: usize>(bytes: &[u8], columns: Option<usize>, value: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    let (elements, _) = bytes.as_chunks::<N>();
    let Some(columns) = columns.filter(|&columns| columns > 0) else {
        return elements.iter().map(|&element| value(element)).collect();
    };
    // In blocks, so that both sides stay in the cache.
    const BLOCK: usize = 32;
    let rows = elements.len() / columns;
    let mut transposed = vec![0.0; elements.len()];
    for top in (0..rows).step_by(BLOCK) {
        for left in (0..columns).step_by(BLOCK) {
            for column in left..(left + BLOCK).min(columns) {
                for row in top..(top + BLOCK).min(rows) {
                    transposed[column * rows + row] = value(elements[row * columns + column]);
                }
            }
        }
    }
    transposed
}
