//! Where the links in a model's folder may lead.

use std::fs;
use std::path::Path;

use crate::error::ExperimentError;

/// The endings of what is read in a model's folder.
const READ: [&str; 3] = ["json", "safetensors", "txt"];

/// Refuses a model's folder with a file that is a link out of it: what is read there may go into an artifact, and a folder
/// from elsewhere must not choose it.
///
/// A link may lead to another file of the folder, or to a content of a Hugging Face cache (`models--…/blobs/…`), for its
/// snapshots are made of such links. The folder itself may be a link.
///
/// # Errors
/// When a link leads elsewhere, or the folder cannot be read.
pub fn check_links(folder: &Path) -> Result<(), ExperimentError> {
    let io = |source| ExperimentError::Io { path: folder.into(), source };
    let home = folder.canonicalize().map_err(io)?;
    for entry in fs::read_dir(folder).map_err(io)? {
        let entry = entry.map_err(io)?;
        let path = entry.path();
        let read =
            path.extension().is_some_and(|extension| READ.iter().any(|read| extension.eq_ignore_ascii_case(read)));
        if !read || !entry.file_type().map_err(io)?.is_symlink() {
            continue;
        }
        // A link to nothing is a file that is missing.
        if let Ok(target) = path.canonicalize()
            && !target.starts_with(&home)
            && !is_content_of_a_cache(&target)
        {
            return Err(ExperimentError::Link { path, target });
        }
    }
    Ok(())
}

fn is_content_of_a_cache(path: &Path) -> bool {
    let above = |path: &Path| Some((path.parent()?.to_path_buf(), path.parent()?.file_name()?.to_str()?.to_owned()));
    let Some((blobs, name)) = above(path) else { return false };
    name == "blobs" && above(&blobs).is_some_and(|(_, name)| name.starts_with("models--"))
}
