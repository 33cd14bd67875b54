//! Texts of several windows against a plain loop over the windows in transformers: logits, losses, gradient norms.
//!
//! The golden numbers are theirs: `fixtures/encoders/make_windows.py`.

use std::ops::ControlFlow;
use std::path::Path;

use burn::tensor::Device;
use rekindle_encoders::{Checkpoint, EncoderConfig, SequenceClassifier};
use rekindle_infer::{EncodedTexts, WindowPool, Windows};
use rekindle_train::{
    Classification, Contrastive, ContrastiveLoss, EncodedDataset, Event, Shuffle, TrainError, Trainer,
    TrainingArguments, TuningPlan, evaluate,
};
use serde::Deserialize;

use crate::golden::{Step, check_steps, close, devices, fixture};

#[derive(Deserialize)]
struct Golden {
    lr: f64,
    weight_decay: f64,
    batch_size: usize,
    families: Vec<Family>,
}

#[derive(Deserialize)]
struct Family {
    family: String,
    texts: Vec<Vec<Vec<u32>>>,
    labels: Vec<usize>,
    runs: Vec<Run>,
}

#[derive(Deserialize)]
struct Run {
    pool: String,
    order: Vec<Vec<usize>>,
    logits: Vec<Vec<f32>>,
    steps: Vec<Step>,
    final_logits: Vec<Vec<f32>>,
}

fn data(texts: &[Vec<Vec<u32>>], labels: &[usize], pool: WindowPool) -> EncodedDataset {
    let windows = Windows::new(texts.iter().map(Vec::len).collect(), pool);
    let encoded = EncodedTexts { input_ids: texts.concat(), token_type_ids: Vec::new(), windows };
    let data = EncodedDataset::new(vec![Vec::new(); texts.len()], labels.to_vec(), 2).expect("data");
    data.with_texts(encoded).expect("as many texts")
}

fn model(family: &str, device: &Device) -> (EncoderConfig, SequenceClassifier) {
    let folder = Path::new("../../fixtures/encoders").join(family).join("base");
    let mut config = EncoderConfig::from_folder(&folder).expect("config");
    (config.hidden_dropout_prob, config.attention_probs_dropout_prob, config.classifier_dropout) = (0.0, 0.0, 0.0);
    let checkpoint = Checkpoint::open(&folder).expect("weights");
    let (model, _) = SequenceClassifier::from_checkpoint(&config, &checkpoint, 0, device).expect("a model");
    (config, model)
}

/// The tolerance of logits before training.
const LOGIT: f64 = 1e-4;

fn check(ours: &[f32], theirs: &[Vec<f32>], tolerance: f64, about: &str) {
    assert_eq!(ours.len(), theirs.iter().flatten().count(), "{about}");
    for (ours, theirs) in ours.iter().zip(theirs.iter().flatten()) {
        close(f64::from(*ours), f64::from(*theirs), tolerance, &format!("{about}, logits"));
    }
}

#[test]
fn a_text_has_one_prediction_and_one_loss_over_its_windows() {
    let Golden { lr, weight_decay, batch_size, families } = fixture("encoders/windows.json");
    assert_eq!(families.len(), 3);
    for (backend, device) in devices() {
        for Family { family, texts, labels, runs } in &families {
            for run in runs {
                let about = format!("{backend}, {family}, {}", run.pool);
                let pool = if run.pool == "mean" { WindowPool::Mean } else { WindowPool::Max };
                let data = data(texts, labels, pool);
                let (config, model) = model(family, &device);
                let mut observe = |_: &rekindle_train::Event| ControlFlow::Continue(());
                let before = evaluate(&model, &config, &data, None, 2, &device, &mut observe).expect("evaluated");
                check(&before.logits, &run.logits, LOGIT, &about);
                for (epoch, order) in (0..).zip(&run.order) {
                    assert_eq!(&data.order(42, epoch, Shuffle::Reference), order, "{about}");
                }
                let arguments = TrainingArguments {
                    learning_rate: lr,
                    weight_decay,
                    num_train_epochs: run.order.len(),
                    per_device_train_batch_size: batch_size,
                    ..TrainingArguments::default()
                };
                let plan = TuningPlan::full(&config);
                let objective = Classification::new(&config, &data).evaluated_on(&data);
                let trained = Trainer::new(objective, &plan, &arguments, &device).run(model, &mut observe);
                let trained = trained.expect("trained");
                check_steps(&trained.steps, &run.steps, &about);
                check(&trained.evaluation.expect("evaluated").logits, &run.final_logits, 1e-3, &about);
            }
        }
    }
}

/// The output of frozen layers is computed once for all windows; what follows and the pooling read it.
#[test]
fn features_of_windows_train_alike() {
    let Golden { families, .. } = fixture("encoders/windows.json");
    let device = Device::flex();
    let data = data(&families[0].texts, &families[0].labels, WindowPool::Max);
    for family in
        ["albert", "bert", "camembert", "deberta-v2", "electra", "modernbert", "mpnet", "roberta", "xlm-roberta"]
    {
        for trained_layers in [0, 1] {
            let about = format!("{family}, {trained_layers} trained layers");
            let train = |frozen_dropout| {
                let (config, model) = model(family, &device);
                let arguments = TrainingArguments {
                    learning_rate: 5e-3,
                    num_train_epochs: 3,
                    per_device_train_batch_size: 4,
                    frozen_dropout,
                    ..TrainingArguments::default()
                };
                let plan = TuningPlan::last_layers(trained_layers, &config).expect("a layer");
                let objective = Classification::new(&config, &data).evaluated_on(&data);
                let mut extracted = 0;
                let mut observe = |event: &Event| {
                    if let Event::Extracting { done, .. } = event {
                        extracted = *done;
                    }
                    ControlFlow::Continue(())
                };
                let trained =
                    Trainer::new(objective, &plan, &arguments, &device).run(model, &mut observe).expect("trained");
                let evaluation = trained.evaluation.expect("evaluated");
                (trained.steps.iter().map(|step| step.loss).collect::<Vec<_>>(), evaluation.logits, extracted)
            };
            let (computed, cached) = (train(true), train(false));
            // All layers of ALBERT share their weights, so that none is frozen.
            let is_cached = trained_layers == 0 || family != "albert";
            assert_eq!((computed.2, cached.2), (0, if is_cached { data.sequences().len() } else { 0 }), "{about}");
            for (computed, cached) in computed.0.iter().zip(&cached.0) {
                // The absolute part is the rounding of logits, which small losses contain.
                close(*cached, *computed, 1e-6 + 1e-5 * computed, &about);
            }
            for (computed, cached) in computed.1.iter().zip(&cached.1) {
                close((*cached).into(), (*computed).into(), 1e-5, &about);
            }
        }
    }
}

#[test]
fn too_many_windows_are_an_error_that_names_the_text() {
    let device = Device::flex();
    let (config, model) = model("bert", &device);
    let window = vec![2, 7, 3];
    let data = data(&[vec![window.clone()], vec![window.clone(); 33], vec![window; 20]], &[0, 1, 0], WindowPool::Mean);
    let refusal = |data: &EncodedDataset, size: usize| {
        let arguments = TrainingArguments { per_device_train_batch_size: size, ..TrainingArguments::default() };
        let (plan, loss) = (TuningPlan::full(&config), ContrastiveLoss::Cosine);
        let mut observe = |_: &rekindle_train::Event| ControlFlow::Continue(());
        let contrastive = Contrastive::new(&config, data, loss, &arguments);
        let classification = Trainer::new(Classification::new(&config, data), &plan, &arguments, &device);
        let encoder = plan.clone().encoder();
        let contrastive = Trainer::new(contrastive, &encoder, &arguments, &device).run(model.clone(), &mut observe);
        [classification.run(model.clone(), &mut observe).err(), contrastive.err()]
            .map(|error: Option<TrainError>| error.map_or(String::new(), |error| error.to_string()))
    };
    let [classification, _] = refusal(&data, 2);
    assert!(
        classification.contains("long_texts") && classification.contains("example 1 (counted from 0) has 33 windows")
    );
    let [classification, contrastive] = refusal(&data.select(&[0, 2, 2]), 3);
    assert_eq!(classification, "", "parts of a batch are computed one after the other");
    assert!(contrastive.contains("a batch of the 3 longest examples has 41 windows"), "{contrastive}");
}
