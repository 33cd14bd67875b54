//! Every approach against PyTorch, transformers and peft: what it trains, and twenty steps of it.
//!
//! The golden numbers are theirs: `fixtures/approaches/make.py`.

use std::collections::HashMap;
use std::path::Path;

use burn::module::Param;
use burn::tensor::{Device, Tensor, TensorData};
use rekindle_distilbert::{
    Checkpoint, DistilBertConfig, DistilBertForSequenceClassification, Linear, Precision, TransformerBlock,
};
use rekindle_experiment::Approach;
use rekindle_train::{EncodedDataset, Plan, SchedulerType, StepRecord, Trained, Training, TrainingArguments};
use safetensors::SafeTensors;
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// Loss and gradient norm of a step, relative: f32 on both sides, drifting apart over twenty steps.
const STEP: f64 = 1e-4;
/// Weights at the end, absolute.
const WEIGHT: f64 = 1e-4;

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
    /// How far PyTorch's f32 run ended from its own f64 run.
    f64_gap: f64,
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

fn fixture<T: DeserializeOwned>(name: &str) -> T {
    let bytes = std::fs::read(Path::new("../../fixtures/approaches").join(name)).expect("fixture");
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

/// The checkpoint that all cases start from, without dropout, as an approach has it; and its plan.
fn start(case: &Case, device: &Device) -> (DistilBertConfig, Plan, DistilBertForSequenceClassification) {
    let approach: Approach = case.spec.parse().expect("an approach");
    let folder = Path::new("../../fixtures/distilbert/base");
    let mut config = DistilBertConfig::from_folder(folder).expect("config");
    (config.dropout, config.attention_dropout, config.seq_classif_dropout) = (0.0, 0.0, 0.0);
    config.classifier_pooling = approach.pooling.unwrap_or_default();
    let (model, _) = config.load(&Checkpoint::open(folder).expect("weights"), 0, device).expect("model");
    let plan = approach.plan(&config).expect("a plan");
    let mut model = plan.prepare(&model, 0).expect("prepared");
    assert_eq!(plan.count(&model), (case.trainable, case.total), "{}: trained and all parameters", case.name);
    model.distilbert.transformer.layer.iter_mut().flat_map(maps).for_each(as_the_script);
    (config, plan, model)
}

fn maps(layer: &mut TransformerBlock) -> [&mut Linear; 6] {
    let (attention, ffn) = (&mut layer.attention, &mut layer.ffn);
    [
        &mut attention.q_lin,
        &mut attention.k_lin,
        &mut attention.v_lin,
        &mut attention.out_lin,
        &mut ffn.lin1,
        &mut ffn.lin2,
    ]
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

fn check_steps(trained: &Trained, case: &Case, what: &str) {
    assert_eq!(trained.steps.len(), case.steps.len(), "{what}, steps");
    let largest = |ours: &dyn Fn(&StepRecord) -> f64, theirs: &dyn Fn(&Step) -> f64| {
        let relative = trained.steps.iter().zip(&case.steps).map(|(o, t)| (ours(o) - theirs(t)).abs() / theirs(t));
        relative.fold(0.0, f64::max)
    };
    let loss = largest(&|step| step.loss, &|step| step.loss);
    let norm = largest(&|step| step.grad_norm, &|step| step.grad_norm);
    // The rows of docs/parity.md: `cargo test --test approaches -- --nocapture`.
    println!("| {what} | {} | {} | {loss:.1e} | {norm:.1e} |", case.trainable, case.steps.len());
    for (ours, theirs) in trained.steps.iter().zip(&case.steps) {
        let what = format!("{what}, step {}", ours.step);
        close(ours.loss, theirs.loss, STEP * theirs.loss, &format!("{what}, loss"));
        close(ours.grad_norm, theirs.grad_norm, STEP * theirs.grad_norm, &format!("{what}, gradient norm"));
        close(ours.learning_rate, theirs.learning_rate, 1e-12, &format!("{what}, rate"));
    }
}

fn check_logits(ours: &[f32], theirs: &[Vec<f32>], what: &str) {
    assert_eq!(ours.len(), theirs.iter().flatten().count(), "{what}");
    for (ours, theirs) in ours.iter().zip(theirs.iter().flatten()) {
        close(f64::from(*ours), f64::from(*theirs), 1e-3, &format!("{what}, logits"));
    }
}

/// Of the merged model, as a checkpoint holds it.
fn check_weights(trained: Trained, case: &Case, what: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("model.safetensors");
    trained.model.merged().save_safetensors(&path, Precision::F32).expect("saved");
    let bytes = std::fs::read(path).expect("read");
    let tensors = SafeTensors::deserialize(&bytes).expect("safetensors");
    for (name, theirs) in &case.r#final {
        let what = format!("{what}, {name}");
        let data = tensors.tensor(name).expect("a tensor of that name").data();
        let ours: Vec<f64> =
            data.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]).into()).collect();
        // A softmax does not see the bias of its keys: their gradient is rounding alone, which Adam scales up to whole
        // steps, so that no two runs in f32 agree better than by what all steps together can move.
        let tolerance = match name.ends_with("k_lin.bias") {
            true => case.steps.iter().map(|step| step.learning_rate).sum(),
            false => WEIGHT.max(2.0 * theirs.f64_gap),
        };
        for (index, (ours, theirs)) in ours.iter().zip(&theirs.first).enumerate() {
            close(*ours, *theirs, tolerance, &format!("{what}[{index}]"));
        }
        close(ours.iter().sum(), theirs.sum, tolerance * (ours.len() as f64).sqrt(), &what);
        let sum_sq: f64 = ours.iter().map(|value| value * value).sum();
        close(sum_sq, theirs.sum_sq, 2.0 * tolerance * theirs.sum_sq.sqrt(), &what);
    }
}

#[test]
fn twenty_steps_of_every_approach_follow_the_reference() {
    let golden: Golden = fixture("golden.json");
    let data = EncodedDataset::new(golden.rows, golden.labels, 2).expect("data");
    // `Trainer` adds up the losses of a step's batches where it believes them divided already; here they are averaged.
    let cases: Vec<&Case> = golden.cases.iter().filter(|case| case.accumulated == "mean").collect();
    assert_eq!(cases.len(), 15);
    for (backend, device) in devices() {
        let on_device = |case: &&&Case| backend == "flex" || ON_DEVICES.contains(&case.name.as_str());
        for case in cases.iter().filter(on_device) {
            let what = format!("{backend}, {}", case.name);
            let (config, plan, model) = start(case, &device);
            let training = Training {
                config: &config,
                plan: &plan,
                train: &data,
                evaluation: Some(&data),
                arguments: &arguments(case),
                features: None,
                checkpoints: None,
                device: &device,
            };
            let trained = training.run(model, &mut |_| ()).expect("trained");
            assert!(trained.steps.len() >= 20);
            check_steps(&trained, case, &what);
            check_logits(&trained.evaluation.as_ref().expect("evaluated").logits, &case.final_logits, &what);
            check_weights(trained, case, &what);
        }
    }
}

#[test]
fn the_best_epoch_is_kept_and_a_run_that_grows_worse_ends() {
    let EarlyStopping { case, patience, eval_rows, eval_labels, eval_losses, stopped_epoch, best_epoch, eval_logits } =
        fixture::<Golden>("golden.json").early_stopping;
    let Golden { rows, labels, .. } = fixture("golden.json");
    let data = EncodedDataset::new(rows, labels, 2).expect("data");
    let evaluation = EncodedDataset::new(eval_rows, eval_labels, 2).expect("data");
    let device = Device::flex();
    let (config, plan, model) = start(&case, &device);
    let arguments =
        TrainingArguments { load_best_model_at_end: true, early_stopping_patience: Some(patience), ..arguments(&case) };
    let training = Training {
        config: &config,
        plan: &plan,
        train: &data,
        evaluation: Some(&evaluation),
        arguments: &arguments,
        features: None,
        checkpoints: None,
        device: &device,
    };
    let trained = training.run(model, &mut |_| ()).expect("trained");
    assert_eq!((trained.epochs.len(), trained.best_epoch), (stopped_epoch, best_epoch));
    for (ours, theirs) in trained.epochs.iter().zip(&eval_losses) {
        close(ours.eval_loss, *theirs, STEP * theirs, &format!("epoch {}", ours.epoch));
    }
    check_steps(&trained, &case, "early stopping");
    check_logits(&trained.evaluation.as_ref().expect("evaluated").logits, &eval_logits, "the evaluation kept");
    let again = rekindle_train::evaluate(&trained.model, &config, &evaluation, None, 4, &device, &mut |_| ());
    check_logits(&again.expect("evaluated").logits, &eval_logits, "the model kept");
    check_weights(trained, &case, "early stopping");
}

/// At full size: the counts of transformers and peft for distilbert-base.
#[test]
fn counts_at_full_size() {
    let config = DistilBertConfig::default();
    let (model, _) = config.load(&Checkpoint::empty(), 0, &Device::flex()).expect("a model");
    for Count { spec, trainable, total } in fixture::<Vec<Count>>("counts.json") {
        let plan = spec.parse::<Approach>().expect("an approach").plan(&config).expect("a plan");
        assert_eq!(plan.count(&plan.prepare(&model, 0).expect("prepared")), (trainable, total), "{spec}");
    }
}
