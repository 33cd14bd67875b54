//! Logistic regression on given features, and the choice of its regularization.

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
/// That norm when values of C are compared: a hundred times scikit-learn's usual one would do.
const ROUGH: f64 = 1e-4;
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
        options: &LogisticOptions,
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

/// Evaluates each value of C, ascending, on folds: pairs of the rows to fit and the rows that are held out. Each search starts
/// from the solution of the value before.
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
) -> Result<Vec<Validation>, BaselineError> {
    let mut sums = vec![(0.0, 0.0); values_of_c.len()];
    let mut tested = 0;
    for (fitted, held_out) in folds {
        let of = |rows: &[usize]| rows.iter().map(|&row| labels[row]).collect::<Vec<usize>>();
        let (train, truth) = (rows.select(fitted), of(held_out));
        let (test, train_labels) = (rows.select(held_out), of(fitted));
        let data = Occurring::of(&train, &train_labels, classes, class_weights)?;
        let mut weights = None;
        for (&c, (right, loss)) in values_of_c.iter().zip(&mut sums) {
            let options = LogisticOptions { c, ..LogisticOptions::default() };
            let found = Weights::fit(&data.problem(&train), &options, ROUGH, weights.as_ref())?;
            let probabilities = data.regression(&found, classes, rows.columns()).probabilities(&test);
            for (row, &label) in probabilities.chunks(classes).zip(&truth) {
                *right += f64::from(u8::from(argmax(row) == label));
                *loss -= row[label].max(f64::EPSILON).ln();
            }
            weights = Some(found);
        }
        tested += held_out.len();
    }
    let mean = |sum: f64| sum / tested.max(1) as f64;
    let validation =
        |(&c, &(right, loss)): (&f64, &(f64, f64))| Validation { c, accuracy: mean(right), log_loss: mean(loss) };
    Ok(values_of_c.iter().zip(&sums).map(validation).collect())
}
