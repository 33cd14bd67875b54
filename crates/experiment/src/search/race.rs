//! The trials of one search: candidates are trained on inner folds until one is chosen or the budget is spent.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

use rekindle_data::Split;
use rekindle_metrics::Scorer;
use rekindle_results::TrialRecord;
use rekindle_train::{Evaluation, Event, TrainError};
use serde::{Deserialize, Serialize};

use super::Search;
use super::rungs::Rungs;
use crate::approach::Approach;
use crate::budget::Account;
use crate::error::ExperimentError;
use crate::experiment_store::FinishedRun;
use crate::progress::{Observer, Progress, TrialStep};
use crate::run_context::RunContext;
use crate::run_spec::RunSpec;
use crate::sampling::Sample;

/// Why a candidate has no further scores when the time is spent.
const LATE: &str = "stopped, because the time of the search was spent";

/// The training of a candidate for one inner fold.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Trained {
    /// The metric on the inner fold, and on the test examples of the run if there are any; or why there is none.
    scores: Result<(f64, Option<f64>), String>,
    seconds: f64,
}

/// A candidate with its trainings, in the order of the inner folds.
#[derive(Clone, Debug, Default)]
struct Trial {
    trained: Vec<Trained>,
    rung: usize,
}

impl Trial {
    fn scores(&self) -> impl Iterator<Item = (f64, Option<f64>)> + '_ {
        self.trained.iter().filter_map(|trained| trained.scores.clone().ok())
    }

    fn failed(&self) -> Option<&String> {
        self.trained.iter().find_map(|trained| trained.scores.as_ref().err())
    }

    fn seconds(&self) -> f64 {
        self.trained.iter().map(|trained| trained.seconds).sum()
    }

    /// The time of its longest training: the first one also computes what the others find computed.
    fn longest(&self) -> f64 {
        self.trained.iter().map(|trained| trained.seconds).fold(0.0, f64::max)
    }

    /// The mean score; the higher, the better.
    fn value(&self, metric: Scorer) -> f64 {
        let sign = if metric.greater_is_better() { 1.0 } else { -1.0 };
        let scores: Vec<f64> = self.scores().map(|(score, _)| score).collect();
        sign * scores.iter().sum::<f64>() / scores.len() as f64
    }
}

/// A search in a run.
pub(super) struct Race<'a> {
    search: &'a Search,
    spec: &'a RunSpec,
    metric: Scorer,
    folds: Vec<Split>,
    rungs: Rungs,
    account: Account,
    trials: Vec<Trial>,
}

/// The result of a search in a run.
pub(super) struct Choice {
    /// The index of the chosen candidate.
    pub(super) chosen: usize,
    /// The candidates that were tried, in the order given.
    pub(super) trials: Vec<TrialRecord>,
}

impl<'a> Race<'a> {
    pub(super) fn new(
        search: &'a Search,
        spec: &'a RunSpec,
        metric: Scorer,
        folds: Vec<Split>,
        account: Account,
    ) -> Self {
        let candidates = search.candidates.len();
        let rungs = Rungs::new(candidates, folds.len(), search.halving);
        Self { search, spec, metric, folds, rungs, account, trials: vec![Trial::default(); candidates] }
    }

    /// Tries candidates, and chooses the one with the best mean score among those of the last rung: the first of equals.
    pub(super) fn run(
        mut self,
        order: Vec<usize>,
        context: &mut RunContext<'_>,
        observer: &mut Observer<'_>,
    ) -> Result<Choice, ExperimentError> {
        if self.account.is_empty()
            && let Some(&first) = order.first()
        {
            // An earlier search took all the time: the first candidate is trained without a comparison.
            return Ok(Choice { chosen: first, trials: vec![self.record(first, true)] });
        }
        let (mut left, mut chosen) = (order, None);
        for rung in 0..self.rungs.folds.len() {
            let completed = self.rung(rung, &left, context, observer)?;
            let ranking = self.ranking(&completed);
            chosen = ranking.first().copied().or(chosen);
            left = ranking.into_iter().take(self.rungs.kept(completed.len())).collect();
            if left.len() <= 1 {
                break;
            }
        }
        match chosen.or_else(|| self.ranking(&self.scored()).first().copied()) {
            Some(chosen) => Ok(Choice { chosen, trials: self.records(chosen) }),
            None => Err(self.none_trained()),
        }
    }

    /// Trains candidates for the inner folds of a rung. Returns those that completed it.
    fn rung(
        &mut self,
        rung: usize,
        candidates: &[usize],
        context: &mut RunContext<'_>,
        observer: &mut Observer<'_>,
    ) -> Result<Vec<usize>, ExperimentError> {
        let (mut completed, mut best, mut worse) = (Vec::new(), f64::NEG_INFINITY, 0);
        for (place, &candidate) in candidates.iter().enumerate() {
            if rung == 0 && !self.can_start(candidate, completed.len(), context) {
                break;
            }
            let had = self.trials[candidate].trained.len();
            for fold in had..self.rungs.folds[rung] {
                let price = self.account.price(self.seconds_per_training(candidate));
                // The first training of a candidate is paid for by `can_start`.
                let is_due = fold == 0 || self.account.can_pay(price, self.last_training(candidate));
                if !is_due || self.trials[candidate].failed().is_some() {
                    break;
                }
                let (trained, is_restored) = self.train(candidate, fold, context, observer)?;
                self.account.pay(trained.seconds, is_restored);
                if is_restored {
                    context.spending.restore_training(trained.seconds);
                }
                self.trials[candidate].trained.push(trained);
                if self.account.is_spent(self.last_training(candidate)) && self.scored() == [candidate] {
                    let (approach, seconds) =
                        (&*self.search.candidates[candidate].spec, self.seconds_per_training(candidate));
                    let enough = 2.0 * seconds * context.searches() as f64;
                    if observer(Progress::ShortBudget { approach, seconds, enough }).is_break() {
                        return Err(self.spec.failed(TrainError::Cancelled));
                    }
                }
            }
            if self.trials[candidate].trained.len() == had {
                break;
            }
            if self.trials[candidate].failed().is_none()
                && self.trials[candidate].trained.len() == self.rungs.folds[rung]
            {
                self.trials[candidate].rung = rung + 1;
                completed.push(candidate);
            }
            let record = self.record(candidate, false);
            let step = TrialStep {
                trial: &record,
                number: place + 1,
                of: candidates.len(),
                rung: rung + 1,
                rungs: self.rungs.folds.len(),
            };
            if observer(Progress::Trial(step)).is_break() {
                return Err(self.spec.failed(TrainError::Cancelled));
            }
            // A candidate that failed cannot be chosen, so no other is compared with it.
            let value = match self.trials[candidate].failed() {
                None => self.trials[candidate].value(self.metric),
                Some(_) => f64::NEG_INFINITY,
            };
            worse = if value > best { 0 } else { worse + 1 };
            best = best.max(value);
            if rung == 0 && self.search.patience.is_some_and(|patience| worse >= patience) {
                break;
            }
        }
        Ok(completed)
    }

    /// Returns whether the budget allows the first rung of a candidate, and the further rungs of as many candidates as remain then
    /// of those that started. The first candidate always starts.
    fn can_start(&self, candidate: usize, started: usize, context: &RunContext<'_>) -> bool {
        if !self.account.is_limited() || self.trials.iter().all(|trial| trial.trained.is_empty()) {
            return true;
        }
        let seconds = self.expected_seconds(candidate, context);
        let trainings: usize = self.trials.iter().map(|trial| trial.trained.len()).sum();
        let mean = self.trials.iter().map(Trial::seconds).sum::<f64>() / trainings as f64;
        let price = self.rungs.folds[0] as f64 * self.account.price(seconds)
            + self.rungs.later(started + 1) as f64 * self.account.price(mean.max(seconds));
        self.account.can_pay(price, seconds.max(self.longest()))
    }

    /// Returns the expected time of a training of a candidate that has not started: by its cost, relative to the costliest
    /// candidate so far.
    fn expected_seconds(&self, candidate: usize, context: &RunContext<'_>) -> f64 {
        let cost = |candidate: usize| {
            let spec = RunSpec { size: self.folds[0].train.len(), ..self.spec.clone() };
            self.search.candidates[candidate].learner.cost(context, &spec)
        };
        let tried = (0..self.trials.len()).filter(|&other| !self.trials[other].trained.is_empty());
        let costliest = tried.map(|other| (other, cost(other))).max_by(|a, b| a.1.total_cmp(&b.1));
        costliest.map_or(0.0, |(other, most)| match most > 0.0 {
            true => self.trials[other].longest() * cost(candidate) / most,
            false => self.trials[other].longest(),
        })
    }

    /// Returns the mean time of the trainings of a candidate; 0 without any.
    fn seconds_per_training(&self, candidate: usize) -> f64 {
        let trial = &self.trials[candidate];
        trial.seconds() / trial.trained.len().max(1) as f64
    }

    /// Returns the expected time to train a candidate on all folds together.
    fn last_training(&self, candidate: usize) -> f64 {
        let folds = self.folds.len() as f64;
        self.seconds_per_training(candidate) * folds / (folds - 1.0).max(1.0)
    }

    /// Returns the expected time of the longest training of any candidate on all folds together.
    fn longest(&self) -> f64 {
        (0..self.trials.len()).map(|candidate| self.last_training(candidate)).fold(0.0, f64::max)
    }

    /// Restores or computes the training of a candidate for an inner fold, and returns whether it was restored. Once a candidate
    /// has a score, a training that uses the time that this one needs is stopped.
    fn train(
        &self,
        candidate: usize,
        fold: usize,
        context: &mut RunContext<'_>,
        observer: &mut Observer<'_>,
    ) -> Result<(Trained, bool), ExperimentError> {
        let approach = &self.search.candidates[candidate];
        let spec = trial_spec(self.spec, approach, candidate * self.folds.len() + fold, Some(&self.folds[fold]));
        if let Some(trained) = context.store.map(|store| store.finished_trial(&spec)).transpose()?.flatten() {
            return Ok((trained, true));
        }
        let last = self.ranking(&self.scored()).first().map(|&best| self.last_training(best));
        let mut is_late = false;
        let began = Instant::now();
        // The epochs of a candidate are not those of the run.
        let mut observe = |event: Progress<'_>| {
            is_late = last.is_some_and(|last| self.account.is_spent(last));
            match event {
                _ if is_late => ControlFlow::Break(()),
                Progress::Training(Event::Epoch(_)) => ControlFlow::Continue(()),
                event => observer(event),
            }
        };
        let scores = match context.compute(&*approach.learner, &spec, &mut observe) {
            Ok((run, _)) => self.score(&run, &spec, fold, context)?,
            Err(ExperimentError::Train { source, .. }) if is_of_candidate(&source) => Err(source.to_string()),
            Err(ExperimentError::Train { source: TrainError::Cancelled, .. }) if is_late => Err(LATE.into()),
            Err(error) => return Err(error),
        };
        let trained = Trained { scores, seconds: began.elapsed().as_secs_f64() };
        if let Some(store) = context.store {
            store.finish_trial(&spec, &trained)?;
        }
        Ok((trained, false))
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
        let test_rows = &self.spec.rows.test;
        let test_score = if test_rows.is_empty() { None } else { Some(of(test_rows, outer)?) };
        Ok(match score.is_finite() {
            true => Ok((score, test_score.filter(|score| score.is_finite()))),
            false => Err(format!("{} is not defined on an inner fold", self.metric.name())),
        })
    }

    /// Returns the candidates that have a score and have not failed.
    fn scored(&self) -> Vec<usize> {
        let has_score = |&candidate: &usize| {
            let trial = &self.trials[candidate];
            trial.failed().is_none() && !trial.trained.is_empty()
        };
        (0..self.trials.len()).filter(has_score).collect()
    }

    /// Returns the candidates from the best to the worst mean score; equal ones in the order given.
    fn ranking(&self, candidates: &[usize]) -> Vec<usize> {
        let mut ranking = candidates.to_vec();
        ranking.sort_by(|&a, &b| {
            let value = |candidate: usize| self.trials[candidate].value(self.metric);
            value(b).total_cmp(&value(a)).then(a.cmp(&b))
        });
        ranking
    }

    fn records(&self, chosen: usize) -> Vec<TrialRecord> {
        let tried = (0..self.trials.len()).filter(|&candidate| !self.trials[candidate].trained.is_empty());
        tried.map(|candidate| self.record(candidate, candidate == chosen)).collect()
    }

    fn record(&self, candidate: usize, chosen: bool) -> TrialRecord {
        let trial = &self.trials[candidate];
        let mut record = TrialRecord::default();
        record.approach.clone_from(&self.search.candidates[candidate].spec);
        (record.rung, record.chosen, record.seconds) = (trial.rung, chosen, trial.seconds());
        record.scores = trial.scores().map(|(score, _)| score).collect();
        record.test_scores = trial.scores().filter_map(|(_, score)| score).collect();
        record.failed = trial.failed().cloned();
        record
    }

    /// The error if no candidate completed a rung: why the first one failed.
    fn none_trained(&self) -> ExperimentError {
        let failed = |(candidate, trial): (usize, &Trial)| {
            trial.failed().map(|reason| (self.search.candidates[candidate].spec.clone(), reason.clone()))
        };
        let (spec, reason) = self.trials.iter().enumerate().find_map(failed).unwrap_or_default();
        ExperimentError::NoCandidate { spec, reason }
    }
}

/// Returns the spec of a numbered training of a run: for an inner fold, whose examples are tested before those of the run, or on
/// all training examples.
pub(super) fn trial_spec(spec: &RunSpec, approach: &Approach, trial: usize, fold: Option<&Split>) -> RunSpec {
    let rows = match fold {
        None => Arc::clone(&spec.rows),
        Some(fold) => {
            let test = fold.test.iter().chain(&spec.rows.test).copied().collect();
            Arc::new(Sample { train: fold.train.clone(), test, ..(*spec.rows).clone() })
        }
    };
    let (name, trial, size) = (approach.name.as_str().into(), Some(trial), rows.train.len());
    RunSpec { name, trial, size, rows, keeps_model: false, ..spec.clone() }
}

/// Returns whether an error is one of the settings of a candidate, which others do not have.
fn is_of_candidate(error: &TrainError) -> bool {
    matches!(error, TrainError::NotFinite { .. } | TrainError::Logits { .. } | TrainError::NoPairs)
}
