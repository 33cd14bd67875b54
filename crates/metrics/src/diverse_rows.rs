//! Which rows to label next: uncertain ones that differ from each other.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::error::MetricsError;

/// So many times as many rows as are chosen are clustered: those with the smallest margins (β of the paper).
const PREFILTER: usize = 10;
/// Maximum number of iterations of k-means.
const ITERATIONS: usize = 20;

/// Chooses `count` rows to label next by margin-weighted k-means (Zhdanov, 2019, "Diverse mini-batch active learning"); those with the
/// smallest margins come first.
///
/// `features` are what a head reads, and `probabilities` what it predicts, row-major with `classes` values per row. The margin of
/// a row is the difference of its two largest probabilities. Of the ten times `count` rows with the smallest margins, k-means
/// finds `count` clusters of features, where a row has the weight 1 − margin, and the row nearest to each centre is chosen. The rows depend
/// only on `seed`, which draws the first centres by k-means++. All rows are returned if there are not more than `count`.
///
/// Time is proportional to `count` squared times the number of features.
///
/// # Errors
/// Returns an error if there are no rows, `features` are not as many rows as `probabilities`, or a value is not finite.
pub fn diverse_uncertain_rows(
    features: &[f32],
    probabilities: &[f32],
    classes: usize,
    count: usize,
    seed: u64,
) -> Result<Vec<usize>, MetricsError> {
    let rows = probabilities.len() / classes.max(1);
    if rows == 0 {
        return Err(MetricsError::Empty);
    }
    if !probabilities.len().is_multiple_of(classes) || features.is_empty() || !features.len().is_multiple_of(rows) {
        return Err(MetricsError::Length { truth: rows, other: features.len(), what: "values of features" });
    }
    let dim = features.len() / rows;
    for (values, width) in [(features, dim), (probabilities, classes)] {
        if let Some(place) = values.iter().position(|value| !value.is_finite()) {
            return Err(MetricsError::Score { row: place / width, value: values[place].into() });
        }
    }
    let margins: Vec<f32> = probabilities.chunks(classes).map(margin).collect();
    let mut order: Vec<usize> = (0..rows).collect();
    order.sort_by(|a, b| margins[*a].total_cmp(&margins[*b]));
    if count == 0 || rows <= count {
        order.truncate(count);
        return Ok(order);
    }
    order.truncate(PREFILTER.saturating_mul(count));
    let points = order.iter().map(|&row| &features[row * dim..(row + 1) * dim]).collect();
    // A row of which the model is certain counts little, but not nothing.
    let weights = order.iter().map(|&row| f64::from(1.0 - margins[row]).max(1e-6)).collect();
    let mut clusters = Clusters { points, weights, centres: Vec::new() };
    clusters.fit(count, seed);
    Ok(clusters.representatives(count).into_iter().map(|place| order[place]).collect())
}

/// The difference of the two largest values.
fn margin(probabilities: &[f32]) -> f32 {
    let [mut first, mut second] = [0.0_f32; 2];
    for &value in probabilities {
        (first, second) = if value > first { (value, first) } else { (first, second.max(value)) };
    }
    first - second
}

/// k-means of weighted points.
struct Clusters<'a> {
    points: Vec<&'a [f32]>,
    weights: Vec<f64>,
    centres: Vec<Vec<f32>>,
}

impl Clusters<'_> {
    /// Finds centres by Lloyd's algorithm.
    fn fit(&mut self, count: usize, seed: u64) {
        self.begin(count, &mut ChaCha8Rng::seed_from_u64(seed));
        let mut assigned = Vec::new();
        for _ in 0..ITERATIONS {
            let nearest: Vec<usize> = self.points.iter().map(|point| self.nearest(point)).collect();
            if nearest == assigned {
                return;
            }
            assigned = nearest;
            self.update(&assigned);
        }
    }

    /// Draws the first centres by weighted k-means++ (Arthur and Vassilvitskii, 2007).
    fn begin(&mut self, count: usize, rng: &mut ChaCha8Rng) {
        let mut distances = vec![1.0_f64; self.points.len()];
        let mut is_first = true;
        while self.centres.len() < count {
            let masses = distances.iter().zip(&self.weights).map(|(distance, weight)| distance * weight);
            let sum: f64 = masses.clone().sum();
            // 53 bits, as in NumPy.
            let mut left = (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64 * sum;
            let mut drawn = None;
            for (place, mass) in masses.enumerate().filter(|(_, mass)| *mass > 0.0) {
                drawn = Some(place);
                left -= mass;
                if left < 0.0 {
                    break;
                }
            }
            // All points are centres.
            let Some(drawn) = drawn else { return };
            let centre = self.points[drawn].to_vec();
            for (distance, point) in distances.iter_mut().zip(&self.points) {
                let other = squared_distance(point, &centre);
                *distance = if is_first { other } else { distance.min(other) };
            }
            is_first = false;
            self.centres.push(centre);
        }
    }

    /// Returns the index of the nearest centre.
    fn nearest(&self, point: &[f32]) -> usize {
        let distances = self.centres.iter().map(|centre| squared_distance(point, centre)).enumerate();
        distances.min_by(|(_, a), (_, b)| a.total_cmp(b)).map_or(0, |(centre, _)| centre)
    }

    /// Moves each centre to the weighted mean of its points.
    fn update(&mut self, assigned: &[usize]) {
        let dim = self.points.first().map_or(0, |point| point.len());
        let mut sums = vec![(vec![0.0_f64; dim], 0.0); self.centres.len()];
        for ((point, &centre), &weight) in self.points.iter().zip(assigned).zip(&self.weights) {
            let (sum, total) = &mut sums[centre];
            sum.iter_mut().zip(*point).for_each(|(sum, value)| *sum += weight * f64::from(*value));
            *total += weight;
        }
        for (centre, (sum, total)) in self.centres.iter_mut().zip(sums).filter(|(_, (_, total))| *total > 0.0) {
            *centre = sum.into_iter().map(|sum| (sum / total) as f32).collect();
        }
    }

    /// Returns the point nearest to each centre that is not one of an earlier centre, in the order of the points. Equal points
    /// have fewer centres than wanted: the first of the others follow.
    fn representatives(&self, count: usize) -> Vec<usize> {
        let mut is_chosen = vec![false; self.points.len()];
        for centre in &self.centres {
            let free = (0..self.points.len()).filter(|&place| !is_chosen[place]);
            let distances = free.map(|place| (place, squared_distance(self.points[place], centre)));
            if let Some((nearest, _)) = distances.min_by(|(_, a), (_, b)| a.total_cmp(b)) {
                is_chosen[nearest] = true;
            }
        }
        let missing = count.saturating_sub(self.centres.len());
        let others: Vec<usize> = (0..self.points.len()).filter(|&place| !is_chosen[place]).take(missing).collect();
        others.into_iter().for_each(|place| is_chosen[place] = true);
        (0..self.points.len()).filter(|&place| is_chosen[place]).collect()
    }
}

fn squared_distance(one: &[f32], other: &[f32]) -> f64 {
    f64::from(one.iter().zip(other).map(|(a, b)| (a - b) * (a - b)).sum::<f32>())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two uncertain rows in each of two places, a certain row in a third, and a less uncertain one in a fourth.
    const FEATURES: [f32; 12] = [0.0, 0.0, 0.1, 0.0, 5.0, 5.0, 5.0, 5.1, 9.0, 0.0, 0.0, 9.0];
    const PROBABILITIES: [f32; 12] = [0.5, 0.5, 0.45, 0.55, 0.6, 0.4, 0.5, 0.5, 1.0, 0.0, 0.3, 0.7];

    #[test]
    fn uncertain_rows_of_different_places_are_chosen() {
        for seed in 0..20 {
            let chosen = |count| diverse_uncertain_rows(&FEATURES, &PROBABILITIES, 2, count, seed).expect("valid");
            let three = chosen(3);
            assert_eq!(three, chosen(3), "the same seed");
            let places = [0..2, 2..4, 5..6].map(|place| three.iter().filter(|row| place.contains(*row)).count());
            assert_eq!(places, [1, 1, 1], "{three:?}");
            assert_eq!(three[2], 5, "the most uncertain ones first");
            assert_eq!(chosen(6), [0, 3, 1, 2, 5, 4]);
            assert_eq!((chosen(0), chosen(9).len()), (vec![], 6));
        }
    }

    #[test]
    fn rows_that_are_equal_are_chosen_if_there_are_no_others() {
        let chosen = diverse_uncertain_rows(&[1.0; 5], &[0.5; 10], 2, 3, 1).expect("valid");
        assert_eq!(chosen, [0, 1, 2]);
    }

    #[test]
    fn values_that_do_not_fit_are_an_error() {
        assert_eq!(diverse_uncertain_rows(&[], &[], 2, 1, 0), Err(MetricsError::Empty));
        assert!(diverse_uncertain_rows(&FEATURES[..5], &PROBABILITIES, 2, 1, 0).is_err());
        assert!(diverse_uncertain_rows(&[f32::NAN, 0.0], &[0.5, 0.5], 2, 1, 0).is_err());
    }
}
