//! The sections with precision-recall curves and ROC curves.

use maud::{Markup, html};

use rekindle_results::{ApproachRecord, PrecisionRecallRecord, Results, RocRecord};

use super::axis::Axis;
use super::chart::{HALF, Mark, Panel, chart};
use super::ink::{Ink, legend};
use super::{Section, figure, name, spec};
use crate::format;

/// Maximum number of classes with a colour each.
const COLOURED: usize = 6;

/// The points of a line.
type Line = Vec<(f64, f64)>;

/// A kind of curve: of class 1 for two classes, of each class against all others for more.
struct Kind {
    id: &'static str,
    title: &'static str,
    x: &'static str,
    y: &'static str,
    /// The name of the area.
    area: &'static str,
    note: &'static str,
    /// The curves of an approach.
    of: fn(&ApproachRecord) -> Vec<Curve<'_>>,
    /// The line of chance for curves of one class.
    chance: fn(&[Curve<'_>]) -> Option<Line>,
}

/// The curve of a class.
#[derive(Clone, Copy)]
struct Curve<'a> {
    class: usize,
    area: f64,
    points: &'a [(f64, f64)],
    /// The fraction of examples that belong to the class, if the chart depends on it.
    prevalence: Option<f64>,
}

const ROC: Kind = Kind {
    id: "roc",
    title: "ROC",
    x: "false positive rate",
    y: "true positive rate",
    area: "AUC",
    note: "True positive rate by false positive rate as the threshold falls, over all runs. The diagonal is chance.",
    of: |record| {
        let curves = record.diagnostics.roc.iter();
        curves
            .map(|RocRecord { class, auc, points, .. }| Curve { class: *class, area: *auc, points, prevalence: None })
            .collect()
    },
    chance: |_| Some(vec![(0.0, 0.0), (1.0, 1.0)]),
};

const PRECISION_RECALL: Kind = Kind {
    id: "precision-recall",
    title: "Precision and recall",
    x: "recall",
    y: "precision",
    area: "AP",
    note: "Precision by recall as the threshold falls, over all runs. AP is the average precision. For two classes the horizontal \
           line is chance, the fraction of examples of the class.",
    of: |record| {
        let curves = record.diagnostics.precision_recall.iter();
        curves
            .map(|PrecisionRecallRecord { class, average_precision, prevalence, points, .. }| Curve {
                class: *class,
                area: *average_precision,
                points,
                prevalence: Some(*prevalence),
            })
            .collect()
    },
    chance: |curves| {
        let prevalence = curves.first()?.prevalence?;
        let same = curves.iter().all(|curve| curve.prevalence == Some(prevalence));
        same.then(|| vec![(0.0, prevalence), (1.0, prevalence)])
    },
};

/// The precision-recall curves.
pub(super) fn precision_recall(results: &Results) -> Option<Section> {
    section(results, &PRECISION_RECALL)
}

/// The ROC curves.
pub(super) fn roc(results: &Results) -> Option<Section> {
    section(results, &ROC)
}

/// For two classes one chart of all approaches, for more one chart per approach.
fn section(results: &Results, kind: &Kind) -> Option<Section> {
    let names = &results.data.classes;
    let all = results.approaches.iter().enumerate().map(|(index, record)| (index, record, (kind.of)(record)));
    let all: Vec<_> = all.filter(|(.., curves)| !curves.is_empty()).collect();
    if all.is_empty() {
        return None;
    }
    let body = html! {
        div.charts {
            @if let [_, positive] = names.as_slice() { (two_classes(&all, positive, kind)) }
            @else { @for (index, record, curves) in &all { (many_classes(*index, record, curves, names, kind)) } }
        }
        p.note { (kind.note) }
    };
    Some(Section { id: kind.id, title: kind.title, body })
}

/// The curves of the positive class, by all approaches.
fn two_classes(all: &[(usize, &ApproachRecord, Vec<Curve<'_>>)], positive: &str, kind: &Kind) -> Markup {
    let first = all.iter().map(|(index, record, curves)| (Ink::Series(*index), *record, curves[0]));
    let lines: Vec<_> = first.clone().map(|(ink, _, curve)| (ink, curve)).collect();
    let entries: Vec<_> = first
        .map(|(ink, record, curve)| {
            (ink, html! { (name(spec(record))) ", " (kind.area) " " (format::score(curve.area)) })
        })
        .collect();
    figure(html! { "Class " q { (positive) } }, drawn("all approaches", &lines, kind), Some(legend(&entries)))
}

/// The curve of each class against all others; many classes share a colour, and the legend names the best and the worst.
fn many_classes(index: usize, record: &ApproachRecord, curves: &[Curve<'_>], names: &[String], kind: &Kind) -> Markup {
    let class = |curve: &Curve<'_>| names.get(curve.class).map_or("?", String::as_str).to_string();
    let (entries, lines): (Vec<_>, Vec<_>) = if curves.len() <= COLOURED {
        let inks = || curves.iter().enumerate().map(|(place, curve)| (Ink::Series(place), *curve));
        let entry = |(ink, curve): (Ink, Curve<'_>)| {
            (ink, html! { (class(&curve)) ", " (kind.area) " " (format::score(curve.area)) })
        };
        (inks().map(entry).collect(), inks().collect())
    } else {
        let mut sorted = curves.to_vec();
        sorted.sort_by(|a, b| a.area.total_cmp(&b.area));
        let mean = curves.iter().map(|curve| curve.area).sum::<f64>() / curves.len() as f64;
        let named = [sorted.first(), sorted.last()].into_iter().flatten();
        let short = |curve| format::shortened(&class(curve), 24);
        let named = named.map(|curve| format!("{} ({})", format::score(curve.area), short(curve)));
        let text =
            format!("mean {} {}; from {}", kind.area, format::score(mean), named.collect::<Vec<_>>().join(" to "));
        let lines = curves.iter().map(|curve| (Ink::Faint(index), *curve)).collect();
        (vec![(Ink::Faint(index), html! { (text) })], lines)
    };
    figure(name(spec(record)), drawn(spec(record), &lines, kind), Some(legend(&entries)))
}

fn drawn(of: &str, curves: &[(Ink, Curve<'_>)], kind: &Kind) -> Markup {
    let only: Vec<_> = curves.iter().map(|(_, curve)| *curve).collect();
    let chance = (kind.chance)(&only).map(|line| Mark::Line(Ink::Reference(0), line));
    let mut marks: Vec<Mark> = chance.into_iter().collect();
    marks.extend(curves.iter().map(|(ink, curve)| Mark::Line(*ink, curve.points.to_vec())));
    let (x, y) = (Axis::linear(0.0, 1.0, 5, kind.x), Axis::linear(0.0, 1.0, 5, kind.y));
    let title = format!("{}, {} by {}: {of}", kind.title, kind.y, kind.x);
    chart(&title, HALF, &[Panel { x, y, height: 400.0, marks }])
}
