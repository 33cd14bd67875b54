//! The section with everything that is needed to run the experiment again.

use maud::{Markup, html};

use rekindle_results::{ApproachRecord, Results, Source};

use super::{Section, design, name, runs, scrolling, spec, thousands};
use crate::format;

/// The command, model, data, design, settings and versions.
pub(super) fn section(results: &Results) -> Section {
    let command = &results.provenance.command;
    let body = html! {
        @if !command.is_empty() { p.lead { "To run the experiment again:" } pre { code { (quoted(command)) } } }
        @if !results.approaches.is_empty() { (approaches(results)) }
        div.columns {
            (list("Model", model(results)))
            (list("Design", layout(results)))
            (list("Settings", settings(results)))
            (list("Program", program(results)))
        }
        details {
            summary { "All runs" }
            @for record in results.approaches.iter().filter(|record| !record.runs.is_empty()) {
                h3 { (name(spec(record))) }
                (every_run(record))
            }
        }
    };
    Section { id: "run", title: "What was run", body }
}

/// A name with the option that sets it, and a value.
type Fact = (&'static str, &'static str, Markup);

fn list(title: &str, facts: Vec<Fact>) -> Markup {
    html! {
        div {
            h3 { (title) }
            dl {
                @for (name, option, value) in facts {
                    dt { (name) @if !option.is_empty() { " " code { (option) } } }
                    dd { (value) }
                }
            }
        }
    }
}

fn model(results: &Results) -> Vec<Fact> {
    let source = match results.model.source {
        Source::Hub => "Hugging Face hub or its cache",
        Source::Folder => "folder",
        Source::Embedded => "embedded in the program",
    };
    vec![
        ("Name", "--model", html! { (results.model.id) }),
        ("Source", "", html! { (source) }),
        ("SHA-256 of the weights", "", html! { code { (results.model.sha256) } }),
    ]
}

fn layout(results: &Results) -> Vec<Fact> {
    let record = &results.design;
    let numbers = |numbers: Vec<String>| numbers.join(", ");
    let tested = match record.folds {
        Some(folds) if record.time_column.is_some() => format!("{folds} folds by time, after their training examples"),
        Some(folds) => format!("{folds} stratified folds, {} repeat{}", record.repeats, plural(record.repeats)),
        None => "one fixed test set".into(),
    };
    let chosen = match (&record.metric_for_best_model, record.validation) {
        (Some(metric), held) => format!("best {metric} on {} validation examples", thousands(held)),
        (None, _) => "last".into(),
    };
    let mut facts = vec![
        ("Tested on", if record.folds.is_some() { "--folds" } else { "" }, html! { (tested) }),
        ("Runs", "", html! { (design(results)) }),
        ("Seeds", "--seeds", html! { (numbers(record.seeds.iter().map(u64::to_string).collect())) }),
        ("First seed", "--seed", html! { (results.seed) }),
        ("Metric", "--metric", html! { (record.metric_label()) }),
        ("Tested epoch", "--metric-for-best-model", html! { (chosen) }),
    ];
    if !record.sizes.is_empty() {
        let sizes = numbers(record.sizes.iter().map(|size| thousands(*size)).collect());
        facts.push(("Training sizes", "--sizes", html! { (sizes) }));
    }
    facts
}

fn settings(results: &Results) -> Vec<Fact> {
    let arguments = &results.arguments;
    let warmup = match arguments.warmup_steps {
        share if share > 0.0 && share < 1.0 => format!("{} % of all steps", share * 100.0),
        steps => format!("{steps} steps"),
    };
    let weights = arguments.class_weights.as_ref().map_or_else(
        || "equal".into(),
        |weights| weights.iter().map(|weight| format!("{weight:.3}")).collect::<Vec<_>>().join(", "),
    );
    let patience = arguments.early_stopping_patience;
    let fixed = vec![
        ("Maximum tokens per text", "--max-length", html! { (arguments.max_length) }),
        ("Longer texts", "--long-texts", html! { (arguments.long_texts.as_deref().unwrap_or("truncate")) }),
        ("Examples per batch", "--batch-size", html! { (arguments.batch_size) }),
        ("Batches per step", "--gradient-accumulation-steps", html! { (arguments.gradient_accumulation_steps) }),
        ("Maximum epochs", "--epochs", html! { (arguments.epochs) }),
        ("Learning rate schedule", "--lr-scheduler-type", html! { (arguments.lr_scheduler_type) }),
        ("Warm-up", "--warmup-steps", html! { (warmup) }),
        ("Class weights", "--class-weights", html! { (weights) }),
        (
            "Early stopping",
            "--early-stopping-patience",
            html! {
                @if let Some(epochs) = patience { "after " (epochs) " epoch" (plural(epochs)) " without improvement" } @else { "never" }
            },
        ),
        (
            "Dropout in frozen layers",
            "--frozen-dropout",
            html! { @if arguments.frozen_dropout { "on" } @else { "off" } },
        ),
    ];
    // Without the option, there is nothing to say.
    let given = [
        ("Precision of frozen layers", "--frozen-precision", arguments.frozen_precision.clone()),
        ("Order of examples", "--shuffle", arguments.shuffle.clone()),
        ("Costs of errors", "--cost", arguments.cost.clone()),
        ("Beta of the F score of thresholds", "--f-beta", arguments.f_beta.map(|beta| beta.to_string())),
        (
            "Inner folds of calibration",
            "--calibration-folds",
            arguments.calibration_folds.map(|folds| folds.to_string()),
        ),
    ];
    let given = given.into_iter().filter_map(|(name, option, value)| Some((name, option, html! { (value?) })));
    fixed.into_iter().chain(given).collect()
}

fn program(results: &Results) -> Vec<Fact> {
    let mut facts = vec![("Backend", "--backend", html! { (results.backend) })];
    if !results.provenance.versions.is_empty() {
        facts.push((
            "Versions",
            "",
            html! {
                @for (name, version) in &results.provenance.versions { span.version { (name) " " (version) } " " }
            },
        ));
    }
    if let Some(date) = format::date(results.provenance.finished) {
        facts.push(("Finished", "", html! { (date) }));
    }
    facts.push(("Total time", "", html! { (format::duration(results.seconds)) }));
    if let Some(memory) = results.peak_memory {
        facts.push(("Peak memory", "", html! { (format::bytes(memory)) }));
    }
    facts
}

/// The learning rate, the weight decay, the epochs and the steps of each approach.
fn approaches(results: &Results) -> Markup {
    let table = html! {
        table.reflow {
            thead {
                tr {
                    th scope="col" { "Approach " code { "--approaches" } }
                    th.number scope="col" { "Learning rate " code { "lr" } }
                    th.number scope="col" { "Weight decay " code { "wd" } }
                    th.number scope="col" { "Epochs " code { "--epochs" } }
                    th.number scope="col" { "Steps" }
                    th scope="col" { "Name in files" }
                }
            }
            tbody { @for record in &results.approaches { (approach(results, record)) } }
        }
    };
    scrolling("Approaches", table)
}

fn approach(results: &Results, record: &ApproachRecord) -> Markup {
    let runs = runs(results, record);
    let epochs = range(runs.iter().map(|run| run.steps.last().map_or(0, |step| step.epoch)));
    let steps = range(runs.iter().map(|run| run.steps.len()));
    html! {
        tr {
            th scope="row" { (name(spec(record))) }
            td.number data-label="Learning rate" {
                span.mean { (rate(record.learning_rate)) }
                @if let Some(head) = record.head_learning_rate { " " span.interval { "head " (rate(head)) } }
            }
            td.number data-label="Weight decay" { (record.weight_decay) }
            td.number data-label="Epochs" { (epochs) }
            td.number data-label="Steps" { (steps) }
            td data-label="Name in files" { (name(&record.approach)) }
        }
    }
}

/// Formats a learning rate as options are written, `2e-5`; an approach without gradient descent has none.
fn rate(rate: f64) -> String {
    match rate {
        0.0 => "–".into(),
        _ if rate < 0.01 => format!("{rate:e}"),
        _ => rate.to_string(),
    }
}

/// Formats the smallest and the largest of several numbers, or the one that all are equal to.
fn range(numbers: impl Iterator<Item = usize> + Clone) -> String {
    match (numbers.clone().min(), numbers.max()) {
        (Some(low), Some(high)) if low < high => format!("{} to {}", thousands(low), thousands(high)),
        (Some(low), _) if low > 0 => thousands(low),
        _ => "–".into(),
    }
}

fn every_run(record: &ApproachRecord) -> Markup {
    let table = html! {
        table {
            thead {
                tr {
                    @for column in ["Size", "Seed", "Repeat", "Fold", "Tested on", "Accuracy", "F1", "Loss", "Epoch", "Time"] {
                        th.number scope="col" { (column) }
                    }
                }
            }
            tbody {
                @for run in &record.runs {
                    tr {
                        td.number { (thousands(run.size)) } td.number { (run.seed) } td.number { (run.repeat) }
                        td.number { (run.fold) } td.number { (thousands(run.test)) } td.number { (format::optional(run.accuracy)) }
                        td.number { (format::optional(run.f1)) } td.number { (format::score(run.loss)) }
                        td.number { (run.best_epoch) } td.number { (format::duration(run.train_seconds + run.eval_seconds)) }
                    }
                }
            }
        }
    };
    scrolling(&format!("All runs: {}", spec(record)), table)
}

/// Quotes the words of a command for a shell.
fn quoted(command: &[String]) -> String {
    let words = command.iter().map(String::as_str);
    shlex::try_join(words.clone()).unwrap_or_else(|_| words.collect::<Vec<_>>().join(" "))
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}
