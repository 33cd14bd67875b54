//! The bytes of a weights file, mapped into memory.
#![allow(unsafe_code)]

use std::fs::File;
use std::ops::Deref;
use std::path::Path;

use memmap2::Mmap;

/// Bytes from a file or from the program itself.
pub(crate) enum Bytes {
    Mapped(Mmap),
    Static(&'static [u8]),
}

impl Bytes {
    /// Maps `path` read-only.
    pub(crate) fn map(path: &Path) -> std::io::Result<Self> {
        let file = File::open(path)?;
        // SAFETY: the map is read-only and private to this process. Its contents change only if another process
        // rewrites the file in place while it is being loaded, which writers of checkpoints do not do (they rename);
        // every value is copied out and checked as plain bytes, so that even then no reference outlives the load.
        let map = unsafe { Mmap::map(&file)? };
        Ok(Self::Mapped(map))
    }

    /// Gives the memory back; what is touched later is read from the file again.
    pub(crate) fn release(&self) {
        #[cfg(unix)]
        if let Self::Mapped(map) = self {
            // SAFETY: a read-only map of a file holds the same afterwards. Where the advice is refused, nothing is lost.
            let _ = unsafe { map.unchecked_advise(memmap2::UncheckedAdvice::DontNeed) };
        }
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Static(bytes) => bytes,
        }
    }
}
