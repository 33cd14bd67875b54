//! A checkpoint under the names of a model's parameters.

use std::collections::BTreeMap;
use std::path::PathBuf;

use burn::tensor::Bytes;

use crate::checkpoint::Checkpoint;
use crate::error::CheckpointError;
use crate::layout::{Layout, modern};

/// The tensors of a checkpoint by the names of parameters.
pub(crate) struct Renamed<'a> {
    checkpoint: &'a Checkpoint,
    /// Names in the files, by those of parameters.
    names: BTreeMap<String, &'a str>,
}

impl<'a> Renamed<'a> {
    /// Translates all names.
    ///
    /// # Errors
    /// When two tensors are the same parameter.
    pub(crate) fn new(checkpoint: &'a Checkpoint, layout: &Layout) -> Result<Self, CheckpointError> {
        let mut names: BTreeMap<String, &str> = BTreeMap::new();
        for in_file in checkpoint.names_by_file() {
            let map = layout.map_for(in_file.iter().copied());
            for name in in_file.into_iter().filter(|name| !is_part_of_int8(checkpoint, name)) {
                let parameter = modern(&map.map_or_else(|| name.to_string(), |map| map.parameter(name)));
                if let Some(twin) = names.insert(parameter, name) {
                    let reason = format!("tensors `{name}` and `{twin}` are the same parameter");
                    return Err(CheckpointError::Safetensors { path: checkpoint.path_of(name), reason });
                }
            }
        }
        Ok(Self { checkpoint, names })
    }

    /// The names of the parameters, sorted.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.keys().map(String::as_str)
    }

    /// The name of a parameter in its file.
    pub(crate) fn in_file(&self, name: &str) -> Option<&'a str> {
        self.names.get(name).copied()
    }

    pub(crate) fn shape(&self, name: &str) -> Option<&'a [usize]> {
        self.checkpoint.shape(self.in_file(name)?)
    }

    pub(crate) fn path_of(&self, name: &str) -> PathBuf {
        self.checkpoint.path_of(self.in_file(name).unwrap_or(name))
    }

    /// [`Checkpoint::read`].
    pub(crate) fn read(&self, name: &str, transpose: bool) -> Result<Option<Bytes>, CheckpointError> {
        self.in_file(name).map_or(Ok(None), |in_file| self.checkpoint.read(in_file, transpose))
    }
}

/// Whether a tensor belongs to another one, in int8: it has the scales, or zero points of 0.
fn is_part_of_int8(checkpoint: &Checkpoint, name: &str) -> bool {
    let weight = ["_scale", "_zero_point"].iter().find_map(|part| name.strip_suffix(part));
    weight.is_some_and(|weight| checkpoint.is_int8(weight))
}
