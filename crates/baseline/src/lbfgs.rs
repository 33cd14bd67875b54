//! The memory of L-BFGS: an approximation of the inverse of the second derivatives from the last steps.

use std::collections::VecDeque;

/// The number of steps that are remembered, as in scikit-learn.
const STEPS: usize = 10;
/// Most memory for them, but for the least number: with a thousand classes of a large vocabulary, ten take gigabytes. Fewer need more
/// iterations to the same minimum.
const MOST_BYTES: usize = 1 << 30;
const LEAST_STEPS: usize = 3;

/// The last steps of a search and the changes of the gradient that they caused.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    steps: VecDeque<Step>,
}

#[derive(Debug)]
struct Step {
    step: Vec<f64>,
    change: Vec<f64>,
    /// The product of both, the curvature along the step.
    curvature: f64,
}

impl Memory {
    /// Remembers a step, unless rounding hides the curvature along it.
    pub(crate) fn push(&mut self, step: Vec<f64>, change: Vec<f64>) {
        let curvature = dot(&step, &change);
        if curvature > 0.0 {
            self.steps.truncate(remembered(step.len()) - 1);
            self.steps.push_front(Step { step, change, curvature });
        }
    }

    /// Returns the direction in which to search, downhill.
    pub(crate) fn direction(&self, gradient: &[f64]) -> Vec<f64> {
        let mut direction: Vec<f64> = gradient.iter().map(|slope| -slope).collect();
        let mut shares = Vec::with_capacity(STEPS);
        for Step { step, change, curvature } in &self.steps {
            let share = dot(step, &direction) / curvature;
            add(&mut direction, -share, change);
            shares.push(share);
        }
        if let Some(Step { change, curvature, .. }) = self.steps.front() {
            let scale = curvature / dot(change, change);
            direction.iter_mut().for_each(|value| *value *= scale);
        }
        for (Step { step, change, curvature }, share) in self.steps.iter().zip(shares).rev() {
            let correction = share - dot(change, &direction) / curvature;
            add(&mut direction, correction, step);
        }
        direction
    }
}

/// Returns how many steps of so many values are remembered.
fn remembered(values: usize) -> usize {
    let bytes = 2 * size_of::<f64>() * values.max(1);
    (MOST_BYTES / bytes).clamp(LEAST_STEPS, STEPS)
}

/// Adds `factor` times `other` to `to`.
pub(crate) fn add(to: &mut [f64], factor: f64, other: &[f64]) {
    to.iter_mut().zip(other).for_each(|(to, other)| *to += factor * other);
}

/// A dot product with several sums, which do not wait for each other.
#[inline(always)]
pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; 8];
    let (a, a_rest) = a.as_chunks::<8>();
    let (b, b_rest) = b.as_chunks::<8>();
    for (a, b) in a.iter().zip(b) {
        for lane in 0..8 {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let rest: f64 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directions_of_a_quadratic_function_reach_its_minimum() {
        // Along each coordinate, the curvature is another one; as many exact steps as there are coordinates suffice.
        let curvatures: Vec<f64> = (1..=6).map(f64::from).collect();
        let mut point = vec![1.0; 6];
        let mut memory = Memory::default();
        let gradient = |point: &[f64]| point.iter().zip(&curvatures).map(|(x, c)| x * c).collect::<Vec<f64>>();
        for _ in 0..6 {
            let before = gradient(&point);
            let direction = memory.direction(&before);
            let length = -dot(&before, &direction) / dot(&direction, &gradient(&direction));
            add(&mut point, length, &direction);
            let mut change = gradient(&point);
            add(&mut change, -1.0, &before);
            memory.push(direction.iter().map(|value| length * value).collect(), change);
        }
        assert!(point.iter().all(|x| x.abs() < 1e-9), "{point:?}");
    }

    #[test]
    fn fewer_steps_of_many_values_are_remembered() {
        assert_eq!([0, 6, 6_000_000, 10_000_000, 40_000_000].map(remembered), [10, 10, 10, 6, 3]);
    }

    #[test]
    fn a_step_without_curvature_is_forgotten() {
        let mut memory = Memory::default();
        memory.push(vec![1.0, 0.0], vec![0.0, 0.0]);
        assert_eq!(memory.direction(&[2.0, -1.0]), [-2.0, 1.0]);
    }
}
