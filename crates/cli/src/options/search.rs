//! How a search chooses, and what it may cost.

use std::time::Duration;

use clap::Args;
use rekindle::experiment::{Budget, Search};

use crate::exit::Failure;
use crate::options::at_least;

/// The options of commands that search.
#[derive(Args, Clone, Debug)]
pub struct SearchArgs {
    /// Time for all searches together, for example 90s, 20m or 2h: one search per test set, and one for the final model of
    /// --save-models, each with an equal share. A training starts only if it is expected to end in time.
    #[arg(long, value_name = "TIME", value_parser = duration, help_heading = "Search")]
    pub budget: Option<Duration>,
    /// Number of trainings on inner folds, for all searches together.
    #[arg(long, value_name = "TRAININGS", value_parser = at_least(1), conflicts_with = "budget", help_heading = "Search")]
    pub runs: Option<usize>,
    /// Number of stratified folds of the training examples on which candidates are compared; fewer if a class has fewer
    /// examples.
    #[arg(long, default_value_t = 5, value_name = "FOLDS", value_parser = at_least(2), help_heading = "Search")]
    pub inner_folds: usize,
    /// Successive halving: each rung trains the best third (with 3) of the candidates for more inner folds. With `off`, every
    /// candidate is trained for all of them.
    #[arg(long, default_value = "3", value_name = "FACTOR|off", value_parser = halving, help_heading = "Search")]
    pub halving: Halving,
}

/// The factor of successive halving, if it is on; as one value for clap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Halving(pub Option<usize>);

fn halving(text: &str) -> Result<Halving, String> {
    match text {
        "off" => Ok(Halving(None)),
        number => match number.parse() {
            Ok(factor) if factor >= 2 => Ok(Halving(Some(factor))),
            _ => Err("expected a whole number of at least 2, or `off`".into()),
        },
    }
}

/// Parses a time: a number with the unit `s`, `m` or `h`.
fn duration(text: &str) -> Result<Duration, String> {
    let units = [("s", 1.0), ("m", 60.0), ("min", 60.0), ("h", 3600.0)];
    let time = units.iter().find_map(|(unit, seconds)| {
        let number: f64 = text.strip_suffix(unit)?.trim_end().parse().ok()?;
        Duration::try_from_secs_f64(number * seconds).ok().filter(|time| !time.is_zero())
    });
    time.ok_or_else(|| "expected a time above 0 with its unit, for example 90s, 20m or 2h".into())
}

impl SearchArgs {
    /// Applies the options to a search.
    ///
    /// # Errors
    /// Returns an error if the budget has less than one training per search.
    pub fn add_to(&self, search: Search, searches: usize) -> Result<Search, Failure> {
        let budget = match (self.budget, self.runs) {
            (Some(time), _) => Budget::Time(time),
            (None, Some(runs)) if runs < searches => {
                return Err(Failure::usage(format!(
                    "--runs: {runs} trainings are too few for {searches} searches, one per test set and one for the final model"
                )));
            }
            (None, Some(runs)) => Budget::Runs(runs),
            (None, None) => Budget::Unlimited,
        };
        Ok(Search { budget, inner_folds: self.inner_folds, halving: self.halving.0, ..search })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        for (text, seconds) in [("90s", 90.0), ("20m", 1200.0), ("1.5h", 5400.0), ("2 min", 120.0)] {
            assert_eq!(duration(text), Ok(Duration::from_secs_f64(seconds)), "{text}");
        }
        for text in ["20", "m", "0s", "-1m", "1d", "", "infs", "NaNs"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn halving_is_a_factor_or_off() {
        assert_eq!([halving("2"), halving("off")], [Ok(Halving(Some(2))), Ok(Halving(None))]);
        assert!(["1", "0", "on", "-3", ""].iter().all(|text| halving(text).is_err()));
    }
}
