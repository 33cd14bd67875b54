//! Training for transfer learning in Burn.
//!
//! A [`TuningPlan`] says which parameters of a model are trainable, and [`TrainingArguments`], under the names of
//! transformers, how to train. A [`Trainer`] runs the loop for an [`Objective`]: [`Classification`] of an
//! [`EncodedDataset`], [`Contrastive`] training of its encoder, or [`MaskedLm`] on a [`Corpus`] of plain text whose words a
//! [`Masking`] masks. It reports [`Event`]s, prints nothing, and writes only the [`Checkpoints`] that it is asked for.
//!
//! [`evaluate`] computes the loss and the scores of a classifier. rekindle-infer computes its logits and predictions.
#![deny(missing_docs, missing_debug_implementations)]

mod arguments;
mod best;
mod checkpoints;
mod class_batches;
mod classification;
mod contrastive;
mod contrastive_loss;
mod corpus;
mod dataset;
mod error;
mod evaluate;
mod event;
mod frozen_features;
mod history;
mod masked_lm;
mod masking;
mod objective;
mod optimizer;
mod plan;
mod replicas;
mod schedule;
mod settings;
mod state;
mod step;
mod stop;
mod task;
mod trainer;

pub use arguments::{Shuffle, TrainingArguments};
pub use checkpoints::{Checkpoints, SaveStrategy};
pub use classification::Classification;
pub use contrastive::Contrastive;
pub use contrastive_loss::ContrastiveLoss;
pub use corpus::Corpus;
pub use dataset::EncodedDataset;
pub use error::{ErrorKind, TrainError};
pub use evaluate::{Evaluation, evaluate};
pub use event::{EpochRecord, Event, Observer, StepRecord};
pub use frozen_features::FrozenFeatures;
pub use masked_lm::{MaskedLm, MaskedLmEvaluation, MaskedStep};
pub use masking::{MaskedBatch, Masking};
pub use objective::{Objective, Scores, TrainingContext};
pub use optimizer::AdamW;
pub use plan::{ParamGroup, ParamSelector, TuningPlan};

pub use schedule::{Schedule, SchedulerType};
pub use stop::Stop;
pub use task::{example_loss, predicted, problem_of, target_kind, task_of};
pub use trainer::{Trained, Trainer};

/// The README's example is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
