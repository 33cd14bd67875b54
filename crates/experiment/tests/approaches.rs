//! Every approach against PyTorch, transformers and peft: what it trains, and twenty steps of it.
//!
//! The golden numbers are theirs: `fixtures/approaches/make.py`.

use std::ops::ControlFlow;

use burn::tensor::Device;
use rekindle_encoders::{Checkpoint, EncoderConfig, SequenceClassifier};
use rekindle_experiment::Approach;
use rekindle_train::{Classification, EncodedDataset, Trainer, TrainingArguments};
use serde::Deserialize;

use crate::reference::golden::{STEP, check_logits, close, devices, fixture};
use crate::reference::{Case, arguments, check, start, train};

/// The checkpoint that all cases start from.
const FOLDER: &str = "distilbert/base";

#[derive(Deserialize)]
struct Golden {
    rows: Vec<Vec<u32>>,
    labels: Vec<usize>,
    cases: Vec<Case>,
    early_stopping: EarlyStopping,
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
            train(case, FOLDER, &data, &device, &what);
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
    let (config, plan, model) = start(&case, FOLDER, &device);
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
