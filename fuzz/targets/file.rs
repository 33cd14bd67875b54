//! Writes an input to a file, from which the library reads.

use std::path::{Path, PathBuf};

/// Returns a folder that exists as long as the process.
pub fn folder() -> &'static Path {
    static FOLDER: std::sync::LazyLock<PathBuf> =
        std::sync::LazyLock::new(|| tempfile::tempdir().expect("a folder").keep());
    &FOLDER
}

/// Writes a file to the folder.
pub fn write(name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder().join(name);
    std::fs::write(&path, bytes).expect("written");
    path
}
