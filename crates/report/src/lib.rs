//! Results of an experiment for readers: a page with charts, and tables.
//!
//! [`report_html`] renders [`Results`](rekindle_results::Results) as one HTML page that loads nothing; [`summary_csv`],
//! [`scores_csv`], [`history_csv`], [`predictions_csv`] and [`label_issues_csv`] as tables. An [`Output`] is the folder that an experiment leaves, and
//! its zip. This crate does not train.
#![deny(missing_docs, missing_debug_implementations)]

mod csv;
mod diagram;
mod error;
mod format;
mod html;
mod manifest;
mod output;
mod staging;

pub use self::csv::{StepRow, history, history_csv, label_issues_csv, predictions_csv, scores_csv, summary_csv};
pub use diagram::critical_difference_svg;
pub use error::ReportError;
pub use format::thousands;
pub use html::report_html;
pub use output::Output;

/// The README's example is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
