//! One process per folder.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use same_file::Handle;

/// A folder that is reserved for this process until the lock is dropped or the process ends, however it ends.
#[derive(Debug)]
pub struct Lock {
    folder: PathBuf,
    /// Stays open and locked for as long as the lock is held.
    _file: File,
}

const NAME: &str = "lock";

impl Lock {
    /// Locks a folder, which is created if it does not exist.
    ///
    /// # Errors
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) when another process holds the lock; other kinds when the folder cannot be
    /// written to.
    pub fn take(folder: &Path) -> io::Result<Self> {
        let path = folder.join(NAME);
        loop {
            fs::create_dir_all(folder)?;
            let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(io::ErrorKind::WouldBlock.into()),
                // Some network file systems do not support locks.
                Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {}
                Err(TryLockError::Error(error)) => return Err(error),
            }
            // Another process may have removed the file between the open and the lock.
            let ours = Handle::from_file(file.try_clone()?)?;
            if Handle::from_path(&path).is_ok_and(|current| current == ours) {
                return Ok(Self { folder: folder.into(), _file: file });
            }
        }
    }

    /// The locked folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Removes the folder and everything in it.
    pub fn remove_all(self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl Drop for Lock {
    /// Removes the lock file, and the folder if nothing else is in it.
    fn drop(&mut self) {
        let _ = fs::remove_file(self.folder.join(NAME));
        let _ = fs::remove_dir(&self.folder);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_locked_once() {
        let parent = tempfile::tempdir().expect("a folder");
        let folder = parent.path().join("locked");
        let lock = Lock::take(&folder).expect("locked");
        let second = Lock::take(&folder).map(drop).map_err(|error| error.kind());
        assert_eq!(second, Err(io::ErrorKind::WouldBlock));
        drop(lock);
        assert!(!folder.exists(), "an empty folder is removed with its lock");
        Lock::take(&folder).expect("locked again").remove_all();
    }
}
