//! What a golden table holds of a training, and how ours is held against it. `crates/experiment/tests` reads it too.

use std::collections::HashMap;
use std::path::Path;

use burn::tensor::Device;
use rekindle_encoders::{Precision, SequenceClassifier};
use rekindle_train::StepRecord;
use safetensors::SafeTensors;
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// Loss and gradient norm of a step, relative: f32 on both sides, drifting apart over up to 20 steps, on any backend. An
/// inexact derivative shows here (that of GELU's approximation by tanh did).
pub const STEP: f64 = 1e-4;
/// Weights at the end, absolute.
const WEIGHT: f64 = 1e-4;

/// A step of the reference.
#[derive(Deserialize)]
pub struct Step {
    pub loss: f64,
    pub grad_norm: f64,
    pub learning_rate: f64,
}

/// A trained tensor of the reference, summed up.
#[derive(Deserialize)]
pub struct Weights {
    pub sum: f64,
    pub sum_sq: f64,
    pub first: Vec<f64>,
    /// How far PyTorch's f32 run ended from its own f64 run: gradients that are zero but for rounding are scaled up by Adam, and
    /// then no two f32 runs agree better than this.
    pub f64_gap: f64,
}

/// A table, by its path below `fixtures`.
pub fn fixture<T: DeserializeOwned>(path: &str) -> T {
    let bytes = std::fs::read(Path::new("../../fixtures").join(path)).expect("fixture");
    serde_json::from_slice(&bytes).expect("JSON")
}

#[allow(deprecated)] // ndarray
pub fn devices() -> Vec<(&'static str, Device)> {
    vec![
        ("flex", Device::flex()),
        #[cfg(feature = "ndarray")]
        ("ndarray", Device::ndarray()),
        #[cfg(feature = "wgpu")]
        ("wgpu", Device::wgpu(burn::tensor::DeviceKind::DefaultDevice)),
    ]
}

pub fn close(ours: f64, theirs: f64, tolerance: f64, what: &str) {
    assert!((ours - theirs).abs() <= tolerance, "{what}: {ours} here, {theirs} there, tolerance {tolerance:e}");
}

pub fn check_steps(ours: &[StepRecord], theirs: &[Step], what: &str) {
    assert_eq!(ours.len(), theirs.len(), "{what}, steps");
    for (ours, theirs) in ours.iter().zip(theirs) {
        let what = format!("{what}, step {}", ours.step);
        close(ours.loss, theirs.loss, STEP * theirs.loss, &format!("{what}, loss"));
        close(ours.grad_norm, theirs.grad_norm, STEP * theirs.grad_norm, &format!("{what}, gradient norm"));
        close(ours.learning_rate, theirs.learning_rate, 1e-12, &format!("{what}, rate"));
    }
}

pub fn check_logits(ours: &[f32], theirs: &[Vec<f32>], what: &str) {
    assert_eq!(ours.len(), theirs.iter().flatten().count(), "{what}");
    for (ours, theirs) in ours.iter().zip(theirs.iter().flatten()) {
        close(f64::from(*ours), f64::from(*theirs), 1e-3, &format!("{what}, logits"));
    }
}

/// The weights as a checkpoint holds them, after some steps.
pub fn check_weights(model: &SequenceClassifier, theirs: &HashMap<String, Weights>, steps: &[Step], what: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("model.safetensors");
    model.save_safetensors(&path, Precision::F32).expect("saved");
    let bytes = std::fs::read(path).expect("read");
    let tensors = SafeTensors::deserialize(&bytes).expect("safetensors");
    for (name, theirs) in theirs {
        let (what, tolerance) = (format!("{what}, {name}"), tolerance(name, theirs, steps));
        let (elements, _) = tensors.tensor(name).expect("a tensor of that name").data().as_chunks::<4>();
        let ours: Vec<f64> = elements.iter().map(|&element| f32::from_le_bytes(element).into()).collect();
        for (index, (ours, theirs)) in ours.iter().zip(&theirs.first).enumerate() {
            close(*ours, *theirs, tolerance, &format!("{what}[{index}]"));
        }
        close(ours.iter().sum(), theirs.sum, tolerance * (ours.len() as f64).sqrt(), &what);
        let sum_sq: f64 = ours.iter().map(|value| value * value).sum();
        close(sum_sq, theirs.sum_sq, 2.0 * tolerance * theirs.sum_sq.sqrt(), &what);
    }
}

/// A softmax does not see what is equal for all keys, such as the bias of the keys: its gradient is rounding alone, which Adam scales
/// up to whole steps, so that no two runs in f32 agree better than by what all steps together can move. The biases of DeBERTa's keys
/// have an effect, by its relative positions, but not those of the positions' keys.
fn tolerance(name: &str, theirs: &Weights, steps: &[Step]) -> f64 {
    if ["k_lin.bias", ".key.bias", ".k.bias", ".pos_key_proj.bias"].iter().any(|end| name.ends_with(end)) {
        return steps.iter().map(|step| step.learning_rate).sum();
    }
    WEIGHT.max(2.0 * theirs.f64_gap)
}
