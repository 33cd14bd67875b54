//! The budget of a search.

use std::fmt;
use std::time::Duration;

/// What all searches of an experiment together may cost.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum Budget {
    /// As much as the candidates need.
    #[default]
    Unlimited,
    /// So many trainings on inner folds. The training of each chosen candidate on all examples is not counted.
    Runs(usize),
    /// So much wall-clock time, measured by the trainings.
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

/// The budget of one search, and what is spent of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Account {
    /// In trainings or seconds; absent without a limit.
    limit: Option<f64>,
    is_time: bool,
    spent: f64,
}

impl Budget {
    /// Returns the equal share of one of several searches.
    pub(crate) fn share(self, searches: usize) -> Account {
        let searches = searches.max(1);
        let limit = match self {
            Self::Unlimited => None,
            Self::Runs(runs) => Some((runs / searches) as f64),
            Self::Time(time) => Some(time.as_secs_f64() / searches as f64),
        };
        Account { limit, is_time: matches!(self, Self::Time(_)), spent: 0.0 }
    }
}

impl Account {
    /// Returns whether there is a limit.
    pub(crate) fn is_limited(&self) -> bool {
        self.limit.is_some()
    }

    /// Returns the price of a training that takes so many seconds.
    pub(crate) fn price(&self, seconds: f64) -> f64 {
        if self.is_time { seconds } else { 1.0 }
    }

    /// Pays for a training that took so many seconds.
    pub(crate) fn pay(&mut self, seconds: f64) {
        self.spent += self.price(seconds);
    }

    /// Returns whether trainings at this price together are within the limit. The training of the chosen candidate has to be
    /// within a limit of time, too; it takes `last` seconds.
    pub(crate) fn can_pay(&self, price: f64, last: f64) -> bool {
        let last = if self.is_time { last } else { 0.0 };
        self.limit.is_none_or(|limit| self.spent + price + last <= limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn searches_share_a_budget_and_leave_time_for_the_last_training() {
        let mut runs = Budget::Runs(11).share(2);
        assert!(runs.can_pay(runs.price(100.0), 100.0));
        (0..4).for_each(|_| runs.pay(9.0));
        assert!(runs.can_pay(1.0, 100.0) && !runs.can_pay(2.0, 0.0));
        let mut time = Budget::Time(Duration::from_secs(60)).share(2);
        time.pay(10.0);
        assert!(time.can_pay(time.price(15.0), 5.0) && !time.can_pay(15.0, 6.0));
        let unlimited = Budget::Unlimited.share(3);
        assert!(!unlimited.is_limited() && unlimited.can_pay(1e9, 1e9));
    }
}
