//! The metric of the experiment against the processor time that it cost.

use maud::html;
use rekindle_results::{ApproachRecord, Results};

use super::axis::Axis;
use super::chart::{HALF, Mark, Panel, chart};
use super::ink::{Ink, legend};
use super::scores::{ends, extent};
use super::{Section, capitalized, charted, figure, name, spec};

/// The height of the chart, in pixels.
const HEIGHT: f64 = 230.0;

/// A chart of the approaches whose cost is known, if there are several.
pub(super) fn section(results: &Results) -> Option<Section> {
    let [(what, score), _] = charted(results);
    let seconds = |record: &ApproachRecord| record.processor_seconds.filter(|&seconds| seconds > 0.0);
    let costs: Vec<(usize, &ApproachRecord, f64)> = results
        .approaches
        .iter()
        .enumerate()
        .filter_map(|(index, record)| Some((index, record, seconds(record)?)))
        .filter(|(_, record, _)| score(&record.scores).is_some_and(|estimate| estimate.mean.is_finite()))
        .collect();
    if costs.len() < 2 {
        return None;
    }
    let mut marks = Vec::new();
    for &(index, record, seconds) in &costs {
        let (ink, Some(estimate)) = (Ink::Series(index), score(&record.scores)) else { continue };
        if let Some((low, high)) = estimate.interval {
            marks.push(Mark::Interval(ink, (seconds, low), (seconds, high)));
        }
        marks.push(Mark::Dot(ink, (seconds, estimate.mean)));
    }
    let (least, most) = extent(costs.iter().map(|(.., seconds)| *seconds));
    let (low, high) = extent(costs.iter().filter_map(|(_, record, _)| score(&record.scores)).flat_map(ends));
    let x = Axis::logarithmic(least, most, "processor seconds");
    let panel = Panel { x, y: Axis::linear(low, high, 5, what), height: HEIGHT, marks };
    let entries: Vec<_> =
        costs.iter().map(|(index, record, _)| (Ink::Series(*index), html! { (name(spec(record))) })).collect();
    let body = html! {
        (figure(
            html! { (capitalized(what)) },
            chart(&format!("{what} of each approach by its processor seconds"), HALF, &[panel]),
            Some(legend(&entries)),
        ))
        p.note {
            "Processor seconds of all runs of an approach, over all cores, training and evaluation. Features that approaches \
             share are counted for the first of them."
        }
    };
    Some(Section { id: "cost", title: "Cost", body })
}
