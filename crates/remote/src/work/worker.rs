//! Workers, and the events that they report.

use std::fmt;

use thiserror::Error;

use crate::devices::Devices;

/// Something that computes items of work, by default the devices of another machine.
pub struct Worker<D = Devices> {
    /// Its name in events and errors.
    pub name: String,
    /// Connects the worker: at the start, and again after a failure.
    pub connect: Connect<D>,
}

impl<D> fmt::Debug for Worker<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Connects a worker.
pub type Connect<D> = Box<dyn FnMut() -> Result<D, Unavailable> + Send>;

/// Why a worker cannot be connected.
#[derive(Debug, Error)]
pub enum Unavailable {
    /// The worker does not answer; it is asked again.
    #[error("{0}")]
    Away(String),
    /// The worker refuses; it is not asked again.
    #[error("{0}")]
    Refused(String),
    /// The worker asks for another token; it is not asked again.
    #[error("the token is missing or wrong")]
    Unauthorized,
}

/// What a worker does. `S` is an item that starts, `P` its progress, `F` an item that is finished, and `R` text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event<S, P, F, R> {
    /// It is connected and prepared, and reports what it is, if it does.
    Ready(Option<R>),
    /// It starts an item.
    Started(S),
    /// It made progress on its item.
    Progress(P),
    /// Its item is finished and recorded.
    Finished(F),
    /// It failed, for this reason. Its item is computed again, and the worker is asked again.
    Lost(R),
    /// It is not asked again, for this reason.
    GivenUp(R),
}
