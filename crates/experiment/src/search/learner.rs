//! The learner of a search.

use rekindle_encoders::{EncoderConfig, ParamInfo};
use rekindle_results::RunRecord;
use rekindle_train::TrainError;

use super::race::{Choice, Race};
use super::settings::Search;
use crate::defaults::TrainingOption;
use crate::error::ExperimentError;
use crate::learner::{Fitted, Learner};
use crate::progress::Observer;
use crate::run_context::RunContext;
use crate::run_spec::RunSpec;

/// The hyperparameter of a run that names the chosen candidate.
const CHOSEN: &str = "approach";

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

    fn trains(&self, config: &EncoderConfig, param: ParamInfo) -> bool {
        self.learners().any(|learner| learner.trains(config, param))
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
        let account = context.spending.share(self.budget, context.searches());
        let mut race = Race::new(self, spec, context, account)?;
        let Choice { chosen, trials } = race.choose(context, observer)?;
        let candidate = &self.candidates[chosen];
        let Fitted { predictor, mut record } = candidate.learner.fit(context, &race.final_spec(chosen), observer)?;
        record.hyperparameters.insert(CHOSEN.into(), candidate.spec.clone());
        record.train_seconds += trials.iter().map(|trial| trial.seconds).sum::<f64>();
        record.trials = trials;
        Ok(Fitted { predictor, record })
    }
}
