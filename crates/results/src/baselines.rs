//! Baselines in `results.json`: records of approaches, under the keys that baselines have always had there.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::approach::ApproachRecord;
use crate::diagnostics::Diagnostics;
use crate::run::RunRecord;
use crate::scores::{CurvePoint, Scores};
use crate::target::TargetRecord;

/// A baseline in the file. Earlier releases wrote the fields without a default.
#[derive(Serialize, Deserialize)]
struct Entry {
    baseline: String,
    #[serde(default)]
    spec: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    accuracy: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    f1: Option<f64>,
    #[serde(default)]
    f1_undefined: bool,
    loss: f64,
    scores: Scores,
    #[serde(default)]
    predictions: Vec<TargetRecord>,
    curve: Vec<CurvePoint>,
    #[serde(default, rename = "quality")]
    diagnostics: Diagnostics,
    #[serde(default)]
    runs: Vec<RunRecord>,
    /// Time to fit and to predict over all runs.
    seconds: f64,
    /// The part of it that was spent on predictions.
    #[serde(default)]
    eval_seconds: f64,
}

impl From<&ApproachRecord> for Entry {
    fn from(record: &ApproachRecord) -> Self {
        let record = record.clone();
        Self {
            baseline: record.approach,
            spec: record.spec,
            accuracy: record.accuracy,
            f1: record.f1,
            f1_undefined: record.f1_undefined,
            loss: record.loss,
            scores: record.scores,
            predictions: record.predictions,
            curve: record.curve,
            diagnostics: record.diagnostics,
            runs: record.runs,
            seconds: record.train_seconds + record.eval_seconds,
            eval_seconds: record.eval_seconds,
        }
    }
}

impl From<Entry> for ApproachRecord {
    fn from(entry: Entry) -> Self {
        Self {
            approach: entry.baseline,
            spec: entry.spec,
            accuracy: entry.accuracy,
            f1: entry.f1,
            f1_undefined: entry.f1_undefined,
            loss: entry.loss,
            scores: entry.scores,
            predictions: entry.predictions,
            curve: entry.curve,
            diagnostics: entry.diagnostics,
            runs: entry.runs,
            train_seconds: entry.seconds - entry.eval_seconds,
            eval_seconds: entry.eval_seconds,
            ..Self::default()
        }
    }
}

pub(crate) fn serialize<S: Serializer>(records: &[ApproachRecord], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(records.iter().map(Entry::from))
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<ApproachRecord>, D::Error> {
    let entries: Vec<Entry> = Vec::deserialize(deserializer)?;
    Ok(entries.into_iter().map(ApproachRecord::from).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn baselines_of_earlier_releases_are_read() {
        let scores = serde_json::to_value(Scores::default()).expect("JSON");
        let old = json!([{
            "baseline": "majority", "accuracy": 0.5, "f1": 0.25, "loss": 0.7, "scores": scores, "curve": [], "seconds": 1.5
        }]);
        let records = deserialize(old.clone()).expect("baselines");
        let [record] = &records[..] else { panic!("one baseline") };
        assert_eq!((record.approach.as_str(), record.accuracy, record.train_seconds), ("majority", Some(0.5), 1.5));
        // All keys are written again, with the same values.
        let new = serialize(&records, serde_json::value::Serializer).expect("JSON");
        for (key, value) in old[0].as_object().into_iter().flatten() {
            assert_eq!(new[0].get(key), Some(value), "{key}");
        }
        assert_eq!(new[0]["runs"], Value::Array(Vec::new()));
    }
}
