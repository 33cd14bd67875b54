//! What commands write: whether a folder takes it, and files that appear whole or not at all.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use rekindle::distilbert::{DistilBertError, replace};
use rekindle::experiment::Lock;

use crate::exit::Failure;

/// Makes sure that files can be written into `folder`, which is made where it is not there.
///
/// # Errors
/// When it is a file, or cannot be written into.
pub fn prepare(folder: &Path) -> Result<(), Failure> {
    if folder.exists() && !folder.is_dir() {
        return Err(Failure::output(format!("output {}: is a file; name a folder", folder.display())));
    }
    let probe = folder.join(".rekindle-probe");
    fs::create_dir_all(folder)
        .and_then(|()| File::create(&probe))
        .and_then(|_| fs::remove_file(&probe))
        .map_err(|error| Failure::output(format!("output {}: {error}", folder.display())))
}

/// Keeps other runs away from a folder, until the lock is dropped.
///
/// # Errors
/// When another run has it, or it cannot be written into.
pub fn lock(folder: &Path) -> Result<Lock, Failure> {
    Lock::take(folder).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => Failure::output(format!("{}: another run is writing to it", folder.display())),
        _ => Failure::output(format!("{}: {error}", folder.display())),
    })
}

/// Writes a file beside its place, and moves it there once it is on disk.
///
/// # Errors
/// When it cannot be written; the message names it. An earlier file is then left as it was.
pub fn write(path: &Path, content: &str) -> Result<(), Failure> {
    replace(path, |new| fs::write(new, content).map_err(|source| DistilBertError::Io { path: path.into(), source }))
        .map_err(Failure::output)
}
