//! `rekindle models`.

use std::io::Write;

use clap::Args;
use rekindle::encoders::Family;
use serde_json::{Value, json};

use crate::exit::Failure;
use crate::terminal::{fitted_output, fitted_table};

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
    let header = ["model_type", "usual tokenizer", "segments", "LoRA targets by default"].map(String::from);
    let families = Family::ALL.map(|family| {
        let segments = if family.has_segments() { "yes" } else { "no" };
        [family.model_type().into(), family.tokenizer().to_string(), segments.into(), family.lora_targets().join(", ")]
    });
    let table = std::iter::once(&header).chain(&families).map(line).collect();
    write!(out, "{}", fitted_table(table, &header, &families))?;
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

/// A line of the table.
fn line([family, tokenizer, segments, targets]: &[String; 4]) -> String {
    format!("{family:12} {tokenizer:16} {segments:9} {targets}\n")
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
