//! The runs that an experiment takes, numbered.

use std::borrow::Cow;

use crate::approach::Approach;
use crate::error::ExperimentError;
use crate::run::Experiment;
use crate::sampling::{Sample, Sampling};

/// A run before it is made. Its number is its place in the experiment, whoever makes it and when.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    /// From 0.
    pub(crate) number: usize,
    /// Which of the approaches.
    pub(crate) approach: usize,
    pub(crate) size: usize,
    /// Which of the samples; `None` for the model that folds lead to.
    pub(crate) sample: Option<usize>,
    pub(crate) seed: u64,
    /// Whether its model is kept.
    pub(crate) keeps: bool,
}

impl Experiment {
    /// All runs, in the order of the results.
    pub(crate) fn jobs(&self, sampling: &Sampling, sizes: &[usize]) -> Vec<Job> {
        let folds = sampling.folds.is_some();
        let mut jobs = Vec::new();
        for approach in 0..self.approaches.len() {
            for &size in sizes {
                let keeps = self.keep_models && !folds && Some(&size) == sizes.last();
                for sample in 0..sampling.samples.len() {
                    for seed in self.seeds() {
                        let (number, keeps) = (jobs.len(), keeps && seed == self.seed());
                        jobs.push(Job { number, approach, size, sample: Some(sample), seed, keeps });
                    }
                }
            }
            if self.keep_models && folds {
                let (number, size) = (jobs.len(), sampling.all.len());
                jobs.push(Job { number, approach, size, sample: None, seed: self.seed(), keeps: true });
            }
        }
        jobs
    }
}

impl Job {
    pub(crate) fn approach<'a>(&self, experiment: &'a Experiment) -> &'a Approach {
        &experiment.approaches[self.approach]
    }

    /// The sample, and which of its training sentences are drawn. The model that folds lead to is trained on all sentences
    /// but those it is chosen by.
    pub(crate) fn rows<'a>(
        &self,
        experiment: &Experiment,
        sampling: &'a Sampling,
    ) -> Result<(Cow<'a, Sample>, Vec<usize>), ExperimentError> {
        let Some(sample) = self.sample.map(|index| &sampling.samples[index]) else {
            let validation = sampling.samples[0].validation.clone();
            let train: Vec<usize> = (0..sampling.all.len()).filter(|row| !validation.contains(row)).collect();
            let sample = Sample { train: train.clone(), validation, ..Sample::default() };
            return Ok((Cow::Owned(sample), train));
        };
        let train = sampling.draw(sample, self.size, experiment.seed() as u32)?;
        Ok((Cow::Borrowed(sample), train))
    }
}
