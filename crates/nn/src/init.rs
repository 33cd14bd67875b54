//! Initial values of parameters.
//!
//! Each parameter is drawn by ChaCha8 from the seed and its own name, so that adding a parameter changes no other, on any
//! platform and with any number of threads.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Normal, Uniform};

/// `count` values of a normal distribution with mean 0. All are 0 if the deviation is not a positive number.
pub fn normal(deviation: f32, count: usize, seed: u64, name: &str) -> Vec<f32> {
    sample(Normal::new(0.0, deviation).ok(), count, seed, name)
}

/// `count` values of a normal distribution with mean 0, drawn again while they are beyond `cutoff` deviations.
pub fn truncated_normal(deviation: f32, cutoff: f32, count: usize, seed: u64, name: &str) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed ^ fnv1a(name));
    match Normal::new(0.0, deviation) {
        Ok(normal) if deviation > 0.0 && cutoff > 0.0 => {
            normal.sample_iter(&mut rng).filter(|value: &f32| value.abs() <= cutoff * deviation).take(count).collect()
        }
        _ => vec![0.0; count],
    }
}

/// `count` values of a uniform distribution over `-bound..bound`. All are 0 if the bound is not a positive number.
pub fn uniform(bound: f32, count: usize, seed: u64, name: &str) -> Vec<f32> {
    sample(Uniform::new(-bound, bound).ok(), count, seed, name)
}

fn sample(distribution: Option<impl Distribution<f32>>, count: usize, seed: u64, name: &str) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed ^ fnv1a(name));
    match distribution {
        Some(distribution) => distribution.sample_iter(&mut rng).take(count).collect(),
        None => vec![0.0; count],
    }
}

/// The 64-bit FNV-1a hash, which is the same in every release and on every platform.
fn fnv1a(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}
