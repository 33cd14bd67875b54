//! What a server reports to the program that runs it.

use std::fmt;
use std::io;
use std::time::Duration;

/// An event of a server. `Display` is a line of a log.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// A request was answered.
    Request {
        /// Its method.
        method: String,
        /// Its path, without the query.
        path: String,
        /// The status of the response.
        status: u16,
        /// From the end of its head to the beginning of the response.
        duration: Duration,
    },
    /// A model was replaced.
    Reloaded {
        /// The name of the model.
        model: String,
    },
    /// A model could not be loaded again; the server continues with the earlier one.
    ReloadFailed {
        /// The name of the model.
        model: String,
        /// Why not.
        reason: String,
    },
    /// A batch could not be computed; its requests were answered with an error.
    BatchFailed {
        /// The name of the model.
        model: String,
        /// Why not.
        reason: String,
    },
    /// A connection could not be accepted, for example because there are too many open files.
    AcceptFailed(io::Error),
    /// The server accepts no more connections, and answers the requests that it has.
    Draining {
        /// The number of open connections.
        connections: usize,
    },
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request { method, path, status, duration } => {
                write!(f, "{method} {path} {status} {:.1} ms", duration.as_secs_f64() * 1e3)
            }
            Self::Reloaded { model } => write!(f, "model `{model}`: reloaded"),
            Self::ReloadFailed { model, reason } => {
                write!(f, "model `{model}`: not reloaded, the earlier one is still served: {reason}")
            }
            Self::BatchFailed { model, reason } => write!(f, "model `{model}`: a batch failed: {reason}"),
            Self::AcceptFailed(error) => write!(f, "a connection was not accepted: {error}"),
            Self::Draining { connections } => {
                write!(f, "stopping: no new connections; open connections that are completed first: {connections}")
            }
        }
    }
}
