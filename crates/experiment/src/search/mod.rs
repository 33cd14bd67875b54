//! A search as an approach: its learner chooses among candidates by inner folds of the training examples of a run, and trains
//! the chosen one on all of them. Samples, statistics, resuming and hosts are those of every approach, so that the score of a
//! search is that of nested cross-validation: the test examples of a run choose nothing.

mod findings;
mod inner_folds;
mod learner;
mod race;
mod rungs;
mod settings;
mod space;
mod summary;
mod trainer;
mod training;

pub(crate) use self::findings::search_findings;
pub(crate) use self::inner_folds::inner_folds;
pub(crate) use self::race::Race;
pub use self::settings::Search;
pub use self::space::Preset;
pub(crate) use self::summary::search_record;
pub(crate) use self::trainer::{Next, is_late};
pub(crate) use self::training::Trained;
