//! Approaches to transfer learning, compared on one data set.
//!
//! A [`PretrainedModel`] is opened from a folder or from the program itself. An [`Experiment`] trains every
//! [`Approach`] from the same weights on the same sentences, and says what happens as [`Progress`]. Its [`Outcome`]
//! holds [`Results`], which an [`Output`] writes as `tl_results.csv`, `history.csv`, `results.json` and a zip of them, and
//! which [`report_html`] shows on a page. A [`Comparison`] lays several of them side by side.
//! A [`Classifier`] puts a trained model to work, [`FillMask`] one that was pretrained.
#![deny(missing_docs)]

mod approach;
mod artifacts;
mod classify;
mod compare;
mod error;
mod fill_mask;
mod model;
mod report;
mod results;
mod run;

pub use approach::Approach;
pub use artifacts::Output;
pub use classify::{Classifier, Prediction};
pub use compare::{Comparison, ScoresRow, Setting, read_results};
pub use error::ExperimentError;
pub use fill_mask::{FillMask, Guess};
pub use model::{EmbeddedModel, PretrainedModel, Source};
pub use report::report_html;
pub use results::*;
pub use run::{Experiment, Outcome, Progress};
