//! Logistic regression with L-BFGS.

use std::sync::atomic::AtomicBool;

use rekindle_metrics::softmax;

use crate::error::{BaselineError, check_stop};
use crate::lbfgs::{Memory, dot};
use crate::rows::Rows;

/// The search converges when the norm of the mean loss's gradient is below this value, a hundredth of scikit-learn's
/// `tol`.
pub(crate) const TOLERANCE: f64 = 1e-6;
/// scikit-learn's `tol`: accepted if rounding ends the search above [`TOLERANCE`].
const ACCEPTED: f64 = 1e-4;
/// The search along a line ends when the slope is this fraction of the one at its start, the usual value of quasi-Newton methods.
const FLAT: f64 = 0.9;
/// The number of points on a line that are tried.
const TRIES: usize = 40;
/// How far a length can be extended or shortened at once.
const FACTOR: f64 = 10.0;
/// The relative error of the loss by rounding, which is not a rise.
const ROUNDING: f64 = 1e-10;

/// The options of the regression, with scikit-learn's names.
#[derive(Clone, Copy, Debug)]
pub struct LogisticOptions<'a> {
    /// The inverse of the strength of L2 regularization, positive. Default: 1.
    pub c: f64,
    /// The maximum number of iterations of L-BFGS. Default: 1000; about thirty are usual.
    pub max_iterations: u64,
    /// Ends the search with [`BaselineError::Stopped`] before the next iteration once it is true. Default: none.
    pub stop: Option<&'a AtomicBool>,
}

impl Default for LogisticOptions<'_> {
    fn default() -> Self {
        Self { c: 1.0, max_iterations: 1000, stop: None }
    }
}

/// What a regression is fitted to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Problem<'a, R> {
    pub(crate) rows: &'a R,
    pub(crate) columns: usize,
    /// The class of each row, below `classes`. At least two classes exist, and all occur.
    pub(crate) labels: &'a [usize],
    pub(crate) classes: usize,
    /// The weight of each class in the loss.
    pub(crate) class_weights: Option<&'a [f64]>,
}

/// The weights of a fitted regression: for two classes those of the second, for more those of each class.
#[derive(Clone, Debug)]
pub(crate) struct Weights {
    /// The number of weight vectors: 1 for two classes, otherwise one per class.
    pub(crate) outputs: usize,
    /// A row of `outputs` weights per column, followed by a row of intercepts.
    pub(crate) values: Vec<f64>,
}

impl Weights {
    /// Fits a regression. The search starts from `start`, if it fits, and ends below the norm `tolerance` of the gradient of
    /// the mean loss.
    pub(crate) fn fit<R: Rows>(
        problem: &Problem<'_, R>,
        options: &LogisticOptions<'_>,
        tolerance: f64,
        start: Option<&Self>,
    ) -> Result<Self, BaselineError> {
        let Problem { columns, labels, classes, class_weights, .. } = *problem;
        let weight = |&label: &usize| class_weights.map_or(1.0, |weights| weights[label]);
        let total: f64 = labels.iter().map(weight).sum();
        let penalty = 1.0 / (options.c * total);
        if !(options.c > 0.0 && options.c.is_finite() && penalty.is_finite()) {
            return Err(BaselineError::Regularization { c: options.c });
        }
        let outputs = if classes == 2 { 1 } else { classes };
        let loss = Loss { problem, outputs, penalty, total };
        let zeros = || vec![0.0; (columns + 1) * outputs];
        let start = start.map(|start| start.values.clone()).filter(|start| start.len() == zeros().len());
        let (found, iterations) = loss.minimum(start.unwrap_or_else(zeros), tolerance, options)?;
        let gradient = norm(&found.gradient);
        if gradient <= tolerance.max(ACCEPTED) {
            Ok(Self { outputs, values: found.weights })
        } else {
            Err(BaselineError::NotConverged { iterations, gradient })
        }
    }

    /// Returns the weights on the line from others to these, `share` of their distance beyond these.
    pub(crate) fn beyond(&self, others: &Self, share: f64) -> Self {
        let weights = self.values.iter().zip(&others.values);
        Self { outputs: self.outputs, values: weights.map(|(to, from)| to + share * (to - from)).collect() }
    }

    /// Returns the probability of each class for each row, row-major.
    pub(crate) fn probabilities(&self, rows: &impl Rows) -> Vec<f64> {
        let mut scores = rows.scores(&self.values, self.outputs);
        if self.outputs == 1 {
            return scores.into_iter().flat_map(|score| [sigmoid(-score), sigmoid(score)]).collect();
        }
        scores.chunks_mut(self.outputs).for_each(|scores| {
            softmax(scores);
        });
        scores
    }

    /// Returns the weights of an output, one per column, and its intercept.
    #[cfg(test)]
    pub(crate) fn of(&self, output: usize) -> Vec<f64> {
        self.values.iter().skip(output).step_by(self.outputs).copied().collect()
    }
}

/// The weighted mean negative log-likelihood, plus half of `penalty` for each squared weight except intercepts.
struct Loss<'a, R> {
    problem: &'a Problem<'a, R>,
    outputs: usize,
    penalty: f64,
    /// The sum of the weights of all rows.
    total: f64,
}

/// Weights, and what the search knows there.
struct Point {
    weights: Vec<f64>,
    scores: Vec<f64>,
    loss: f64,
    gradient: Vec<f64>,
}

impl<R: Rows> Loss<'_, R> {
    /// Returns the point where the search ends, and the number of iterations.
    fn minimum(
        &self,
        start: Vec<f64>,
        tolerance: f64,
        options: &LogisticOptions<'_>,
    ) -> Result<(Point, u64), BaselineError> {
        let scores = self.problem.rows.scores(&start, self.outputs);
        let mut point = self.at(start, scores);
        let (mut memory, mut iterations) = (Memory::default(), 0);
        // The search does not stop on small changes of the loss: near the minimum, rounding hides them long before the gradient
        // is small.
        while norm(&point.gradient) > tolerance && iterations < options.max_iterations {
            check_stop(options.stop)?;
            iterations += 1;
            let direction = memory.direction(&point.gradient);
            let Some(next) = self.along(&point, &direction) else { break };
            memory.push(difference(&next.weights, &point.weights), difference(&next.gradient, &point.gradient));
            point = next;
        }
        Ok((point, iterations))
    }

    /// Returns a point in a direction where the loss is lower and flatter; nothing if rounding hides it.
    ///
    /// The scores are linear in the weights, so that one product is enough for all points on the line. The loss is convex, so
    /// that its slope along the line has one root.
    fn along(&self, from: &Point, direction: &[f64]) -> Option<Point> {
        let moved = |values: &[f64], length: f64, by: &[f64]| {
            values.iter().zip(by).map(|(value, by)| value + length * by).collect::<Vec<f64>>()
        };
        let steep = dot(&from.gradient, direction);
        let by = self.problem.rows.scores(direction, self.outputs);
        let penalized = |values: &[f64]| values.len() - self.outputs;
        let direction_penalized = &direction[..penalized(direction)];
        let (mut length, mut low, mut high) = (1.0, (0.0, steep), None);
        for _ in 0..TRIES {
            let (weights, scores) = (moved(&from.weights, length, direction), moved(&from.scores, length, &by));
            let mut residuals = scores.clone();
            let loss = self.residuals(&mut residuals) + self.penalty_of(&weights);
            let slope =
                dot(&residuals, &by) + self.penalty * dot(&weights[..direction_penalized.len()], direction_penalized);
            if !slope.is_finite() {
                high = Some((length, f64::INFINITY));
            } else if slope.abs() <= FLAT * steep.abs() && loss <= from.loss * (1.0 + ROUNDING) {
                let gradient = self.gradient(&weights, &residuals);
                return Some(Point { weights, scores, loss, gradient });
            } else if slope < 0.0 {
                low = (length, slope);
            } else {
                high = Some((length, slope));
            }
            length = match high {
                None => length * (steep / (steep - slope)).clamp(2.0, FACTOR),
                Some((end, rise)) => {
                    low.0 + (end - low.0) * (low.1 / (low.1 - rise)).clamp(1.0 / FACTOR, 1.0 - 1.0 / FACTOR)
                }
            };
        }
        None
    }

    fn at(&self, weights: Vec<f64>, scores: Vec<f64>) -> Point {
        let mut residuals = scores.clone();
        let loss = self.residuals(&mut residuals) + self.penalty_of(&weights);
        let gradient = self.gradient(&weights, &residuals);
        Point { weights, scores, loss, gradient }
    }

    fn penalty_of(&self, weights: &[f64]) -> f64 {
        let weights = &weights[..weights.len() - self.outputs];
        0.5 * self.penalty * dot(weights, weights)
    }

    /// Replaces scores by the derivatives of the mean loss by them, and returns that loss, without the penalty.
    fn residuals(&self, scores: &mut [f64]) -> f64 {
        let mut sum = 0.0;
        for (scores, &label) in scores.chunks_mut(self.outputs).zip(self.problem.labels) {
            let weight = self.problem.class_weights.map_or(1.0, |weights| weights[label]) / self.total;
            if let [score] = scores {
                sum += weight * softplus(if label == 1 { -*score } else { *score });
                *score = weight * (sigmoid(*score) - label as f64);
                continue;
            }
            let own = scores[label];
            sum += weight * (softmax(scores) - own);
            scores[label] -= 1.0;
            scores.iter_mut().for_each(|residual| *residual *= weight);
        }
        sum
    }

    fn gradient(&self, weights: &[f64], residuals: &[f64]) -> Vec<f64> {
        let intercepts = weights.len() - self.outputs;
        let mut gradient: Vec<f64> = weights.iter().map(|weight| self.penalty * weight).collect();
        gradient[intercepts..].fill(0.0);
        self.problem.rows.add_gradient(1.0, residuals, self.outputs, &mut gradient);
        gradient
    }
}

fn norm(values: &[f64]) -> f64 {
    dot(values, values).sqrt()
}

fn difference(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

fn sigmoid(score: f64) -> f64 {
    1.0 / (1.0 + (-score).exp())
}

/// Returns ln(1 + e^score) without overflow.
fn softplus(score: f64) -> f64 {
    score.max(0.0) + (-score.abs()).exp().ln_1p()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::*;
    use crate::sparse::SparseRows;

    fn fit(rows: &SparseRows, labels: &[usize], options: &LogisticOptions) -> Result<Weights, BaselineError> {
        let problem = Problem { rows, columns: 2, labels, classes: 2, class_weights: None };
        Weights::fit(&problem, options, TOLERANCE, None)
    }

    #[test]
    fn the_gradient_matches_finite_differences() {
        let mut rows = SparseRows::default();
        rows.push([(0, 0.6), (2, 0.8)]);
        rows.push([(1, 1.0)]);
        rows.push([]);
        for (outputs, labels) in [(1, [0, 1, 1]), (3, [2, 0, 1])] {
            let classes = [1.5, 1.0, 0.5];
            let problem =
                Problem { rows: &rows, columns: 3, labels: &labels, classes: 3, class_weights: Some(&classes) };
            let loss = Loss { problem: &problem, outputs, penalty: 0.3, total: 3.0 };
            let at = |weights: &[f64]| loss.at(weights.to_vec(), rows.scores(weights, outputs));
            let weights: Vec<f64> = (0..4 * outputs).map(|index| (index as f64).sin()).collect();
            for (index, &slope) in at(&weights).gradient.iter().enumerate() {
                let beside = |step: f64| {
                    let mut moved = weights.clone();
                    moved[index] += step;
                    at(&moved).loss
                };
                let measured = (beside(1e-5) - beside(-1e-5)) / 2e-5;
                assert!((measured - slope).abs() < 1e-9, "{outputs} outputs, weight {index}: {slope}, not {measured}");
            }
        }
    }

    #[test]
    fn too_few_iterations_are_an_error() {
        let mut rows = SparseRows::default();
        rows.push([(0, 1.0)]);
        rows.push([(1, 1.0)]);
        let options = LogisticOptions { max_iterations: 1, c: 1000.0, stop: None };
        let error = fit(&rows, &[0, 1], &options).expect_err("too short");
        assert!(matches!(error, BaselineError::NotConverged { iterations: 1, .. }), "{error}");
        for c in [0.0, -1.0, f64::NAN, f64::INFINITY, f64::MIN_POSITIVE / 100.0] {
            let nothing = LogisticOptions { c, ..options };
            assert!(matches!(fit(&rows, &[0, 1], &nothing), Err(BaselineError::Regularization { .. })));
        }
    }

    #[test]
    fn a_requested_stop_ends_the_search() {
        let mut rows = SparseRows::default();
        rows.push([(0, 1.0)]);
        rows.push([(1, 1.0)]);
        let stop = AtomicBool::new(false);
        let options = LogisticOptions { stop: Some(&stop), ..LogisticOptions::default() };
        assert!(fit(&rows, &[0, 1], &options).is_ok());
        stop.store(true, Ordering::Relaxed);
        assert_eq!(fit(&rows, &[0, 1], &options).expect_err("stopped"), BaselineError::Stopped);
    }

    #[test]
    fn an_overflowing_loss_is_an_error() {
        let mut rows = SparseRows::default();
        rows.push([(0, 1.0)]);
        rows.push([(1, 1.0)]);
        rows.push([(1, 1.0)]);
        let options = LogisticOptions { c: 1e-307, ..Default::default() };
        let error = fit(&rows, &[0, 1, 1], &options).expect_err("no minimum in reach");
        assert!(matches!(error, BaselineError::NotConverged { .. }), "{error}");
    }
}
