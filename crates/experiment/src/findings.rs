//! Conclusions from the comparisons, as sentences.

use rekindle_metrics::smallest_p;
use rekindle_results::ComparisonRecord;

use crate::approach_results::ApproachResults;
use crate::pairwise::ALPHA;
use crate::sampling::Sampling;

/// Returns the best approach and the approaches that it is significantly better than, the other significant differences, and
/// how the approaches compare with each baseline; or that there are too few test examples.
pub(crate) fn findings(
    comparisons: &[ComparisonRecord],
    approaches: &[ApproachResults],
    baselines: &[ApproachResults],
    sampling: &Sampling,
) -> Vec<String> {
    let examples = sampling.samples[0].test.len();
    if sampling.folds.is_none() && smallest_p(examples) >= ALPHA {
        return vec![format!(
            "{examples} test {} too few for a significant difference: even if one approach classified all of them correctly \
             and another none, p would be {:.2}.",
            if examples == 1 { "example is" } else { "examples are" },
            smallest_p(examples)
        )];
    }
    let accuracy = |results: &&ApproachResults| results.mean(|run| run.accuracy);
    let Some(best) = approaches.iter().rev().max_by(|a, b| accuracy(a).total_cmp(&accuracy(b))) else {
        return Vec::new();
    };
    let sides: Vec<Side> = comparisons.iter().map(Side::of).collect();
    let is = |all: &[ApproachResults], name: &str| all.iter().any(|results| results.name == name);
    let among = |side: &&Side| is(approaches, side.higher) && is(approaches, side.lower);
    let of_best = |side: &&Side| side.higher == best.name || side.lower == best.name;

    let mut findings = Vec::new();
    if approaches.len() > 1 {
        let (significant, others): (Vec<_>, Vec<_>) =
            sides.iter().filter(among).filter(of_best).partition(|side| side.record.significant);
        let mut words = format!("`{}` has the highest accuracy, {:.4}.", best.name, accuracy(&best));
        if !significant.is_empty() {
            words +=
                &format!(" It is significantly better than {}.", list(significant.iter().map(|side| side.lower())));
        }
        if !others.is_empty() {
            let others = list(others.iter().map(|side| side.other(&best.name)));
            words += &format!(" The difference is not significant to {others}.");
        }
        findings.push(words);
        let others = sides.iter().filter(among).filter(|side| !of_best(side) && side.record.significant);
        findings.extend(others.map(|side| format!("`{}` is significantly better than {}.", side.higher, side.lower())));
    }
    findings.extend(baselines.iter().map(|baseline| against(&baseline.name, &sides)));
    findings
}

/// Returns how the approaches compare with a baseline.
fn against(baseline: &str, sides: &[Side]) -> String {
    let names = |higher: bool, significant: bool| {
        let of = |side: &&Side| match (significant, higher) {
            (false, _) => !side.record.significant && (side.lower == baseline || side.higher == baseline),
            (true, true) => side.record.significant && side.lower == baseline,
            (true, false) => side.record.significant && side.higher == baseline,
        };
        let other = |side: &Side| format!("`{}`", if side.lower == baseline { side.higher } else { side.lower });
        list(sides.iter().filter(of).map(other))
    };
    let parts = [
        ("Significantly better than", names(true, true)),
        ("Significantly worse than", names(false, true)),
        ("Not significantly different from", names(false, false)),
    ];
    let parts = parts.into_iter().filter(|(_, names)| !names.is_empty());
    parts.map(|(how, names)| format!("{how} `{baseline}`: {names}.")).collect::<Vec<_>>().join(" ")
}

fn list(items: impl Iterator<Item = String>) -> String {
    items.collect::<Vec<_>>().join(", ")
}

/// A comparison, with the more accurate side first.
struct Side<'a> {
    higher: &'a str,
    lower: &'a str,
    record: &'a ComparisonRecord,
}

impl<'a> Side<'a> {
    fn of(record: &'a ComparisonRecord) -> Self {
        let (higher, lower) = if record.difference < 0.0 { (&record.b, &record.a) } else { (&record.a, &record.b) };
        Self { higher, lower, record }
    }

    /// The difference in percentage points.
    fn points(&self) -> String {
        format!("{:.1} points", 100.0 * self.record.difference.abs())
    }

    fn p(&self) -> String {
        match self.record.p_adjusted {
            Some(p) if p < 0.001 => "p < 0.001".into(),
            Some(p) => format!("p = {p:.3}"),
            None => "no test".into(),
        }
    }

    /// The lower side with the evidence.
    fn lower(&self) -> String {
        let interval = self.record.interval.map_or(String::new(), |(low, high)| {
            let ends = [low, high].map(|end| 100.0 * end * self.record.difference.signum());
            format!(", 95 % confidence interval {:.1} to {:.1}", ends[0].min(ends[1]), ends[0].max(ends[1]))
        });
        format!("`{}` (+{}, {}{interval})", self.lower, self.points(), self.p())
    }

    /// The side that is not `name` with the evidence.
    fn other(&self, name: &str) -> String {
        let other = if self.higher == name { self.lower } else { self.higher };
        format!("`{other}` ({}, {})", self.points(), self.p())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::approach_results::RunResult;
    use rekindle_data::{TestSize, twelve_sentences};

    fn results(name: &str, accuracy: f64) -> ApproachResults {
        let run = RunResult {
            sample: 0,
            probabilities: Vec::new(),
            predictions: Vec::new(),
            accuracy,
            f1: accuracy,
            f1_undefined: false,
            loss: 0.0,
        };
        ApproachResults { name: name.into(), runs: vec![run] }
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
        let records = [
            record("frozen", "full", -0.1, 0.0001),
            record("frozen", "lora", -0.09, 0.01),
            record("full", "lora", 0.01, 0.6),
            record("frozen", "majority", 0.2, 0.02),
            record("full", "majority", 0.3, 0.001),
            record("lora", "majority", 0.29, 0.07),
        ];
        let told = findings(&records, &approaches, &[results("majority", 0.5)], &sampling);
        let expected = [
            "`full` has the highest accuracy, 0.8000. It is significantly better than `frozen` (+10.0 points, p < 0.001, 95 % \
             confidence interval 9.0 to 11.0). The difference is not significant to `lora` (1.0 points, p = 0.600).",
            "`lora` is significantly better than `frozen` (+9.0 points, p = 0.010, 95 % confidence interval 8.0 to 10.0).",
            "Significantly better than `majority`: `frozen`, `full`. Not significantly different from `majority`: `lora`.",
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn three_test_examples_are_too_few() {
        let (train, test) = twelve_sentences().train_test_split(TestSize::Fraction(0.25), 42, true).expect("a split");
        let told = findings(&[], &[results("a", 1.0)], &[], &Sampling::fixed(train, None, test));
        assert!(told[0].starts_with("3 test examples are too few for a significant difference"), "{told:?}");
    }
}
