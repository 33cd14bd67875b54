//! The result of an experiment.

use rekindle_results::Results;

use crate::trained_model::TrainedModel;

/// A finished experiment: results and trained models.
#[derive(Debug)]
pub struct Outcome {
    /// The results.
    pub results: Results,
    /// The trained models that are kept, each with the name of its approach. They share frozen weights.
    pub models: Vec<(String, TrainedModel)>,
}
