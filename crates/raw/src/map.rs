//! Memory-mapped files.

use std::fs::File;
use std::io;
use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;

use memmap2::Mmap;

/// The bytes of a file, which the operating system reads on first access. Clones share the mapping.
#[derive(Clone, Debug)]
pub struct Map(Arc<Mmap>);

impl Map {
    /// Maps a file. While it is mapped, the file must not be truncated or written in place; to replace it, rename
    /// another file over it, as writers of checkpoints do.
    ///
    /// # Errors
    /// Returns an error if the file cannot be opened or mapped.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        // SAFETY: the mapping is read-only and private to this process. Its contents change only if another process
        // rewrites the file in place while it is in use, which the caller excludes; the contents are only read as plain
        // bytes.
        let map = unsafe { Mmap::map(&file)? };
        Ok(Self(Arc::new(map)))
    }

    /// Releases the memory; later accesses read the file again.
    pub fn release(&self) {
        #[cfg(unix)]
        {
            // SAFETY: a read-only mapping of a file has the same contents afterwards.
            let advised = unsafe { self.0.unchecked_advise(memmap2::UncheckedAdvice::DontNeed) };
            // If the advice is refused, nothing changes.
            let _ = advised;
        }
    }
}

impl Deref for Map {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl AsRef<[u8]> for Map {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

// Miri does not support mapped files.
#[cfg(all(test, not(miri)))]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_the_same_before_and_after_release() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("bytes");
        let content: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
        std::fs::write(&path, &content).expect("written");
        let map = Map::open(&path).expect("mapped");
        let clone = map.clone();
        assert_eq!(map[..], content);
        map.release();
        assert_eq!(clone[..], content);
        drop(map);
        // The renamed file is another file.
        std::fs::write(folder.path().join("new"), b"other").expect("written");
        if std::fs::rename(folder.path().join("new"), &path).is_ok() {
            assert_eq!(clone[..], content);
        }
    }

    #[test]
    fn an_empty_file_has_no_bytes_and_a_folder_is_an_error() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("empty");
        std::fs::write(&path, b"").expect("written");
        let map = Map::open(&path).expect("mapped");
        map.release();
        assert!(map.is_empty());
        assert!(Map::open(folder.path()).is_err());
        assert!(Map::open(&folder.path().join("none")).is_err());
    }
}
