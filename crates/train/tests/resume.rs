//! A training that is interrupted and resumed gives exactly the results of an uninterrupted one.

use std::fs;
use std::num::NonZero;
use std::ops::ControlFlow;
use std::path::Path;

use burn::tensor::Device;
use rekindle_checkpoint::{Checkpoint, values};
use rekindle_distilbert::DistilBertConfig;
use rekindle_encoders::{EncoderConfig, LoraConfig, SequenceClassifier};
use rekindle_metrics::Scorer;
use rekindle_train::{
    Checkpoints, Classification, EncodedDataset, Evaluation, Event, SaveStrategy, Stop, TrainError, Trained, Trainer,
    TrainingArguments, TuningPlan,
};

#[allow(deprecated)] // ndarray
fn devices() -> Vec<Device> {
    vec![
        Device::flex(),
        #[cfg(feature = "ndarray")]
        Device::ndarray(),
    ]
}

/// A tiny model with dropout, and sentences of three classes.
fn tiny() -> (EncoderConfig, EncodedDataset, EncodedDataset) {
    let config = DistilBertConfig {
        vocab_size: 50,
        max_position_embeddings: 16,
        dim: 16,
        hidden_dim: 32,
        n_heads: 2,
        n_layers: 2,
        ..DistilBertConfig::default()
    };
    let config = EncoderConfig::from(config);
    let sentence = |index: u32| {
        let inner = (0..3 + index % 9).map(|place| 5 + (index * 7 + place * place) % 45);
        [2].into_iter().chain(inner).chain([3]).collect()
    };
    let data = EncodedDataset::new((0..22).map(sentence).collect(), (0..22).map(|row| row * row % 3).collect(), 3);
    let data = data.expect("data");
    let [train, evaluation] = [0..14, 14..22].map(|rows| data.select(&rows.collect::<Vec<_>>()));
    (config.with_labels(["a", "b", "c"]), train, evaluation)
}

fn arguments() -> TrainingArguments {
    TrainingArguments {
        learning_rate: 2e-2,
        weight_decay: 0.01,
        warmup_steps: 2.0,
        num_train_epochs: 3,
        per_device_train_batch_size: 3,
        gradient_accumulation_steps: 2,
        load_best_model_at_end: true,
        metric_for_best_model: Scorer::Accuracy,
        ..TrainingArguments::default()
    }
}

fn plans(config: &EncoderConfig) -> Vec<TuningPlan> {
    let lora = LoraConfig { r: 2, ..LoraConfig::default() };
    let last = TuningPlan::last_layers(1, config).expect("a layer");
    let gradual = TuningPlan::full(config).gradually(1).with_layer_decay(0.5);
    vec![TuningPlan::head(), last, TuningPlan::full(config), gradual, TuningPlan::bias_only(), TuningPlan::lora(lora)]
}

/// A trained classifier.
type Classifier = Trained<SequenceClassifier, Evaluation>;

/// Everything of a training except its times.
fn numbers(trained: &Classifier) -> impl PartialEq + std::fmt::Debug {
    let model = values(&trained.model, |_| true).expect("values");
    let logits = trained.evaluation.as_ref().map(|evaluation| evaluation.logits.clone());
    (model, logits, trained.best_epoch, trained.steps.clone(), trained.epochs.clone())
}

struct Bench {
    config: EncoderConfig,
    train: EncodedDataset,
    evaluation: Option<EncodedDataset>,
    arguments: TrainingArguments,
    device: Device,
}

impl Bench {
    fn objective(&self) -> Classification<'_> {
        Classification::new(&self.config, &self.train).evaluated_on(self.evaluation.as_ref())
    }

    fn model(&self, plan: &TuningPlan) -> SequenceClassifier {
        let (model, _) =
            SequenceClassifier::from_checkpoint(&self.config, &Checkpoint::empty(), 1, &self.device).expect("a model");
        plan.prepare(&model, 5).expect("prepared")
    }

    /// Trains with the checkpoints of a folder, and requests a stop once so many steps are reported.
    fn run(
        &self,
        plan: &TuningPlan,
        place: Option<(&Path, Option<SaveStrategy>)>,
        stop_after: usize,
    ) -> Result<Classifier, TrainError> {
        let stop = Stop::default();
        let checkpoints = |(folder, save_strategy): (&Path, _)| Checkpoints {
            folder: folder.into(),
            save_strategy,
            save_final: false,
        };
        let trainer = Trainer::new(self.objective(), plan, &self.arguments, &self.device)
            .with_checkpoints(place.map(checkpoints))
            .with_stop(stop.clone());
        let mut observer = |event: &Event| {
            if matches!(event, Event::Step(step) if step.step == stop_after) {
                stop.request();
            }
            ControlFlow::Continue(())
        };
        trainer.run(self.model(plan), &mut observer)
    }
}

const EACH: Option<SaveStrategy> = Some(SaveStrategy::Steps(NonZero::<usize>::MIN));

#[test]
fn broken_off_anywhere_it_takes_the_steps_of_an_unbroken_one() {
    for device in devices() {
        let (config, train, evaluation) = tiny();
        for evaluation in [Some(evaluation), None] {
            let load_best_model_at_end = evaluation.is_some();
            let arguments = TrainingArguments { load_best_model_at_end, ..arguments() };
            let bench =
                Bench { config: config.clone(), train: train.clone(), evaluation, arguments, device: device.clone() };
            for plan in plans(&bench.config) {
                let unbroken = bench.run(&plan, None, 0).expect("trained");
                assert_eq!(unbroken.steps.len(), 9, "three steps an epoch, the last of one short batch");
                for stop_after in 1..9 {
                    let folder = tempfile::tempdir().expect("a folder");
                    // Each step is told of where each is saved, so that the wish comes in time.
                    let broken = bench.run(&plan, Some((folder.path(), EACH)), stop_after).expect_err("an end");
                    let TrainError::Interrupted { step } = broken else { panic!("{broken}") };
                    assert!(
                        (stop_after..=stop_after + 1).contains(&step),
                        "asked after {stop_after}, stopped after {step}"
                    );
                    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1, "the older ones are gone");
                    let resumed = bench.run(&plan, Some((folder.path(), None)), 0).expect("trained");
                    assert_eq!(numbers(&resumed), numbers(&unbroken), "stopped after {step}: {plan:?}");
                }
            }
        }
    }
}

#[test]
fn checkpoints_of_epochs_are_taken_up_too() {
    let (config, train, evaluation) = tiny();
    let bench = Bench { config, train, evaluation: Some(evaluation), arguments: arguments(), device: Device::flex() };
    let (plan, folder) = (TuningPlan::full(&bench.config), tempfile::tempdir().expect("a folder"));
    let unbroken = bench.run(&plan, None, 0).expect("trained");
    let place = Some((folder.path(), Some(SaveStrategy::Epoch)));
    bench.run(&plan, place, 0).expect("trained");
    let left: Vec<_> =
        fs::read_dir(folder.path()).expect("a folder").map(|entry| entry.expect("one").file_name()).collect();
    assert_eq!(left, ["step-00000006.safetensors"], "behind the last epoch there is nothing to go on with");
    let mut steps = 0;
    let trainer = Trainer::new(bench.objective(), &plan, &bench.arguments, &bench.device)
        .with_checkpoints(Checkpoints { folder: folder.path().into(), save_strategy: None, save_final: false });
    let resumed = trainer.run(bench.model(&plan), &mut |event| {
        match event {
            Event::Resumed { step } => assert_eq!((*step, steps), (6, 0)),
            Event::Step(step) => {
                steps += 1;
                assert_eq!(step.step, steps, "steps before the interruption are reported again");
            }
            _ => {}
        }
        ControlFlow::Continue(())
    });
    assert_eq!(numbers(&resumed.expect("trained")), numbers(&unbroken));
}

#[test]
fn a_checkpoint_of_another_training_is_refused() {
    let (config, train, evaluation) = tiny();
    let mut bench =
        Bench { config, train, evaluation: Some(evaluation), arguments: arguments(), device: Device::flex() };
    let (plan, folder) = (TuningPlan::head(), tempfile::tempdir().expect("a folder"));
    bench.run(&plan, Some((folder.path(), EACH)), 2).expect_err("an end");
    let refusal = |bench: &Bench, plan: &TuningPlan| {
        let error = bench.run(plan, Some((folder.path(), EACH)), 0).expect_err("a refusal").to_string();
        assert!(error.contains("step-0000000"), "{error}");
        error
    };
    assert!(refusal(&bench, &TuningPlan::full(&bench.config)).contains("other settings: plan differs"));
    bench.arguments.learning_rate = 1e-3;
    assert!(refusal(&bench, &plan).contains("learning_rate was 0.02, is 0.001"));
    bench.arguments.learning_rate = 2e-2;
    bench.train = bench.train.select(&[0, 1, 2, 3, 4]);
    assert!(refusal(&bench, &plan).contains("data differs"));
}

#[test]
fn a_loss_that_leaves_the_numbers_names_rows_and_the_last_good_checkpoint() {
    let (config, train, _) = tiny();
    let arguments =
        TrainingArguments { learning_rate: 1e38, warmup_steps: 0.0, load_best_model_at_end: false, ..arguments() };
    let bench = Bench { config, train, evaluation: None, arguments, device: Device::flex() };
    let (plan, folder) = (TuningPlan::full(&bench.config), tempfile::tempdir().expect("a folder"));
    let error = bench.run(&plan, Some((folder.path(), EACH)), 0).expect_err("an end");
    let message = error.to_string();
    let TrainError::NotFinite { step, rows, checkpoint, .. } = error else { panic!("{message}") };
    assert_eq!(rows.len(), 6, "two batches of three: {message}");
    assert!(rows.iter().all(|row| message.contains(&row.to_string())));
    let checkpoint = checkpoint.expect("one before it");
    assert_eq!(checkpoint, folder.path().join(format!("step-{:08}.safetensors", step - 1)));
    assert!(checkpoint.exists() && message.contains("last good checkpoint"), "{message}");
}

#[test]
fn a_stop_without_checkpoints_ends_the_training() {
    let (config, train, evaluation) = tiny();
    let bench = Bench { config, train, evaluation: Some(evaluation), arguments: arguments(), device: Device::flex() };
    let (plan, stop) = (TuningPlan::head(), Stop::default());
    stop.request();
    let trainer = Trainer::new(bench.objective(), &plan, &bench.arguments, &bench.device).with_stop(stop);
    let error = trainer.run(bench.model(&plan), &mut |_| ControlFlow::Continue(())).expect_err("an interruption");
    assert!(matches!(error, TrainError::Interrupted { step: 1 }), "{error}");
}

#[test]
fn an_observer_cancels_at_any_event_without_a_checkpoint() {
    let (config, train, evaluation) = tiny();
    let arguments = TrainingArguments { frozen_dropout: false, ..arguments() };
    let bench = Bench { config, train, evaluation: Some(evaluation), arguments, device: Device::flex() };
    let plan = TuningPlan::head();
    let run = |cancel_at: usize| {
        let folder = tempfile::tempdir().expect("a folder");
        let checkpoints = Checkpoints { folder: folder.path().into(), save_strategy: None, save_final: false };
        let trainer = Trainer::new(bench.objective(), &plan, &bench.arguments, &bench.device);
        let mut events = 0;
        let result = trainer.with_checkpoints(checkpoints).run(bench.model(&plan), &mut |_| {
            events += 1;
            if events == cancel_at { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0);
        (result, events)
    };
    let (result, events) = run(0);
    result.expect("trained");
    for cancel_at in 1..=events {
        let (result, seen) = run(cancel_at);
        assert!(matches!(result, Err(TrainError::Cancelled)), "event {cancel_at}");
        assert_eq!(seen, cancel_at, "no event after the cancellation");
    }
}
