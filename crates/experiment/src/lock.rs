//! One run at a time.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use same_file::Handle;

/// A folder that belongs to this process, until the lock is dropped or the process ends, in whatever way.
#[derive(Debug)]
pub struct Lock {
    folder: PathBuf,
    /// Open, and locked, as long as the lock is held.
    _file: File,
}

const NAME: &str = "lock";

impl Lock {
    /// Makes the folder where it is not there, and takes it.
    ///
    /// # Errors
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) when another process has it; and when it cannot be written into.
    pub fn take(folder: &Path) -> io::Result<Self> {
        let path = folder.join(NAME);
        loop {
            fs::create_dir_all(folder)?;
            let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(io::ErrorKind::WouldBlock.into()),
                // Some network file systems know no locks.
                Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {}
                Err(TryLockError::Error(error)) => return Err(error),
            }
            // Another process may just have removed the file that we opened.
            let ours = Handle::from_file(file.try_clone()?)?;
            if Handle::from_path(&path).is_ok_and(|current| current == ours) {
                return Ok(Self { folder: folder.into(), _file: file });
            }
        }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Removes the folder with all that lies in it.
    pub fn remove_all(self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl Drop for Lock {
    /// Removes the file, and the folder where nothing else lies in it.
    fn drop(&mut self) {
        let _ = fs::remove_file(self.folder.join(NAME));
        let _ = fs::remove_dir(&self.folder);
    }
}
