//! Fewer points for long lines.

use std::collections::BTreeMap;

/// Maximum number of points of a line.
pub(super) const POINTS: usize = 400;
/// As [`POINTS`], for charts in which noisy lines cross.
pub(super) const FEW: usize = 80;

/// Returns at most `most` points: the means of stretches of equal length.
pub(super) fn downsample(points: &[(f64, f64)], most: usize) -> Vec<(f64, f64)> {
    let stretch = points.len().div_ceil(most.max(1)).max(1);
    let mean = |stretch: &[(f64, f64)]| {
        let (x, y) = stretch.iter().fold((0.0, 0.0), |(x, y), point| (x + point.0, y + point.1));
        (x / stretch.len() as f64, y / stretch.len() as f64)
    };
    points.chunks(stretch).map(mean).collect()
}

/// Returns the mean of several lines at each x, over the lines that have it; x are whole numbers.
pub(super) fn mean(lines: &[Vec<(f64, f64)>]) -> Vec<(f64, f64)> {
    let mut sums: BTreeMap<u64, (f64, f64)> = BTreeMap::new();
    for (x, y) in lines.iter().flatten() {
        let (sum, count) = sums.entry(*x as u64).or_default();
        *sum += y;
        *count += 1.0;
    }
    sums.into_iter().map(|(x, (sum, count))| (x as f64, sum / count)).collect()
}

#[cfg(test)]
mod tests {
    use super::{downsample, mean};

    #[test]
    fn each_point_is_the_mean_of_a_stretch() {
        let line: Vec<_> = (1..=5).map(|x| (f64::from(x), f64::from(x * x))).collect();
        assert_eq!(downsample(&line, 5), line);
        assert_eq!(downsample(&line, 3), [(1.5, 2.5), (3.5, 12.5), (5.0, 25.0)]);
        assert_eq!(downsample(&[], 3), []);
    }

    #[test]
    fn the_mean_is_over_the_lines_that_have_the_point() {
        assert_eq!(mean(&[vec![(1.0, 2.0), (2.0, 4.0)], vec![(1.0, 4.0)]]), [(1.0, 3.0), (2.0, 4.0)]);
    }
}
