//! `rekindle predict`.

use crate::options::model::ModelChoice;
use crate::options::{EngineArgs, MIN_LENGTH, at_least};
use std::io::{self, BufRead, BufWriter, IsTerminal, Write};
use std::path::Path;
use std::path::PathBuf;

use clap::Args;
use rekindle::data::{open_text, text_lines};
use rekindle::infer::{Classifier, LongTexts, Prediction};
use serde::Serialize;

use crate::exit::Failure;
use crate::options::data_file::warn_of_table;
use crate::options::model;
use crate::terminal::{Display, Verbosity};

/// The options of `rekindle predict`.
#[derive(Args, Debug)]
#[command(after_long_help = EXAMPLES)]
pub struct PredictArgs {
    /// Texts to classify [default: the lines of standard input].
    #[arg(conflicts_with = "input")]
    pub text: Vec<String>,

    /// Trained model: a folder, for example of `experiment --save-models`, or a hub id.
    #[arg(long, value_name = "FOLDER|HUB_ID", help_heading = "Model")]
    pub model: ModelChoice,
    /// Use cached files only; do not access the network.
    #[arg(long, help_heading = "Model")]
    pub offline: bool,

    /// File with one text per line; `-` is standard input.
    #[arg(long, value_name = "FILE", help_heading = "Texts")]
    pub input: Option<PathBuf>,
    /// Classify text pairs: each line or argument has two texts, separated by a tab.
    #[arg(long, help_heading = "Texts")]
    pub pairs: bool,
    /// Maximum number of tokens per text; longer texts are truncated [default: as the model was
    /// trained; its number of positions if its files do not say].
    #[arg(long, value_name = "TOKENS", value_parser = at_least(MIN_LENGTH), help_heading = "Texts")]
    pub max_length: Option<usize>,
    /// What is read of a text of more than --max-length tokens: its first tokens, its first and last ones, or all of them in
    /// windows, whose outputs are pooled [default: as the model was trained; truncate if its
    /// files do not say].
    #[arg(long, value_name = "truncate|head-tail|windows[:stride=N][:pool=mean|max]", value_parser = str::parse::<LongTexts>, help_heading = "Texts")]
    pub long_texts: Option<LongTexts>,
    /// Number of texts per batch.
    #[arg(long, default_value_t = 8, value_name = "TEXTS", value_parser = at_least(1), help_heading = "Texts")]
    pub batch_size: usize,
    #[command(flatten)]
    pub engine: EngineArgs,
}

/// Number of texts that are read before they are classified: enough to batch texts of similar length, in little memory.
const CHUNK: usize = 1024;

#[derive(Serialize)]
struct Line<'a> {
    text: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    text_pair: Option<&'a str>,
    #[serde(flatten)]
    prediction: &'a Prediction,
}

/// Runs the command.
///
/// # Errors
/// Returns an error if the model or the input cannot be read. Predictions for earlier texts are printed.
pub fn run(args: &PredictArgs) -> Result<(), Failure> {
    let mut display = Display::new(Verbosity::Quiet);
    let devices = args.engine.device()?;
    let path = args.input.as_deref().filter(|path| *path != Path::new("-"));
    let input = path.map(open_text).transpose()?;
    let found = model::find(&args.model, args.offline, &mut |download| display.download(&download))?;
    found.warnings().iter().for_each(|warning| display.warn(warning));
    let pretrained = found.model;
    let classifier = Classifier::new(&pretrained, &devices.first)?;
    let classifier = classifier.with_long_texts(args.long_texts.unwrap_or(pretrained.long_texts));
    let mut answer = Answer { classifier, args, out: BufWriter::new(io::stdout().lock()) };
    if !args.text.is_empty() {
        let texts = (1..).zip(&args.text).map(|(number, text)| {
            let place = || format!("text {number}");
            answer.split(text.clone(), place)
        });
        let texts: Vec<_> = texts.collect::<Result<_, Failure>>()?;
        return answer.chunk(&texts);
    }
    match path.zip(input) {
        Some((path, input)) => {
            if !args.pairs {
                warn_of_table(path, &display);
            }
            answer.stream(input, path, CHUNK)
        }
        None => {
            let stdin = io::stdin();
            // A person who types expects each answer at once.
            let chunk = if stdin.is_terminal() { 1 } else { CHUNK };
            answer.stream(stdin.lock(), Path::new("standard input"), chunk)
        }
    }
}

struct Answer<'a, W: Write> {
    classifier: Classifier,
    args: &'a PredictArgs,
    out: W,
}

impl<W: Write> Answer<'_, W> {
    fn stream(&mut self, input: impl BufRead, name: &Path, chunk: usize) -> Result<(), Failure> {
        let mut texts = Vec::with_capacity(chunk);
        for (number, line) in (1..).zip(text_lines(input, name)) {
            texts.push(self.split(line?, || format!("{}, line {number}", name.display()))?);
            if texts.len() == chunk {
                self.chunk(&texts)?;
                texts.clear();
            }
        }
        self.chunk(&texts)
    }

    /// Returns a text, or both texts of a pair. `place` names the text in an error.
    fn split(&self, text: String, place: impl Fn() -> String) -> Result<(String, Option<String>), Failure> {
        if !self.args.pairs {
            return Ok((text, None));
        }
        match text.split('\t').collect::<Vec<_>>()[..] {
            [first, second] => Ok((first.into(), Some(second.into()))),
            ref parts => {
                let tabs = match parts.len() - 1 {
                    0 => "no tab".into(),
                    count => format!("{count} tabs"),
                };
                Err(Failure::input(format!("{}: found {tabs}; with --pairs, one tab separates two texts", place())))
            }
        }
    }

    /// Prints one JSON line per text or text pair, in order.
    fn chunk(&mut self, texts: &[(String, Option<String>)]) -> Result<(), Failure> {
        let max_length = self.args.max_length.unwrap_or(self.classifier.max_length());
        let predictions = self.classifier.classify_pairs(texts, max_length, self.args.batch_size)?;
        for ((text, text_pair), prediction) in texts.iter().zip(&predictions) {
            let line = Line { text, text_pair: text_pair.as_deref(), prediction };
            serde_json::to_writer(&mut self.out, &line)?;
            self.out.write_all(b"\n")?;
        }
        Ok(self.out.flush()?)
    }
}

const EXAMPLES: &str = "\
Examples:
  rekindle predict 'a joy to use' \\
      --model artifacts_transfer_learning/models/fine_tune_last_layer
  rekindle predict --model ./model --input reviews.txt > labels.jsonl
  rekindle predict --model ./model --pairs --input pairs.tsv";
