//! The training of a candidate.

use std::sync::Arc;

use rekindle_data::Split;
use serde::{Deserialize, Serialize};

use crate::approach::Approach;
use crate::run_spec::RunSpec;
use crate::sampling::Sample;

/// The training of a candidate for one inner fold.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Trained {
    /// The metric on the inner fold, and on the test examples of the run if they are tested; or why there is none.
    pub(super) scores: Result<(f64, Option<f64>), String>,
    pub(crate) seconds: f64,
}

/// Returns the examples of a training for an inner fold, whose own are tested before those of the run, if these are.
pub(super) fn fold_rows(rows: &Sample, fold: &Split, tests_run: bool) -> Arc<Sample> {
    let of_run = if tests_run { &rows.test[..] } else { &[] };
    let test = fold.test.iter().chain(of_run).copied().collect();
    Arc::new(Sample { train: fold.train.clone(), test, ..rows.clone() })
}

/// Returns the spec of a numbered training of a run.
pub(super) fn trial_spec(spec: &RunSpec, candidate: &Approach, number: usize, rows: Arc<Sample>) -> RunSpec {
    let (name, trial, size) = (candidate.name.as_str().into(), Some(number), rows.train.len());
    RunSpec { name, trial, size, rows, keeps_model: false, ..spec.clone() }
}
