//! The board: which pieces of work wait, are under way, and are done.

use std::time::Instant;

/// How many times longer than an idle host would take may a piece take before that host makes it too.
const PATIENCE: f64 = 2.0;

pub(super) struct Board {
    /// The least first.
    waiting: Vec<usize>,
    leases: Vec<Lease>,
    /// By the number of the piece.
    pub(super) settled: Vec<bool>,
    /// How often each lost the host that it was on.
    pub(super) losses: Vec<usize>,
    /// What each takes, in any unit.
    pub(super) costs: Vec<f64>,
    /// Hosts that are there.
    pub(super) present: usize,
    /// Nothing more is taken or noted.
    pub(super) closed: bool,
}

/// A piece under way.
struct Lease {
    number: usize,
    host: usize,
    since: Instant,
}

impl Board {
    /// Of pieces that cost so much, those that are not settled wait.
    pub(super) fn new(costs: Vec<f64>, settled: Vec<bool>) -> Self {
        let mut waiting: Vec<usize> = (0..costs.len()).rev().filter(|&number| !settled[number]).collect();
        waiting.sort_by(|&one, &other| costs[one].total_cmp(&costs[other]));
        let losses = vec![0; costs.len()];
        Self { waiting, leases: Vec::new(), settled, losses, costs, present: 0, closed: false }
    }

    pub(super) fn is_settled(&self) -> bool {
        self.settled.iter().all(|&settled| settled)
    }

    /// Whether nothing is left to make.
    pub(super) fn is_over(&self) -> bool {
        self.closed || self.is_settled()
    }

    /// The longest piece that waits or else, for a host that needs `pace` seconds a unit of cost, one that keeps another
    /// host much longer.
    pub(super) fn take(&mut self, host: usize, pace: Option<f64>) -> Option<usize> {
        let number = self.waiting.pop().or_else(|| {
            let alone = |lease: &&Lease| self.leases.iter().filter(|other| other.number == lease.number).count() == 1;
            let slow = |lease: &&Lease| {
                pace.is_some_and(|pace| {
                    lease.since.elapsed().as_secs_f64() > 1.0 + PATIENCE * pace * self.costs[lease.number]
                })
            };
            self.leases.iter().filter(|lease| lease.host != host).filter(alone).find(slow).map(|lease| lease.number)
        })?;
        self.leases.push(Lease { number, host, since: Instant::now() });
        Some(number)
    }

    /// A host is no longer on a piece; where nobody is and it is not done, it waits again, before all others.
    pub(super) fn leave(&mut self, host: usize, number: usize) {
        self.leases.retain(|lease| lease.host != host);
        if !self.settled[number] && self.leases.iter().all(|lease| lease.number != number) {
            self.waiting.push(number);
        }
    }
}
