//! `rekindle tune`.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use rekindle::data::Task;
use rekindle::experiment::{Approach, Preset, Search};

use super::experiment::{Approaches, ExperimentArgs, Plan, check, execute};
use crate::exit::Failure;
use crate::options::SearchArgs;

/// The options of `rekindle tune`: those of `rekindle experiment`, whose `--approaches` may have alternatives here, and those of
/// the search.
#[derive(Args, Debug)]
#[command(after_long_help = EXAMPLES)]
#[command(mut_arg("approaches", |option| option
    .value_parser(Approaches::parse_space)
    .value_name("SPACE")
    .help_heading("Search")
    .conflicts_with("space")
    .help(APPROACHES)
    .long_help(APPROACHES)))]
pub struct TuneArgs {
    #[command(flatten)]
    pub experiment: ExperimentArgs,
    /// Preset of candidates, or a file with approaches as --approaches takes them, one per line, with comments after `#`.
    #[arg(long, default_value = "all", value_name = "all|probe|contrastive|fine-tuning|FILE", help_heading = "Search")]
    pub space: PathBuf,
    #[command(flatten)]
    pub search: SearchArgs,
}

/// The name of the approach in results.
const NAME: &str = "tune";

/// A number of layers with which presets are largest.
const MANY_LAYERS: usize = 12;

/// Runs the command.
///
/// # Errors
/// Returns whatever stopped the search. Earlier results are then unchanged.
pub fn run(args: &TuneArgs, began: Instant) -> Result<(), Failure> {
    let declared = declared(args)?;
    let widest = || preset(&args.space, Task::SingleLabel, MANY_LAYERS);
    check(&args.experiment, &declared.clone().map_or_else(widest, Ok)?)?;
    let approaches = |plan: &Plan<'_>| {
        let candidates = match &declared {
            Some(candidates) => candidates.clone(),
            None => preset(&args.space, plan.sampling.all.task, plan.model.config.num_hidden_layers)?,
        };
        let search = args.search.add_to(Search::new(candidates), plan.searches)?;
        Ok(vec![search.into_approach(NAME)])
    };
    execute(&args.experiment, began, &[NAME.into()], &approaches)
}

/// The candidates of `--approaches` or of a file; `None` for a preset.
fn declared(args: &TuneArgs) -> Result<Option<Vec<Approach>>, Failure> {
    match &args.experiment.approaches {
        Some(Approaches(approaches)) => Ok(Some(approaches.clone())),
        None if named(&args.space).is_ok() => Ok(None),
        None => read(&args.space).map(Some),
    }
}

/// The candidates of a preset.
fn preset(name: &Path, task: Task, layers: usize) -> Result<Vec<Approach>, Failure> {
    Ok(Approach::parse_space(&named(name)?.space(task, layers))?)
}

/// The preset of a name.
fn named(name: &Path) -> Result<Preset, Failure> {
    let preset = name.to_str().and_then(Preset::named);
    preset.ok_or_else(|| Failure::usage(format!("--space: no preset is named `{}`", name.display())))
}

/// Reads a space: approaches with alternatives, one per line.
fn read(path: &Path) -> Result<Vec<Approach>, Failure> {
    let text = fs::read_to_string(path).map_err(|error| {
        let presets: Vec<&str> = Preset::ALL.iter().map(|preset| preset.name()).collect();
        let name = path.display();
        Failure::input(format!("--space: {name}: {error}; the presets are {}", presets.join(", ")))
    })?;
    let mut candidates: Vec<Approach> = Vec::new();
    for (line, text) in (1..).zip(text.lines()) {
        let space = text.split('#').next().unwrap_or_default().trim();
        if space.is_empty() {
            continue;
        }
        let within = |reason: String| Failure::input(format!("{}, line {line}: {reason}", path.display()));
        for candidate in Approach::parse_space(space).map_err(|error| within(error.to_string()))? {
            if candidates.iter().any(|earlier| earlier.name == candidate.name) {
                return Err(within(format!("approach `{}` is given twice", candidate.spec)));
            }
            candidates.push(candidate);
        }
    }
    match candidates.is_empty() {
        true => Err(Failure::input(format!("{}: no approach to try; write one per line", path.display()))),
        false => Ok(candidates),
    }
}

const APPROACHES: &str = "Candidates: approaches as in `rekindle experiment --help`, whose values may have alternatives: \
full:lr=2e-5|5e-5:epochs=3|6 are four candidates [default: those of --space]";

const EXAMPLES: &str = "\
Examples:
  rekindle tune reviews.csv --budget 20m --save-models
  rekindle tune reviews.csv --folds 5 --space probe --halving off
  rekindle tune --train train.tsv --test test.tsv --no-header --runs 12 \\
      --approaches 'probe:C=1|10,lora:r=8|16:lr=5e-4|1e-3'";
