//! The axes of a chart: their ranges, scales and ticks.

use crate::format;

/// An axis.
#[derive(Clone)]
pub(super) struct Axis {
    /// The lowest value.
    pub(super) from: f64,
    /// The highest value.
    pub(super) to: f64,
    /// Values with their labels.
    pub(super) ticks: Vec<(f64, String)>,
    /// The label of the axis; empty if the caption names it.
    pub(super) name: String,
    /// Whether the scale is logarithmic.
    pub(super) logarithmic: bool,
}

impl Axis {
    /// A linear axis between round numbers that holds `low` and `high`, with about `ticks` ticks.
    pub(super) fn linear(low: f64, high: f64, ticks: usize, name: &str) -> Self {
        let (low, high) = widened(low, high);
        let step = round_step((high - low) / ticks.max(1) as f64);
        // A rounding error beyond a round number does not add a step.
        let (first, last) = ((low / step + 1e-9).floor(), (high / step - 1e-9).ceil());
        let decimals = (-step.log10().floor()).max(0.0) as usize;
        let ticks = (0..=(last - first) as usize).map(|index| {
            let value = (first + index as f64) * step;
            (value, format::minus(format!("{value:.decimals$}")))
        });
        let (from, to, ticks) = (first * step, last * step, ticks.collect());
        Self { from, to, ticks, name: name.into(), logarithmic: false }
    }

    /// A linear axis for counts, from just below `low` to just above `high`, with a tick at each of at least `ticks` whole
    /// numbers, if there are so many, and at most two and a half times as many.
    pub(super) fn counted(low: usize, high: usize, ticks: usize, name: &str) -> Self {
        let (low, high) = (low as f64, high.max(low) as f64);
        let step = round_step((high - low) / ticks.max(1) as f64 / 2.5).max(1.0);
        let first = (low / step).ceil();
        let values = (0..).map(|index| (first + f64::from(index)) * step).take_while(|value| *value <= high);
        let ticks = values.map(|value| (value, format::thousands(value as u64))).collect();
        // A single epoch or step is centred.
        let room = if high > low { (high - low) * 0.03 } else { 1.0 };
        Self { from: low - room, to: high + room, ticks, name: name.into(), logarithmic: false }
    }

    /// A logarithmic axis between powers of ten that holds `low` and `high`, which are above 0.
    pub(super) fn logarithmic(low: f64, high: f64, name: &str) -> Self {
        let (from, to) = (low.log10().floor() as i32, high.log10().ceil() as i32);
        let to = to.max(from + 1);
        let ticks = (from..=to).map(|power| (10f64.powi(power), format::minus(format!("1e{power}"))));
        let (from, to) = (10f64.powi(from), 10f64.powi(to));
        Self { from, to, ticks: ticks.collect(), name: name.into(), logarithmic: true }
    }

    /// An axis with a tick per size; logarithmic if the sizes differ by more than a factor of five.
    pub(super) fn sizes(sizes: &[usize], name: &str) -> Self {
        let at = |size: Option<&usize>| size.copied().unwrap_or(1).max(1) as f64;
        let (low, high) = (at(sizes.first()), at(sizes.last()));
        let mut axis =
            Self { from: low, to: high, ticks: Vec::new(), name: name.into(), logarithmic: high > 5.0 * low };
        for size in sizes.iter().rev() {
            // A label too close to its neighbour is not readable.
            if axis.ticks.last().is_none_or(|(last, _)| axis.place(*last) - axis.place(at(Some(size))) > 0.1) {
                axis.ticks.push((at(Some(size)), format::thousands(*size)));
            }
        }
        let room = if axis.logarithmic { (high / low).powf(0.06) } else { 0.06 * (high - low).max(1.0) };
        let (from, to) = if axis.logarithmic { (low / room, high * room) } else { (low - room, high + room) };
        Self { from, to, ..axis }
    }

    /// An axis without ticks.
    pub(super) fn bare(from: f64, to: f64) -> Self {
        Self { from, to, ticks: Vec::new(), name: String::new(), logarithmic: false }
    }

    /// Returns the position of a value, from 0 to 1; NaN for a value without a logarithm.
    pub(super) fn place(&self, value: f64) -> f64 {
        let scale = |value: f64| match self.logarithmic {
            true if value > 0.0 => value.ln(),
            true => f64::NAN,
            false => value,
        };
        (scale(value) - scale(self.from)) / (scale(self.to) - scale(self.from))
    }
}

/// Widens an empty range, and replaces a range that is not finite.
fn widened(low: f64, high: f64) -> (f64, f64) {
    match (low, high) {
        _ if !low.is_finite() || !high.is_finite() => (0.0, 1.0),
        _ if high - low > 1e-9 * high.abs().max(1e-9) => (low, high),
        _ => (low - low.abs().max(0.1) / 2.0, high + high.abs().max(0.1) / 2.0),
    }
}

/// Returns 1, 2 or 5 times a power of ten that is at least `step`.
fn round_step(step: f64) -> f64 {
    let step = if step.is_finite() && step > 0.0 { step } else { 1.0 };
    let power = 10f64.powf(step.log10().floor());
    let factor = [1.0, 2.0, 5.0, 10.0].into_iter().find(|factor| factor * power >= step * (1.0 - 1e-9));
    factor.unwrap_or(10.0) * power
}

#[cfg(test)]
mod tests {
    use super::Axis;

    fn labels(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|(_, label)| label.as_str()).collect()
    }

    #[test]
    fn ticks_are_round() {
        assert_eq!(labels(&Axis::linear(0.81, 0.93, 4, "")), ["0.80", "0.85", "0.90", "0.95"]);
        assert_eq!(labels(&Axis::linear(-0.1, 0.2, 3, "")), ["−0.1", "0.0", "0.1", "0.2"]);
        assert_eq!(labels(&Axis::counted(1, 3, 5, "")), ["1", "2", "3"]);
        assert_eq!(labels(&Axis::counted(1, 4200, 2, "")), ["1,000", "2,000", "3,000", "4,000"]);
        assert_eq!(labels(&Axis::logarithmic(2e-5, 2e-3, "")), ["1e−5", "1e−4", "1e−3", "1e−2"]);
        assert_eq!(labels(&Axis::sizes(&[10, 100, 1000], "")), ["1,000", "100", "10"]);
    }

    #[test]
    fn an_empty_range_has_an_axis() {
        for axis in
            [Axis::linear(0.5, 0.5, 4, ""), Axis::linear(0.0, f64::NEG_INFINITY, 4, ""), Axis::counted(1, 1, 4, "")]
        {
            assert!(axis.from < axis.to && !axis.ticks.is_empty());
        }
        assert!(Axis::logarithmic(1.0, 10.0, "").place(0.0).is_nan());
    }
}
