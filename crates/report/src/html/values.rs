//! The section with predicted against true numbers, and residuals.

use maud::{Markup, html};

use rekindle_results::{ApproachRecord, Results};

use super::axis::Axis;
use super::chart::{HALF, Mark, Panel, chart};
use super::ink::Ink;
use super::scores::extent;
use super::{Section, figure, name, spec};

/// Height of a chart, in pixels.
const HEIGHT: f64 = 300.0;

/// Scatter and residual plots of each approach of a regression.
pub(super) fn section(results: &Results) -> Option<Section> {
    let records = results.approaches.iter().enumerate().filter(|(_, record)| !record.diagnostics.values.is_empty());
    let records: Vec<(usize, &ApproachRecord)> = records.collect();
    if records.is_empty() {
        return None;
    }
    let all = || records.iter().flat_map(|(_, record)| &record.diagnostics.values);
    let values = extent(all().flat_map(|(truth, predicted)| [*truth, *predicted]));
    let residuals = extent(all().map(|(truth, predicted)| predicted - truth).chain([0.0]));
    let body = html! {
        @for (index, record) in &records {
            h3 { (name(spec(record))) }
            div.charts {
                (scatter(*index, record, values))
                (residual(*index, record, residuals))
            }
        }
        p.note {
            "Left: predicted by true value; on the line both are equal. Right: residuals, predicted minus true, by predicted value. \
             Over all runs at the largest size; of many test examples, some are drawn. All approaches share their scales."
        }
    };
    Some(Section { id: "values", title: "Predicted values", body })
}

fn scatter(index: usize, record: &ApproachRecord, (low, high): (f64, f64)) -> Markup {
    let mut marks = vec![Mark::Line(Ink::Reference(0), vec![(low, low), (high, high)])];
    marks.extend(record.diagnostics.values.iter().map(|pair| Mark::Dot(Ink::Series(index), *pair)));
    let (x, y) = (Axis::linear(low, high, 4, "true value"), Axis::linear(low, high, 4, "predicted value"));
    let title = format!("Predicted by true value: {}", spec(record));
    figure(html! { "Predicted by true value" }, chart(&title, HALF, &[Panel { x, y, height: HEIGHT, marks }]), None)
}

fn residual(index: usize, record: &ApproachRecord, (low, high): (f64, f64)) -> Markup {
    let values = &record.diagnostics.values;
    let (left, right) = extent(values.iter().map(|(_, predicted)| *predicted));
    let mut marks = vec![Mark::Line(Ink::Reference(0), vec![(left, 0.0), (right, 0.0)])];
    marks
        .extend(values.iter().map(|(truth, predicted)| Mark::Dot(Ink::Series(index), (*predicted, predicted - truth))));
    let (x, y) = (Axis::linear(left, right, 4, "predicted value"), Axis::linear(low, high, 4, "residual"));
    let title = format!("Residuals by predicted value: {}", spec(record));
    figure(html! { "Residuals" }, chart(&title, HALF, &[Panel { x, y, height: HEIGHT, marks }]), None)
}
