//! `rekindle features`.

use crate::options::model::ModelChoice;
use crate::options::{DataFileArgs, EngineArgs, MIN_LENGTH, PrecisionArgs, at_least, positive};
use rekindle::encoders::Pooling;
use std::num::NonZero;
use std::path::Path;
use std::path::PathBuf;
use std::time::Instant;

use clap::{ArgGroup, Args, ValueEnum};
use rekindle::data::{DataError, Rows, open_text, text_lines};
use rekindle::experiment::{Extraction, ExtractionEvent};
use rekindle::infer::LongTexts;
use rekindle::remote::{Devices, Event, Worker};
use rekindle::report::thousands;
use rekindle::train::Stop;

use crate::exit::Failure;
use crate::files;
use crate::interrupt;
use crate::options::data_file::warn_of_table;
use crate::options::model;
use crate::terminal::{Display, Verbosity};

/// The options of `rekindle features`.
#[derive(Args, Debug)]
#[command(after_long_help = EXAMPLES, group = ArgGroup::new("texts").required(true).args(["data", "input"]))]
pub struct FeaturesArgs {
    /// File with one text per line.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["label_column", "table_file"], help_heading = "Data")]
    pub input: Option<PathBuf>,
    /// Labelled texts (CSV, TSV, JSON or JSONL, each also in gzip or zip, or Parquet).
    #[arg(long, value_name = "FILE", help_heading = "Data")]
    pub data: Option<PathBuf>,
    #[command(flatten)]
    pub data_file: DataFileArgs,

    /// Checkpoint of the encoder: a folder, `embedded`, or a hub id.
    #[arg(long, value_name = "embedded|FOLDER|HUB_ID", help_heading = "Model")]
    pub model: ModelChoice,
    /// Use cached files only; do not access the network.
    #[arg(long, help_heading = "Model")]
    pub offline: bool,
    /// Features of a text: the hidden state of [CLS], or the mean over all tokens [default: mean
    /// for an embedding model, otherwise cls].
    #[arg(long, value_name = "KIND", help_heading = "Model")]
    pub pooling: Option<PoolingChoice>,
    /// Maximum number of tokens per text, including `[CLS]` and `[SEP]`; longer texts are truncated [default: as the model was
    /// trained; 64 if its files do not say].
    #[arg(long, value_name = "TOKENS", value_parser = at_least(MIN_LENGTH), help_heading = "Model")]
    pub max_length: Option<usize>,
    /// What is read of a text of more than --max-length tokens: its first tokens, its first and last ones, or all of them in
    /// windows, whose outputs are pooled [default: as the model was trained; truncate if its
    /// files do not say].
    #[arg(long, value_name = "truncate|head-tail|windows[:stride=N][:pool=mean|max]", value_parser = str::parse::<LongTexts>, help_heading = "Model")]
    pub long_texts: Option<LongTexts>,
    /// Number of texts per batch; batches of short texts have more.
    #[arg(long, default_value = "32", value_name = "TEXTS", value_parser = positive, help_heading = "Model")]
    pub batch_size: NonZero<usize>,
    #[command(flatten)]
    pub engine: EngineArgs,
    #[command(flatten)]
    pub precision: PrecisionArgs,

    /// Folder for the shards, and for features.json, which describes them.
    #[arg(long, short, value_name = "FOLDER", help_heading = "Output")]
    pub output: PathBuf,
    /// Number of texts per shard.
    #[arg(long, default_value = "10000", value_name = "TEXTS", value_parser = positive, help_heading = "Output")]
    pub shard_size: NonZero<usize>,
    /// Resume an interrupted run, if there is one. All other options must be unchanged.
    #[arg(long, help_heading = "Output")]
    pub resume: bool,
    /// Print only warnings and the final result.
    #[arg(long, short, conflicts_with = "verbose", help_heading = "Output")]
    pub quiet: bool,
    /// Print every shard.
    #[arg(long, short, help_heading = "Output")]
    pub verbose: bool,
}

/// How the hidden states of a text are pooled.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum PoolingChoice {
    /// The last hidden state of [CLS].
    Cls,
    /// The mean of the last hidden states.
    Mean,
}

impl From<PoolingChoice> for Pooling {
    fn from(choice: PoolingChoice) -> Self {
        match choice {
            PoolingChoice::Cls => Self::Cls,
            PoolingChoice::Mean => Self::Mean,
        }
    }
}

/// Runs the command.
///
/// # Errors
/// Returns whatever stopped the command. Finished shards are kept.
pub fn run(args: &FeaturesArgs, began: Instant) -> Result<(), Failure> {
    let mut display = Display::new(Verbosity::of(args.quiet, args.verbose));
    args.precision.check(args.engine.backend)?;
    let (device, mut workers) = args.engine.workers(NonZero::<usize>::MIN, |text| display.warn(text))?;
    if workers.is_empty() {
        let connect = Box::new(move || Ok(Devices::from(device.clone())));
        workers.push(Worker { name: args.engine.backend.name().into(), connect });
    }
    if Extraction::is_begun(&args.output) && !args.resume {
        let folder = args.output.display();
        let refusal = format!("{folder} already holds features; continue with --resume, or name another folder");
        return Err(Failure::output(refusal));
    }
    let found = model::find(&args.model, args.offline, &mut |download| display.download(&download))?;
    if let Some(reason) = &found.substituted {
        return Err(Failure::hub(reason));
    }
    found.warnings().iter().for_each(|warning| display.warn(warning));
    let pretrained = args.precision.apply(found.model, args.engine.backend)?;
    let texts = texts(args, &display)?;
    if texts.is_empty() {
        return Err(Failure::input("no texts"));
    }
    let total = texts.len();
    let extraction = Extraction {
        pooling: args.pooling.map_or_else(|| pretrained.pooling(), Into::into),
        max_length: model::max_length(args.max_length, &pretrained),
        long_texts: args.long_texts.unwrap_or(pretrained.long_texts),
        batch_size: args.batch_size.get(),
        shard_size: args.shard_size.get(),
        folder: args.output.clone(),
    };
    files::prepare(&args.output)?;
    let _lock = files::lock(&args.output)?;
    let stop = Stop::default();
    interrupt::handle(&stop, display.notices())?;
    let (mut kept, mut read) = (0, 0);
    let names: Vec<String> = workers.iter().map(|worker| worker.name.clone()).collect();
    let mut observe = |event: ExtractionEvent<'_>| {
        if let ExtractionEvent::Worker { name, event } = &event {
            display.shard(name, event);
        }
        match event {
            ExtractionEvent::Existing(texts) => {
                kept = texts;
                if names.len() > 1 {
                    display.spread(&names, kept, total, "texts");
                }
            }
            ExtractionEvent::Worker { event: Event::Progress(texts), .. } => {
                // Two hosts may read the same shard.
                read = (read + texts).min(total - kept);
                display.reading(kept, read, total);
            }
            _ => {}
        }
    };
    let backend = args.engine.backend.name();
    let done = extraction.run(&pretrained, texts, backend, workers, &stop, &mut observe);
    display.clear();
    match done {
        Err(error) if stop.is_requested() => {
            return Err(Failure::interrupted(format!("{error}; --resume continues")));
        }
        done => done?,
    }
    let (shards, seconds) = (total.div_ceil(extraction.shard_size), began.elapsed().as_secs_f64());
    display.result(&format!(
        "{} texts, {} of them read now, in {} of {} values each, {seconds:.2} s\nfeatures in {}",
        thousands(total),
        thousands(read),
        if shards == 1 { "one shard".into() } else { format!("{shards} shards") },
        pretrained.config.hidden_size,
        args.output.display()
    ));
    Ok(())
}

/// The texts of the options, each with the second one of a pair.
fn texts(args: &FeaturesArgs, display: &Display) -> Result<Vec<(String, Option<String>)>, Failure> {
    if let Some(path) = &args.input {
        warn_of_table(path, display);
        return Ok(text_lines(open_text(path)?, path)
            .map(|line| Ok((line?, None)))
            .collect::<Result<_, DataError>>()?);
    }
    let options = args.data_file.read_options();
    let rows = Rows::open(args.data.as_deref().unwrap_or(Path::new("")), &options)?;
    Ok(rows.collect_all()?.into_iter().map(|row| (row.text, row.text_pair)).collect())
}

const EXAMPLES: &str = "\
Examples:
  rekindle features --model embedded --data reviews.csv --output features
  rekindle features --model ./model --input reviews.txt --pooling mean --output means --resume

In Python: safetensors.numpy.load_file('features/features-00000-of-00001.safetensors')['features']";
