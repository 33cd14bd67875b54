//! `rekindle experiment`.

use std::time::Instant;

use rekindle_data::{Dataset, ReadOptions, twelve_sentences};
use rekindle_experiment::{Experiment, Output, PretrainedModel, Progress};
use rekindle_train::{Event, StepRecord, TrainingArguments};

use crate::cli::{ExperimentArgs, Switch};
use crate::display::{Display, Verbosity};
use crate::model::{self, Found};

/// Runs the command.
///
/// # Errors
/// Anything that stops it, as a sentence for the user; nothing of an earlier output is then changed.
pub fn run(args: &ExperimentArgs, began: Instant) -> Result<(), Box<dyn std::error::Error>> {
    let mut display = Display::new(Verbosity::of(args.quiet, args.verbose));
    let device = args.backend.device()?;
    let output = Output::prepare(&args.output)?;
    let (train, test) = data(args)?;
    let Found { model, substituted } =
        model::find(&args.model, args.offline, &mut |download| display.download(&download))?;
    if let Some(reason) = &substituted {
        display.warn(&format!(
            "{reason}\n         The small embedded model `{}` stands in for distilbert-base-uncased. It knows generated\n         \
             English opinions and little else: expect far less of it.",
            model.id
        ));
    }
    describe(&display, &model, &train, &test, args);

    let experiment = Experiment {
        approaches: args.approaches.0.clone(),
        max_length: args.max_length,
        arguments: TrainingArguments {
            num_train_epochs: args.epochs,
            per_device_train_batch_size: args.batch_size,
            per_device_eval_batch_size: args.batch_size,
            seed: args.seed.into(),
            shuffle: args.shuffle,
            frozen_dropout: args.frozen_dropout == Switch::On,
            ..TrainingArguments::default()
        },
    };
    let backend = (args.backend.name(), &device);
    let mut history = History::default();
    let mut observe = |progress: Progress<'_>| {
        history.note(&progress);
        display.progress(&progress);
    };
    let outcome = args.backend.guard(|| Ok(experiment.run(&model, &train, &test, backend, began, &mut observe)?));
    let outcome = match outcome {
        Ok(outcome) => outcome,
        Err(error) if history.steps.is_empty() => return Err(error),
        Err(error) => {
            let kept = output.write_failed(&history.steps)?;
            return Err(
                format!("{error}\nthe {} steps before are kept in {}", history.steps.len(), kept.display()).into()
            );
        }
    };
    let (folder, zip) = output.write(&outcome, args.save_models.then_some(&model.tokenizer))?;

    display.line("");
    display.summary(&outcome.results);
    display.line(&format!(
        "\n{} test sentences, model {}, {:.2} s\nresults in {} and {}",
        outcome.results.data.test,
        outcome.results.model.id,
        outcome.results.seconds,
        folder.display(),
        zip.display()
    ));
    Ok(())
}

/// The steps of all approaches so far, which survive a run that fails.
#[derive(Default)]
struct History {
    approach: String,
    steps: Vec<(String, StepRecord)>,
}

impl History {
    fn note(&mut self, progress: &Progress<'_>) {
        match progress {
            Progress::Approach { approach, .. } => self.approach.clone_from(&approach.name),
            Progress::Training(Event::Step(step)) => self.steps.push((self.approach.clone(), step.clone())),
            _ => {}
        }
    }
}

/// The training and test sentences that the options name.
fn data(args: &ExperimentArgs) -> Result<(Dataset, Dataset), rekindle_data::DataError> {
    let options = ReadOptions {
        text_column: args.text_column.clone(),
        label_column: args.label_column.clone(),
        header: !args.no_header,
        ..ReadOptions::default()
    };
    if let (Some(train), Some(test)) = (&args.train, &args.test) {
        let train = Dataset::read(train, &options)?;
        let test = Dataset::read_with_classes(test, &options, &train.classes)?;
        return Ok((train, test));
    }
    let all = match &args.data {
        Some(path) => Dataset::read(path, &options)?,
        None => twelve_sentences(),
    };
    all.train_test_split(args.test_size, args.seed, true)
}

fn describe(display: &Display, model: &PretrainedModel, train: &Dataset, test: &Dataset, args: &ExperimentArgs) {
    display.line(&format!("model    {}", model::describe(model)));
    display.line(&format!("data     {} training and {} test sentences", train.len(), test.len()));
    display.line(&format!("classes  {}", train.classes.names().join(", ")));
    display.line(&format!("backend  {}, seed {}", args.backend, args.seed));
}
