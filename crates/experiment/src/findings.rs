//! Conclusions from the comparisons, as sentences.

use rekindle_data::Task;
use rekindle_metrics::{Average, Scorer, smallest_p};
use rekindle_results::ComparisonRecord;

use crate::approach_results::{ApproachResults, best, units};
use crate::pairwise::ALPHA;
use crate::records::label;
use crate::sampling::Sampling;

/// Returns which approaches are undertrained; the best of the others and the approaches that it is significantly better than;
/// the other significant differences, also to each baseline; those that are equivalent, and those that are undecided, in one sentence
/// each; or
/// that there are too few test examples.
pub(crate) fn findings(
    comparisons: &[ComparisonRecord],
    approaches: &[ApproachResults],
    baselines: &[ApproachResults],
    sampling: &Sampling,
    metric: Scorer,
) -> Vec<String> {
    let mut findings: Vec<String> =
        approaches.iter().filter_map(|results| undertrained(results, sampling.all.task)).collect();
    let clusters = sampling.clusters(&sampling.samples[0].test);
    let examples = units(sampling.samples[0].test.len(), clusters.as_deref());
    if sampling.folds.is_none() && smallest_p(examples) >= ALPHA {
        let (kind, of) = if clusters.is_some() { ("group", " of test examples") } else { ("test example", "") };
        findings.push(format!(
            "{examples} {kind}{}{of} {} too few for a significant difference: even if one approach classified all of them correctly \
             and another none, p would be {:.2}.",
            if examples == 1 { "" } else { "s" },
            if examples == 1 { "is" } else { "are" },
            smallest_p(examples)
        ));
        return findings;
    }
    let trained: Vec<&ApproachResults> = approaches.iter().filter(|results| results.undertrained() == 0).collect();
    let Some(best) = best(approaches, metric).filter(|best| best.undertrained() == 0) else { return findings };
    let is_in_nats = !matches!(sampling.all.task, Task::Regression | Task::Ordinal);
    let label = |name: &str| {
        let results = approaches.iter().chain(baselines).find(|results| results.name == name);
        results.map_or(name.into(), |results| results.label.clone())
    };
    let sides: Vec<Side> = comparisons.iter().map(|record| Side::of(record, metric, is_in_nats, label)).collect();
    let is_baseline = |name: &str| baselines.iter().any(|results| results.name == name);
    let among = |side: &&Side| !is_baseline(side.better) && !is_baseline(side.worse);
    let significant = || sides.iter().filter(|side| side.record.significant);

    if trained.len() > 1 {
        let (score, value) = (score_name(metric, sampling), best.mean(metric));
        let mut words = format!("{} has the {score}, {value:.4}.", best.label);
        let worse: Vec<String> =
            significant().filter(among).filter(|side| side.better == best.name).map(Side::worse_side).collect();
        if !worse.is_empty() {
            words += &format!(" It is significantly better than {}.", worse.join(", "));
        }
        findings.push(words);
        let others = significant().filter(among).filter(|side| side.better != best.name);
        findings.extend(
            others.map(|side| format!("{} is significantly better than {}.", side.labels[0], side.worse_side())),
        );
    }
    for baseline in baselines {
        findings.extend(against(baseline, significant()));
    }
    for (outcome, equivalent) in OUTCOMES {
        let others = sides.iter().filter(|side| !side.record.significant && side.record.equivalent == equivalent);
        let others: Vec<String> = others.map(Side::both).collect();
        if !others.is_empty() {
            findings.push(format!("{outcome}: {}.", others.join(", ")));
        }
    }
    let tests = comparisons.iter().filter(|record| record.p_adjusted.is_some()).count();
    if tests > 1 {
        findings.push(format!("Every p is adjusted for {tests} comparisons (Holm's method)."));
    }
    findings
}

/// Differences that are not significant, by what the test of equivalence says; nothing for a metric without points.
const OUTCOMES: [(&str, Option<bool>); 3] = [
    ("Equivalent within 1 point", Some(true)),
    ("Undecided, neither significant nor equivalent within 1 point", Some(false)),
    ("Not significant", None),
];

/// Returns that an approach has undertrained runs, if it has.
fn undertrained(results: &ApproachResults, task: Task) -> Option<String> {
    let constant = match task {
        Task::Regression => "mean",
        Task::MultiLabel => "label rates",
        Task::SingleLabel | Task::Ordinal => "majority class",
    };
    let runs = match (results.undertrained(), results.runs.len()) {
        (0, _) => return None,
        (1, 1) => "its loss is".into(),
        (count, all) => format!("in {count} of {all} runs, its loss is"),
    };
    Some(format!(
        "{} is undertrained and not compared: {runs} no better than that of the {constant}. More epochs or another learning \
         rate may help.",
        results.label
    ))
}

/// Returns which approaches are significantly better or worse than a baseline, if any is.
fn against<'a>(baseline: &ApproachResults, significant: impl Iterator<Item = &'a Side<'a>> + Clone) -> Option<String> {
    let list = |labels: Vec<&str>| labels.join(", ");
    let better = significant.clone().filter(|side| side.worse == baseline.name).map(|side| side.labels[0].as_str());
    let worse = significant.filter(|side| side.better == baseline.name).map(|side| side.labels[1].as_str());
    let parts = [("better", list(better.collect())), ("worse", list(worse.collect()))];
    let parts = parts.into_iter().filter(|(_, labels)| !labels.is_empty());
    let parts: Vec<String> =
        parts.map(|(how, labels)| format!("Significantly {how} than {}: {labels}.", baseline.label)).collect();
    (!parts.is_empty()).then(|| parts.join(" "))
}

/// Returns the name of the best score: `highest accuracy`, `lowest loss`, `highest F1 of class good`.
fn score_name(metric: Scorer, sampling: &Sampling) -> String {
    let classes = &sampling.all.classes;
    let order = if metric.greater_is_better() { "highest" } else { "lowest" };
    let of = match (metric, Average::usual(classes.len())) {
        (Scorer::F1, Average::Binary { positive }) => {
            classes.names().get(positive).map_or(String::new(), |name| format!(" of class {name}"))
        }
        _ => String::new(),
    };
    format!("{order} {}{of}", label(metric, sampling))
}

/// A comparison, with the better side first.
struct Side<'a> {
    better: &'a str,
    worse: &'a str,
    /// The labels of both.
    labels: [String; 2],
    /// The better side's metric minus that of the other, with its confidence interval.
    difference: f64,
    interval: Option<(f64, f64)>,
    metric: Scorer,
    /// Whether the loss is a cross-entropy.
    is_in_nats: bool,
    record: &'a ComparisonRecord,
}

impl<'a> Side<'a> {
    fn of(record: &'a ComparisonRecord, metric: Scorer, is_in_nats: bool, label: impl Fn(&str) -> String) -> Self {
        let is_reversed = if metric.greater_is_better() { record.difference < 0.0 } else { record.difference > 0.0 };
        let (better, worse) = if is_reversed { (&record.b, &record.a) } else { (&record.a, &record.b) };
        let interval = record.interval.map(|(low, high)| if is_reversed { (-high, -low) } else { (low, high) });
        let difference = if is_reversed { -record.difference } else { record.difference };
        Self { better, worse, labels: [label(better), label(worse)], difference, interval, metric, is_in_nats, record }
    }

    /// A difference: of fractions, in percentage points.
    fn amount(&self, difference: f64) -> String {
        if self.metric.range() == (0.0, 1.0) {
            format!("{:.1}", 100.0 * difference)
        } else {
            format!("{difference:.4}")
        }
    }

    /// The unit of differences, after them.
    fn unit(&self) -> &'static str {
        match self.metric {
            Scorer::Loss if self.is_in_nats => " nats",
            metric if metric.range() == (0.0, 1.0) => " points",
            _ => "",
        }
    }

    fn p(&self) -> String {
        match self.record.p_adjusted {
            Some(p) if p < 0.001 => "p < 0.001".into(),
            Some(p) => format!("p = {p:.3}"),
            None => "no test".into(),
        }
    }

    /// The worse side with the evidence.
    fn worse_side(&self) -> String {
        let interval = self.interval.map_or(String::new(), |(low, high)| {
            format!(", 95 % confidence interval {} to {}", self.amount(low), self.amount(high))
        });
        let sign = if self.difference >= 0.0 { "+" } else { "" };
        let (difference, unit) = (self.amount(self.difference), self.unit());
        format!("{} ({sign}{difference}{unit}, {}{interval})", self.labels[1], self.p())
    }

    /// Both sides with the evidence.
    fn both(&self) -> String {
        let [better, worse] = &self.labels;
        format!("{better} against {worse} ({}{}, {})", self.amount(self.difference.abs()), self.unit(), self.p())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::approach_results::RunResult;
    use rekindle_data::{Targets, TestSize, twelve_sentences};
    use rekindle_metrics::Outcome;

    fn results(name: &str, accuracy: f64) -> ApproachResults {
        // Equally many rows and errors of both classes, so that F1 is the accuracy, as is the loss of each row.
        let truth: Vec<usize> = (0..100).map(|row| row % 2).collect();
        let wrong = (100.0 * (1.0 - accuracy)).round() as usize;
        let predicted: Vec<usize> = (0..100).map(|row| if row < wrong { 1 - row % 2 } else { row % 2 }).collect();
        let outcome = Outcome::of_classes(&truth, &predicted, 2, vec![accuracy; 100]).expect("valid");
        let (predictions, scores) = (Targets::Classes(predicted), Vec::new());
        let (uncalibrated, f1_undefined) = (Vec::new(), false);
        let run =
            RunResult { sample: 0, outcome, predictions, scores, uncalibrated, f1_undefined, undertrained: false };
        let label = if name == "majority" { name.into() } else { format!("`{name}`") };
        ApproachResults { name: name.into(), label, runs: vec![run] }
    }

    fn record(a: &str, b: &str, difference: f64, p: f64) -> ComparisonRecord {
        let mut record = ComparisonRecord::default();
        (record.a, record.b, record.difference) = (a.into(), b.into(), difference);
        record.interval = Some((difference - 0.01, difference + 0.01));
        (record.n, record.method) = (15, "corrected t".into());
        (record.p_value, record.p_adjusted, record.significant) = (Some(p), Some(p), p < ALPHA);
        record
    }

    #[test]
    fn significant_differences_are_listed_with_their_evidence() {
        let sampling = Sampling::folds(twelve_sentences(), 3, 1, 42).expect("folds");
        let approaches = [results("frozen", 0.7), results("full", 0.8), results("lora", 0.79)];
        let mut records = [
            record("frozen", "full", -0.1, 0.0001),
            record("frozen", "lora", -0.09, 0.01),
            record("full", "lora", 0.01, 0.6),
            record("frozen", "majority", 0.2, 0.02),
            record("full", "majority", 0.3, 0.001),
            record("lora", "majority", 0.29, 0.07),
        ];
        let told = findings(&records, &approaches, &[results("majority", 0.5)], &sampling, Scorer::Accuracy);
        let expected = [
            "`full` has the highest accuracy, 0.8000. It is significantly better than `frozen` (+10.0 points, p < 0.001, 95 % \
             confidence interval 9.0 to 11.0).",
            "`lora` is significantly better than `frozen` (+9.0 points, p = 0.010, 95 % confidence interval 8.0 to 10.0).",
            "Significantly better than majority: `frozen`, `full`.",
            "Not significant: `full` against `lora` (1.0 points, p = 0.600), `lora` against majority (29.0 points, p = 0.070).",
            "Every p is adjusted for 6 comparisons (Holm's method).",
        ];
        assert_eq!(told, expected);
        for (place, equivalent) in [(2, true), (5, false)] {
            records[place].equivalent = Some(equivalent);
        }
        let told = findings(&records, &approaches, &[results("majority", 0.5)], &sampling, Scorer::Accuracy);
        assert_eq!(told[3], "Equivalent within 1 point: `full` against `lora` (1.0 points, p = 0.600).");
        let undecided = "Undecided, neither significant nor equivalent within 1 point: `lora` against majority";
        assert!(told[4].starts_with(undecided), "{told:?}");
    }

    #[test]
    fn a_lower_loss_is_better_and_f1_says_of_which_class() {
        let sampling = Sampling::folds(twelve_sentences(), 3, 1, 42).expect("folds");
        let approaches = [results("frozen", 0.7), results("full", 0.5)];
        let records = [record("frozen", "full", 0.2, 0.01)];
        let told = findings(&records, &approaches, &[], &sampling, Scorer::Loss);
        let evidence = "`frozen` (-0.2000 nats, p = 0.010, 95 % confidence interval -0.2100 to -0.1900)";
        assert_eq!(told, [format!("`full` has the lowest loss, 0.5000. It is significantly better than {evidence}.")]);
        let told = findings(&records, &approaches, &[], &sampling, Scorer::F1);
        assert!(told[0].starts_with("`frozen` has the highest F1 of class 1, 0.7000. It is"), "{told:?}");
        assert!(
            told[0].contains("`full` (+20.0 points, p = 0.010, 95 % confidence interval 19.0 to 21.0)"),
            "{told:?}"
        );
        let told = findings(&records, &approaches, &[], &sampling, Scorer::Matthews);
        assert!(told[0].contains("highest Matthews correlation") && told[0].contains("(+0.2000, p"), "{told:?}");
    }

    #[test]
    fn an_undertrained_approach_is_named_and_not_ranked() {
        let sampling = Sampling::folds(twelve_sentences(), 3, 1, 42).expect("folds");
        let mut untrained = results("last-2", 0.9);
        untrained.runs.iter_mut().for_each(|run| run.undertrained = true);
        let told =
            findings(&[], &[untrained, results("full", 0.7), results("lora", 0.6)], &[], &sampling, Scorer::Accuracy);
        assert!(told[0].starts_with("`last-2` is undertrained and not compared: its loss is no better"), "{told:?}");
        assert_eq!(told[1], "`full` has the highest accuracy, 0.7000.");
    }

    #[test]
    fn three_test_examples_are_too_few() {
        let (train, test) = twelve_sentences().train_test_split(TestSize::Fraction(0.25), 42, true).expect("a split");
        let sampling = Sampling::fixed(train, None, test);
        let told = findings(&[], &[results("a", 1.0)], &[], &sampling, Scorer::Accuracy);
        assert!(told[0].starts_with("3 test examples are too few for a significant difference"), "{told:?}");
    }
}
