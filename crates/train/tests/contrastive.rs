//! Contrastive training against sentence-transformers' losses and PyTorch, and its resumption.
//!
//! The golden numbers are from `fixtures/contrastive/make.py` and `make_targets.py`.

use std::collections::HashMap;
use std::num::NonZero;
use std::ops::ControlFlow;
use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use rekindle_checkpoint::values;
use rekindle_data::Targets;
use rekindle_encoders::{Checkpoint, EncoderConfig, LoraConfig, Pooling, SequenceClassifier};
use rekindle_infer::features;
use rekindle_train::{
    Checkpoints, Contrastive, ContrastiveLoss, EncodedDataset, Event, SaveStrategy, Stop, TrainError, Trainer,
    TrainingArguments, TuningPlan,
};
use serde::Deserialize;

use crate::golden::{Step, Weights, check_logits, check_steps, check_weights, close, devices, fixture};

#[derive(Deserialize)]
struct Golden {
    rows: Vec<Vec<u32>>,
    labels: Vec<usize>,
    temperature: f64,
    margin: f64,
    learning_rate: f64,
    weight_decay: f64,
    runs: Vec<Run>,
}

#[derive(Deserialize)]
struct Run {
    loss: String,
    embeddings: Embeddings,
    steps: Vec<Step>,
    r#final: HashMap<String, Weights>,
    final_pooled: Vec<Vec<f32>>,
}

/// The loss of random vectors.
#[derive(Deserialize)]
struct Embeddings {
    vectors: Vec<Vec<f32>>,
    loss: f64,
    gradient: Vec<Vec<f64>>,
}

impl Golden {
    fn read() -> Self {
        fixture("contrastive/golden.json")
    }

    fn data(&self) -> EncodedDataset {
        EncodedDataset::new(self.rows.clone(), self.labels.clone(), 3).expect("data")
    }

    fn loss(&self, run: &Run) -> ContrastiveLoss {
        match run.loss.as_str() {
            "cosine" => ContrastiveLoss::Cosine,
            "supcon" => ContrastiveLoss::SupCon { temperature: self.temperature },
            _ => ContrastiveLoss::Triplet { margin: self.margin },
        }
    }
}

/// The checkpoint of the golden tables with mean pooling.
fn model(dropout: f64, device: &Device) -> (EncoderConfig, SequenceClassifier) {
    let folder = Path::new("../../fixtures/distilbert/base");
    let mut config = EncoderConfig::from_folder(folder).expect("config");
    (config.hidden_dropout_prob, config.attention_probs_dropout_prob, config.classifier_pooling) =
        (dropout, dropout, Pooling::Mean);
    let checkpoint = Checkpoint::open(folder).expect("weights");
    let (model, _) = SequenceClassifier::from_checkpoint(&config, &checkpoint, 0, device).expect("a model");
    (config, model)
}

#[test]
fn losses_and_gradients_equal_those_of_sentence_transformers() {
    let golden = Golden::read();
    for (backend, device) in devices() {
        for run in &golden.runs {
            let what = format!("{backend}, {}", run.loss);
            let Embeddings { vectors, loss, gradient } = &run.embeddings;
            let data = TensorData::new(vectors.concat(), [vectors.len(), vectors[0].len()]);
            let vectors = Tensor::<2>::from_data(data, &device).autodiff().require_grad();
            let ours = golden.loss(run).of(vectors.clone(), &Targets::Classes(golden.labels.clone()));
            let gradients = ours.backward();
            close(ours.into_scalar::<f32>().into(), *loss, 1e-5, &what);
            let ours = vectors.grad(&gradients).expect("a gradient").into_data();
            for (ours, theirs) in ours.iter::<f64>().zip(gradient.iter().flatten()) {
                close(ours, *theirs, 1e-5, &format!("{what}, gradient"));
            }
        }
    }
}

/// The loss of random vectors with several labels each, or with values.
#[derive(Deserialize)]
struct OtherTargets {
    labels: Vec<Vec<bool>>,
    values: Vec<f64>,
    runs: Vec<Embeddings>,
}

#[test]
fn pairs_of_labels_and_values_are_those_of_the_reference() {
    let OtherTargets { labels, values, runs } = fixture("contrastive/targets.json");
    let targets = [Targets::Labels { labels: labels[0].len(), values: labels.concat() }, Targets::Values(values)];
    for (backend, device) in devices() {
        for (targets, Embeddings { vectors, loss, gradient }) in targets.iter().zip(&runs) {
            let data = TensorData::new(vectors.concat(), [vectors.len(), vectors[0].len()]);
            let vectors = Tensor::<2>::from_data(data, &device).autodiff().require_grad();
            let ours = ContrastiveLoss::Cosine.of(vectors.clone(), targets);
            let gradients = ours.backward();
            close(ours.into_scalar::<f32>().into(), *loss, 1e-5, backend);
            let ours = vectors.grad(&gradients).expect("a gradient").into_data();
            for (ours, theirs) in ours.iter::<f64>().zip(gradient.iter().flatten()) {
                close(ours, *theirs, 1e-5, &format!("{backend}, gradient"));
            }
        }
    }
}

#[test]
fn twenty_steps_follow_the_reference() {
    let golden = Golden::read();
    for (backend, device) in devices() {
        for run in &golden.runs {
            let what = format!("{backend}, {}", run.loss);
            let ((config, model), data) = (model(0.0, &device), golden.data());
            let arguments = TrainingArguments {
                learning_rate: golden.learning_rate,
                weight_decay: golden.weight_decay,
                num_train_epochs: run.steps.len(),
                per_device_train_batch_size: 16,
                ..TrainingArguments::default()
            };
            let objective = Contrastive::new(&config, &data, golden.loss(run), &arguments);
            assert_eq!(objective.pairs(), 45, "all pairs of ten examples");
            let plan = TuningPlan::full(&config).encoder();
            let trained = Trainer::new(objective, &plan, &arguments, &device)
                .run(model, &mut |_| ControlFlow::Continue(()))
                .expect("trained");
            check_steps(&trained.steps, &run.steps, &what);
            check_weights(&trained.model, &run.r#final, &run.steps, &what);
            let model = trained.model.trainable(|_| false);
            let progress = &mut |_| ControlFlow::Continue(());
            let pooled = features(&model, &config, &data.sentences(), 16, &device, progress).expect("features");
            check_logits(&pooled, &run.final_pooled, &what);
        }
    }
}

#[test]
fn a_training_resumes_with_the_same_bytes() {
    let golden = Golden::read();
    let device = Device::flex();
    let ((config, model), data) = (model(0.1, &device), golden.data());
    let arguments = TrainingArguments {
        learning_rate: 1e-3,
        num_train_epochs: 2,
        per_device_train_batch_size: 4,
        ..TrainingArguments::default()
    };
    let lora = TuningPlan::lora(LoraConfig { r: 2, ..LoraConfig::default() });
    for plan in [TuningPlan::full(&config).encoder(), lora.encoder()] {
        let run = |folder: Option<&Path>, stop_after: usize| {
            let stop = Stop::default();
            let save_strategy = Some(SaveStrategy::Steps(NonZero::<usize>::MIN));
            let checkpoints = |folder: &Path| Checkpoints { folder: folder.into(), save_strategy, save_final: false };
            let objective = Contrastive::new(&config, &data, ContrastiveLoss::default(), &arguments);
            let trainer = Trainer::new(objective, &plan, &arguments, &device)
                .with_checkpoints(folder.map(checkpoints))
                .with_stop(stop.clone());
            let prepared = plan.prepare(&model, 5).expect("prepared");
            trainer.run(prepared, &mut |event| {
                if matches!(event, Event::Step(step) if step.step == stop_after) {
                    stop.request();
                }
                ControlFlow::Continue(())
            })
        };
        let unbroken = run(None, 0).expect("trained");
        assert_eq!(unbroken.steps.len(), 6, "three batches of four per epoch");
        let head = |name: &str| name.starts_with("pre_classifier") || name.starts_with("classifier");
        assert_eq!(values(&unbroken.model, head).expect("values"), values(&model, head).expect("values"));
        for stop_after in [1, 3, 4] {
            let folder = tempfile::tempdir().expect("a folder");
            let error = run(Some(folder.path()), stop_after).expect_err("an end");
            assert!(matches!(error, TrainError::Interrupted { .. }), "{error}");
            let resumed = run(Some(folder.path()), 0).expect("trained");
            assert_eq!(resumed.steps, unbroken.steps);
            let [resumed, unbroken] = [&resumed, &unbroken].map(|trained| values(&trained.model, |_| true));
            assert_eq!(resumed.expect("values"), unbroken.expect("values"), "stopped after {stop_after}");
        }
    }
}

#[test]
fn examples_without_pairs_are_refused() {
    let device = Device::flex();
    let (config, model) = model(0.0, &device);
    let arguments = TrainingArguments::default();
    let refusal = |labels: Vec<usize>, arguments: &TrainingArguments| {
        let data = EncodedDataset::new(vec![vec![101, 7, 102]; labels.len()], labels, 3).expect("data");
        let objective = Contrastive::new(&config, &data, ContrastiveLoss::default(), arguments);
        let plan = TuningPlan::full(&config).encoder();
        let trainer = Trainer::new(objective, &plan, arguments, &device);
        trainer.run(model.clone(), &mut |_| ControlFlow::Continue(())).expect_err("a refusal").to_string()
    };
    for labels in [vec![0, 1, 2], vec![1, 1, 1]] {
        assert!(refusal(labels.clone(), &arguments).contains("two examples of one class"), "{labels:?}");
    }
    let single = TrainingArguments { per_device_train_batch_size: 1, ..arguments.clone() };
    assert!(refusal(vec![0, 0, 1], &single).starts_with("per_device_train_batch_size: "));
    let weighted = TrainingArguments { class_weights: Some(vec![1.0; 3]), ..arguments };
    assert!(refusal(vec![0, 0, 1], &weighted).starts_with("class_weights: "));
}
