//! The logits of an interrupted run, in a folder beside the output file.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use rekindle::files::{Lock, check_compatible};
use serde_json::{Map, Value};

use crate::exit::Failure;
use crate::files;

/// The settings, which must be the same when the run is resumed.
const SETTINGS: &str = "predict.json";
/// The logits of the first rows, as 32-bit numbers in little-endian order.
const LOGITS: &str = "logits.f32";

/// The logits of all rows so far. Rows that are stored are not computed again.
pub struct LogitsStore {
    lock: Lock,
    file: File,
    path: PathBuf,
    classes: usize,
    /// The number of rows that an earlier run stored.
    stored: usize,
}

impl LogitsStore {
    /// Returns the folder beside an output file.
    pub fn folder(output: &Path) -> PathBuf {
        output.with_added_extension("partial")
    }

    /// Opens the store of an output file. Rows are resumed in whole chunks, so that batches are those of a run without
    /// interruption.
    ///
    /// # Errors
    /// Returns an error if another run writes to it, if it belongs to other settings, or if it cannot be written.
    pub fn open(output: &Path, settings: &Map<String, Value>, classes: usize, chunk: usize) -> Result<Self, Failure> {
        let folder = Self::folder(output);
        let lock = files::lock(&folder)?;
        check_compatible(&folder.join(SETTINGS), settings)?;
        let path = folder.join(LOGITS);
        let open = || -> std::io::Result<(File, usize)> {
            let file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&path)?;
            let row = 4 * classes as u64;
            let stored = file.metadata()?.len() / row / chunk as u64 * chunk as u64;
            file.set_len(stored * row)?;
            Ok((file, stored as usize))
        };
        let (file, stored) = open().map_err(|error| failure(&path, &error))?;
        Ok(Self { lock, file, path, classes, stored })
    }

    /// Returns the number of rows that an earlier run stored.
    pub fn stored(&self) -> usize {
        self.stored
    }

    /// Returns the logits of stored rows.
    ///
    /// # Errors
    /// Returns an error if they cannot be read.
    pub fn read(&mut self, first: usize, rows: usize) -> Result<Vec<f32>, Failure> {
        let mut bytes = vec![0; 4 * self.classes * rows];
        let at = SeekFrom::Start(4 * (self.classes * first) as u64);
        let read = self.file.seek(at).and_then(|_| self.file.read_exact(&mut bytes));
        read.map_err(|error| failure(&self.path, &error))?;
        Ok(bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
    }

    /// Stores the logits of the next rows.
    ///
    /// # Errors
    /// Returns an error if they cannot be written.
    pub fn append(&mut self, logits: &[f32]) -> Result<(), Failure> {
        let bytes: Vec<u8> = logits.iter().flat_map(|logit| logit.to_le_bytes()).collect();
        let written = self.file.seek(SeekFrom::End(0)).and_then(|_| self.file.write_all(&bytes));
        written.map_err(|error| failure(&self.path, &error))
    }

    /// Removes the store after the output is written.
    pub fn remove(self) {
        drop(self.file);
        self.lock.remove_all();
    }
}

fn failure(path: &Path, error: &std::io::Error) -> Failure {
    Failure::output(format!("{}: {error}", path.display()))
}
