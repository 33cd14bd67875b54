//! Where a search gets its trainings from: the device of a run, one after the other, or a store that workers fill.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

use rekindle_train::{Evaluation, Event, TrainError};

use super::race::{Choice, Race, Trainings};
use super::training::{Trained, fold_rows, trial_spec};
use crate::error::ExperimentError;
use crate::experiment_store::{ExperimentStore, FinishedRun};
use crate::progress::{Observer, Progress};
use crate::run_context::RunContext;
use crate::run_spec::RunSpec;

/// Why a candidate has no further scores when the time is spent.
const LATE: &str = "stopped, because the time of the search was spent";

/// Trainings on the device of a run.
pub(super) struct Local<'c, 'a, 'o> {
    pub(super) context: &'c mut RunContext<'a>,
    pub(super) observer: &'c mut Observer<'o>,
}

impl Trainings for Local<'_, '_, '_> {
    /// Restores or computes a training. Once a candidate has a score, a training that uses the time that this one needs is stopped.
    fn training(
        &mut self,
        race: &Race,
        candidate: usize,
        fold: usize,
    ) -> Result<Option<(Trained, bool)>, ExperimentError> {
        let spec = race.training_spec(candidate, fold);
        let store = self.context.store;
        if let Some(trained) = store.map(|store| store.finished_trial::<Trained>(&spec)).transpose()?.flatten() {
            self.context.spending.restore_training(trained.seconds);
            return Ok(Some((trained, true)));
        }
        let trained = race.compute(candidate, fold, &|| race.is_late(), self.context, self.observer)?;
        if let Some(store) = store {
            store.finish_trial(&spec, &trained)?;
        }
        Ok(Some((trained, false)))
    }

    fn report(&mut self, event: Progress<'_>) -> ControlFlow<()> {
        (self.observer)(event)
    }
}

/// What a search in a run needs next, if workers compute its trainings.
#[derive(Clone, Debug)]
pub(crate) enum Next {
    /// Trainings that it certainly needs and that are not in the store.
    Trainings {
        /// The candidates and inner folds.
        missing: Vec<(usize, usize)>,
        /// The seconds that the training of the best candidate so far on all examples will take, if there is one.
        last_seconds: Option<f64>,
    },
    /// The training of this candidate on all examples of the run: the choice is in the store.
    Chosen(usize),
}

/// Returns whether no more time is left than for the last training, if there is a deadline and a candidate.
pub(crate) fn is_late(deadline: Option<Instant>, last_seconds: Option<f64>) -> bool {
    let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()).as_secs_f64());
    left.zip(last_seconds).is_some_and(|(left, last)| left < last)
}

/// Trainings that are in a store.
struct Stored<'s> {
    store: &'s ExperimentStore,
    /// When the time of all searches is spent.
    deadline: Option<Instant>,
    /// Those that are not in the store.
    missing: Vec<(usize, usize)>,
}

impl Trainings for Stored<'_> {
    fn training(
        &mut self,
        race: &Race,
        candidate: usize,
        fold: usize,
    ) -> Result<Option<(Trained, bool)>, ExperimentError> {
        if let Some(trained) = self.store.finished_trial(&race.training_spec(candidate, fold))? {
            return Ok(Some((trained, true)));
        }
        if is_late(self.deadline, race.last_seconds()) {
            return Ok(Some((Trained { scores: Err(LATE.into()), seconds: 0.0 }, false)));
        }
        self.missing.push((candidate, fold));
        Ok(None)
    }

    fn report(&mut self, _: Progress<'_>) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

impl Race {
    /// Returns the choice: the one before an interruption or of other workers, or one by trainings on the device of the context.
    pub(super) fn choose(
        &mut self,
        context: &mut RunContext<'_>,
        observer: &mut Observer<'_>,
    ) -> Result<Choice, ExperimentError> {
        let (spec, store) = (self.choice_spec(), context.store);
        if let Some(choice) = store.map(|store| store.finished_trial::<Choice>(&spec)).transpose()?.flatten() {
            choice.trials.iter().for_each(|trial| context.spending.restore_training(trial.seconds));
            return Ok(choice);
        }
        // Nothing is under way elsewhere.
        let choice = self.run(&mut Local { context, observer })?.ok_or_else(|| self.none_trained())?;
        if let Some(store) = store {
            store.finish_trial(&spec, &choice)?;
        }
        Ok(choice)
    }

    /// Returns what is needed next, by the trainings in the store. Nothing more is once the deadline is over, as soon as there is a
    /// candidate to choose.
    pub(crate) fn next(&self, store: &ExperimentStore, deadline: Option<Instant>) -> Result<Next, ExperimentError> {
        let spec = self.choice_spec();
        if let Some(Choice { chosen, .. }) = store.finished_trial(&spec)? {
            return Ok(Next::Chosen(chosen));
        }
        let mut stored = Stored { store, deadline, missing: Vec::new() };
        let mut race = self.clone();
        match race.run(&mut stored)? {
            None => Ok(Next::Trainings { missing: stored.missing, last_seconds: race.last_seconds() }),
            Some(choice) => {
                store.finish_trial(&spec, &choice)?;
                Ok(Next::Chosen(choice.chosen))
            }
        }
    }

    /// Trains a candidate for an inner fold. The training is stopped when it is late.
    pub(crate) fn compute(
        &self,
        candidate: usize,
        fold: usize,
        is_late: &dyn Fn() -> bool,
        context: &mut RunContext<'_>,
        observer: &mut Observer<'_>,
    ) -> Result<Trained, ExperimentError> {
        let spec = self.training_spec(candidate, fold);
        let mut was_late = false;
        let began = Instant::now();
        // The epochs of a candidate are not those of the run.
        let mut observe = |event: Progress<'_>| {
            was_late = is_late();
            match event {
                _ if was_late => ControlFlow::Break(()),
                Progress::Training(Event::Epoch(_)) => ControlFlow::Continue(()),
                event => observer(event),
            }
        };
        let scores = match context.compute(&*self.search.candidates[candidate].learner, &spec, &mut observe) {
            Ok((run, _)) => self.score(&run, &spec, fold, context)?,
            Err(ExperimentError::Train { source, .. }) if is_of_candidate(&source) => Err(source.to_string()),
            Err(ExperimentError::Train { source: TrainError::Cancelled, .. }) if was_late => Err(LATE.into()),
            Err(error) => return Err(error),
        };
        Ok(Trained { scores, seconds: began.elapsed().as_secs_f64() })
    }

    /// Returns the metric on the inner fold and on the test examples of the run.
    fn score(
        &self,
        FinishedRun { record, logits }: &FinishedRun,
        spec: &RunSpec,
        fold: usize,
        context: &RunContext<'_>,
    ) -> Result<Result<(f64, Option<f64>), String>, ExperimentError> {
        let (outputs, problem) = (context.config.num_labels(), context.problem(record));
        let of = |rows: &[usize], logits: &[f32]| {
            let evaluation = Evaluation::new(logits.to_vec(), &context.sampling.targets(rows), outputs, &problem);
            evaluation.map(|evaluation| evaluation.outcome.score(self.metric)).map_err(|source| spec.failed(source))
        };
        let test = &self.folds[fold].test;
        let (inner, outer) = logits.split_at(test.len() * outputs);
        let score = of(test, inner)?;
        let test_score = if outer.is_empty() { None } else { Some(of(&self.spec.rows.test, outer)?) };
        Ok(match score.is_finite() {
            true => Ok((score, test_score.filter(|score| score.is_finite()))),
            false => Err(format!("{} is not defined on an inner fold", self.metric.name())),
        })
    }

    /// Returns the spec of the training of a candidate for an inner fold.
    pub(crate) fn training_spec(&self, candidate: usize, fold: usize) -> RunSpec {
        let number = candidate * self.folds.len() + fold;
        let rows = fold_rows(&self.spec.rows, &self.folds[fold], self.search.measures_optimism);
        trial_spec(&self.spec, &self.search.candidates[candidate], number, rows)
    }

    /// Returns the spec of the training of the chosen candidate.
    pub(super) fn final_spec(&self, chosen: usize) -> RunSpec {
        trial_spec(&self.spec, &self.search.candidates[chosen], self.trainings(), Arc::clone(&self.spec.rows))
    }

    /// Returns the spec that the choice is stored under.
    fn choice_spec(&self) -> RunSpec {
        RunSpec { trial: Some(self.trainings() + 1), ..self.spec.clone() }
    }

    /// Returns the number of possible trainings on inner folds.
    fn trainings(&self) -> usize {
        self.search.candidates.len() * self.folds.len()
    }
}

/// Returns whether an error is one of the settings of a candidate, which others do not have.
fn is_of_candidate(error: &TrainError) -> bool {
    matches!(error, TrainError::NotFinite { .. } | TrainError::Logits { .. } | TrainError::NoPairs)
}
