//! Files that wait in a hidden folder until all are complete.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rekindle_files::FileError;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

/// The comment of every zip, by which it is recognised.
const COMMENT: &str = "Written by Rekindle";

/// Whether a file is a zip that an experiment wrote.
pub(crate) fn is_own(path: &Path) -> bool {
    let zip = File::open(path).ok().and_then(|file| ZipArchive::new(file).ok());
    zip.is_some_and(|zip| zip.comment() == COMMENT.as_bytes())
}

/// Files below a folder, each synced before the next is written.
pub(crate) struct Staging {
    root: PathBuf,
    names: Vec<String>,
}

impl Staging {
    /// Creates the folder, without the files of a process that was killed.
    pub(crate) fn new(root: &Path) -> Result<Self, FileError> {
        let _ = fs::remove_dir_all(root);
        fs::create_dir_all(root).map_err(|source| FileError::write(root, source))?;
        Ok(Self { root: root.into(), names: Vec::new() })
    }

    /// Adds files that are in the folder already.
    pub(crate) fn add(&mut self, names: impl Iterator<Item = String>) -> Result<(), FileError> {
        for name in names {
            let path = self.root.join(&name);
            // Windows syncs only files that are open for writing.
            let sync = || OpenOptions::new().write(true).open(&path)?.sync_all();
            sync().map_err(|source| FileError::write(&path, source))?;
            self.names.push(name);
        }
        Ok(())
    }

    /// Writes a file.
    pub(crate) fn write(&mut self, name: &str, bytes: &[u8]) -> Result<(), FileError> {
        let path = self.root.join(name);
        let write = || -> io::Result<()> {
            let mut file = File::create(&path)?;
            file.write_all(bytes)?;
            file.sync_all()
        };
        write().map_err(|source| FileError::write(&path, source))?;
        self.names.push(name.into());
        Ok(())
    }

    /// The names of all files.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// Writes the files with these names to a zip, below the name of `folder`.
    pub(crate) fn pack(&self, path: &Path, folder: &Path, packed: impl Fn(&str) -> bool) -> io::Result<()> {
        let folder = folder.file_name().unwrap_or_default().to_string_lossy();
        let mut zip = ZipWriter::new(File::create(path)?);
        zip.set_comment(COMMENT).map_err(io::Error::other)?;
        for name in self.names.iter().filter(|name| packed(name)) {
            // Weights do not compress.
            let method = match name.ends_with(".safetensors") {
                true => CompressionMethod::Stored,
                false => CompressionMethod::Deflated,
            };
            let options = SimpleFileOptions::default().compression_method(method).large_file(true);
            zip.start_file(format!("{folder}/{name}"), options).map_err(io::Error::other)?;
            io::copy(&mut File::open(self.root.join(name))?, &mut zip)?;
        }
        zip.finish().map_err(io::Error::other)?.sync_all()
    }

    /// Moves the files into place, one after the other.
    pub(crate) fn move_to(&self, folder: &Path) -> Result<(), FileError> {
        for name in &self.names {
            let target = folder.join(name);
            let parent = target.parent().unwrap_or(folder);
            fs::create_dir_all(parent).map_err(|source| FileError::write(parent, source))?;
            fs::rename(self.root.join(name), &target).map_err(|source| FileError::write(&target, source))?;
        }
        Ok(())
    }
}
