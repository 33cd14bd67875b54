//! A search as an approach: its learner chooses among candidates by inner folds of the training examples of a run, and trains
//! the chosen one on all of them. Samples, statistics, resuming and hosts are those of every approach, so that the score of a
//! search is that of nested cross-validation: the test examples of a run choose nothing.

mod findings;
mod inner_folds;
mod race;
mod rungs;
mod space;
mod summary;

use std::any::Any;
use std::sync::Arc;

use rekindle_data::{Mt19937, Task};
use rekindle_results::RunRecord;
use rekindle_train::TrainError;

use self::race::{Choice, Race, trial_spec};
use crate::approach::Approach;
use crate::budget::Budget;
use crate::defaults::{Defaults, Overrides, TrainingOption};
use crate::error::ExperimentError;
use crate::learner::{Fitted, Learner};
use crate::progress::Observer;
use crate::run_context::RunContext;
use crate::run_spec::RunSpec;

pub(crate) use self::findings::search_findings;
pub(crate) use self::inner_folds::inner_folds;
pub use self::space::Preset;
pub(crate) use self::summary::search_record;

/// The hyperparameter of a run that names the chosen candidate.
const CHOSEN: &str = "approach";
/// Inner folds, as scikit-learn's `GridSearchCV` has by default.
const INNER_FOLDS: usize = 5;
/// The factor of successive halving, as scikit-learn's `HalvingGridSearchCV` has by default.
const FACTOR: usize = 3;
/// Candidates in a row that are not better, after which `fit` tries no further one.
const PATIENCE: usize = 4;
/// Training examples per class up to which labels are few.
const FEW_PER_CLASS: usize = 32;
/// Classes above which the regressions of the probe, and not the encoder, take most of its time. Measured with 2 and 77 classes only.
const MANY_CLASSES: usize = 10;

/// A search for the best of several candidates.
#[derive(Clone, Debug)]
pub struct Search {
    /// The candidates.
    pub candidates: Vec<Approach>,
    /// Inner folds; fewer if a class has fewer examples.
    pub inner_folds: usize,
    /// The factor by which each rung of successive halving reduces the candidates; absent if all candidates are trained for all
    /// inner folds, as in scikit-learn's `GridSearchCV`.
    pub halving: Option<usize>,
    /// What all searches of the experiment together may cost.
    pub budget: Budget,
    /// Whether a limited budget tries the candidates in random order, which a grid needs, instead of the order given.
    pub is_shuffled: bool,
    /// After so many candidates in a row that were not better than the best before them, no further one starts.
    pub patience: Option<usize>,
}

impl Search {
    /// Returns a search over a declared space.
    pub fn new(candidates: Vec<Approach>) -> Self {
        let (inner_folds, halving, budget) = (INNER_FOLDS, Some(FACTOR), Budget::Unlimited);
        Self { candidates, inner_folds, halving, budget, is_shuffled: true, patience: None }
    }

    /// Returns the search of `rekindle fit` for a task, a number of layers and a number of training examples: candidates
    /// in the order of the expected gain per second, until further ones are unlikely to help.
    ///
    /// # Errors
    /// Returns no error unless the grammar of approaches changes.
    pub fn ordered(task: Task, layers: usize, classes: usize, examples: usize) -> Result<Self, ExperimentError> {
        let has_few_labels = examples <= FEW_PER_CLASS * classes;
        let has_many_classes = task.has_classes() && classes > MANY_CLASSES;
        let candidates = Approach::parse_space(&space::ordered(layers, has_few_labels, has_many_classes))?;
        Ok(Self { is_shuffled: false, patience: Some(PATIENCE), ..Self::new(candidates) })
    }

    /// Returns the search as an approach of this name.
    pub fn into_approach(self, name: &str) -> Approach {
        Approach { name: name.into(), spec: name.into(), learner: Arc::new(self) }
    }

    /// Returns the search with other defaults of its candidates, as [`Approach::with_defaults`].
    pub(crate) fn with_defaults(&self, defaults: Defaults, overrides: Overrides) -> Result<Self, ExperimentError> {
        let candidates = self.candidates.iter().map(|candidate| candidate.with_defaults(defaults, overrides));
        Ok(Self { candidates: candidates.collect::<Result<_, _>>()?, ..self.clone() })
    }

    /// Returns the order in which candidates start.
    fn order(&self, is_limited: bool, seed: u64) -> Vec<usize> {
        let candidates = self.candidates.len();
        match self.is_shuffled && is_limited {
            true => Mt19937::new(seed as u32).permutation(candidates),
            false => (0..candidates).collect(),
        }
    }

    fn learners(&self) -> impl Iterator<Item = &dyn Learner> {
        self.candidates.iter().map(|candidate| &*candidate.learner)
    }
}

impl Approach {
    /// Returns the settings of the search, if the approach is one.
    pub fn search(&self) -> Option<&Search> {
        let learner: &dyn Any = &*self.learner;
        learner.downcast_ref()
    }
}

impl Learner for Search {
    fn set(&mut self, _: &str, _: &str) -> Result<(), String> {
        Err("a search has no options in the grammar of approaches".into())
    }

    fn has_option(&self, option: TrainingOption) -> bool {
        self.learners().any(|learner| learner.has_option(option))
    }

    fn is_seeded(&self) -> bool {
        self.learners().any(Learner::is_seeded)
    }

    fn is_quick(&self) -> bool {
        self.learners().all(Learner::is_quick)
    }

    fn chosen(&self, record: &RunRecord) -> Option<&dyn Learner> {
        let spec = record.hyperparameters.get(CHOSEN)?;
        self.candidates.iter().find(|candidate| candidate.spec == *spec).map(|candidate| &*candidate.learner)
    }

    fn has_model(&self) -> bool {
        self.learners().any(Learner::has_model)
    }

    /// Those of the candidate that trains most. Every candidate is checked.
    fn parameters(&self, context: &RunContext<'_>) -> Result<[usize; 2], TrainError> {
        let mut most = [0, 0];
        for candidate in &self.candidates {
            let parameters = candidate.learner.parameters(context).map_err(|error| match error {
                TrainError::Argument { argument, reason } => {
                    TrainError::Argument { argument, reason: format!("{}: {reason}", candidate.spec) }
                }
                error => error,
            });
            most = most.max(parameters?);
        }
        Ok(most)
    }

    /// At most: every candidate on all inner folds, and one of them on all examples.
    fn cost(&self, context: &RunContext<'_>, spec: &RunSpec) -> f64 {
        self.inner_folds as f64 * self.learners().map(|learner| learner.cost(context, spec)).sum::<f64>()
    }

    fn fit(
        &self,
        context: &mut RunContext<'_>,
        spec: &RunSpec,
        observer: &mut Observer<'_>,
    ) -> Result<Fitted, ExperimentError> {
        let folds = inner_folds(context.sampling, &spec.rows.train, self.inner_folds, spec.seed)?;
        let searches = context.searches();
        let account = context.spending.share(self.budget, searches);
        let order = self.order(account.is_limited(), spec.seed);
        let all = self.candidates.len() * folds.len();
        let race = Race::new(self, spec, context.settings.metric, folds, account);
        let Choice { chosen, trials } = race.run(order, context, observer)?;
        let candidate = &self.candidates[chosen];
        let spec = trial_spec(spec, candidate, all, None);
        let Fitted { predictor, mut record } = candidate.learner.fit(context, &spec, observer)?;
        record.hyperparameters.insert(CHOSEN.into(), candidate.spec.clone());
        record.train_seconds += trials.iter().map(|trial| trial.seconds).sum::<f64>();
        record.trials = trials;
        Ok(Fitted { predictor, record })
    }
}
