//! Approaches to transfer learning, compared on one data set.
//!
//! A [`PretrainedModel`] is opened from a folder or from the program itself. A [`Sampling`] says which sentences are
//! trained and tested on. An [`Experiment`] tries every [`Approach`] from the same weights on every sample, and says what
//! happens as [`Progress`]. Its [`Outcome`] holds [`Results`], which an [`Output`] writes as `tl_results.csv`,
//! `scores.csv`, `history.csv`, `results.json`, as a page, [`report_html`], and as a zip of all of them.
//! A [`Journal`] keeps what is done, so that a break loses none of it; an [`Engine`] may have [`Host`]s, over which the runs
//! are spread.
//! A [`Comparison`] lays the results of several runs side by side.
//! A [`Classifier`] puts a trained model to work, [`FillMask`] one that was pretrained.
#![deny(missing_docs, missing_debug_implementations)]

mod adapt;
mod approach;
mod artifacts;
mod baselines;
mod classify;
mod compare;
mod contender;
mod error;
mod extraction;
mod fill_mask;
mod findings;
mod hosts;
mod job;
mod journal;
mod misread;
mod model;
mod output;
mod pairwise;
mod quality;
mod report;
mod results;
mod run;
mod sampling;
mod spread;
mod trial;

pub use approach::{Approach, Method};
pub use artifacts::StepRow;
pub use classify::{Classifier, Prediction};
pub use compare::{Comparison, ScoresRow, Setting, read_results};
pub use error::ExperimentError;
pub use extraction::{Extraction, ShardNews};
pub use fill_mask::{FillMask, Guess};
pub use hosts::{Engine, HostNews};
pub use journal::Journal;
pub use model::{EmbeddedModel, MODEL_FILES, PretrainedModel, Source};
pub use output::Output;
pub use rekindle_train::ErrorKind;
pub use report::report_html;
pub use results::{
    ApproachRecord, ArgumentsRecord, BaselineRecord, CalibrationBin, ComparisonRecord, CurvePoint, DataRecord,
    DesignRecord, Estimate, MisreadRecord, MisreadSentence, ModelRecord, Provenance, Quality, Reading, Results,
    RocRecord, RunRecord, Scores,
};
pub use run::{ClassWeights, Experiment, Outcome, Progress, RunKey};
pub use sampling::{Sample, Sampling};
pub use spread::{Connect, Devices, Host, Unavailable};

/// The README's example is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
