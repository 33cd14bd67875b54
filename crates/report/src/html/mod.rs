//! `report.html`: the results as one page.
//!
//! The page loads and runs nothing: its content security policy forbids both. Findings come first, settings last. A section
//! without numbers is left out.

mod axis;
mod calibration;
mod chart;
mod classes;
mod confusion;
mod costs;
mod curves;
mod data;
mod downsample;
mod ink;
mod label_issues;
mod misclassified;
mod provenance;
mod ranking;
mod scores;
mod search;
mod values;

use maud::{DOCTYPE, Markup, PreEscaped, html};
use rekindle_results::{ApproachRecord, Estimate, Results, RunRecord, Scores, Source};

use crate::format::{self, thousands};

/// The page loads nothing; its styles are part of it.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'";

/// Returns the report as one HTML page with its styles and charts.
pub fn report_html(results: &Results) -> String {
    let sections: Vec<Section> = [
        scores::table(results),
        scores::comparisons(results),
        search::section(results),
        costs::section(results),
        curves::sizes(results),
        curves::training(results),
        classes::section(results),
        confusion::section(results),
        ranking::precision_recall(results),
        ranking::roc(results),
        calibration::section(results),
        values::section(results),
        misclassified::examples(results),
        label_issues::section(results),
        Some(data::section(results)),
        Some(provenance::section(results)),
    ]
    .into_iter()
    .flatten()
    .collect();
    let title = title(results);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " – Rekindle" }
                style { (PreEscaped(include_str!("style.css"))) }
            }
            body {
                header { (head(results, &title)) }
                nav aria-label="Sections" {
                    @for section in &sections { a href=(format!("#{}", section.id)) { (section.title) } }
                }
                main {
                    @for section in &sections {
                        section id=(section.id) { h2 { (section.title) } (section.body) }
                    }
                }
            }
        }
    };
    // A text may contain control characters, which HTML forbids.
    let shown = |character: char| !character.is_control() || matches!(character, '\n' | '\t');
    page.into_string().replace(|character| !shown(character), "\u{fffd}")
}

/// A part of the page.
struct Section {
    id: &'static str,
    title: &'static str,
    body: Markup,
}

/// A chart with its caption and legend.
fn figure(caption: Markup, chart: Markup, legend: Option<Markup>) -> Markup {
    html! { figure { figcaption { (caption) } (chart) @if let Some(legend) = legend { (legend) } } }
}

/// A table that scrolls if it is wider than the page.
fn scrolling(label: &str, table: Markup) -> Markup {
    html! { div.scroll tabindex="0" role="region" aria-label=(label) { (table) } }
}

/// A name that may break after its underscores.
fn name(name: &str) -> Markup {
    html! { @for part in name.split_inclusive('_') { (part) @if part.ends_with('_') { wbr; } } }
}

/// Returns the name of an approach or baseline for readers: an approach by its spec, as the command line names it.
fn label<'a>(results: &'a Results, name: &'a str) -> &'a str {
    match results.approaches.iter().find(|record| record.approach == name) {
        Some(record) => spec(record),
        None => baseline_name(name),
    }
}

/// Returns the name of an approach on the command line; a baseline among the approaches has the name of a baseline.
fn spec(record: &ApproachRecord) -> &str {
    baseline_name(if record.spec.is_empty() { &record.approach } else { &record.spec })
}

/// Returns the name of a baseline for readers.
fn baseline_name(name: &str) -> &str {
    match name {
        "tfidf_logistic_regression" | "tfidf" => "TF-IDF",
        other => other,
    }
}

/// Returns the index of the best approach, the first of several; in results of earlier releases, by accuracy.
fn best(results: &Results) -> Option<usize> {
    let named = results.approaches.iter().position(|record| record.approach == results.misclassified.approach);
    let accuracy = |index: &usize| results.approaches[*index].accuracy.unwrap_or_default();
    named.or_else(|| (0..results.approaches.len()).rev().max_by(|a, b| accuracy(a).total_cmp(&accuracy(b))))
}

/// How to find a score among others.
type Find<'a> = Box<dyn Fn(&Scores) -> Option<&Estimate> + 'a>;

/// Returns the scores that have charts, each with its name and unit: the metric that ranks the approaches, and the loss; or the
/// loss and accuracy.
fn charted(results: &Results) -> [(&str, Find<'_>); 2] {
    let design = &results.design;
    let ranked: Find<'_> = Box::new(|scores| design.ranked(scores));
    match design.metric_label() {
        "loss" => [(loss_unit(results), ranked), ("accuracy", Box::new(|scores| scores.get("accuracy")))],
        label => [(label, ranked), (loss_unit(results), Box::new(|scores| scores.get("loss")))],
    }
}

/// Returns the loss with its unit.
fn loss_unit(results: &Results) -> &'static str {
    if matches!(results.data.task.as_str(), "regression" | "ordinal") { "loss" } else { "loss, in nats" }
}

/// Begins a text with a capital letter.
fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

fn title(results: &Results) -> String {
    let files = results.data.files.iter().map(|file| file.rsplit(['/', '\\']).next().unwrap_or(file));
    let data = files.collect::<Vec<_>>().join(" and ");
    format!("{} on {}", results.model.id, if data.is_empty() { "the twelve sentences" } else { &data })
}

fn head(results: &Results, title: &str) -> Markup {
    let data = &results.data;
    let facts = [
        data::examples(results),
        match data.task.as_str() {
            "regression" => "regression".into(),
            "multi-label" => format!("{} labels", thousands(data.classes.len())),
            "ordinal" => format!("{} ordered classes", thousands(data.classes.len())),
            _ => format!("{} classes", thousands(data.classes.len())),
        },
        design(results),
        format::duration(results.seconds),
    ];
    html! {
        p.eyebrow { "Rekindle" @if let Some(date) = format::date(results.provenance.finished) { " · " (date) } }
        h1 { (title) }
        p.facts { @for fact in &facts { span { (fact) } } }
        @if results.model.source == Source::Embedded {
            p.note { "The model is the small model that Rekindle embeds. It was pretrained on generated English only: expect \
                      lower scores than with a model that was pretrained on natural text." }
        }
        @if !results.findings.is_empty() {
            div.findings role="region" aria-label="Findings" {
                @for finding in &results.findings { p { (sentence(finding)) } }
            }
        }
    }
}

/// A sentence whose words in backticks are code.
fn sentence(text: &str) -> Markup {
    let parts: Vec<&str> = text.split('`').collect();
    html! {
        // An odd number of backticks encloses nothing.
        @if parts.len().is_multiple_of(2) { (text) }
        @else {
            @for (index, part) in parts.iter().enumerate() { @if index % 2 == 1 { code { (part) } } @else { (part) } }
        }
    }
}

/// Formats a number with its noun.
fn count(number: usize, one: &str) -> String {
    format!("{} {one}{}", thousands(number), if number == 1 { "" } else { "s" })
}

/// Returns the number of runs per approach, in words.
fn design(results: &Results) -> String {
    let design = &results.design;
    let mut factors: Vec<String> = design.folds.iter().map(|folds| count(*folds, "fold")).collect();
    if design.repeats > 1 {
        factors.push(count(design.repeats, "repeat"));
    }
    factors.push(count(design.seeds.len(), "seed"));
    let runs = design.folds.unwrap_or(1) * design.repeats.max(1) * design.seeds.len();
    match runs {
        1 => "one run per approach".into(),
        _ => format!("{} runs per approach ({})", thousands(runs), factors.join(" × ")),
    }
}

/// Returns the runs of an approach at the largest size. The sizes of folds differ by one example, so that a run belongs to the
/// nearest size.
fn runs<'a>(results: &'a Results, approach: &'a ApproachRecord) -> Vec<&'a RunRecord> {
    let largest = results.design.sizes.last().copied();
    let nearest = |run: &RunRecord| results.design.sizes.iter().copied().min_by_key(|size| size.abs_diff(run.size));
    approach.runs.iter().filter(|run| nearest(run) == largest).collect()
}
