//! Transfer learning in Burn: which parameters learn, how, and what came of it.
//!
//! A [`Plan`] says which parts of a model are trained, [`TrainingArguments`] how, under the names of transformers.
//! [`Training`] runs the loop over an [`EncodedDataset`] and speaks in [`Event`]s: it prints nothing, and writes nothing
//! but the [`Checkpoints`] that it is asked for.
//! [`evaluate`] turns a model and a data set into loss and scores, [`logits`] sentences into logits.
//!
//! What a model is to be transferred from comes of [`Pretraining`]: a [`Corpus`] of plain text, words of which a
//! [`Masking`] hides.
#![deny(missing_docs, missing_debug_implementations)]

mod arguments;
mod best;
mod checkpoints;
mod corpus;
mod dataset;
mod error;
mod evaluate;
mod event;
mod features;
mod history;
#[cfg(feature = "flex")]
mod kernels;
mod masking;
mod optimizer;
mod plan;
mod pretrain;
#[cfg(all(feature = "flex", feature = "remote"))]
pub mod remote;
mod replicas;
mod resume;
mod schedule;
mod settings;
mod state;
mod step;
mod stop;
mod trainer;

pub use arguments::{Metric, Shuffle, TrainingArguments};
pub use checkpoints::{Checkpoints, SaveStrategy};
pub use corpus::Corpus;
pub use dataset::EncodedDataset;
pub use error::{ErrorKind, TrainError};
pub use evaluate::{Evaluation, evaluate, features, logits};
pub use event::{EpochRecord, Event, StepRecord};
pub use features::Features;
pub use masking::{MaskedBatch, Masking};
pub use optimizer::AdamW;
pub use plan::{Group, Part, Plan};
pub use pretrain::{Pretraining, PretrainingArguments};
pub use schedule::{Schedule, SchedulerType};
pub use stop::Stop;
pub use trainer::{Trained, Training};

/// The README's example is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
