//! Every approach against PyTorch, transformers and peft: what it trains, and twenty steps of it.
//!
//! The golden numbers are theirs: `fixtures/approaches/make.py`.

#[path = "../../train/tests/golden/mod.rs"]
mod golden;

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::Path;

use burn::module::Param;
use burn::tensor::{Device, Tensor, TensorData};
use golden::{STEP, Step, WEIGHT, Weights, check_logits, check_steps, check_weights, close, devices, fixture};
use rekindle_encoders::{Checkpoint, EncoderConfig, SequenceClassifier};
use rekindle_experiment::Approach;
use rekindle_nn::Linear;
use rekindle_train::{
    Classification, EncodedDataset, Evaluation, SchedulerType, StepRecord, Trained, Trainer, TrainingArguments,
    TuningPlan,
};
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    rows: Vec<Vec<u32>>,
    labels: Vec<usize>,
    cases: Vec<Case>,
    early_stopping: EarlyStopping,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    spec: String,
    trainable: usize,
    total: usize,
    lr: f64,
    weight_decay: f64,
    epochs: usize,
    batch_size: usize,
    accumulation: usize,
    accumulated: String,
    schedule: SchedulerType,
    warmup_steps: usize,
    class_weights: Option<Vec<f64>>,
    steps: Vec<Step>,
    r#final: HashMap<String, Weights>,
    final_logits: Vec<Vec<f32>>,
}

#[derive(Deserialize)]
struct EarlyStopping {
    #[serde(flatten)]
    case: Case,
    patience: usize,
    eval_rows: Vec<Vec<u32>>,
    eval_labels: Vec<usize>,
    eval_losses: Vec<f64>,
    stopped_epoch: usize,
    best_epoch: usize,
    eval_logits: Vec<Vec<f32>>,
}

#[derive(Deserialize)]
struct Count {
    spec: String,
    trainable: usize,
    total: usize,
}

/// The cases with operations of their own: adapters, biases in a frozen base, means, sums of gradients, weights. Schedules
/// and groups of parameters are the same code on every device.
const ON_DEVICES: [&str; 5] = ["bitfit", "lora-all", "full-mean", "accumulation-mean", "class-weights"];

/// The checkpoint that all cases start from, without dropout, as an approach has it; and its plan.
fn start(case: &Case, device: &Device) -> (EncoderConfig, TuningPlan, SequenceClassifier) {
    let approach: Approach = case.spec.parse().expect("an approach");
    let approach = approach.fine_tuning().expect("a fine-tuning");
    let folder = Path::new("../../fixtures/distilbert/base");
    let mut config = EncoderConfig::from_folder(folder).expect("config");
    (config.hidden_dropout_prob, config.attention_probs_dropout_prob, config.classifier_dropout) = (0.0, 0.0, 0.0);
    config.classifier_pooling = approach.pooling.unwrap_or_default();
    let (model, _) =
        SequenceClassifier::from_checkpoint(&config, &Checkpoint::open(folder).expect("weights"), 0, device)
            .expect("model");
    let plan = approach.plan(&config).expect("a plan");
    let mut model = plan.prepare(&model, 0).expect("prepared");
    assert_eq!(plan.count(&model), (case.trainable, case.total), "{}: trained and all parameters", case.name);
    model.linear_layers().into_iter().for_each(|layer| as_the_script(layer.linear));
    (config, plan, model)
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

fn arguments(case: &Case) -> TrainingArguments {
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

fn check(trained: Trained<SequenceClassifier, Evaluation>, case: &Case, logits: &[Vec<f32>], what: &str) {
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
    // A softmax does not see the bias of its keys: their gradient is rounding alone, which Adam scales up to whole
    // steps, so that no two runs in f32 agree better than by what all steps together can move.
    let tolerance = |name: &str, theirs: &Weights| match name.ends_with("k_lin.bias") {
        true => case.steps.iter().map(|step| step.learning_rate).sum(),
        false => WEIGHT.max(2.0 * theirs.f64_gap),
    };
    check_weights(&trained.model.merged(), &case.r#final, tolerance, what);
}

#[test]
fn twenty_steps_of_every_approach_follow_the_reference() {
    let golden: Golden = fixture("approaches/golden.json");
    let data = EncodedDataset::new(golden.rows, golden.labels, 2).expect("data");
    // `Trainer` adds up the losses of a step's batches where it believes them divided already; here they are averaged.
    let cases: Vec<&Case> = golden.cases.iter().filter(|case| case.accumulated == "mean").collect();
    assert_eq!(cases.len(), 15);
    for (backend, device) in devices() {
        let on_device = |case: &&&Case| backend == "flex" || ON_DEVICES.contains(&case.name.as_str());
        for case in cases.iter().filter(on_device) {
            let what = format!("{backend}, {}", case.name);
            let (config, plan, model) = start(case, &device);
            let arguments = arguments(case);
            let objective = Classification::new(&config, &data).evaluated_on(&data);
            let trainer = Trainer::new(objective, &plan, &arguments, &device);
            let trained = trainer.run(model, &mut |_| ControlFlow::Continue(())).expect("trained");
            assert!(trained.steps.len() >= 20);
            check(trained, case, &case.final_logits, &what);
        }
    }
}

#[test]
fn the_best_epoch_is_kept_and_a_run_that_grows_worse_ends() {
    let EarlyStopping { case, patience, eval_rows, eval_labels, eval_losses, stopped_epoch, best_epoch, eval_logits } =
        fixture::<Golden>("approaches/golden.json").early_stopping;
    let Golden { rows, labels, .. } = fixture("approaches/golden.json");
    let data = EncodedDataset::new(rows, labels, 2).expect("data");
    let evaluation = EncodedDataset::new(eval_rows, eval_labels, 2).expect("data");
    let device = Device::flex();
    let (config, plan, model) = start(&case, &device);
    let arguments =
        TrainingArguments { load_best_model_at_end: true, early_stopping_patience: Some(patience), ..arguments(&case) };
    let objective = Classification::new(&config, &data).evaluated_on(&evaluation);
    let trainer = Trainer::new(objective, &plan, &arguments, &device);
    let trained = trainer.run(model, &mut |_| ControlFlow::Continue(())).expect("trained");
    assert_eq!((trained.epochs.len(), trained.best_epoch), (stopped_epoch, best_epoch));
    for (ours, theirs) in trained.epochs.iter().zip(&eval_losses) {
        close(ours.eval_loss, *theirs, STEP * theirs, &format!("epoch {}", ours.epoch));
    }
    let again = rekindle_train::evaluate(&trained.model, &config, &evaluation, None, 4, &device, &mut |_| {
        ControlFlow::Continue(())
    });
    check_logits(&again.expect("evaluated").logits, &eval_logits, "the model kept");
    check(trained, &case, &eval_logits, "early stopping");
}

/// At full size: the counts of transformers and peft for distilbert-base.
#[test]
fn counts_at_full_size() {
    let config = EncoderConfig::default();
    let (model, _) =
        SequenceClassifier::from_checkpoint(&config, &Checkpoint::empty(), 0, &Device::flex()).expect("a model");
    for Count { spec, trainable, total } in fixture::<Vec<Count>>("approaches/counts.json") {
        let approach: Approach = spec.parse().expect("an approach");
        let plan = approach.fine_tuning().expect("a fine-tuning").plan(&config).expect("a plan");
        assert_eq!(plan.count(&plan.prepare(&model, 0).expect("prepared")), (trainable, total), "{spec}");
    }
}
