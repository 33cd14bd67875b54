//! Suspected label errors, by the predictions of runs that were not trained on the example.

use rekindle_metrics::{LabelIssueFilter, LabelIssues, LabelQuality, Scorer, argmax, log_loss, wilson_interval};
use rekindle_results::{LabelIssueRecord, LabelIssuesRecord};

use crate::approach_results::{ApproachResults, best};
use crate::sampling::Sampling;

/// Fewest examples of a class that are not suspected, as in cleanlab.
const KEPT: usize = 1;

/// The share by which a log loss must be below the entropy of the classes to tell something. The means over folds of `majority` are below it
/// by less.
const CLEARLY: f64 = 0.01;

/// Returns the suspected label errors by the best approach, and the finding about them: with folds, every example was tested by
/// runs that were not trained on it, and the mean of their probabilities, over repeats and seeds, is compared with its label.
/// Returns nothing without folds, for other tasks than those with one class per text, and if no approach has learned anything; and
/// only a finding if the predictions say nothing about the labels.
pub(crate) fn label_issues(
    approaches: &[ApproachResults],
    sampling: &Sampling,
    metric: Scorer,
    filter: LabelIssueFilter,
) -> (Option<LabelIssuesRecord>, Option<String>) {
    match suspects(approaches, sampling, metric, filter) {
        None => (None, None),
        Some(Err(finding)) => (None, Some(finding)),
        Some(Ok(record)) => {
            let finding = finding(&record, approaches);
            (Some(record), finding)
        }
    }
}

/// Returns the suspected label errors, or the reason why none can be told.
fn suspects(
    approaches: &[ApproachResults],
    sampling: &Sampling,
    metric: Scorer,
    filter: LabelIssueFilter,
) -> Option<Result<LabelIssuesRecord, String>> {
    sampling.folds.filter(|_| sampling.all.task.has_classes())?;
    let best = best(approaches, metric).filter(|best| best.undertrained() == 0)?;
    let classes = sampling.all.classes.len();
    let (rows, probabilities) = out_of_fold(best, sampling, classes);
    let labels: Vec<usize> = rows.iter().filter_map(|&row| sampling.target(row).class()).collect();
    // Tested examples of one class have no label errors to find.
    let issues = LabelIssues::new(&labels, &probabilities, classes).ok()?;
    if is_uninformed(&labels, &probabilities, classes) {
        return Some(Err(format!(
            "Label errors are not listed: on held-out examples, the predictions of {} agree with the labels no more than by chance, and \
             its probabilities are no better than the frequencies of the classes.",
            best.label
        )));
    }
    let record = |place: usize| {
        let (row, suspected) = (rows[place], issues.suspected(place));
        let [given, other] = [labels[place], suspected].map(|class| probabilities[place * classes + class]);
        let example = &sampling.all.examples[row];
        let classes = [labels[place], suspected];
        let mut record = LabelIssueRecord::new(row, example.line, example.text.as_str(), classes, given - other);
        record.text_pair.clone_from(&example.text_pair);
        record
    };
    let found = issues.ranked(filter, KEPT, LabelQuality::NormalizedMargin).into_iter().map(record).collect();
    Some(Ok(LabelIssuesRecord::new(best.name.as_str(), filter.name(), rows.len(), found)))
}

/// Returns whether the predictions say nothing about the labels: the 95 % confidence interval of their accuracy contains that of
/// chance (the expected agreement of Cohen's kappa, 1960), and their log loss is not below that of the frequencies of the classes by
/// more than [`CLEARLY`].
fn is_uninformed(labels: &[usize], probabilities: &[f64], classes: usize) -> bool {
    let rows = labels.len() as f64;
    let predicted: Vec<usize> = probabilities.chunks(classes).map(argmax).collect();
    let shares = |of: &[usize]| -> Vec<f64> {
        (0..classes).map(|class| of.iter().filter(|label| **label == class).count() as f64 / rows).collect()
    };
    let (given, found) = (shares(labels), shares(&predicted));
    let chance: f64 = given.iter().zip(&found).map(|(given, found)| given * found).sum();
    let entropy: f64 = given.iter().filter(|share| **share > 0.0).map(|share| -share * share.ln()).sum();
    let hits = labels.iter().zip(&predicted).filter(|(label, predicted)| label == predicted).count();
    let lowest = wilson_interval(hits as f64, labels.len(), 0.95).map_or(0.0, |interval| interval.low);
    lowest <= chance && log_loss(labels, probabilities, classes).is_ok_and(|loss| loss >= entropy * (1.0 - CLEARLY))
}

/// Returns the finding about suspected label errors, if there are any.
fn finding(record: &LabelIssuesRecord, approaches: &[ApproachResults]) -> Option<String> {
    let label = approaches.iter().find(|results| results.name == record.approach).map(|results| &results.label)?;
    let (count, are) = match record.issues.len() {
        0 => return None,
        1 => (1, "is"),
        count => (count, "are"),
    };
    Some(format!(
        "{count} of {} labels {are} probably wrong, by the predictions of {label}; label_issues.csv lists them.",
        record.examples
    ))
}

/// Returns the tested rows of the data set, ascending, and the mean probability of each class over the runs that tested them.
fn out_of_fold(results: &ApproachResults, sampling: &Sampling, classes: usize) -> (Vec<usize>, Vec<f64>) {
    let mut runs = vec![0_u32; sampling.all.len()];
    let mut sums = vec![0.0; sampling.all.len() * classes];
    for run in &results.runs {
        for (&row, scores) in sampling.samples[run.sample].test.iter().zip(run.scores.chunks(classes)) {
            runs[row] += 1;
            sums[row * classes..(row + 1) * classes].iter_mut().zip(scores).for_each(|(sum, score)| *sum += score);
        }
    }
    let rows: Vec<usize> = (0..runs.len()).filter(|&row| runs[row] > 0).collect();
    let mean = |&row: &usize| sums[row * classes..(row + 1) * classes].iter().map(move |sum| (row, sum));
    let means = rows.iter().flat_map(mean).map(|(row, sum)| sum / f64::from(runs[row])).collect();
    (rows, means)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn predictions_of_a_rare_class_say_something_without_the_accuracy_of_the_majority() {
        // Ten of 100 rows are of class 1. The model finds nine of them, and 20 rows too many.
        let labels: Vec<usize> = (0..100).map(|row| usize::from(row < 10)).collect();
        let sure = |class: usize| [[0.999, 0.001], [0.001, 0.999]][class];
        let informed: Vec<f64> = (0..100).flat_map(|row| sure(usize::from((1..30).contains(&row)))).collect();
        assert!(log_loss(&labels, &informed, 2).expect("a loss") > 0.4, "above the entropy");
        assert!(!is_uninformed(&labels, &informed, 2));
        // The same predictions of other rows.
        let shifted: Vec<f64> = (0..100).flat_map(|row| sure(usize::from((7..36).contains(&row)))).collect();
        assert!(is_uninformed(&labels, &shifted, 2));
        let majority: Vec<f64> = (0..100).flat_map(|_| [0.89, 0.11]).collect();
        assert!(is_uninformed(&labels, &majority, 2));
        // Means over folds, of which each lacks other examples.
        let mean: Vec<f64> = (0..100).flat_map(|row| if row < 10 { [0.899, 0.101] } else { [0.9, 0.1] }).collect();
        assert!(is_uninformed(&labels, &mean, 2));
    }
}
