//! The learning rate of each step.

/// transformers' `get_linear_schedule_with_warmup`: in a straight line from 0 at the first step (0) to `learning_rate`
/// after `warmup` steps, and from there to 0 after the last of `steps`.
pub fn linear(learning_rate: f64, warmup: usize, step: usize, steps: usize) -> f64 {
    let share = match step < warmup {
        true => step as f64 / warmup as f64,
        false => steps.saturating_sub(step) as f64 / steps.saturating_sub(warmup).max(1) as f64,
    };
    learning_rate * share
}

#[cfg(test)]
mod tests {
    use super::linear;

    #[test]
    fn two_steps_use_the_whole_rate_and_half_of_it() {
        assert_eq!([linear(2e-3, 0, 0, 2), linear(2e-3, 0, 1, 2)], [2e-3, 1e-3]);
        assert_eq!(linear(2e-3, 0, 2, 2), 0.0);
    }
}
