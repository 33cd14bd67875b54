//! The processor time of each approach.

use std::collections::HashMap;
use std::time::Duration;

use rekindle::allocator::processor_time;
use rekindle::experiment::Progress;
use rekindle::results::Results;

/// Measures approaches from their start to their end. An approach with a restored run, or one whose runs were distributed, is
/// left out: it was computed at another time.
#[derive(Default)]
pub struct Costs {
    began: Option<Duration>,
    seconds: HashMap<String, f64>,
}

impl Costs {
    pub fn note(&mut self, progress: &Progress<'_>) {
        match progress {
            Progress::Approach { .. } => self.began = processor_time(),
            Progress::RunRestored(_) => self.began = None,
            Progress::ApproachFinished(record) => {
                let spent = self.began.take().zip(processor_time()).and_then(|(began, end)| end.checked_sub(began));
                self.seconds.extend(spent.map(|spent| (record.approach.clone(), spent.as_secs_f64())));
            }
            _ => {}
        }
    }

    /// Adds the measured times to results.
    pub fn record(&self, results: &mut Results) {
        for record in &mut results.approaches {
            record.processor_seconds = self.seconds.get(&record.approach).copied();
        }
    }
}
