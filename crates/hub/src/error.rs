//! Errors, and their kinds.

use std::path::PathBuf;

/// Why a model could not be found in the cache or downloaded from the hub.
///
/// No variant has the access token: it is removed from the messages of the HTTP client.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HubError {
    /// The name cannot be that of a repository on the hub.
    #[error("`{id}` is not a model name on the hub: {reason}")]
    InvalidId {
        /// The name as given.
        id: String,
        /// Which rule it breaks.
        reason: &'static str,
    },

    /// The model is not (or not wholly) in the cache, and the network may not be used.
    #[error(
        "`{id}` is not in the cache {}, and offline mode forbids to download it; run once with network access, or \
         give a folder that holds the model",
        .cache.display()
    )]
    NotCached {
        /// The model's name.
        id: String,
        /// The cache that was searched.
        cache: PathBuf,
    },

    /// The model is not in the cache, and this build cannot download.
    #[error(
        "`{id}` is not in the cache, and this build cannot download models: it was compiled without the feature `hub`"
    )]
    NotCompiled {
        /// The model's name.
        id: String,
    },

    /// The hub could not be reached, did not answer in time, or is down.
    #[error("cannot reach {endpoint} to download `{id}`: {reason}")]
    Unreachable {
        /// The model's name.
        id: String,
        /// The hub's address.
        endpoint: String,
        /// What the network reported.
        reason: String,
    },

    /// The repository, or a file that every model needs, does not exist.
    #[error(
        "{what} of `{id}` not found on {endpoint}: it does not exist there, or is private and needs a token (HF_TOKEN)"
    )]
    NotFound {
        /// The model's name.
        id: String,
        /// The hub's address.
        endpoint: String,
        /// What is missing: a file, or the repository itself.
        what: String,
    },

    /// The hub knows the repository but refuses to hand it out.
    #[error("{endpoint} refuses access to `{id}`: {reason}")]
    Unauthorized {
        /// The model's name.
        id: String,
        /// The hub's address.
        endpoint: String,
        /// Why, and what would help.
        reason: String,
    },

    /// The hub's answer makes no sense; perhaps the endpoint is not a hub.
    #[error("{endpoint} gave an unexpected answer for `{id}`: {reason}")]
    Unexpected {
        /// The model's name.
        id: String,
        /// The hub's address.
        endpoint: String,
        /// What was odd about it.
        reason: String,
    },

    /// The connection broke while a file was being downloaded. What arrived is kept, and the next call resumes there.
    #[error("the download of {file} of `{id}` was cut ({reason}); run again to resume it")]
    Incomplete {
        /// The model's name.
        id: String,
        /// The file that was being downloaded.
        file: String,
        /// What the connection reported.
        reason: String,
    },

    /// A downloaded file is not what the hub announced. It has been deleted.
    #[error("the downloaded {file} of `{id}` is corrupt and was deleted ({reason}); run again to download it anew")]
    Corrupt {
        /// The model's name.
        id: String,
        /// The file that was downloaded.
        file: String,
        /// How it differs from what was announced.
        reason: String,
    },

    /// A repository without weights that can be read safely.
    #[error(
        "the weights of `{id}` are a Python pickle alone ({file}), which can hold a program and is never read; if you \
         trust it, open it in Python with transformers, save it by `save_pretrained`, which writes model.safetensors, \
         and name that folder"
    )]
    Pickle {
        /// The model's name.
        id: String,
        /// The file.
        file: &'static str,
    },

    /// Another process is downloading the same file.
    #[error("another process is downloading {file} of `{id}`; run again when it is done")]
    Locked {
        /// The model's name.
        id: String,
        /// The file in question.
        file: String,
    },

    /// There are no certificates where the options say.
    #[error(
        "{}: cannot read trusted certificates: {reason}; check REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE, SSL_CERT_FILE and \
         SSL_CERT_DIR",
        .path.display()
    )]
    Certificates {
        /// The file or folder.
        path: PathBuf,
        /// Why it has no certificates.
        reason: String,
    },

    /// The cache could not be read or written.
    #[error("cannot use the cache at {}: {source}", .path.display())]
    Io {
        /// The file or folder concerned.
        path: PathBuf,
        /// What the operating system reported.
        source: std::io::Error,
    },
}

/// What kind of failure a [`HubError`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// An argument is invalid: the name is not one that the hub allows.
    Argument,
    /// The repository has no weights that can be read, or a file no certificates.
    Input,
    /// The cache cannot be read or written.
    Output,
    /// The hub: it cannot be reached, does not have the model, or a download was cut or damaged.
    Network,
}

impl HubError {
    /// What kind of failure this is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::InvalidId { .. } => ErrorKind::Argument,
            Self::Pickle { .. } | Self::Certificates { .. } => ErrorKind::Input,
            Self::Io { .. } => ErrorKind::Output,
            _ => ErrorKind::Network,
        }
    }

    /// Whether the failure is in the connection to the hub and not in the model: the same call may succeed on another
    /// network, or where network access is allowed.
    #[must_use]
    pub fn is_out_of_reach(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. } | Self::Unexpected { .. } | Self::NotCached { .. } | Self::NotCompiled { .. }
        )
    }
}
