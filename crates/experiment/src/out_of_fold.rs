//! Out-of-fold logits: training examples of a run, each predicted by a learner that has not seen it.

use std::ops::ControlFlow;
use std::sync::Arc;

use crate::error::ExperimentError;
use crate::learner::Learner;
use crate::progress::{Observer, Progress};
use crate::run_context::RunContext;
use crate::run_spec::RunSpec;
use crate::sampling::Sample;
use crate::search::inner_folds;

/// Inner folds, if the user does not name a number.
pub(crate) const FOLDS: usize = 5;
/// The numbers of trainings for inner folds begin here, behind those of any search.
const FIRST: usize = 1_000_000;

/// Training examples of a run and their logits, row-major `[examples, outputs]`.
pub(crate) struct OutOfFold {
    pub(crate) rows: Vec<usize>,
    pub(crate) logits: Vec<f32>,
}

impl RunContext<'_> {
    /// Returns the logits of the training examples of a run, each by the learner fitted to the other inner folds. Test examples and
    /// the validation examples of the run take no part; the only example of a class has no logits. Finished folds are stored.
    ///
    /// # Errors
    /// Returns [`ExperimentError::Data`] if there are too few examples for two folds, and the errors of the learner.
    pub(crate) fn out_of_fold(
        &mut self,
        learner: &dyn Learner,
        spec: &RunSpec,
        folds: usize,
        observer: &mut Observer<'_>,
    ) -> Result<OutOfFold, ExperimentError> {
        let splits = inner_folds(self.sampling, &spec.rows.train, folds, spec.seed)?;
        let (mut rows, mut logits, folds) = (Vec::new(), Vec::new(), splits.len());
        for (index, split) in splits.into_iter().enumerate() {
            let sample =
                Sample { train: split.train, test: split.test, validation: Vec::new(), ..(*spec.rows).clone() };
            let (size, trial) = (sample.train.len(), Some(FIRST + index));
            let inner = RunSpec { size, trial, rows: Arc::new(sample), keeps_model: false, ..spec.clone() };
            // The steps of inner runs are not those of the run.
            let mut observe =
                |_: Progress<'_>| -> ControlFlow<()> { observer(Progress::InnerFold { fold: index + 1, folds }) };
            logits.extend(self.held_out_logits(learner, &inner, &mut observe)?);
            rows.extend_from_slice(&inner.rows.test);
        }
        Ok(OutOfFold { rows, logits })
    }

    /// Fits the learner to an inner fold, or restores its logits of the rows that are held out.
    fn held_out_logits(
        &mut self,
        learner: &dyn Learner,
        spec: &RunSpec,
        observer: &mut Observer<'_>,
    ) -> Result<Vec<f32>, ExperimentError> {
        if let Some(store) = self.store {
            store.check_stop()?;
            if let Some(logits) = store.finished_trial(spec)? {
                return Ok(logits);
            }
        }
        let fitted = learner.fit(self, spec, observer)?;
        let logits = fitted.predictor.logits(self, &spec.rows.test, observer)?;
        self.store.map_or(Ok(()), |store| store.finish_trial(spec, &logits))?;
        Ok(logits)
    }
}
