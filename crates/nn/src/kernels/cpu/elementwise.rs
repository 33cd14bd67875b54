//! Elementwise kernels: what they have in common, dropout, and the normal distribution.

use burn::tensor::{Shape, Tensor};
use rekindle_ops::memory::{CHUNK, each, values, values_mut};
use rekindle_ops::{CustomTensor, Differentiable, FlexTensor, OpParams, Saved, run};

use crate::mode::DropoutSpec;

/// An elementwise function and its derivative.
pub(super) trait Kernel: Copy + Send + Sync + std::fmt::Debug + 'static {
    /// [`Differentiable::NAMES`].
    const NAMES: [&'static str; 2];
    /// Whether [`backward`](Self::backward) reads the input of the forward pass.
    const KEEPS_INPUT: bool;

    /// Replaces values by results; `start` is the index of the first.
    fn forward(&self, values: &mut [f32], start: usize);

    /// Replaces the gradient of the results by that of the inputs. `inputs` is empty unless it is kept.
    fn backward(&self, grad: &mut [f32], inputs: &[f32], start: usize);

    /// [`Differentiable::params`].
    fn params(&self) -> Vec<u64>;

    /// [`Differentiable::from_params`].
    fn from_params(params: &mut OpParams) -> Self;
}

/// [`dropout`](crate::kernels::dropout).
pub(crate) fn dropout<const D: usize>(input: CustomTensor, dropout: DropoutSpec) -> Tensor<D> {
    run(Elementwise(Dropout::new(dropout)), None, [input])
}

#[cfg(feature = "remote")]
pub(super) fn offer(server: burn::server::RemoteServer) -> burn::server::RemoteServer {
    rekindle_ops::remote::offer_differentiable::<Elementwise<Dropout>, 1>(server)
}

#[derive(Debug)]
pub(super) struct Elementwise<K>(pub(super) K);

impl<K: Kernel> Differentiable<1> for Elementwise<K> {
    const NAMES: [&'static str; 2] = K::NAMES;

    fn shapes(&self, [input]: &[Shape; 1], _: bool) -> Vec<Shape> {
        vec![input.clone()]
    }

    fn reads(&self, [needs_grad]: [bool; 1]) -> [bool; 1] {
        [K::KEEPS_INPUT && needs_grad]
    }

    fn forward(&self, [mut input]: [FlexTensor; 1], _: bool) -> (FlexTensor, Vec<FlexTensor>) {
        each(chunks(&mut input), |(start, chunk)| vectorized!(self.0.forward(chunk, start)));
        (input, Vec::new())
    }

    fn backward(
        &self,
        saved: Saved<FlexTensor, 1>,
        mut grad: FlexTensor,
        _: &[Option<Shape>; 1],
    ) -> [Option<FlexTensor>; 1] {
        let inputs = saved.inputs[0].as_ref().map(values).unwrap_or_default();
        each(chunks(&mut grad), |(start, chunk)| {
            let inputs = inputs.get(start..start + chunk.len()).unwrap_or_default();
            vectorized!(self.0.backward(chunk, inputs, start));
        });
        [Some(grad)]
    }

    fn params(&self) -> Vec<u64> {
        self.0.params()
    }

    fn from_params(params: &mut OpParams) -> Self {
        Self(K::from_params(params))
    }
}

/// Returns all values, to be modified: in place if nobody else holds them. A chunk comes with the place of its first value.
fn chunks(tensor: &mut FlexTensor) -> Vec<(usize, &mut [f32])> {
    values_mut(tensor).chunks_mut(CHUNK).enumerate().map(|(index, chunk)| (index * CHUNK, chunk)).collect()
}

/// The exact GELU and its derivative.
#[inline(always)]
pub(super) fn gelu_at(x: f32) -> (f32, f32) {
    let (cdf, exponential) = normal(x);
    (x * cdf, cdf + x * exponential * 0.398_942_3)
}

/// Φ(x), and exp(-x²/2).
///
/// erfc(z) = exp(-z²) P(t) with t = 1 / (1 + 0.4 z), the form of Abramowitz and Stegun 7.1.26; P was fitted by weighted
/// least squares to 6e-10, below what f32 can tell.
#[inline(always)]
fn normal(x: f32) -> (f32, f32) {
    const P: [f32; 8] = [
        0.224_893_45,
        0.237_454_54,
        0.133_348_03,
        0.428_330_57,
        -0.407_841_56,
        0.717_907_24,
        -0.412_281_75,
        0.078_189_48,
    ];
    let exponential = exp_negative(-0.5 * x * x);
    let t = 1.0 / (1.0 + 0.4 * std::f32::consts::FRAC_1_SQRT_2 * x.abs());
    let mut tail = P[7];
    for index in (0..7).rev() {
        tail = tail * t + P[index];
    }
    let tail = 0.5 * tail * t * exponential;
    (if x < 0.0 { tail } else { 1.0 - tail }, exponential)
}

/// exp(x) for x ≤ 0, to about an ulp: 2^n times a Taylor polynomial on ±ln 2 / 2; 0 below -87.
#[inline(always)]
pub(super) fn exp_negative(x: f32) -> f32 {
    // Adding 1.5 · 2²³ rounds to a whole number, which then stands in the lowest bits.
    const ROUND: f32 = 12_582_912.0;
    let clamped = x.max(-87.0);
    let shifted = clamped * std::f32::consts::LOG2_E + ROUND;
    let whole = shifted - ROUND;
    // ln 2 in two parts, the first exact in products with small whole numbers.
    let r = clamped - whole * 0.693_359_4 - whole * -2.121_944_4e-4;
    let polynomial =
        1.0 + r * (1.0 + r * (0.5 + r * (0.166_666_67 + r * (0.041_666_67 + r * (8.333_334e-3 + r * 1.388_889e-3)))));
    let power = f32::from_bits((shifted.to_bits() << 23).wrapping_add(0x3f80_0000));
    if x < -87.0 { 0.0 } else { polynomial * power }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Dropout {
    rate: f64,
    key: u64,
    /// An element whose 32 random bits are below is dropped.
    threshold: u32,
    scale: f32,
}

impl Dropout {
    pub(super) fn new(DropoutSpec { rate, seed: key }: DropoutSpec) -> Self {
        Self { rate, key, threshold: (rate * 2f64.powi(32)) as u32, scale: (1.0 / (1.0 - rate)) as f32 }
    }

    /// Whether it drops any element.
    pub(super) fn is_active(&self) -> bool {
        self.rate > 0.0
    }
}

impl Kernel for Dropout {
    const NAMES: [&'static str; 2] = ["rekindle.dropout", "rekindle.dropout.backward"];
    const KEEPS_INPUT: bool = false;

    #[inline(always)]
    fn forward(&self, values: &mut [f32], start: usize) {
        let (low, high) = (self.key as u32, (self.key >> 32) as u32);
        for (offset, value) in values.iter_mut().enumerate() {
            let index = (start + offset) as u32;
            let bits = scramble(scramble(index ^ low).wrapping_add(high));
            *value = if bits < self.threshold { 0.0 } else { *value * self.scale };
        }
    }

    #[inline(always)]
    fn backward(&self, grad: &mut [f32], _: &[f32], start: usize) {
        self.forward(grad, start);
    }

    fn params(&self) -> Vec<u64> {
        vec![self.key, self.rate.to_bits()]
    }

    fn from_params(params: &mut OpParams) -> Self {
        let seed = params.word();
        Self::new(DropoutSpec { rate: params.float(), seed })
    }
}

/// A bijection of 32 bits in which each bit of the input moves about half of the output's: `lowbias32` of Chris
/// Wellons' "Prospecting for Hash Functions".
#[inline(always)]
fn scramble(mut bits: u32) -> u32 {
    bits ^= bits >> 16;
    bits = bits.wrapping_mul(0x7feb_352d);
    bits ^= bits >> 15;
    bits = bits.wrapping_mul(0x846c_a68b);
    bits ^ bits >> 16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_normal_distribution_is_exact_to_f32() {
        // Against erfc in f64, by its series and its continued fraction. The bound counts eight roundings of numbers below
        // 1: of t, of the exponential, of the largest terms of P, and of the last products.
        let points: Vec<f32> = (-12_000..=12_000).map(|step| step as f32 / 1000.0).collect();
        for &x in &points {
            let exact = 0.5 * erfc(-f64::from(x) / std::f64::consts::SQRT_2);
            let (cdf, exponential) = normal(x);
            assert!((f64::from(cdf) - exact).abs() < 2f64.powi(-22), "Φ({x}) is {exact}, not {cdf}");
            let density = (-0.5 * f64::from(x) * f64::from(x)).exp();
            // x²/2 itself is rounded, and exp makes a relative error of an absolute one.
            let bound = 1.5e-7 * (1.0 + 0.5 * f64::from(x * x)) * density;
            assert!((f64::from(exponential) - density).abs() <= bound, "{x}: {density}, {exponential}");
        }
        assert_eq!(normal(0.0).1, 1.0);
        assert_eq!(normal(-100.0).0, 0.0);
    }

    /// erfc by its continued fraction for large arguments and its series for small ones.
    fn erfc(z: f64) -> f64 {
        if z < 0.0 {
            return 2.0 - erfc(-z);
        }
        if z < 2.0 {
            let (mut term, mut sum) = (z, z);
            for n in 1..200 {
                term *= -z * z / f64::from(n);
                sum += term / f64::from(2 * n + 1);
            }
            return 1.0 - sum * std::f64::consts::FRAC_2_SQRT_PI;
        }
        let fraction = (1..200).rev().fold(z, |fraction, n| z + f64::from(n) / 2.0 / fraction);
        (-z * z).exp() / (fraction * std::f64::consts::PI.sqrt())
    }
}
