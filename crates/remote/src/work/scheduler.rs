//! The scheduler: which items wait, are leased to a worker, or are recorded.

use std::time::Instant;

/// An idle worker takes over an item once it has taken this many times longer than the worker would need itself.
const PATIENCE: f64 = 2.0;

pub(crate) struct Scheduler {
    /// Ascending cost.
    waiting: Vec<usize>,
    leases: Vec<Lease>,
    /// Whether each item is recorded.
    pub(crate) recorded: Vec<bool>,
    /// How many workers failed on each item.
    pub(crate) losses: Vec<usize>,
    /// The cost of each item, in any unit.
    pub(crate) costs: Vec<f64>,
    /// Workers that are connected.
    pub(crate) connected: usize,
    /// Whether no further item is leased or recorded.
    pub(crate) closed: bool,
    /// Results that are being recorded: items may follow from them.
    pub(crate) recording: usize,
}

/// An item that a worker computes.
struct Lease {
    item: usize,
    worker: usize,
    since: Instant,
}

impl Scheduler {
    /// Schedules the items that are not recorded.
    pub(crate) fn new(costs: Vec<f64>, recorded: Vec<bool>) -> Self {
        let mut waiting: Vec<usize> = (0..costs.len()).rev().filter(|&item| !recorded[item]).collect();
        waiting.sort_by(|&one, &other| costs[one].total_cmp(&costs[other]));
        let losses = vec![0; costs.len()];
        Self { waiting, leases: Vec::new(), recorded, losses, costs, connected: 0, closed: false, recording: 0 }
    }

    /// Schedules further items.
    pub(crate) fn add(&mut self, costs: Vec<f64>) {
        let first = self.costs.len();
        self.costs.extend(costs);
        self.recorded.resize(self.costs.len(), false);
        self.losses.resize(self.costs.len(), 0);
        let costs = &self.costs;
        for item in first..costs.len() {
            let place = self.waiting.partition_point(|&other| costs[other] < costs[item]);
            self.waiting.insert(place, item);
        }
    }

    /// Items that are not recorded.
    pub(crate) fn open(&self) -> usize {
        self.recorded.iter().filter(|&&recorded| !recorded).count()
    }

    /// Whether there is nothing left to compute.
    pub(crate) fn is_over(&self) -> bool {
        self.closed || self.open() == 0 && self.recording == 0
    }

    /// Leases the most expensive waiting item. Without one, leases an item that another worker computes too slowly, if this
    /// worker would need `pace` seconds per unit of cost.
    pub(crate) fn lease(&mut self, worker: usize, pace: Option<f64>) -> Option<usize> {
        let item = self.waiting.pop().or_else(|| {
            let alone = |lease: &&Lease| self.leases.iter().filter(|other| other.item == lease.item).count() == 1;
            let slow = |lease: &&Lease| {
                pace.is_some_and(|pace| {
                    lease.since.elapsed().as_secs_f64() > 1.0 + PATIENCE * pace * self.costs[lease.item]
                })
            };
            self.leases.iter().filter(|lease| lease.worker != worker).filter(alone).find(slow).map(|lease| lease.item)
        })?;
        self.leases.push(Lease { item, worker, since: Instant::now() });
        Some(item)
    }

    /// Ends the lease of a worker. An item that is not recorded and that no other worker computes waits again, before all
    /// others.
    pub(crate) fn release(&mut self, worker: usize, item: usize) {
        self.leases.retain(|lease| lease.worker != worker);
        if !self.recorded[item] && self.leases.iter().all(|lease| lease.item != item) {
            self.waiting.push(item);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Scheduler;

    #[test]
    fn the_most_expensive_item_is_first_and_a_released_one_waits_again() {
        let mut scheduler = Scheduler::new(vec![1.0, 3.0, 2.0, 9.0], vec![false, false, false, true]);
        assert_eq!([0, 1].map(|worker| scheduler.lease(worker, None)), [Some(1), Some(2)]);
        scheduler.release(0, 1);
        assert_eq!(scheduler.lease(2, None), Some(1));
        assert_eq!((scheduler.lease(0, None), scheduler.lease(0, None)), (Some(0), None));
        assert!(scheduler.open() == 3 && !scheduler.is_over());
    }

    #[test]
    fn items_that_are_added_start_by_their_cost() {
        let mut scheduler = Scheduler::new(vec![1.0, 3.0], vec![false, true]);
        scheduler.add(vec![0.5, 2.0]);
        assert_eq!([0, 1, 2, 3].map(|worker| scheduler.lease(worker, None)), [Some(3), Some(0), Some(2), None]);
        (0..4).for_each(|item| scheduler.recorded[item] = true);
        scheduler.recording = 1;
        assert!(!scheduler.is_over(), "items may follow from a result that is being recorded");
    }
}
