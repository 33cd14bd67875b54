//! The evaluated epochs, and the model to return.

use crate::arguments::TrainingArguments;
use crate::event::EpochRecord;

/// The epochs so far, and what is kept of one of them: the best, if the arguments say so, or the last.
pub(crate) struct Best<'a, M, E> {
    arguments: &'a TrainingArguments,
    pub(crate) epochs: Vec<EpochRecord>,
    pub(crate) kept: Option<Kept<M, E>>,
}

/// What is kept of an epoch.
pub(crate) struct Kept<M, E> {
    pub(crate) evaluation: E,
    /// The model of the epoch, if it may not be the last one.
    pub(crate) model: Option<M>,
}

impl<'a, M: Clone, E> Best<'a, M, E> {
    pub(crate) fn new(arguments: &'a TrainingArguments) -> Self {
        Self { arguments, epochs: Vec::new(), kept: None }
    }

    /// Adds an evaluated epoch.
    pub(crate) fn push(&mut self, record: EpochRecord, evaluation: E, model: &M) {
        self.epochs.push(record);
        let chooses = self.arguments.load_best_model_at_end;
        if !chooses || self.best() == self.epochs.len() {
            self.kept = Some(Kept { evaluation, model: chooses.then(|| model.clone()) });
        }
    }

    /// Returns whether early stopping ends the training.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.arguments.early_stopping_patience.is_some_and(|patience| self.epochs.len() - self.best() >= patience)
    }

    /// Returns the epoch that is kept, counted from 1.
    pub(crate) fn epoch(&self) -> usize {
        if self.arguments.load_best_model_at_end { self.best() } else { self.epochs.len() }
    }

    /// Returns the first epoch, counted from 1, whose score no later epoch exceeds; 0 without epochs.
    fn best(&self) -> usize {
        let sign = if self.arguments.metric_for_best_model.greater_is_better() { 1.0 } else { -1.0 };
        let scores = self.epochs.iter().map(|record| sign * record.metric.unwrap_or_default());
        let best = (1..).zip(scores).reduce(|best, next| if next.1 > best.1 { next } else { best });
        best.map_or(0, |(epoch, _)| epoch)
    }
}
