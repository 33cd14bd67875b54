//! A guard against symbolic links.

use std::fs;
use std::path::Path;

use crate::error::FileError;

/// Rejects a folder that has a symbolic link to a file outside of it, among files with one of these extensions.
///
/// The contents of a model folder may be copied to the output of a program, so a folder from elsewhere must not choose which
/// files these are. A link may lead to another file of the folder, or to the content store of a Hugging Face cache
/// (`models--…/blobs/…`), whose snapshots consist of such links. The folder itself may be a link.
///
/// # Errors
/// [`FileError::Symlink`] when a link leads elsewhere; [`FileError::Read`] when the folder cannot be read.
pub fn check_symlinks(folder: &Path, extensions: &[&str]) -> Result<(), FileError> {
    let io = |source| FileError::read(folder, source);
    let home = folder.canonicalize().map_err(io)?;
    for entry in fs::read_dir(folder).map_err(io)? {
        let entry = entry.map_err(io)?;
        let path = entry.path();
        let is_checked =
            path.extension().is_some_and(|extension| extensions.iter().any(|one| extension.eq_ignore_ascii_case(one)));
        if !is_checked || !entry.file_type().map_err(io)?.is_symlink() {
            continue;
        }
        // A dangling link is a missing file, which its reader reports.
        if let Ok(target) = path.canonicalize()
            && !target.starts_with(&home)
            && !is_in_store(&target)
        {
            return Err(FileError::Symlink { path, target });
        }
    }
    Ok(())
}

/// Whether a path leads into a store that names files by their content.
fn is_in_store(path: &Path) -> bool {
    let names: Vec<&str> = path.iter().filter_map(|name| name.to_str()).collect();
    let is_hash = |name: &str, digits: usize| name.len() == digits && name.bytes().all(|c| c.is_ascii_hexdigit());
    match names[..] {
        [.., repository, "blobs", _] if repository.starts_with("models--") => true,
        [.., "files", "md5", first, rest] => is_hash(first, 2) && is_hash(rest, 30),
        // DVC before version 3.
        [.., "cache", first, rest] => is_hash(first, 2) && is_hash(rest, 30),
        _ => names.windows(3).any(|names| names == [".git", "annex", "objects"]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stores_are_known_by_their_layout() {
        let hash = "0123456789abcdef0123456789abcd";
        for path in [
            "/home/me/.cache/huggingface/hub/models--org--name/blobs/4d7a".to_string(),
            format!("/data/.dvc/cache/files/md5/ab/{hash}"),
            format!("/mnt/dvc-store/files/md5/AB/{hash}"),
            format!("/data/.dvc/cache/ab/{hash}"),
            "/data/.git/annex/objects/8Z/qk/SHA256E-s9--4d.safetensors/SHA256E-s9--4d.safetensors".into(),
        ] {
            assert!(is_in_store(Path::new(&path)), "{path}");
        }
        for path in [
            "/etc/passwd",
            "/data/model.safetensors",
            "/data/files/md5/ab/secret",
            "/a/blobs/4d",
            "/data/cache/ab/notes",
        ] {
            assert!(!is_in_store(Path::new(path)), "{path}");
        }
    }
}
