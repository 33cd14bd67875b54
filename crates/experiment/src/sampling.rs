//! Which sentences are trained on, chosen by and tested on, and how often.

use rekindle_data::{Dataset, TestSize, train_test_split};

use crate::error::ExperimentError;

/// The rows of one trial.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// From 1: which dealing into folds.
    pub repeat: usize,
    /// From 1: which fold is tested on.
    pub fold: usize,
    /// Rows to train on.
    pub train: Vec<usize>,
    /// Rows to choose the best epoch by.
    pub validation: Vec<usize>,
    /// Rows to test on.
    pub test: Vec<usize>,
}

/// All sentences of an experiment, and the samples that are drawn from them.
#[derive(Clone, Debug)]
pub struct Sampling {
    /// The sentences.
    pub all: Dataset,
    /// The samples, in the order in which they are tried.
    pub samples: Vec<Sample>,
    /// Folds and repeats; absent for one fixed test set.
    pub folds: Option<(usize, usize)>,
}

impl Sampling {
    /// One fixed test set.
    pub fn fixed(train: Dataset, validation: Option<Dataset>, test: Dataset) -> Self {
        let mut all = train;
        let mut append = |more: Dataset| {
            let first = all.len();
            all.examples.extend(more.examples);
            (first..all.len()).collect::<Vec<_>>()
        };
        let test = append(test);
        let train = (0..test.first().copied().unwrap_or(0)).collect();
        let validation = validation.map(append).unwrap_or_default();
        Self { samples: vec![Sample { repeat: 1, fold: 1, train, validation, test }], all, folds: None }
    }

    /// Every sentence is tested on once a repeat: the folds of scikit-learn's `RepeatedStratifiedKFold`.
    ///
    /// # Errors
    /// As [`Dataset::folds`].
    pub fn folds(all: Dataset, folds: usize, repeats: usize, seed: u32) -> Result<Self, ExperimentError> {
        let splits = all.folds(folds, repeats, seed)?;
        let sample = |(index, split): (usize, rekindle_data::Split)| Sample {
            repeat: index / folds + 1,
            fold: index % folds + 1,
            train: split.train,
            validation: Vec::new(),
            test: split.test,
        };
        Ok(Self { samples: splits.into_iter().enumerate().map(sample).collect(), all, folds: Some((folds, repeats)) })
    }

    /// Holds a stratified share of every sample's training sentences out, to choose the best epoch by.
    ///
    /// # Errors
    /// As [`train_test_split`].
    pub fn hold_out(mut self, size: TestSize, seed: u32) -> Result<Self, ExperimentError> {
        for sample in &mut self.samples {
            let (train, validation) = split(&self.all, &sample.train, size, seed)?;
            (sample.train, sample.validation) = (train, validation);
        }
        Ok(self)
    }

    /// The largest number of training sentences that every sample has.
    pub fn largest(&self) -> usize {
        self.samples.iter().map(|sample| sample.train.len()).min().unwrap_or(0)
    }

    /// A stratified draw of `size` training sentences of a sample; all of them, in their order, where there are no more.
    ///
    /// # Errors
    /// When there are fewer sentences than classes.
    pub(crate) fn draw(&self, sample: &Sample, size: usize, seed: u32) -> Result<Vec<usize>, ExperimentError> {
        match sample.train.len() {
            all if size >= all || size == self.largest() => Ok(sample.train.clone()),
            all => Ok(split(&self.all, &sample.train, TestSize::Count(all - size), seed)?.0),
        }
    }

    /// Classes of rows.
    pub(crate) fn labels(&self, rows: &[usize]) -> Vec<usize> {
        rows.iter().map(|&row| self.all.examples[row].label).collect()
    }

    /// Texts of rows.
    pub(crate) fn texts(&self, rows: &[usize]) -> Vec<&str> {
        rows.iter().map(|&row| self.all.examples[row].text.as_str()).collect()
    }
}

/// Rows into two parts, stratified.
fn split(
    all: &Dataset,
    rows: &[usize],
    test: TestSize,
    seed: u32,
) -> Result<(Vec<usize>, Vec<usize>), ExperimentError> {
    let labels: Vec<usize> = rows.iter().map(|&row| all.examples[row].label).collect();
    let parts = train_test_split(&labels, test, seed, true).map_err(|error| all.name_class(error))?;
    let of = |part: Vec<usize>| part.into_iter().map(|index| rows[index]).collect();
    Ok((of(parts.train), of(parts.test)))
}
