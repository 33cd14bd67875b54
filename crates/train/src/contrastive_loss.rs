//! Contrastive losses: functions of the embeddings of a batch and their targets.

use burn::tensor::activation::{log_softmax, relu};
use burn::tensor::{Device, Tensor, TensorData};
use rekindle_data::Targets;
use serde::{Deserialize, Serialize};

/// A loss that pulls the embeddings of a class together and pushes those of different classes apart, over all pairs of a
/// batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum ContrastiveLoss {
    /// The mean squared error between the cosine of a pair and its similarity: sentence-transformers' `CosineSimilarityLoss` over all
    /// pairs of the batch. The similarity is 1 within a class and 0 between classes; 1 for texts that share a label, as in
    /// SetFit, and 0 for others; and 1 minus the distance of two values between 0 and 1.
    #[default]
    Cosine,
    /// The supervised contrastive loss (Khosla et al., 2020, equation 2), averaged over the examples that share their class
    /// with another one.
    SupCon {
        /// Divides the cosines.
        temperature: f64,
    },
    /// The distance of each example from the farthest one of its class, minus that from the nearest one of another class, plus
    /// a margin, if positive (Hermans et al., 2017). sentence-transformers' `BatchHardTripletLoss`.
    Triplet {
        /// By how much another class should be farther away. Distances of normalised embeddings are at most 2.
        margin: f64,
    },
}

impl ContrastiveLoss {
    /// The supervised contrastive loss with the temperature of its paper, 0.07.
    pub const SUPCON: Self = Self::SupCon { temperature: 0.07 };
    /// The triplet loss with the margin of sentence-transformers, 5.
    pub const TRIPLET: Self = Self::Triplet { margin: 5.0 };

    /// Returns the loss of embeddings, `[examples, dim]`, which this L2-normalises, with the target of each example, as `[1]`. All
    /// losses but [`Cosine`](Self::Cosine) are made for classes: for them, only equal targets are of one class.
    pub fn of(self, embeddings: Tensor<2>, targets: &Targets) -> Tensor<1> {
        let pairs = Pairs { targets, device: embeddings.device().without_autodiff() };
        let embeddings = normalized(embeddings);
        let cosines = embeddings.clone().matmul(embeddings.transpose());
        match self {
            Self::Cosine => cosine(cosines, &pairs),
            Self::SupCon { temperature } => supcon(cosines, &pairs, temperature),
            Self::Triplet { margin } => triplet(cosines, &pairs, margin),
        }
    }
}

/// The pairs of examples of a batch.
struct Pairs<'a> {
    targets: &'a Targets,
    device: Device,
}

impl Pairs<'_> {
    /// Returns a constant matrix from the row and the column of each element.
    fn matrix(&self, value: impl Fn(usize, usize) -> f32) -> Tensor<2> {
        let size = self.targets.len();
        let values: Vec<f32> = (0..size * size).map(|index| value(index / size, index % size)).collect();
        Tensor::from_data(TensorData::new(values, [size, size]), &self.device)
    }

    fn similarity(&self, row: usize, column: usize) -> f32 {
        match self.targets {
            Targets::Classes(classes) => f32::from(classes[row] == classes[column]),
            Targets::Labels { .. } => {
                let mut both = self.targets.labels(row).iter().zip(self.targets.labels(column));
                f32::from(both.any(|(one, other)| *one && *other))
            }
            Targets::Values(values) => 1.0 - (values[row] - values[column]).abs() as f32,
        }
    }

    fn same_class(&self, row: usize, column: usize) -> bool {
        self.targets.get(row) == self.targets.get(column)
    }

    fn is_positive(&self, row: usize, column: usize) -> bool {
        row != column && self.same_class(row, column)
    }

    /// Returns how many other examples have the class of each example.
    fn positives(&self) -> Vec<usize> {
        let size = self.targets.len();
        (0..size).map(|row| (0..size).filter(|&column| self.is_positive(row, column)).count()).collect()
    }
}

fn cosine(cosines: Tensor<2>, pairs: &Pairs<'_>) -> Tensor<1> {
    let size = pairs.targets.len();
    let weight = ((size * size.saturating_sub(1)).max(1) as f32).recip();
    let targets = pairs.matrix(|row, column| pairs.similarity(row, column));
    // Every pair counts twice, in both orders.
    let weights = pairs.matrix(|row, column| if row == column { 0.0 } else { weight });
    ((cosines - targets).square() * weights).sum()
}

fn supcon(cosines: Tensor<2>, pairs: &Pairs<'_>, temperature: f64) -> Tensor<1> {
    // Far below every other logit, so that an example is not compared with itself.
    const EXCLUDED: f32 = -1e9;
    let positives = pairs.positives();
    let anchors = positives.iter().filter(|&&count| count > 0).count();
    let weights = pairs.matrix(|row, column| match pairs.is_positive(row, column) {
        true => ((positives[row] * anchors) as f32).recip(),
        false => 0.0,
    });
    let excluded = pairs.matrix(|row, column| if row == column { EXCLUDED } else { 0.0 });
    (log_softmax(cosines.div_scalar(temperature) + excluded, 1) * weights).sum().neg()
}

fn triplet(cosines: Tensor<2>, pairs: &Pairs<'_>, margin: f64) -> Tensor<1> {
    let distances = distances(cosines, pairs);
    let positive = pairs.matrix(|row, column| f32::from(pairs.is_positive(row, column)));
    let not_negative = pairs.matrix(|row, column| f32::from(pairs.same_class(row, column)));
    let farthest = (distances.clone() * positive).max_dim(1);
    // Adding the largest distance of the row keeps examples of the same class from being the nearest one.
    let nearest = (distances.clone() + distances.max_dim(1) * not_negative).min_dim(1);
    relu((farthest - nearest).add_scalar(margin)).mean()
}

/// Returns the Euclidean distances of normalised embeddings.
fn distances(cosines: Tensor<2>, pairs: &Pairs<'_>) -> Tensor<2> {
    let squares = cosines.mul_scalar(-2.0).add_scalar(2.0).clamp_min(0.0);
    // The derivative of the root is infinite at 0: the distance of equal embeddings is a constant.
    let is_zero = squares.clone().lower_equal_elem(0.0);
    let diagonal = pairs.matrix(|row, column| f32::from(row == column)).greater_elem(0.0);
    let is_zero = is_zero.bool_or(diagonal);
    squares.mask_fill(is_zero.clone(), 1.0).sqrt().mask_fill(is_zero, 0.0)
}

/// Divides each row by its Euclidean norm, as PyTorch's `normalize`.
fn normalized(rows: Tensor<2>) -> Tensor<2> {
    // Bounded before the root, whose derivative is infinite at 0.
    let norms = rows.clone().square().sum_dim(1).clamp_min(1e-24).sqrt();
    rows / norms
}
