//! The bytes of a weights file, mapped into memory.
#![allow(unsafe_code)]

use std::fs::File;
use std::ops::{Deref, Range};
use std::path::Path;
use std::sync::Arc;

use burn::tensor::AllocationProperty;
use memmap2::Mmap;

/// Bytes from a file or from the program itself.
pub(crate) enum Bytes {
    Mapped(Map),
    Static(&'static [u8]),
}

/// A map that tensors may share.
#[derive(Clone)]
pub(crate) struct Map(Arc<Mmap>);

impl AsRef<[u8]> for Map {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Bytes {
    /// Maps `path` read-only.
    pub(crate) fn map(path: &Path) -> std::io::Result<Self> {
        let file = File::open(path)?;
        // SAFETY: the map is read-only and private to this process. Its contents change only if another process
        // rewrites the file in place while it is in use, which writers of checkpoints do not do (they rename); whatever
        // stands there is read as plain numbers.
        let map = unsafe { Mmap::map(&file)? };
        Ok(Self::Mapped(Map(Arc::new(map))))
    }

    /// A part of the bytes as a tensor's memory, shared and not copied; copied when it is first written to. `None` where
    /// the part is not aligned for f32.
    pub(crate) fn share(&self, range: Range<usize>) -> Option<burn::tensor::Bytes> {
        if !(self[range.clone()].as_ptr() as usize).is_multiple_of(align_of::<f32>()) {
            return None;
        }
        let shared = match self {
            Self::Mapped(map) => bytes::Bytes::from_owner(map.clone()),
            Self::Static(bytes) => bytes::Bytes::from_static(bytes),
        };
        Some(burn::tensor::Bytes::from_shared(shared.slice(range), AllocationProperty::Other))
    }

    /// Gives the memory back; what is touched later is read from the file again.
    pub(crate) fn release(&self) {
        #[cfg(unix)]
        if let Self::Mapped(Map(map)) = self {
            // SAFETY: a read-only map of a file holds the same afterwards. Where the advice is refused, nothing is lost.
            let _ = unsafe { map.unchecked_advise(memmap2::UncheckedAdvice::DontNeed) };
        }
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Mapped(map) => map.as_ref(),
            Self::Static(bytes) => bytes,
        }
    }
}
