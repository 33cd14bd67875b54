//! The approaches, a file per kind. A new kind is a file with a [`Learner`](crate::learner::Learner), and an item of [`KINDS`].

mod adapt;
mod baselines;
mod contrastive;
mod fine_tuning;
mod probe;
mod sentence_head;

pub(crate) use baselines::Baseline;
pub use fine_tuning::{FineTuning, Method};
pub(crate) use probe::Probe;

use contrastive::ContrastiveFineTuning;

use crate::learner::Kind;

/// All kinds, in the order of error messages.
pub(crate) const KINDS: [Kind; 4] = [FineTuning::KIND, Probe::KIND, ContrastiveFineTuning::KIND, Baseline::KIND];
