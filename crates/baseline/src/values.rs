//! Baselines for texts with a value.

use crate::error::BaselineError;
use crate::ridge::{self, RidgeOptions};
use crate::rows::Rows;
use crate::tfidf::Tfidf;

/// A cheap prediction of a value from a text.
pub trait ValueBaseline {
    /// Returns the predicted value of each text.
    fn predictions(&self, texts: &[&str]) -> Vec<f64>;
}

/// Predicts the mean of the training values for every text (`DummyRegressor()`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MeanValue {
    mean: f64,
}

impl MeanValue {
    /// Computes the mean.
    ///
    /// # Errors
    /// Returns an error if there are no values, or one is not finite.
    pub fn fit(values: &[f64]) -> Result<Self, BaselineError> {
        ridge::mean(values).map(|mean| Self { mean })
    }

    /// Returns the mean of the training values.
    pub fn mean(&self) -> f64 {
        self.mean
    }
}

impl ValueBaseline for MeanValue {
    fn predictions(&self, texts: &[&str]) -> Vec<f64> {
        vec![self.mean; texts.len()]
    }
}

/// `make_pipeline(TfidfVectorizer(), Ridge())`: single words weighted by TF-IDF, and a linear regression with L2
/// regularization and an unregularized intercept.
///
/// The result is the exact minimum, which scikit-learn's solver for sparse rows approximates with a relative tolerance of
/// 1e-4.
#[derive(Clone, Debug)]
pub struct TfidfRidge {
    tfidf: Tfidf,
    weights: Vec<f64>,
}

impl TfidfRidge {
    /// Fits the regression to texts and values.
    ///
    /// # Errors
    /// Returns an error if there are no texts, the numbers of texts and values differ, a value is not finite, the options are
    /// out of range, or the search does not converge. [`BaselineError::NoWords`] means that only the [`MeanValue`] can be
    /// predicted.
    pub fn fit(texts: &[&str], values: &[f64], options: &RidgeOptions<'_>) -> Result<Self, BaselineError> {
        if texts.len() != values.len() {
            return Err(BaselineError::Length { texts: texts.len(), labels: values.len() });
        }
        ridge::mean(values)?;
        let tfidf = Tfidf::fit(texts)?;
        let weights = ridge::fit(&tfidf.transform(texts), tfidf.len(), values, options)?;
        Ok(Self { tfidf, weights })
    }
}

impl ValueBaseline for TfidfRidge {
    /// Words that did not occur in training are ignored; the value of a text without known words is the intercept.
    fn predictions(&self, texts: &[&str]) -> Vec<f64> {
        self.tfidf.transform(texts).scores(&self.weights, 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unusable_training_data_is_an_error() {
        let fit = |texts: &[&str], values: &[f64], alpha| {
            let options = RidgeOptions { alpha, ..Default::default() };
            TfidfRidge::fit(texts, values, &options).expect_err("nothing to learn")
        };
        assert_eq!(fit(&[], &[], 1.0), BaselineError::Empty);
        assert_eq!(fit(&["good"], &[1.0, 2.0], 1.0), BaselineError::Length { texts: 1, labels: 2 });
        assert_eq!(fit(&["a", "!"], &[1.0, 2.0], 1.0), BaselineError::NoWords);
        let infinite = BaselineError::Value { row: 1, value: f64::INFINITY };
        assert_eq!(fit(&["good", "bad"], &[1.0, f64::INFINITY], 1.0), infinite);
        assert_eq!(fit(&["good", "bad"], &[1.0, 2.0], 0.0), BaselineError::Alpha { alpha: 0.0 });
        assert_eq!(MeanValue::fit(&[]), Err(BaselineError::Empty));
    }
}
