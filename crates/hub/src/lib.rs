//! Finds a pretrained model by its name on the Hugging Face Hub.
//!
//! [`fetch`] returns the folder that holds `config.json`, the weights and the tokenizer files of a repository. The
//! folder lies in the cache that the Python libraries use too, so a model downloaded by either is found by the other.
//!
//! # The cache comes first
//!
//! A model that is whole in the cache is used as it is, and the hub is not asked whether a newer revision exists. A
//! run therefore gives the same result on the same machine, with or without a network. To get a newer revision, delete
//! the model's folder (`models--…`) from the cache.
//!
//! # Half downloads
//!
//! The branch file `refs/main` is written last, once every file has been checked. A download that was cut is hence
//! never taken for a whole model, neither here nor by Python; the next call resumes it.
//!
//! # What is secret, and what leaves the cache
//!
//! The token goes to the hub's own scheme, host and port, and is left out where the hub sends to another; a connection by
//! `https` is not given up for one by `http`. Neither the token nor a password in `HF_ENDPOINT` is in any error. Every name
//! that comes from the hub (commit, etag, shard) must be a plain file's name before it becomes one.
//!
//! # Without the feature `hub`
//!
//! Models in the cache are still found; anything else ends in [`HubError::NotCompiled`].

mod cache;
#[cfg(feature = "hub")]
mod client;
#[cfg(feature = "hub")]
mod download;
mod error;
#[cfg(feature = "hub")]
mod failure;
mod id;
mod options;
#[cfg(feature = "hub")]
mod transfer;

use std::path::PathBuf;

pub use error::HubError;
pub use options::HubOptions;

/// How far the download of one file has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Download<'a> {
    /// The file's name in the repository.
    pub file: &'a str,
    /// Bytes on disk, counting those that an earlier, cut download left.
    pub done_bytes: u64,
    /// The size of the whole file.
    pub total_bytes: u64,
}

/// Returns the folder with the files of the model `id` (`name` or `organisation/name`), downloading them if need be.
///
/// `progress` is called on the calling thread, many times a second while bytes arrive, and never for a model that is
/// already in the cache.
///
/// # Errors
///
/// See [`HubError`]. When the hub does not answer, the call fails with [`HubError::Unreachable`] about as soon as
/// [`HubOptions::answer_timeout`] has passed; in the middle of a download, after [`HubOptions::stall_timeout`].
pub fn fetch(id: &str, options: &HubOptions, progress: &mut dyn FnMut(Download<'_>)) -> Result<PathBuf, HubError> {
    id::validate(id)?;
    if let Some(snapshot) = cache::complete_snapshot(&options.cache, id) {
        return Ok(snapshot);
    }
    if options.offline {
        return Err(HubError::NotCached { id: id.to_owned(), cache: options.cache.clone() });
    }
    fetch_from_hub(id, options, progress)
}

#[cfg(feature = "hub")]
fn fetch_from_hub(id: &str, options: &HubOptions, progress: &mut dyn FnMut(Download<'_>)) -> Result<PathBuf, HubError> {
    download::download(id, options, progress)
}

#[cfg(not(feature = "hub"))]
fn fetch_from_hub(
    id: &str,
    _options: &HubOptions,
    _progress: &mut dyn FnMut(Download<'_>),
) -> Result<PathBuf, HubError> {
    Err(HubError::NotCompiled { id: id.to_owned() })
}

#[cfg(all(test, not(feature = "hub")))]
mod tests {
    use super::*;

    #[test]
    fn without_the_feature_the_error_says_so() {
        let options = HubOptions::new("no/such/cache");
        let error = fetch("name", &options, &mut |_| {}).expect_err("nothing is cached");
        assert!(matches!(error, HubError::NotCompiled { .. }), "{error}");
    }
}
