//! A linear head on sentence embeddings: which layers it reads, and its weights.

use burn::module::Param;
use burn::tensor::{Device, Tensor, TensorData};
use rekindle_baseline::{BaselineError, DenseRows, LogisticOptions, LogisticRegression, Ridge, RidgeOptions};
use rekindle_data::Targets;
use rekindle_encoders::{Embedding, Encoder, EncoderConfig, SentenceClassifier};
use rekindle_metrics::LogitScaling;
use rekindle_train::{Stop, TrainError};

use crate::learner::count;

/// The last layers of an encoder, whose hidden states are averaged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Layers {
    Last(usize),
    All,
}

impl Default for Layers {
    fn default() -> Self {
        Self::Last(1)
    }
}

impl Layers {
    /// Parses `last`, `lastN` or `all`.
    pub(crate) fn parse(value: &str) -> Result<Self, String> {
        match value.strip_prefix("last") {
            Some("") => Ok(Self::Last(1)),
            Some(number) => Ok(Self::Last(count(number)?)),
            None if value == "all" => Ok(Self::All),
            None => Err("expected layers=last, layers=lastN or layers=all".into()),
        }
    }

    /// Returns how many layers of a model that is.
    pub(crate) fn count(self, config: &EncoderConfig) -> usize {
        match self {
            Self::Last(count) => count,
            Self::All => config.num_hidden_layers,
        }
    }

    /// Returns an error if a model has fewer layers.
    pub(crate) fn check(self, config: &EncoderConfig) -> Result<(), TrainError> {
        let layers = self.count(config);
        if layers > config.num_hidden_layers {
            let reason = format!("{layers} layers are to be averaged, but the model has {}", config.num_hidden_layers);
            return Err(TrainError::Argument { argument: "layers", reason });
        }
        Ok(())
    }
}

/// A linear head that was fitted to embeddings.
pub(crate) enum LinearHead {
    /// The scores of all classes.
    Classes(LogisticRegression),
    /// One regression per label, of its absence and its presence.
    Labels(Vec<LogisticRegression>),
    /// The regression of a number.
    Value(Ridge),
}

impl LinearHead {
    /// Fits a head to rows of embeddings and their targets. `weights` are those of the classes or of the positive examples of each
    /// label, and `c` is the inverse strength of regularization. A requested stop is an error.
    pub(crate) fn fit(
        rows: &DenseRows,
        targets: &Targets,
        classes: usize,
        weights: Option<&[f64]>,
        c: f64,
        stop: &Stop,
    ) -> Result<Self, BaselineError> {
        let options = LogisticOptions { c, stop: Some(stop.flag()), ..LogisticOptions::default() };
        let fit = |labels: &[usize], classes, weights: Option<&[f64]>| match LogisticRegression::fit(
            rows, labels, classes, weights, &options,
        ) {
            Err(BaselineError::OneClass { class }) => Ok(LogisticRegression::constant(class, classes, rows.columns())),
            regression => regression,
        };
        match targets {
            Targets::Classes(labels) => fit(labels, classes, weights).map(Self::Classes),
            Targets::Labels { values, labels } => {
                let of = |label: usize| {
                    let column = values.iter().skip(label).step_by(*labels);
                    let column: Vec<usize> = column.map(|&has| usize::from(has)).collect();
                    let weights = weights.map(|weights| [1.0, weights[label]]);
                    fit(&column, 2, weights.as_ref().map(|weights| &weights[..]))
                };
                (0..*labels).map(of).collect::<Result<_, _>>().map(Self::Labels)
            }
            Targets::Values(values) => {
                let options = RidgeOptions { alpha: 1.0 / c, stop: Some(stop.flag()), ..RidgeOptions::default() };
                Ridge::fit(rows, values, &options).map(Self::Value)
            }
        }
    }

    /// Returns the logits of rows, row-major `[rows, outputs]`.
    pub(crate) fn logits(&self, rows: &DenseRows) -> Vec<f32> {
        let logits = match self {
            Self::Classes(regression) => regression.scores(rows),
            Self::Value(ridge) => ridge.predictions(rows),
            Self::Labels(regressions) => {
                let mut logits = vec![0.0; rows.len() * regressions.len()];
                for (label, regression) in regressions.iter().enumerate() {
                    let into = logits.iter_mut().skip(label).step_by(regressions.len());
                    into.zip(regression.scores(rows).chunks(2)).for_each(|(into, both)| *into = both[1] - both[0]);
                }
                logits
            }
        };
        logits.into_iter().map(|logit| logit as f32).collect()
    }

    /// Returns the coefficients and the intercept of each output.
    fn weights(&self) -> Vec<(Vec<f64>, f64)> {
        match self {
            Self::Classes(regression) => {
                let classes = regression.intercepts().len();
                let columns = regression.coefficients().len() / classes.max(1);
                let rows = regression.coefficients().chunks(columns.max(1)).map(<[f64]>::to_vec);
                rows.zip(regression.intercepts().iter().copied()).collect()
            }
            Self::Labels(regressions) => {
                let difference = |both: &[f64], columns: usize| -> Vec<f64> {
                    (0..columns).map(|column| both[columns + column] - both[column]).collect()
                };
                let of = |regression: &LogisticRegression| {
                    let columns = regression.coefficients().len() / 2;
                    (difference(regression.coefficients(), columns), difference(regression.intercepts(), 1)[0])
                };
                regressions.iter().map(of).collect()
            }
            Self::Value(ridge) => vec![(ridge.coefficients().to_vec(), ridge.intercept())],
        }
    }

    /// Returns an encoder with this head on its embeddings.
    pub(crate) fn on(
        &self,
        encoder: Encoder,
        embedding: Embedding,
        config: &EncoderConfig,
        device: &Device,
    ) -> SentenceClassifier {
        let mut model = SentenceClassifier::new(encoder, embedding, config, device);
        let (dim, outputs) = (config.hidden_size, config.num_labels());
        let weights = self.weights();
        let weight: Vec<f32> =
            (0..dim).flat_map(|column| weights.iter().map(move |(of, _)| of[column] as f32)).collect();
        let bias: Vec<f32> = weights.iter().map(|(_, intercept)| *intercept as f32).collect();
        let head = &mut model.classifier;
        head.weight = Param::from_tensor(Tensor::from_data(TensorData::new(weight, [dim, outputs]), device));
        head.bias = Some(Param::from_tensor(Tensor::from_data(TensorData::new(bias, [outputs]), device)));
        model
    }
}

/// Returns a classifier with scaled logits.
pub(crate) fn scaled(model: SentenceClassifier, scaling: Option<&LogitScaling>) -> SentenceClassifier {
    match scaling {
        Some(LogitScaling { weights, biases }) => model.with_scaled_logits(weights, biases),
        None => model,
    }
}
