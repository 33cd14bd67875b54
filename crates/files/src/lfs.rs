//! Pointers of Git LFS, which lie in place of files that were not downloaded.

use std::path::Path;

use crate::error::FileError;

/// The first line of a pointer.
const POINTER: &[u8] = b"version https://git-lfs.github.com/spec/";

/// Rejects the content of a file that is a pointer.
///
/// # Errors
/// [`FileError::LfsPointer`] if it is one.
pub fn check_lfs_pointer(path: &Path, content: &[u8]) -> Result<(), FileError> {
    match content.starts_with(POINTER) {
        true => Err(FileError::LfsPointer { path: path.into() }),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_are_rejected() {
        let check = |content: &[u8]| check_lfs_pointer(Path::new("model.safetensors"), content);
        let error =
            check(b"version https://git-lfs.github.com/spec/v1\noid sha256:4d\nsize 9\n").expect_err("a pointer");
        assert!(
            error.to_string().contains("model.safetensors") && error.to_string().contains("git lfs pull"),
            "{error}"
        );
        check(b"{}").expect("another file");
        check(b"").expect("an empty file");
    }
}
