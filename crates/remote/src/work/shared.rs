//! What the threads of all workers share.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::queue::WorkQueue;
use super::scheduler::Scheduler;

/// How often an idle worker checks whether the work was asked to stop.
const POLL: Duration = Duration::from_millis(100);

pub(crate) struct Shared<Q: WorkQueue> {
    pub(crate) queue: std::sync::Arc<Q>,
    scheduler: Mutex<Scheduler>,
    /// Notified when the scheduler changes.
    changed: Condvar,
    /// Held while a result is recorded, so that the items that follow from it have the numbers that the queue expects.
    recorder: Mutex<()>,
}

impl<Q: WorkQueue> Shared<Q> {
    pub(crate) fn new(queue: std::sync::Arc<Q>, scheduler: Scheduler) -> Self {
        Self { queue, scheduler: Mutex::new(scheduler), changed: Condvar::new(), recorder: Mutex::default() }
    }

    pub(crate) fn scheduler(&self) -> MutexGuard<'_, Scheduler> {
        self.scheduler.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends all work.
    pub(crate) fn close(&self) {
        self.scheduler().closed = true;
        self.changed.notify_all();
    }

    /// Whether an item is recorded, or all work ended.
    pub(crate) fn is_needless(&self, item: usize) -> bool {
        let scheduler = self.scheduler();
        scheduler.closed || scheduler.recorded[item]
    }

    /// Waits for the next item of a worker; `None` if there will be none.
    pub(crate) fn lease(&self, worker: usize, pace: Option<f64>) -> Option<usize> {
        let mut scheduler = self.scheduler();
        loop {
            if scheduler.is_over() || self.queue.check_stop().is_err() {
                return None;
            }
            if let Some(item) = scheduler.lease(worker, pace) {
                return Some(item);
            }
            scheduler = self.changed.wait_timeout(scheduler, POLL).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Records the result of an item, unless another worker did; returns whether this worker was the first.
    pub(crate) fn record(&self, item: usize, output: &Q::Output) -> Result<bool, Q::Error> {
        {
            let mut scheduler = self.scheduler();
            if scheduler.closed || scheduler.recorded[item] {
                return Ok(false);
            }
            // Other workers lease items while this result is written. If writing fails, all work ends.
            scheduler.recorded[item] = true;
            scheduler.recording += 1;
        }
        let _recorder = self.recorder.lock().unwrap_or_else(PoisonError::into_inner);
        let following = self.queue.record(item, output)?;
        let mut scheduler = self.scheduler();
        scheduler.recording -= 1;
        scheduler.add(following);
        self.changed.notify_all();
        Ok(true)
    }
}
