//! Whole trainings against PyTorch and transformers: order of rows, losses, gradient norms, rates, weights, logits.
//!
//! The golden numbers are PyTorch's: `fixtures/distilbert/make.py`.

use std::collections::HashMap;
use std::path::Path;

use burn::tensor::Device;
use rekindle_distilbert::{Checkpoint, DistilBertConfig, DistilBertForSequenceClassification, Precision};
use rekindle_train::{EncodedDataset, Event, Plan, Shuffle, Trained, Training, TrainingArguments};
use safetensors::SafeTensors;
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// Loss and gradient norm of a step, relative: f32 on both sides, drifting apart over up to 20 steps, on any backend. An
/// inexact derivative shows here (that of GELU's approximation by tanh did).
const STEP: f64 = 1e-4;
/// Weights at the end, absolute.
const WEIGHT: f64 = 1e-4;

#[derive(Deserialize)]
struct Golden {
    rows: Vec<Vec<u32>>,
    labels: Vec<usize>,
    runs: Vec<Run>,
}

#[derive(Deserialize)]
struct Run {
    plan: String,
    batching: String,
    lr: f64,
    weight_decay: f64,
    order: Vec<Vec<Vec<usize>>>,
    steps: Vec<Step>,
    r#final: HashMap<String, Weights>,
    final_logits: Vec<Vec<f32>>,
}

#[derive(Deserialize)]
struct Step {
    loss: f64,
    grad_norm: f64,
    learning_rate: f64,
}

#[derive(Deserialize)]
struct Weights {
    sum: f64,
    sum_sq: f64,
    first: Vec<f64>,
    /// How far PyTorch's f32 run ended from its own f64 run: gradients that are zero but for rounding, such as those of
    /// the key biases, are scaled up by Adam, and then no two f32 runs agree better than this.
    f64_gap: f64,
}

#[derive(Deserialize)]
struct Order {
    n: usize,
    seed: u64,
    epochs: Vec<Vec<usize>>,
}

fn fixture<T: DeserializeOwned>(name: &str) -> T {
    let bytes = std::fs::read(Path::new("../../fixtures/distilbert").join(name)).expect("fixture");
    serde_json::from_slice(&bytes).expect("JSON")
}

#[allow(deprecated)] // ndarray
fn devices() -> Vec<(&'static str, Device)> {
    vec![
        ("flex", Device::flex()),
        #[cfg(feature = "ndarray")]
        ("ndarray", Device::ndarray()),
        #[cfg(feature = "wgpu")]
        ("wgpu", Device::wgpu(burn::tensor::DeviceKind::DefaultDevice)),
    ]
}

fn close(ours: f64, theirs: f64, tolerance: f64, what: &str) {
    assert!((ours - theirs).abs() <= tolerance, "{what}: {ours} here, {theirs} there, tolerance {tolerance:e}");
}

fn run(golden: &Golden, run: &Run, device: &Device) -> Trained {
    let folder = Path::new("../../fixtures/distilbert/base");
    let mut config = DistilBertConfig::from_folder(folder).expect("config");
    (config.dropout, config.attention_dropout, config.seq_classif_dropout) = (0.0, 0.0, 0.0);
    let (model, report) = config.load(&Checkpoint::open(folder).expect("weights"), 0, device).expect("model");
    assert!(report.missing.is_empty(), "the head is in the checkpoint");
    let data = EncodedDataset::new(golden.rows.clone(), golden.labels.clone(), 2).expect("data");
    let plan = match run.plan.as_str() {
        "frozen" => Plan::head(),
        "last_layer" => Plan::last_layers(1, &config).expect("a layer"),
        _ => Plan::full(&config),
    };
    let arguments = TrainingArguments {
        learning_rate: run.lr,
        weight_decay: run.weight_decay,
        num_train_epochs: run.order.len(),
        per_device_train_batch_size: run.order[0][0].len(),
        ..TrainingArguments::default()
    };
    let mut seen = 0;
    let mut count = |event: &Event| seen += usize::from(matches!(event, Event::Step(_)));
    let trained = learn(model, &config, &plan, &data, &arguments, device, &mut count);
    assert_eq!(seen, run.steps.len(), "an event a step");
    trained
}

/// Trains and evaluates on the same sentences.
fn learn(
    model: DistilBertForSequenceClassification,
    config: &DistilBertConfig,
    plan: &Plan,
    data: &EncodedDataset,
    arguments: &TrainingArguments,
    device: &Device,
    observer: &mut dyn FnMut(&Event),
) -> Trained {
    let training = Training {
        config,
        plan,
        train: data,
        evaluation: Some(data),
        arguments,
        features: None,
        checkpoints: None,
        device,
    };
    training.run(model, observer).expect("trained")
}

fn check_weights(trained: &Trained, run: &Run, what: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("model.safetensors");
    trained.model.save_safetensors(&path, Precision::F32).expect("saved");
    let bytes = std::fs::read(path).expect("read");
    let tensors = SafeTensors::deserialize(&bytes).expect("safetensors");
    for (name, theirs) in &run.r#final {
        let what = format!("{what}, {name}");
        let data = tensors.tensor(name).expect("a tensor of that name").data();
        let ours: Vec<f64> =
            data.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]).into()).collect();
        let tolerance = WEIGHT.max(2.0 * theirs.f64_gap);
        for (index, (ours, theirs)) in ours.iter().zip(&theirs.first).enumerate() {
            close(*ours, *theirs, tolerance, &format!("{what}[{index}]"));
        }
        let spread = (ours.len() as f64).sqrt();
        close(ours.iter().sum(), theirs.sum, tolerance * spread, &what);
        let sum_sq: f64 = ours.iter().map(|value| value * value).sum();
        close(sum_sq, theirs.sum_sq, 2.0 * tolerance * theirs.sum_sq.sqrt(), &what);
    }
}

/// Features computed once for all epochs train as those computed in every step; only the company in a batch differs.
#[test]
fn cached_features_train_alike() {
    let golden: Golden = fixture("train_golden.json");
    let data = EncodedDataset::new(golden.rows.clone(), golden.labels.clone(), 2).expect("data");
    let device = Device::flex();
    let losses = |base_dropout: f64, frozen_dropout: bool| {
        let folder = Path::new("../../fixtures/distilbert/base");
        let mut config = DistilBertConfig::from_folder(folder).expect("config");
        (config.dropout, config.attention_dropout, config.seq_classif_dropout) = (base_dropout, base_dropout, 0.2);
        let (model, _) = config.load(&Checkpoint::open(folder).expect("weights"), 0, &device).expect("model");
        let arguments = TrainingArguments {
            learning_rate: 2e-3,
            num_train_epochs: 3,
            per_device_train_batch_size: 5,
            frozen_dropout,
            ..TrainingArguments::default()
        };
        let mut extracted = 0;
        let mut observe = |event: &Event| {
            if let Event::Extracting { done, .. } = event {
                extracted = *done;
            }
        };
        let trained = learn(model, &config, &Plan::head(), &data, &arguments, &device, &mut observe);
        let losses: Vec<f64> = trained.steps.iter().map(|step| step.loss).collect();
        (losses, trained.evaluation.expect("evaluated").logits, extracted)
    };
    let (cached, cached_logits, extracted) = losses(0.1, false);
    assert_eq!(extracted, data.len());
    let (computed, computed_logits, extracted) = losses(0.0, true);
    assert_eq!(extracted, 0);
    for (step, (cached, computed)) in cached.iter().zip(&computed).enumerate() {
        close(*cached, *computed, 1e-5 * computed, &format!("step {step}"));
    }
    for (cached, computed) in cached_logits.iter().zip(&computed_logits) {
        close((*cached).into(), (*computed).into(), 1e-5, "logits");
    }
    assert_ne!(cached, losses(0.1, true).0, "the base drops out unless told otherwise");
}

#[test]
fn trainings_follow_the_reference_step_by_step() {
    let golden: Golden = fixture("train_golden.json");
    let mut clipped = 0;
    for (backend, device) in devices() {
        for case in &golden.runs {
            let what = format!("{backend}, {} {}", case.plan, case.batching);
            let trained = run(&golden, case, &device);
            for (ours, theirs) in trained.steps.iter().zip(&case.steps) {
                let what = format!("{what}, step {}", ours.step);
                close(ours.loss, theirs.loss, STEP * theirs.loss, &format!("{what}, loss"));
                close(ours.grad_norm, theirs.grad_norm, STEP * theirs.grad_norm, &format!("{what}, gradient norm"));
                close(ours.learning_rate, theirs.learning_rate, 1e-12, &format!("{what}, rate"));
                clipped += usize::from(ours.grad_norm > 1.0);
            }
            check_weights(&trained, case, &what);
            let logits = trained.evaluation.as_ref().expect("evaluated").logits.iter();
            for (ours, theirs) in logits.zip(case.final_logits.iter().flatten()) {
                close(f64::from(*ours), f64::from(*theirs), 1e-3, &format!("{what}, logits"));
            }
        }
    }
    assert!(clipped > 0, "clipping was at work");
}

#[test]
fn rows_come_in_the_order_of_the_trainer() {
    let orders: Vec<Order> = fixture("trainer_order.json");
    for Order { n, seed, epochs } in orders {
        let data = EncodedDataset::new(vec![vec![101, 102]; n], vec![0; n], 1).expect("data");
        for (epoch, order) in epochs.into_iter().enumerate() {
            assert_eq!(data.order(seed, epoch, Shuffle::Reference), order, "{n} rows, seed {seed}, epoch {epoch}");
        }
    }
}
