//! What the outputs of a head mean: `problem_type` of `config.json`, and what transformers has no field for.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::config::ConfigFile;
use crate::error::CheckpointError;

/// What the outputs of a head predict, under transformers' names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProblemType {
    /// One of the classes: a softmax over the outputs.
    SingleLabelClassification,
    /// Any number of labels: a sigmoid of each output.
    MultiLabelClassification,
    /// A number: the output itself.
    Regression,
}

/// The fields of `config.json` that say what the outputs of a head mean. Those that transformers does not know begin with
/// `rekindle_`; it keeps and ignores them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Problem {
    /// What the outputs predict; absent for what the number of outputs says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem_type: Option<ProblemType>,
    /// Whether the classes are ordered, from the lowest to the highest.
    #[serde(rename = "rekindle_ordinal", skip_serializing_if = "is_false")]
    pub ordinal: bool,
    /// The probability from which each label is predicted, for several labels; empty for 0.5. For two classes, the second one is
    /// predicted from its threshold; empty for the most probable one.
    #[serde(rename = "rekindle_thresholds", skip_serializing_if = "Vec::is_empty")]
    pub thresholds: Vec<f32>,
    /// How the logits were calibrated; absent if they were not.
    #[serde(rename = "rekindle_calibration", skip_serializing_if = "Option::is_none")]
    pub calibration: Option<Calibration>,
    /// Scores from which a class is predicted, by descending coverage; empty if none were chosen.
    #[serde(rename = "rekindle_abstention", skip_serializing_if = "Vec::is_empty")]
    pub abstention: Vec<Abstention>,
}

/// How the logits of a model were calibrated. It is for readers: the output layer contains the weights and biases.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// `temperature` or `vector`.
    pub method: String,
    /// The examples that it was fitted to.
    pub source: String,
    /// Their number.
    pub examples: usize,
    /// What the logits of each class were multiplied by: 1 / temperature.
    pub weights: Vec<f64>,
    /// What was added to them then.
    pub biases: Vec<f64>,
}

/// A score from which a class is predicted, and what is known of the errors above it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Abstention {
    /// The lowest score that is predicted.
    pub threshold: f32,
    /// The fraction of the examples that are predicted.
    pub coverage: f64,
    /// The upper 95 % bound of the fraction of these that are wrong.
    pub error: f64,
}

fn is_false(value: &bool) -> bool {
    !value
}

impl Problem {
    /// The names of the fields.
    pub const FIELDS: [&str; 5] =
        ["problem_type", "rekindle_ordinal", "rekindle_thresholds", "rekindle_calibration", "rekindle_abstention"];

    /// Writes the fields that are set, each where it was or at the end, and removes the others.
    pub fn insert_into(&self, fields: &mut Map<String, Value>) {
        if let Ok(Value::Object(ours)) = serde_json::to_value(self) {
            fields.retain(|name, _| !Self::FIELDS.contains(&name.as_str()) || ours.contains_key(name));
            fields.extend(ours);
        }
    }

    /// Returns the same meaning of the outputs, without what was chosen for the classes of a trained model.
    pub fn untrained(self) -> Self {
        Self { problem_type: self.problem_type, ordinal: self.ordinal, ..Self::default() }
    }

    /// Returns the probability from which a label is predicted.
    pub fn threshold(&self, label: usize) -> f32 {
        self.thresholds.get(label).copied().unwrap_or(0.5)
    }
}

impl ConfigFile {
    /// Returns what the outputs of the head mean, of which there are `outputs`.
    ///
    /// # Errors
    /// When a field has a value that is not supported, or does not fit the number of outputs.
    pub fn problem(&self, outputs: usize) -> Result<Problem, CheckpointError> {
        let mut ours = Map::new();
        for field in Problem::FIELDS {
            let Some(value) = self.fields.get(field).filter(|value| !value.is_null()) else { continue };
            ours.insert(field.into(), value.clone());
            serde_json::from_value::<Problem>(Value::Object(ours.clone())).map_err(|error| match field {
                "problem_type" => self.refuse(
                    field,
                    format!(
                        "{value} is not supported; single_label_classification, multi_label_classification and regression are"
                    ),
                ),
                _ => self.refuse(field, error.to_string()),
            })?;
        }
        let problem: Problem = serde_json::from_value(Value::Object(ours)).unwrap_or_default();
        let thresholds = problem.thresholds.len();
        if thresholds != 0 && thresholds != outputs {
            let reason = format!("{thresholds} thresholds for {outputs} labels");
            return Err(self.refuse("rekindle_thresholds", reason));
        }
        if problem.problem_type == Some(ProblemType::Regression) && outputs != 1 {
            let reason = format!("regression with {outputs} outputs is not supported; one output is");
            return Err(self.refuse("problem_type", reason));
        }
        Ok(problem)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn problem(json: &str, outputs: usize) -> Result<Problem, String> {
        let file = ConfigFile::parse(json.as_bytes(), Path::new("config.json")).expect("JSON");
        file.problem(outputs).map_err(|error| error.to_string())
    }

    #[test]
    fn the_problem_is_written_as_it_was_read() {
        let json = r#"{"problem_type": "multi_label_classification", "rekindle_thresholds": [0.25, 0.5]}"#;
        let read = problem(json, 2).expect("supported");
        assert_eq!(read.problem_type, Some(ProblemType::MultiLabelClassification));
        assert_eq!((read.threshold(0), Problem::default().threshold(7)), (0.25, 0.5));
        let mut fields = Map::from_iter([("rekindle_ordinal".to_string(), Value::Bool(true))]);
        read.insert_into(&mut fields);
        assert_eq!(Value::Object(fields), serde_json::from_str::<Value>(json).expect("JSON"));
        assert_eq!(problem(r#"{"problem_type": null}"#, 2), Ok(Problem::default()));
    }

    #[test]
    fn what_is_not_supported_is_named() {
        let error = problem(r#"{"problem_type": "ranking"}"#, 2).expect_err("unknown");
        assert!(
            error.contains("problem_type") && error.contains("multi_label_classification and regression"),
            "{error}"
        );
        let error = problem(r#"{"problem_type": "regression"}"#, 3).expect_err("outputs");
        assert!(error.contains("regression with 3 outputs"), "{error}");
        let error = problem(r#"{"rekindle_thresholds": [0.5]}"#, 2).expect_err("length");
        assert!(error.contains("1 thresholds for 2 labels"), "{error}");
    }
}
