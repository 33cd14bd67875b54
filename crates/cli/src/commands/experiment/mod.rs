//! `rekindle experiment`.

mod args;
mod check;
mod costs;

use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};

use rekindle::data::{Dataset, ReadOptions, TestSize, twelve_sentences};
use rekindle::experiment::{
    Approach, Budget, Defaults, Engine, Experiment, ExperimentError, ExperimentStore, Overrides, Progress, Sampling,
    Search,
};
use rekindle::infer::PretrainedModel;
use rekindle::metrics::Scorer;
use rekindle::report::{Output, StepRow, thousands};
use rekindle::results::{DroppedRecord, Provenance, Results, RunKey, StepRecord};
use rekindle::train::{Event, Stop, TrainingArguments};

use crate::exit::{Failure, Kind};
use crate::interrupt;
use crate::options;
use crate::options::groups::check_times;
use crate::options::model::{self, Found};
use crate::terminal::{Display, Verbosity};

pub use args::{Approaches, Design, ExperimentArgs};
use args::{BATCH_SIZE, DEFAULT_OUTPUT, Switch};
pub use check::check;
use costs::Costs;

/// The default of `--test-size`.
const TEST_SIZE: TestSize = TestSize::Fraction(0.25);
/// Examples below which a design by size has folds, and how many: a test set of fewer than 250 would say little.
const FEW: usize = 1000;
const FOLDS: usize = 5;

/// Runs the command.
///
/// # Errors
/// Returns whatever stopped the experiment. Earlier results are then unchanged.
pub fn run(args: &ExperimentArgs, began: Instant) -> Result<(), Failure> {
    let approaches = approaches(args);
    check(args, &approaches)?;
    let names: Vec<String> = approaches.iter().map(|approach| approach.name.clone()).collect();
    execute(args, began, &names, &|_| Ok(approaches.clone()))
}

/// What is known before the approaches are chosen.
pub struct Plan<'a> {
    /// The model.
    pub model: &'a PretrainedModel,
    /// The data and the samples.
    pub sampling: &'a Sampling,
    /// The number of runs of an approach, with the one of the final model.
    pub searches: usize,
}

/// Runs an experiment with the approaches that follow from its data and model; `names` are theirs.
///
/// # Errors
/// Returns whatever stopped the experiment. Earlier results are then unchanged.
pub fn execute(
    args: &ExperimentArgs,
    began: Instant,
    names: &[String],
    approaches: &dyn Fn(&Plan<'_>) -> Result<Vec<Approach>, Failure>,
) -> Result<(), Failure> {
    let mut display = Display::new(Verbosity::of(args.quiet, args.verbose));
    let (device, workers) = args.engine.workers(args.devices_per_run, |text| display.warn(text))?;
    let output = output(args, names)?;
    let sampling = sampling(args)?;
    if output.is_replacing() {
        display.line(&format!("replaces the earlier results in {}", args.output.display()));
    }
    let found = model::find(&args.model, args.offline, &mut |download| display.download(&download))?;
    found.warnings().iter().for_each(|warning| display.warn(warning));
    let Found { model, substituted } = found;
    if let Some(reason) = &substituted {
        display.warn(&format!(
            "{reason}\nThe small embedded model `{}` replaces distilbert-base-uncased. It was pretrained on generated \
             English opinions only, and its results are much worse.",
            model.id
        ));
    }
    describe(&display, &model, &sampling, args);
    let searches = experiment(args, (&model, &sampling), &[])?.runs_per_approach(&sampling)?;
    let approaches = approaches(&Plan { model: &model, sampling: &sampling, searches })?;
    let experiment = experiment(args, (&model, &sampling), &approaches)?;
    for search in experiment.approaches.iter().filter_map(Approach::search) {
        display.line(&format!("search   {}", described(search, searches)));
    }

    let stop = Stop::default();
    let save_strategy = args.checkpoint_every.unwrap_or(options::LONG_EPOCHS);
    let store = ExperimentStore::new(output.checkpoint_folder(), Some(save_strategy), stop.clone());
    begin(&store, args.resume, &display)?;
    interrupt::handle(&stop, display.notices())?;
    let engine = Engine { backend: args.engine.backend.name(), device: &device, workers };
    let (mut history, mut costs) = (History::default(), Costs::default());
    let mut observe = |progress: Progress<'_>| {
        history.note(&progress);
        costs.note(&progress);
        display.progress(&progress);
    };
    let work = || Ok(experiment.run(&model, &sampling, engine, began, Some(&store), &mut observe)?);
    let outcome = args.engine.backend.guard(work);
    let mut outcome = match outcome {
        Ok(outcome) => outcome,
        Err(failure) => return Err(interrupted(failure, &history.steps, output, &store)?),
    };
    outcome.results.data.files = files(args);
    if let Some(file) = &args.drop_label_issues {
        outcome.results.data.dropped = Some(DroppedRecord::new(file.display().to_string(), sampling.dropped.len()));
    }
    outcome.results.provenance = provenance();
    costs.record(&mut outcome.results);
    outcome.results.peak_memory = rekindle::allocator::peak_memory();
    let save_models = |folder: &Path| match args.save_models {
        true => outcome.save_models(folder, &model),
        false => Ok(Vec::new()),
    };
    let (folder, zip) = output.write(&outcome.results, args.zip_models, save_models).map_err(Failure::output)?;

    display.line("");
    display.summary(&outcome.results);
    display.line(&format!(
        "\n{}, model {}, {:.2} s\nresults in {} and {}",
        tested(&outcome.results),
        outcome.results.model.id,
        outcome.results.seconds,
        folder.display(),
        zip.display()
    ));
    if args.design == Design::BySize {
        names.iter().for_each(|name| display.line(&format!("model in {}", folder.join("models").join(name).display())));
    }
    Ok(())
}

/// The output folder. The demonstration replaces its own results in the default folder: it is the first command of every
/// newcomer, and its results are known. Results from data files are replaced only with `--overwrite`.
fn output(args: &ExperimentArgs, models: &[String]) -> Result<Output, Failure> {
    let is_demonstration = || {
        let earlier = Results::read(&args.output).map(|results| results.data.files);
        args.output == Path::new(DEFAULT_OUTPUT)
            && files(args).is_empty()
            && earlier.is_ok_and(|files| files.is_empty())
    };
    let models = if args.save_models { models } else { &[] };
    let overwrite = args.overwrite || is_demonstration();
    Output::prepare(&args.output, models, overwrite).map_err(Failure::output)
}

/// A search in words.
fn described(search: &Search, searches: usize) -> String {
    let halving = search.halving.map_or("no halving".into(), |factor| format!("successive halving by {factor}"));
    let candidates = search.candidates.len();
    let text = format!("{candidates} candidates, {} inner folds, {halving}", search.inner_folds);
    let several = if searches == 1 { "one search".into() } else { format!("{searches} searches") };
    match search.budget {
        Budget::Unlimited => format!("{text}; {several}"),
        budget => format!("{text}; {budget} for {several}"),
    }
}

/// Returns the first given option of what an experiment writes.
pub fn writes(args: &ExperimentArgs) -> Option<&'static str> {
    let given = [
        ("--output", args.output != Path::new(DEFAULT_OUTPUT)),
        ("--overwrite", args.overwrite),
        ("--save-models", args.save_models),
        ("--zip-models", args.zip_models),
        ("--checkpoint-every", args.checkpoint_every.is_some()),
        ("--resume", args.resume),
        ("--label-issue-filter", args.label_issue_filter.is_some()),
    ];
    given.into_iter().find(|(_, is_given)| *is_given).map(|(option, _)| option)
}

/// Resumes an interrupted experiment, or begins a new one.
fn begin(store: &ExperimentStore, resume: bool, display: &Display) -> Result<(), ExperimentError> {
    if resume && store.is_begun() {
        display.line(&format!("resumed  from {}", store.folder().display()));
    } else if resume {
        display.line("resumed  nothing: there is no interrupted run");
    } else if let Some(before) = store.begin()? {
        display.warn(&format!(
            "an earlier run to this folder was interrupted, and --resume would have continued it; its files are now in {}",
            before.display()
        ));
    }
    Ok(())
}

/// The failure of an experiment, with a note on where its finished parts are.
fn interrupted(
    failure: Failure,
    steps: &[StepRow],
    output: Output,
    store: &ExperimentStore,
) -> Result<Failure, Failure> {
    if failure.kind() == Kind::Interrupted {
        return Ok(Failure::interrupted(failure));
    }
    let mut notes = Vec::new();
    if !steps.is_empty() {
        let kept = output.write_failed(steps).map_err(Failure::output)?;
        notes.push(format!("the {} steps before are kept in {}", steps.len(), kept.display()));
    }
    if store.is_begun() {
        let folder = store.folder().display();
        notes.push(format!("finished runs are kept in {folder}, and --resume continues from there"));
    }
    Ok(if notes.is_empty() { failure } else { failure.with_note(notes.join("; ")) })
}

/// The approaches of the options; by default those of the notebook, and on the user's data also the probe.
pub fn approaches(args: &ExperimentArgs) -> Vec<Approach> {
    match &args.approaches {
        Some(approaches) => approaches.0.clone(),
        None if files(args).is_empty() => Approach::notebook(),
        None => Approach::usual(),
    }
}

/// The experiment that the options describe, with these approaches.
pub fn experiment(
    args: &ExperimentArgs,
    (model, sampling): (&PretrainedModel, &Sampling),
    approaches: &[Approach],
) -> Result<Experiment, Failure> {
    let defaults = if files(args).is_empty() { Defaults::Notebook } else { Defaults::OwnData };
    let overrides = Overrides { learning_rate: args.learning_rate, epochs: args.epochs, batch_size: args.batch_size };
    let batch_size = args.batch_size.unwrap_or(BATCH_SIZE);
    let approach = |approach: &Approach| approach.with_defaults(defaults, overrides);
    let approaches: Vec<Approach> = approaches.iter().map(approach).collect::<Result<_, _>>()?;
    let is_new = |baseline: &Approach| approaches.iter().all(|approach| approach.name != baseline.name);
    Ok(Experiment {
        baselines: Approach::baselines().into_iter().filter(is_new).collect(),
        approaches,
        max_length: model::max_length(args.max_length, model),
        long_texts: args.long_texts.unwrap_or(model.long_texts),
        min_steps: args.epochs.map_or_else(|| defaults.min_steps(sampling.all.classes.len()), |_| 0),
        pooling: Some(defaults.pooling(model)),
        arguments: TrainingArguments {
            num_train_epochs: args.epochs.unwrap_or(defaults.epochs()),
            per_device_train_batch_size: batch_size,
            per_device_eval_batch_size: batch_size,
            gradient_accumulation_steps: args.gradient_accumulation_steps,
            lr_scheduler_type: args.lr_scheduler_type,
            warmup_steps: args.warmup_steps,
            metric_for_best_model: args.metric_for_best_model.unwrap_or(Scorer::Loss),
            early_stopping_patience: args.early_stopping_patience,
            seed: args.seed.into(),
            shuffle: args.shuffle,
            frozen_dropout: args.frozen_dropout == Switch::On,
            ..TrainingArguments::default()
        },
        seeds: args.seeds.iter().copied().map(u64::from).collect(),
        sizes: args.sizes.iter().map(|size| size.0).collect(),
        frozen_precision: args.frozen_precision,
        class_weights: args.class_weights.0.clone(),
        metric: args.metric,
        label_issue_filter: args.label_issue_filter.unwrap_or_default(),
        calibrate: args.calibrate,
        threshold_rule: args.cost.or(args.f_beta),
        inner_folds: args.calibration_folds,
        keep_models: args.save_models,
        refit: args.design == Design::BySize && args.test.is_none(),
    })
}

/// The test examples, in words.
fn tested(results: &Results) -> String {
    match (results.design.folds, results.design.repeats) {
        (None, _) => format!("{} test examples", results.data.test),
        (Some(folds), 1) => format!("{folds} folds"),
        (Some(folds), repeats) => format!("{folds} folds, {repeats} times"),
    }
}

fn files(args: &ExperimentArgs) -> Vec<String> {
    let named = [args.data(), args.train.as_ref(), args.validation.as_ref(), args.test.as_ref()];
    named.into_iter().flatten().map(|path| path.display().to_string()).collect()
}

/// The command that is running, and the software.
pub fn provenance() -> Provenance {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let words = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
    let versions = vec![
        ("rekindle".into(), env!("CARGO_PKG_VERSION").into()),
        ("platform".into(), format!("{} {}", std::env::consts::OS, std::env::consts::ARCH)),
    ];
    // Repeating the command does not resume.
    let command = words.filter(|word| word != "--resume").collect();
    Provenance::new(command, versions, now.map_or(0, |time| time.as_secs()))
}

/// The steps of all approaches so far, for the file that a failed experiment leaves.
#[derive(Default)]
struct History {
    approach: String,
    run: RunKey,
    steps: Vec<StepRow>,
}

impl History {
    fn note(&mut self, progress: &Progress<'_>) {
        match progress {
            Progress::Approach { approach, .. } => self.approach = (*approach).into(),
            Progress::RunStarted { key } => self.run = *key,
            Progress::RunRestored(run) => {
                self.run = run.key();
                run.steps.iter().for_each(|step| self.push(step.clone()));
            }
            Progress::Training(Event::Step(step)) => {
                self.push(StepRecord::new(step.step, step.epoch, step.loss, step.grad_norm, step.learning_rate));
            }
            _ => {}
        }
    }

    fn push(&mut self, step: StepRecord) {
        self.steps.push(StepRow { approach: self.approach.clone(), run: self.run, step });
    }
}

/// The examples of the options, and the samples for training and testing.
pub fn sampling(args: &ExperimentArgs) -> Result<Sampling, Failure> {
    let options = args.groups.add_to(args.labels.add_to(args.data_file.read_options()));
    let options = ReadOptions { symmetric: args.symmetric, ..options };
    let all = match args.data().or(args.train.as_ref()) {
        Some(path) => Dataset::read(path, &options)?,
        None => twelve_sentences(),
    };
    check::check_labels(args, all.task)?;
    let listed = args.drop_label_issues.as_ref().map(|path| all.read_label_issues(path)).transpose()?;
    let mut listed = listed.unwrap_or_default();
    let labels = all.select(&[]);
    let more = |path: &PathBuf| labels.read_like(path, &options);
    let validation = args.validation.as_ref().map(more).transpose()?;
    let sampling = match (&args.test, args.folds) {
        (Some(path), _) => {
            let test = more(path)?;
            let first = |data: &Dataset| data.examples.first().and_then(|example| example.time);
            check_times(first(&all), first(&test), path)?;
            Sampling::fixed(all, validation, test)
        }
        (None, Some(folds)) => Sampling::folds(all, folds, args.repeats, args.seed)?,
        (None, None) => match folds_by_size(args, &all) {
            Some(sampling) => sampling,
            None => {
                let split = all.train_test_rows(args.test_size.unwrap_or(TEST_SIZE), args.seed, true)?;
                // Training examples are numbered anew.
                listed = (0..split.train.len()).filter(|&row| listed.contains(&split.train[row])).collect();
                Sampling::fixed(all.select(&split.train), validation, all.select(&split.test))
            }
        },
    };
    let sampling = sampling.drop_from_training(&listed)?;
    Ok(match args.validation_size {
        Some(size) => sampling.hold_out(size, args.seed)?,
        None => sampling,
    })
}

/// Folds of few examples, if the design asks for them: five, or as many as the smallest class has examples.
fn folds_by_size(args: &ExperimentArgs, all: &Dataset) -> Option<Sampling> {
    let is_free = args.design == Design::BySize && args.test_size.is_none() && args.validation.is_none();
    let mut counts = (2..=FOLDS).rev().filter(|_| is_free && all.len() < FEW);
    counts.find_map(|folds| Sampling::folds(all.clone(), folds, args.repeats, args.seed).ok())
}

fn describe(display: &Display, model: &PretrainedModel, sampling: &Sampling, args: &ExperimentArgs) {
    let first = &sampling.samples[0];
    let groups = sampling.all.column_groups().map(|groups| groups.iter().max().map_or(0, |last| last + 1));
    let groups = groups.zip(args.groups.group_column.as_ref());
    let of_groups = groups.map(|(groups, column)| format!("{} groups (`{column}`)", thousands(groups)));
    let all = match &of_groups {
        Some(groups) => format!("{} examples in {groups}, ", sampling.all.len()),
        None => format!("{} examples in ", sampling.all.len()),
    };
    let mut data = match sampling.folds {
        None => format!("{} training and {} test examples", first.train.len(), first.test.len()),
        Some((folds, 1)) => format!("{all}{folds} folds"),
        Some((folds, repeats)) => format!("{all}{folds} folds, {repeats} times"),
    };
    if let Some(groups) = of_groups.filter(|_| sampling.folds.is_none()) {
        data.push_str(&format!(" of {groups}"));
    }
    if !first.validation.is_empty() {
        data.push_str(&format!(", {} validation examples", first.validation.len()));
    }
    if let Some(path) = &args.drop_label_issues {
        let (dropped, file) = (sampling.dropped.len(), path.display());
        data.push_str(&format!(
            "; {} label error{} of {file} not trained on",
            thousands(dropped),
            if dropped == 1 { "" } else { "s" }
        ));
    }
    let from = sampling.test_from();
    if let Some(column) = args.groups.time_column.as_ref().filter(|_| args.test.is_none()) {
        let from: Vec<String> = from.iter().map(ToString::to_string).collect();
        data.push_str(&format!(" by time (`{column}`), tested from {} on", from.join(", ")));
    }
    let repeated = sampling.repeated_texts();
    if repeated > 0 && args.test.is_none() && args.groups.time_column.is_none() {
        let text = if sampling.all.has_pairs() { "texts" } else { "text" };
        let repeat = if args.groups.near_duplicates.is_some() { "repeat or nearly repeat" } else { "repeat" };
        data.push_str(&format!("; {} {repeat} the {text} of another and stay with it", thousands(repeated)));
    }
    display.line(&format!("model    {}", model::describe(model)));
    display.line(&format!("data     {data}"));
    display.line(&format!("classes  {}", sampling.all.classes));
    if let Some(length) = model.trained_max_length().filter(|_| args.max_length.is_none()) {
        display.line(&format!("length   at most {length} tokens per text, as the model was trained"));
    }
    let seeds: Vec<String> = args.seeds.iter().map(u32::to_string).collect();
    let seeds = if seeds.is_empty() { String::new() } else { format!(", training seeds {}", seeds.join(", ")) };
    display.line(&format!("backend  {}, seed {}{seeds}", args.engine.backend, args.seed));
}
