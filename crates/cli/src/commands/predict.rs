//! `rekindle predict`.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, IsTerminal, Write};
use std::path::Path;

use rekindle_experiment::{Classifier, Prediction};
use serde::Serialize;

use crate::cli::PredictArgs;
use crate::display::{Display, Verbosity};
use crate::exit::Failure;
use crate::model;

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
pub fn run(args: &PredictArgs) -> Result<(), Box<dyn std::error::Error>> {
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
    fn stream(&mut self, input: impl BufRead, name: &str, chunk: usize) -> Result<(), Box<dyn std::error::Error>> {
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
    fn chunk(&mut self, texts: &[String]) -> Result<(), Box<dyn std::error::Error>> {
        let max_length = self.args.max_length.unwrap_or(self.classifier.max_length());
        let predictions = self.classifier.classify(texts, max_length, self.args.batch_size)?;
        for (text, prediction) in texts.iter().zip(&predictions) {
            serde_json::to_writer(&mut self.out, &Line { text, prediction })?;
            self.out.write_all(b"\n")?;
        }
        Ok(self.out.flush()?)
    }
}
