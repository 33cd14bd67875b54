//! Results of an experiment for readers: a page with charts, and tables.
//!
//! [`report_html`] renders [`Results`](rekindle_results::Results) as one HTML page that loads nothing; [`summary_csv`],
//! [`scores_csv`] and [`history_csv`] as tables. Everything is a function of the results: this crate does not train.
#![deny(missing_docs, missing_debug_implementations)]

mod csv;
mod format;
mod html;

pub use self::csv::{StepRow, history, history_csv, scores_csv, summary_csv};
pub use format::thousands;
pub use html::report_html;

/// The README's example is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
