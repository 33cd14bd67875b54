//! The sections with learning curves and with training curves.

use maud::{Markup, html};

use rekindle_results::{ApproachRecord, CurvePoint, EpochRecord, Results, StepRecord};

use super::axis::Axis;
use super::chart::{HALF, Mark, Panel, THIRD, chart};
use super::downsample::{FEW, POINTS, downsample, mean};
use super::ink::{Ink, legend};
use super::scores::{ends, extent};
use super::{Find, Section, baseline_name, capitalized, charted, figure, loss_unit, name, runs, spec};

/// Height of a chart, in pixels.
const HEIGHT: f64 = 230.0;

/// The points of a line.
type Line = Vec<(f64, f64)>;

/// The learning curves: the scores by the number of training examples.
pub(super) fn sizes(results: &Results) -> Option<Section> {
    if results.design.sizes.len() < 2 {
        return None;
    }
    let approaches = results.approaches.iter().enumerate();
    let approaches = approaches.map(|(index, record)| (Ink::Series(index), spec(record), &record.curve));
    let baselines = results.baselines.iter().enumerate();
    let baselines =
        baselines.map(|(index, record)| (Ink::Reference(index), baseline_name(&record.approach), &record.curve));
    let curves: Vec<Curve<'_>> = approaches.chain(baselines).filter(|(.., curve)| !curve.is_empty()).collect();
    if curves.is_empty() {
        return None;
    }
    let entries: Vec<_> = curves.iter().map(|(ink, of, _)| (*ink, html! { (name(of)) })).collect();
    let body = html! {
        div.charts {
            @for (name, score) in charted(results) {
                (figure(html! { (capitalized(name)) }, size_chart(results, &curves, name, &score), None))
            }
        }
        (legend(&entries))
        p.note { "Means over runs with their confidence intervals, by the number of training examples. The test examples \
                  are the same at every size. The axis is logarithmic if the sizes differ by more than a factor of five." }
    };
    Some(Section { id: "sizes", title: "Learning curves", body })
}

type Curve<'a> = (Ink, &'a str, &'a Vec<CurvePoint>);

fn size_chart(results: &Results, curves: &[Curve<'_>], what: &str, score: &Find<'_>) -> Markup {
    let points = curves.iter().flat_map(|(.., curve)| curve.iter());
    let (low, high) = extent(points.filter_map(|point| score(&point.scores)).flat_map(ends));
    let mut marks = Vec::new();
    for (ink, _, curve) in curves {
        let estimates = curve.iter().filter_map(|point| Some((point.size as f64, score(&point.scores)?)));
        marks.push(Mark::Line(*ink, estimates.clone().map(|(size, estimate)| (size, estimate.mean)).collect()));
        for (size, estimate) in estimates {
            if let Some((low, high)) = estimate.interval {
                marks.push(Mark::Interval(*ink, (size, low), (size, high)));
            }
            marks.push(Mark::Dot(*ink, (size, estimate.mean)));
        }
    }
    let x = Axis::sizes(&results.design.sizes, "training examples");
    let y = Axis::linear(low, high, 5, what);
    chart(&format!("{what} by the number of training examples"), HALF, &[Panel { x, y, height: HEIGHT + 60.0, marks }])
}

/// Losses and accuracies per approach, and the learning rates and gradient norms of all.
pub(super) fn training(results: &Results) -> Option<Section> {
    let approaches = results.approaches.iter().enumerate();
    let curves = approaches.map(|(index, approach)| Curves::of(results, index, approach));
    let curves: Vec<Curves<'_>> = curves.filter(|curves| !curves.is_empty()).collect();
    if curves.is_empty() {
        return None;
    }
    let scales = Scales::of(&curves);
    let evaluated = if results.design.validation > 0 { "validation" } else { "test" };
    let entries: Vec<_> =
        curves.iter().map(|curves| (Ink::Series(curves.index), html! { (name(spec(curves.approach))) })).collect();
    let many = curves.iter().any(|curves| curves.runs.len() > 1);
    let body = html! {
        @for curves in &curves {
            h3 { (name(spec(curves.approach))) }
            div.charts.three {
                (curves.figure("Training loss", "step", &curves.steps(|step| step.loss), scales.loss, scales.steps))
                (curves.figure(&format!("Loss on the {evaluated} examples"), "epoch",
                    &curves.epochs(|epoch| epoch.eval_loss), scales.eval_loss, scales.epochs))
                @if scales.accuracy.1.is_finite() {
                    (curves.figure(&format!("Accuracy on the {evaluated} examples"), "epoch",
                        &curves.epochs(accuracy), scales.accuracy, scales.epochs))
                }
            }
        }
        h3 { "All approaches" }
        div.charts {
            (overlaid(&curves, "Learning rate", POINTS, |step| step.learning_rate))
            (overlaid(&curves, "Gradient norm, before clipping", FEW, |step| step.grad_norm))
        }
        @if curves.len() > 1 { (legend(&entries)) }
        p.note {
            @if many { "A bold line is the mean over the runs that have the step or epoch, a thin line is a single run, at the \
                        largest size. Learning rate and gradient norm are those of the first run. " }
            "Charts in a column share their scale. Lines of more than " (POINTS) " points, of gradient norms " (FEW) ", are \
             downsampled to the means of equal stretches; history.csv has every step."
        }
    };
    Some(Section { id: "training", title: "Training", body })
}

/// The steps and epochs of the runs of an approach.
struct Curves<'a> {
    index: usize,
    approach: &'a ApproachRecord,
    runs: Vec<(&'a [StepRecord], &'a [EpochRecord])>,
    loss_unit: &'static str,
}

impl<'a> Curves<'a> {
    fn of(results: &'a Results, index: usize, approach: &'a ApproachRecord) -> Self {
        let runs: Vec<_> =
            runs(results, approach).into_iter().map(|run| (run.steps.as_slice(), run.epochs.as_slice())).collect();
        let first = vec![(approach.steps.as_slice(), approach.epochs.as_slice())];
        let loss_unit = loss_unit(results);
        Self { index, approach, runs: if runs.is_empty() { first } else { runs }, loss_unit }
    }

    fn is_empty(&self) -> bool {
        self.runs.iter().all(|(steps, epochs)| steps.is_empty() && epochs.is_empty())
    }

    fn steps(&self, value: fn(&StepRecord) -> f64) -> Vec<Line> {
        let line = |steps: &[StepRecord]| steps.iter().map(|step| (step.step as f64, value(step))).collect();
        self.runs.iter().map(|(steps, _)| line(steps)).map(finite).collect()
    }

    fn epochs(&self, value: fn(&EpochRecord) -> f64) -> Vec<Line> {
        let line = |epochs: &[EpochRecord]| epochs.iter().map(|epoch| (epoch.epoch as f64, value(epoch))).collect();
        self.runs.iter().map(|(_, epochs)| line(epochs)).map(finite).collect()
    }

    /// A chart of the runs with their mean.
    fn figure(&self, what: &str, over: &str, lines: &[Line], (low, high): (f64, f64), last: usize) -> Markup {
        let (mut marks, ink) = (Vec::new(), Ink::Series(self.index));
        if lines.len() > 1 {
            marks.extend(lines.iter().map(|line| Mark::Line(Ink::Faint(self.index), downsample(line, POINTS))));
        }
        let front = downsample(&mean(lines), POINTS);
        // Markers make a single point visible.
        if front.len() <= 12 {
            marks.extend(front.iter().map(|point| Mark::Dot(ink, *point)));
        }
        marks.push(Mark::Line(ink, front));
        let x = Axis::counted(1, last, 3, over);
        let unit = if what.starts_with("Accuracy") { "accuracy" } else { self.loss_unit };
        let y = Axis::linear(low, high, 4, unit);
        let title = format!("{what} by {over}: {}", spec(self.approach));
        figure(html! { (what) }, chart(&title, THIRD, &[Panel { x, y, height: HEIGHT, marks }]), None)
    }
}

/// The scales that the charts in a column share, so that approaches can be compared.
struct Scales {
    loss: (f64, f64),
    eval_loss: (f64, f64),
    accuracy: (f64, f64),
    steps: usize,
    epochs: usize,
}

impl Scales {
    fn of(curves: &[Curves<'_>]) -> Self {
        let over = |lines: &dyn Fn(&Curves<'_>) -> Vec<Line>| {
            let drawn = |lines: Vec<Line>| lines.into_iter().flat_map(|line| downsample(&line, POINTS)).map(|(_, y)| y);
            extent(curves.iter().flat_map(|curves| drawn(lines(curves))).collect::<Vec<_>>().into_iter())
        };
        let runs = || curves.iter().flat_map(|curves| &curves.runs);
        let (_, loss) = over(&|curves| curves.steps(|step| step.loss));
        let (_, eval_loss) = over(&|curves| curves.epochs(|epoch| epoch.eval_loss));
        // A range of at least 0.1, so that a single example does not look like a large difference.
        let (low, high) = over(&|curves| curves.epochs(accuracy));
        Self {
            loss: (0.0, loss),
            eval_loss: (0.0, eval_loss),
            accuracy: (low.min(high - 0.1).max(0.0), high),
            steps: runs().filter_map(|(steps, _)| steps.last()).map(|step| step.step).max().unwrap_or(1),
            epochs: runs().filter_map(|(_, epochs)| epochs.last()).map(|epoch| epoch.epoch).max().unwrap_or(1),
        }
    }
}

/// The first run of every approach in one chart, on a logarithmic axis if the approaches differ by an order of magnitude.
fn overlaid(curves: &[Curves<'_>], what: &str, points: usize, value: fn(&StepRecord) -> f64) -> Markup {
    let lines: Vec<Line> =
        curves.iter().map(|curves| curves.steps(value).into_iter().next().unwrap_or_default()).collect();
    let highest = |line: &Line| extent(line.iter().map(|(_, y)| *y)).1;
    let (least, most) = extent(lines.iter().map(highest));
    let logarithmic = least > 0.0 && most >= 10.0 * least;
    // A learning rate falls to 0, which has no logarithm: the axis shows three orders of magnitude.
    let positive = || lines.iter().flatten().map(|(_, y)| *y).filter(|y| *y >= least / 1000.0 && *y > 0.0);
    let unit = if what.starts_with("Gradient") { "norm" } else { "learning rate" };
    let y = match logarithmic {
        true => Axis::logarithmic(extent(positive()).0, most, unit),
        false => Axis::linear(0.0, most, 4, unit),
    };
    let last = lines.iter().flatten().map(|(x, _)| *x as usize).max().unwrap_or(1);
    let mut marks = Vec::new();
    for (curves, line) in curves.iter().zip(&lines) {
        let ink = Ink::Series(curves.index);
        let line: Line =
            downsample(line, points).into_iter().filter(|(_, y)| !logarithmic || *y >= least / 1000.0).collect();
        if line.len() <= 12 {
            marks.extend(line.iter().map(|point| Mark::Dot(ink, *point)));
        }
        marks.push(Mark::Line(ink, line));
    }
    let x = Axis::counted(1, last, 3, "step");
    let caption = html! { (what) @if logarithmic { ", logarithmic scale without zeros" } };
    let title = format!("{what} by step, of every approach");
    figure(caption, chart(&title, HALF, &[Panel { x, y, height: HEIGHT, marks }]), None)
}

/// Returns the accuracy after an epoch; NaN for a regression.
fn accuracy(epoch: &EpochRecord) -> f64 {
    epoch.accuracy.unwrap_or(f64::NAN)
}

/// Removes points that are not finite.
fn finite(line: Line) -> Line {
    line.into_iter().filter(|(_, y)| y.is_finite()).collect()
}
