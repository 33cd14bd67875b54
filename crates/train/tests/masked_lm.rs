//! Masked language modelling compared with PyTorch and transformers.
//!
//! The golden numbers are PyTorch's: `fixtures/distilbert/make_masked_lm.py`. `masked_lm_training.rs` tests whole trainings.

use std::collections::HashMap;
use std::path::Path;

use burn::tensor::{Device, Tensor};
use rekindle_checkpoint::{Checkpoint, parameters, trainable};
use rekindle_encoders::{EncoderConfig, MaskedLanguageModel, Mode, Precision, SequenceBatch};
use rekindle_train::{AdamW, MaskedBatch, SchedulerType, TrainingArguments};
use safetensors::SafeTensors;
use serde::Deserialize;

/// Relative: f32 on both sides, sums in different orders, drifting apart over ten steps.
const STEP: f64 = 1e-4;
/// Logits of some units, through two layers of sums of up to 64 terms.
const LOGIT: f64 = 2e-5;

#[derive(Deserialize)]
struct Golden {
    forward: Forward,
    training: Training,
    schedules: Vec<Schedule>,
}

#[derive(Deserialize)]
struct Batch {
    rows: Vec<Vec<u32>>,
    places: Vec<u32>,
    labels: Vec<usize>,
}

#[derive(Deserialize)]
struct Forward {
    batch: Batch,
    loss: f64,
    logits: Vec<Vec<f64>>,
    gradient_norms: HashMap<String, f64>,
}

#[derive(Deserialize)]
struct Training {
    learning_rate: f64,
    weight_decay: f64,
    warmup_steps: usize,
    batches: Vec<Batch>,
    steps: Vec<Step>,
    r#final: HashMap<String, Weights>,
}

#[derive(Deserialize)]
struct Step {
    loss: f64,
    grad_norm: f64,
    learning_rate: f64,
}

#[derive(Deserialize)]
struct Weights {
    first: Vec<f64>,
    sum_sq: f64,
    /// How far PyTorch's f32 run ended from its own f64 run; large where a gradient is zero but for rounding.
    f64_gap: f64,
}

#[derive(Deserialize)]
struct Schedule {
    learning_rate: f64,
    warmup_steps: usize,
    steps: usize,
    rates: Vec<f64>,
}

impl Batch {
    fn masked(&self) -> MaskedBatch {
        MaskedBatch { sentences: self.rows.clone(), places: self.places.clone(), labels: self.labels.clone() }
    }
}

fn golden() -> Golden {
    let bytes = std::fs::read("../../fixtures/distilbert/masked_lm_golden.json").expect("fixture");
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

/// The checkpoint without dropout, all of it trained.
fn model(device: &Device) -> (EncoderConfig, MaskedLanguageModel) {
    let folder = Path::new("../../fixtures/distilbert/masked_lm");
    let mut config = EncoderConfig::from_folder(folder).expect("config");
    (config.hidden_dropout_prob, config.attention_probs_dropout_prob) = (0.0, 0.0);
    let (model, report) =
        MaskedLanguageModel::from_checkpoint(&config, &Checkpoint::open(folder).expect("weights"), 0, device)
            .expect("model");
    assert_eq!(report, Default::default(), "every tensor matched");
    (config, trainable(&model, |_| true))
}

fn close(ours: f64, theirs: f64, tolerance: f64, what: &str) {
    assert!((ours - theirs).abs() <= tolerance, "{what}: {ours} here, {theirs} there, tolerance {tolerance:e}");
}

fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().iter::<f32>().map(f64::from).collect()
}

#[test]
fn logits_loss_and_gradients_of_hidden_words() {
    let Forward { batch, loss, logits, gradient_norms } = golden().forward;
    for (backend, device) in devices() {
        let (config, model) = model(&device);
        let cu_seqlens: Vec<usize> = batch.rows.iter().fold(vec![0], |mut ends, row| {
            ends.push(ends[ends.len() - 1] + row.len());
            ends
        });
        let ids = batch.rows.concat();
        let tokens = SequenceBatch::new(&ids, &vec![1; ids.len()], &cu_seqlens, &config, &device).expect("a batch");
        let ours = numbers(model.forward(&tokens.selecting(&batch.places).expect("places"), Mode::Eval));
        let theirs = logits.concat();
        assert_eq!(ours.len(), theirs.len());
        for (index, (ours, theirs)) in ours.iter().zip(&theirs).enumerate() {
            close(*ours, *theirs, LOGIT * theirs.abs().max(1.0), &format!("{backend}, logit {index}"));
        }
        let ours = batch.masked().loss(&model, &config, Mode::Eval, &device).expect("a loss");
        close(numbers(ours.clone())[0], loss, 1e-5 * loss, "loss");

        struct Norms(Vec<f64>, burn::tensor::Gradients);
        impl burn::module::ModuleVisitor for Norms {
            fn visit_float<const D: usize>(&mut self, param: &burn::module::Param<Tensor<D>>) {
                let gradient = param.val().grad(&self.1).expect("a gradient");
                self.0.push(numbers(gradient).iter().map(|value| value * value).sum::<f64>().sqrt());
            }
        }
        let mut norms = Norms(Vec::new(), ours.backward());
        burn::module::Module::visit(&model, &mut norms);
        let parameters = parameters(&model);
        assert_eq!((parameters.len(), norms.0.len()), (gradient_norms.len(), gradient_norms.len()));
        let largest = gradient_norms.values().copied().fold(0.0, f64::max);
        for (parameter, ours) in parameters.iter().zip(norms.0) {
            // Some gradients are zero but for rounding: those of the key biases.
            let theirs = gradient_norms[&parameter.name];
            close(ours, theirs, 1e-4 * theirs + 1e-6 * largest, &format!("{backend}, gradient of {}", parameter.name));
        }
    }
}

#[test]
fn ten_steps_follow_the_reference() {
    let Training { learning_rate, weight_decay, warmup_steps, batches, steps, r#final } = golden().training;
    for (backend, device) in devices() {
        let (config, mut model) = model(&device);
        let arguments = TrainingArguments { learning_rate, weight_decay, ..TrainingArguments::default() };
        let mut optimizer = AdamW::new(&arguments, &model);
        for (index, (batch, theirs)) in batches.iter().zip(&steps).enumerate() {
            let what = format!("{backend}, step {index}");
            let rate = learning_rate * schedule(warmup_steps, steps.len()).share(index);
            close(rate, theirs.learning_rate, 1e-12, &format!("{what}, rate"));
            let loss = batch.masked().loss(&model, &config, Mode::Train { seed: 0 }, &device).expect("a loss");
            let (updated, norm) = optimizer.step(model, loss.backward(), rate);
            model = updated;
            close(numbers(loss)[0], theirs.loss, STEP * theirs.loss, &format!("{what}, loss"));
            close(numbers(norm)[0], theirs.grad_norm, STEP * theirs.grad_norm, &format!("{what}, norm"));
        }
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("model.safetensors");
        model.save_safetensors(&path, Precision::F32).expect("saved");
        let bytes = std::fs::read(path).expect("read");
        let tensors = SafeTensors::deserialize(&bytes).expect("safetensors");
        assert_eq!(tensors.names().len(), r#final.len(), "the projector's weight is the word table, stored once");
        for (name, theirs) in &r#final {
            let data = tensors.tensor(name).expect("a tensor of that name").data();
            let ours: Vec<f64> =
                data.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]).into()).collect();
            let tolerance = 1e-5f64.max(2.0 * theirs.f64_gap);
            for (index, (ours, theirs)) in ours.iter().zip(&theirs.first).enumerate() {
                close(*ours, *theirs, tolerance, &format!("{backend}, {name}[{index}]"));
            }
            let sum_sq: f64 = ours.iter().map(|value| value * value).sum();
            close(sum_sq, theirs.sum_sq, 2.0 * tolerance * theirs.sum_sq.sqrt(), &format!("{backend}, {name}"));
        }
    }
}

fn schedule(warmup: usize, steps: usize) -> rekindle_train::Schedule {
    rekindle_train::Schedule { kind: SchedulerType::Linear, warmup, steps }
}

#[test]
fn warm_up_is_that_of_transformers() {
    for Schedule { learning_rate, warmup_steps, steps, rates } in golden().schedules {
        assert_eq!(rates.len(), steps + 1);
        for (step, theirs) in rates.into_iter().enumerate() {
            let ours = learning_rate * schedule(warmup_steps, steps).share(step);
            close(ours, theirs, 1e-15, &format!("{warmup_steps} of {steps} to warm up, step {step}"));
        }
    }
}
