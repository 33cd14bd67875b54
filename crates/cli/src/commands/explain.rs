//! `rekindle explain`.

use std::io::{self, Write};
use std::path::Path;

use clap::Args;
use rekindle::data::text_lines;
use rekindle::infer::{ErrorKind, Explanation, Predictor};
use serde::Serialize;

use crate::exit::Failure;
use crate::options::model::{self, ModelChoice};
use crate::options::{EngineArgs, at_least};
use crate::terminal::{Display, Verbosity};

/// The options of `rekindle explain`.
#[derive(Args, Debug)]
#[command(after_long_help = EXAMPLES)]
pub struct ExplainArgs {
    /// Texts to explain [default: the lines of standard input].
    pub text: Vec<String>,

    /// Trained model: a folder, for example of `experiment --save-models`, or a hub id.
    #[arg(long, value_name = "FOLDER|HUB_ID", help_heading = "Model")]
    pub model: ModelChoice,
    /// Use cached files only; do not access the network.
    #[arg(long, help_heading = "Model")]
    pub offline: bool,

    /// Class whose logit is explained [default: the predicted class of each text].
    #[arg(long, value_name = "CLASS", help_heading = "Explanation")]
    pub label: Option<String>,
    /// Points of the integral; twice as many each time, up to 1,600, while the attributions miss the
    /// difference of the logits by more than 1 %.
    #[arg(long, default_value_t = 50, value_name = "POINTS", value_parser = at_least(1), help_heading = "Explanation")]
    pub steps: usize,

    /// Print one JSON object per text instead of a list of words.
    #[arg(long, help_heading = "Output")]
    pub json: bool,
    #[command(flatten)]
    pub engine: EngineArgs,
}

/// The most points of the integral, which `--steps` documents.
const MAX_STEPS: usize = 1600;

#[derive(Serialize)]
struct Line<'a> {
    text: &'a str,
    #[serde(flatten)]
    explanation: &'a Explanation,
}

/// Runs the command.
///
/// # Errors
/// Returns an error if the model or a text cannot be read, or the model has no such class. Explanations of earlier texts are
/// printed.
pub fn run(args: &ExplainArgs) -> Result<(), Failure> {
    let mut display = Display::beside_data(Verbosity::Quiet);
    let devices = args.engine.device()?;
    let found = model::find(&args.model, args.offline, &mut |download| display.download(&download))?;
    found.warnings().iter().for_each(|warning| display.warn(warning));
    let classifier = Predictor::new(&found.model, &devices.first)?;
    let mut out = anstream::stdout();
    let mut answer = |text: &str| -> Result<(), Failure> {
        let label = args.label.as_deref();
        let explanation =
            classifier.explain(text, label, args.steps, MAX_STEPS).map_err(|error| match error.kind() {
                ErrorKind::Argument => Failure::usage(format!("--{error}")),
                _ => error.into(),
            })?;
        if args.json {
            serde_json::to_writer(&mut out, &Line { text, explanation: &explanation })?;
            writeln!(out)?;
        } else {
            print(&mut out, text, &explanation)?;
        }
        Ok(out.flush()?)
    };
    if !args.text.is_empty() {
        return args.text.iter().try_for_each(|text| answer(text));
    }
    text_lines(io::stdin().lock(), Path::new("standard input")).try_for_each(|line| answer(&line?))
}

/// The number of characters of the longest bar.
const BAR: f64 = 10.0;
const GREEN: u8 = 32;
const RED: u8 = 31;

/// Prints the words of a text, each behind its attribution and a bar of its sign.
fn print(out: &mut impl Write, text: &str, explanation: &Explanation) -> io::Result<()> {
    let Explanation { label, score, logit, baseline_logit, words, gap, steps, .. } = explanation;
    writeln!(out, "{}", printable(text))?;
    writeln!(out, "{label} {score:.4}: logit {logit:+.4}, without the words {baseline_logit:+.4}")?;
    let largest = words.iter().map(|word| word.attribution.abs()).fold(f64::MIN_POSITIVE, f64::max);
    for word in words {
        let (sign, colour) = if word.attribution < 0.0 { ("-", RED) } else { ("+", GREEN) };
        let bar = sign.repeat((BAR * word.attribution.abs() / largest).round() as usize);
        let word_text = printable(&word.text);
        writeln!(out, "  {:+9.4} {bar:10} \x1b[{colour}m{word_text}\x1b[0m", word.attribution)?;
    }
    if explanation.is_truncated {
        writeln!(out, "  the model does not read the rest of the text, which is longer than its maximum length")?;
    }
    let difference = f64::from(logit - baseline_logit);
    writeln!(
        out,
        "  {:+9.4} is the sum, {difference:+.4} the difference of the logits; {steps} steps",
        difference + gap
    )?;
    if !explanation.is_complete {
        writeln!(out, "  the sum misses the difference by more than 1 %: the attributions are not exact")?;
    }
    Ok(())
}

/// Replaces control characters, which a terminal would obey.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

const EXAMPLES: &str = "\
Examples:
  rekindle explain 'a joy to use' \\
      --model artifacts_transfer_learning/models/fine_tune_last_layer
  rekindle explain --model ./model --label 1 --json 'never again'";
