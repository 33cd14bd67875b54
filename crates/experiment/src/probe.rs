//! The linear probe: logistic regression on the embeddings of the frozen encoder.

use std::time::Instant;

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};
use rekindle_baseline::{BaselineError, DenseRows, LogisticOptions, LogisticRegression, Validation, cross_validate};
use rekindle_data::repeated_stratified_k_fold;
use rekindle_distilbert::{DistilBertConfig, DistilBertModel, Embedding, Pooling, SentenceClassifier};
use rekindle_results::RunRecord;
use rekindle_train::TrainError;

use crate::approach::{Fitted, Learner, Predictor, count, positive, unknown_option};
use crate::embeddings::Request;
use crate::error::ExperimentError;
use crate::progress::Progress;
use crate::run_context::RunContext;
use crate::run_spec::RunSpec;
use crate::trained_model::TrainedModel;

/// The values of C that are compared, two per power of ten.
const VALUES_OF_C: [f64; 9] = [0.1, 0.316_227_766, 1.0, 3.162_277_66, 10.0, 31.622_776_6, 100.0, 316.227_766, 1000.0];
/// The value without a choice: if a class has a single example, nothing can be held out.
const USUAL_C: f64 = 10.0;
/// Inner folds; fewer if a class has fewer examples.
const FOLDS: usize = 5;

/// Options of the probe.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Probe {
    /// The pooling; absent for that of the checkpoint, or the better one of both by inner folds.
    pooling: Option<Pooling>,
    /// The number of layers that are averaged.
    layers: Layers,
    /// The inverse strength of regularization; absent for the best one by inner folds.
    c: Option<f64>,
}

/// The last layers of an encoder.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Layers {
    Last(usize),
    All,
}

impl Default for Layers {
    fn default() -> Self {
        Self::Last(1)
    }
}

impl Probe {
    pub(crate) fn parse_name(name: &str) -> Option<(String, Box<dyn Learner>)> {
        (name == "probe").then(|| ("probe".into(), Box::new(Self::default()) as Box<dyn Learner>))
    }

    fn layers(&self, config: &DistilBertConfig) -> usize {
        match self.layers {
            Layers::Last(count) => count,
            Layers::All => config.n_layers,
        }
    }

    /// Returns the poolings that are compared.
    fn poolings(&self) -> Vec<Pooling> {
        self.pooling.map_or_else(|| vec![Pooling::Mean, Pooling::Cls], |pooling| vec![pooling])
    }

    /// Returns the best pooling and C by inner folds of the training examples.
    fn choose(
        &self,
        candidates: &[(Embedding, DenseRows)],
        labels: &[usize],
        classes: usize,
        class_weights: Option<&[f64]>,
        seed: u64,
    ) -> Result<(usize, f64), BaselineError> {
        let grid = self.c.map_or_else(|| VALUES_OF_C.to_vec(), |c| vec![c]);
        let folds = inner_folds(labels, classes, seed);
        if folds.is_empty() || candidates.len() * grid.len() == 1 {
            return Ok((0, self.c.unwrap_or(USUAL_C)));
        }
        let mut best: Option<(usize, Validation)> = None;
        for (place, (_, rows)) in candidates.iter().enumerate() {
            for found in cross_validate(rows, labels, classes, class_weights, &folds, &grid)? {
                if best.as_ref().is_none_or(|(_, best)| found.log_loss < best.log_loss) {
                    best = Some((place, found));
                }
            }
        }
        Ok(best.map_or((0, USUAL_C), |(place, found)| (place, found.c)))
    }
}

/// Returns the rows to fit and the rows that are held out of each inner fold; none if a class has a single example.
fn inner_folds(labels: &[usize], classes: usize, seed: u64) -> Vec<(Vec<usize>, Vec<usize>)> {
    let mut counts = vec![0; classes];
    labels.iter().for_each(|&label| counts[label] += 1);
    let least = counts.into_iter().filter(|&count| count > 0).min().unwrap_or(0);
    let splits = repeated_stratified_k_fold(labels, FOLDS.min(least), 1, seed as u32).unwrap_or_default();
    splits.into_iter().map(|split| (split.train, split.test)).collect()
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
            "layers" => {
                self.layers = match value.strip_prefix("last") {
                    Some("") => Layers::Last(1),
                    Some(number) => Layers::Last(count(number)?),
                    None if value == "all" => Layers::All,
                    None => return Err("expected layers=last, layers=lastN or layers=all".into()),
                };
            }
            _ => return Err(unknown_option(key, "C, layers and pooling")),
        }
        Ok(())
    }

    /// Seeds only draw inner folds; one draw is enough.
    fn is_seeded(&self) -> bool {
        false
    }

    /// The coefficients and intercepts of the head are trained.
    fn parameters(&self, context: &RunContext<'_>) -> Result<[usize; 2], TrainError> {
        let config = &context.config;
        let layers = self.layers(config);
        if layers > config.n_layers {
            let reason = format!("{layers} layers are to be averaged, but the model has {}", config.n_layers);
            return Err(TrainError::Argument { argument: "layers", reason });
        }
        Ok([config.num_labels() * (config.dim + 1), self.saved_parameters(context)])
    }

    fn saved_parameters(&self, context: &RunContext<'_>) -> usize {
        let config = &context.config;
        context.model.distilbert.num_params() + config.num_labels() * (config.dim + 1)
    }

    /// The examples are embedded once.
    fn cost(&self, _: &RunContext<'_>, spec: &RunSpec) -> f64 {
        spec.size as f64
    }

    fn fit(
        &self,
        context: &mut RunContext<'_>,
        spec: &RunSpec,
        observer: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Fitted, ExperimentError> {
        let (began, approach) = (Instant::now(), spec.approach(context.experiment));
        let (poolings, layers) = (self.poolings(), self.layers(&context.config));
        // With the test examples, which the same pass computes in full batches.
        let rows: Vec<usize> = spec.rows.train.iter().chain(&spec.rows.test).copied().collect();
        let request = Request { poolings: &poolings, layers, rows: &rows };
        context.embed(&request, observer).map_err(|source| approach.failed(source))?;

        let (train, dim) = (&spec.rows.train, context.config.dim);
        let candidate = |&pooling: &Pooling| {
            let embedding = Embedding { pooling, layers, normalize: true };
            (embedding, context.embeddings.rows(embedding, train, dim))
        };
        let candidates: Vec<(Embedding, DenseRows)> = poolings.iter().map(candidate).collect();
        let (labels, classes) = (context.sampling.labels(train), context.config.num_labels());
        let weights = context.class_weights(train);
        let (place, c) = self.choose(&candidates, &labels, classes, weights.as_deref(), spec.seed)?;
        let (embedding, rows) = &candidates[place];
        let options = LogisticOptions { c, ..LogisticOptions::default() };
        let regression = LogisticRegression::fit(rows, &labels, classes, weights.as_deref(), &options)?;

        let mut record = RunRecord::default();
        record.train_seconds = began.elapsed().as_secs_f64();
        let pooling = if embedding.pooling == Pooling::Cls { "cls" } else { "mean" };
        record.hyperparameters =
            [("C", format!("{c}")), ("pooling", pooling.into())].map(|(name, value)| (name.to_string(), value)).into();
        let predictor = Probed {
            config: context.config.clone(),
            encoder: context.model.distilbert.clone(),
            device: context.device.clone(),
            embedding: *embedding,
            regression,
        };
        Ok(Fitted { predictor: Box::new(predictor), record })
    }
}

/// A fitted probe.
struct Probed {
    config: DistilBertConfig,
    encoder: DistilBertModel,
    device: Device,
    embedding: Embedding,
    regression: LogisticRegression,
}

impl Predictor for Probed {
    fn logits(
        &self,
        context: &RunContext<'_>,
        rows: &[usize],
        _: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Vec<f32>, ExperimentError> {
        let embeddings = context.embeddings.rows(self.embedding, rows, self.config.dim);
        Ok(self.regression.scores(&embeddings).into_iter().map(|score| score as f32).collect())
    }

    fn into_model(self: Box<Self>) -> Option<TrainedModel> {
        let Self { config, encoder, device, embedding, regression, .. } = *self;
        let mut model = SentenceClassifier::new(encoder, embedding, &config, &device);
        let (dim, classes) = (config.dim, config.num_labels());
        let coefficients = regression.coefficients();
        let weight: Vec<f32> = (0..dim)
            .flat_map(|column| (0..classes).map(move |class| coefficients[class * dim + column] as f32))
            .collect();
        let bias: Vec<f32> = regression.intercepts().iter().map(|&intercept| intercept as f32).collect();
        let head = &mut model.classifier;
        head.weight = Param::from_tensor(Tensor::from_data(TensorData::new(weight, [dim, classes]), &device));
        head.bias = Param::from_tensor(Tensor::from_data(TensorData::new(bias, [classes]), &device));
        Some(TrainedModel::SentenceClassifier(config, model))
    }
}
