//! Logistic regression on sparse rows, with L-BFGS.

use argmin::core::{CostFunction, Error, Executor, Gradient, State};
use argmin::solver::linesearch::MoreThuenteLineSearch;
use argmin::solver::quasinewton::LBFGS;
use rekindle_metrics::softmax;

use crate::error::BaselineError;
use crate::sparse::SparseRows;

/// The search converges when the norm of the mean loss's gradient is below this value, a hundredth of scikit-learn's
/// `tol`.
const TOLERANCE: f64 = 1e-6;
/// scikit-learn's `tol`: accepted if rounding ends the search above [`TOLERANCE`].
const ACCEPTED: f64 = 1e-4;
/// The number of steps that L-BFGS remembers, as in scikit-learn.
const MEMORY: usize = 10;

/// The options of the regression, with scikit-learn's names.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LogisticOptions {
    /// The inverse of the strength of L2 regularization, positive. Default: 1.
    pub c: f64,
    /// The maximum number of iterations of L-BFGS. Default: 1000; about thirty are usual.
    pub max_iterations: u64,
}

impl Default for LogisticOptions {
    fn default() -> Self {
        Self { c: 1.0, max_iterations: 1000 }
    }
}

/// The weights of a fitted regression: for two classes those of the second, for more those of each class.
#[derive(Clone, Debug)]
pub(crate) struct Weights {
    /// The number of weight vectors: 1 for two classes, otherwise one per class.
    outputs: usize,
    /// A row of `outputs` weights per column, followed by a row of intercepts.
    values: Vec<f64>,
}

impl Weights {
    /// Fits `labels`, which are below `classes`. At least two classes must exist, and all must occur.
    pub(crate) fn fit(
        rows: &SparseRows,
        columns: usize,
        labels: &[usize],
        classes: usize,
        options: &LogisticOptions,
    ) -> Result<Self, BaselineError> {
        let penalty = 1.0 / (options.c * labels.len() as f64);
        if !(options.c > 0.0 && options.c.is_finite() && penalty.is_finite()) {
            return Err(BaselineError::Regularization { c: options.c });
        }
        let outputs = if classes == 2 { 1 } else { classes };
        let loss = Loss { rows, labels, outputs, penalty };
        let start = vec![0.0; (columns + 1) * outputs];
        let (values, iterations) = minimize(loss, start.clone(), options.max_iterations).unwrap_or((start, 0));
        let gradient = loss.gradient_at(&values).iter().map(|value| value * value).sum::<f64>().sqrt();
        if gradient <= ACCEPTED {
            Ok(Self { outputs, values })
        } else {
            Err(BaselineError::NotConverged { iterations, gradient })
        }
    }

    /// Returns the probability of each class for each row, row-major.
    pub(crate) fn probabilities(&self, rows: &SparseRows) -> Vec<f64> {
        let mut all = Vec::new();
        let mut scores = vec![0.0; self.outputs];
        for row in rows.iter() {
            score(row, &self.values, &mut scores);
            match scores[..] {
                [score] => all.extend([sigmoid(-score), sigmoid(score)]),
                _ => {
                    softmax(&mut scores);
                    all.extend_from_slice(&scores);
                }
            }
        }
        all
    }

    /// Returns the weights of an output, one per column, and its intercept.
    #[cfg(test)]
    pub(crate) fn of(&self, output: usize) -> Vec<f64> {
        self.values.iter().skip(output).step_by(self.outputs).copied().collect()
    }
}

/// Returns the best weights, and the number of iterations.
fn minimize(loss: Loss<'_>, start: Vec<f64>, max_iterations: u64) -> Result<(Vec<f64>, u64), Error> {
    // The search does not stop on small changes of the loss: near the minimum, rounding hides them long before the
    // gradient is small.
    let solver =
        LBFGS::new(MoreThuenteLineSearch::new(), MEMORY).with_tolerance_grad(TOLERANCE)?.with_tolerance_cost(0.0)?;
    let executor = Executor::new(loss, solver).configure(|state| state.param(start).max_iters(max_iterations));
    let mut state = executor.timer(false).run()?.state;
    let iterations = state.get_iter();
    let best = state.take_best_param().ok_or_else(|| Error::msg("no weights"))?;
    Ok((best, iterations))
}

/// The mean negative log-likelihood, plus half of `penalty` for each squared weight except intercepts.
#[derive(Clone, Copy)]
struct Loss<'a> {
    rows: &'a SparseRows,
    labels: &'a [usize],
    outputs: usize,
    penalty: f64,
}

impl Loss<'_> {
    fn at(&self, weights: &[f64]) -> f64 {
        let mut scores = vec![0.0; self.outputs];
        let mut sum = 0.0;
        for (row, &label) in self.rows.iter().zip(self.labels) {
            score(row, weights, &mut scores);
            sum += match scores[..] {
                [score] => softplus(if label == 1 { -score } else { score }),
                _ => -scores[label] + softmax(&mut scores),
            };
        }
        let squares: f64 = weights[..weights.len() - self.outputs].iter().map(|weight| weight * weight).sum();
        sum / self.rows.len() as f64 + 0.5 * self.penalty * squares
    }

    fn gradient_at(&self, weights: &[f64]) -> Vec<f64> {
        let intercepts = weights.len() - self.outputs;
        let mut gradient: Vec<f64> = weights.iter().map(|weight| self.penalty * weight).collect();
        gradient[intercepts..].fill(0.0);
        let share = 1.0 / self.rows.len() as f64;
        let mut scores = vec![0.0; self.outputs];
        for (row, &label) in self.rows.iter().zip(self.labels) {
            score(row.clone(), weights, &mut scores);
            match &mut scores[..] {
                [score] => *score = sigmoid(*score) - label as f64,
                scores => {
                    softmax(scores);
                    scores[label] -= 1.0;
                }
            }
            let mut add = |start: usize, value: f64| {
                let into = &mut gradient[start..start + scores.len()];
                into.iter_mut().zip(&scores).for_each(|(into, residual)| *into += share * value * residual);
            };
            row.for_each(|(column, value)| add(column * self.outputs, value));
            add(intercepts, 1.0);
        }
        gradient
    }
}

impl CostFunction for Loss<'_> {
    type Param = Vec<f64>;
    type Output = f64;

    fn cost(&self, weights: &Vec<f64>) -> Result<f64, Error> {
        let loss = self.at(weights);
        // The line search does not terminate on NaN.
        if loss.is_finite() { Ok(loss) } else { Err(Error::msg("the loss overflows")) }
    }
}

impl Gradient for Loss<'_> {
    type Param = Vec<f64>;
    type Gradient = Vec<f64>;

    fn gradient(&self, weights: &Vec<f64>) -> Result<Vec<f64>, Error> {
        Ok(self.gradient_at(weights))
    }
}

/// Computes the products of a row with each weight vector, plus their intercepts.
fn score(row: impl Iterator<Item = (usize, f64)>, weights: &[f64], scores: &mut [f64]) {
    let outputs = scores.len();
    scores.copy_from_slice(&weights[weights.len() - outputs..]);
    for (column, value) in row {
        let of = &weights[column * outputs..][..outputs];
        scores.iter_mut().zip(of).for_each(|(score, weight)| *score += value * weight);
    }
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
    use super::*;

    #[test]
    fn the_gradient_matches_finite_differences() {
        let mut rows = SparseRows::default();
        rows.push([(0, 0.6), (2, 0.8)]);
        rows.push([(1, 1.0)]);
        rows.push([]);
        for (outputs, labels) in [(1, [0, 1, 1]), (3, [2, 0, 1])] {
            let loss = Loss { rows: &rows, labels: &labels, outputs, penalty: 0.3 };
            let weights: Vec<f64> = (0..4 * outputs).map(|index| (index as f64).sin()).collect();
            for (index, &slope) in loss.gradient_at(&weights).iter().enumerate() {
                let beside = |step: f64| {
                    let mut moved = weights.clone();
                    moved[index] += step;
                    loss.at(&moved)
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
        let options = LogisticOptions { max_iterations: 1, c: 1000.0 };
        let error = Weights::fit(&rows, 2, &[0, 1], 2, &options).expect_err("too short");
        assert!(matches!(error, BaselineError::NotConverged { iterations: 1, .. }), "{error}");
        for c in [0.0, -1.0, f64::NAN, f64::INFINITY, f64::MIN_POSITIVE / 100.0] {
            let nothing = LogisticOptions { c, ..options };
            assert!(matches!(Weights::fit(&rows, 2, &[0, 1], 2, &nothing), Err(BaselineError::Regularization { .. })));
        }
    }

    #[test]
    fn an_overflowing_loss_is_an_error() {
        let mut rows = SparseRows::default();
        rows.push([(0, 1.0)]);
        rows.push([(1, 1.0)]);
        rows.push([(1, 1.0)]);
        let options = LogisticOptions { c: 1e-307, ..Default::default() };
        let error = Weights::fit(&rows, 2, &[0, 1, 1], 2, &options).expect_err("no minimum in reach");
        assert!(matches!(error, BaselineError::NotConverged { .. }), "{error}");
    }
}
