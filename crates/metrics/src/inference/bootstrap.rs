//! The bootstrap: a confidence interval for any statistic, from resampled rows.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::{Interval, check_level};
use crate::error::MetricsError;

/// Returns the percentile interval of a statistic over rows (Efron and Tibshirani, 1993, chapter 13;
/// `scipy.stats.bootstrap(method="percentile")`).
///
/// `statistic` receives the indices of the rows to compute from: first all of them in order, for the estimate, then
/// `resamples` times `rows` indices drawn with replacement. Quantiles are interpolated as in NumPy. The resamples
/// depend only on `seed`, on any platform. The interval describes how the score would vary with other test rows, not
/// with other training runs. 10,000 resamples are sufficient; with fewer than about twenty rows the interval is too
/// short.
///
/// # Errors
/// Returns an error if there are fewer than two rows or two resamples, `level` is not between 0 and 1, or the statistic
/// is NaN or infinite.
pub fn bootstrap(
    rows: usize,
    resamples: usize,
    level: f64,
    seed: u64,
    statistic: impl FnMut(&[usize]) -> f64,
) -> Result<Interval, MetricsError> {
    let draw = |drawn: &mut Vec<usize>, rng: &mut ChaCha8Rng| drawn.fill_with(|| below(rows, rng));
    percentile_interval(rows, ("rows", rows), resamples, level, seed, statistic, draw)
}

/// Returns the percentile interval of a statistic over rows that depend on each other within clusters, such as the texts of one
/// author: the cluster bootstrap (Davison and Hinkley, 1997, section 3.8; Field and Welsh, 2007), which draws whole clusters.
///
/// `clusters` has the number of the cluster of each row, from 0. `statistic` receives the indices of rows as in [`bootstrap`]: of a
/// resample, all rows of as many clusters as there are, drawn with replacement. Resamples may therefore differ in their numbers of rows.
/// If every row is a cluster of its own, the interval is that of [`bootstrap`]. With fewer than about twenty clusters the interval
/// is too short.
///
/// # Errors
/// As [`bootstrap`], with clusters for rows.
pub fn cluster_bootstrap(
    clusters: &[usize],
    resamples: usize,
    level: f64,
    seed: u64,
    statistic: impl FnMut(&[usize]) -> f64,
) -> Result<Interval, MetricsError> {
    let mut members: Vec<Vec<usize>> = Vec::new();
    for (row, &cluster) in clusters.iter().enumerate() {
        if cluster >= members.len() {
            members.resize_with(cluster + 1, Vec::new);
        }
        members[cluster].push(row);
    }
    members.retain(|rows| !rows.is_empty());
    let count = members.len();
    let draw = |drawn: &mut Vec<usize>, rng: &mut ChaCha8Rng| {
        drawn.clear();
        (0..count).for_each(|_| drawn.extend(&members[below(count, rng)]));
    };
    percentile_interval(clusters.len(), ("clusters", count), resamples, level, seed, statistic, draw)
}

/// Returns the percentile interval of a statistic over resamples that `draw` writes; `units` of them are independent.
fn percentile_interval(
    rows: usize,
    units: (&'static str, usize),
    resamples: usize,
    level: f64,
    seed: u64,
    mut statistic: impl FnMut(&[usize]) -> f64,
    draw: impl Fn(&mut Vec<usize>, &mut ChaCha8Rng),
) -> Result<Interval, MetricsError> {
    check_level(level)?;
    for (what, found) in [units, ("resamples", resamples)] {
        if found < 2 {
            return Err(MetricsError::TooFew { what, found, needed: 2 });
        }
    }
    let mut of = |rows: &[usize]| match statistic(rows) {
        value if value.is_finite() => Ok(value),
        value => Err(MetricsError::Statistic { value }),
    };
    let mut drawn: Vec<usize> = (0..rows).collect();
    let estimate = of(&drawn)?;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut values = Vec::with_capacity(resamples);
    for _ in 0..resamples {
        draw(&mut drawn, &mut rng);
        values.push(of(&drawn)?);
    }
    values.sort_by(f64::total_cmp);
    let tail = (1.0 - level) / 2.0;
    let (low, high) = (quantile(&values, tail), quantile(&values, 1.0 - tail));
    Ok(Interval { estimate, low, high, n: rows, level })
}

/// Returns a number below `end`, scaled from 64 bits (Lemire, 2019, without the rejection step; the bias of `end` in
/// 2^64 is negligible).
pub(super) fn below(end: usize, rng: &mut ChaCha8Rng) -> usize {
    ((u128::from(rng.next_u64()) * end as u128) >> 64) as usize
}

/// Returns the quantile of sorted values, as `numpy.quantile`.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share * (sorted.len() - 1) as f64;
    let (below, above) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    below + (above - below) * place.fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resampled_rows_are_the_same_on_every_platform() {
        let mut drawn = Vec::new();
        let draw = |rows: &[usize]| {
            drawn.push(rows.to_vec());
            0.0
        };
        bootstrap(10, 2, 0.95, 42, draw).expect("valid");
        assert_eq!(drawn[0], (0..10).collect::<Vec<_>>());
        // A change of the generator, or of how it is used, would change every interval.
        assert_eq!(drawn[1], [6, 9, 4, 6, 2, 1, 3, 8, 7, 2]);
    }

    #[test]
    fn copies_of_rows_in_clusters_do_not_shorten_the_interval() {
        let values = [0.1, 0.9, 0.4, 0.3, 0.8, 0.7, 0.2];
        let mean = |rows: &[usize], of: &dyn Fn(usize) -> f64| {
            rows.iter().map(|&row| of(row)).sum::<f64>() / rows.len() as f64
        };
        let alone = bootstrap(7, 500, 0.95, 42, |rows| mean(rows, &|row| values[row])).expect("valid");
        let single: Vec<usize> = (0..7).collect();
        let same = cluster_bootstrap(&single, 500, 0.95, 42, |rows| mean(rows, &|row| values[row])).expect("valid");
        assert_eq!(alone, same);
        // Three copies of each row, in clusters whose rows are not neighbours.
        let clusters: Vec<usize> = (0..21).map(|row| row % 7).collect();
        let copied = cluster_bootstrap(&clusters, 500, 0.95, 42, |rows| mean(rows, &|row| values[row % 7]));
        let copied = copied.expect("valid");
        assert_eq!(copied.n, 21);
        for (a, b) in [(copied.low, alone.low), (copied.high, alone.high), (copied.estimate, alone.estimate)] {
            assert!((a - b).abs() < 1e-12, "{a} is not {b}");
        }
        let few = MetricsError::TooFew { what: "clusters", found: 1, needed: 2 };
        assert_eq!(cluster_bootstrap(&[0, 0, 0], 500, 0.95, 42, |_| 0.0), Err(few));
    }

    #[test]
    fn invalid_input_is_an_error() {
        assert_eq!(
            bootstrap(1, 100, 0.95, 0, |_| 0.0),
            Err(MetricsError::TooFew { what: "rows", found: 1, needed: 2 })
        );
        assert_eq!(bootstrap(2, 100, 1.0, 0, |_| 0.0), Err(MetricsError::Level { level: 1.0 }));
        let infinite = MetricsError::Statistic { value: f64::INFINITY };
        assert_eq!(bootstrap(2, 100, 0.95, 0, |_| f64::INFINITY), Err(infinite));
    }
}
