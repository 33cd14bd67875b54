//! Whole trainings against PyTorch and transformers: order of rows, losses, gradient norms, rates, weights, logits.
//!
//! The golden numbers are PyTorch's: `fixtures/distilbert/make.py`.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::Path;

use burn::tensor::Device;
use rekindle_encoders::{Checkpoint, EncoderConfig, SequenceClassifier};
use rekindle_train::{
    Classification, EncodedDataset, Evaluation, Event, Shuffle, Trained, Trainer, TrainingArguments, TuningPlan,
};
use serde::Deserialize;

use crate::golden::{Step, Weights, check_logits, check_steps, check_weights, close, devices, fixture};

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
struct Order {
    n: usize,
    seed: u64,
    epochs: Vec<Vec<usize>>,
}

/// A trained classifier.
type TrainedClassifier = Trained<SequenceClassifier, Evaluation>;

fn run(golden: &Golden, run: &Run, device: &Device) -> TrainedClassifier {
    let folder = Path::new("../../fixtures/distilbert/base");
    let mut config = EncoderConfig::from_folder(folder).expect("config");
    (config.hidden_dropout_prob, config.attention_probs_dropout_prob, config.classifier_dropout) = (0.0, 0.0, 0.0);
    let (model, report) =
        SequenceClassifier::from_checkpoint(&config, &Checkpoint::open(folder).expect("weights"), 0, device)
            .expect("model");
    assert!(report.missing.is_empty(), "the head is in the checkpoint");
    let data = EncodedDataset::new(golden.rows.clone(), golden.labels.clone(), 2).expect("data");
    let plan = match run.plan.as_str() {
        "frozen" => TuningPlan::head(),
        "last_layer" => TuningPlan::last_layers(1, &config).expect("a layer"),
        _ => TuningPlan::full(&config),
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
    model: SequenceClassifier,
    config: &EncoderConfig,
    plan: &TuningPlan,
    data: &EncodedDataset,
    arguments: &TrainingArguments,
    device: &Device,
    observer: &mut dyn FnMut(&Event),
) -> TrainedClassifier {
    let objective = Classification::new(config, data).evaluated_on(data);
    let mut observe = |event: &Event| {
        observer(event);
        ControlFlow::Continue(())
    };
    Trainer::new(objective, plan, arguments, device).run(model, &mut observe).expect("trained")
}

/// Features computed once for all epochs train as those computed in every step; only the company in a batch differs.
#[test]
fn cached_features_train_alike() {
    let golden: Golden = fixture("distilbert/train_golden.json");
    let data = EncodedDataset::new(golden.rows.clone(), golden.labels.clone(), 2).expect("data");
    let device = Device::flex();
    let losses = |base_dropout: f64, frozen_dropout: bool| {
        let folder = Path::new("../../fixtures/distilbert/base");
        let mut config = EncoderConfig::from_folder(folder).expect("config");
        (config.hidden_dropout_prob, config.attention_probs_dropout_prob, config.classifier_dropout) =
            (base_dropout, base_dropout, 0.2);
        let (model, _) =
            SequenceClassifier::from_checkpoint(&config, &Checkpoint::open(folder).expect("weights"), 0, &device)
                .expect("model");
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
        let trained = learn(model, &config, &TuningPlan::head(), &data, &arguments, &device, &mut observe);
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
    let golden: Golden = fixture("distilbert/train_golden.json");
    let mut clipped = 0;
    for (backend, device) in devices() {
        for case in &golden.runs {
            let what = format!("{backend}, {} {}", case.plan, case.batching);
            let trained = run(&golden, case, &device);
            check_steps(&trained.steps, &case.steps, &what);
            clipped += trained.steps.iter().filter(|step| step.grad_norm > 1.0).count();
            check_weights(&trained.model, &case.r#final, &case.steps, &what);
            check_logits(&trained.evaluation.as_ref().expect("evaluated").logits, &case.final_logits, &what);
        }
    }
    assert!(clipped > 0, "clipping was at work");
}

#[test]
fn rows_come_in_the_order_of_the_trainer() {
    let orders: Vec<Order> = fixture("distilbert/trainer_order.json");
    for Order { n, seed, epochs } in orders {
        let data = EncodedDataset::new(vec![vec![101, 102]; n], vec![0; n], 1).expect("data");
        for (epoch, order) in epochs.into_iter().enumerate() {
            assert_eq!(data.order(seed, epoch, Shuffle::Reference), order, "{n} rows, seed {seed}, epoch {epoch}");
        }
    }
}
