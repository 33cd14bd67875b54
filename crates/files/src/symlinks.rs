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
            && !is_in_hub_cache(&target)
        {
            return Err(FileError::Symlink { path, target });
        }
    }
    Ok(())
}

/// Whether a path is `…/models--NAME/blobs/HASH`.
fn is_in_hub_cache(path: &Path) -> bool {
    let above = |path: &Path| Some((path.parent()?.to_path_buf(), path.parent()?.file_name()?.to_str()?.to_owned()));
    let Some((blobs, name)) = above(path) else { return false };
    name == "blobs" && above(&blobs).is_some_and(|(_, name)| name.starts_with("models--"))
}
