//! The records of `results.json`, the file that an experiment writes.
//!
//! [`Results`] is the whole file. It is plain data: this crate knows neither training nor the report, so that both can
//! depend on it. [`Results::read`] reads a file of a known [`SCHEMA_VERSION`]; [`Comparison`] sets several experiments side by
//! side.
//!
//! Records may gain fields in any release: they are `non_exhaustive`. Those with few fields have a `new`, the others a
//! [`Default`] whose fields are set one by one.
#![deny(missing_docs, missing_debug_implementations)]

mod approach;
mod baselines;
mod calibration;
mod comparison;
mod data_sets;
mod diagnostics;
mod error;
mod label_issues;
mod misclassified;
mod predictions;
mod results;
mod run;
mod schema;
mod scores;
mod search;
mod settings;
mod slice;
mod target;

pub use approach::{ApproachRecord, ComparisonRecord};
pub use calibration::{AbstentionRecord, CalibrationRecord, ProbabilityRecord, PromisedErrorRecord};
pub use comparison::{Comparison, ScoresRow, Setting};
pub use data_sets::{DataSetsComparison, DataSetsPair, RankedApproach};
pub use diagnostics::{CalibrationBin, ClassRecord, ConfusedPair, Diagnostics, PrecisionRecallRecord, RocRecord};
pub use error::ResultsError;
pub use label_issues::{LabelIssueRecord, LabelIssuesRecord};
pub use misclassified::{ExplanationRecord, Misclassified, MisclassifiedExample, Prediction, WordRecord};
pub use predictions::{Predictions, RunPredictions, TestExample};
pub use results::Results;
pub use run::{EpochRecord, RunKey, RunRecord, StepRecord};
pub use schema::{FIRST_SCHEMA_VERSION, SCHEMA_VERSION};
pub use scores::{CurvePoint, Estimate, Scores};
pub use search::{EffectRecord, EffectValue, OptimismRecord, SearchRecord, TrialRecord};
pub use settings::{
    ArgumentsRecord, DataProfile, DataRecord, DesignRecord, DroppedRecord, MetricRecord, ModelRecord, Provenance,
    Source,
};
pub use slice::SliceRecord;
pub use target::TargetRecord;

/// The README's example is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
