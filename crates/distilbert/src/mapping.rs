//! The bytes of a weights file, mapped into memory.

use std::ops::{Deref, Range};
use std::path::Path;

use burn::tensor::AllocationProperty;
use rekindle_raw::Map;

/// Bytes from a file or from the program itself.
pub(crate) enum Bytes {
    Mapped(Map),
    Static(&'static [u8]),
}

impl Bytes {
    /// Maps `path` read-only.
    pub(crate) fn map(path: &Path) -> std::io::Result<Self> {
        Map::open(path).map(Self::Mapped)
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
        if let Self::Mapped(map) = self {
            map.release();
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
