//! The linear probe: logistic regression on the embeddings of the frozen encoder.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::time::Instant;

use burn::module::Module;
use burn::tensor::Device;
use rekindle_baseline::{BaselineError, DenseRows, LogisticOptions, Validation, cross_validate};
use rekindle_data::{Mt19937, Targets, Task, fold_targets};
use rekindle_encoders::{Embedding, Encoder, EncoderConfig, Pooling};
use rekindle_metrics::LogitScaling;
use rekindle_results::RunRecord;
use rekindle_train::{EncodedDataset, Stop, TrainError};

use super::sentence_head::{Layers, LinearHead, scaled};
use crate::embeddings::{Embeddings, Request};
use crate::error::ExperimentError;
use crate::learner::{Fitted, Kind, Learner, Predictor, count, positive, unknown_option};
use crate::progress::Observer;
use crate::run_context::RunContext;
use crate::run_spec::RunSpec;
use crate::sampling::Sample;
use crate::trained_model::TrainedModel;

/// The values of C that are compared, two per power of ten.
const VALUES_OF_C: [f64; 9] = [0.1, 0.316_227_766, 1.0, 3.162_277_66, 10.0, 31.622_776_6, 100.0, 316.227_766, 1000.0];
/// The value without a choice: if a class has a single example, nothing can be held out.
const USUAL_C: f64 = 10.0;
/// The value at which embeddings are compared. Smaller ones are too small for averages of layers, which are closer together. On
/// draws of 8 and 64 sentences per class of three data sets, the choice was that of all values.
const COMPARED_C: f64 = 31.622_776_6;
/// The layers whose average is compared with the last layer alone.
const AVERAGED: usize = 4;
/// Most training examples on which embeddings and C are compared: inner folds hold out all of them, so that the standard error of an
/// accuracy is at most 0.5 points. It bounds time and memory.
const COMPARED_EXAMPLES: usize = 10_000;
/// Most memory for the compared embeddings of all examples, as for the features of a frozen encoder.
const MOST_BYTES: usize = 1 << 30;
/// Inner folds; fewer if a class has fewer examples or groups.
const FOLDS: usize = 5;

/// Options of the probe.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Probe {
    /// The pooling; absent for that of the checkpoint, or the better one of both by inner folds.
    pooling: Option<Pooling>,
    /// The number of layers that are averaged; absent for the better one of the last layer and the last four by inner folds.
    layers: Option<Layers>,
    /// The inverse strength of regularization; absent for the best one by inner folds.
    c: Option<f64>,
    /// How many training examples the name of each class counts as.
    names: usize,
}

impl Probe {
    pub(crate) const KIND: Kind = Kind {
        names: &["probe"],
        parse: |name| (name == "probe").then(|| (name.into(), Box::new(Self::default()) as Box<dyn Learner>)),
    };

    /// Returns the numbers of layers that are compared.
    fn layers(&self, config: &EncoderConfig) -> Vec<usize> {
        match self.layers {
            Some(layers) => vec![layers.count(config)],
            None if config.num_hidden_layers == 1 => vec![1],
            None => vec![1, AVERAGED.min(config.num_hidden_layers)],
        }
    }

    /// Returns the poolings that are compared. The first is used unless the other is clearly better.
    fn poolings(&self, context: &RunContext<'_>) -> Result<Vec<Pooling>, ExperimentError> {
        if let Some(pooling) = self.pooling {
            return Ok(vec![pooling]);
        }
        let modules = context.pretrained.modules()?;
        Ok(modules.map_or_else(|| vec![Pooling::Mean, Pooling::Cls], |modules| vec![modules.embedding.pooling]))
    }

    /// Returns the best candidate and C by inner folds of the training examples: the candidate at one value of C, then the value
    /// for that candidate. The names of the classes, which are last, are fitted in all folds. Examples of a group are in one fold.
    fn choose(
        &self,
        candidates: &[(Embedding, DenseRows)],
        (labels, groups): (&[usize], Option<&[usize]>),
        classes: usize,
        class_weights: Option<&[f64]>,
        (seed, stop): (u64, &Stop),
    ) -> Result<(usize, f64), BaselineError> {
        let grid = self.c.map_or_else(|| VALUES_OF_C.to_vec(), |c| vec![c]);
        let examples = labels.len() - self.names * classes;
        let mut folds = inner_folds(&labels[..examples], groups, seed);
        folds.iter_mut().for_each(|(fitted, _)| fitted.extend(examples..labels.len()));
        let has_classes = labels.windows(2).any(|pair| pair[0] != pair[1]);
        if folds.is_empty() || !has_classes {
            return Ok((0, self.c.unwrap_or(USUAL_C)));
        }
        let options = LogisticOptions { stop: Some(stop.flag()), ..LogisticOptions::default() };
        let validate = |place: usize, grid: &[f64]| {
            let found = cross_validate(&candidates[place].1, labels, classes, class_weights, &folds, grid, &options)?;
            Ok(found.into_iter().reduce(|best, other| if other.is_better_than(&best) { other } else { best }))
        };
        let place = if candidates.len() == 1 {
            0
        } else {
            let at = [self.c.unwrap_or(COMPARED_C)];
            better(candidates, examples, |place| validate(place, &at))?
        };
        let best = if grid.len() == 1 { None } else { validate(place, &grid)? };
        Ok((place, best.map_or(grid[0], |best| best.c)))
    }

    /// Returns the candidate and C with the smallest squared error over inner folds of the training examples.
    fn choose_of_values(
        &self,
        candidates: &[(Embedding, DenseRows)],
        (values, groups): (&[f64], Option<&[usize]>),
        (seed, stop): (u64, &Stop),
    ) -> Result<(usize, f64), BaselineError> {
        let grid = self.c.map_or_else(|| VALUES_OF_C.to_vec(), |c| vec![c]);
        let targets = Targets::Values(values.to_vec());
        let folds = FOLDS.min(groups.map_or(values.len(), distinct));
        let folds = fold_targets(&targets, groups, folds, 1, seed as u32).unwrap_or_default();
        let mut best = (f64::INFINITY, 0, self.c.unwrap_or(USUAL_C));
        for (place, (_, rows)) in candidates.iter().enumerate() {
            for &c in &grid {
                let mut squared = 0.0;
                for fold in &folds {
                    let (train, train_targets) = (rows.select(&fold.train), targets.select(&fold.train));
                    let head = LinearHead::fit(&train, &train_targets, 1, None, c, stop)?;
                    let predicted = head.logits(&rows.select(&fold.test));
                    let errors = predicted.iter().zip(&fold.test).map(|(value, &row)| f64::from(*value) - values[row]);
                    squared += errors.map(|error| error * error).sum::<f64>();
                }
                if !folds.is_empty() && squared < best.0 {
                    best = (squared, place, c);
                }
            }
        }
        Ok((best.1, best.2))
    }

    /// Embeds the names of the classes as texts that are numbered behind the examples. Returns their numbers, as often as they
    /// count.
    fn embed_names(
        &self,
        context: &mut RunContext<'_>,
        Request { poolings, layers, .. }: Request<'_>,
    ) -> Result<Vec<usize>, ExperimentError> {
        if self.names == 0 {
            return Ok(Vec::new());
        }
        let words: Vec<String> =
            context.sampling.all.classes.names().iter().map(|name| name.replace('_', " ")).collect();
        let texts: Vec<&str> = words.iter().map(String::as_str).collect();
        let ids = context.pretrained.tokenizer.encode_all(&texts, context.settings.max_length)?;
        let rows: Vec<usize> = (0..texts.len()).collect();
        let names = EncodedDataset::new(ids, rows.clone(), texts.len()).map_err(ExperimentError::Examples)?;
        let request = Request { poolings, layers, rows: &rows };
        let (size, encoder) = (context.settings.arguments.per_device_eval_batch_size, context.model.encoder());
        let (mut embeddings, mut progress) = (Embeddings::default(), |_, _| ControlFlow::Continue(()));
        embeddings
            .compute(&encoder, &context.config, &names, &request, (size, context.device), &mut progress)
            .map_err(ExperimentError::Examples)?;
        let first = context.examples.len();
        context.embeddings.extend(embeddings, first);
        Ok(std::iter::repeat_n(first..first + texts.len(), self.names).flatten().collect())
    }
}

/// Returns the candidate of the highest accuracy, and of the smallest loss among equals. Another pooling is compared with the better
/// number of layers, and must be better by more than the standard error of the accuracy, because the mean is better for most
/// encoders, and few examples cannot tell.
fn better(
    candidates: &[(Embedding, DenseRows)],
    examples: usize,
    validate: impl Fn(usize) -> Result<Option<Validation>, BaselineError>,
) -> Result<usize, BaselineError> {
    let mut best: Option<(usize, Validation)> = None;
    for (place, (embedding, _)) in candidates.iter().enumerate() {
        let is_another = |other: usize| candidates[other].0.pooling != embedding.pooling;
        if best.is_some_and(|(other, _)| is_another(other) && candidates[other].0.layers != embedding.layers) {
            continue;
        }
        let Some(found) = validate(place)? else { continue };
        let is_better = best.is_none_or(|(other, best)| {
            if is_another(other) {
                let error = (best.accuracy * (1.0 - best.accuracy) / examples as f64).sqrt();
                return found.accuracy > best.accuracy + error;
            }
            found.is_better_than(&best)
        });
        if is_better {
            best = Some((place, found));
        }
    }
    Ok(best.map_or(0, |(place, _)| place))
}

/// Returns an error if a class has a name without letters, such as a number, which says nothing about its texts.
fn check_names(names: &[String]) -> Result<(), TrainError> {
    match names.iter().find(|name| !name.chars().any(char::is_alphabetic)) {
        None => Ok(()),
        Some(name) => {
            let reason = format!("the name of class `{name}` has no letters; name the classes in words");
            Err(TrainError::Argument { argument: "names", reason })
        }
    }
}

/// Returns the training examples on which embeddings and C are compared: all, or many, of which runs over the same examples have mostly
/// the same ones.
fn compared_rows(train: &[usize], examples: usize, seed: u64) -> Vec<usize> {
    if train.len() <= COMPARED_EXAMPLES {
        return train.into();
    }
    let mut places = vec![0; examples];
    let order = Mt19937::new(seed as u32).permutation(examples);
    order.into_iter().enumerate().for_each(|(place, row)| places[row] = place);
    let mut first: Vec<usize> = train.into();
    first.sort_unstable_by_key(|&row| places[row]);
    let first: BTreeSet<usize> = first.into_iter().take(COMPARED_EXAMPLES).collect();
    train.iter().copied().filter(|row| first.contains(row)).collect()
}

/// Returns the rows to fit and the rows that are held out of each inner fold; none if a class has a single example or group.
fn inner_folds(labels: &[usize], groups: Option<&[usize]>, seed: u64) -> Vec<(Vec<usize>, Vec<usize>)> {
    let mut members: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (row, &label) in labels.iter().enumerate() {
        members.entry(label).or_default().push(groups.map_or(row, |groups| groups[row]));
    }
    let least = members.values().map(|groups| distinct(groups)).min().unwrap_or(0);
    let targets = Targets::Classes(labels.to_vec());
    let splits = fold_targets(&targets, groups, FOLDS.min(least), 1, seed as u32).unwrap_or_default();
    splits.into_iter().map(|split| (split.train, split.test)).collect()
}

/// Returns the number of different groups.
fn distinct(groups: &[usize]) -> usize {
    groups.iter().collect::<BTreeSet<_>>().len()
}

impl Learner for Probe {
    fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        match key {
            "C" => self.c = Some(positive(value)?),
            "pooling" => {
                self.pooling = Some(match value {
                    "cls" => Pooling::Cls,
                    "mean" => Pooling::Mean,
                    _ => return Err("expected pooling=cls or pooling=mean".into()),
                });
            }
            "layers" => self.layers = Some(Layers::parse(value)?),
            "names" => self.names = count(value)?,
            _ => return Err(unknown_option(key, "C, layers, names and pooling")),
        }
        Ok(())
    }

    /// Seeds only draw inner folds; one draw is enough.
    fn is_seeded(&self) -> bool {
        false
    }

    fn is_quick(&self) -> bool {
        true
    }

    /// The coefficients and intercepts of the head are trained.
    fn parameters(&self, context: &RunContext<'_>) -> Result<[usize; 2], TrainError> {
        let config = &context.config;
        self.layers.map_or(Ok(()), |layers| layers.check(config))?;
        if self.names > 0 && !context.sampling.all.task.has_classes() {
            let reason = format!("a task of {} has no classes with names", context.sampling.all.task);
            return Err(TrainError::Argument { argument: "names", reason });
        }
        if self.names > 0 {
            context.refuse_pairs("names", "the name of a class is one text")?;
            check_names(context.sampling.all.classes.names())?;
        }
        Ok([config.num_labels() * (config.hidden_size + 1), self.saved_parameters(context)])
    }

    fn saved_parameters(&self, context: &RunContext<'_>) -> usize {
        let config = &context.config;
        context.model.encoder().num_params() + config.num_labels() * (config.hidden_size + 1)
    }

    fn cost(&self, _: &RunContext<'_>, spec: &RunSpec) -> f64 {
        (spec.size + spec.rows.test.len()) as f64
    }

    fn fit(
        &self,
        context: &mut RunContext<'_>,
        spec: &RunSpec,
        observer: &mut Observer<'_>,
    ) -> Result<Fitted, ExperimentError> {
        let began = Instant::now();
        let Sample { train, validation, test, .. } = &*spec.rows;
        let (task, dim) = (context.sampling.all.task, context.config.hidden_size);
        let (mut poolings, mut layers) = (self.poolings(context)?, self.layers(&context.config));
        if task == Task::MultiLabel {
            // One regression per label: an inner search would fit hundreds.
            (poolings, layers) = (poolings[..1].into(), layers[layers.len() - 1..].into());
        }
        let all: Vec<usize> = [train, validation, test].into_iter().flatten().copied().collect();
        let compared = compared_rows(train, context.examples.len(), spec.seed);
        // One pass embeds all, if that fits; otherwise a second one embeds what is chosen.
        let bytes = size_of::<f32>() * dim * poolings.len() * layers.len() * context.examples.len();
        let rows = if compared.len() < train.len() && bytes > MOST_BYTES { &compared } else { &all };
        let request = Request { poolings: &poolings, layers: &layers, rows };
        context.embed(&request, observer).map_err(|source| spec.failed(source))?;
        let names = self.embed_names(context, request)?;

        let of = |pooling| layers.iter().map(move |&layers| Embedding { pooling, layers, normalize: true });
        let embeddings = poolings.iter().flat_map(|&pooling| of(pooling));
        let with_names = |rows: &[usize]| rows.iter().chain(&names).copied().collect::<Vec<_>>();
        let fitted = with_names(&compared);
        let candidates: Vec<(Embedding, DenseRows)> =
            embeddings.map(|embedding| (embedding, context.embeddings.rows(embedding, &fitted, dim))).collect();
        let classes = context.config.num_labels();
        let targets = |rows: &[usize]| {
            let mut targets = context.sampling.targets(rows);
            if let Targets::Classes(labels) = &mut targets {
                labels.extend(names.iter().map(|name| name - context.examples.len()));
            }
            targets
        };
        let (weights, groups) = (context.class_weights(train), context.sampling.clusters(&compared));
        let (groups, stop) = (groups.as_deref(), context.stop());
        let (place, c) = match &targets(&compared) {
            Targets::Classes(labels) => {
                self.choose(&candidates, (labels, groups), classes, weights.as_deref(), (spec.seed, &stop))?
            }
            Targets::Values(values) => self.choose_of_values(&candidates, (values, groups), (spec.seed, &stop))?,
            Targets::Labels { .. } => (0, self.c.unwrap_or(USUAL_C)),
        };
        let (embedding, targets) = (candidates[place].0, targets(train));
        drop(candidates);
        let request = Request { poolings: &[embedding.pooling], layers: &[embedding.layers], rows: &all };
        context.embed(&request, observer).map_err(|source| spec.failed(source))?;
        let rows = context.embeddings.rows(embedding, &with_names(train), dim);
        let head = LinearHead::fit(&rows, &targets, classes, weights.as_deref(), c, &stop)?;

        let mut record = RunRecord::default();
        record.train_seconds = began.elapsed().as_secs_f64();
        let pooling = if embedding.pooling == Pooling::Cls { "cls" } else { "mean" };
        let layers = embedding.layers.to_string();
        record.hyperparameters = [("C", c.to_string()), ("layers", layers), ("pooling", pooling.into())]
            .map(|(name, value)| (name.to_string(), value))
            .into();
        let predictor = Probed {
            config: context.config.clone(),
            encoder: context.model.encoder(),
            device: context.device.clone(),
            embedding,
            head,
        };
        Ok(Fitted { predictor: Box::new(predictor), record })
    }
}

/// A fitted probe.
struct Probed {
    config: EncoderConfig,
    encoder: Encoder,
    device: Device,
    embedding: Embedding,
    head: LinearHead,
}

impl Predictor for Probed {
    fn logits(
        &self,
        context: &RunContext<'_>,
        rows: &[usize],
        _: &mut Observer<'_>,
    ) -> Result<Vec<f32>, ExperimentError> {
        let embeddings = context.embeddings.rows(self.embedding, rows, self.config.hidden_size);
        Ok(self.head.logits(&embeddings))
    }

    fn into_model(self: Box<Self>, scaling: Option<&LogitScaling>) -> Result<Option<TrainedModel>, ExperimentError> {
        let Self { config, encoder, device, embedding, head } = *self;
        let model = scaled(head.on(encoder, embedding, &config, &device), scaling);
        Ok(Some(TrainedModel::sentence(config, model)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of length 1 around two directions, or without any structure.
    fn rows(labels: &[usize], noise: f64) -> DenseRows {
        let row = |(place, label): (usize, &usize)| {
            let angle = *label as f64 * 1.2 + noise * ((place * 7919 % 101) as f64 / 101.0 - 0.5);
            [angle.cos(), angle.sin()]
        };
        DenseRows::new(labels.iter().enumerate().flat_map(row).collect(), 2)
    }

    fn embedding(pooling: Pooling, layers: usize) -> Embedding {
        Embedding { pooling, layers, normalize: true }
    }

    #[test]
    fn another_pooling_must_be_clearly_better() {
        let labels: Vec<usize> = (0..20).map(|row| row % 2).collect();
        let choose = |noises: [f64; 2], poolings: [Pooling; 2]| {
            let candidates: Vec<(Embedding, DenseRows)> = noises
                .iter()
                .zip(poolings)
                .map(|(noise, pooling)| (embedding(pooling, 1), rows(&labels, *noise)))
                .collect();
            Probe::default().choose(&candidates, (&labels, None), 2, None, (42, &Stop::default())).expect("chosen").0
        };
        let (mean, cls) = (Pooling::Mean, Pooling::Cls);
        assert_eq!(choose([9.0, 0.1], [mean, cls]), 1, "noise against two clear classes");
        assert_eq!(choose([0.1, 0.2], [mean, cls]), 0, "both are right");
        // Of one pooling, the smaller loss decides.
        assert_eq!(choose([1.0, 0.1], [mean, mean]), 1);
    }

    #[test]
    fn without_rows_to_hold_out_the_usual_value_is_taken() {
        let labels = [0, 1, 1];
        let candidates = [(embedding(Pooling::Mean, 1), rows(&labels, 0.1))];
        let probe = Probe::default();
        assert_eq!(
            probe.choose(&candidates, (&labels, None), 2, None, (42, &Stop::default())).expect("chosen"),
            (0, USUAL_C)
        );
        let fixed = Probe { c: Some(3.0), ..probe };
        assert_eq!(
            fixed.choose(&candidates, (&labels, None), 2, None, (42, &Stop::default())).expect("chosen"),
            (0, 3.0)
        );
        let same = [1, 1, 1];
        assert_eq!(
            probe.choose(&candidates, (&same, None), 2, None, (42, &Stop::default())).expect("chosen"),
            (0, USUAL_C)
        );
    }

    #[test]
    fn names_are_not_held_out() {
        let labels = [0, 1, 0, 1, 0, 1];
        let candidates = [(embedding(Pooling::Mean, 1), rows(&labels, 0.1))];
        let probe = Probe { names: 2, ..Probe::default() };
        // A single example of each class is left.
        assert_eq!(
            probe.choose(&candidates, (&labels, None), 2, None, (42, &Stop::default())).expect("chosen"),
            (0, USUAL_C)
        );
        assert_eq!(
            Probe { names: 1, ..probe }
                .choose(&candidates, (&labels, None), 2, None, (42, &Stop::default()))
                .expect("chosen")
                .0,
            0
        );
    }

    #[test]
    fn embeddings_are_compared_on_a_part_of_many_examples() {
        assert_eq!(compared_rows(&[7, 3, 5], 9, 42), [7, 3, 5]);
        let examples = 3 * COMPARED_EXAMPLES;
        let [one, other] = [1, 2].map(|fold| (0..examples).filter(|row| row % 3 != fold).collect::<Vec<_>>());
        let [first, second] = [&one, &other].map(|train| compared_rows(train, examples, 42));
        assert!(first.len() == COMPARED_EXAMPLES && first.iter().all(|row| one.contains(row)) && first.is_sorted());
        let common = first.iter().filter(|row| second.contains(row)).count();
        // Half of the examples of a fold are in the other one, too.
        assert!(common.abs_diff(COMPARED_EXAMPLES / 2) < COMPARED_EXAMPLES / 20, "{common}");
    }

    #[test]
    fn groups_are_in_one_inner_fold() {
        let labels: Vec<usize> = (0..24).map(|row| row / 3 % 2).collect();
        let groups: Vec<usize> = (0..24).map(|row| row / 4).collect();
        let folds = inner_folds(&labels, Some(&groups), 42);
        assert_eq!(folds.len(), FOLDS.min(6));
        for (fitted, held) in folds {
            assert!(fitted.iter().all(|&row| held.iter().all(|&other| groups[row] != groups[other])));
        }
        assert!(inner_folds(&[0, 0, 1, 1], Some(&[0, 0, 1, 1]), 42).is_empty());
    }

    #[test]
    fn names_are_words() {
        let names = |names: &[&str]| check_names(&names.iter().map(|name| String::from(*name)).collect::<Vec<_>>());
        assert!(names(&["good", "2nd_best"]).is_ok());
        assert!(names(&["good", "1"]).is_err_and(|error| error.to_string().contains("`1`")));
    }
}
