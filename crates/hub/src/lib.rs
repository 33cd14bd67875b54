//! Downloads the files of a model from the Hugging Face hub.
//!
//! [`fetch`] returns the folder with `config.json`, the weights and the tokenizer files of a repository, and with the modules
//! of sentence-transformers (`modules.json`, `1_Pooling/config.json` and so on) if it has any. The folder is in the cache that
//! the Python libraries use, so that a model downloaded by one is found by the other.
//!
//! # The cache comes first
//!
//! A model that is complete in the cache is used without asking the hub for a newer revision. A program therefore gives
//! the same result on the same machine with and without a network. To get a newer revision, delete the model's folder
//! (`models--…`) from the cache.
//!
//! # Interrupted downloads
//!
//! A file appears in the snapshot after it is checked, and the file `refs/main` is written last. An interrupted
//! download is therefore never taken for a complete model, neither here nor by Python. The next call resumes it.
//!
//! # Certificates
//!
//! An `https` connection trusts the certificates of the options. Without any, those of the system's store, which on
//! Unix is itself named by `SSL_CERT_FILE` and `SSL_CERT_DIR`; on a system without a store, Mozilla's.
//!
//! # Security
//!
//! The token is sent to the hub's own scheme, host and port only, not to the hosts that the hub redirects to. A
//! redirect from `https` to `http` is an error. No error has the token, or a password of `HF_ENDPOINT` or of a proxy. A
//! name that comes from the hub (commit, etag, shard) must be a plain file name before it becomes one.
//!
//! # Without the feature `download`
//!
//! Models in the cache are found; for any other [`fetch`] returns [`HubError::NotCompiled`].
#![deny(missing_docs, missing_debug_implementations)]

mod cache;
#[cfg(feature = "download")]
mod certificates;
#[cfg(feature = "download")]
mod client;
#[cfg(feature = "download")]
mod download;
mod error;
#[cfg(feature = "download")]
mod failure;
mod id;
mod options;
mod proxies;
#[cfg(feature = "download")]
mod transfer;

use std::path::PathBuf;

pub use error::{ErrorKind, HubError};
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

/// Returns the folder with the files of the model `id` (`name` or `organisation/name`), and downloads them if
/// necessary.
///
/// `progress` is called many times a second while bytes arrive, and never for a model that is already in the cache.
///
/// # Errors
///
/// See [`HubError`]. When the hub does not answer, the call fails with [`HubError::Unreachable`] about as soon as
/// [`HubOptions::answer_timeout`] has passed; in the middle of a download, after [`HubOptions::stall_timeout`].
pub fn fetch(id: &str, options: &HubOptions, progress: &mut dyn FnMut(Download<'_>)) -> Result<PathBuf, HubError> {
    if let Some(snapshot) = cached(id, options)? {
        return Ok(snapshot);
    }
    if options.offline {
        return Err(HubError::NotCached { id: id.to_owned(), cache: options.cache.clone() });
    }
    fetch_from_hub(id, options, progress)
}

/// Returns the folder with the files of the model `id` if it is complete in the cache.
///
/// # Errors
///
/// Returns an error if `id` cannot be the name of a model.
pub fn cached(id: &str, options: &HubOptions) -> Result<Option<PathBuf>, HubError> {
    id::validate(id)?;
    Ok(cache::complete_snapshot(&options.cache, id))
}

#[cfg(feature = "download")]
fn fetch_from_hub(id: &str, options: &HubOptions, progress: &mut dyn FnMut(Download<'_>)) -> Result<PathBuf, HubError> {
    download::download(id, options, progress)
}

#[cfg(not(feature = "download"))]
fn fetch_from_hub(
    id: &str,
    _options: &HubOptions,
    _progress: &mut dyn FnMut(Download<'_>),
) -> Result<PathBuf, HubError> {
    Err(HubError::NotCompiled { id: id.to_owned() })
}

#[cfg(all(test, not(feature = "download")))]
mod tests {
    use super::*;

    #[test]
    fn without_the_feature_the_error_says_so() {
        let options = HubOptions::new("no/such/cache");
        let error = fetch("name", &options, &mut |_| {}).expect_err("nothing is cached");
        assert!(matches!(error, HubError::NotCompiled { .. }), "{error}");
    }
}

/// The README's example is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
