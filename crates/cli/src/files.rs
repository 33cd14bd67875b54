//! Output folders and files.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use rekindle::files::{FileError, Lock, check_lfs_pointer, write_atomic};

use crate::exit::Failure;

/// Checks that files can be written to `folder`, and creates it if it does not exist.
///
/// # Errors
/// Returns an error if `folder` is a file, or is not writable.
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

/// Checks that no file of these names is in `folder`, unless they are to be overwritten.
///
/// # Errors
/// Returns an error that lists the files.
pub fn check_new(folder: &Path, names: &[&str], overwrite: bool) -> Result<(), Failure> {
    let there: Vec<&str> = names.iter().copied().filter(|name| folder.join(name).symlink_metadata().is_ok()).collect();
    if overwrite || there.is_empty() {
        return Ok(());
    }
    Err(Failure::output(format!(
        "output {}: already has {}; to replace them, add --overwrite, or name another folder",
        folder.display(),
        there.join(", ")
    )))
}

/// Checks that a file can be written: that it does not exist, unless it is to be overwritten.
///
/// # Errors
/// Returns an error that names the file.
pub fn check_new_file(path: &Path, overwrite: bool) -> Result<(), Failure> {
    let reason = match path.symlink_metadata() {
        _ if path.is_dir() => "is a folder; name a file",
        Ok(_) if !overwrite => "already exists; to replace it, add --overwrite, or name another file",
        _ => return Ok(()),
    };
    Err(Failure::output(format!("{}: {reason}", path.display())))
}

/// Checks that files are not pointers of Git LFS. A file that cannot be read, or is not a regular file, is left to its reader.
///
/// # Errors
/// Returns an error that names the first pointer.
pub fn check_pointers<'a>(paths: impl IntoIterator<Item = &'a PathBuf>) -> Result<(), Failure> {
    for path in paths.into_iter().filter(|path| path.is_file()) {
        let mut start = Vec::new();
        if File::open(path).and_then(|file| file.take(64).read_to_end(&mut start)).is_ok() {
            check_lfs_pointer(path, &start)?;
        }
    }
    Ok(())
}

/// Locks a folder against other runs until the lock is dropped.
///
/// # Errors
/// Returns an error if another run has the lock, or the folder is not writable.
pub fn lock(folder: &Path) -> Result<Lock, Failure> {
    Lock::take(folder).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => Failure::output(format!("{}: another run is writing to it", folder.display())),
        _ => Failure::output(format!("{}: {error}", folder.display())),
    })
}

/// Writes a file atomically.
///
/// # Errors
/// Returns an error that names the file if it cannot be written. An earlier file is then unchanged.
pub fn write(path: &Path, content: &str) -> Result<(), Failure> {
    write_atomic(path, |new| fs::write(new, content).map_err(|source| FileError::write(path, source)))
        .map_err(Failure::output)
}
