//! The schema version of `results.json`.

use std::fs;
use std::path::Path;

use rekindle_results::{Results, ResultsError, SCHEMA_VERSION};
use serde_json::{Value, json};

use crate::samples;

/// Reads a file with this content.
fn read(folder: &Path, content: &Value) -> Result<Results, ResultsError> {
    fs::write(folder.join("results.json"), content.to_string()).expect("written");
    Results::read(folder)
}

#[test]
fn a_file_without_the_field_is_version_1_and_an_unknown_version_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut whole = samples::folds();
    // They are in predictions.csv.
    whole.predictions = Default::default();
    let mut value: Value = serde_json::from_slice(&whole.to_json()).expect("JSON");
    assert_eq!(value["schema_version"], SCHEMA_VERSION);
    assert_eq!(read(folder.path(), &value).expect("a known version"), whole);

    value.as_object_mut().expect("an object").shift_remove("schema_version");
    assert_eq!(read(folder.path(), &value).expect("a file of an earlier release").schema_version, 1);

    // A version to come may have other fields: its number is reported, not the first field that is missing.
    let error = read(folder.path(), &json!({"schema_version": 7, "runs": []})).expect_err("unknown");
    assert!(matches!(&error, ResultsError::Schema { path, .. } if path.ends_with("results.json")));
    let error = error.to_string();
    assert!(error.contains("unknown schema_version 7, known is 1 at line 1"), "{error}");
}

#[test]
fn keys_keep_their_names() {
    let value = serde_json::to_value(samples::folds()).expect("JSON");
    assert!(value["approaches"][0]["quality"]["ece"].is_number());
    assert!(value["comparisons"][0]["stands"].is_boolean());
    assert!(value["misread"]["sentences"][0]["approaches"][0]["wrong"].is_number());
}

#[test]
fn files_of_earlier_releases_are_read_without_the_fields_that_they_lack() {
    /// Fields that were added to version 1.
    const ADDED: [&str; 11] = [
        "best",
        "total_of_approach",
        "line",
        "unit",
        "profile",
        "confused",
        "precision_recall",
        "train_examples_per_second",
        "eval_examples_per_second",
        "saved_bytes",
        "per_class",
    ];
    fn remove(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                fields.retain(|name, _| !ADDED.contains(&name.as_str()));
                fields.values_mut().for_each(remove);
            }
            Value::Array(values) => values.iter_mut().for_each(remove),
            _ => {}
        }
    }
    let folder = tempfile::tempdir().expect("a folder");
    let mut value = serde_json::to_value(samples::many_classes(3)).expect("JSON");
    remove(&mut value);
    let results = read(folder.path(), &value).expect("a file of an earlier release");
    assert!(results.data.profile.is_none() && results.approaches[0].diagnostics.classes.is_empty());
    assert_eq!(results.approaches[0].runs.len(), 2);
}
