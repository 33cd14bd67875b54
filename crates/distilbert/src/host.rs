//! Kernels for tensors in host memory: one pass over the data, on all cores, with the widest vectors of the machine.
//!
//! This is the one place that reaches beneath Burn's tensors. GELU and dropout are what its CPU backend computes an
//! element at a time on one core; together they took as long as a third of the matrix products. Any other backend keeps
//! Burn's own operations.

use std::sync::OnceLock;

use burn::backend::tensor::FloatTensor;
use burn::tensor::{DType, Tensor};
use burn_autodiff::Autodiff;
use burn_autodiff::checkpoint::base::Checkpointer;
use burn_autodiff::checkpoint::strategy::NoCheckpointing;
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops, OpsKind, unary};
use burn_flex::{Flex, FlexTensor};
use pulp::Arch;
use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};

/// The autodiff backend around the CPU one.
type Tracked = Autodiff<Flex, NoCheckpointing>;

/// Elements that a core takes at a time: they stay in its cache.
const CHUNK: usize = 8 * 1024;

/// An elementwise operation and its derivative.
trait Kernel: Copy + Send + Sync + std::fmt::Debug + 'static {
    /// Whether [`backward`](Self::backward) reads the input of the forward pass.
    const KEEPS_INPUT: bool;

    /// Replaces values by results; `start` is the index of the first.
    fn forward(&self, values: &mut [f32], start: usize);

    /// Replaces the gradient of the results by that of the inputs, which are empty where they are not kept.
    fn backward(&self, gradient: &mut [f32], inputs: &[f32], start: usize);
}

/// A tensor in host memory.
pub(crate) enum Host {
    /// On a plain device.
    Plain(FlexTensor),
    /// On a device that records for the backward pass.
    Tracked(FloatTensor<Tracked>),
}

impl Host {
    /// The tensor, where it lies in host memory. Drop `tensor` before working on it, so that the work is in place.
    pub(crate) fn of<const D: usize>(tensor: &Tensor<D>) -> Option<Self> {
        if !is_host(tensor) {
            None
        } else if tensor.device().is_autodiff() {
            tensor.clone().try_into_primitive::<Tracked>().ok().map(Self::Tracked)
        } else {
            tensor.clone().try_into_primitive::<Flex>().ok().map(Self::Plain)
        }
    }

    /// The exact GELU, x Φ(x) (Hendrycks and Gimpel, 2016).
    pub(crate) fn gelu<const D: usize>(self) -> Tensor<D> {
        self.apply(Gelu)
    }

    /// Dropout; the same key drops the same elements.
    pub(crate) fn dropout<const D: usize>(self, rate: f64, key: u64) -> Tensor<D> {
        self.apply(Dropout { key, threshold: (rate * 2f64.powi(32)) as u32, scale: (1.0 / (1.0 - rate)) as f32 })
    }

    fn apply<const D: usize, K: Kernel>(self, kernel: K) -> Tensor<D> {
        match self {
            Self::Plain(tensor) => Tensor::from_primitive::<Flex>(forward(tensor, kernel)),
            Self::Tracked(tensor) => Tensor::from_primitive::<Tracked>(differentiable(tensor, kernel)),
        }
    }
}

/// Whether a tensor of f32 lies in host memory.
pub(crate) fn is_host<const D: usize>(tensor: &Tensor<D>) -> bool {
    let host = |tensor: Tensor<D>| tensor.try_into_primitive::<Flex>().is_ok_and(|tensor| tensor.dtype() == DType::F32);
    host(tensor.clone().without_autodiff())
}

/// The operation as a node of the autodiff graph.
fn differentiable<K: Kernel>(input: FloatTensor<Tracked>, kernel: K) -> FloatTensor<Tracked> {
    #[derive(Debug)]
    struct Node<K>(K);

    impl<K: Kernel> Backward<Flex, 1> for Node<K> {
        type State = Option<FlexTensor>;

        fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
            let (kernel, input) = (self.0, ops.state);
            unary::<Flex, _>(ops.parents, ops.node, gradients, |gradient| {
                let kept = input.as_ref().and_then(|input| input.as_slice::<f32>()).unwrap_or_default();
                in_place(gradient, |chunk, start| {
                    let inputs = kept.get(start..start + chunk.len()).unwrap_or_default();
                    kernel.backward(chunk, inputs, start);
                })
            });
        }
    }

    let (primitive, node) = input.into_parts();
    match Node(kernel).prepare::<NoCheckpointing>([node]).compute_bound().stateful() {
        OpsKind::Tracked(prepared) => {
            let primitive = primitive.to_contiguous();
            let kept = K::KEEPS_INPUT.then(|| primitive.clone());
            prepared.finish(kept, forward(primitive, kernel))
        }
        OpsKind::UnTracked(prepared) => prepared.finish(forward(primitive, kernel)),
    }
}

fn forward<K: Kernel>(input: FlexTensor, kernel: K) -> FlexTensor {
    in_place(input, |chunk, start| kernel.forward(chunk, start))
}

/// Works on all values, in place where nobody else holds them.
fn in_place(mut tensor: FlexTensor, work: impl Fn(&mut [f32], usize) + Sync) -> FlexTensor {
    let count = tensor.layout().num_elements();
    if tensor.layout().contiguous_offsets() != Some((0, count)) {
        tensor = tensor.to_contiguous();
    }
    let arch = Arch::new();
    let chunks = tensor.storage_mut::<f32>()[..count].par_chunks_mut(CHUNK).enumerate();
    chunks.for_each(|(index, chunk)| arch.dispatch(|| work(chunk, index * CHUNK)));
    tensor
}

/// Does two things at once, each on half of the cores; where there is but one, one after the other.
///
/// Halves of a batch that run apart need not wait for each other within an operation, of which there are many short
/// ones. What each half computes does not depend on the number of cores.
pub(crate) fn both<T: Send>(first: impl FnOnce() -> T + Send, second: impl FnOnce() -> T + Send) -> (T, T) {
    static POOLS: OnceLock<Option<[ThreadPool; 2]>> = OnceLock::new();
    let pools = POOLS.get_or_init(|| {
        let cores = rayon::current_num_threads();
        let pool = || ThreadPoolBuilder::new().num_threads(cores / 2).build().ok();
        if cores < 2 { None } else { Some([pool()?, pool()?]) }
    });
    let Some([left, right]) = pools else { return (first(), second()) };
    std::thread::scope(|scope| {
        let other = scope.spawn(|| right.install(second));
        let mine = left.install(first);
        (mine, other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}

#[derive(Clone, Copy, Debug)]
struct Gelu;

impl Kernel for Gelu {
    const KEEPS_INPUT: bool = true;

    #[inline(always)]
    fn forward(&self, values: &mut [f32], _: usize) {
        for x in values {
            *x *= normal(*x).0;
        }
    }

    #[inline(always)]
    fn backward(&self, gradient: &mut [f32], inputs: &[f32], _: usize) {
        for (gradient, &x) in gradient.iter_mut().zip(inputs) {
            let (cdf, exponential) = normal(x);
            *gradient *= cdf + x * exponential * 0.398_942_3;
        }
    }
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
fn exp_negative(x: f32) -> f32 {
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
struct Dropout {
    key: u64,
    /// An element whose 32 random bits are below is dropped.
    threshold: u32,
    scale: f32,
}

impl Kernel for Dropout {
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
    fn backward(&self, gradient: &mut [f32], _: &[f32], start: usize) {
        self.forward(gradient, start);
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
