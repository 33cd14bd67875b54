//! What a search tries, and what it may cost.

use std::any::Any;
use std::sync::Arc;

use rekindle_data::{Mt19937, Task};

use super::space;
use crate::approach::Approach;
use crate::budget::Budget;
use crate::defaults::{Defaults, Overrides};
use crate::error::ExperimentError;
use crate::learner::Learner;

/// Inner folds, as scikit-learn's `GridSearchCV` has by default.
const INNER_FOLDS: usize = 5;
/// The factor of successive halving, as scikit-learn's `HalvingGridSearchCV` has by default.
const FACTOR: usize = 3;
/// Candidates in a row that are not better, after which `fit` tries no further one.
const PATIENCE: usize = 4;
/// Training examples per class up to which labels are few.
const FEW_PER_CLASS: usize = 64;
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
    /// Whether the models for inner folds are also tested on the test examples of their run, which measures the optimism of choosing
    /// on these.
    pub measures_optimism: bool,
}

impl Search {
    /// Returns a search over a declared space.
    pub fn new(candidates: Vec<Approach>) -> Self {
        let (inner_folds, halving, budget) = (INNER_FOLDS, Some(FACTOR), Budget::Unlimited);
        Self { candidates, inner_folds, halving, budget, is_shuffled: true, patience: None, measures_optimism: true }
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
        let patience = Some(PATIENCE);
        Ok(Self { is_shuffled: false, patience, measures_optimism: false, ..Self::new(candidates) })
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
    pub(super) fn order(&self, is_limited: bool, seed: u64) -> Vec<usize> {
        let candidates = self.candidates.len();
        match self.is_shuffled && is_limited {
            true => Mt19937::new(seed as u32).permutation(candidates),
            false => (0..candidates).collect(),
        }
    }

    pub(super) fn learners(&self) -> impl Iterator<Item = &dyn Learner> {
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
