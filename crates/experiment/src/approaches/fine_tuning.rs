//! Fine-tuning: approaches that train parameters of the model by gradient descent.

use std::time::Instant;

use rekindle_encoders::{EncoderConfig, LoraConfig, ParamInfo, Pooling, SequenceClassifier};
use rekindle_infer::Adapter;
use rekindle_metrics::LogitScaling;
use rekindle_results::RunRecord;
use rekindle_train::{
    Classification, EpochRecord, Evaluation, Event, TrainError, Trained, Trainer, TrainingArguments, TuningPlan,
    evaluate,
};

use super::adapt::adapt;
use crate::defaults::{Defaults, Overrides, TrainingOption};
use crate::error::ExperimentError;
use crate::history::{epoch_record, step_record};
use crate::learner::{Fitted, Kind, Learner, Predictor, count, number, positive, unknown_option};
use crate::progress::{Observer, Progress};
use crate::run_context::RunContext;
use crate::run_spec::RunSpec;
use crate::trained_model::TrainedModel;

/// Which parameters are trainable.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Method {
    /// The head, on a frozen encoder.
    FeatureExtraction,
    /// The head and the last N transformer layers.
    LastLayers(usize),
    /// All parameters.
    Full,
    /// All parameters, unfrozen layer by layer from the top (Howard and Ruder, 2018).
    Gradual {
        /// Epochs between two layers.
        every: usize,
    },
    /// The head and low-rank adapters in a frozen encoder (Hu et al., 2021).
    Lora(LoraConfig),
    /// The head and all biases (Ben Zaken et al., 2022).
    BitFit,
}

/// The highest learning rates and the weight decay of an approach.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Rates {
    pub(crate) learning_rate: f64,
    /// Absent for `learning_rate`.
    pub(crate) head_learning_rate: Option<f64>,
    pub(crate) weight_decay: f64,
}

impl Method {
    /// Returns the learning rates. The head is new and the encoder is not: on data of the user, the head has a
    /// higher rate.
    pub(crate) fn rates(&self, defaults: Defaults) -> Rates {
        let (notebook, own_data, head, weight_decay) = match self {
            Self::FeatureExtraction => (2e-3, 2e-3, None, 0.0),
            Self::LastLayers(_) => (2e-5, 1e-4, Some(1e-3), 0.01),
            Self::Full | Self::Gradual { .. } => (2e-5, 5e-5, Some(1e-3), 0.01),
            Self::Lora(_) | Self::BitFit => (1e-3, 1e-3, None, 0.01),
        };
        match defaults {
            Defaults::Notebook => Rates { learning_rate: notebook, head_learning_rate: None, weight_decay },
            Defaults::OwnData => Rates { learning_rate: own_data, head_learning_rate: head, weight_decay },
        }
    }
}

/// Which parameters are trained, and how.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct FineTuning {
    /// Which parameters are trainable.
    pub method: Method,
    /// The highest learning rate.
    pub learning_rate: f64,
    /// The highest learning rate of the head; absent for that of the other parameters.
    pub head_learning_rate: Option<f64>,
    /// Whether the user named the rate of the head.
    names_head: bool,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// The learning rate of each layer divided by that of the layer above it: discriminative fine-tuning (Howard and Ruder,
    /// 2018).
    pub layer_decay: f64,
    /// The pooling for the head; absent for that of the checkpoint.
    pub pooling: Option<Pooling>,
    /// Passes over the training examples; absent for those of the experiment.
    pub epochs: Option<usize>,
    /// Epochs of masked language modelling on the training texts before fine-tuning: adaptive pretraining (Gururangan et al.,
    /// 2020).
    pub pretrain_epochs: usize,
}

/// Feature extraction as in the notebook: the head on a frozen encoder, learning rate 2e-3, no weight decay.
impl Default for FineTuning {
    fn default() -> Self {
        Self::new(Method::FeatureExtraction)
    }
}

impl FineTuning {
    fn new(method: Method) -> Self {
        let Rates { learning_rate, head_learning_rate, weight_decay } = method.rates(Defaults::Notebook);
        Self {
            method,
            learning_rate,
            head_learning_rate,
            names_head: false,
            weight_decay,
            layer_decay: 1.0,
            pooling: None,
            epochs: None,
            pretrain_epochs: 0,
        }
    }

    /// Returns the name in results, and the usual settings, by the name in the grammar.
    pub(crate) fn named(name: &str) -> Option<(String, Self)> {
        let (result, method) = match name {
            "feature-extraction" => ("feature_extraction_freeze_all".into(), Method::FeatureExtraction),
            "last-layer" | "last-1" => ("fine_tune_last_layer".into(), Method::LastLayers(1)),
            "full" => ("fine_tune_all".into(), Method::Full),
            "gradual" => ("gradual_unfreezing".into(), Method::Gradual { every: 1 }),
            "lora" => ("lora".into(), Method::Lora(LoraConfig::default())),
            "bitfit" => ("bitfit".into(), Method::BitFit),
            _ => {
                let count = name.strip_prefix("last-")?.parse().ok().filter(|&count| count > 0)?;
                (format!("fine_tune_last_{count}_layers"), Method::LastLayers(count))
            }
        };
        Some((result, Self::new(method)))
    }

    pub(crate) const KIND: Kind = Kind {
        names: &["feature-extraction", "last-layer", "last-N", "full", "gradual", "lora", "bitfit"],
        parse: |name| Self::named(name).map(|(name, learner)| (name, Box::new(learner) as Box<dyn Learner>)),
    };

    fn options(&self) -> &'static str {
        match self.method {
            Method::FeatureExtraction => "lr, wd, epochs, pooling and pretrain",
            Method::BitFit => "lr, head-lr, wd, epochs, pooling and pretrain",
            Method::LastLayers(_) | Method::Full => "layer-decay, lr, head-lr, wd, epochs, pooling and pretrain",
            Method::Gradual { .. } => "every, layer-decay, lr, head-lr, wd, epochs, pooling and pretrain",
            Method::Lora(_) => "r, alpha, targets, lr, head-lr, wd, epochs, pooling and pretrain",
        }
    }

    /// Returns the tuning plan for a model.
    ///
    /// # Errors
    /// Returns an error if the model has fewer layers than the approach trains.
    pub fn plan(&self, config: &EncoderConfig) -> Result<TuningPlan, TrainError> {
        let plan = match &self.method {
            Method::FeatureExtraction => TuningPlan::head(),
            Method::LastLayers(count) => TuningPlan::last_layers(*count, config)?,
            Method::Full => TuningPlan::full(config),
            Method::Gradual { every } => TuningPlan::full(config).gradually(*every),
            Method::Lora(lora) => TuningPlan::lora(lora.clone()),
            Method::BitFit => TuningPlan::bias_only(),
        };
        let plan = if self.layer_decay == 1.0 { plan } else { plan.with_layer_decay(self.layer_decay) };
        Ok(match self.head_learning_rate {
            Some(head) => plan.with_encoder_rate(self.learning_rate / head),
            None => plan,
        })
    }

    /// Returns training arguments with the learning rate (of the head, if rates differ) and weight decay of this approach.
    fn arguments(&self, shared: &TrainingArguments, seed: u64) -> TrainingArguments {
        let learning_rate = self.head_learning_rate.unwrap_or(self.learning_rate);
        TrainingArguments { learning_rate, weight_decay: self.weight_decay, seed, ..shared.clone() }
    }

    /// Returns the passes over so many training examples.
    fn epochs(&self, context: &RunContext<'_>, examples: usize) -> usize {
        self.epochs.unwrap_or_else(|| context.settings.epochs(examples))
    }

    /// Returns the configuration of the model.
    pub(crate) fn config(&self, context: &RunContext<'_>) -> EncoderConfig {
        let pooling = self.pooling.or(context.settings.pooling);
        let classifier_pooling = pooling.unwrap_or(context.config.classifier_pooling);
        context.config.clone().with_pooling(classifier_pooling)
    }

    /// Trains on the training examples of a run. Epochs are evaluated on the validation examples, if there are any.
    fn train(
        &self,
        plan: &TuningPlan,
        context: &mut RunContext<'_>,
        spec: &RunSpec,
        observer: &mut Observer<'_>,
    ) -> Result<Trained<SequenceClassifier, Evaluation>, TrainError> {
        let config = self.config(context);
        let model = plan.prepare(&self.start(&config, context, spec, observer)?, spec.seed)?;
        let frozen = plan.at_last(&model);
        if self.pretrain_epochs == 0 {
            context.remember_features(&frozen, observer)?;
        }
        let context = &*context;
        let features = context.features(&frozen).filter(|_| self.pretrain_epochs == 0);
        let rows = &*spec.rows;
        let [train, validation] = [&rows.train, &rows.validation].map(|rows| context.examples.select(rows));
        let arguments = TrainingArguments {
            class_weights: context.class_weights(&rows.train),
            load_best_model_at_end: !validation.is_empty(),
            num_train_epochs: self.epochs(context, rows.train.len()),
            ..self.arguments(&context.settings.arguments, spec.seed)
        };
        let objective = Classification::new(&config, &train)
            .evaluated_on(Some(&validation).filter(|data| !data.is_empty()))
            .with_features(features);
        let trainer = Trainer::new(objective, plan, &arguments, context.device)
            .with_checkpoints(context.checkpoints(spec))
            .with_stop(context.stop())
            .split_over(context.further);
        let mut observe = |event: &Event| observer(Progress::Training(event));
        trainer.run(model, &mut observe)
    }

    /// Returns the model that a run starts from: the loaded encoder, or one adapted to the training texts, and a head that is
    /// initialised by the seed.
    fn start(
        &self,
        config: &EncoderConfig,
        context: &RunContext<'_>,
        spec: &RunSpec,
        observer: &mut Observer<'_>,
    ) -> Result<SequenceClassifier, TrainError> {
        let model = match spec.seed == context.settings.seed {
            true => context.model.clone(),
            false => context.model.reinitialize(config, &context.report, spec.seed),
        };
        let model = model.with_pooling(config.classifier_pooling);
        if self.pretrain_epochs == 0 {
            return Ok(model);
        }
        let mut observe = |event: &Event| observer(Progress::Pretraining(event));
        Ok(model.with_encoder_of(&adapt(context, spec, self.pretrain_epochs, &mut observe)?))
    }
}

impl Learner for FineTuning {
    /// Epochs and batch size are those of the experiment.
    fn use_defaults(&mut self, defaults: Defaults, Overrides { learning_rate, .. }: Overrides) {
        let rates = self.method.rates(defaults);
        self.learning_rate = learning_rate.unwrap_or(rates.learning_rate);
        self.head_learning_rate = rates.head_learning_rate.filter(|_| learning_rate.is_none());
        self.weight_decay = rates.weight_decay;
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        match (key, &mut self.method) {
            // One rate that the user names is the rate of all parameters.
            ("lr", _) => {
                self.learning_rate = number(value)?;
                self.head_learning_rate = self.head_learning_rate.filter(|_| self.names_head);
            }
            ("head-lr", method) if *method != Method::FeatureExtraction => {
                (self.head_learning_rate, self.names_head) = (Some(positive(value)?), true);
            }
            ("wd", _) => self.weight_decay = number(value)?,
            ("pooling", _) => {
                self.pooling = Some(match value {
                    "cls" => Pooling::Cls,
                    "mean" => Pooling::Mean,
                    _ => return Err("expected pooling=cls or pooling=mean".into()),
                });
            }
            ("epochs", _) => self.epochs = Some(count(value)?),
            ("pretrain", _) => self.pretrain_epochs = count(value)?,
            ("layer-decay", Method::LastLayers(_) | Method::Full | Method::Gradual { .. }) => {
                self.layer_decay = number(value)?;
            }
            ("every", Method::Gradual { every }) => *every = count(value)?,
            ("r", Method::Lora(lora)) => lora.r = count(value)?,
            ("alpha", Method::Lora(lora)) => lora.lora_alpha = number(value)?,
            ("targets", Method::Lora(lora)) => lora.target_modules = value.split('+').map(String::from).collect(),
            _ => return Err(unknown_option(key, self.options())),
        }
        Ok(())
    }

    fn validate(&self) -> Result<(), String> {
        match &self.method {
            Method::Lora(lora) => lora.validate().map_err(|error| error.to_string()),
            _ => Ok(()),
        }
    }

    fn has_option(&self, _: TrainingOption) -> bool {
        true
    }

    fn rates(&self) -> [f64; 2] {
        [self.learning_rate, self.weight_decay]
    }

    fn parameters(&self, context: &RunContext<'_>) -> Result<[usize; 2], TrainError> {
        let plan = self.plan(&context.config)?;
        if self.pretrain_epochs > 0 {
            context.refuse_pairs("pretrain", "masked language modelling learns from single texts")?;
        }
        context.check_windows(1)?;
        let (trainable, total) = plan.count(&plan.prepare(&context.model, 0)?);
        Ok([trainable, total])
    }

    fn trains(&self, config: &EncoderConfig, param: ParamInfo) -> bool {
        self.pretrain_epochs > 0 || self.plan(config).is_ok_and(|plan| plan.trains(param))
    }

    /// A frozen layer is only computed forward, and below an adapter or a bias only inputs have gradients.
    fn cost(&self, context: &RunContext<'_>, spec: &RunSpec) -> f64 {
        let layers = context.config.num_hidden_layers.max(1) as f64;
        let passes = match &self.method {
            Method::FeatureExtraction => 1.0,
            Method::LastLayers(count) => 1.0 + 2.0 * (*count as f64 / layers).min(1.0),
            Method::Lora(_) | Method::BitFit => 2.0,
            Method::Full | Method::Gradual { .. } => 3.0,
        };
        let epochs = passes * self.epochs(context, spec.size) as f64 + 3.0 * self.pretrain_epochs as f64;
        spec.size as f64 * epochs + spec.rows.test.len() as f64
    }

    fn fit(
        &self,
        context: &mut RunContext<'_>,
        spec: &RunSpec,
        observer: &mut Observer<'_>,
    ) -> Result<Fitted, ExperimentError> {
        let plan = self.plan(&context.config).map_err(|source| spec.failed(source))?;
        let trained = self.train(&plan, context, spec, observer).map_err(|source| spec.failed(source))?;
        let mut record = RunRecord::default();
        record.best_epoch = trained.best_epoch;
        record.steps = trained.steps.iter().map(step_record).collect();
        record.epochs = trained.epochs.iter().map(epoch_record).collect();
        record.train_seconds = trained.train_time.as_secs_f64();
        record.eval_seconds = trained.eval_time.as_secs_f64();
        let mut predictor = FineTuned {
            settings: self.clone(),
            approach: spec.name.to_string(),
            config: self.config(context),
            model: trained.model,
            plan,
            tested: None,
        };
        if spec.rows.validation.is_empty() && !spec.rows.test.is_empty() {
            let train_loss = trained.train_losses.last().copied().unwrap_or(f64::NAN);
            let began = Instant::now();
            let epoch = predictor.test_last_epoch(context, spec, (trained.best_epoch, train_loss), observer)?;
            record.epochs = vec![epoch_record(&epoch)];
            record.eval_seconds += began.elapsed().as_secs_f64();
        }
        Ok(Fitted { predictor: Box::new(predictor), record })
    }
}

/// A fine-tuned model.
struct FineTuned {
    settings: FineTuning,
    approach: String,
    config: EncoderConfig,
    model: SequenceClassifier,
    plan: TuningPlan,
    /// Examples whose logits are known, and these logits.
    tested: Option<(Vec<usize>, Vec<f32>)>,
}

impl FineTuned {
    /// Evaluates the model of the last epoch on the test examples, keeps its logits, and returns the record of the epoch. Earlier
    /// epochs are not evaluated: without validation examples, nothing may depend on them.
    fn test_last_epoch(
        &mut self,
        context: &RunContext<'_>,
        spec: &RunSpec,
        (epoch, train_loss): (usize, f64),
        observer: &mut Observer<'_>,
    ) -> Result<EpochRecord, ExperimentError> {
        let test = &spec.rows.test;
        let logits = self.logits(context, test, observer)?;
        let (targets, config) = (context.sampling.targets(test), &self.config);
        let tested = Evaluation::new(logits, &targets, config.num_labels(), &config.problem);
        let tested = tested.map_err(|source| spec.failed(source))?;
        let [accuracy, f1] = tested.accuracy_and_f1().map_or([None; 2], |scores| scores.map(Some));
        let record = EpochRecord { epoch, train_loss, eval_loss: tested.loss, accuracy, f1, metric: None };
        let _ = observer(Progress::Training(&Event::Epoch(record.clone())));
        self.tested = Some((test.clone(), tested.logits));
        Ok(record)
    }
}

impl Predictor for FineTuned {
    fn logits(
        &self,
        context: &RunContext<'_>,
        rows: &[usize],
        observer: &mut Observer<'_>,
    ) -> Result<Vec<f32>, ExperimentError> {
        if let Some((_, logits)) = self.tested.as_ref().filter(|(tested, _)| tested == rows) {
            return Ok(logits.clone());
        }
        let data = context.examples.select(rows);
        let features = context.features(&self.plan.at_last(&self.model)).filter(|_| self.settings.pretrain_epochs == 0);
        let size = context.settings.arguments.per_device_eval_batch_size;
        let mut observe = |event: &Event| observer(Progress::Training(event));
        let evaluation = evaluate(&self.model, &self.config, &data, features, size, context.device, &mut observe);
        let failed = |source| ExperimentError::Train { approach: self.approach.clone(), source };
        Ok(evaluation.map_err(failed)?.logits)
    }

    /// The model with its adapters merged, and the adapters alone.
    fn into_model(self: Box<Self>, scaling: Option<&LogitScaling>) -> Result<Option<TrainedModel>, ExperimentError> {
        let model = match scaling {
            Some(LogitScaling { weights, biases }) => self.model.with_scaled_logits(weights, biases),
            None => self.model,
        };
        let adapter = self.plan.lora.as_ref().map(|lora| Adapter::of(&model, lora)).transpose()?;
        let trained = TrainedModel::sequence(self.config, model.merged());
        Ok(Some(TrainedModel { adapter, ..trained }))
    }
}
