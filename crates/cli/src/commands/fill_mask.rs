//! `rekindle fill-mask`.

use crate::exit::Failure;
use crate::options::model::ModelChoice;
use crate::options::{EngineArgs, at_least};
use std::io::Write;

use clap::Args;
use rekindle::infer::{FillMask, Guess};
use serde::Serialize;

use crate::options::model;
use crate::terminal::{Display, Verbosity};

/// The options of `rekindle fill-mask`.
#[derive(Args, Debug)]
#[command(after_long_help = EXAMPLES)]
pub struct FillMaskArgs {
    /// Texts that contain the mask token of the model: [MASK], or <mask> for RoBERTa and its kin.
    #[arg(required = true)]
    pub text: Vec<String>,

    /// Model with a masked-language head: a folder, for example of `rekindle pretrain`, or a hub id.
    #[arg(long, value_name = "FOLDER|HUB_ID", help_heading = "Model")]
    pub model: ModelChoice,
    /// Use cached files only; do not access the network.
    #[arg(long, help_heading = "Model")]
    pub offline: bool,

    /// Number of predictions per mask token.
    #[arg(long, default_value_t = 5, value_name = "GUESSES", value_parser = at_least(1), help_heading = "Texts")]
    pub top_k: usize,
    #[command(flatten)]
    pub engine: EngineArgs,
}

#[derive(Serialize)]
struct Line<'a> {
    text: &'a str,
    predictions: Predictions,
}

/// As transformers' pipeline: a list for one `[MASK]`, a list of lists for several.
#[derive(Serialize)]
#[serde(untagged)]
enum Predictions {
    One(Vec<Guess>),
    Several(Vec<Vec<Guess>>),
}

/// Runs the command.
///
/// # Errors
/// Returns an error if the model cannot be read or has no masked-language head, or a text has no `[MASK]`. Then nothing
/// is printed.
pub fn run(args: &FillMaskArgs) -> Result<(), Failure> {
    let mut display = Display::new(Verbosity::Quiet);
    let devices = args.engine.device()?;
    let pretrained = model::find(&args.model, args.offline, &mut |download| display.download(&download))?.model;
    let model = FillMask::new(&pretrained, &devices.first)?;
    let filled = args.text.iter().map(|text| model.fill(text, args.top_k)).collect::<Result<Vec<_>, _>>()?;
    let mut out = std::io::stdout().lock();
    for (text, mut guesses) in args.text.iter().zip(filled) {
        let predictions =
            if guesses.len() == 1 { Predictions::One(guesses.remove(0)) } else { Predictions::Several(guesses) };
        serde_json::to_writer(&mut out, &Line { text, predictions })?;
        out.write_all(b"\n")?;
    }
    Ok(out.flush()?)
}

const EXAMPLES: &str = "\
Examples:
  rekindle fill-mask --model base 'a [MASK] to use'
  rekindle fill-mask --model base --top-k 1 'the [MASK] was [MASK]'";
