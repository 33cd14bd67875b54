//! A training of a golden table, run as an approach, and what of it must follow the reference.

#[path = "../../train/tests/golden/mod.rs"]
pub mod golden;

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::Path;

use burn::module::Param;
use burn::tensor::{Device, Tensor, TensorData};
use golden::{Step, Weights, check_logits, check_steps, check_weights};
use rekindle_encoders::{Checkpoint, EncoderConfig, SequenceClassifier};
use rekindle_experiment::Approach;
use rekindle_nn::Linear;
use rekindle_train::{
    Classification, EncodedDataset, Evaluation, SchedulerType, StepRecord, Trained, Trainer, TrainingArguments,
    TuningPlan,
};
use serde::Deserialize;
use serde_json::{Map, Value};

/// A training of the reference.
#[derive(Deserialize)]
pub struct Case {
    /// Empty if `spec` distinguishes it from others.
    #[serde(default)]
    pub name: String,
    pub spec: String,
    pub trainable: usize,
    pub total: usize,
    pub lr: f64,
    pub weight_decay: f64,
    pub epochs: usize,
    pub batch_size: usize,
    #[serde(default = "one")]
    pub accumulation: usize,
    #[serde(default)]
    pub accumulated: String,
    #[serde(default)]
    pub schedule: SchedulerType,
    #[serde(default)]
    pub warmup_steps: usize,
    pub class_weights: Option<Vec<f64>>,
    pub steps: Vec<Step>,
    pub r#final: HashMap<String, Weights>,
    pub final_logits: Vec<Vec<f32>>,
}

fn one() -> usize {
    1
}

/// The configuration of a folder, without dropout.
fn without_dropout(folder: &Path) -> EncoderConfig {
    let path = folder.join("config.json");
    let mut fields: Map<String, Value> = serde_json::from_slice(&std::fs::read(&path).expect("read")).expect("JSON");
    let rates = fields.iter_mut().filter(|(name, value)| name.contains("dropout") && value.is_number());
    rates.for_each(|(_, rate)| *rate = 0.0.into());
    EncoderConfig::from_json(&serde_json::to_vec(&fields).expect("JSON"), &path).expect("config")
}

/// The checkpoint that all cases of a table start from, without dropout, as an approach has it; and its plan.
pub fn start(case: &Case, folder: &str, device: &Device) -> (EncoderConfig, TuningPlan, SequenceClassifier) {
    let approach: Approach = case.spec.parse().expect("an approach");
    let approach = approach.fine_tuning().expect("a fine-tuning");
    let folder = Path::new("../../fixtures").join(folder);
    let mut config = without_dropout(&folder);
    config.classifier_pooling = approach.pooling.unwrap_or(config.classifier_pooling);
    let checkpoint = Checkpoint::open(&folder).expect("weights");
    let (model, _) = SequenceClassifier::from_checkpoint(&config, &checkpoint, 0, device).expect("model");
    let plan = approach.plan(&config).expect("a plan");
    let mut model = plan.prepare(&model, 0).expect("prepared");
    assert_eq!(plan.count(&model), (case.trainable, case.total), "{}: trained and all parameters", case.spec);
    model.linear_layers().into_iter().for_each(|layer| as_the_script(layer.linear));
    (config, plan, model)
}

/// Trains from the checkpoint in `folder`, and holds every step, the weights and the logits against the reference.
pub fn train(case: &Case, folder: &str, data: &EncodedDataset, device: &Device, what: &str) {
    let (config, plan, model) = start(case, folder, device);
    let arguments = arguments(case);
    let objective = Classification::new(&config, data).evaluated_on(data);
    let trainer = Trainer::new(objective, &plan, &arguments, device);
    let trained = trainer.run(model, &mut |_| ControlFlow::Continue(())).expect("trained");
    assert!(trained.steps.len() >= 20);
    check(trained, case, &case.final_logits, what);
}

/// Gives an adapter the values that the script gives it.
fn as_the_script(map: &mut Linear) {
    let Some(lora) = &mut map.lora else { return };
    let [inputs, rank] = lora.a.val().dims();
    let value = |input: usize, row: usize| (0.05 * ((1 + row * inputs + input) as f64).sin()) as f32;
    let values = (0..inputs).flat_map(|input| (0..rank).map(move |row| value(input, row))).collect::<Vec<f32>>();
    let a = Tensor::from_data(TensorData::new(values, [inputs, rank]), &lora.a.val().device());
    lora.a = Param::initialized(lora.a.id, a);
}

pub fn arguments(case: &Case) -> TrainingArguments {
    TrainingArguments {
        learning_rate: case.lr,
        weight_decay: case.weight_decay,
        num_train_epochs: case.epochs,
        per_device_train_batch_size: case.batch_size,
        gradient_accumulation_steps: case.accumulation,
        lr_scheduler_type: case.schedule,
        warmup_steps: case.warmup_steps as f64,
        class_weights: case.class_weights.clone(),
        ..TrainingArguments::default()
    }
}

pub fn check(trained: Trained<SequenceClassifier, Evaluation>, case: &Case, logits: &[Vec<f32>], what: &str) {
    let largest = |ours: &dyn Fn(&StepRecord) -> f64, theirs: &dyn Fn(&Step) -> f64| {
        let relative = trained.steps.iter().zip(&case.steps).map(|(o, t)| (ours(o) - theirs(t)).abs() / theirs(t));
        relative.fold(0.0, f64::max)
    };
    let loss = largest(&|step| step.loss, &|step| step.loss);
    let norm = largest(&|step| step.grad_norm, &|step| step.grad_norm);
    // The rows of docs/parity.md: `cargo test --workspace --test experiment -- --nocapture approaches`.
    println!("| {what} | {} | {} | {loss:.1e} | {norm:.1e} |", case.trainable, case.steps.len());
    check_steps(&trained.steps, &case.steps, what);
    check_logits(&trained.evaluation.as_ref().expect("evaluated").logits, logits, what);
    check_weights(&trained.model.merged(), &case.r#final, &case.steps, what);
}
