//! What the comparisons say, in sentences.

use rekindle_metrics::smallest_p;

use crate::contender::Contender;
use crate::pairwise::ALPHA;
use crate::results::ComparisonRecord;
use crate::sampling::Sampling;

/// The best approach and what it was seen to beat, other differences that stand, and each baseline; or that nothing can
/// be told.
pub(crate) fn findings(
    comparisons: &[ComparisonRecord],
    approaches: &[Contender],
    baselines: &[Contender],
    sampling: &Sampling,
) -> Vec<String> {
    let sentences = sampling.samples[0].test.len();
    if sampling.folds.is_none() && smallest_p(sentences) >= ALPHA {
        return vec![format!(
            "With {sentences} test sentences nothing can be told: even if one approach had all of them right and \
             another none, p would be {:.2}.",
            smallest_p(sentences)
        )];
    }
    let accuracy = |contender: &&Contender| contender.mean(|test| test.accuracy);
    let Some(best) = approaches.iter().rev().max_by(|a, b| accuracy(a).total_cmp(&accuracy(b))) else {
        return Vec::new();
    };
    let sides: Vec<Side> = comparisons.iter().map(Side::of).collect();
    let is = |contenders: &[Contender], name: &str| contenders.iter().any(|contender| contender.name == name);
    let among = |side: &&Side| is(approaches, side.higher) && is(approaches, side.lower);
    let of_best = |side: &&Side| side.higher == best.name || side.lower == best.name;

    let mut findings = Vec::new();
    if approaches.len() > 1 {
        let (stand, fall): (Vec<_>, Vec<_>) =
            sides.iter().filter(among).filter(of_best).partition(|side| side.stands());
        let mut words = format!("{} has the highest accuracy, {:.4}.", best.name, accuracy(&best));
        if !stand.is_empty() {
            words += &format!(" It beats {}.", list(stand.iter().map(|side| side.by())));
        }
        if !fall.is_empty() {
            words +=
                &format!(" It cannot be told apart from {}.", list(fall.iter().map(|side| side.apart(&best.name))));
        }
        findings.push(words);
        let others = sides.iter().filter(among).filter(|side| !of_best(side) && side.stands());
        findings.extend(others.map(|side| format!("{} beats {}.", side.higher, side.by())));
    }
    findings.extend(baselines.iter().map(|baseline| floor(&baseline.name, &sides)));
    findings
}

/// How the approaches stand to a baseline.
fn floor(baseline: &str, sides: &[Side]) -> String {
    let names = |higher: bool, stands: bool| {
        let of = |side: &&Side| match (stands, higher) {
            (false, _) => !side.stands() && (side.lower == baseline || side.higher == baseline),
            (true, true) => side.stands() && side.lower == baseline,
            (true, false) => side.stands() && side.higher == baseline,
        };
        let other = |side: &Side| if side.lower == baseline { side.higher.to_string() } else { side.lower.to_string() };
        list(sides.iter().filter(of).map(other))
    };
    let parts = [
        ("Better than", names(true, true)),
        ("Worse than", names(false, true)),
        ("Not to be told apart from", names(false, false)),
    ];
    let told = parts.into_iter().filter(|(_, names)| !names.is_empty());
    told.map(|(how, names)| format!("{how} {baseline}: {names}.")).collect::<Vec<_>>().join(" ")
}

fn list(items: impl Iterator<Item = String>) -> String {
    items.collect::<Vec<_>>().join(", ")
}

/// A comparison, the more accurate side first.
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

    fn stands(&self) -> bool {
        self.record.stands
    }

    fn points(&self) -> f64 {
        100.0 * self.record.difference.abs()
    }

    fn p(&self) -> String {
        match self.record.p_adjusted {
            Some(p) if p < 0.001 => "p < 0.001".into(),
            Some(p) => format!("p = {p:.3}"),
            None => "no test".into(),
        }
    }

    /// The lower side, and by how much.
    fn by(&self) -> String {
        let interval = self.record.interval.map_or(String::new(), |(low, high)| {
            let ends = [low, high].map(|end| 100.0 * end * self.record.difference.signum());
            format!(", 95 % interval {:.1} to {:.1}", ends[0].min(ends[1]), ends[0].max(ends[1]))
        });
        format!("{} by {:.1} points ({}{interval})", self.lower, self.points(), self.p())
    }

    /// The side that is not `name`, and what lies between.
    fn apart(&self, name: &str) -> String {
        let other = if self.higher == name { self.lower } else { self.higher };
        format!("{other} ({:.1} points, {})", self.points(), self.p())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contender::Tested;
    use rekindle_data::{TestSize, twelve_sentences};

    fn contender(name: &str, accuracy: f64) -> Contender {
        let tested = Tested {
            sample: 0,
            probabilities: Vec::new(),
            predictions: Vec::new(),
            accuracy,
            f1: accuracy,
            f1_undefined: false,
            loss: 0.0,
        };
        Contender { name: name.into(), tests: vec![tested] }
    }

    fn record(a: &str, b: &str, difference: f64, p: f64) -> ComparisonRecord {
        ComparisonRecord {
            a: a.into(),
            b: b.into(),
            difference,
            interval: Some((difference - 0.01, difference + 0.01)),
            n: 15,
            method: "corrected t".into(),
            p_value: Some(p),
            p_adjusted: Some(p),
            stands: p < ALPHA,
        }
    }

    #[test]
    fn what_stands_is_told_from_what_does_not() {
        let sampling = Sampling::folds(twelve_sentences(), 3, 1, 42).expect("folds");
        let approaches = [contender("frozen", 0.7), contender("full", 0.8), contender("lora", 0.79)];
        let records = [
            record("frozen", "full", -0.1, 0.0001),
            record("frozen", "lora", -0.09, 0.01),
            record("full", "lora", 0.01, 0.6),
            record("frozen", "majority", 0.2, 0.02),
            record("full", "majority", 0.3, 0.001),
            record("lora", "majority", 0.29, 0.07),
        ];
        let told = findings(&records, &approaches, &[contender("majority", 0.5)], &sampling);
        let expected = [
            "full has the highest accuracy, 0.8000. It beats frozen by 10.0 points (p < 0.001, 95 % interval 9.0 to \
             11.0). It cannot be told apart from lora (1.0 points, p = 0.600).",
            "lora beats frozen by 9.0 points (p = 0.010, 95 % interval 8.0 to 10.0).",
            "Better than majority: frozen, full. Not to be told apart from majority: lora.",
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn three_sentences_tell_nothing() {
        let (train, test) = twelve_sentences().train_test_split(TestSize::Fraction(0.25), 42, true).expect("a split");
        let told = findings(&[], &[contender("a", 1.0)], &[], &Sampling::fixed(train, None, test));
        assert!(told[0].starts_with("With 3 test sentences nothing can be told"), "{told:?}");
    }
}
