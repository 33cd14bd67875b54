//! Contrastive fine-tuning of the encoder, then a linear head on its embeddings: SetFit (Tunstall et al., 2022), with all
//! pairs of a batch.

use std::ops::ControlFlow;
use std::time::Instant;

use burn::module::Module;
use rekindle_baseline::DenseRows;
use rekindle_checkpoint::trainable;
use rekindle_encoders::{
    Embedding, EncoderConfig, LoraConfig, ParamInfo, Pooling, SentenceClassifier, SequenceClassifier,
};
use rekindle_infer::{read, sentence_embeddings, sentence_logits};
use rekindle_metrics::LogitScaling;
use rekindle_results::RunRecord;
use rekindle_train::{
    Checkpoints, Contrastive, ContrastiveLoss, Event, TrainError, Trained, Trainer, TrainingArguments, TuningPlan,
};

use super::sentence_head::{Layers, LinearHead, scaled};
use crate::defaults::{Defaults, Overrides, TrainingOption};
use crate::error::ExperimentError;
use crate::history::step_record;
use crate::learner::{Fitted, Kind, Learner, Predictor, count, number, unknown_option};
use crate::progress::{Observer, Progress};
use crate::run_context::RunContext;
use crate::run_spec::RunSpec;
use crate::trained_model::TrainedModel;

/// Texts per batch, all pairs of which are used.
const BATCH_SIZE: usize = 16;
/// The largest number of classes for the recipe of few classes. More classes than two batches have texts make most batches
/// without most classes.
const FEW_CLASSES: usize = 2 * BATCH_SIZE;
/// Passes over the texts of few classes, and of many: many steps undo what tells many classes apart in the pretrained encoder.
const EPOCHS: [usize; 2] = [10, 3];
/// Learning rates of all parameters, and of adapters.
const LEARNING_RATES: [f64; 2] = [1e-4, 1e-3];
const WEIGHT_DECAY: f64 = 0.01;
/// The regularization of the head. Inner folds cannot choose it: the encoder has seen their labels. SetFit's 1 is too strong for
/// many classes.
const C: f64 = 10.0;

/// Options of contrastive fine-tuning.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ContrastiveFineTuning {
    /// The loss; absent for the usual one of the number of classes.
    loss: Option<ContrastiveLoss>,
    /// The highest learning rate; absent for the usual one.
    learning_rate: Option<f64>,
    /// The passes over the texts; absent for those that are usual for the number of classes.
    epochs: Option<usize>,
    batch_size: usize,
    /// The rank of adapters; absent if all parameters of the encoder are trained.
    rank: Option<usize>,
    /// The layers that are averaged for the head. The loss reads the last one.
    layers: Layers,
}

impl Default for ContrastiveFineTuning {
    fn default() -> Self {
        let layers = Layers::default();
        Self { loss: None, learning_rate: None, epochs: None, batch_size: BATCH_SIZE, rank: None, layers }
    }
}

impl ContrastiveFineTuning {
    pub(crate) const KIND: Kind = Kind {
        names: &["contrastive"],
        parse: |name| {
            let learner = || Box::new(Self::default()) as Box<dyn Learner>;
            matches!(name, "contrastive" | "setfit").then(|| ("contrastive".into(), learner()))
        },
    };

    fn plan(&self, config: &EncoderConfig) -> TuningPlan {
        match self.rank {
            Some(r) => TuningPlan::lora(LoraConfig { r, ..LoraConfig::default() }),
            None => TuningPlan::full(config),
        }
        .encoder()
    }

    fn learning_rate(&self) -> f64 {
        self.learning_rate.unwrap_or(LEARNING_RATES[usize::from(self.rank.is_some())])
    }

    /// Returns the number of classes; without classes, what is usual for few of them applies.
    fn classes(context: &RunContext<'_>) -> usize {
        if context.sampling.all.task.has_classes() { context.config.num_labels() } else { 1 }
    }

    /// Returns the loss for so many classes.
    fn loss(&self, classes: usize) -> ContrastiveLoss {
        let usual = if classes > FEW_CLASSES { ContrastiveLoss::SUPCON } else { ContrastiveLoss::Cosine };
        self.loss.unwrap_or(usual)
    }

    /// Returns the passes over the texts of so many classes.
    fn epochs(&self, classes: usize) -> usize {
        self.epochs.unwrap_or(EPOCHS[usize::from(classes > FEW_CLASSES)])
    }

    /// Returns the arguments of the experiment, without those of classification.
    fn arguments(&self, context: &RunContext<'_>, seed: u64) -> TrainingArguments {
        TrainingArguments {
            learning_rate: self.learning_rate(),
            weight_decay: WEIGHT_DECAY,
            num_train_epochs: self.epochs(Self::classes(context)),
            max_steps: None,
            per_device_train_batch_size: self.batch_size,
            gradient_accumulation_steps: 1,
            class_weights: None,
            load_best_model_at_end: false,
            early_stopping_patience: None,
            seed,
            ..context.settings.arguments.clone()
        }
    }

    fn embedding(&self, config: &EncoderConfig) -> Embedding {
        Embedding { pooling: Pooling::Mean, layers: self.layers.count(config), normalize: true }
    }

    /// Trains the encoder on the training examples of a run. Returns the number of pairs per epoch too.
    fn train(
        &self,
        context: &RunContext<'_>,
        spec: &RunSpec,
        observer: &mut Observer<'_>,
    ) -> Result<(usize, Trained<SequenceClassifier, std::convert::Infallible>), TrainError> {
        let config = context.config.clone().with_pooling(Pooling::Mean);
        let plan = self.plan(&config);
        let model = plan.prepare(&context.model, spec.seed)?.with_pooling(Pooling::Mean);
        let train = context.examples.select(&spec.rows.train);
        let arguments = self.arguments(context, spec.seed);
        let objective = Contrastive::new(&config, &train, self.loss(Self::classes(context)), &arguments);
        let pairs = objective.pairs();
        // With a final checkpoint, a run that is resumed while it is tested does not repeat the training.
        let checkpoints = context.checkpoints(spec).map(|all| Checkpoints { save_final: true, ..all });
        let trainer = Trainer::new(objective, &plan, &arguments, context.device)
            .with_checkpoints(checkpoints)
            .with_stop(context.stop());
        let mut observe = |event: &Event| observer(Progress::Training(event));
        Ok((pairs, trainer.run(model, &mut observe)?))
    }

    /// Fits the head on the embeddings of the training examples.
    fn fit_head(
        &self,
        encoder: SentenceClassifier,
        context: &RunContext<'_>,
        rows: &[usize],
    ) -> Result<SentenceClassifier, ExperimentError> {
        let (config, embedding) = (&context.config, encoder.embedding);
        let examples = context.examples.select(rows);
        let texts = (&*examples.sequences(), &examples.windows());
        let size = context.settings.arguments.per_device_eval_batch_size;
        let mut progress = |_| ControlFlow::Continue(());
        let embeddings = sentence_embeddings(&encoder, config, texts, size, context.device, &mut progress);
        let embeddings = embeddings.and_then(|rows| rows.map_or(Ok(Vec::new()), read)).map_err(TrainError::from);
        let embeddings = embeddings.map_err(ExperimentError::Examples)?;
        let embeddings = DenseRows::new(embeddings.into_iter().map(f64::from).collect(), config.hidden_size);
        let (targets, weights) = (context.sampling.targets(rows), context.class_weights(rows));
        let head = LinearHead::fit(&embeddings, &targets, config.num_labels(), weights.as_deref(), C, &context.stop())?;
        Ok(head.on(encoder.encoder, embedding, config, context.device))
    }
}

impl Learner for ContrastiveFineTuning {
    fn use_defaults(&mut self, _: Defaults, overrides: Overrides) {
        (self.learning_rate, self.epochs) = (overrides.learning_rate, overrides.epochs);
        self.batch_size = overrides.batch_size.unwrap_or(BATCH_SIZE);
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        match key {
            "loss" => {
                self.loss = Some(match value {
                    "cosine" => ContrastiveLoss::Cosine,
                    "supcon" => ContrastiveLoss::SUPCON,
                    "triplet" => ContrastiveLoss::TRIPLET,
                    _ => return Err("expected loss=cosine, loss=supcon or loss=triplet".into()),
                });
            }
            "lr" => self.learning_rate = Some(number(value)?),
            "epochs" => self.epochs = Some(count(value)?),
            "r" => self.rank = Some(count(value)?),
            "layers" => self.layers = Layers::parse(value)?,
            _ => return Err(unknown_option(key, "epochs, layers, loss, lr and r")),
        }
        Ok(())
    }

    /// A step needs all pairs of its batch, and nothing is evaluated before the head is fitted.
    fn has_option(&self, option: TrainingOption) -> bool {
        matches!(option, TrainingOption::Epochs | TrainingOption::LearningRate)
    }

    fn rates(&self) -> [f64; 2] {
        [self.learning_rate(), WEIGHT_DECAY]
    }

    fn trains(&self, config: &EncoderConfig, param: ParamInfo) -> bool {
        self.plan(config).trains(param)
    }

    /// The head is counted with what the plan trains.
    fn parameters(&self, context: &RunContext<'_>) -> Result<[usize; 2], TrainError> {
        let (config, task) = (&context.config, context.sampling.all.task);
        if !task.has_classes() && self.loss.is_some_and(|loss| loss != ContrastiveLoss::Cosine) {
            let reason =
                format!("only loss=cosine is possible; the task is {task}, and the others need one class per text");
            return Err(TrainError::Argument { argument: "loss", reason });
        }
        self.layers.check(config)?;
        context.check_windows(self.batch_size)?;
        let plan = self.plan(config);
        let model = plan.prepare(&context.model, 0)?;
        let head = config.num_labels() * (config.hidden_size + 1);
        Ok([plan.count(&model).0 + head, model.encoder().num_params() + head])
    }

    fn saved_parameters(&self, context: &RunContext<'_>) -> usize {
        let config = &context.config;
        context.model.encoder().num_params() + config.num_labels() * (config.hidden_size + 1)
    }

    /// A step costs three forward passes, and every example is embedded once.
    fn cost(&self, context: &RunContext<'_>, spec: &RunSpec) -> f64 {
        (spec.size * (3 * self.epochs(Self::classes(context)) + 1) + spec.rows.test.len()) as f64
    }

    fn fit(
        &self,
        context: &mut RunContext<'_>,
        spec: &RunSpec,
        observer: &mut Observer<'_>,
    ) -> Result<Fitted, ExperimentError> {
        let (pairs, trained) = self.train(context, spec, observer).map_err(|source| spec.failed(source))?;
        let began = Instant::now();
        let encoder = trainable(&trained.model.merged().encoder(), |_| false);
        let embedding = self.embedding(&context.config);
        let model = SentenceClassifier::new(encoder, embedding, &context.config, context.device);
        let model = self.fit_head(model, context, &spec.rows.train)?;
        let mut record = RunRecord::default();
        record.best_epoch = trained.best_epoch;
        record.steps = trained.steps.iter().map(step_record).collect();
        record.train_seconds = (trained.train_time + began.elapsed()).as_secs_f64();
        record.hyperparameters = [("pairs_per_epoch".to_string(), pairs.to_string())].into();
        let predictor = Fine { approach: spec.name.to_string(), config: context.config.clone(), model };
        Ok(Fitted { predictor: Box::new(predictor), record })
    }
}

/// A fine-tuned encoder with its head.
struct Fine {
    approach: String,
    config: EncoderConfig,
    model: SentenceClassifier,
}

impl Predictor for Fine {
    fn logits(
        &self,
        context: &RunContext<'_>,
        rows: &[usize],
        observer: &mut Observer<'_>,
    ) -> Result<Vec<f32>, ExperimentError> {
        let examples = context.examples.select(rows);
        let (sequences, windows) = (examples.sequences(), examples.windows());
        let (size, total) = (context.settings.arguments.per_device_eval_batch_size, sequences.len());
        let mut progress = |done| observer(Progress::Training(&Event::Evaluating { done, total }));
        sentence_logits(&self.model, &self.config, (&sequences, &windows), size, context.device, &mut progress)
            .map_err(|error| ExperimentError::Train { approach: self.approach.clone(), source: error.into() })
    }

    fn into_model(self: Box<Self>, scaling: Option<&LogitScaling>) -> Result<Option<TrainedModel>, ExperimentError> {
        Ok(Some(TrainedModel::sentence(self.config, scaled(self.model, scaling))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loss_and_epochs_depend_on_the_number_of_classes() {
        let usual = ContrastiveFineTuning::default();
        let of =
            |approach: &ContrastiveFineTuning| [2, 32, 33].map(|count| (approach.loss(count), approach.epochs(count)));
        let few = (ContrastiveLoss::Cosine, 10);
        assert_eq!(of(&usual), [few, few, (ContrastiveLoss::SUPCON, 3)]);
        let named = ContrastiveFineTuning { loss: Some(ContrastiveLoss::TRIPLET), epochs: Some(7), ..usual };
        assert_eq!(of(&named), [(ContrastiveLoss::TRIPLET, 7); 3]);
    }

    #[test]
    fn values_for_all_approaches_replace_the_defaults_but_not_the_options() {
        let overrides = Overrides { learning_rate: Some(1e-5), epochs: Some(3), batch_size: Some(32) };
        let mut approach = ContrastiveFineTuning::default();
        approach.use_defaults(Defaults::OwnData, overrides);
        assert_eq!((approach.learning_rate(), approach.epochs(2), approach.batch_size), (1e-5, 3, 32));
        approach.set("epochs", "4").expect("an option");
        assert_eq!(approach.epochs(2), 4);
        approach.use_defaults(Defaults::OwnData, Overrides::default());
        assert_eq!(approach, ContrastiveFineTuning::default());
    }
}
