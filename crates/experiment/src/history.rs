//! Steps and epochs of a training as records of the results.

use rekindle_results::{EpochRecord, StepRecord};

/// Returns the record of a training step.
pub(crate) fn step_record(step: &rekindle_train::StepRecord) -> StepRecord {
    StepRecord::new(step.step, step.epoch, step.loss, step.grad_norm, step.learning_rate)
}

/// Returns the record of an epoch.
pub(crate) fn epoch_record(epoch: &rekindle_train::EpochRecord) -> EpochRecord {
    EpochRecord::new(epoch.epoch, epoch.train_loss, epoch.eval_loss, epoch.accuracy, epoch.f1)
}
