//! The learning rate of each step.

/// transformers' `get_linear_schedule_with_warmup` without warm-up: from `learning_rate` at the first step (0) in a
/// straight line to 0 after the last of `steps`.
pub fn linear(learning_rate: f64, step: usize, steps: usize) -> f64 {
    learning_rate * steps.saturating_sub(step) as f64 / steps.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::linear;

    #[test]
    fn two_steps_use_the_whole_rate_and_half_of_it() {
        assert_eq!([linear(2e-3, 0, 2), linear(2e-3, 1, 2)], [2e-3, 1e-3]);
        assert_eq!(linear(2e-3, 2, 2), 0.0);
    }
}
