//! The bytes of a weights file: memory-mapped, compiled into the program, or in memory.

use std::ops::{Deref, Range};
use std::path::Path;

use burn::tensor::AllocationProperty;
use rekindle_raw::Map;

/// The bytes of a weights file. Copies share them.
#[derive(Clone)]
pub(crate) enum FileBytes {
    Mapped(Map),
    Static(&'static [u8]),
    Owned(bytes::Bytes),
}

impl FileBytes {
    /// Maps `path` read-only.
    pub(crate) fn map(path: &Path) -> std::io::Result<Self> {
        Map::open(path).map(Self::Mapped)
    }

    /// A range as the memory of a tensor, shared and copied on the first write. `None` if it is not aligned for f32.
    pub(crate) fn share(&self, range: Range<usize>) -> Option<burn::tensor::Bytes> {
        if !(self[range.clone()].as_ptr() as usize).is_multiple_of(align_of::<f32>()) {
            return None;
        }
        let shared = match self {
            Self::Mapped(map) => bytes::Bytes::from_owner(map.clone()),
            Self::Static(bytes) => bytes::Bytes::from_static(bytes),
            Self::Owned(bytes) => bytes.clone(),
        };
        Some(burn::tensor::Bytes::from_shared(shared.slice(range), AllocationProperty::Other))
    }

    /// Releases the resident memory of a mapped file; later reads fetch it from the file again.
    pub(crate) fn release(&self) {
        if let Self::Mapped(map) = self {
            map.release();
        }
    }
}

impl Deref for FileBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Static(bytes) => bytes,
            Self::Owned(bytes) => bytes,
        }
    }
}
