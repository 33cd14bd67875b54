//! `rekindle models`.

use std::io::Write;

use clap::Args;
use rekindle::encoders::Family;
use serde_json::{Value, json};

use crate::exit::Failure;
use crate::terminal::fitted_output;

/// The options of `rekindle models`.
#[derive(Args, Debug)]
#[command(after_long_help = EXAMPLES)]
pub struct ModelsArgs {
    /// Print JSON instead of tables.
    #[arg(long)]
    pub json: bool,
}

/// Prints the families of models, what each supports, and examples.
///
/// # Errors
/// Returns an error if the output cannot be written.
pub fn run(args: &ModelsArgs) -> Result<(), Failure> {
    let mut out = anstream::stdout().lock();
    if args.json {
        serde_json::to_writer_pretty(&mut out, &Family::ALL.map(json))?;
        writeln!(out)?;
        return Ok(());
    }
    row(&mut out, "model_type", "usual tokenizer", "segments", "LoRA targets by default")?;
    for family in Family::ALL {
        let segments = if family.has_segments() { "yes" } else { "no" };
        row(&mut out, family.model_type(), family.tokenizer(), segments, &family.lora_targets().join(", "))?;
    }
    writeln!(out, "\n{}\n", fitted_output(HEADS))?;
    writeln!(out, "{:12} examples on the Hugging Face hub", "model_type")?;
    for family in Family::ALL {
        let names = [family.model_type()].into_iter().chain(std::iter::repeat(""));
        for (name, example) in names.zip(family.examples()) {
            writeln!(out, "{name:12} {example}")?;
        }
    }
    Ok(())
}

fn row(out: &mut impl Write, family: &str, tokenizer: &str, segments: &str, targets: &str) -> std::io::Result<()> {
    writeln!(out, "{family:12} {tokenizer:16} {segments:9} {targets}")
}

fn json(family: Family) -> Value {
    json!({
        "model_type": family.model_type(),
        "classification": true,
        "masked_lm": true,
        "segments": family.has_segments(),
        "tokenizer": family.tokenizer(),
        "lora_targets": family.lora_targets(),
        "examples": family.examples(),
    })
}

const HEADS: &str = "\
All families have a head for classification and one for masked words: all
approaches, `pretrain`, `features`, `fill-mask` and `predict` work with them.";

const EXAMPLES: &str = "\
Examples:
  rekindle models
  rekindle models --json | jq -r '.[].model_type'";
