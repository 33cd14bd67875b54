//! Approaches to transfer learning, compared on one data set.
//!
//! A [`Sampling`] says which examples are trained and tested on. An [`Experiment`] runs every [`Approach`] from the weights of a
//! [`PretrainedModel`](rekindle_infer::PretrainedModel) on every sample, and reports [`Progress`]. Its
//! [`Outcome`] holds [`Results`](rekindle_results::Results), and trained models.
//! An [`ExperimentStore`] keeps finished runs, so that an interruption loses none of them; an [`Engine`] may have [`Worker`](rekindle_remote::Worker)s,
//! over which the runs are distributed. An [`Extraction`] writes the features of many texts to disk, on several workers.
//!
//! To read the code, begin with `experiment`, which says what is compared and numbers the runs; `runner` computes all of them, `run`
//! computes one, and `learner` is what an approach provides.
#![deny(missing_docs, missing_debug_implementations)]

mod accumulator;
mod approach;
mod approach_results;
mod approaches;
mod budget;
mod cautions;
mod data_profile;
mod data_sets;
mod defaults;
mod diagnostics;
mod embeddings;
mod error;
mod evaluation;
mod experiment;
mod experiment_store;
mod explained;
mod extraction;
mod findings;
mod fingerprint;
mod grammar;
mod held_out;
mod history;
mod label_issues;
mod learner;
mod misclassified;
mod out_of_fold;
mod outcome;
mod pairwise;
mod predictions;
mod probability_scores;
mod progress;
mod records;
mod remote_runs;
mod run;
mod run_context;
mod run_settings;
mod run_spec;
mod runner;
mod sampling;
mod saved_models;
mod search;
mod target_record;
mod thresholds;
mod trained_model;
mod undertrained;

pub use approach::Approach;
pub use approaches::{FineTuning, Method};
pub use budget::Budget;
pub use data_sets::compare_over_data_sets;
pub use defaults::{Defaults, Overrides, TrainingOption};
pub use error::ExperimentError;
pub use evaluation::{EvaluatedModel, ModelEvaluation};
pub use experiment::Experiment;
pub use experiment_store::ExperimentStore;
pub use extraction::{Extraction, ExtractionEvent};
pub use outcome::Outcome;
pub use progress::{DistributedRun, DistributedWork, Progress, RunStep, StartedRun, TrialStep, WorkerEvent};
pub use rekindle_train::ErrorKind;
pub use remote_runs::Engine;
pub use run_settings::{ClassWeights, FrozenPrecision};
pub use sampling::{Sample, Sampling};
pub use search::{Preset, Search};
pub use thresholds::ThresholdRule;
pub use trained_model::TrainedModel;

/// The README's example is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
