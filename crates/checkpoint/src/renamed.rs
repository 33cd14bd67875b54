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
    layout: &'a Layout,
    /// Names in the files, by those of parameters.
    names: BTreeMap<String, &'a str>,
}

impl<'a> Renamed<'a> {
    /// Translates all names.
    ///
    /// # Errors
    /// When two tensors are the same parameter.
    pub(crate) fn new(checkpoint: &'a Checkpoint, layout: &'a Layout) -> Result<Self, CheckpointError> {
        let mut names: BTreeMap<String, &str> = BTreeMap::new();
        for in_file in checkpoint.names_by_file() {
            let map = layout.map_for(in_file.iter().copied());
            for name in in_file {
                let parameter = modern(&map.map_or_else(|| name.to_string(), |map| map.parameter(name)));
                if let Some(twin) = names.insert(parameter, name) {
                    let reason = format!("tensors `{name}` and `{twin}` are the same parameter");
                    return Err(CheckpointError::Safetensors { path: checkpoint.path_of(name), reason });
                }
            }
        }
        Ok(Self { checkpoint, layout, names })
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

    /// [`Checkpoint::read`], with the row that the layout adds.
    pub(crate) fn read(&self, name: &str, transpose: bool) -> Result<Option<Bytes>, CheckpointError> {
        let Some(in_file) = self.in_file(name) else { return Ok(None) };
        self.checkpoint.read(in_file, transpose, self.added_row(name)?.as_deref())
    }

    /// The row that is added to each row of a table.
    fn added_row(&self, name: &str) -> Result<Option<Vec<f32>>, CheckpointError> {
        let Some((_, added)) = self.layout.added_rows.iter().find(|(table, _)| *table == name) else { return Ok(None) };
        let (Some(shape), Some(in_file)) = (self.shape(added), self.in_file(added)) else { return Ok(None) };
        let width = self.shape(name).and_then(|shape| shape.last()).copied().unwrap_or(0);
        let expected = vec![shape.first().copied().unwrap_or(0).max(1), width];
        if shape != expected {
            let (path, tensor, found) = (self.path_of(added), in_file.to_string(), shape.to_vec());
            return Err(CheckpointError::Shape { path, tensor, found, expected });
        }
        self.checkpoint.values(in_file)
    }
}
