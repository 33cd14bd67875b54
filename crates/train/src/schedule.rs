//! Learning rate schedules.

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

/// How the learning rate changes after the warm-up, under the names of transformers' `lr_scheduler_type`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum SchedulerType {
    /// Linearly to 0 after the last step.
    #[default]
    Linear,
    /// As half a period of the cosine to 0 after the last step.
    Cosine,
    /// It does not change.
    Constant,
}

impl SchedulerType {
    /// Returns the name that transformers uses.
    pub fn name(self) -> &'static str {
        match self {
            Self::Linear => "linear",
            Self::Cosine => "cosine",
            Self::Constant => "constant",
        }
    }
}

/// The learning rates of a training: transformers' `get_linear_schedule_with_warmup`, `get_cosine_schedule_with_warmup` and
/// `get_constant_schedule_with_warmup`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// How the learning rate changes after the warm-up.
    pub kind: SchedulerType,
    /// Steps over which the learning rate rises linearly from 0.
    pub warmup: usize,
    /// All steps.
    pub steps: usize,
}

impl Schedule {
    /// Returns the fraction of the learning rate that a step, counted from 0, uses.
    pub fn share(&self, step: usize) -> f64 {
        let Self { kind, warmup, steps } = *self;
        if step < warmup {
            return step as f64 / warmup as f64;
        }
        let rest = steps.saturating_sub(warmup).max(1) as f64;
        match kind {
            SchedulerType::Linear => steps.saturating_sub(step) as f64 / rest,
            SchedulerType::Cosine => (0.5 * (1.0 + (PI * (step - warmup) as f64 / rest).cos())).max(0.0),
            SchedulerType::Constant => 1.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_steps_use_the_whole_rate_and_half_of_it() {
        for (kind, half) in [(SchedulerType::Linear, 0.5), (SchedulerType::Cosine, 0.5), (SchedulerType::Constant, 1.0)]
        {
            let schedule = Schedule { kind, warmup: 0, steps: 2 };
            assert_eq!(schedule.share(0), 1.0);
            assert!((schedule.share(1) - half).abs() < 1e-15);
            assert_eq!(Schedule { warmup: 4, ..schedule }.share(1), 0.25);
        }
    }
}
