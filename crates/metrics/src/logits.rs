//! Class scores of one example: the predicted class and the probabilities.

/// Returns the index of the largest value, the first if several are equal (`numpy.argmax`); 0 for an empty slice.
pub fn argmax<T: PartialOrd>(values: &[T]) -> usize {
    values.iter().enumerate().fold(0, |best, (index, value)| if *value > values[best] { index } else { best })
}

/// Replaces scores by their softmax and returns the logarithm of the sum of their exponentials (`scipy.special.softmax` and
/// `logsumexp`).
#[inline]
pub fn softmax(scores: &mut [f64]) -> f64 {
    let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    scores.iter_mut().for_each(|score| *score = (*score - largest).exp());
    let sum: f64 = scores.iter().sum();
    scores.iter_mut().for_each(|score| *score /= sum);
    largest + sum.ln()
}

/// Returns the probability of each class, by softmax over the logits of a model.
pub fn probabilities(logits: &[f32]) -> Vec<f64> {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut scores: Vec<f64> = logits.iter().map(|logit| f64::from(logit - largest)).collect();
    softmax(&mut scores);
    scores
}

/// Returns the probability of a logit by itself, `1 / (1 + exp(-logit))` (`scipy.special.expit`).
pub fn sigmoid(logit: f64) -> f64 {
    if logit >= 0.0 {
        1.0 / (1.0 + (-logit).exp())
    } else {
        let odds = logit.exp();
        odds / (1.0 + odds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn argmax_returns_the_first_of_equal_values() {
        assert_eq!(argmax(&[1.0, 3.0, 3.0]), 1);
        assert_eq!(argmax::<f32>(&[]), 0);
    }

    #[test]
    fn softmax_does_not_overflow() {
        let mut scores = [1000.0, 1000.0];
        assert!((softmax(&mut scores) - (1000.0 + std::f64::consts::LN_2)).abs() < 1e-9);
        assert_eq!(scores, [0.5, 0.5]);
        assert_eq!(probabilities(&[1000.0, 1000.0]), [0.5, 0.5]);
    }

    #[test]
    fn sigmoid_keeps_its_precision_and_does_not_overflow() {
        assert_eq!(sigmoid(0.0), 0.5);
        assert_eq!((sigmoid(-1000.0), sigmoid(1000.0)), (0.0, 1.0));
        assert!((sigmoid(-40.0) / (-40.0f64).exp() - 1.0).abs() < 1e-15);
    }
}
