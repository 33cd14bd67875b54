//! Options that several commands share, and what they stand for.

pub mod backend;
pub mod engine;
pub mod host_url;
pub mod model;
pub mod token;

pub use engine::{EngineArgs, HostsArgs};
