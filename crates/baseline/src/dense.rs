//! Logistic regression on given features, and the choice of its regularization.

use rayon::prelude::*;
use rekindle_metrics::{argmax, softmax};

use crate::error::BaselineError;
use crate::logistic::{LogisticOptions, Problem, Weights};
use crate::majority::count;
use crate::rows::{DenseRows, Rows};

/// The norm of the gradient of the mean loss at the solution, relative to the curvature that regularization adds: predictions
/// then equal those of the exact minimum within 1e-6.
const TOLERANCE: f64 = 1e-5;
/// The range of that norm: the intercept is not regularized, and rounding ends a search below the smallest.
const TOLERANCES: [f64; 2] = [1e-10, 1e-8];
/// That norm when values of C are compared: scikit-learn's `tol` bounds each of the slopes, of which many classes have thousands.
const ROUGH: f64 = 3e-4;
/// So many values of C in a row that are worse than the best one end their comparison.
const PATIENCE: usize = 2;
/// The score of a class without training examples, about the logarithm of the smallest probability that scikit-learn's
/// `log_loss` knows.
const ABSENT: f64 = -36.0;

/// scikit-learn's `LogisticRegression` on dense features: L2 regularization, an intercept without, multinomial for more than
/// two classes.
///
/// For two classes, the scores are minus and plus half of scikit-learn's `decision_function`.
#[derive(Clone, Debug, PartialEq)]
pub struct LogisticRegression {
    classes: usize,
    columns: usize,
    coefficients: Vec<f64>,
    intercepts: Vec<f64>,
}

impl LogisticRegression {
    /// Fits rows of features and their labels, which are below `classes`. A class that does not occur gets no coefficients
    /// and an intercept of -36. `class_weights` has the weight of each class in the loss.
    ///
    /// # Errors
    /// Returns an error if there are no rows, the numbers of rows, labels or weights do not match, a label is not below
    /// `classes`, only one class occurs ([`BaselineError::OneClass`]), the options are out of range, or the search does not
    /// converge.
    pub fn fit(
        rows: &DenseRows,
        labels: &[usize],
        classes: usize,
        class_weights: Option<&[f64]>,
        options: &LogisticOptions<'_>,
    ) -> Result<Self, BaselineError> {
        let data = Occurring::of(rows, labels, classes, class_weights)?;
        let curvature = 1.0 / (options.c * rows.len() as f64);
        let tolerance = (TOLERANCE * curvature).clamp(TOLERANCES[0], TOLERANCES[1]);
        let weights = Weights::fit(&data.problem(rows), options, tolerance, None)?;
        Ok(data.regression(&weights, classes, rows.columns()))
    }

    /// Returns a regression that always predicts one class, the only one that occurs.
    pub fn constant(class: usize, classes: usize, columns: usize) -> Self {
        let intercepts = (0..classes).map(|other| if other == class { 0.0 } else { ABSENT }).collect();
        Self { classes, columns, coefficients: vec![0.0; classes * columns], intercepts }
    }

    /// Returns the coefficients, row-major `[classes, columns]`.
    pub fn coefficients(&self) -> &[f64] {
        &self.coefficients
    }

    /// Returns the intercept of each class.
    pub fn intercepts(&self) -> &[f64] {
        &self.intercepts
    }

    /// Returns the score of each class for each row, row-major `[rows, classes]`. Their softmax is the probability.
    pub fn scores(&self, rows: &DenseRows) -> Vec<f64> {
        let mut weights: Vec<f64> = Vec::with_capacity((self.columns + 1) * self.classes);
        for column in 0..self.columns {
            weights.extend((0..self.classes).map(|class| self.coefficients[class * self.columns + column]));
        }
        weights.extend(&self.intercepts);
        if rows.columns() == self.columns { rows.scores(&weights, self.classes) } else { Vec::new() }
    }

    /// Returns the probability of each class for each row, row-major.
    pub fn probabilities(&self, rows: &DenseRows) -> Vec<f64> {
        let mut scores = self.scores(rows);
        scores.chunks_mut(self.classes).for_each(|scores| {
            softmax(scores);
        });
        scores
    }

    /// Returns the most probable class of each row.
    pub fn predictions(&self, rows: &DenseRows) -> Vec<usize> {
        self.scores(rows).chunks(self.classes).map(argmax).collect()
    }
}

/// The labels among the classes that occur.
struct Occurring {
    classes: Vec<usize>,
    labels: Vec<usize>,
    weights: Option<Vec<f64>>,
}

impl Occurring {
    fn of(rows: &DenseRows, labels: &[usize], classes: usize, weights: Option<&[f64]>) -> Result<Self, BaselineError> {
        if rows.len() != labels.len() {
            return Err(BaselineError::Length { texts: rows.len(), labels: labels.len() });
        }
        let counts = count(labels, classes)?;
        if let Some(given) = weights.filter(|weights| weights.len() != classes) {
            return Err(BaselineError::ClassWeights { weights: given.len(), classes });
        }
        let occurring: Vec<usize> = (0..classes).filter(|&class| counts[class] > 0).collect();
        if let [class] = occurring[..] {
            return Err(BaselineError::OneClass { class });
        }
        let place = |label: &usize| occurring.partition_point(|class| class < label);
        let weights = weights.map(|weights| occurring.iter().map(|&class| weights[class]).collect());
        Ok(Self { labels: labels.iter().map(place).collect(), weights, classes: occurring })
    }

    fn problem<'b>(&'b self, rows: &'b DenseRows) -> Problem<'b, DenseRows> {
        let (columns, classes, class_weights) = (rows.columns(), self.classes.len(), self.weights.as_deref());
        Problem { rows, columns, labels: &self.labels, classes, class_weights }
    }

    /// Returns the regression over all classes.
    fn regression(&self, weights: &Weights, classes: usize, columns: usize) -> LogisticRegression {
        let mut coefficients = vec![0.0; classes * columns];
        let mut intercepts = vec![ABSENT; classes];
        for (place, &class) in self.classes.iter().enumerate() {
            let weight = |column: usize| match weights.outputs {
                1 => weights.values[column] * if place == 1 { 0.5 } else { -0.5 },
                outputs => weights.values[column * outputs + place],
            };
            coefficients[class * columns..][..columns].iter_mut().enumerate().for_each(|(c, into)| *into = weight(c));
            intercepts[class] = weight(columns);
        }
        LogisticRegression { classes, columns, coefficients, intercepts }
    }
}

/// What a value of C is worth on held-out rows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Validation {
    /// The value.
    pub c: f64,
    /// The fraction of held-out rows that are predicted correctly.
    pub accuracy: f64,
    /// The mean negative log-likelihood of the held-out rows.
    pub log_loss: f64,
}

impl Validation {
    /// Returns true if the accuracy is higher than that of another value, or equal with a smaller loss.
    pub fn is_better_than(&self, other: &Self) -> bool {
        (self.accuracy, -self.log_loss) > (other.accuracy, -other.log_loss)
    }
}

/// Evaluates values of C, ascending, on folds: pairs of the rows to fit and the rows that are held out. Ends after two values in
/// a row whose accuracy is lower and whose loss is higher than those of the best one: weaker regularization then overfits. The
/// value of `c` in the options has no effect.
///
/// The folds are computed in parallel. The result does not depend on the number of threads.
///
/// # Errors
/// As [`LogisticRegression::fit`].
pub fn cross_validate(
    rows: &DenseRows,
    labels: &[usize],
    classes: usize,
    class_weights: Option<&[f64]>,
    folds: &[(Vec<usize>, Vec<usize>)],
    values_of_c: &[f64],
    options: &LogisticOptions<'_>,
) -> Result<Vec<Validation>, BaselineError> {
    let mut folds = folds
        .iter()
        .map(|fold| Fold::new(rows, labels, classes, class_weights, fold))
        .collect::<Result<Vec<_>, BaselineError>>()?;
    let tested: usize = folds.iter().map(|fold| fold.truth.len()).sum();
    let mean = |sum: f64| sum / tested.max(1) as f64;
    let (mut found, mut best, mut worse): (_, Option<Validation>, _) = (Vec::new(), None, 0);
    for &c in values_of_c {
        let options = LogisticOptions { c, ..*options };
        let sums = folds.par_iter_mut().map(|fold| fold.validate(classes, &options)).collect::<Vec<_>>();
        let sums = sums.into_iter().collect::<Result<Vec<(f64, f64)>, BaselineError>>()?;
        let right = mean(sums.iter().map(|sum| sum.0).sum());
        let value = Validation { c, accuracy: right, log_loss: mean(sums.iter().map(|sum| sum.1).sum()) };
        found.push(value);
        let is_worse = |best: Validation| value.accuracy < best.accuracy && value.log_loss > best.log_loss;
        worse = if best.is_some_and(is_worse) { worse + 1 } else { 0 };
        if worse == PATIENCE {
            break;
        }
        if best.is_none_or(|best| value.is_better_than(&best)) {
            best = Some(value);
        }
    }
    Ok(found)
}

/// The rows of a fold, and its regressions so far.
struct Fold {
    train: DenseRows,
    data: Occurring,
    test: DenseRows,
    truth: Vec<usize>,
    path: Path,
}

impl Fold {
    fn new(
        rows: &DenseRows,
        labels: &[usize],
        classes: usize,
        class_weights: Option<&[f64]>,
        (fitted, held_out): &(Vec<usize>, Vec<usize>),
    ) -> Result<Self, BaselineError> {
        let of = |rows: &[usize]| rows.iter().filter_map(|&row| labels.get(row).copied()).collect::<Vec<usize>>();
        let (train, test) = (rows.select(fitted), rows.select(held_out));
        let data = Occurring::of(&train, &of(fitted), classes, class_weights)?;
        Ok(Self { train, data, test, truth: of(held_out), path: Path::default() })
    }

    /// Returns the number of held-out rows that are predicted correctly, and the sum of their negative log-likelihoods.
    fn validate(&mut self, classes: usize, options: &LogisticOptions<'_>) -> Result<(f64, f64), BaselineError> {
        let found = self.path.next(&self.data.problem(&self.train), options)?;
        let probabilities = self.data.regression(found, classes, self.train.columns()).probabilities(&self.test);
        let (mut right, mut loss) = (0.0, 0.0);
        for (row, &label) in probabilities.chunks(classes).zip(&self.truth) {
            right += f64::from(u8::from(argmax(row) == label));
            loss -= row[label].max(f64::EPSILON).ln();
        }
        Ok((right, loss))
    }
}

/// The last two solutions for ascending values of C, with the logarithms of these.
#[derive(Default)]
struct Path {
    before: Option<(f64, Weights)>,
    last: Option<(f64, Weights)>,
}

impl Path {
    /// Fits the regression of the next value of C roughly. The search starts where the line through the last two solutions leads.
    fn next(
        &mut self,
        problem: &Problem<'_, DenseRows>,
        options: &LogisticOptions<'_>,
    ) -> Result<&Weights, BaselineError> {
        let place = options.c.ln();
        let start = match (&self.before, &self.last) {
            (Some((from, before)), Some((to, last))) if from < to => {
                Some(last.beyond(before, (place - to) / (to - from)))
            }
            (_, last) => last.as_ref().map(|(_, last)| last.clone()),
        };
        let found = Weights::fit(problem, options, ROUGH, start.as_ref())?;
        self.before = self.last.take();
        Ok(&self.last.insert((place, found)).1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the number of values of C, of six, that are tried on 60 rows of 20 columns, the first of which tells the class of all
    /// rows but every n-th.
    fn tried(wrong: usize) -> usize {
        let random = |row: usize, column: usize| (((row * 31 + column) as f64 * 12.9898).sin() * 43758.5453).fract();
        let labels: Vec<usize> = (0..60).map(|row| if row % wrong == 0 { 1 - row % 2 } else { row % 2 }).collect();
        let value = |row: usize, column: usize| if column == 0 { 4.0 * (row % 2) as f64 } else { random(row, column) };
        let rows = DenseRows::new((0..60 * 20).map(|place| value(place / 20, place % 20)).collect(), 20);
        let folds: Vec<_> = (0..3).map(|fold| (0..60).partition(|row| row / 20 != fold)).collect();
        let grid = [0.01, 0.1, 1.0, 10.0, 100.0, 1000.0];
        cross_validate(&rows, &labels, 2, None, &folds, &grid, &LogisticOptions::default()).expect("fitted").len()
    }

    #[test]
    fn values_that_overfit_are_not_tried() {
        assert_eq!(tried(61), 6, "two clear classes");
        let short = tried(5);
        assert!((3..6).contains(&short), "{short}");
    }
}
