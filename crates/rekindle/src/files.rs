//! Files that appear whole or not at all.

use std::fs::{self, File};
use std::path::Path;

use rekindle_distilbert::{DistilBertError, replace};

/// Makes sure that files can be written into `folder`, which is made where it is not there.
///
/// # Errors
/// When it is a file, or cannot be written into.
pub fn prepare(folder: &Path) -> Result<(), String> {
    if folder.exists() && !folder.is_dir() {
        return Err(format!("output {}: is a file; name a folder", folder.display()));
    }
    let probe = folder.join(".rekindle-probe");
    fs::create_dir_all(folder)
        .and_then(|()| File::create(&probe))
        .and_then(|_| fs::remove_file(&probe))
        .map_err(|error| format!("output {}: {error}", folder.display()))
}

/// Writes a file beside its place, and moves it there once it is on disk.
///
/// # Errors
/// When it cannot be written; the message names it. An earlier file is then left as it was.
pub fn write(path: &Path, content: &str) -> Result<(), String> {
    replace(path, |new| fs::write(new, content).map_err(|source| DistilBertError::Io { path: path.into(), source }))
        .map_err(|error| error.to_string())
}
