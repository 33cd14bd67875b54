//! A training whose batches are split over several devices, or into micro-batches, matches one of whole batches.

use std::ops::ControlFlow;

use burn::tensor::Device;
use rekindle_checkpoint::{Checkpoint, values};
use rekindle_distilbert::DistilBertConfig;
use rekindle_encoders::{EncoderConfig, LoraConfig, SequenceClassifier};
use rekindle_train::{Classification, EncodedDataset, Evaluation, Trained, Trainer, TrainingArguments, TuningPlan};

/// A tiny model, and sentences of three classes and uneven lengths.
fn tiny() -> (EncoderConfig, EncodedDataset) {
    let config = DistilBertConfig {
        vocab_size: 50,
        max_position_embeddings: 16,
        dim: 16,
        hidden_dim: 32,
        n_heads: 2,
        n_layers: 2,
        // Each device would drop something else.
        dropout: 0.0,
        attention_dropout: 0.0,
        seq_classif_dropout: 0.0,
        ..DistilBertConfig::default()
    };
    let config = EncoderConfig::from(config);
    let sentence = |index: u32| {
        let inner = (0..3 + index % 9).map(|place| 5 + (index * 7 + place * place) % 45);
        [2].into_iter().chain(inner).chain([3]).collect()
    };
    let data = EncodedDataset::new((0..46).map(sentence).collect(), (0..46).map(|row| row * row % 3).collect(), 3);
    (config.with_labels(["a", "b", "c"]), data.expect("data"))
}

fn plans(config: &EncoderConfig) -> [TuningPlan; 4] {
    let lora = LoraConfig { r: 2, ..LoraConfig::default() };
    let last = TuningPlan::last_layers(1, config).expect("a layer");
    let gradual = TuningPlan::full(config).gradually(1).with_layer_decay(0.5);
    [last, TuningPlan::full(config), gradual, TuningPlan::lora(lora)]
}

/// 20 steps or more; the last batch of an epoch has two sentences.
fn arguments() -> TrainingArguments {
    TrainingArguments {
        learning_rate: 1e-3,
        num_train_epochs: 4,
        per_device_train_batch_size: 4,
        gradient_accumulation_steps: 2,
        class_weights: Some(vec![1.0, 2.0, 0.5]),
        max_grad_norm: 0.5,
        ..TrainingArguments::default()
    }
}

type TrainedClassifier = Trained<SequenceClassifier, Evaluation>;

fn train(
    plan: &TuningPlan,
    devices: &[Device],
    arguments: &TrainingArguments,
    data: &EncodedDataset,
) -> TrainedClassifier {
    let (config, _) = tiny();
    let (model, _) =
        SequenceClassifier::from_checkpoint(&config, &Checkpoint::empty(), 1, &devices[0]).expect("a model");
    let model = plan.prepare(&model, 5).expect("prepared");
    let objective = Classification::new(&config, data);
    let trainer = Trainer::new(objective, plan, arguments, &devices[0]).split_over(&devices[1..]);
    trainer.run(model, &mut |_| ControlFlow::Continue(())).expect("trained")
}

fn compare(devices: &[Device]) {
    let (config, data) = tiny();
    for plan in plans(&config) {
        let one = train(&plan, &devices[..1], &arguments(), &data);
        assert!(one.steps.len() >= 20, "{} steps", one.steps.len());
        assert_same(&one, &train(&plan, devices, &arguments(), &data), &format!("{plan:?}"));
    }
}

/// Compares trainings that differ in the order of sums.
fn assert_same(one: &TrainedClassifier, other: &TrainedClassifier, what: &str) {
    assert_eq!(one.steps.len(), other.steps.len(), "{what}");
    for (one, other) in one.steps.iter().zip(&other.steps) {
        let close = |one: f64, other: f64| (one - other).abs() < 1e-5 * one.abs().max(1.0);
        assert!(close(one.loss, other.loss), "{what}, step {}: {} {}", one.step, one.loss, other.loss);
        assert!(close(one.grad_norm, other.grad_norm), "{what}: {} {}", one.grad_norm, other.grad_norm);
    }
    let weights = |trained: &TrainedClassifier| values(&trained.model, |_| true).expect("values");
    for ((name, one), (_, other)) in weights(one).iter().zip(&weights(other)) {
        let far = one.iter().zip(other).map(|(one, other)| (one - other).abs()).fold(0.0, f32::max);
        assert!(far < 1e-4, "{what}: {name} is {far} apart");
    }
}

/// The loss of a step is the weighted mean over all its examples, also where its micro-batches differ in size and in the sum
/// of their class weights.
#[test]
fn micro_batches_make_the_step_of_the_batch() {
    let (config, data) = tiny();
    let (plan, device) = (TuningPlan::full(&config), Device::flex());
    for (rows, [size, accumulation], class_weights) in
        [(46, [4, 2], Some(vec![1.0, 9.0, 3.0])), (46, [2, 4], Some(vec![1.0, 9.0, 3.0])), (28, [8, 2], None)]
    {
        let train = |size, accumulation| {
            let arguments = TrainingArguments {
                per_device_train_batch_size: size,
                gradient_accumulation_steps: accumulation,
                class_weights: class_weights.clone(),
                ..arguments()
            };
            let data = data.select(&(0..rows).collect::<Vec<_>>());
            train(&plan, std::slice::from_ref(&device), &arguments, &data)
        };
        let what = format!("{rows} examples, {accumulation} times {size}");
        assert_same(&train(size * accumulation, 1), &train(size, accumulation), &what);
    }
}

#[test]
fn shares_of_a_batch_make_the_step_of_the_batch() {
    let device = Device::flex();
    compare(&[device.clone(), device.clone()]);
    // The last batch has fewer sentences than there are devices.
    compare(&[device.clone(), device.clone(), device]);
}

/// Two devices in truth: gradients and parameters travel.
#[cfg(feature = "ndarray")]
#[allow(deprecated)] // ndarray
#[test]
fn gradients_and_parameters_travel() {
    compare(&[Device::flex(), Device::ndarray()]);
}
