//! The budget of a search.

use std::fmt;
use std::time::{Duration, Instant};

/// What all searches of an experiment together may cost.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum Budget {
    /// As much as the candidates need.
    #[default]
    Unlimited,
    /// So many trainings on inner folds. The training of each chosen candidate on all examples is not counted.
    Runs(usize),
    /// So much wall-clock time, from the first training of a search to the last.
    Time(Duration),
}

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unlimited => f.write_str("none"),
            Self::Runs(runs) => write!(f, "{runs} runs"),
            Self::Time(time) => write!(f, "{} s", time.as_secs_f64()),
        }
    }
}

/// What the searches of an approach have spent so far, on one device.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spending {
    /// When the first search began in this process.
    began: Option<Instant>,
    /// Seconds of an earlier process, whose trainings were restored.
    restored: f64,
    /// Searches that have begun.
    searches: usize,
}

impl Spending {
    /// Returns the share of the next of several searches: an equal part of what is left of a time, so that a search that took
    /// longer than its share leaves less to the following ones.
    pub(crate) fn share(&mut self, budget: Budget, searches: usize) -> Account {
        let now = Instant::now();
        let began = *self.began.get_or_insert(now);
        let left = searches.saturating_sub(self.searches).max(1);
        self.searches += 1;
        let limit = match budget {
            Budget::Unlimited => None,
            Budget::Runs(runs) => Some((runs / searches.max(1)) as f64),
            Budget::Time(time) => {
                let spent = now.duration_since(began).as_secs_f64() + self.restored;
                Some((time.as_secs_f64() - spent).max(0.0) / left as f64)
            }
        };
        let is_time = matches!(budget, Budget::Time(_));
        Account { limit, is_time, since: is_time.then(Instant::now), paid: 0.0 }
    }

    /// Adds the seconds of a search that was restored.
    pub(crate) fn restore_search(&mut self, seconds: f64) {
        self.searches += 1;
        self.restored += seconds;
    }

    /// Adds the seconds of a training that was restored.
    pub(crate) fn restore_training(&mut self, seconds: f64) {
        self.restored += seconds;
    }
}

/// The budget of one search, and what is spent of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Account {
    /// In trainings or seconds; absent without a limit.
    limit: Option<f64>,
    /// Whether the limit is a time.
    is_time: bool,
    /// The beginning of the search, if the clock counts its time; on several workers, the seconds of all trainings are counted.
    since: Option<Instant>,
    /// Trainings, or the seconds of those that the clock does not count.
    paid: f64,
}

impl Account {
    /// Returns the share of one of several searches whose trainings are distributed over workers, which have so much time each.
    pub(crate) fn of_workers(budget: Budget, searches: usize, workers: usize) -> Self {
        let searches = searches.max(1);
        let limit = match budget {
            Budget::Unlimited => None,
            Budget::Runs(runs) => Some((runs / searches) as f64),
            Budget::Time(time) => Some(time.as_secs_f64() * workers as f64 / searches as f64),
        };
        Self { limit, is_time: matches!(budget, Budget::Time(_)), since: None, paid: 0.0 }
    }

    /// Returns whether there is a limit.
    pub(crate) fn is_limited(&self) -> bool {
        self.limit.is_some()
    }

    /// Returns whether the limit is a time.
    pub(crate) fn is_time(&self) -> bool {
        self.is_time
    }

    /// Returns whether earlier searches have left no time at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.is_time && self.limit == Some(0.0)
    }

    /// Returns the price of a training that takes so many seconds.
    pub(crate) fn price(&self, seconds: f64) -> f64 {
        if self.is_time { seconds } else { 1.0 }
    }

    /// Pays for a training that is under way on another worker.
    pub(crate) fn reserve(&mut self, price: f64) {
        self.paid += price;
    }

    /// Pays for a training that has ended. The clock, if there is one, counts those that were not restored.
    pub(crate) fn pay(&mut self, seconds: f64, is_restored: bool) {
        let is_counted = self.since.is_some() && !is_restored;
        self.paid += if is_counted { 0.0 } else { self.price(seconds) };
    }

    /// Returns whether trainings at this price together are within the limit. The training of the chosen candidate has to be
    /// within a limit of time, too; it takes `last` seconds.
    pub(crate) fn can_pay(&self, price: f64, last: f64) -> bool {
        let elapsed = self.since.map_or(0.0, |since| since.elapsed().as_secs_f64());
        let last = if self.is_time { last } else { 0.0 };
        self.limit.is_none_or(|limit| self.paid + elapsed + price + last <= limit)
    }

    /// Returns whether a training that is not finished must stop, so that `last` seconds are left for the chosen candidate.
    pub(crate) fn is_spent(&self, last: f64) -> bool {
        self.is_time && !self.can_pay(0.0, last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn searches_share_a_budget_and_leave_time_for_the_last_training() {
        let mut runs = Spending::default().share(Budget::Runs(11), 2);
        assert!(runs.can_pay(runs.price(100.0), 100.0));
        (0..4).for_each(|_| runs.pay(9.0, false));
        assert!(runs.can_pay(1.0, 100.0) && !runs.can_pay(2.0, 0.0) && !runs.is_spent(100.0));
        let mut time = Spending::default().share(Budget::Time(Duration::from_secs(6000)), 2);
        time.pay(1000.0, true);
        time.pay(1000.0, false);
        assert!(time.can_pay(time.price(1400.0), 500.0) && !time.can_pay(1500.0, 600.0));
        assert!(time.is_spent(2100.0) && !time.is_spent(1900.0));
        let unlimited = Spending::default().share(Budget::Unlimited, 3);
        assert!(!unlimited.is_limited() && unlimited.can_pay(1e9, 1e9) && !unlimited.is_spent(1e9));
    }

    #[test]
    fn workers_have_more_time_but_no_more_runs() {
        let budget = Budget::Time(Duration::from_secs(600));
        let mut time = Account::of_workers(budget, 2, 4);
        time.pay(500.0, true);
        time.pay(300.0, false);
        time.reserve(100.0);
        assert!(time.can_pay(200.0, 100.0) && !time.can_pay(250.0, 100.0), "1,200 s of all workers");
        assert!(time.is_spent(400.0) && !time.is_spent(200.0));
        let mut runs = Account::of_workers(Budget::Runs(9), 2, 4);
        runs.pay(500.0, true);
        runs.reserve(runs.price(100.0));
        assert!(runs.can_pay(2.0, 100.0) && !runs.can_pay(3.0, 0.0), "4 runs per search");
    }

    #[test]
    fn a_search_that_took_longer_leaves_less_to_the_others() {
        let (mut spending, budget) = (Spending::default(), Budget::Time(Duration::from_secs(9000)));
        spending.restore_search(6000.0);
        let second = spending.share(budget, 3);
        assert!(second.can_pay(1400.0, 0.0) && !second.can_pay(1600.0, 0.0), "half of 3,000 s");
        let third = spending.share(budget, 3);
        assert!(third.can_pay(2900.0, 0.0) && !third.can_pay(3100.0, 0.0), "all that is left");
        spending.restore_training(3000.0);
        assert!(spending.share(budget, 3).is_empty() && !third.is_empty());
    }
}
