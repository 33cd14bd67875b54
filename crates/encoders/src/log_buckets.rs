//! The buckets of distances between tokens in DeBERTa.

/// The rows of the table of distances.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Distances {
    /// The number of buckets in either direction; `None` if every distance has one.
    pub(crate) buckets: Option<usize>,
    /// The largest distance.
    pub(crate) farthest: usize,
}

impl Distances {
    /// The number of rows for either direction.
    pub(crate) fn span(self) -> usize {
        self.buckets.unwrap_or(self.farthest)
    }

    /// The row of a distance, the position of the key minus that of the query.
    pub(crate) fn row(self, distance: i64) -> u32 {
        let span = self.span() as i64;
        (self.bucket(-distance) + span).clamp(0, 2 * span - 1) as u32
    }

    /// Half of the buckets have one distance each, the others distances on a logarithmic scale, which the reference computes in
    /// f32.
    fn bucket(self, distance: i64) -> i64 {
        let Some(buckets) = self.buckets else { return distance };
        let middle = (buckets / 2) as i64;
        if distance.abs() <= middle {
            return distance;
        }
        let scale = (distance.abs() as f32 / middle as f32).ln() / ((self.farthest as f32 - 1.0) / middle as f32).ln();
        distance.signum() * ((scale * (middle - 1) as f32).ceil() as i64 + middle)
    }
}

#[cfg(test)]
mod tests {
    use super::Distances;

    #[test]
    fn distances_have_the_buckets_of_transformers() {
        // `make_log_bucket_position(distance, 256, 512)` of transformers 5.24.
        let distances = Distances { buckets: Some(256), farthest: 512 };
        for (distance, bucket) in [(0, 0), (127, 127), (128, 128), (129, 129), (200, 169), (511, 255), (-511, -255)] {
            assert_eq!(distances.bucket(distance), bucket, "{distance}");
        }
        assert_eq!([distances.row(-1000), distances.row(0), distances.row(1000)], [511, 256, 0]);
    }
}
