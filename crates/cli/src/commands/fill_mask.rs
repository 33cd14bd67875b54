//! `rekindle fill-mask`.

use std::io::Write;

use rekindle_experiment::{FillMask, Guess};
use serde::Serialize;

use crate::cli::FillMaskArgs;
use crate::display::{Display, Verbosity};
use crate::model;

#[derive(Serialize)]
struct Line<'a> {
    text: &'a str,
    predictions: Predictions,
}

/// As the pipeline answers: a list for one `[MASK]`, a list of lists for several.
#[derive(Serialize)]
#[serde(untagged)]
enum Predictions {
    One(Vec<Guess>),
    Several(Vec<Vec<Guess>>),
}

/// Runs the command.
///
/// # Errors
/// When the model cannot be read or guesses no words, or a text has no `[MASK]`; nothing is printed then.
pub fn run(args: &FillMaskArgs) -> Result<(), Box<dyn std::error::Error>> {
    let mut display = Display::new(Verbosity::Quiet);
    let device = args.engine.device()?;
    let pretrained = model::find(&args.model, args.offline, &mut |download| display.download(&download))?.model;
    let model = FillMask::new(&pretrained, &device)?;
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
