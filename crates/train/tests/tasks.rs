//! The tasks against PyTorch and transformers: twenty steps with the loss of each, in three families.
//!
//! The golden numbers are theirs: `fixtures/tasks/make.py`.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::Path;

use burn::tensor::Device;
use rekindle_data::{Targets, Task};
use rekindle_encoders::{Checkpoint, EncoderConfig, SequenceClassifier};
use rekindle_train::{
    Classification, EncodedDataset, Event, Shuffle, Trainer, TrainingArguments, TuningPlan, example_loss, problem_of,
};
use serde::Deserialize;

use crate::golden::{STEP, Step, Weights, check_logits, check_steps, check_weights, close, devices, fixture};

#[derive(Deserialize)]
struct Golden {
    batch_size: usize,
    weight_decay: f64,
    order: Vec<Vec<Vec<usize>>>,
    rows: HashMap<String, Vec<Vec<u32>>>,
    targets: AllTargets,
    cases: Vec<Case>,
}

/// What the rows have in each task.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct AllTargets {
    multi_label: Vec<Vec<u8>>,
    regression: Vec<f64>,
    ordinal: Vec<usize>,
}

#[derive(Deserialize)]
struct Case {
    family: String,
    checkpoint: String,
    task: String,
    spec: String,
    weights: Option<Vec<f64>>,
    learning_rate: f64,
    steps: Vec<Step>,
    r#final: HashMap<String, Weights>,
    final_logits: Vec<Vec<f32>>,
    eval_loss: f64,
}

impl AllTargets {
    fn of(&self, task: Task) -> Targets {
        match task {
            Task::MultiLabel => Targets::Labels {
                values: self.multi_label.iter().flatten().map(|&label| label == 1).collect(),
                labels: self.multi_label[0].len(),
            },
            Task::Regression => Targets::Values(self.regression.clone()),
            Task::SingleLabel | Task::Ordinal => Targets::Classes(self.ordinal.clone()),
        }
    }
}

fn model(case: &Case, task: Task, device: &Device) -> (EncoderConfig, SequenceClassifier) {
    let folder = Path::new("../../fixtures/encoders").join(&case.family).join(&case.checkpoint);
    let mut config = EncoderConfig::from_folder(&folder).expect("config").with_problem(problem_of(task));
    (config.hidden_dropout_prob, config.attention_probs_dropout_prob, config.classifier_dropout) = (0.0, 0.0, 0.0);
    let checkpoint = Checkpoint::open(&folder).expect("weights");
    let (model, report) = SequenceClassifier::from_checkpoint(&config, &checkpoint, 0, device).expect("a model");
    assert!(report.missing.is_empty(), "the head is in the checkpoint");
    (config, model)
}

fn train(golden: &Golden, case: &Case, device: &Device, what: &str) {
    let task: Task = case.task.parse().expect("a task");
    let (config, model) = model(case, task, device);
    let targets = golden.targets.of(task);
    let rows = golden.rows[&case.family].clone();
    let data = EncodedDataset::with_targets(rows, targets.clone(), config.num_labels()).expect("data");
    for (epoch, order) in golden.order.iter().enumerate() {
        assert_eq!(data.order(42, epoch, Shuffle::Reference), order.concat(), "{what}");
    }
    let arguments = TrainingArguments {
        learning_rate: case.learning_rate,
        weight_decay: golden.weight_decay,
        num_train_epochs: golden.order.len(),
        per_device_train_batch_size: golden.batch_size,
        class_weights: case.weights.clone(),
        ..TrainingArguments::default()
    };
    let plan = if case.spec == "full" { TuningPlan::full(&config) } else { TuningPlan::head() };
    let objective = Classification::new(&config, &data).evaluated_on(&data);
    let mut observe = |_: &Event| ControlFlow::Continue(());
    let trained = Trainer::new(objective, &plan, &arguments, device).run(model, &mut observe).expect("trained");
    check_steps(&trained.steps, &case.steps, what);
    check_weights(&trained.model, &case.r#final, &case.steps, what);
    let evaluation = trained.evaluation.expect("evaluated");
    check_logits(&evaluation.logits, &case.final_logits, what);
    close(evaluation.loss, case.eval_loss, STEP * case.eval_loss, &format!("{what}, loss of the evaluation"));
    // From their logits, only the formula is ours.
    let losses =
        case.final_logits.iter().enumerate().map(|(row, logits)| example_loss(task, logits, &targets.get(row)));
    let loss = losses.sum::<f64>() / targets.len() as f64;
    close(loss, case.eval_loss, 1e-6 * case.eval_loss, &format!("{what}, mean of the losses per example"));
}

#[test]
fn each_task_follows_the_reference_step_by_step() {
    let golden: Golden = fixture("tasks/golden.json");
    assert_eq!(golden.cases.len(), 24);
    for (backend, device) in devices() {
        for case in &golden.cases {
            let weighted = if case.weights.is_some() { ", weighted" } else { "" };
            train(
                &golden,
                case,
                &device,
                &format!("{backend}, {}, {}, {}{weighted}", case.family, case.task, case.spec),
            );
        }
    }
}
