//! Whole trainings of a masked language model: resuming, accumulation, the best epoch, several devices, and refusals.

use std::collections::BTreeSet;
use std::fs;
use std::num::NonZero;
use std::ops::ControlFlow;
use std::path::Path;

use burn::tensor::Device;
use rekindle_checkpoint::{Checkpoint, save_values, save_with, values};
use rekindle_distilbert::DistilBertConfig;
use rekindle_encoders::{EncoderConfig, MaskedLanguageModel, Precision};
use rekindle_metrics::Scorer;
use rekindle_tokenizer::Tokenizer;
use rekindle_train::{
    Checkpoints, Event, MaskedLm, MaskedLmEvaluation, Masking, Objective, SaveStrategy, Stop, TrainError, Trained,
    Trainer, TrainingArguments, TrainingContext, TuningPlan,
};

/// A tiny model, and sequences of its words.
struct Case {
    config: EncoderConfig,
    model: MaskedLanguageModel,
    masking: Masking,
    sequences: Vec<Vec<u32>>,
    held_out: Option<Vec<Vec<u32>>>,
    arguments: TrainingArguments,
    device: Device,
}

type TrainedLm = Trained<MaskedLanguageModel, MaskedLmEvaluation>;

fn masking(probability: f64) -> Masking {
    let words = (0..45).map(|word| format!("w{word}"));
    let special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"].map(String::from);
    let tokenizer = Tokenizer::wordpiece(special.into_iter().chain(words).collect(), true).expect("a tokenizer");
    Masking::new(&tokenizer, probability).expect("a masking")
}

fn case(dropout: f64) -> Case {
    let config = DistilBertConfig {
        vocab_size: 50,
        max_position_embeddings: 16,
        dim: 16,
        hidden_dim: 32,
        n_heads: 2,
        n_layers: 2,
        dropout,
        attention_dropout: dropout,
        ..DistilBertConfig::default()
    };
    let config = EncoderConfig::from(config);
    let device = Device::flex();
    let (model, _) = MaskedLanguageModel::from_checkpoint(&config, &Checkpoint::empty(), 1, &device).expect("a model");
    let row = |index: u32| {
        let inner = (0..3 + index % 11).map(|place| 5 + (index * 7 + place * place) % 45);
        [2].into_iter().chain(inner).chain([3]).collect()
    };
    let arguments = TrainingArguments {
        learning_rate: 1e-2,
        weight_decay: 0.01,
        per_device_train_batch_size: 4,
        num_train_epochs: 3,
        warmup_steps: 4.0,
        ..TrainingArguments::default()
    };
    Case {
        config,
        model,
        masking: masking(0.3),
        sequences: (0..21).map(row).collect(),
        held_out: None,
        arguments,
        device,
    }
}

impl Case {
    fn objective(&self) -> MaskedLm<'_> {
        MaskedLm::new(&self.config, self.masking.clone(), &self.sequences).evaluated_on(self.held_out.as_deref())
    }

    fn train(&self) -> Result<TrainedLm, TrainError> {
        self.run(None, &Stop::default(), &[], &mut |_| ControlFlow::Continue(()))
    }

    fn run(
        &self,
        checkpoints: Option<Checkpoints>,
        stop: &Stop,
        further: &[Device],
        observer: &mut dyn FnMut(&Event) -> ControlFlow<()>,
    ) -> Result<TrainedLm, TrainError> {
        let plan = TuningPlan::full(&self.config);
        let trainer = Trainer::new(self.objective(), &plan, &self.arguments, &self.device)
            .with_checkpoints(checkpoints)
            .with_stop(stop.clone())
            .split_over(further);
        trainer.run(self.model.clone(), observer)
    }

    /// Trains with checkpoints after every step, and stops once so many steps are reported.
    fn interrupt(&self, folder: &Path, step: usize) -> TrainError {
        let stop = Stop::default();
        let result = self.run(Some(every_step(folder)), &stop, &[], &mut |event| {
            if matches!(event, Event::Step(record) if record.step == step) {
                stop.request();
            }
            ControlFlow::Continue(())
        });
        result.expect_err("an interruption")
    }
}

fn every_step(folder: &Path) -> Checkpoints {
    let save_strategy = Some(SaveStrategy::Steps(NonZero::<usize>::MIN));
    Checkpoints { folder: folder.into(), save_strategy, save_final: false }
}

/// Everything of a training except its times.
fn numbers(trained: &TrainedLm) -> impl PartialEq + std::fmt::Debug {
    let model = values(&trained.model, |_| true).expect("values");
    (model, trained.steps.clone(), trained.epochs.clone(), trained.best_epoch, trained.evaluation.clone())
}

#[test]
fn an_interrupted_training_takes_the_steps_of_an_uninterrupted_one() {
    let mut case = case(0.1);
    for held_out in [None, Some(case.sequences[..5].to_vec())] {
        case.held_out = held_out;
        let uninterrupted = case.train().expect("trained");
        assert_eq!((uninterrupted.steps.len(), uninterrupted.best_epoch), (18, 3));
        let losses: Vec<f64> = uninterrupted.steps.iter().map(|record| record.loss).collect();
        assert!(losses.windows(2).all(|pair| pair[0] != pair[1]), "every step differs: {losses:?}");
        for step in [1, 5, 8, 17] {
            let folder = tempfile::tempdir().expect("a folder");
            let error = case.interrupt(folder.path(), step);
            assert!(matches!(error, TrainError::Interrupted { step: stopped } if stopped >= step), "{error}");
            let resumed =
                case.run(Some(every_step(folder.path())), &Stop::default(), &[], &mut |_| ControlFlow::Continue(()));
            assert_eq!(numbers(&resumed.expect("resumed")), numbers(&uninterrupted), "interrupted after step {step}");
        }
    }
}

#[test]
fn a_checkpoint_of_another_training_is_refused() {
    let mut case = case(0.1);
    let folder = tempfile::tempdir().expect("a folder");
    case.interrupt(folder.path(), 2);
    let refusal = |case: &Case| case.interrupt(folder.path(), 0).to_string();
    case.arguments.learning_rate = 1e-3;
    assert!(refusal(&case).contains("learning_rate was 0.01, is 0.001"), "{}", refusal(&case));
    case.arguments.learning_rate = 1e-2;
    let first = case.sequences.remove(0);
    assert!(refusal(&case).contains("other settings: data differs"), "{}", refusal(&case));
    case.sequences.insert(0, first);
    case.held_out = Some(case.sequences[..2].to_vec());
    assert!(refusal(&case).contains("other settings: data differs"), "{}", refusal(&case));
}

#[test]
fn a_file_that_is_not_a_checkpoint_of_this_version_is_refused() {
    let case = case(0.1);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("model.safetensors");
    case.model.save_safetensors(&path, Precision::F32).expect("saved");
    let refusal = || case.interrupt(folder.path(), 0).to_string();
    assert!(refusal().contains("model.safetensors: is not a training checkpoint"), "{}", refusal());
    let metadata = |key: &str, value: &str| [(key.into(), value.into())].into();
    let before = metadata("rekindle_step", "8");
    save_with(&case.model, Vec::new(), before, &path).expect("saved");
    assert!(refusal().contains("version 0 of the checkpoint format"), "{}", refusal());
    let path = folder.path().join("step-00000008.safetensors");
    for (state, expected) in [
        (r#"{"step": 8}"#, "version 0 of the checkpoint format, and only version 1"),
        (r#"{"version": 2}"#, "version 2 of the checkpoint format, and only version 1"),
        (r#"{"version": 1}"#, "its metadata is not complete"),
    ] {
        save_values(Vec::new(), metadata("rekindle_training", state), &path).expect("saved");
        assert!(refusal().contains(expected), "{}", refusal());
        assert!(refusal().contains("step-00000008.safetensors"), "{}", refusal());
    }
}

/// The steps of a training that accumulates over micro-batches are those of larger batches, except for the order of sums.
#[test]
fn accumulation_takes_the_steps_of_larger_batches() {
    let mut case = case(0.0);
    case.held_out = Some(case.sequences[..5].to_vec());
    case.arguments.per_device_train_batch_size = 8;
    let larger = case.train().expect("trained");
    for (size, accumulation) in [(4, 2), (2, 4), (1, 8)] {
        case.arguments.per_device_train_batch_size = size;
        case.arguments.gradient_accumulation_steps = accumulation;
        let accumulated = case.train().expect("trained");
        assert_same(&larger, &accumulated, &format!("{accumulation} times {size}"));
    }
}

/// Compares trainings that differ in the order of sums.
fn assert_same(one: &TrainedLm, other: &TrainedLm, what: &str) {
    assert_eq!(one.steps.len(), other.steps.len(), "{what}");
    let close = |one: f64, other: f64| (one - other).abs() < 1e-4 * one.abs().max(1.0);
    for (one, other) in one.steps.iter().zip(&other.steps) {
        assert!(close(one.loss, other.loss), "{what}, step {}: {} {}", one.step, one.loss, other.loss);
        assert!(close(one.grad_norm, other.grad_norm), "{what}: {} {}", one.grad_norm, other.grad_norm);
        assert_eq!((one.epoch, one.learning_rate), (other.epoch, other.learning_rate), "{what}");
    }
    for (one, other) in one.epochs.iter().zip(&other.epochs) {
        assert!(close(one.eval_loss, other.eval_loss), "{what}: {} {}", one.eval_loss, other.eval_loss);
    }
}

/// An objective that records the examples of each step.
struct Recorder<'a> {
    inner: MaskedLm<'a>,
    drawn: std::sync::Mutex<Vec<Vec<usize>>>,
    losses: std::sync::Mutex<Vec<usize>>,
}

impl<'a> Objective for &Recorder<'a> {
    type Model = MaskedLanguageModel;
    type Step = <MaskedLm<'a> as Objective>::Step;
    type Evaluation = <MaskedLm<'a> as Objective>::Evaluation;
    const NAME: &'static str = "recorder";

    fn examples(&self) -> usize {
        self.inner.examples()
    }
    fn tokens(&self, example: usize) -> usize {
        self.inner.tokens(example)
    }
    fn check(&self, arguments: &TrainingArguments) -> Result<(), TrainError> {
        self.inner.check(arguments)
    }
    fn settings(&self) -> serde_json::Map<String, serde_json::Value> {
        self.inner.settings()
    }
    fn draw(&self, examples: &[usize], step: usize, context: TrainingContext<'_>) -> Self::Step {
        self.drawn.lock().expect("a lock").push(examples.to_vec());
        self.inner.draw(examples, step, context)
    }
    fn items(&self, step: &Self::Step, examples: &[usize], context: TrainingContext<'_>) -> f64 {
        self.inner.items(step, examples, context)
    }
    fn loss(
        &self,
        step: &Self::Step,
        examples: &[usize],
        model: &Self::Model,
        mode: rekindle_encoders::Mode,
        context: TrainingContext<'_>,
    ) -> Result<burn::tensor::Tensor<1>, TrainError> {
        self.losses.lock().expect("a lock").extend(examples);
        self.inner.loss(step, examples, model, mode, context)
    }
    fn is_evaluated(&self) -> bool {
        false
    }
    fn evaluate(
        &mut self,
        _: &Self::Model,
        _: TrainingContext<'_>,
        _: &mut rekindle_train::Observer<'_>,
    ) -> Result<Vec<f32>, TrainError> {
        Ok(Vec::new())
    }
    fn score(&self, outputs: Vec<f32>, context: TrainingContext<'_>) -> Result<Self::Evaluation, TrainError> {
        self.inner.score(outputs, context)
    }
    fn outputs(evaluation: &Self::Evaluation) -> &[f32] {
        MaskedLm::outputs(evaluation)
    }
    fn scores(evaluation: &Self::Evaluation, metric: Scorer) -> rekindle_train::Scores {
        MaskedLm::scores(evaluation, metric)
    }
}

#[test]
fn accumulation_visits_every_batch_of_an_epoch() {
    // Batches without masked words have no loss; here, all words are masked.
    let mut case = Case { masking: masking(1.0), ..case(0.1) };
    case.arguments.gradient_accumulation_steps = 4;
    let recorder = Recorder { inner: case.objective(), drawn: Vec::new().into(), losses: Vec::new().into() };
    let plan = TuningPlan::full(&case.config);
    let trainer = Trainer::new(&recorder, &plan, &case.arguments, &case.device);
    let trained = trainer.run(case.model.clone(), &mut |_| ControlFlow::Continue(())).expect("trained");
    // 21 examples in batches of 4 are 6 batches: a step of four of them and a step of two.
    let sizes: Vec<usize> = recorder.drawn.lock().expect("a lock").iter().map(Vec::len).collect();
    assert_eq!((trained.steps.len(), sizes), (6, vec![16, 5, 16, 5, 16, 5]));
    for visited in [recorder.drawn.lock().expect("a lock").concat(), recorder.losses.lock().expect("a lock").clone()] {
        for epoch in visited.chunks(21) {
            assert_eq!(
                epoch.iter().copied().collect::<BTreeSet<_>>(),
                (0..21).collect(),
                "each example once per epoch"
            );
        }
    }
}

#[test]
fn the_model_of_the_best_epoch_is_returned() {
    let mut case = case(0.0);
    case.held_out = Some(case.sequences.split_off(16));
    // High enough to overfit the few sequences.
    (case.arguments.learning_rate, case.arguments.num_train_epochs) = (5e-2, 6);
    let last = case.train().expect("trained");
    let losses: Vec<f64> = last.epochs.iter().map(|epoch| epoch.eval_loss).collect();
    let best = (0..losses.len()).min_by(|&one, &other| losses[one].total_cmp(&losses[other])).expect("an epoch");
    assert!(best + 1 < losses.len(), "the last epoch must not be the best: {losses:?}");
    assert_eq!(last.best_epoch, losses.len());
    assert!(last.epochs.iter().all(|epoch| epoch.accuracy.is_none() && epoch.f1.is_none()));

    case.arguments.load_best_model_at_end = true;
    let chosen = case.train().expect("trained");
    assert_eq!(chosen.best_epoch, best + 1);
    assert_eq!(chosen.epochs, last.epochs);
    let evaluation = chosen.evaluation.expect("an evaluation");
    assert_eq!(evaluation.loss, losses[best]);
    assert_eq!(evaluation.perplexity(), losses[best].exp());

    // The model is the one that this evaluation belongs to.
    let plan = TuningPlan::full(&case.config);
    let context = TrainingContext { plan: &plan, arguments: &case.arguments, device: &case.device };
    let mut objective = case.objective();
    let outputs = objective.evaluate(&chosen.model, context, &mut |_| ControlFlow::Continue(())).expect("evaluated");
    assert_eq!(objective.score(outputs, context).expect("a score").loss, losses[best]);

    case.arguments.early_stopping_patience = Some(1);
    let stopped = case.train().expect("trained");
    let first_worse = losses.windows(2).position(|pair| pair[1] >= pair[0]).expect("a worse epoch");
    assert_eq!(stopped.epochs.len(), first_worse + 2);
}

#[test]
fn batches_split_over_devices_make_the_same_steps() {
    let mut case = case(0.0);
    case.held_out = Some(case.sequences[..5].to_vec());
    let split = |case: &Case, further: usize| {
        let devices = vec![case.device.clone(); further];
        let trained = case.run(None, &Stop::default(), &devices, &mut |_| ControlFlow::Continue(())).expect("trained");
        (trained.steps, trained.epochs)
    };
    for accumulation in [1, 2] {
        case.arguments.gradient_accumulation_steps = accumulation;
        let one = case.train().expect("trained");
        for further in [1, 2] {
            let (steps, epochs) = split(&case, further);
            let close = |one: f64, other: f64| (one - other).abs() < 1e-4 * one.abs().max(1.0);
            for (one, several) in one.steps.iter().zip(&steps) {
                assert!(close(one.loss, several.loss), "step {}: {} {}", one.step, one.loss, several.loss);
                assert!(close(one.grad_norm, several.grad_norm), "{} {}", one.grad_norm, several.grad_norm);
            }
            assert_eq!((one.steps.len(), one.epochs.len()), (steps.len(), epochs.len()));
            assert!(one.epochs.iter().zip(&epochs).all(|(one, several)| close(one.eval_loss, several.eval_loss)));
        }
    }
}

#[test]
fn arguments_of_classification_are_refused() {
    let mut case = case(0.1);
    case.held_out = Some(case.sequences[..5].to_vec());
    let refusal = |case: &Case| case.train().expect_err("a refusal").to_string();
    case.arguments.class_weights = Some(vec![1.0, 2.0]);
    assert_eq!(refusal(&case), "class_weights: masked language modelling has no classes to weigh");
    case.arguments.class_weights = None;
    for metric in [Scorer::Accuracy, Scorer::F1] {
        case.arguments.metric_for_best_model = metric;
        assert!(refusal(&case).starts_with("metric_for_best_model: "), "{}", refusal(&case));
    }
    case.arguments.metric_for_best_model = Scorer::Loss;
    (case.arguments.load_best_model_at_end, case.held_out) = (true, None);
    assert!(refusal(&case).contains("no evaluation examples"), "{}", refusal(&case));
}

#[test]
fn max_steps_ends_within_an_epoch() {
    let mut case = case(0.1);
    case.held_out = Some(case.sequences[..5].to_vec());
    case.arguments.max_steps = Some(8);
    let mut begin = None;
    let trained = case.run(None, &Stop::default(), &[], &mut |event| {
        if let Event::Begin { steps, epochs } = event {
            begin = Some((*steps, *epochs));
        }
        ControlFlow::Continue(())
    });
    let trained = trained.expect("trained");
    assert_eq!((begin, trained.steps.len(), trained.epochs.len()), (Some((8, 2)), 8, 2));
    assert_eq!(trained.steps[7].epoch, 2);
}

#[test]
fn a_finished_training_with_a_final_checkpoint_is_restored() {
    let mut case = case(0.1);
    case.arguments.max_steps = Some(8);
    let folder = tempfile::tempdir().expect("a folder");
    for held_out in [None, Some(case.sequences[..5].to_vec())] {
        case.held_out = held_out;
        let checkpoints = Checkpoints { folder: folder.path().into(), save_strategy: None, save_final: true };
        let run = |observer: &mut dyn FnMut(&Event) -> ControlFlow<()>| {
            case.run(Some(checkpoints.clone()), &Stop::default(), &[], observer).expect("trained")
        };
        let first = run(&mut |_| ControlFlow::Continue(()));
        let mut evaluated = 0;
        let second = run(&mut |event| {
            evaluated += usize::from(matches!(event, Event::Evaluating { .. }));
            ControlFlow::Continue(())
        });
        assert_eq!(evaluated, 0, "nothing is repeated");
        assert_eq!(numbers(&second), numbers(&first));
        fs::remove_file(folder.path().join("step-00000008.safetensors")).expect("a checkpoint");
    }
}

#[test]
fn a_stop_without_checkpoints_ends_the_training() {
    let case = case(0.1);
    let stop = Stop::default();
    stop.request();
    let error = case.run(None, &stop, &[], &mut |_| ControlFlow::Continue(())).expect_err("an interruption");
    assert!(matches!(error, TrainError::Interrupted { step: 1 }), "{error}");
}

#[test]
fn an_observer_cancels_without_a_checkpoint() {
    let mut case = case(0.1);
    case.held_out = Some(case.sequences[..5].to_vec());
    let folder = tempfile::tempdir().expect("a folder");
    let is_cancelled = |event: &Event| matches!(event, Event::Evaluating { .. });
    let checkpoints = Checkpoints { save_strategy: None, ..every_step(folder.path()) };
    let error = case.run(Some(checkpoints), &Stop::default(), &[], &mut |event| match is_cancelled(event) {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    });
    assert!(matches!(error.expect_err("a cancellation"), TrainError::Cancelled));
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0);
}
