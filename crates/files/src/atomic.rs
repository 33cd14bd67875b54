//! Atomic writes.

#[cfg(unix)]
use std::fs::File;
use std::fs::{self, OpenOptions};
use std::path::Path;

use crate::error::FileError;

/// Replaces the file at `path` atomically: readers find the old file or the whole new one, also after a loss of power.
///
/// `write` creates the file that it is given, beside `path`. The file is then synced and renamed to `path`.
///
/// # Errors
/// The errors of `write`, and [`FileError::Write`] when the file cannot be synced or renamed. An existing file is then
/// unchanged.
pub fn write_atomic<E: From<FileError>>(path: &Path, write: impl FnOnce(&Path) -> Result<(), E>) -> Result<(), E> {
    let new = path.with_added_extension("new");
    // Windows syncs only files that are open for writing.
    let sync = || OpenOptions::new().write(true).open(&new)?.sync_all();
    let done = write(&new).and_then(|()| {
        let renamed = sync().and_then(|()| fs::rename(&new, path));
        renamed.map_err(|source| FileError::write(path, source).into())
    });
    match &done {
        Ok(()) => sync_folder(path),
        Err(_) => drop(fs::remove_file(&new)),
    }
    done
}

/// Makes a rename durable. Only Unix can sync a folder, and not on every file system.
fn sync_folder(path: &Path) {
    #[cfg(unix)]
    if let Some(parent) = path.parent() {
        let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
        let _ = File::open(parent).and_then(|folder| folder.sync_all());
    }
    #[cfg(not(unix))]
    let _ = path;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_the_old_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        let write = |content: &'static str| {
            move |new: &Path| fs::write(new, content).map_err(|source| FileError::write(new, source))
        };
        write_atomic(&path, write("old")).expect("written");
        let failed = write_atomic(&path, |new| {
            write("half")(new)?;
            Err(FileError::write(new, std::io::ErrorKind::StorageFull.into()))
        });
        assert!(failed.is_err());
        assert_eq!(fs::read_to_string(&path).expect("read"), "old");
        write_atomic(&path, write("new")).expect("written");
        assert_eq!(fs::read_to_string(&path).expect("read"), "new");
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1, "no temporary file is left");
    }
}
