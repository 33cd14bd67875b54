//! `rekindle pretrain`.

use crate::options::model::ModelChoice;
use crate::options::{EngineArgs, LONG_EPOCHS, MIN_LENGTH, at_least, positive, rate, share};
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use clap::{ArgGroup, Args};
use rekindle::checkpoint::parameters;
use rekindle::distilbert::DistilBertConfig;
use rekindle::encoders::{Checkpoint, EncoderConfig, MaskedLanguageModel};
use rekindle::files::check_symlinks;
use rekindle::infer::{BaseModel, LongTexts, MODEL_FILES, ModelCard, PretrainedModel, SAVED_FILES, SavedModel};
use rekindle::report::thousands;
use rekindle::tokenizer::Tokenizer;
use rekindle::train::{
    Checkpoints, Corpus, MaskedLm, Masking, SaveStrategy, Stop, TrainError, Trainer, TrainingArguments, TuningPlan,
};

use crate::exit::Failure;
use crate::files;
use crate::interrupt;
use crate::options::data_file::warn_of_table;
use crate::options::model;
use crate::terminal::text::report_table;
use crate::terminal::{Display, Verbosity};

/// The options of `rekindle pretrain`.
#[derive(Args, Debug)]
#[command(after_long_help = EXAMPLES, group = ArgGroup::new("start").required(true).args(["model", "vocab"]))]
pub struct PretrainArgs {
    /// Text files to train on, also in gzip or zip, and in UTF-16 with a byte order mark. Consecutive lines are joined into
    /// sequences; a blank line ends a sequence.
    #[arg(long, value_name = "FILE", required = true, num_args = 1.., help_heading = "Data")]
    pub corpus: Vec<PathBuf>,
    /// Maximum number of tokens per sequence, including `[CLS]` and `[SEP]`, and the number of positions of a new model.
    #[arg(long, default_value_t = 128, value_name = "TOKENS", value_parser = at_least(MIN_LENGTH), help_heading = "Data")]
    pub max_length: usize,
    /// Percentage of the sequences that are held out for evaluation.
    #[arg(long, default_value_t = 5, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..100), help_heading = "Data")]
    pub validation_split_percentage: u8,

    /// Checkpoint to continue from: a folder, or a hub id.
    #[arg(long, value_name = "FOLDER|HUB_ID", help_heading = "Model")]
    pub model: Option<ModelChoice>,
    /// Use cached files only; do not access the network.
    #[arg(long, help_heading = "Model")]
    pub offline: bool,
    /// Folder with the tokenizer of a new model.
    #[arg(long, value_name = "FOLDER", help_heading = "Model")]
    pub vocab: Option<PathBuf>,
    /// Number of transformer layers of a new model.
    #[arg(long, default_value_t = 4, conflicts_with = "model", value_parser = at_least(1), help_heading = "Model")]
    pub layers: usize,
    /// Hidden size of a new model.
    #[arg(long, default_value_t = 256, conflicts_with = "model", value_parser = at_least(1), help_heading = "Model")]
    pub dim: usize,
    /// Number of attention heads of a new model; a divisor of --dim.
    #[arg(long, default_value_t = 4, conflicts_with = "model", value_parser = at_least(1), help_heading = "Model")]
    pub heads: usize,
    /// Width of the feed-forward blocks of a new model [default: four times --dim].
    #[arg(long, conflicts_with = "model", value_name = "WIDTH", value_parser = at_least(1), help_heading = "Model")]
    pub hidden_dim: Option<usize>,

    /// Number of passes over the text.
    #[arg(long, default_value_t = 3, value_parser = at_least(1), help_heading = "Training")]
    pub epochs: usize,
    /// Total number of steps, instead of epochs.
    #[arg(long, conflicts_with = "epochs", value_parser = at_least(1), help_heading = "Training")]
    pub steps: Option<usize>,
    /// Number of sequences per step.
    #[arg(long, default_value_t = 32, value_name = "SEQUENCES", value_parser = at_least(1), help_heading = "Training")]
    pub batch_size: usize,
    /// Peak learning rate, which decays linearly to 0.
    #[arg(long, default_value_t = 5e-4, value_name = "RATE", value_parser = rate, help_heading = "Training")]
    pub learning_rate: f64,
    /// Number of steps over which the learning rate rises from 0.
    #[arg(long, default_value_t = 0, value_name = "STEPS", help_heading = "Training")]
    pub warmup_steps: usize,
    /// Decoupled weight decay of all parameters except biases and LayerNorms.
    #[arg(long, default_value_t = 0.01, value_name = "DECAY", value_parser = rate, help_heading = "Training")]
    pub weight_decay: f64,
    /// Share of the tokens that are selected for prediction.
    #[arg(long, default_value_t = 0.15, value_name = "SHARE", value_parser = share, help_heading = "Training")]
    pub mlm_probability: f64,
    /// Seed of new weights, of the order, of masking and of dropout.
    #[arg(long, default_value_t = 42, help_heading = "Training")]
    pub seed: u32,
    #[command(flatten)]
    pub engine: EngineArgs,

    /// Folder for the model; during training, its subfolder `checkpoint` has the state for --resume.
    #[arg(long, short, value_name = "FOLDER", help_heading = "Output")]
    pub output: PathBuf,
    /// Replace a model that is in the folder already.
    #[arg(long, help_heading = "Output")]
    pub overwrite: bool,
    /// Write a training checkpoint and evaluate after every so many steps [default: a checkpoint after an epoch, if the last
    /// one is five minutes old].
    #[arg(long, value_name = "STEPS", value_parser = positive, help_heading = "Output")]
    pub save_every: Option<std::num::NonZero<usize>>,
    /// Resume from the training checkpoint in the output folder, if there is one. All other options must be unchanged.
    #[arg(long, help_heading = "Output")]
    pub resume: bool,
    /// Print only warnings and the final result.
    #[arg(long, short, conflicts_with = "verbose", help_heading = "Output")]
    pub quiet: bool,
    /// Print every step.
    #[arg(long, short, help_heading = "Output")]
    pub verbose: bool,
}

/// Runs the command.
///
/// # Errors
/// Returns whatever stopped the training. The last training checkpoint is kept for `--resume`.
pub fn run(args: &PretrainArgs, began: Instant) -> Result<(), Failure> {
    let mut display = Display::new(Verbosity::of(args.quiet, args.verbose));
    let devices = args.engine.device()?;
    let folder = args.output.join("checkpoint");
    let save_strategy = Some(args.save_every.map_or(LONG_EPOCHS, SaveStrategy::Steps));
    let checkpoints = Checkpoints { folder: folder.clone(), save_strategy, save_final: false };
    files::check_new(&args.output, &SAVED_FILES, args.overwrite)?;
    args.corpus.iter().for_each(|path| warn_of_table(path, &display));
    check_checkpoint(&checkpoints, args.resume)?;
    let start = start(args, &mut display)?;
    let Start { config, tokenizer, checkpoint, .. } = &start;
    if args.max_length > config.max_length() {
        let positions = config.max_length();
        let length = args.max_length;
        let reason = format!("--max-length {length} is more than the {positions} positions of the model");
        return Err(Failure::usage(reason));
    }
    let masking = Masking::new(tokenizer, args.mlm_probability)?;
    let corpus = Corpus::read(&args.corpus, tokenizer, args.max_length, args.validation_split_percentage.into())?;
    let (model, report) = MaskedLanguageModel::from_checkpoint(config, checkpoint, args.seed.into(), &devices.first)?;
    describe(&display, args, config, &corpus, &model);
    if args.model.is_some() {
        report_table(&report).iter().for_each(|line| display.line(line));
    }

    let arguments = arguments(args);
    arguments.validate()?;
    files::prepare(&args.output)?;
    let lock = files::lock(&folder)?;
    if args.resume && !checkpoints.is_begun() {
        display.line("resumed  nothing: there is no interrupted run");
    }
    let stop = Stop::default();
    interrupt::handle(&stop, display.notices())?;
    let plan = TuningPlan::full(config);
    let held_out = Some(corpus.held_out.as_slice()).filter(|sequences| !sequences.is_empty());
    let objective = MaskedLm::new(config, masking, &corpus.train).evaluated_on(held_out);
    let trainer =
        Trainer::new(objective, &plan, &arguments, &devices.first).with_checkpoints(checkpoints).with_stop(stop);
    let steps = trainer.steps();
    let trained = trainer.run(model, &mut |event| {
        display.pretraining(event);
        ControlFlow::Continue(())
    });
    let trained = trained.map_err(|error| stopped(error, steps))?;
    let held_out = trained.evaluation.map_or(String::new(), |evaluation| {
        format!(", held-out loss {:.4}, perplexity {:.2}", evaluation.loss, evaluation.perplexity())
    });
    let card = card(args, &start, steps, &held_out);
    let saved = SavedModel {
        tokenizer,
        max_length: start.max_length,
        long_texts: LongTexts::Truncate,
        card: &card.to_string(),
    };
    saved.save_masked_lm(&args.output, config, &trained.model).map_err(Failure::output)?;
    lock.remove_all();
    display.clear();
    let (seconds, output) = (began.elapsed().as_secs_f64(), args.output.display());
    display.result(&format!("{steps} steps{held_out}, {seconds:.2} s\nmodel in {output}"));
    Ok(())
}

/// The error of a training that failed or was stopped.
fn stopped(error: TrainError, steps: usize) -> Failure {
    match error {
        TrainError::Interrupted { step } => Failure::interrupted(format!("stopped after step {step} of {steps}")),
        error => error.into(),
    }
}

/// Returns an error if there is a checkpoint, and it is not to be resumed from.
fn check_checkpoint(checkpoints: &Checkpoints, resume: bool) -> Result<(), Failure> {
    let entries = fs::read_dir(&checkpoints.folder).into_iter().flatten().flatten();
    let is_known = |name: &str| name == "lock" || name.contains(".safetensors");
    // The folder is removed when the training has succeeded.
    if let Some(entry) = entries.into_iter().find(|entry| !entry.file_name().to_str().is_some_and(is_known)) {
        return Err(Failure::output(format!(
            "{}: not from an earlier training, and the folder is needed for training checkpoints; move it, or name another output",
            entry.path().display()
        )));
    }
    match checkpoints.is_begun() && !resume {
        true => Err(Failure::output(format!(
            "{} holds an interrupted run; continue it with --resume, or remove the folder to start again",
            checkpoints.folder.display()
        ))),
        false => Ok(()),
    }
}

/// The model to train.
struct Start {
    config: EncoderConfig,
    tokenizer: Tokenizer,
    checkpoint: Arc<Checkpoint>,
    /// The maximum length that is saved: what the checkpoint had, because training on shorter texts takes no positions away.
    max_length: usize,
    base: Option<BaseModel>,
}

/// The model to train: a checkpoint, or a new one for a tokenizer.
fn start(args: &PretrainArgs, display: &mut Display) -> Result<Start, Failure> {
    if let Some(choice) = &args.model {
        let found = model::find(choice, args.offline, &mut |download| display.download(&download))?;
        if let Some(reason) = &found.substituted {
            return Err(Failure::hub(reason));
        }
        found.warnings().iter().for_each(|warning| display.warn(warning));
        found.model.check_f32("pretraining")?;
        let base = Some(BaseModel::from(&found.model));
        let model = &found.model;
        let max_length = model.trained_max_length().unwrap_or(model.config.max_length());
        let PretrainedModel { config, tokenizer, checkpoint, .. } = found.model;
        return Ok(Start { config, tokenizer, checkpoint, max_length, base });
    }
    let vocab = args.vocab.as_deref().unwrap_or(Path::new("."));
    if vocab.is_dir() {
        check_symlinks(vocab, &MODEL_FILES)?;
    }
    let tokenizer = Tokenizer::from_folder(vocab)?;
    let config = DistilBertConfig {
        vocab_size: tokenizer.ids(),
        max_position_embeddings: args.max_length,
        n_layers: args.layers,
        n_heads: args.heads,
        dim: args.dim,
        hidden_dim: args.hidden_dim.unwrap_or(4 * args.dim),
        pad_token_id: tokenizer.pad_id(),
        ..DistilBertConfig::default()
    };
    let config = EncoderConfig::from_json(config.to_masked_lm_json().as_bytes(), Path::new("new model"))
        .map_err(Failure::usage)?;
    let (checkpoint, max_length) = (Checkpoint::empty().into(), args.max_length);
    Ok(Start { config, tokenizer, checkpoint, max_length, base: None })
}

fn arguments(args: &PretrainArgs) -> TrainingArguments {
    TrainingArguments {
        learning_rate: args.learning_rate,
        weight_decay: args.weight_decay,
        warmup_steps: args.warmup_steps as f64,
        num_train_epochs: args.epochs,
        max_steps: args.steps,
        per_device_train_batch_size: args.batch_size,
        per_device_eval_batch_size: args.batch_size,
        seed: args.seed.into(),
        ..TrainingArguments::default()
    }
}

fn describe(
    display: &Display,
    args: &PretrainArgs,
    config: &EncoderConfig,
    corpus: &Corpus,
    model: &MaskedLanguageModel,
) {
    let sizes: usize = parameters(model).iter().map(|parameter| parameter.size).sum();
    let EncoderConfig { num_hidden_layers, hidden_size, num_attention_heads, vocab_size, .. } = config;
    display.line(&format!(
        "model    {} parameters: {num_hidden_layers} layers of {hidden_size}, {num_attention_heads} heads, {} words",
        thousands(sizes),
        thousands(*vocab_size)
    ));
    display.line(&format!(
        "corpus   {} lines, {} sequences of {} tokens, {} held out",
        thousands(corpus.lines),
        thousands(corpus.train.len()),
        thousands(corpus.tokens()),
        thousands(corpus.held_out.len())
    ));
    display.line(&format!("backend  {}, seed {}", args.engine.backend, args.seed));
}

/// The model card of a pretrained model.
fn card(args: &PretrainArgs, start: &Start, steps: usize, evaluation: &str) -> ModelCard {
    let corpus: Vec<String> = args.corpus.iter().map(|path| path.display().to_string()).collect();
    let training = format!(
        "Masked language modelling, {steps} steps of {} sequences of at most {} tokens, peak learning rate {}, seed {}.\n\n\
         Text: {}{evaluation}.",
        args.batch_size,
        args.max_length,
        args.learning_rate,
        args.seed,
        corpus.join(", ")
    );
    let mask = start.tokenizer.mask_id().and_then(|id| start.tokenizer.token(id)).unwrap_or_default();
    let usage = format!(
        "```sh\nrekindle fill-mask --model FOLDER 'a {mask} to use'\nrekindle experiment --model FOLDER --data reviews.csv\n```"
    );
    let name = args.output.file_name().map_or("model".into(), |name| name.to_string_lossy().into_owned());
    let sections = vec![("Training", training), ("Usage", usage)];
    let base = start.base.clone();
    ModelCard { title: name, library_name: "transformers", pipeline_tag: "fill-mask", base, sections }
}

const EXAMPLES: &str = "\
Examples:
  rekindle vocab --corpus reviews.txt --size 8000 --output vocab
  rekindle pretrain --corpus reviews.txt --vocab vocab --output base \\
      --epochs 10 --warmup-steps 500 --save-every 1000
  rekindle pretrain --corpus reviews.txt --model distilbert-base-uncased \\
      --output adapted --learning-rate 5e-5";
