//! The sections with scores and with comparisons.

use maud::{Markup, html};

use rekindle_results::{ApproachRecord, ComparisonRecord, Estimate, Results, Scores};

use super::axis::Axis;
use super::chart::{Anchor, HALF, Mark, Panel, chart};
use super::ink::{Ink, swatch};
use super::{
    Find, Section, baseline_name, capitalized, charted, count, figure, label, name, scrolling, spec, thousands,
};
use crate::format;

/// Height of a row of the chart, in pixels.
const ROW: f64 = 36.0;
/// Height of the names of the baselines above the rows, in rows.
const LABELS: f64 = 1.0;
/// Maximum number of characters of a name in the chart.
const NAME: usize = 24;

/// Trainable parameters, scores and times of every approach and baseline.
pub(super) fn table(results: &Results) -> Option<Section> {
    if results.approaches.is_empty() && results.baselines.is_empty() {
        return None;
    }
    let table = html! {
        table.reflow {
            thead {
                tr {
                    th scope="col" { "Approach" }
                    th.number scope="col" { "Trainable" }
                    @for (name, ..) in scores(results) { th.number scope="col" { (name) } }
                    th.number scope="col" { "Measured on" }
                    th.number scope="col" { "Time" }
                    th.number scope="col" { "Examples per second" }
                }
            }
            tbody {
                @for (index, record) in results.approaches.iter().enumerate() { (approach_row(results, index, record)) }
                @for (index, record) in results.baselines.iter().enumerate() {
                    tr.baseline {
                        th.named scope="row" { (swatch(Ink::Reference(index))) (name(baseline_name(&record.approach))) }
                        td.number data-label="Trainable" { "–" }
                        (score_cells(results, &record.scores, false))
                        td.number data-label="Time" { (format::duration(record.train_seconds + record.eval_seconds)) }
                        td.number data-label="Examples per s" { "–" }
                    }
                }
            }
        }
    };
    let body = html! {
        div.charts {
            @for (name, score) in charted(results) { (rows_chart(results, name, &score)) }
        }
        (scrolling("Scores", table))
        p.note { (explanation(results)) }
    };
    Some(Section { id: "scores", title: "Scores", body })
}

fn approach_row(results: &Results, index: usize, record: &ApproachRecord) -> Markup {
    html! {
        tr {
            th.named scope="row" {
                (swatch(Ink::Series(index))) (name(spec(record)))
                @if record.undertrained > 0 { " " span.spec { "undertrained in " (count(record.undertrained, "run")) } }
            }
            td.number data-label="Trainable" {
                span.mean { (format::percent(record.trainable, record.total)) }
                " " span.interval { (thousands(record.trainable)) " of " (thousands(record.total)) }
                @if let Some(bytes) = record.saved_bytes { " " span.interval { "saved " (format::bytes(bytes)) } }
            }
            (score_cells(results, &record.scores, record.f1_undefined))
            td.number.time data-label="Time" {
                span.mean { (format::duration(record.train_seconds + record.eval_seconds)) }
                " " span.interval { "training " (format::duration(record.train_seconds)) }
            }
            td.number.time data-label="Examples per s" {
                span.mean { (rate(record.train_examples_per_second)) }
                @if record.eval_examples_per_second.is_some() { " " span.interval { "test " (rate(record.eval_examples_per_second)) } }
            }
        }
    }
}

fn rate(per_second: Option<f64>) -> String {
    match per_second {
        Some(rate) if rate >= 99.5 => thousands(rate.round() as u64),
        Some(rate) => format!("{rate:.1}"),
        None => "–".into(),
    }
}

fn score_cells(results: &Results, record: &Scores, undefined: bool) -> Markup {
    let measured = results.design.ranked(record);
    html! {
        @for (name, score) in scores(results) {
            td.number data-label=(name) {
                @if let Some(estimate) = score(record) {
                    (format::estimate(estimate, if undefined && name.ends_with("F1") { "*" } else { "" }))
                } @else { "–" }
            }
        }
        td.number data-label="Measured on" {
            @if let Some(measured) = measured {
                span.mean { (format::counted(measured.n, &measured.method)) }
                @if measured.interval.is_some() { " " span.interval { (measured.method) } }
            }
        }
    }
}

/// Returns the columns of scores: the metric that ranks the approaches first, then the other metrics of the task.
fn scores(results: &Results) -> Vec<(String, Find<'_>)> {
    let design = &results.design;
    let ranked: Find<'_> = Box::new(|scores| design.ranked(scores));
    let label = capitalized(design.metric_label());
    let others = results.metrics().into_iter().map(|metric| {
        let find: Find<'_> = Box::new(move |scores| scores.get(&metric.name));
        (capitalized(&metric.label), find)
    });
    let others: Vec<_> = others.filter(|(name, _)| *name != label).collect();
    std::iter::once((label, ranked)).chain(others).collect()
}

/// Explains the table.
fn explanation(results: &Results) -> Markup {
    let undefined = results.approaches.iter().any(|record| record.f1_undefined);
    let ranked = results.approaches.first().and_then(|record| results.design.ranked(&record.scores));
    let level = ranked.map_or(0.95, |estimate| estimate.level);
    let metrics = match (results.data.task.as_str(), results.data.classes.as_slice()) {
        ("regression", _) => html! { "Loss is the mean squared error." },
        ("multi-label", _) => html! {
            "Subset accuracy is the share of examples all of whose labels are right. Loss is the mean binary cross-entropy over \
             all labels, in nats."
        },
        ("ordinal", _) => html! {
            "MAE is the mean distance of the predicted from the true class, in classes. F1 is the mean over classes. Loss is the \
             mean ordinal log loss."
        },
        (_, [_, positive]) => {
            html! { "F1 is the F1 of class " q { (positive) } ". Loss is the mean cross-entropy, in nats." }
        }
        _ => html! { "F1 is the mean over classes. Loss is the mean cross-entropy, in nats." },
    };
    html! {
        "Means over all runs at the largest size, with " (format!("{:.0} %", level * 100.0)) " confidence intervals. "
        (metrics) " A difference can be significant although the intervals overlap: the next table tests it. "
        "Examples per second are those of training, and below those of evaluation; the features of a frozen encoder are computed \
         once and shared by its runs. "
        @if results.approaches.iter().any(|record| record.undertrained > 0) {
            "A run is undertrained if its loss is no better than that of the baseline `majority`; its approach is not compared. "
        }
        @if undefined { "* F1 is set to 0 in a run in which a class was never predicted, or never occurs." }
    }
}

/// A score of every approach and baseline with its interval, one row each; a labelled line marks each baseline.
fn rows_chart(results: &Results, what: &str, score: &Find<'_>) -> Markup {
    let approaches = results.approaches.iter().enumerate();
    let approaches = approaches.map(|(index, record)| (Ink::Series(index), spec(record), &record.scores));
    let baselines = results.baselines.iter().enumerate();
    let baselines =
        baselines.map(|(index, record)| (Ink::Reference(index), baseline_name(&record.approach), &record.scores));
    let rows = approaches.chain(baselines).filter_map(|(ink, name, scores)| Some((ink, name, score(scores)?)));
    let rows: Vec<(Ink, &str, &Estimate)> = rows.filter(|(.., estimate)| estimate.mean.is_finite()).collect();
    let (low, high) = extent(rows.iter().flat_map(|(.., estimate)| ends(estimate)));
    let x = Axis::linear(low, high, 5, what);
    let height = |row: usize| (rows.len() - row) as f64 - 0.5;
    let names = rows.iter().enumerate().map(|(row, (_, name, _))| (height(row), format::shortened(name, NAME)));
    let y = Axis { ticks: names.collect(), ..Axis::bare(0.0, rows.len() as f64 + LABELS) };
    let mut marks = baseline_lines(&rows, &x);
    for (row, (ink, _, estimate)) in rows.iter().enumerate() {
        let height = height(row);
        if let Some((low, high)) = estimate.interval {
            marks.push(Mark::Interval(*ink, (low, height), (high, height)));
        }
        marks.push(Mark::Dot(*ink, (estimate.mean, height)));
    }
    let height = ROW * (rows.len() as f64 + LABELS) + 46.0;
    let caption = capitalized(what.trim_end_matches(", in nats"));
    let title = format!("{caption} of each approach and baseline, with its confidence interval");
    figure(html! { (caption) }, chart(&title, HALF, &[Panel { x, y, height, marks }]), None)
}

/// The lines of the baselines, each with its name above the rows: on the left of its line, and of the last line on the right if
/// there is room, otherwise one level higher.
fn baseline_lines(rows: &[(Ink, &str, &Estimate)], x: &Axis) -> Vec<Mark> {
    let mut baselines: Vec<_> = rows.iter().filter(|(ink, ..)| matches!(ink, Ink::Reference(_))).collect();
    baselines.sort_by(|a, b| a.2.mean.total_cmp(&b.2.mean));
    let (top, last) = (rows.len() as f64, baselines.len().saturating_sub(1));
    let mut marks = Vec::new();
    for (place, (ink, name, estimate)) in baselines.into_iter().enumerate() {
        let room = x.place(estimate.mean) < 0.8;
        let (level, anchor, gap) = match place == last {
            true if room => (0.1, Anchor::Start, 0.008),
            true => (0.5, Anchor::End, -0.008),
            false => (0.1, Anchor::End, -0.008),
        };
        marks.push(Mark::Line(*ink, vec![(estimate.mean, 0.0), (estimate.mean, top + level + 0.25)]));
        let beside = estimate.mean + gap * (x.to - x.from);
        marks.push(Mark::Text((beside, top + level), format::shortened(name, NAME), anchor));
    }
    marks
}

/// Returns the values that an axis must hold to show an estimate.
pub(super) fn ends(estimate: &Estimate) -> [f64; 3] {
    let (low, high) = estimate.interval.unwrap_or((estimate.mean, estimate.mean));
    [low, high, estimate.mean]
}

/// Returns the smallest and the largest finite value.
pub(super) fn extent(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let finite = values.filter(|value| value.is_finite());
    finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)))
}

/// The comparisons, and whether their differences are significant.
pub(super) fn comparisons(results: &Results) -> Option<Section> {
    let records = &results.comparisons;
    let methods = records.iter().fold(Vec::new(), |mut methods: Vec<&str>, record| {
        if !methods.contains(&record.method.as_str()) {
            methods.push(&record.method);
        }
        methods
    });
    let table = html! {
        table.reflow {
            thead {
                tr {
                    th scope="col" { "Compared" }
                    th.number scope="col" { "Difference in " (results.design.metric_label()) }
                    th.number scope="col" { "p" }
                    th.number scope="col" { "p, adjusted" }
                    th.number scope="col" { "Measured on" }
                    th scope="col" { "Result" }
                }
            }
            tbody { @for record in records { (comparison_row(results, record)) } }
        }
    };
    let body = html! {
        (scrolling("Differences", table))
        p.note {
            "The first minus the second, on the same test examples (" (methods.join("; ")) "). "
            @if methods.contains(&"permutation") {
                "The permutation test exchanges the predictions of both at random; the intervals are those of the paired \
                 bootstrap. "
            }
            @if methods.contains(&"permutation of groups") {
                "Test examples of a group depend on each other: the permutation test exchanges the predictions of both for whole \
                 groups, and the paired bootstrap, which gives the intervals, draws whole groups. "
            }
            @if results.design.metric == "loss" { "A lower loss is better. " }
            "p is the probability of a \
             difference at least as large if there were none; it is adjusted for "
            (thousands(records.len())) @if records.len() == 1 { " comparison" } @else { " comparisons" }
            " (Holm, 1979). A difference is significant if the adjusted p is below 0.05. A difference that is not significant \
             may still exist; \u{201c}equivalent\u{201d} approaches differ by less than one point, by two one-sided tests at 0.05 divided by the \
             number of comparisons."
        }
    };
    (!records.is_empty()).then_some(Section { id: "differences", title: "Differences", body })
}

fn comparison_row(results: &Results, record: &ComparisonRecord) -> Markup {
    html! {
        tr {
            th scope="row" { (name(label(results, &record.a))) span.against { " vs. " } (name(label(results, &record.b))) }
            td.number data-label="Difference" {
                span.mean { (format::difference(record.difference)) }
                " " span.interval { (format::interval(record.interval)) }
            }
            td.number data-label="p" { (format::p_value(record.p_value)) }
            td.number data-label="p, adjusted" { (format::p_value(record.p_adjusted)) }
            td.number data-label="Measured on" { (format::counted(record.n, &record.method)) }
            td data-label="Result" {
                @if record.significant { span.significant { "significant" } }
                @else if record.equivalent == Some(true) { span.open { "equivalent" } }
                @else { span.open { "not significant" } }
            }
        }
    }
}
