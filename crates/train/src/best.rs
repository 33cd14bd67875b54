//! The epochs of a training, and the model to return.

use rekindle_distilbert::DistilBertForSequenceClassification;

use crate::arguments::{Metric, TrainingArguments};
use crate::evaluate::Evaluation;
use crate::event::EpochRecord;

/// The epochs so far, and the one that is kept: the best, where the arguments ask for that, or the last.
pub(crate) struct Best<'a> {
    arguments: &'a TrainingArguments,
    pub(crate) epochs: Vec<EpochRecord>,
    pub(crate) kept: Option<Kept>,
}

/// What is kept of an epoch.
pub(crate) struct Kept {
    pub(crate) evaluation: Evaluation,
    /// Where it is not simply the last one.
    pub(crate) model: Option<DistilBertForSequenceClassification>,
}

impl<'a> Best<'a> {
    pub(crate) fn new(arguments: &'a TrainingArguments) -> Self {
        Self { arguments, epochs: Vec::new(), kept: None }
    }

    /// Notes an epoch, and says whether the run should end with it.
    pub(crate) fn take(
        &mut self,
        record: EpochRecord,
        evaluation: Evaluation,
        model: &DistilBertForSequenceClassification,
    ) -> bool {
        self.epochs.push(record);
        let (last, chooses) = (self.epochs.len(), self.arguments.load_best_model_at_end);
        if !chooses || self.best() == last {
            self.kept = Some(Kept { evaluation, model: chooses.then(|| model.clone()) });
        }
        self.arguments.early_stopping_patience.is_some_and(|patience| last - self.best() >= patience)
    }

    /// From 1: the epoch that is kept.
    pub(crate) fn epoch(&self) -> usize {
        if self.arguments.load_best_model_at_end { self.best() } else { self.epochs.len() }
    }

    /// From 1: the first epoch whose score no later one exceeds.
    fn best(&self) -> usize {
        let scores = self.epochs.iter().map(|record| match self.arguments.metric_for_best_model {
            Metric::Loss => -record.eval_loss,
            Metric::Accuracy => record.accuracy,
            Metric::F1 => record.f1,
        });
        let best = (1..).zip(scores).reduce(|best, next| if next.1 > best.1 { next } else { best });
        best.map_or(0, |(epoch, _)| epoch)
    }
}
