//! An input as a file, which is where the library reads from.

use std::path::{Path, PathBuf};

/// A folder for as long as the process lives.
pub fn folder() -> &'static Path {
    static FOLDER: std::sync::LazyLock<PathBuf> =
        std::sync::LazyLock::new(|| tempfile::tempdir().expect("a folder").keep());
    &FOLDER
}

/// Writes a file in it.
pub fn write(name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder().join(name);
    std::fs::write(&path, bytes).expect("written");
    path
}
