//! What a queue of work must provide.

use std::ops::ControlFlow;

use super::worker::Event;

/// Items of work, numbered from 0.
pub trait WorkQueue: Send + Sync + 'static {
    /// What connecting a worker returns, for example devices.
    type Connection;
    /// What a worker needs before its first item, for example a model on its device.
    type Context<'a>;
    /// Progress within an item.
    type Progress: Send;
    /// The result of an item.
    type Output: Send;
    /// An error that ends all work.
    type Error: Send;

    /// Returns what a worker reports about itself, if it does.
    fn describe(connection: &Self::Connection) -> Option<String> {
        let _ = connection;
        None
    }

    /// Prepares a worker.
    ///
    /// # Errors
    /// Returns an error if the connection fails, or if no worker could be prepared.
    fn prepare<'a>(&'a self, connection: &'a Self::Connection) -> Result<Self::Context<'a>, Failure<Self::Error>>;

    /// Computes an item. Calls `progress` often, with or without something to report; after a `Break` the item is not needed
    /// any more, and the function returns [`Failure::Cancelled`].
    ///
    /// # Errors
    /// Returns an error if the connection fails, if no worker could compute the item, or if `progress` cancels.
    fn compute(
        &self,
        context: &mut Self::Context<'_>,
        item: usize,
        progress: &mut dyn FnMut(Option<Self::Progress>) -> ControlFlow<()>,
    ) -> Result<Self::Output, Failure<Self::Error>>;

    /// Records the result of an item, and returns the costs of the items that follow from it; they get the next numbers. Called
    /// once per item, and never by two workers at a time.
    ///
    /// # Errors
    /// Returns an error if the result cannot be written.
    fn record(&self, item: usize, output: &Self::Output) -> Result<Vec<f64>, Self::Error>;

    /// Returns the error of an item that made worker after worker fail, the last for `reason`.
    fn poisoned(&self, item: usize, reason: String) -> Self::Error;

    /// Returns an error if the work was asked to stop.
    ///
    /// # Errors
    /// Returns an error if the work was asked to stop.
    fn check_stop(&self) -> Result<(), Self::Error>;

    /// Whether the error says that the work was asked to stop.
    fn is_stop(error: &Self::Error) -> bool;
}

/// An event of a worker: items by their numbers, and reasons as text.
pub type QueueEvent<Q> = Event<usize, <Q as WorkQueue>::Progress, (usize, <Q as WorkQueue>::Output), String>;

/// Receives the name of a worker and what it does. An error ends all work.
pub type Observer<'a, Q> = dyn FnMut(&str, QueueEvent<Q>) -> Result<(), <Q as WorkQueue>::Error> + 'a;

/// Why an item has no result.
#[derive(Debug)]
pub enum Failure<E> {
    /// The worker failed, for this reason; the item is computed again.
    Lost(String),
    /// The item is not needed any more.
    Cancelled,
    /// The work cannot succeed on any worker.
    Fatal(E),
}
