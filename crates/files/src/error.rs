//! The errors of this crate.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::differences::Differences;

/// Why a file or folder could not be read, written or accepted.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FileError {
    /// A file or folder cannot be read.
    #[error("{path}: {source}")]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// A file or folder cannot be written, moved or removed.
    #[error("{path}: {source}")]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// A symbolic link leads out of its folder.
    #[error(
        "{path}: is a link to {target}, outside of its folder, and such links are not followed, because the file could be any of \
         this machine; to use it, copy the folder with `cp -rL`, which copies the files instead of the links"
    )]
    Symlink {
        /// The link.
        path: PathBuf,
        /// Where it leads.
        target: PathBuf,
    },
    /// A file was not downloaded: it is a Git LFS pointer.
    #[error("{path}: is a Git LFS pointer, not the file itself; run `git lfs pull` in its repository")]
    LfsPointer {
        /// The file.
        path: PathBuf,
    },
    /// A record of a run store does not parse or contradicts the rest.
    #[error("{path}: is damaged ({reason}); remove the file to repeat the run that it records")]
    Damaged {
        /// The record.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A run store was begun with other settings.
    #[error("{path}: the interrupted run had other settings: {different}; use the same settings, or begin again")]
    Settings {
        /// The file that holds the settings.
        path: PathBuf,
        /// Each setting that differs.
        different: Differences,
    },
}

/// What kind of failure a [`FileError`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The input is missing, damaged or inconsistent.
    Input,
    /// Something cannot be written.
    Output,
}

impl FileError {
    /// What kind of failure this is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Write { .. } => ErrorKind::Output,
            _ => ErrorKind::Input,
        }
    }

    /// The error of a failed read of `path`.
    pub fn read(path: &Path, source: io::Error) -> Self {
        Self::Read { path: path.into(), source }
    }

    /// The error of a failed write to `path`.
    pub fn write(path: &Path, source: io::Error) -> Self {
        Self::Write { path: path.into(), source }
    }
}
