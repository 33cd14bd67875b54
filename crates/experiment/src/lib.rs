//! Approaches to transfer learning, compared on one data set.
//!
//! A [`Sampling`] says which examples are trained and tested on. An [`Experiment`] runs every [`Approach`] from the weights of a
//! [`PretrainedModel`](rekindle_infer::PretrainedModel) on every sample, and reports [`Progress`]. Its
//! [`Outcome`] holds [`Results`](rekindle_results::Results), and trained models.
//! An [`ExperimentStore`] keeps finished runs, so that an interruption loses none of them; an [`Engine`] may have [`Worker`]s,
//! over which the runs are distributed. An [`Extraction`] writes the features of many texts to disk, on several workers.
//!
//! To read the code, begin with `experiment`; `run_spec` numbers the runs, and `run_context` computes one of them.
#![deny(missing_docs, missing_debug_implementations)]

mod accumulator;
mod adapt;
mod approach;
mod approach_results;
mod baselines;
mod cautions;
mod contrastive;
mod data_profile;
mod defaults;
mod devices;
mod diagnostics;
mod embeddings;
mod error;
mod experiment;
mod experiment_store;
mod extraction;
mod findings;
mod fine_tuning;
mod fingerprint;
mod misclassified;
mod pairwise;
mod predictions;
mod probe;
mod progress;
mod records;
mod remote_runs;
mod run_context;
mod run_spec;
mod sampling;
mod saved_models;
mod trained_model;
mod undertrained;

pub use approach::Approach;
pub use defaults::Defaults;
pub use devices::{Devices, Worker};
pub use error::ExperimentError;
pub use experiment::{ClassWeights, Experiment, Outcome};
pub use experiment_store::ExperimentStore;
pub use extraction::{Extraction, ExtractionEvent};
pub use fine_tuning::{FineTuning, Method};
pub use progress::Progress;
pub use rekindle_train::ErrorKind;
pub use remote_runs::{DistributedRun, Engine, RunStep, StartedRun, WorkerEvent};
pub use sampling::{Sample, Sampling};
pub use trained_model::TrainedModel;

/// The README's example is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
