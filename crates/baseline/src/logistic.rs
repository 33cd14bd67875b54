//! Logistic regression with L-BFGS.

use std::cell::RefCell;

use argmin::core::{CostFunction, Error, Executor, Gradient, State};
use argmin::solver::linesearch::MoreThuenteLineSearch;
use argmin::solver::quasinewton::LBFGS;
use rekindle_metrics::softmax;

use crate::error::BaselineError;
use crate::rows::Rows;

/// The search converges when the norm of the mean loss's gradient is below this value, a hundredth of scikit-learn's
/// `tol`.
pub(crate) const TOLERANCE: f64 = 1e-6;
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
        options: &LogisticOptions,
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
        let loss = Loss { problem, outputs, penalty, total, last: RefCell::default() };
        let zeros = || vec![0.0; (columns + 1) * outputs];
        let start = start.map(|start| start.values.clone()).filter(|start| start.len() == zeros().len());
        let start = start.unwrap_or_else(zeros);
        let gradient_at =
            |values: &[f64]| loss.gradient_at(values).iter().map(|slope| slope * slope).sum::<f64>().sqrt();
        let found = minimize(&loss, start.clone(), tolerance, options.max_iterations);
        let (values, iterations) = found.unwrap_or((start, 0));
        let gradient = gradient_at(&values);
        if gradient <= ACCEPTED {
            Ok(Self { outputs, values })
        } else {
            Err(BaselineError::NotConverged { iterations, gradient })
        }
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

/// Returns the best weights, and the number of iterations.
fn minimize<R: Rows>(
    loss: &Loss<'_, R>,
    start: Vec<f64>,
    tolerance: f64,
    max_iterations: u64,
) -> Result<(Vec<f64>, u64), Error> {
    // The search does not stop on small changes of the loss: near the minimum, rounding hides them long before the
    // gradient is small.
    let solver =
        LBFGS::new(MoreThuenteLineSearch::new(), MEMORY).with_tolerance_grad(tolerance)?.with_tolerance_cost(0.0)?;
    let executor = Executor::new(Search(loss), solver).configure(|state| state.param(start).max_iters(max_iterations));
    let mut state = executor.timer(false).run()?.state;
    let iterations = state.get_iter();
    let best = state.take_best_param().ok_or_else(|| Error::msg("no weights"))?;
    Ok((best, iterations))
}

/// The weighted mean negative log-likelihood, plus half of `penalty` for each squared weight except intercepts.
struct Loss<'a, R> {
    problem: &'a Problem<'a, R>,
    outputs: usize,
    penalty: f64,
    /// The sum of the weights of all rows.
    total: f64,
    /// The weights that scores were last computed for, and these: the search asks for the loss and the gradient in turn.
    last: RefCell<(Vec<f64>, Vec<f64>)>,
}

impl<R: Rows> Loss<'_, R> {
    fn scores(&self, weights: &[f64]) -> Vec<f64> {
        let mut last = self.last.borrow_mut();
        if last.0 != weights {
            *last = (weights.to_vec(), self.problem.rows.scores(weights, self.outputs));
        }
        last.1.clone()
    }

    fn weight(&self, label: usize) -> f64 {
        self.problem.class_weights.map_or(1.0, |weights| weights[label])
    }

    fn at(&self, weights: &[f64]) -> f64 {
        let mut sum = 0.0;
        let mut scores = self.scores(weights);
        for (scores, &label) in scores.chunks_mut(self.outputs).zip(self.problem.labels) {
            let loss = match scores {
                [score] => softplus(if label == 1 { -*score } else { *score }),
                _ => -scores[label] + softmax(scores),
            };
            sum += self.weight(label) * loss;
        }
        let squares: f64 = weights[..weights.len() - self.outputs].iter().map(|weight| weight * weight).sum();
        sum / self.total + 0.5 * self.penalty * squares
    }

    fn gradient_at(&self, weights: &[f64]) -> Vec<f64> {
        let intercepts = weights.len() - self.outputs;
        let mut gradient: Vec<f64> = weights.iter().map(|weight| self.penalty * weight).collect();
        gradient[intercepts..].fill(0.0);
        let mut residuals = self.scores(weights);
        for (scores, &label) in residuals.chunks_mut(self.outputs).zip(self.problem.labels) {
            match scores {
                [score] => *score = sigmoid(*score) - label as f64,
                _ => {
                    softmax(scores);
                    scores[label] -= 1.0;
                }
            }
            let weight = self.weight(label);
            scores.iter_mut().for_each(|residual| *residual *= weight);
        }
        self.problem.rows.add_gradient(1.0 / self.total, &residuals, self.outputs, &mut gradient);
        gradient
    }
}

/// The loss, as the search asks for it.
struct Search<'a, R>(&'a Loss<'a, R>);

impl<R: Rows> CostFunction for Search<'_, R> {
    type Param = Vec<f64>;
    type Output = f64;

    fn cost(&self, weights: &Vec<f64>) -> Result<f64, Error> {
        let loss = self.0.at(weights);
        // The line search does not terminate on NaN.
        if loss.is_finite() { Ok(loss) } else { Err(Error::msg("the loss overflows")) }
    }
}

impl<R: Rows> Gradient for Search<'_, R> {
    type Param = Vec<f64>;
    type Gradient = Vec<f64>;

    fn gradient(&self, weights: &Vec<f64>) -> Result<Vec<f64>, Error> {
        Ok(self.0.gradient_at(weights))
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
            let loss = Loss { problem: &problem, outputs, penalty: 0.3, total: 3.0, last: RefCell::default() };
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
        let error = fit(&rows, &[0, 1], &options).expect_err("too short");
        assert!(matches!(error, BaselineError::NotConverged { iterations: 1, .. }), "{error}");
        for c in [0.0, -1.0, f64::NAN, f64::INFINITY, f64::MIN_POSITIVE / 100.0] {
            let nothing = LogisticOptions { c, ..options };
            assert!(matches!(fit(&rows, &[0, 1], &nothing), Err(BaselineError::Regularization { .. })));
        }
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
