//! The trials of one search: candidates are trained on inner folds until one is chosen or the budget is spent.

use std::ops::ControlFlow;

use rekindle_data::Split;
use rekindle_metrics::Scorer;
use rekindle_results::TrialRecord;
use rekindle_train::TrainError;
use serde::{Deserialize, Serialize};

use super::inner_folds::inner_folds;
use super::rungs::Rungs;
use super::settings::Search;
use super::training::{Trained, fold_rows, trial_spec};
use crate::approach::Approach;
use crate::budget::Account;
use crate::error::ExperimentError;
use crate::progress::{Progress, TrialStep};
use crate::run_context::RunContext;
use crate::run_spec::RunSpec;

/// A candidate that costs so many times more than all before it has a rough estimate of its time.
const ROUGH: f64 = 3.0;

/// A candidate with its trainings, in the order of the inner folds.
#[derive(Clone, Debug, Default)]
struct Trial {
    trained: Vec<Trained>,
    /// Trainings that are under way elsewhere.
    pending: usize,
    rung: usize,
}

impl Trial {
    fn has_begun(&self) -> bool {
        self.pending > 0 || !self.trained.is_empty()
    }

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

/// Where a race gets its trainings from.
pub(super) trait Trainings {
    /// Returns the training of a candidate for an inner fold, and whether it was restored; nothing if it is under way elsewhere.
    fn training(
        &mut self,
        race: &Race,
        candidate: usize,
        fold: usize,
    ) -> Result<Option<(Trained, bool)>, ExperimentError>;

    /// Reports an event.
    fn report(&mut self, event: Progress<'_>) -> ControlFlow<()>;
}

/// A search in a run.
#[derive(Clone, Debug)]
pub(crate) struct Race {
    pub(super) search: Search,
    pub(super) spec: RunSpec,
    pub(super) metric: Scorer,
    pub(super) folds: Vec<Split>,
    rungs: Rungs,
    /// The candidates in the order in which they start.
    order: Vec<usize>,
    /// The cost of a training of each candidate, relative to the others.
    costs: Vec<f64>,
    /// How many times as long as for an inner fold a training of each candidate takes on all folds together, with the test of the run.
    lengths: Vec<f64>,
    /// The searches that share the budget.
    searches: usize,
    account: Account,
    trials: Vec<Trial>,
}

/// The result of a search in a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Choice {
    /// The index of the chosen candidate.
    pub(super) chosen: usize,
    /// The candidates that were tried, in the order given.
    pub(super) trials: Vec<TrialRecord>,
}

/// The candidates that completed a rung, and those whose trainings are under way elsewhere.
#[derive(Default)]
struct Rung {
    completed: Vec<usize>,
    pending: usize,
}

impl Race {
    pub(crate) fn new(
        search: &Search,
        spec: &RunSpec,
        context: &RunContext<'_>,
        account: Account,
    ) -> Result<Self, ExperimentError> {
        let folds = inner_folds(context.sampling, &spec.rows.train, search.inner_folds, spec.seed)?;
        let candidates = search.candidates.len();
        let rows = fold_rows(&spec.rows, &folds[0], search.measures_optimism);
        let cost =
            |candidate: &Approach| candidate.learner.cost(context, &trial_spec(spec, candidate, 0, rows.clone()));
        let costs: Vec<f64> = search.candidates.iter().map(cost).collect();
        let length = |(candidate, &cost): (&Approach, &f64)| match cost > 0.0 {
            true => candidate.learner.cost(context, spec) / cost,
            false => folds.len() as f64 / (folds.len() as f64 - 1.0).max(1.0),
        };
        Ok(Self {
            rungs: Rungs::new(candidates, folds.len(), search.halving),
            order: search.order(account.is_limited(), spec.seed),
            lengths: search.candidates.iter().zip(&costs).map(length).collect(),
            costs,
            search: search.clone(),
            spec: spec.clone(),
            metric: context.settings.metric,
            searches: context.searches(),
            trials: vec![Trial::default(); candidates],
            folds,
            account,
        })
    }

    /// Tries candidates, and chooses the one with the best mean score among those of the last rung: the first of equals. Returns
    /// nothing while trainings that decide are under way elsewhere.
    pub(super) fn run(&mut self, trainings: &mut dyn Trainings) -> Result<Option<Choice>, ExperimentError> {
        if self.account.is_empty()
            && let Some(&first) = self.order.first()
        {
            // An earlier search took all the time: the first candidate is trained without a comparison.
            return Ok(Some(Choice { chosen: first, trials: vec![self.record(first, true)] }));
        }
        let (mut left, mut chosen) = (self.order.clone(), None);
        for rung in 0..self.rungs.folds.len() {
            let Rung { completed, pending } = self.rung(rung, &left, trainings)?;
            if pending > 0 {
                return Ok(None);
            }
            let ranking = self.ranking(&completed);
            chosen = ranking.first().copied().or(chosen);
            // What is left of a budget compares as many as an unlimited search compares at the end; the best are trained first.
            let most = if self.account.is_limited() { self.rungs.last() } else { 0 };
            left = ranking.into_iter().take(self.rungs.kept(completed.len()).max(most)).collect();
            if left.len() <= 1 {
                break;
            }
        }
        match chosen.or_else(|| self.ranking(&self.scored()).first().copied()) {
            Some(chosen) => Ok(Some(Choice { chosen, trials: self.records(chosen) })),
            None => Err(self.none_trained()),
        }
    }

    /// Trains candidates for the inner folds of a rung.
    fn rung(
        &mut self,
        rung: usize,
        candidates: &[usize],
        trainings: &mut dyn Trainings,
    ) -> Result<Rung, ExperimentError> {
        let (mut done, mut best, mut worse) = (Rung::default(), f64::NEG_INFINITY, 0);
        for (place, &candidate) in candidates.iter().enumerate() {
            // Another candidate may need less time.
            if rung == 0 && !self.can_start(candidate, done.completed.len() + done.pending) {
                continue;
            }
            if !self.train(candidate, self.rungs.folds[rung], trainings)? {
                break;
            }
            let trial = &mut self.trials[candidate];
            let is_pending = trial.pending > 0;
            if is_pending {
                done.pending += 1;
            } else if trial.failed().is_none() && trial.trained.len() == self.rungs.folds[rung] {
                trial.rung = rung + 1;
                done.completed.push(candidate);
            }
            if !is_pending {
                let record = self.record(candidate, false);
                let (number, of) = (place + 1, candidates.len());
                let step = TrialStep { trial: &record, number, of, rung: rung + 1, rungs: self.rungs.folds.len() };
                self.report(Progress::Trial(step), trainings)?;
            }
            // A candidate that failed cannot be chosen, so no other is compared with it. One that is under way may turn out worse.
            let trial = &self.trials[candidate];
            let value = match trial.failed() {
                None if !is_pending => trial.value(self.metric),
                _ => f64::NEG_INFINITY,
            };
            worse = if value > best { 0 } else { worse + 1 };
            best = best.max(value);
            if rung == 0 && self.search.patience.is_some_and(|patience| worse >= patience) {
                break;
            }
        }
        Ok(done)
    }

    /// Trains a candidate for so many inner folds, as far as the budget allows; returns whether there was a further training.
    fn train(
        &mut self,
        candidate: usize,
        folds: usize,
        trainings: &mut dyn Trainings,
    ) -> Result<bool, ExperimentError> {
        let had = self.trials[candidate].trained.len();
        for fold in had..folds {
            let price = self.account.price(self.training_seconds(candidate));
            // The first training of a candidate is paid for by `can_start`.
            let is_due = fold == 0 || self.account.can_pay(price, self.last_training(candidate));
            if !is_due || self.trials[candidate].failed().is_some() {
                break;
            }
            let Some((trained, is_restored)) = trainings.training(self, candidate, fold)? else {
                self.account.reserve(price);
                self.trials[candidate].pending += 1;
                continue;
            };
            self.account.pay(trained.seconds, is_restored);
            self.trials[candidate].trained.push(trained);
            if self.account.is_spent(self.last_training(candidate)) && self.scored() == [candidate] {
                let (approach, seconds) = (&*self.search.candidates[candidate].spec, self.training_seconds(candidate));
                let enough = 2.0 * seconds * self.searches as f64;
                self.report(Progress::ShortBudget { approach, seconds, enough }, trainings)?;
            }
        }
        Ok(self.trials[candidate].trained.len() > had || self.trials[candidate].pending > 0)
    }

    fn report(&self, event: Progress<'_>, trainings: &mut dyn Trainings) -> Result<(), ExperimentError> {
        match trainings.report(event) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(self.spec.failed(TrainError::Cancelled)),
        }
    }

    /// Returns whether the budget allows the first rung of a candidate, and the further rungs of as many candidates as remain then
    /// of those that started. The first candidate always starts.
    fn can_start(&self, candidate: usize, started: usize) -> bool {
        if !self.account.is_limited() || !self.trials.iter().any(Trial::has_begun) {
            return true;
        }
        let trainings: usize = self.trials.iter().map(|trial| trial.trained.len()).sum();
        if self.account.is_time() && trainings == 0 {
            return false;
        }
        let seconds = self.expected_seconds(candidate);
        let mean = self.trials.iter().map(Trial::seconds).sum::<f64>() / trainings.max(1) as f64;
        let price = self.rungs.folds[0] as f64 * self.account.price(seconds)
            + self.rungs.later(started + 1) as f64 * self.account.price(mean.max(seconds));
        self.account.can_pay(price, (seconds * self.lengths[candidate]).max(self.longest()))
    }

    /// Returns the expected time of a training of a candidate that has not started: by its cost, relative to the costliest
    /// candidate so far. Of much cheaper ones, half of that: it is rough, and a training that takes longer is stopped, while one that
    /// never starts leaves its time unused.
    fn expected_seconds(&self, candidate: usize) -> f64 {
        let tried = (0..self.trials.len()).filter(|&other| !self.trials[other].trained.is_empty());
        let Some(other) = tried.max_by(|&a, &b| self.costs[a].total_cmp(&self.costs[b])) else { return 0.0 };
        let times = if self.costs[other] > 0.0 { self.costs[candidate] / self.costs[other] } else { 1.0 };
        self.trials[other].longest() * if times > ROUGH { times / 2.0 } else { times }
    }

    /// Returns the mean time of the trainings of a candidate, or the expected time of the first.
    fn training_seconds(&self, candidate: usize) -> f64 {
        let trial = &self.trials[candidate];
        match trial.trained.len() {
            0 => self.expected_seconds(candidate),
            trainings => trial.seconds() / trainings as f64,
        }
    }

    /// Returns the expected time to train a candidate on all folds together, and to test it.
    fn last_training(&self, candidate: usize) -> f64 {
        self.training_seconds(candidate) * self.lengths[candidate]
    }

    /// Returns the expected time of the longest training of any candidate on all folds together.
    fn longest(&self) -> f64 {
        let tried = (0..self.trials.len()).filter(|&candidate| !self.trials[candidate].trained.is_empty());
        tried.map(|candidate| self.last_training(candidate)).fold(0.0, f64::max)
    }

    /// Returns the seconds that the training of the best candidate so far on all examples will take, if there is one.
    pub(super) fn last_seconds(&self) -> Option<f64> {
        let best = self.ranking(&self.scored()).first().copied()?;
        Some(self.last_training(best))
    }

    /// Returns whether a training must stop, because no more time is left than for the training of the best candidate. There is no such
    /// time before there is a candidate.
    pub(super) fn is_late(&self) -> bool {
        self.last_seconds().is_some_and(|last| self.account.is_spent(last))
    }

    /// Returns a candidate in the grammar of the command line.
    pub(crate) fn candidate(&self, candidate: usize) -> &str {
        &self.search.candidates[candidate].spec
    }

    /// Returns the cost of a training of a candidate, relative to the others.
    pub(crate) fn cost(&self, candidate: usize) -> f64 {
        self.costs[candidate]
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
    pub(super) fn none_trained(&self) -> ExperimentError {
        let failed = |(candidate, trial): (usize, &Trial)| {
            trial.failed().map(|reason| (self.search.candidates[candidate].spec.clone(), reason.clone()))
        };
        let (spec, reason) = self.trials.iter().enumerate().find_map(failed).unwrap_or_default();
        ExperimentError::NoCandidate { spec, reason }
    }
}
