//! The section with the data: files, classes, lengths, duplicates, leaks and splits.

use maud::{Markup, html};

use rekindle_results::{ArgumentsRecord, DataProfile, DroppedRecord, Results};

use super::{Section, count, thousands};
use crate::format;

/// Maximum number of classes that are shown before the reader expands the others.
const CLASSES: usize = 30;

/// Files, lengths, duplicates, leaks, splits, and the number of examples per class.
pub(super) fn section(results: &Results) -> Section {
    let data = &results.data;
    let all = all(results);
    let mut facts: Vec<(&str, Markup)> = vec![
        ("Files", files(results)),
        ("Examples", html! { (examples(results)) }),
        ("Splits", html! { (splits(results)) }),
        ("Classes", html! { (thousands(data.classes.len())) }),
    ];
    if let Some(DroppedRecord { file, examples, .. }) = &data.dropped {
        let dropped = html! {
            (thousands(examples)) @if *examples == 1 { " example of " } @else { " examples of " } code { (file) }
            ": tested on, but not trained on"
        };
        facts.push(("Dropped label errors", dropped));
    }
    if let Some(profile) = &data.profile {
        facts.extend(groups(results, profile).map(|groups| ("Groups", groups)));
        facts.extend(lengths(profile, &results.arguments, all));
        let rest = [
            ("Empty texts", html! { (share(profile.empty, all, "")) }),
            ("Duplicates", html! { (share(profile.duplicates, all, ", whose text occurred before")) }),
            (
                "Conflicting labels",
                html! { (share(profile.conflicts, all, ", whose text occurred before with another label")) },
            ),
            ("Leaks", html! { (leaks(results, profile)) }),
        ];
        facts.extend(rest);
        if let Some(similarity) = results.design.near_duplicates {
            let what = format!(", whose text is nearly equal to an earlier one (similarity {similarity})");
            let leaks = count(profile.near_leaks as usize, "test example");
            facts.push((
                "Near-duplicates",
                html! { (share(profile.near_duplicates, all, &what)) "; of training examples: " (leaks) },
            ));
        }
    }
    let body = html! {
        dl.wide { @for (name, value) in facts { dt { (name) } dd { (value) } } }
        @if data.class_counts.len() == data.classes.len() && !data.classes.is_empty() {
            h3 { "Examples per class" }
            (counts(results, 0, CLASSES))
            @if data.classes.len() > CLASSES {
                details {
                    summary { (thousands(data.classes.len() - CLASSES)) " more classes" }
                    (counts(results, CLASSES, data.classes.len()))
                }
            }
        }
    };
    Section { id: "data", title: "Data", body }
}

/// Returns the number of all examples.
fn all(results: &Results) -> usize {
    let data = &results.data;
    match data.class_counts.iter().sum() {
        0 => data.train + data.test + results.design.validation,
        all => all,
    }
}

/// Returns the numbers of examples, in words.
pub(super) fn examples(results: &Results) -> String {
    let (data, validation) = (&results.data, results.design.validation);
    let held = if validation > 0 { format!(", {} validation", thousands(validation)) } else { String::new() };
    let groups = data.profile.as_ref().map_or(0, |profile| profile.groups as usize);
    match results.design.folds {
        Some(folds) if groups > 0 => {
            format!("{} in {}, {folds} folds", count(all(results), "example"), count(groups, "group"))
        }
        Some(folds) => format!("{} in {folds} folds", count(all(results), "example")),
        None => format!("{} training{held} and {} test examples", thousands(data.train), thousands(data.test)),
    }
}

/// Returns how training and test examples were chosen.
fn splits(results: &Results) -> String {
    let (data, design) = (&results.data, &results.design);
    let validation = match design.validation {
        0 => String::new(),
        held => format!(", {} validation", thousands(held)),
    };
    let sizes = format!("{} training{validation} and {} test examples", thousands(data.train), thousands(data.test));
    if let Some(column) = &design.time_column {
        let from = design.test_from.join(", ");
        return match design.folds {
            Some(folds) => format!(
                "{folds} folds by the column {column}, each after all its training examples; tested from {from} on; in the first \
                 fold {sizes}"
            ),
            None => format!("by the column {column}: the test examples are those from {from} on"),
        };
    }
    match design.folds {
        Some(folds) if design.repeats > 1 => {
            format!("{folds} stratified folds, drawn {} times; in the first fold {sizes}", design.repeats)
        }
        Some(folds) => format!("{folds} stratified folds; in the first fold {sizes}"),
        None if data.files.len() > 1 => "given files".into(),
        None => format!("a stratified split, drawn with seed {}", results.seed),
    }
}

/// Returns each file with its part.
fn files(results: &Results) -> Markup {
    let parts: &[&str] = match results.data.files.len() {
        2 => &["training", "test"],
        3 => &["training", "validation", "test"],
        _ => &[],
    };
    html! {
        @if results.data.files.is_empty() { "the twelve examples of the notebook" }
        @for (index, file) in results.data.files.iter().enumerate() {
            span.version { code { (file) } @if let Some(part) = parts.get(index) { " (" (part) ")" } } " "
        }
    }
}

fn lengths(profile: &DataProfile, arguments: &ArgumentsRecord, all: usize) -> Vec<(&'static str, Markup)> {
    let [min, median, p90, p95, p99, max] = profile.tokens[..] else { return Vec::new() };
    let longer = if arguments.long_texts.is_none() { "Truncated" } else { "Longer" };
    vec![
        (
            "Tokens per text",
            html! {
                (min) " to " (thousands(max)) ", median " (median) "; 90 % have at most " (p90) ", 95 % " (p95) ", 99 % " (p99)
            },
        ),
        (longer, html! { (share(profile.truncated, all, "")) " at " code { "--max-length " (arguments.max_length) } }),
    ]
}

/// Returns the number of groups, and that they stay on one side of a split.
fn groups(results: &Results, profile: &DataProfile) -> Option<Markup> {
    let column = results.design.group_column.as_ref()?;
    let leaks = [(profile.group_leaks, "test"), (profile.validation_group_leaks, "validation")];
    let (is_given, counted) = (results.data.files.len() > 1, |count: u64| count as usize);
    Some(html! {
        (thousands(profile.groups)) " by the column " code { (column) } ", the largest has "
        (count(counted(profile.largest_group), "example")) "; "
        @if is_given { "they are where the files have them" } @else { "a group is on one side of every split" }
        @for (leaks, part) in leaks.into_iter().filter(|(leaks, _)| *leaks > 0) {
            "; " (count(counted(leaks), &format!("{part} example"))) " of groups that have training examples, too"
        }
    })
}

fn leaks(results: &Results, profile: &DataProfile) -> Markup {
    let unit = if results.data.unit.is_empty() { "row" } else { &results.data.unit };
    html! {
        @if profile.leaks == 0 { "none" }
        @else if profile.leaks == 1 { "1 test example whose text is also a training example" }
        @else { (thousands(profile.leaks)) " test examples whose text is also a training example" }
        @if let Some((train, test)) = profile.leak_lines.first() {
            ", for example " (unit) " " (test) " (training: " (unit) " " (train) ")"
        }
        @if profile.validation_leaks > 0 {
            "; " (thousands(profile.validation_leaks)) " validation examples whose text is also a training example"
        }
    }
}

/// The numbers of examples of some classes, with bars.
fn counts(results: &Results, from: usize, to: usize) -> Markup {
    let data = &results.data;
    let most = data.class_counts.iter().copied().max().unwrap_or(1).max(1);
    let all = all(results).max(1);
    let classes = data.classes.iter().zip(&data.class_counts).take(to).skip(from);
    html! {
        ul.counts {
            @for (name, count) in classes {
                li style=(format!("--share:{:.3}", *count as f64 / most as f64)) {
                    span.class { (name) }
                    span.number { (thousands(*count)) " · " (format!("{:.1} %", *count as f64 / all as f64 * 100.0)) }
                }
            }
        }
    }
}

/// Formats a count with its percentage of all examples, followed by `what`.
fn share(part: u64, all: usize, what: &str) -> String {
    match part {
        0 => "none".into(),
        _ => format!("{} ({}){what}", thousands(part), format::percent(part as usize, all)),
    }
}
