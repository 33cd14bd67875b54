//! Temperature and vector scaling: calibrated logits as a linear function of the logits of a model.

use crate::error::MetricsError;
use crate::logits::{sigmoid, softmax};

/// The range of the inverse temperature.
const RANGE: (f64, f64) = (0.05, 20.0);
/// The searches end when a step changes the parameters by less than this.
const TOLERANCE: f64 = 1e-10;
/// Maximum number of steps of a search; ten are usual.
const STEPS: usize = 200;

/// How logits are scaled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scaling {
    /// One temperature for all classes (Guo et al., 2017, "On Calibration of Modern Neural Networks"); of several labels, one for
    /// each.
    Temperature,
    /// A weight and a bias for each class (the same paper); of several labels, Platt's scaling of each (1999).
    Vector,
}

impl Scaling {
    /// All methods.
    pub const ALL: [Self; 2] = [Self::Temperature, Self::Vector];

    /// Returns the name of the method.
    pub fn name(self) -> &'static str {
        match self {
            Self::Temperature => "temperature",
            Self::Vector => "vector",
        }
    }
}

/// A weight and a bias for each output of a model: `weight * logit + bias` is the calibrated logit.
#[derive(Clone, Debug, PartialEq)]
pub struct LogitScaling {
    /// The weights, above 0: 1 / temperature.
    pub weights: Vec<f64>,
    /// The biases; 0 without vector scaling.
    pub biases: Vec<f64>,
}

impl LogitScaling {
    /// Returns the scaling that changes nothing.
    pub fn identity(outputs: usize) -> Self {
        Self { weights: vec![1.0; outputs], biases: vec![0.0; outputs] }
    }

    /// Fits a scaling of the logits of classes, row-major with `classes` values per row, by the negative log-likelihood of the
    /// true classes.
    ///
    /// The temperature is between 0.05 and 20. If every row has its largest logit at its true class, the likelihood has no
    /// maximum, and nothing is changed. Vector scaling minimises the sum of the negative log-likelihood and of half of each squared
    /// bias and squared difference of a weight from the inverse temperature: a normal prior that decides about classes with few
    /// rows. If it makes a weight negative, the result is temperature scaling.
    ///
    /// # Errors
    /// Returns an error if there are no rows, the lengths differ, a label is not below `classes`, or a logit is not finite.
    pub fn of_classes(method: Scaling, logits: &[f32], truth: &[usize], classes: usize) -> Result<Self, MetricsError> {
        if let Some((row, &label)) = truth.iter().enumerate().find(|(_, label)| **label >= classes) {
            return Err(MetricsError::Label { row, label, classes });
        }
        let truth: Vec<bool> = truth.iter().flat_map(|&label| (0..classes).map(move |class| class == label)).collect();
        let rows = Rows::new(logits, &truth, classes, Link::Softmax)?;
        let weight = inverse_temperature(|weight| rows.slopes(weight), || rows.has_maximum());
        rows.scaled(method, vec![weight; classes])
    }

    /// Fits a scaling of the logits of several labels, row-major with `labels` values per row: each label by itself, as
    /// [`of_classes`](Self::of_classes) with the sigmoid of its logit.
    ///
    /// # Errors
    /// Returns an error if there are no rows, the lengths differ, or a logit is not finite.
    pub fn of_labels(method: Scaling, logits: &[f32], truth: &[bool], labels: usize) -> Result<Self, MetricsError> {
        let rows = Rows::new(logits, truth, labels, Link::Sigmoid)?;
        let of = |label: usize| {
            let of = |values: &[f32]| values.iter().skip(label).step_by(labels).copied().collect::<Vec<f32>>();
            let (logits, truth) =
                (of(logits), truth.iter().skip(label).step_by(labels).copied().collect::<Vec<bool>>());
            let column = Rows::new(&logits, &truth, 1, Link::Sigmoid)?;
            Ok(inverse_temperature(|weight| column.slopes(weight), || column.has_maximum()))
        };
        let weights = (0..labels).map(of).collect::<Result<Vec<f64>, MetricsError>>()?;
        rows.scaled(method, weights)
    }

    /// Returns the scaled logits of rows.
    pub fn apply(&self, logits: &[f32]) -> Vec<f32> {
        let scaled = |row: &[f32]| {
            let parameters = self.weights.iter().zip(&self.biases);
            let scaled = row.iter().zip(parameters).map(|(&logit, (weight, bias))| weight * f64::from(logit) + bias);
            scaled.map(|logit| logit as f32).collect::<Vec<f32>>()
        };
        logits.chunks(self.weights.len().max(1)).flat_map(scaled).collect()
    }
}

/// How logits become probabilities.
#[derive(Clone, Copy, PartialEq)]
enum Link {
    Softmax,
    Sigmoid,
}

/// The logits of rows, and which outputs are true.
struct Rows<'a> {
    logits: &'a [f32],
    truth: &'a [bool],
    outputs: usize,
    link: Link,
}

impl<'a> Rows<'a> {
    fn new(logits: &'a [f32], truth: &'a [bool], outputs: usize, link: Link) -> Result<Self, MetricsError> {
        if truth.is_empty() || outputs == 0 {
            return Err(MetricsError::Empty);
        }
        if truth.len() != logits.len() {
            let (truth, other) = (truth.len() / outputs, logits.len() / outputs);
            return Err(MetricsError::Length { truth, other, what: "rows of logits" });
        }
        if let Some((place, &value)) = logits.iter().enumerate().find(|(_, logit)| !logit.is_finite()) {
            return Err(MetricsError::Score { row: place / outputs, value: value.into() });
        }
        Ok(Self { logits, truth, outputs, link })
    }

    fn rows(&self) -> impl Iterator<Item = (&[f32], &[bool])> {
        self.logits.chunks(self.outputs).zip(self.truth.chunks(self.outputs))
    }

    /// Returns whether the likelihood of a weight has a maximum: a row contradicts the order of the others.
    fn has_maximum(&self) -> bool {
        let contradicts = |(logits, truth): (&[f32], &[bool])| match self.link {
            Link::Softmax => logits.iter().zip(truth).any(|(logit, is_true)| {
                let of_truth = logits.iter().zip(truth).find(|(_, is_true)| **is_true).map(|(logit, _)| *logit);
                !is_true && of_truth.is_some_and(|of_truth| *logit > of_truth)
            }),
            Link::Sigmoid => {
                logits.iter().zip(truth).any(|(&logit, &truth)| if truth { logit < 0.0 } else { logit > 0.0 })
            }
        };
        self.rows().any(contradicts)
    }

    /// Replaces logits by their probabilities, and returns their negative log-likelihood.
    fn likelihood(&self, logits: &mut [f64], truth: &[bool]) -> f64 {
        let of_truth: f64 = logits.iter().zip(truth).filter(|(_, truth)| **truth).map(|(logit, _)| *logit).sum();
        match self.link {
            Link::Softmax => softmax(logits) - of_truth,
            Link::Sigmoid => {
                let softplus = |x: f64| x.max(0.0) + (-x.abs()).exp().ln_1p();
                let sum: f64 = logits.iter().map(|&logit| softplus(logit)).sum();
                logits.iter_mut().for_each(|logit| *logit = sigmoid(*logit));
                sum - of_truth
            }
        }
    }

    /// Returns the first and the second derivative of the negative log-likelihood by the weight of all logits.
    fn slopes(&self, weight: f64) -> (f64, f64) {
        let mut slopes = (0.0, 0.0);
        for (logits, truth) in self.rows() {
            let mut p: Vec<f64> = logits.iter().map(|&logit| weight * f64::from(logit)).collect();
            self.likelihood(&mut p, truth);
            let (mut mean, mut square) = (0.0, 0.0);
            for ((&logit, &truth), &p) in logits.iter().zip(truth).zip(&p) {
                let logit = f64::from(logit);
                slopes.0 += (p - f64::from(u8::from(truth))) * logit;
                mean += p * logit;
                square += p * logit * logit;
                slopes.1 -= if self.link == Link::Sigmoid { (p * logit).powi(2) } else { 0.0 };
            }
            slopes.1 += square - if self.link == Link::Softmax { mean * mean } else { 0.0 };
        }
        slopes
    }

    /// Returns the scaling of a method, by the inverse temperatures.
    fn scaled(&self, method: Scaling, weights: Vec<f64>) -> Result<LogitScaling, MetricsError> {
        let temperature = LogitScaling { biases: vec![0.0; weights.len()], weights };
        if method == Scaling::Temperature {
            return Ok(temperature);
        }
        let mut vector = self.vector(&temperature.weights);
        let is_reversed = |weight: &f64| *weight <= 0.0;
        match self.link {
            Link::Softmax if vector.weights.iter().any(is_reversed) => return Ok(temperature),
            Link::Softmax => {}
            // Labels are independent of each other.
            Link::Sigmoid => {
                for (label, weight) in temperature.weights.into_iter().enumerate() {
                    if is_reversed(&vector.weights[label]) {
                        (vector.weights[label], vector.biases[label]) = (weight, 0.0);
                    }
                }
            }
        }
        Ok(vector)
    }

    /// Fits weights and biases by Newton's method, whose steps are solved by conjugate gradients.
    fn vector(&self, prior: &[f64]) -> LogitScaling {
        let zeros = || vec![0.0; self.outputs];
        let mut at = [prior.to_vec(), zeros()].concat();
        let (mut value, mut gradient, mut probabilities) = self.objective(&at, prior);
        for _ in 0..STEPS {
            let step = self.newton_step(&gradient, &probabilities);
            let descent: f64 = step.iter().zip(&gradient).map(|(step, slope)| step * slope).sum();
            let mut length = 1.0;
            let moved = loop {
                let next: Vec<f64> = at.iter().zip(&step).map(|(at, step)| at + length * step).collect();
                let found = self.objective(&next, prior);
                // Rounding hides a descent near the minimum.
                let rounding = 1e-12 * value.abs();
                if found.0 <= value + 1e-4 * length * descent + rounding || length < 1e-10 {
                    break (next, found);
                }
                length /= 2.0;
            };
            let change = step.iter().fold(0.0, |most: f64, step| most.max((length * step).abs()));
            (at, (value, gradient, probabilities)) = moved;
            if change < TOLERANCE {
                break;
            }
        }
        let biases = at.split_off(self.outputs);
        LogitScaling { weights: at, biases }
    }

    /// Returns the negative log-likelihood with the prior, its gradient, and the probabilities, at weights and biases.
    fn objective(&self, at: &[f64], prior: &[f64]) -> (f64, Vec<f64>, Vec<f64>) {
        let outputs = self.outputs;
        let centre = |place: usize| prior.get(place).copied().unwrap_or(0.0);
        let mut gradient: Vec<f64> = at.iter().enumerate().map(|(place, value)| value - centre(place)).collect();
        let mut value = 0.5 * gradient.iter().map(|difference| difference * difference).sum::<f64>();
        let mut probabilities = Vec::with_capacity(self.logits.len());
        for (logits, truth) in self.rows() {
            let scaled = |(output, &logit): (usize, &f32)| at[output] * f64::from(logit) + at[outputs + output];
            let mut p: Vec<f64> = logits.iter().enumerate().map(scaled).collect();
            value += self.likelihood(&mut p, truth);
            for (output, (&logit, &truth)) in logits.iter().zip(truth).enumerate() {
                let residual = p[output] - f64::from(u8::from(truth));
                gradient[output] += residual * f64::from(logit);
                gradient[outputs + output] += residual;
            }
            probabilities.extend(p);
        }
        (value, gradient, probabilities)
    }

    /// Returns the solution of `Hessian * step = -gradient`, whose matrix is at least the identity.
    fn newton_step(&self, gradient: &[f64], probabilities: &[f64]) -> Vec<f64> {
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let mut step = vec![0.0; gradient.len()];
        let mut residual: Vec<f64> = gradient.iter().map(|slope| -slope).collect();
        let mut direction = residual.clone();
        let mut norm = dot(&residual, &residual);
        let least = norm * 1e-20;
        for _ in 0..2 * gradient.len() {
            if norm <= least {
                break;
            }
            let product = self.hessian_product(&direction, probabilities);
            let length = norm / dot(&direction, &product);
            step.iter_mut().zip(&direction).for_each(|(step, direction)| *step += length * direction);
            residual.iter_mut().zip(&product).for_each(|(residual, product)| *residual -= length * product);
            let next = dot(&residual, &residual);
            direction.iter_mut().zip(&residual).for_each(|(direction, residual)| {
                *direction = residual + next / norm * *direction;
            });
            norm = next;
        }
        step
    }

    /// Returns the Hessian times a direction.
    fn hessian_product(&self, direction: &[f64], probabilities: &[f64]) -> Vec<f64> {
        let outputs = self.outputs;
        let mut product = direction.to_vec();
        for ((logits, _), p) in self.rows().zip(probabilities.chunks(outputs)) {
            let change =
                |(output, &logit): (usize, &f32)| direction[output] * f64::from(logit) + direction[outputs + output];
            let changes: Vec<f64> = logits.iter().enumerate().map(change).collect();
            let mean: f64 = changes.iter().zip(p).map(|(change, p)| change * p).sum();
            for (output, (&logit, (change, p))) in logits.iter().zip(changes.iter().zip(p)).enumerate() {
                let change = match self.link {
                    Link::Softmax => p * (change - mean),
                    Link::Sigmoid => p * (1.0 - p) * change,
                };
                product[output] += change * f64::from(logit);
                product[outputs + output] += change;
            }
        }
        product
    }
}

/// Returns the weight within [`RANGE`] at which the slope is 0, by Newton's method within a shrinking range; 1 without a maximum
/// of the likelihood.
fn inverse_temperature(slopes: impl Fn(f64) -> (f64, f64), has_maximum: impl FnOnce() -> bool) -> f64 {
    let (mut low, mut high) = RANGE;
    if !has_maximum() {
        return 1.0;
    }
    if slopes(low).0 >= 0.0 {
        return low;
    }
    if slopes(high).0 <= 0.0 {
        return high;
    }
    let mut weight = 1.0;
    for _ in 0..STEPS {
        let (slope, curvature) = slopes(weight);
        if slope > 0.0 {
            high = weight;
        } else {
            low = weight;
        }
        let newton = weight - slope / curvature;
        let next = if newton > low && newton < high { newton } else { (low + high) / 2.0 };
        let change = (next - weight).abs();
        weight = next;
        if change < TOLERANCE * weight {
            break;
        }
    }
    weight
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_rows_do_not_decide_is_left_as_it_is() {
        let logits = [2.0, 0.0, 0.0, 1.0];
        let of = |method, truth: &[usize]| LogitScaling::of_classes(method, &logits, truth, 2).expect("valid");
        assert_eq!(of(Scaling::Temperature, &[0, 1]), LogitScaling::identity(2), "no row is wrong");
        assert_eq!(of(Scaling::Temperature, &[1, 0]).weights, [RANGE.0; 2], "all rows are wrong");
        let vector = of(Scaling::Vector, &[0, 0]);
        assert!(vector.biases[0] > 0.0 && vector.biases[1] < 0.0, "{vector:?}");
        let labels = LogitScaling::of_labels(Scaling::Temperature, &[-1.0, -2.0], &[false; 2], 1).expect("valid");
        assert_eq!(labels, LogitScaling::identity(1), "no row has the label");
    }

    #[test]
    fn logits_are_scaled_by_output() {
        let scaling = LogitScaling { weights: vec![0.5, 2.0], biases: vec![0.0, -1.0] };
        assert_eq!(scaling.apply(&[2.0, 1.0, -4.0, 0.0]), [1.0, 1.0, -2.0, -1.0]);
        assert!(LogitScaling::of_classes(Scaling::Vector, &[1.0, f32::NAN], &[0], 2).is_err());
        assert!(LogitScaling::of_classes(Scaling::Vector, &[1.0, 0.0], &[2], 2).is_err());
        assert!(LogitScaling::of_labels(Scaling::Vector, &[], &[], 2).is_err());
    }
}
