//! `rekindle predict`.

use crate::options::EngineArgs;
use crate::options::model::ModelChoice;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, IsTerminal, Write};
use std::path::Path;
use std::path::PathBuf;

use clap::Args;
use rekindle::experiment::{Classifier, Prediction};
use serde::Serialize;

use crate::exit::Failure;
use crate::options::model;
use crate::terminal::{Display, Verbosity};

/// The options of `rekindle predict`.
#[derive(Args, Debug)]
#[command(after_long_help = EXAMPLES)]
pub struct PredictArgs {
    /// Texts to classify. Without any, and without --input: the lines of standard input.
    #[arg(conflicts_with = "input")]
    pub text: Vec<String>,

    /// The trained model: a folder such as `--save-models` leaves, or a hub id.
    #[arg(long, value_name = "FOLDER|HUB_ID", help_heading = "Model")]
    pub model: ModelChoice,
    /// Ask no network: what is not in the cache is not to be had.
    #[arg(long, help_heading = "Model")]
    pub offline: bool,

    /// A file with a text a line; `-` is standard input.
    #[arg(long, value_name = "FILE", help_heading = "Texts")]
    pub input: Option<PathBuf>,
    /// Tokens a text at most; what is behind is cut off [default: all that the model has positions for].
    #[arg(long, value_name = "TOKENS", help_heading = "Texts")]
    pub max_length: Option<usize>,
    /// Texts computed together.
    #[arg(long, default_value_t = 8, value_name = "TEXTS", help_heading = "Texts")]
    pub batch_size: usize,
    #[command(flatten)]
    pub engine: EngineArgs,
}

/// Texts that are read before any of them is classified: enough to find sentences of like length, and little memory.
const CHUNK: usize = 1024;

#[derive(Serialize)]
struct Line<'a> {
    text: &'a str,
    #[serde(flatten)]
    prediction: &'a Prediction,
}

/// Runs the command.
///
/// # Errors
/// When the model or the input cannot be read; what was answered before stands.
pub fn run(args: &PredictArgs) -> Result<(), Failure> {
    let mut display = Display::new(Verbosity::Quiet);
    let device = args.engine.device()?;
    let pretrained = model::find(&args.model, args.offline, &mut |download| display.download(&download))?.model;
    let classifier = Classifier::new(&pretrained, &device)?;
    let mut answer = Answer { classifier, args, out: BufWriter::new(io::stdout().lock()) };
    if !args.text.is_empty() {
        return answer.chunk(&args.text);
    }
    match args.input.as_deref().filter(|path| *path != Path::new("-")) {
        Some(path) => {
            let named = |error: io::Error| Failure::input(format!("{}: {error}", path.display()));
            answer.stream(BufReader::new(File::open(path).map_err(named)?), &path.display().to_string(), CHUNK)
        }
        None => {
            let stdin = io::stdin();
            // A person who types waits for each answer.
            let chunk = if stdin.is_terminal() { 1 } else { CHUNK };
            answer.stream(stdin.lock(), "standard input", chunk)
        }
    }
}

struct Answer<'a, W: Write> {
    classifier: Classifier,
    args: &'a PredictArgs,
    out: W,
}

impl<W: Write> Answer<'_, W> {
    fn stream(&mut self, input: impl BufRead, name: &str, chunk: usize) -> Result<(), Failure> {
        let mut texts = Vec::with_capacity(chunk);
        for (index, line) in input.lines().enumerate() {
            texts.push(line.map_err(|error| Failure::input(format!("{name}, line {}: {error}", index + 1)))?);
            if texts.len() == chunk {
                self.chunk(&texts)?;
                texts.clear();
            }
        }
        self.chunk(&texts)
    }

    /// A JSON line a text, in the order given.
    fn chunk(&mut self, texts: &[String]) -> Result<(), Failure> {
        let max_length = self.args.max_length.unwrap_or(self.classifier.max_length());
        let predictions = self.classifier.classify(texts, max_length, self.args.batch_size)?;
        for (text, prediction) in texts.iter().zip(&predictions) {
            serde_json::to_writer(&mut self.out, &Line { text, prediction })?;
            self.out.write_all(b"\n")?;
        }
        Ok(self.out.flush()?)
    }
}

const EXAMPLES: &str = "\
Examples:
  rekindle predict 'a joy to use' \\
      --model artifacts_transfer_learning/models/fine_tune_last_layer
  rekindle predict --model ./model --input reviews.txt > labels.jsonl";
