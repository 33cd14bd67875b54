//! The runs of an experiment, numbered.

use std::sync::Arc;

use rekindle_results::RunKey;

use crate::approach::Approach;
use crate::error::ExperimentError;
use crate::experiment::Experiment;
use crate::sampling::{Sample, Sampling};

/// A run: which approach is trained on which examples with which seed.
#[derive(Clone, Debug)]
pub(crate) struct RunSpec {
    /// The position of the run in the experiment, from 0. Its record on disk has this number.
    pub(crate) number: usize,
    /// The index of the approach, or, behind the approaches, of the baseline.
    pub(crate) approach: usize,
    /// The training size, as the experiment names it: a fold may have one example more.
    pub(crate) size: usize,
    /// The index of the sample; `None` for the final model, which is trained on all examples after the folds.
    pub(crate) sample: Option<usize>,
    /// The examples, shared by the runs of a sample and size.
    pub(crate) rows: Arc<Sample>,
    pub(crate) seed: u64,
    /// Whether the trained model is kept.
    pub(crate) keeps_model: bool,
}

impl RunSpec {
    pub(crate) fn approach<'a>(&self, experiment: &'a Experiment) -> &'a Approach {
        let Experiment { approaches, baselines, .. } = experiment;
        approaches.get(self.approach).unwrap_or_else(|| &baselines[self.approach - approaches.len()])
    }

    /// Returns whether this is a run of a baseline.
    pub(crate) fn is_baseline(&self, experiment: &Experiment) -> bool {
        self.approach >= experiment.approaches.len()
    }

    pub(crate) fn key(&self) -> RunKey {
        let Sample { repeat, fold, train, .. } = &*self.rows;
        RunKey { seed: self.seed, repeat: *repeat, fold: *fold, size: train.len() }
    }
}

impl Experiment {
    /// Returns all runs, in the order of the results.
    pub(crate) fn run_specs(&self, sampling: &Sampling, sizes: &[usize]) -> Result<Vec<RunSpec>, ExperimentError> {
        let rows = self.rows(sampling, sizes)?;
        let final_rows = Arc::new(final_rows(sampling));
        let has_folds = sampling.folds.is_some();
        let mut specs = Vec::new();
        for (approach, Approach { learner, .. }) in self.approaches.iter().chain(&self.baselines).enumerate() {
            let keep_models = self.keep_models && learner.has_model();
            let seeds = self.seeds_of(&**learner);
            for (&size, samples) in sizes.iter().zip(&rows) {
                let keeps_model = keep_models && !has_folds && Some(&size) == sizes.last();
                for (sample, rows) in samples.iter().enumerate() {
                    for &seed in &seeds {
                        let (number, rows) = (specs.len(), Arc::clone(rows));
                        let keeps_model = keeps_model && seed == self.seed();
                        specs.push(RunSpec { number, approach, size, sample: Some(sample), rows, seed, keeps_model });
                    }
                }
            }
            if keep_models && has_folds {
                let (number, size, rows) = (specs.len(), sampling.all.len(), Arc::clone(&final_rows));
                let (sample, seed) = (None, self.seed());
                specs.push(RunSpec { number, approach, size, sample, rows, seed, keeps_model: true });
            }
        }
        Ok(specs)
    }

    /// Returns the examples of each sample at each size.
    fn rows(&self, sampling: &Sampling, sizes: &[usize]) -> Result<Vec<Vec<Arc<Sample>>>, ExperimentError> {
        let draw = |sample: &Sample, size| {
            let train = sampling.draw(sample, size, self.seed() as u32)?;
            Ok(Arc::new(Sample { train, ..sample.clone() }))
        };
        sizes.iter().map(|&size| sampling.samples.iter().map(|sample| draw(sample, size)).collect()).collect()
    }
}

/// Returns the examples of the final model: it is trained on all but those that choose its best epoch.
fn final_rows(sampling: &Sampling) -> Sample {
    let validation = sampling.samples[0].validation.clone();
    let train = (0..sampling.all.len()).filter(|row| !validation.contains(row)).collect();
    Sample { train, validation, ..Sample::default() }
}

#[cfg(test)]
mod tests {
    use rekindle_data::{TestSize, twelve_sentences};

    use super::*;

    #[test]
    fn sizes_that_are_equal_are_one_size() {
        let (train, test) = twelve_sentences().train_test_split(TestSize::Fraction(0.25), 42, true).expect("a split");
        let sampling = Sampling::fixed(train, None, test);
        let experiment = Experiment { sizes: vec![Some(9), None], ..Experiment::notebook() };
        let sizes = experiment.sizes(&sampling).expect("sizes");
        assert_eq!(sizes, [9]);
        let specs = experiment.run_specs(&sampling, &sizes).expect("runs");
        assert_eq!(specs.len(), experiment.approaches.len() + experiment.baselines.len());
        assert_eq!(experiment.runs(&sampling, &sizes), 1);
    }
}
