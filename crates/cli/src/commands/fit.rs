//! `rekindle fit`.

use std::time::{Duration, Instant};

use clap::Args;
use rekindle::data::Task;
use rekindle::experiment::Search;

use super::experiment::{Design, ExperimentArgs, Plan, check, execute};
use crate::exit::Failure;
use crate::options::SearchArgs;

/// The options of `rekindle fit`: those of `rekindle experiment` and of the search.
#[derive(Args, Debug)]
#[command(after_long_help = EXAMPLES)]
#[command(mut_arg("approaches", |option| option.hide(true)))]
#[command(mut_arg("save_models", |option| option.hide(true)))]
// Always refused, because `full` is a candidate.
#[command(mut_arg("frozen_precision", |option| option.hide(true)))]
#[command(mut_arg("folds", |option| option.help(FOLDS).long_help(FOLDS)))]
#[command(mut_arg("test_size", |option| option.help(TEST_SIZE).long_help(TEST_SIZE)))]
#[command(mut_arg("budget", |option| option.help(BUDGET).long_help(BUDGET)))]
pub struct FitArgs {
    #[command(flatten)]
    pub experiment: ExperimentArgs,
    #[command(flatten)]
    pub search: SearchArgs,
}

/// The name of the approach in results, and of the folder of the model.
const NAME: &str = "fit";
/// The budget without `--budget` and `--runs`.
const USUAL: Duration = Duration::from_secs(10 * 60);

/// Runs the command.
///
/// # Errors
/// Returns whatever stopped it. Earlier results are then unchanged.
pub fn run(args: &FitArgs, began: Instant) -> Result<(), Failure> {
    if args.experiment.approaches.is_some() {
        return Err(Failure::usage("--approaches: `fit` chooses them itself; `rekindle tune` searches among yours"));
    }
    let options = ExperimentArgs { save_models: true, design: Design::BySize, ..args.experiment.clone() };
    // With few labels and many layers, every kind of candidate is tried.
    check(&options, &Search::ordered(Task::SingleLabel, usize::MAX, 1, 0)?.candidates)?;
    let time = args.search.budget.or_else(|| args.search.runs.is_none().then_some(USUAL));
    let limits = SearchArgs { budget: time, ..args.search.clone() };
    let approaches = |plan: &Plan<'_>| {
        let all = &plan.sampling.all;
        let (layers, examples) = (plan.model.config.num_hidden_layers, plan.sampling.largest());
        let search = Search::ordered(all.task, layers, all.classes.len(), examples)?;
        Ok(vec![limits.add_to(search, plan.searches)?.into_approach(NAME)])
    };
    execute(&options, began, &[NAME.into()], &approaches)
}

const FOLDS: &str = "Number of stratified folds: each is the test set of a search on the others [default: 5 for fewer than 1,000 \
examples; otherwise one test set]";
const TEST_SIZE: &str = "Share (0.25) or number (100) of the examples to test on, stratified by class [default: 0.25 of 1,000 \
examples or more; fewer are split into folds]";
const BUDGET: &str = "Time for all searches together, for example 90s, 20m or 2h: one search per test set, and one for the model \
that is saved, each with an equal share. A training starts only if it is expected to end in time [default: 10m; none with --runs]";

const EXAMPLES: &str = "\
Examples:
  rekindle fit reviews.csv --budget 10m
  rekindle fit --train train.tsv --test test.tsv --no-header --runs 8 \\
      --output fitted";
