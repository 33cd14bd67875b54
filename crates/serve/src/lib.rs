//! An HTTP server for text classifiers.
//!
//! A [`Server`] answers `POST /predict` in the JSON of transformers' pipelines and of text-embeddings-inference, and reports
//! about itself under `/health`, `/info`, `/metrics` and `/openapi.json`. It serves one or several [`Model`]s, which a
//! [`Handle`] reloads while requests continue. [`Limits`] bound what a client may ask for.
//!
//! The path of a request: `connection` accepts it, `routes` parses and tokenizes it, `queue` bounds how many texts wait, and
//! the one thread of `worker` forms batches and computes them.
#![deny(missing_docs, missing_debug_implementations)]

mod app;
mod auth;
mod body;
mod connection;
mod error;
mod event;
mod failure;
mod limits;
mod metrics;
mod models;
mod queue;
mod routes;
mod server;
mod stream;
mod worker;

pub use error::ServeError;
pub use event::Event;
pub use limits::Limits;
pub use models::{Model, Reload};
pub use server::{Handle, Server, ServerOptions};

/// The README's example is compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
