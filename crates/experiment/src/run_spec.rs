//! One of the numbered runs of an experiment.

use std::sync::Arc;

use rekindle_results::RunKey;
use rekindle_train::TrainError;

use crate::error::ExperimentError;
use crate::sampling::Sample;

/// A run: which approach is trained on which examples with which seed.
#[derive(Clone, Debug)]
pub(crate) struct RunSpec {
    /// The position of the run in the experiment, from 0. Its record on disk has this number.
    pub(crate) number: usize,
    /// The number of the training within the run, for a search that trains several times.
    pub(crate) trial: Option<usize>,
    /// The index of the approach, or, behind the approaches, of the baseline.
    pub(crate) approach: usize,
    /// The name of the approach in results.
    pub(crate) name: Arc<str>,
    /// The training size, as the experiment names it: a fold may have one example more.
    pub(crate) size: usize,
    /// The index of the sample; `None` for the final model, which is trained on all examples after the folds.
    pub(crate) sample: Option<usize>,
    /// The examples, shared by the runs of a sample and size.
    pub(crate) rows: Arc<Sample>,
    pub(crate) seed: u64,
    /// Whether the trained model is kept.
    pub(crate) keeps_model: bool,
}

impl RunSpec {
    /// Adds the approach to the error of a training.
    pub(crate) fn failed(&self, source: TrainError) -> ExperimentError {
        ExperimentError::Train { approach: self.name.to_string(), source }
    }

    pub(crate) fn key(&self) -> RunKey {
        let Sample { repeat, fold, train, .. } = &*self.rows;
        RunKey { seed: self.seed, repeat: *repeat, fold: *fold, size: train.len() }
    }
}
