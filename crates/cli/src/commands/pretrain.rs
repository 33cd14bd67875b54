//! `rekindle pretrain`.

use std::fs;
use std::path::Path;
use std::time::Instant;

use rekindle_distilbert::{Checkpoint, DistilBertConfig, DistilBertForMaskedLM, Precision};
use rekindle_experiment::check_links;
use rekindle_tokenizer::Tokenizer;
use rekindle_train::{
    Corpus, Event, Masking, Pretraining, PretrainingArguments, SaveStrategy, Stop, TrainingArguments,
};

use crate::cli::PretrainArgs;
use crate::display::{Display, Verbosity};
use crate::exit::Failure;
use crate::files;
use crate::interrupt;
use crate::model;
use crate::text::{report_table, thousands};

/// Runs the command.
///
/// # Errors
/// Anything that stops it, as a sentence for the user; the last checkpoint is then there to be taken up again.
pub fn run(args: &PretrainArgs, began: Instant) -> Result<(), Box<dyn std::error::Error>> {
    let mut display = Display::new(Verbosity::of(args.quiet, args.verbose));
    let device = args.engine.device()?;
    let folder = args.output.join("checkpoint");
    check_checkpoint(&folder, args.resume)?;
    let (config, tokenizer, checkpoint) = start(args, &mut display)?;
    if args.max_length > config.max_position_embeddings {
        let positions = config.max_position_embeddings;
        let length = args.max_length;
        let reason = format!("--max-length {length} is more than the {positions} positions of the model");
        return Err(Failure::usage(reason).into());
    }
    let masking = Masking::new(&tokenizer, args.mlm_probability)?;
    let corpus = Corpus::read(&args.corpus, &tokenizer, args.max_length, args.validation_split_percentage.into())?;
    let (model, report) = config.load_masked_lm(&checkpoint, args.seed.into(), &device)?;
    describe(&display, args, &config, &corpus, &model);
    if args.model.is_some() {
        report_table(&report).iter().for_each(|line| display.line(line));
    }

    let mut run = Pretraining::new(&model, &config, masking, &corpus.train, &arguments(args), &device)?;
    drop(model);
    files::prepare(&args.output)?;
    let lock = files::lock(&folder)?;
    if args.resume {
        run = resume(run, &folder, &display)?;
    }
    let stop = Stop::default();
    interrupt::handle(&stop)?;
    display.training(&Event::Begin { steps: run.steps(), epochs: run.epochs() });
    let mut loss = None;
    while run.step() < run.steps() {
        let until = run.next_save(args.save_every.map(SaveStrategy::Steps));
        run = run.advance(until, &stop, &mut |event| display.training(event))?;
        if run.step() < run.steps() {
            write_settings(&folder, &config, &tokenizer)?;
            run.save(&folder).map_err(Failure::output)?;
        }
        if stop.is_requested() {
            let what = format!("stopped after step {} of {}", run.step(), run.steps());
            return Err(Failure::interrupted(what).into());
        }
        loss = held_out(&run, &corpus, &mut display)?;
    }
    write(&args.output, &run, &config, &tokenizer)?;
    lock.remove_all();
    display.clear();
    let perplexity =
        loss.map_or(String::new(), |loss| format!(", held-out loss {loss:.4}, perplexity {:.2}", loss.exp()));
    let (seconds, output) = (began.elapsed().as_secs_f64(), args.output.display());
    display.result(&format!("{} steps{perplexity}, {seconds:.2} s\nmodel in {output}", run.step()));
    Ok(())
}

/// Goes on from the checkpoint in `folder`, where there is one.
fn resume<'a>(
    run: Pretraining<'a>,
    folder: &Path,
    display: &Display,
) -> Result<Pretraining<'a>, rekindle_train::TrainError> {
    if !Pretraining::is_begun(folder) {
        display.line("resumed  nothing: no earlier run was broken off here");
        return Ok(run);
    }
    let run = run.resume(folder)?;
    display.line(&format!("resumed  after step {} of {}", run.step(), run.steps()));
    Ok(run)
}

/// A checkpoint is never overwritten unasked.
fn check_checkpoint(folder: &Path, resume: bool) -> Result<(), Failure> {
    match Pretraining::is_begun(folder) && !resume {
        true => Err(Failure::output(format!(
            "{} holds a run that was broken off; go on with --resume, or remove the folder to begin anew",
            folder.display()
        ))),
        false => Ok(()),
    }
}

/// What is to be trained: a checkpoint, or a new model for a tokenizer.
fn start(
    args: &PretrainArgs,
    display: &mut Display,
) -> Result<(DistilBertConfig, Tokenizer, std::sync::Arc<Checkpoint>), Box<dyn std::error::Error>> {
    if let Some(choice) = &args.model {
        let found = model::find(choice, args.offline, &mut |download| display.download(&download))?;
        if let Some(reason) = found.substituted {
            return Err(Failure::hub(reason).into());
        }
        return Ok((found.model.config, found.model.tokenizer, found.model.checkpoint));
    }
    let vocab = args.vocab.as_deref().unwrap_or(Path::new("."));
    if vocab.is_dir() {
        check_links(vocab)?;
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
    let config = DistilBertConfig::from_json(config.to_masked_lm_json().as_bytes(), Path::new("new model"))
        .map_err(Failure::usage)?;
    Ok((config, tokenizer, Checkpoint::empty().into()))
}

fn arguments(args: &PretrainArgs) -> PretrainingArguments {
    let training = TrainingArguments {
        learning_rate: args.learning_rate,
        weight_decay: args.weight_decay,
        warmup_steps: args.warmup_steps as f64,
        num_train_epochs: args.epochs,
        per_device_train_batch_size: args.batch_size,
        per_device_eval_batch_size: args.batch_size,
        seed: args.seed.into(),
        ..TrainingArguments::default()
    };
    PretrainingArguments { training, max_steps: args.steps, mlm_probability: args.mlm_probability }
}

fn describe(
    display: &Display,
    args: &PretrainArgs,
    config: &DistilBertConfig,
    corpus: &Corpus,
    model: &DistilBertForMaskedLM,
) {
    let sizes = rekindle_distilbert::parameters(model).iter().map(|parameter| parameter.size).sum();
    let DistilBertConfig { n_layers, dim, n_heads, vocab_size, .. } = config;
    display.line(&format!(
        "model    {} parameters: {n_layers} layers of {dim}, {n_heads} heads, {} words",
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

/// The loss on held-out text, where there is any.
fn held_out(
    run: &Pretraining<'_>,
    corpus: &Corpus,
    display: &mut Display,
) -> Result<Option<f64>, rekindle_train::TrainError> {
    match corpus.held_out.is_empty() {
        true => Ok(None),
        false => run.evaluate(&corpus.held_out, &mut |event| display.training(event)).map(Some),
    }
}

/// Writes the model; the weights come last.
fn write(
    folder: &Path,
    run: &Pretraining<'_>,
    config: &DistilBertConfig,
    tokenizer: &Tokenizer,
) -> Result<(), Box<dyn std::error::Error>> {
    write_settings(folder, config, tokenizer)?;
    run.model().save_safetensors(&folder.join("model.safetensors"), Precision::F32).map_err(Failure::output)?;
    Ok(())
}

/// What stands beside the weights.
fn write_settings(
    folder: &Path,
    config: &DistilBertConfig,
    tokenizer: &Tokenizer,
) -> Result<(), Box<dyn std::error::Error>> {
    fs::create_dir_all(folder).map_err(|error| Failure::output(format!("{}: {error}", folder.display())))?;
    for (name, content) in [
        ("config.json", config.to_masked_lm_json()),
        ("tokenizer.json", tokenizer.to_json()?),
        ("tokenizer_config.json", Tokenizer::config_json(config.max_position_embeddings)),
    ] {
        files::write(&folder.join(name), &content)?;
    }
    Ok(())
}
