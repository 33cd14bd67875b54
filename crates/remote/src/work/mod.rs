//! Work in numbered items, scheduled over workers that connect late, fail and come back.
//!
//! A [`WorkQueue`] defines the items: runs of an experiment, shards of features. A [`Worker`] connects something that computes
//! them. [`run`] starts one thread per worker. The threads take items from a scheduler, the longest first, and every item is
//! recorded once, so that results do not depend on which worker computed an item, or when.
//!
//! These modules know neither devices nor networks: a worker is anything that a closure connects.

mod queue;
mod run;
mod scheduler;
mod shared;
mod thread;
mod worker;

pub use queue::{Failure, Observer, QueueEvent, WorkQueue};
pub use run::{Items, WorkError, run};
pub use worker::{Connect, Event, Unavailable, Worker};
