//! Samples: which examples a run trains on, validates on and tests on.

use std::borrow::Cow;
use std::collections::BTreeSet;

use rekindle_data::{
    Dataset, Target, Targets, Task, TestSize, Time, group_numbers, split_targets, time_train_test_split,
};
use rekindle_metrics::TargetKind;
use rekindle_train::target_kind;

use crate::error::ExperimentError;

/// The examples of a run, as rows of the data set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// The repeat of the split into folds, from 1.
    pub repeat: usize,
    /// The fold that is tested on, from 1.
    pub fold: usize,
    /// Training examples.
    pub train: Vec<usize>,
    /// Validation examples, which choose the best epoch.
    pub validation: Vec<usize>,
    /// Test examples.
    pub test: Vec<usize>,
}

/// All examples of an experiment, and its samples.
#[derive(Clone, Debug)]
pub struct Sampling {
    /// The examples.
    pub all: Dataset,
    /// The samples, in the order of the runs.
    pub samples: Vec<Sample>,
    /// Number of folds and repeats; absent for one fixed test set.
    pub folds: Option<(usize, usize)>,
    /// The examples that no run is trained on, although they are in a training part.
    pub dropped: Vec<usize>,
    /// The group of each example, as [`Dataset::groups`].
    groups: Option<Vec<usize>>,
}

impl Sampling {
    /// Returns one sample with a fixed test set.
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
        let (samples, groups) = (vec![Sample { repeat: 1, fold: 1, train, validation, test }], all.groups());
        Self { all, samples, folds: None, dropped: Vec::new(), groups }
    }

    /// Returns one sample per fold: every example is tested on once per repeat. The folds are those of scikit-learn's
    /// `RepeatedStratifiedKFold`, or of `StratifiedGroupKFold` if there are groups or texts repeat. If the examples have times, the
    /// folds are those of `TimeSeriesSplit`, which never tests on the oldest examples.
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
        let (samples, groups) = (splits.into_iter().enumerate().map(sample).collect(), all.groups());
        Ok(Self { samples, all, folds: Some((folds, repeats)), dropped: Vec::new(), groups })
    }

    /// Removes examples from the training part of every sample, for example suspected label errors. Test examples stay as they
    /// are. Held out before, validation examples stay, too.
    ///
    /// # Errors
    /// Returns an error if no training example of a class is left.
    pub fn drop_from_training(mut self, rows: &[usize]) -> Result<Self, ExperimentError> {
        let dropped: BTreeSet<usize> = rows.iter().copied().collect();
        let mut is_dropped = vec![false; self.all.len()];
        for sample in &mut self.samples {
            let (left, without) = sample.train.iter().partition(|row| !dropped.contains(row));
            let (train, without): (Vec<usize>, Vec<usize>) = (left, without);
            let class = |row: &usize| self.all.examples[*row].target.class();
            let classes: BTreeSet<Option<usize>> = train.iter().map(class).collect();
            if let Some(class) = without.iter().map(class).find(|class| !classes.contains(class)) {
                let name = class.and_then(|class| self.all.classes.names().get(class));
                return Err(ExperimentError::DroppedClass { class: name.cloned().unwrap_or_default() });
            }
            without.iter().for_each(|&row| is_dropped[row] = true);
            sample.train = train;
        }
        self.dropped = (0..is_dropped.len()).filter(|&row| is_dropped[row]).collect();
        Ok(self)
    }

    /// Moves a stratified part of the training examples of every sample to its validation examples. Groups and equal texts stay
    /// together. If the examples have times, the validation examples are the newest ones.
    ///
    /// # Errors
    /// As [`split_targets`] and [`time_train_test_split`].
    pub fn hold_out(mut self, size: TestSize, seed: u32) -> Result<Self, ExperimentError> {
        for sample in &mut self.samples {
            if let Some(times) = self.all.times_of(sample.train.iter().copied()) {
                let split = time_train_test_split(&times, size)?;
                let of = |part: Vec<usize>| part.into_iter().map(|index| sample.train[index]).collect::<Vec<_>>();
                let (train, validation) = (of(split.train), of(split.test));
                (sample.train, sample.validation) = (train, validation);
                continue;
            }
            let groups = groups_of(&self.all, self.groups.as_deref(), &sample.train);
            let (train, validation) = split(&self.all, &sample.train, groups.as_deref(), size, seed)?;
            (sample.train, sample.validation) = (train, validation);
        }
        Ok(self)
    }

    /// Returns the largest training size that every sample has.
    pub fn largest(&self) -> usize {
        self.samples.iter().map(|sample| sample.train.len()).min().unwrap_or(0)
    }

    /// Returns a stratified draw of `size` training examples of a sample, or all of them in their order.
    ///
    /// # Errors
    /// Returns an error if `size` is less than the number of classes.
    pub(crate) fn draw(&self, sample: &Sample, size: usize, seed: u32) -> Result<Vec<usize>, ExperimentError> {
        match sample.train.len() {
            all if size >= all || size == self.largest() => Ok(sample.train.clone()),
            // The examples that are left out are not used, so groups and equal texts need not stay together.
            all => Ok(split(&self.all, &sample.train, None, TestSize::Count(all - size), seed)?.0),
        }
    }

    /// Returns the time of the oldest test example of each sample, if the examples have times.
    pub fn test_from(&self) -> Vec<Time> {
        let oldest = |sample: &Sample| self.all.times_of(sample.test.iter().copied())?.into_iter().min();
        self.samples.iter().filter_map(oldest).collect()
    }

    /// Returns the number of examples that stay with an earlier one in a split, because their texts are equal or nearly equal.
    pub fn repeated_texts(&self) -> usize {
        let groups = match (&self.groups, self.all.near_duplicates.is_some() && self.all.group_column.is_none()) {
            (Some(groups), true) => groups.clone(),
            _ => self.all.text_groups(),
        };
        groups.len() - groups.iter().max().map_or(0, |last| last + 1)
    }

    /// Returns the groups of rows that stay together in a split, numbered from 0; `None` if every row is alone.
    pub(crate) fn groups_of(&self, rows: &[usize]) -> Option<Vec<usize>> {
        groups_of(&self.all, self.groups.as_deref(), rows)
    }

    /// Returns the groups of rows whose examples depend on each other, as the user says by naming a column; they are numbered from 0.
    pub(crate) fn clusters(&self, rows: &[usize]) -> Option<Vec<usize>> {
        let groups = self.groups.as_ref().filter(|_| self.all.group_column.is_some());
        groups.map(|groups| numbers(groups, rows))
    }

    /// Returns the targets of rows.
    pub(crate) fn targets(&self, rows: &[usize]) -> Targets {
        self.all.targets_of(rows)
    }

    /// Returns the target of a row.
    pub(crate) fn target(&self, row: usize) -> &Target {
        &self.all.examples[row].target
    }

    /// Returns the names of the outputs of a model: the classes or labels, or the one that transformers gives a regression.
    pub(crate) fn outputs(&self) -> Vec<String> {
        match self.all.task {
            Task::Regression => vec!["LABEL_0".into()],
            _ => self.all.classes.names().to_vec(),
        }
    }

    /// Returns what is predicted.
    pub(crate) fn kind(&self) -> TargetKind {
        target_kind(self.all.task)
    }

    /// Returns the texts of rows, each with the second one of a pair.
    pub(crate) fn texts(&self, rows: &[usize]) -> Vec<(&str, Option<&str>)> {
        let examples = rows.iter().map(|&row| &self.all.examples[row]);
        examples.map(|example| (example.text.as_str(), example.text_pair.as_deref())).collect()
    }

    /// Returns the texts of rows for baselines, which know no pairs: a space joins the texts of a pair.
    pub(crate) fn joined_texts(&self, rows: &[usize]) -> Vec<Cow<'_, str>> {
        let joined = |(text, text_pair): (_, Option<&str>)| match text_pair {
            Some(text_pair) => Cow::Owned(format!("{text} {text_pair}")),
            None => Cow::Borrowed(text),
        };
        self.texts(rows).into_iter().map(joined).collect()
    }
}

/// Returns the groups of some rows that stay together in a split; `None` if every row is alone. `groups` are those of all rows.
fn groups_of(all: &Dataset, groups: Option<&[usize]>, rows: &[usize]) -> Option<Vec<usize>> {
    if all.group_column.is_some() || all.near_duplicates.is_some() {
        return groups.map(|groups| numbers(groups, rows));
    }
    let texts = all.text_groups_of(rows.iter().copied());
    texts.iter().enumerate().any(|(place, &group)| place != group).then_some(texts)
}

/// Returns the groups of some rows, numbered without gaps.
fn numbers(groups: &[usize], rows: &[usize]) -> Vec<usize> {
    group_numbers(&rows.iter().map(|&row| groups[row]).collect::<Vec<_>>())
}

/// Splits rows into two stratified parts, which keep the groups of rows together if there are any.
fn split(
    all: &Dataset,
    rows: &[usize],
    groups: Option<&[usize]>,
    test: TestSize,
    seed: u32,
) -> Result<(Vec<usize>, Vec<usize>), ExperimentError> {
    let parts = split_targets(&all.targets_of(rows), groups, test, seed, true);
    let parts = parts.map_err(|error| all.name_class(error))?;
    let of = |part: Vec<usize>| part.into_iter().map(|index| rows[index]).collect();
    Ok((of(parts.train), of(parts.test)))
}
