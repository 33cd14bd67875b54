//! The section with everything that is needed to run the experiment again.

use maud::{Markup, html};

use rekindle_results::{ApproachRecord, Results, Source};

use super::{Section, design, name, thousands};
use crate::format;

/// The command, model, data, design, settings and versions.
pub(super) fn section(results: &Results) -> Section {
    let command = &results.provenance.command;
    let body = html! {
        @if !command.is_empty() { p.lead { "To run the experiment again:" } pre { code { (quoted(command)) } } }
        div.columns {
            (list("Model", model(results)))
            (list("Data", data(results)))
            (list("Design", layout(results)))
            (list("Settings", settings(results)))
            (list("Program", program(results)))
        }
        (classes(results))
        details {
            summary { "All runs" }
            @for record in results.approaches.iter().filter(|record| !record.runs.is_empty()) {
                h3 { (name(&record.approach)) }
                (every_run(record))
            }
        }
    };
    Section { id: "run", title: "Experiment", body }
}

/// A name and a value.
type Fact = (&'static str, Markup);

fn list(title: &str, facts: Vec<Fact>) -> Markup {
    html! {
        div {
            h3 { (title) }
            dl { @for (name, value) in facts { dt { (name) } dd { (value) } } }
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
        ("Name", html! { (results.model.id) }),
        ("Source", html! { (source) }),
        ("SHA-256 of the weights", html! { code { (results.model.sha256) } }),
    ]
}

fn data(results: &Results) -> Vec<Fact> {
    let data = &results.data;
    let files = html! {
        @if data.files.is_empty() { "the twelve examples of the notebook" }
        @for file in &data.files { code { (file) } " " }
    };
    let first = if results.design.folds.is_some() { " of the first fold" } else { "" };
    vec![
        ("Files", files),
        ("Training examples", html! { (thousands(data.train)) (first) }),
        ("Test examples", html! { (thousands(data.test)) (first) }),
        ("Classes", html! { (thousands(data.classes.len())) }),
    ]
}

fn layout(results: &Results) -> Vec<Fact> {
    let record = &results.design;
    let numbers = |numbers: Vec<String>| numbers.join(", ");
    let tested = match record.folds {
        Some(folds) => format!("{folds} stratified folds, {} repeat{}", record.repeats, plural(record.repeats)),
        None => "one fixed test set".into(),
    };
    let chosen = match (&record.metric_for_best_model, record.validation) {
        (Some(metric), held) => format!("best {metric} on {} validation examples", thousands(held)),
        (None, _) => "last".into(),
    };
    let mut facts = vec![
        ("Tested on", html! { (tested) }),
        ("Runs", html! { (design(results)) }),
        ("Seeds", html! { (numbers(record.seeds.iter().map(u64::to_string).collect())) }),
        ("First seed", html! { (results.seed) }),
        ("Tested epoch", html! { (chosen) }),
    ];
    if !record.sizes.is_empty() {
        let sizes = numbers(record.sizes.iter().map(|size| thousands(*size)).collect());
        facts.push(("Training sizes", html! { (sizes) }));
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
    vec![
        ("Maximum tokens per text", html! { (arguments.max_length) }),
        ("Examples per batch", html! { (arguments.batch_size) }),
        ("Batches per step", html! { (arguments.gradient_accumulation_steps) }),
        ("Maximum epochs", html! { (arguments.epochs) }),
        ("Learning rate schedule", html! { (arguments.lr_scheduler_type) }),
        ("Warm-up", html! { (warmup) }),
        ("Class weights", html! { (weights) }),
        (
            "Early stopping",
            html! {
                @if let Some(epochs) = patience { "after " (epochs) " epoch" (plural(epochs)) " without improvement" } @else { "never" }
            },
        ),
        ("Dropout in frozen layers", html! { @if arguments.frozen_dropout { "on" } @else { "off" } }),
    ]
}

fn program(results: &Results) -> Vec<Fact> {
    let mut facts = vec![("Backend", html! { (results.backend) })];
    if !results.provenance.versions.is_empty() {
        facts.push((
            "Versions",
            html! {
                @for (name, version) in &results.provenance.versions { span.version { (name) " " (version) } " " }
            },
        ));
    }
    if let Some(date) = format::date(results.provenance.finished) {
        facts.push(("Finished", html! { (date) }));
    }
    facts.push(("Total time", html! { (format::duration(results.seconds)) }));
    if let Some(memory) = results.peak_memory {
        facts.push(("Peak memory", html! { (format::bytes(memory)) }));
    }
    facts
}

/// Examples per class.
fn classes(results: &Results) -> Markup {
    let data = &results.data;
    let most = data.class_counts.iter().copied().max().unwrap_or(1).max(1);
    let all: usize = data.class_counts.iter().sum();
    html! {
        @if data.class_counts.len() == data.classes.len() {
            h3 { "Examples per class" }
            ul.counts {
                @for (name, count) in data.classes.iter().zip(&data.class_counts) {
                    li style=(format!("--share:{:.3}", *count as f64 / most as f64)) {
                        span.class { (name) }
                        span.number { (thousands(*count)) " · " (format!("{:.1} %", *count as f64 / all.max(1) as f64 * 100.0)) }
                    }
                }
            }
        }
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
                        td.number { (run.fold) } td.number { (thousands(run.test)) } td.number { (format::score(run.accuracy)) }
                        td.number { (format::score(run.f1)) } td.number { (format::score(run.loss)) }
                        td.number { (run.best_epoch) } td.number { (format::duration(run.train_seconds + run.eval_seconds)) }
                    }
                }
            }
        }
    };
    super::scrolling(&format!("All runs: {}", record.approach), table)
}

/// Quotes the words of a command for a shell.
fn quoted(command: &[String]) -> String {
    let words = command.iter().map(String::as_str);
    shlex::try_join(words.clone()).unwrap_or_else(|_| words.collect::<Vec<_>>().join(" "))
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}
