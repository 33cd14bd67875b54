//! Files that appear whole or not at all.

#[cfg(unix)]
use std::fs::File;
use std::fs::{self, OpenOptions};
use std::path::Path;

use crate::error::DistilBertError;

/// Lets `write` write a file beside `path`, and moves it there once it is on disk, so that at any time whoever reads
/// `path` finds all of the one file or all of the other, also after a loss of power.
///
/// # Errors
/// Those of `write`, and when the file cannot be moved; an earlier file is then left as it was.
pub fn replace<E: From<DistilBertError>>(path: &Path, write: impl FnOnce(&Path) -> Result<(), E>) -> Result<(), E> {
    let new = path.with_added_extension("new");
    // Windows syncs only what is open for writing.
    let sync = || OpenOptions::new().write(true).open(&new)?.sync_all();
    let done = write(&new).and_then(|()| {
        let moved = sync().and_then(|()| fs::rename(&new, path));
        moved.map_err(|source| DistilBertError::Io { path: path.into(), source }.into())
    });
    match &done {
        Ok(()) => sync_folder(path),
        Err(_) => drop(fs::remove_file(&new)),
    }
    done
}

/// Makes a renaming last. Only Unix lets a folder be synced, and not on every file system.
fn sync_folder(path: &Path) {
    #[cfg(unix)]
    if let Some(parent) = path.parent() {
        let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
        let _ = File::open(parent).and_then(|folder| folder.sync_all());
    }
    #[cfg(not(unix))]
    let _ = path;
}
