//! Correlations of pairs of numbers, and the ranks of numbers.

use crate::confusion::Score;

/// Returns Pearson's correlation; 0 and flagged if one side is constant or there are fewer than two pairs.
pub(crate) fn correlation(pairs: impl Iterator<Item = (f64, f64)> + Clone) -> Score {
    let undefined = Score { value: 0.0, zero_division: true };
    let Some(first) = pairs.clone().next() else { return undefined };
    let (mut n, mut sums, mut varies) = (0usize, (0.0, 0.0), (false, false));
    for (x, y) in pairs.clone() {
        n += 1;
        sums = (sums.0 + x, sums.1 + y);
        varies = (varies.0 || x != first.0, varies.1 || y != first.1);
    }
    if varies != (true, true) {
        return undefined;
    }
    let means = (sums.0 / n as f64, sums.1 / n as f64);
    let (mut xx, mut yy, mut xy) = (0.0, 0.0, 0.0);
    for (x, y) in pairs {
        let (x, y) = (x - means.0, y - means.1);
        (xx, yy, xy) = (xx + x * x, yy + y * y, xy + x * y);
    }
    let value = xy / (xx.sqrt() * yy.sqrt());
    if value.is_finite() { Score { value: value.clamp(-1.0, 1.0), zero_division: false } } else { undefined }
}

/// Returns the place of each value among the distinct values in ascending order, and the number of distinct values.
pub(crate) fn dense_ranks(values: &[f64]) -> (Vec<u32>, usize) {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut places = vec![0; values.len()];
    let mut distinct = 0;
    // Negative and positive zero are equal.
    for equal in order.chunk_by(|&a, &b| values[a] == values[b]) {
        equal.iter().for_each(|&row| places[row] = distinct);
        distinct += 1;
    }
    (places, distinct as usize)
}

/// Returns the rank of each distinct value among `rows`, from 1: the mean of the ranks of the rows with this value
/// (`scipy.stats.rankdata`).
pub(crate) fn mid_ranks((places, distinct): &(Vec<u32>, usize), rows: impl Iterator<Item = usize>) -> Vec<f64> {
    let mut counts = vec![0u32; *distinct];
    rows.for_each(|row| counts[places[row] as usize] += 1);
    let mut before = 0.0;
    let rank = |count: u32| {
        let count = f64::from(count);
        before += count;
        before - (count - 1.0) / 2.0
    };
    counts.into_iter().map(rank).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_share_their_mean_rank() {
        let ranks = dense_ranks(&[3.0, 1.0, 3.0, -0.0, 0.0]);
        assert_eq!(ranks, (vec![2, 1, 2, 0, 0], 3));
        assert_eq!(mid_ranks(&ranks, 0..5), [1.5, 3.0, 4.5]);
    }

    #[test]
    fn a_constant_side_has_no_correlation() {
        let undefined = Score { value: 0.0, zero_division: true };
        assert_eq!(correlation([(1.0, 2.0), (1.0, 3.0)].into_iter()), undefined);
        assert_eq!(correlation(std::iter::empty()), undefined);
        assert_eq!(correlation([(1.0, 2.0)].into_iter()), undefined);
    }
}
