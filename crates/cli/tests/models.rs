//! `rekindle models`.

use rekindle::encoders::Family;
use serde_json::Value;

use crate::common::{Place, text};

/// What the command prints.
fn listed(arguments: &[&str]) -> String {
    let output = Place::new().plain("models").args(arguments).output().expect("it ran");
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
}

#[test]
fn every_family_is_listed_within_the_width_of_a_terminal() {
    let listed = listed(&[]);
    for family in Family::ALL {
        let lines = listed.lines().filter(|line| line.split_whitespace().next() == Some(family.model_type()));
        assert_eq!(lines.count(), 2, "{family} in {listed}");
        for example in family.examples() {
            assert!(listed.contains(example), "{example} in {listed}");
        }
    }
    assert!(listed.lines().all(|line| line.chars().count() <= 80), "{listed}");
}

#[test]
fn json_has_what_the_tables_have() {
    let json: Vec<Value> = serde_json::from_str(&listed(&["--json"])).expect("JSON");
    let names: Vec<&str> = json.iter().filter_map(|family| family["model_type"].as_str()).collect();
    assert_eq!(names, Family::ALL.map(Family::model_type));
    let bert = &json[names.iter().position(|name| *name == "bert").expect("BERT")];
    assert_eq!(bert["lora_targets"], serde_json::json!(["query", "value"]));
    assert_eq!((&bert["segments"], &bert["masked_lm"]), (&Value::Bool(true), &Value::Bool(true)));
}
