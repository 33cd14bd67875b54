//! `rekindle plan`.

use std::time::Instant;

use clap::Args;
use rekindle::data::Mt19937;
use rekindle::experiment::{Approach, Engine, Experiment, Progress, Sampling, TrainingOption};
use rekindle::infer::PretrainedModel;
use rekindle::metrics::{MetricsError, PairedEffect, Scorer, corrected_t_power, mcnemar_power};
use rekindle::report::thousands;
use serde_json::{Value, json};

use super::experiment::{ExperimentArgs, approaches, check, experiment, sampling, writes};
use crate::exit::Failure;
use crate::options::backend::Backend;
use crate::options::model;
use crate::options::share;
use crate::terminal::{Display, Verbosity, fitted_table};

/// The options of `rekindle plan`: those of `rekindle experiment` that say what is compared and how, and those of the plan.
#[derive(Args, Debug)]
#[command(after_long_help = EXAMPLES)]
#[command(mut_arg("output", |option| option.hide(true)))]
#[command(mut_arg("host", |option| option.hide(true)))]
#[command(mut_arg("token_file", |option| option.hide(true)))]
#[command(mut_arg("devices_per_run", |option| option.hide(true)))]
#[command(mut_arg("overwrite", |option| option.hide(true)))]
#[command(mut_arg("save_models", |option| option.hide(true)))]
#[command(mut_arg("zip_models", |option| option.hide(true)))]
#[command(mut_arg("checkpoint_every", |option| option.hide(true)))]
#[command(mut_arg("resume", |option| option.hide(true)))]
#[command(mut_arg("label_issue_filter", |option| option.hide(true)))]
#[command(mut_arg("sizes", |option| option.hide(true)))]
#[command(mut_arg("metric", |option| option.hide(true)))]
#[command(mut_arg("data", |option| option.help(DATA).long_help(DATA)))]
pub struct PlanArgs {
    #[command(flatten)]
    pub experiment: ExperimentArgs,
    /// Difference in accuracy, in percentage points, for which the examples that detect it are counted.
    #[arg(long, default_value_t = 2.0, value_name = "POINTS", value_parser = points, help_heading = "Plan")]
    pub difference: f64,
    /// Assumed share of test examples on which one of two approaches is right and the other wrong.
    #[arg(long, default_value_t = 0.1, value_name = "SHARE", value_parser = share, help_heading = "Plan")]
    pub disagreement: f64,
    /// Probability with which a difference is to be found.
    #[arg(long, default_value_t = 0.8, value_name = "PROBABILITY", value_parser = probability, help_heading = "Plan")]
    pub power: f64,
    /// Do not measure how long the runs take. The model, and hosts, are then not used, and what depends on the model is not
    /// checked.
    #[arg(long, help_heading = "Plan")]
    pub no_timing: bool,
    /// Print one JSON object.
    #[arg(long, help_heading = "Output")]
    pub json: bool,
}

/// The significance level of an experiment.
const ALPHA: f64 = 0.05;
/// Training examples of the measurement, and as many test examples.
const MEASURED: usize = 24;
/// Folds and repeats that are compared with the given design.
const ALTERNATIVES: [(usize, usize); 4] = [(5, 1), (5, 3), (10, 1), (10, 3)];
/// Most examples that are considered.
const MOST: usize = 100_000_000;

/// Runs the command.
///
/// # Errors
/// Returns an error if the options or the data do not fit an experiment, or the speed cannot be measured.
pub fn run(args: &PlanArgs, began: Instant) -> Result<(), Failure> {
    let options = &args.experiment;
    let approaches = approaches(options);
    check(options, &approaches)?;
    if let Some(option) = writes(options) {
        return Err(Failure::usage(format!("{option}: `plan` writes no results; it is an option of `experiment`")));
    }
    if !options.sizes.is_empty() {
        return Err(Failure::usage("--sizes: a plan is one for all training examples; remove the option"));
    }
    if options.groups.time_column.is_some() && options.folds.is_some() {
        return Err(Failure::usage("--time-column: a plan for folds by time is not possible; use --test-size"));
    }
    if options.metric.is_some_and(|metric| metric != Scorer::Accuracy) {
        return Err(Failure::usage("--metric: a plan is one for accuracy; remove the option"));
    }
    if options.data().is_none() && options.train.is_none() {
        return Err(Failure::usage("plan: needs labelled texts; add --data FILE"));
    }
    if args.difference / 100.0 > args.disagreement {
        return Err(Failure::usage(format!(
            "--difference: {} points are more than approaches can differ that disagree on {} of the examples (--disagreement)",
            args.difference, args.disagreement
        )));
    }
    if options.engine.backend == Backend::Remote && !args.no_timing {
        return Err(Failure::usage("--host: a plan measures this machine; remove the option, or add --no-timing"));
    }
    let mut display = Display::new(Verbosity::of(options.quiet || args.json, options.verbose));
    let sampling = sampling(options)?;
    if !sampling.all.task.has_classes() {
        let task = sampling.all.task;
        return Err(Failure::usage(format!("plan: needs one class per text; the task of the data is {task}")));
    }
    let designs = designs(options, &sampling);
    let seconds = if args.no_timing {
        vec![Vec::new(); designs.len()]
    } else {
        seconds(options, &approaches, &sampling, &designs, began, &mut display)?
    };
    let assumption = Assumption { disagreement: args.disagreement, power: args.power };
    let rows = designs.iter().zip(seconds).map(|(design, seconds)| {
        Ok(Row {
            design: *design,
            smallest: assumption.smallest_difference(design)?,
            needed: assumption.needed(design, args.difference / 100.0)?,
            seconds,
        })
    });
    let rows = rows.collect::<Result<Vec<_>, MetricsError>>().map_err(Failure::other)?;
    if args.json {
        display.result(&json(args, &sampling, &rows).to_string());
        return Ok(());
    }
    print(&display, args, &sampling, &rows);
    Ok(())
}

/// Returns the seconds of each design by two measurements: the first one also prepares memory.
fn seconds(
    options: &ExperimentArgs,
    approaches: &[Approach],
    sampling: &Sampling,
    designs: &[Design],
    began: Instant,
    display: &mut Display,
) -> Result<Vec<Vec<f64>>, Failure> {
    let device = options.engine.device()?.first;
    let found = model::find(&options.model, options.offline, &mut |download| display.download(&download))?.model;
    let experiment = experiment(options, (&found, sampling), approaches)?;
    let mut speeds = Vec::new();
    for _ in 0..2 {
        let engine = Engine { backend: options.engine.backend.name(), device: &device, workers: Vec::new() };
        let measured = || measure(&experiment, &found, sampling, engine, began, display);
        speeds.push(options.engine.backend.guard(measured)?);
    }
    display.clear();
    let of = |design: &Design| {
        let total = |speeds: &Vec<Speed>| speeds.iter().map(|speed| speed.seconds(design, &experiment)).sum();
        speeds.iter().map(total).collect()
    };
    Ok(designs.iter().map(of).collect())
}

/// How examples are divided into those to train on and those to test on.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Design {
    /// Examples that are divided; of a given test file, its examples.
    examples: usize,
    kind: Kind,
    /// Runs per sample and approach.
    seeds: usize,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    /// One test set, a share of the examples.
    Split {
        train: usize,
        share: f64,
    },
    Folds {
        folds: usize,
        repeats: usize,
    },
}

/// Returns the design of the options, and others of the same examples.
fn designs(args: &ExperimentArgs, sampling: &Sampling) -> Vec<Design> {
    let (examples, seeds, first) = (sampling.all.len(), args.seeds.len().max(1), &sampling.samples[0]);
    let train = first.train.len() + first.validation.len();
    let given = match sampling.folds {
        Some((folds, repeats)) => Design { examples, kind: Kind::Folds { folds, repeats }, seeds },
        None if args.test.is_some() => {
            Design { examples: first.test.len(), kind: Kind::Split { train, share: 1.0 }, seeds }
        }
        None => {
            let share = first.test.len() as f64 / examples as f64;
            Design { examples, kind: Kind::Split { train, share }, seeds }
        }
    };
    let is_fixed = args.test.is_some() || args.validation.is_some() || args.groups.time_column.is_some();
    let folds = ALTERNATIVES.map(|(folds, repeats)| Design { examples, kind: Kind::Folds { folds, repeats }, seeds });
    let others = folds.into_iter().filter(|other| !is_fixed && other.kind != given.kind);
    let others = others.filter(|other| matches!(other.kind, Kind::Folds { folds, .. } if folds <= examples / 2));
    [given].into_iter().chain(others).collect()
}

impl Design {
    /// Runs per approach.
    fn runs(&self) -> usize {
        match self.kind {
            Kind::Split { .. } => self.seeds,
            Kind::Folds { folds, repeats } => folds * repeats * self.seeds,
        }
    }

    /// Training and test examples of a run.
    fn sizes(&self) -> (usize, usize) {
        match self.kind {
            Kind::Split { train, share } => (train, (self.examples as f64 * share).round() as usize),
            Kind::Folds { folds, .. } => (self.examples - self.examples / folds, self.examples / folds),
        }
    }

    fn power(&self, effect: PairedEffect) -> Result<f64, MetricsError> {
        match self.kind {
            Kind::Split { .. } => mcnemar_power(effect, self.sizes().1, ALPHA),
            Kind::Folds { folds, .. } if self.examples < folds => Ok(0.0),
            Kind::Folds { folds, repeats } => corrected_t_power(effect, self.examples, folds, repeats, ALPHA),
        }
    }

    fn test(&self) -> &'static str {
        if matches!(self.kind, Kind::Split { .. }) { "McNemar, exact" } else { "corrected t" }
    }

    fn describe(&self) -> String {
        match self.kind {
            Kind::Split { .. } => format!("{} test examples", thousands(self.sizes().1)),
            Kind::Folds { folds, repeats: 1 } => format!("{folds} folds"),
            Kind::Folds { folds, repeats } => format!("{folds} folds, {repeats} times"),
        }
    }
}

/// What the power of a design is computed with.
struct Assumption {
    disagreement: f64,
    power: f64,
}

impl Assumption {
    fn effect(&self, difference: f64) -> PairedEffect {
        PairedEffect { difference, disagreement: self.disagreement }
    }

    /// Returns the smallest difference that a design finds, to a hundredth of a point; `None` if it finds none.
    fn smallest_difference(&self, design: &Design) -> Result<Option<f64>, MetricsError> {
        let step = |steps: usize| (steps as f64 / 1e4).min(self.disagreement);
        let (mut without, mut with) = (0, (self.disagreement * 1e4).ceil() as usize);
        if design.power(self.effect(step(with)))? < self.power {
            return Ok(None);
        }
        while with - without > 1 {
            let middle = without + (with - without) / 2;
            if design.power(self.effect(step(middle)))? < self.power { without = middle } else { with = middle }
        }
        Ok(Some(step(with)))
    }

    /// Returns how many examples a design needs to find a difference; `None` for more than [`MOST`].
    fn needed(&self, design: &Design, difference: f64) -> Result<Option<usize>, MetricsError> {
        let suffices =
            |examples: usize| Ok(Design { examples, ..*design }.power(self.effect(difference))? >= self.power);
        let mut with = 16;
        while !suffices(with)? {
            with *= 2;
            if with > MOST {
                return Ok(None);
            }
        }
        let mut without = with / 2;
        while with - without > (with / 200).max(1) {
            let middle = without + (with - without) / 2;
            if suffices(middle)? { with = middle } else { without = middle }
        }
        Ok(Some(with))
    }
}

/// The measured speed of an approach.
struct Speed {
    /// Seconds per training example and epoch, and per test example.
    train: f64,
    test: f64,
    /// The epochs, if they do not depend on the number of examples; 0 for one pass over all examples for all runs together.
    epochs: Option<usize>,
}

impl Speed {
    /// The seconds of all runs of a design.
    fn seconds(&self, design: &Design, experiment: &Experiment) -> f64 {
        let ((train, test), runs) = (design.sizes(), design.runs() as f64);
        match self.epochs {
            Some(0) => self.train * (train + test) as f64 + runs * self.test * test as f64,
            epochs => {
                let epochs = epochs.unwrap_or_else(|| experiment.epochs(train));
                runs * (self.train * (train * epochs) as f64 + self.test * test as f64)
            }
        }
    }
}

/// Runs all approaches on a few examples with the settings of the experiment.
fn measure(
    experiment: &Experiment,
    model: &PretrainedModel,
    sampling: &Sampling,
    engine: Engine<'_>,
    began: Instant,
    display: &mut Display,
) -> Result<Vec<Speed>, Failure> {
    let rows = Mt19937::new(experiment.arguments.seed as u32).permutation(sampling.all.len());
    let has_validation = !sampling.samples[0].validation.is_empty();
    let count = MEASURED.min(rows.len() / if has_validation { 3 } else { 2 });
    let part = |index: usize| sampling.all.select(&rows[index * count..(index + 1) * count]);
    let (train, test, validation) = (part(0), part(1), has_validation.then(|| part(2)));
    let small = Experiment {
        baselines: Vec::new(),
        seeds: Vec::new(),
        sizes: Vec::new(),
        keep_models: false,
        refit: false,
        ..experiment.clone()
    };
    let part = Sampling::fixed(train, validation, test);
    let mut observe = |progress: Progress<'_>| {
        if let Progress::Approach { spec, .. } = progress {
            display.line(&format!("measures {spec}"));
        }
    };
    let results = small.run(model, &part, engine, began, None, &mut observe)?.results;
    let speed = |(record, approach): (&rekindle::results::ApproachRecord, &Approach)| {
        let has_epochs = approach.has_option(TrainingOption::Epochs);
        let epochs = record.runs.first().and_then(|run| run.epochs.last()).map_or(1, |epoch| epoch.epoch);
        let seen = if has_epochs { count * epochs } else { 2 * count };
        let by_size = epochs == experiment.epochs(count);
        Speed {
            train: record.train_seconds / seen as f64,
            test: record.eval_seconds / count as f64,
            epochs: if has_epochs { (!by_size).then_some(epochs) } else { Some(0) },
        }
    };
    Ok(results.approaches.iter().zip(&experiment.approaches).map(speed).collect())
}

/// A design with what it finds.
struct Row {
    design: Design,
    smallest: Option<f64>,
    needed: Option<usize>,
    /// The seconds by each measurement.
    seconds: Vec<f64>,
}

impl Row {
    /// The shortest and the longest time.
    fn range(&self) -> Option<(f64, f64)> {
        let least = self.seconds.iter().copied().reduce(f64::min)?;
        Some((least, self.seconds.iter().copied().fold(least, f64::max)))
    }
}

fn json(args: &PlanArgs, sampling: &Sampling, rows: &[Row]) -> Value {
    let row = |row: &Row| {
        let (folds, repeats) = match row.design.kind {
            Kind::Split { .. } => (None, 1),
            Kind::Folds { folds, repeats } => (Some(folds), repeats),
        };
        json!({
            "folds": folds,
            "repeats": repeats,
            "test_examples": row.design.sizes().1,
            "runs": row.design.runs(),
            "test": row.design.test(),
            "smallest_difference": row.smallest.map(|difference| (1e4 * difference).round() / 100.0),
            "examples_needed": row.needed,
            "seconds": row.range().map(|(least, most)| [least, most]),
        })
    };
    json!({
        "examples": sampling.all.len(),
        "approaches": approaches(&args.experiment).len(),
        "difference": args.difference,
        "disagreement": args.disagreement,
        "power": args.power,
        "alpha": ALPHA,
        "designs": rows.iter().map(row).collect::<Vec<_>>(),
    })
}

fn print(display: &Display, args: &PlanArgs, sampling: &Sampling, rows: &[Row]) {
    let points = args.difference;
    display.line(&format!(
        "examples     {}; assumed: of two approaches, one is right and the other wrong on {} % of them (--disagreement)",
        thousands(sampling.all.len()),
        100.0 * args.disagreement
    ));
    display.line("");
    let head = format!("examples for {points} points");
    let header = ["design", "runs", "smallest difference", &head, "time"].map(String::from);
    let cells = |row: &Row| {
        let smallest =
            row.smallest.map_or("undetectable".into(), |difference| format!("{:.2} points", 100.0 * difference));
        let needed = row.needed.map_or_else(|| format!("over {}", thousands(MOST)), thousands);
        let time = row.range().map_or_else(
            || "not measured".into(),
            |(least, most)| {
                let (least, most) = (duration(least), duration(most));
                if least == most { format!("about {least}") } else { format!("{least} to {most}") }
            },
        );
        let (design, runs) = (row.design.describe(), thousands(row.design.runs()));
        [design, runs, smallest, needed, time]
    };
    let rows: Vec<[String; 5]> = rows.iter().map(cells).collect();
    let line = |[design, runs, smallest, needed, time]: &[String; 5]| {
        format!("{design:<24}  {runs:>5}  {smallest:>19}  {needed:>21}  {time}\n")
    };
    let table = std::iter::once(&header).chain(&rows).map(line).collect();
    display.result(fitted_table(table, &header, &rows).trim_end());
    display.line(&format!(
        "\nThe first design is that of the options. A difference in accuracy is found with probability {} at p < {ALPHA}: on one test \
         set by McNemar's exact test, over folds by the corrected t-test. The examples are those of the file that is divided, or of a \
         given test file. Runs and differences are per approach and for one \
         comparison; the adjustment for several (Holm), and differences between training runs, need more examples.",
        args.power
    ));
    if let Some(column) = &sampling.all.group_column {
        display.line(&format!(
            "Examples of a group (`{column}`) are not independent; the smallest difference is then larger."
        ));
    }
    if !args.no_timing {
        display.line(
            "The time is that of all approaches on this machine, extrapolated from two short runs of each; loading and \
             baselines come on top.",
        );
    }
}

/// Formats seconds.
fn duration(seconds: f64) -> String {
    match seconds {
        seconds if seconds < 90.0 => format!("{} s", seconds.ceil()),
        seconds if seconds < 5400.0 => format!("{} min", (seconds / 60.0).round()),
        seconds => format!("{:.1} h", seconds / 3600.0),
    }
}

fn points(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number: &f64| *number > 0.0 && *number <= 100.0);
    number.ok_or_else(|| "must be above 0 and at most 100".into())
}

fn probability(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number: &f64| *number > 0.0 && *number < 1.0);
    number.ok_or_else(|| "must be between 0 and 1".into())
}

const DATA: &str =
    "Labelled texts (CSV, TSV, JSON or JSONL, each also in gzip or zip, or Parquet) that the plan divides";

const EXAMPLES: &str = "\
Examples:
  rekindle plan reviews.csv
  rekindle plan reviews.csv --folds 5 --repeats 3 --approaches probe,last-2
  rekindle plan --train train.tsv --test test.tsv --no-header --no-timing \\
      --difference 1 --disagreement 0.05";
