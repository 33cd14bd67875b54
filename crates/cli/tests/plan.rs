//! Runs `rekindle plan`.

use serde_json::{Value, json};

use crate::common::{Place, text};

fn place() -> Place {
    let place = Place::new();
    let rows = |count: usize| {
        (0..count).map(|row| format!("it was {} {row},{}\n", ["great", "awful"][row % 2], row % 2)).collect::<String>()
    };
    place.write("all.csv", format!("text,label\n{}", rows(60)));
    place.write("test.csv", format!("text,label\n{}", rows(400)));
    place.write("values.csv", "text,label\na,1.5\nb,2.5\nc,3.5\nd,0.5\n");
    place
}

fn said(place: &Place, options: &[&str]) -> String {
    let output = place.command("plan").args(["--model", "embedded"]).args(options).output().expect("it ran");
    assert!(output.status.success(), "{options:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

#[test]
fn a_plan_says_what_a_design_detects_and_how_long_it_takes() {
    let place = place();
    let options = ["test.csv", "--folds", "5", "--approaches", "probe,feature-extraction", "--disagreement", "0.3"];
    let before = place.files();
    let found: Value = serde_json::from_str(&said(&place, &[&options[..], &["--json"]].concat())).expect("JSON");
    assert!(place.files() == before, "a plan writes nothing");
    let designs = found["designs"].as_array().expect("designs");
    let given = &designs[0];
    assert_eq!((&given["folds"], &given["repeats"], &given["runs"]), (&json!(5), &json!(1), &json!(5)));
    assert_eq!((&given["test"], &given["test_examples"]), (&json!("corrected t"), &json!(80)));
    let number = |value: &Value| value.as_f64().expect("a number");
    let seconds = &given["seconds"];
    assert!(number(&seconds[0]) > 0.0 && number(&seconds[0]) <= number(&seconds[1]), "{seconds}");
    // Five folds once and three times, ten folds once and three times: with more repeats, smaller differences are found.
    let smallest: Vec<f64> = designs.iter().map(|design| number(&design["smallest_difference"])).collect();
    assert!(smallest.len() == 4 && smallest[1] < smallest[0] && smallest[3] < smallest[2], "{smallest:?}");
    let printed = said(&place, &options);
    assert!(printed.contains("5 folds, 3 times") && printed.contains("examples for 2 points"), "{printed}");
    assert!(printed.contains("right and the other wrong on 30 % of them (--disagreement)"), "{printed}");
}

#[test]
fn the_smallest_difference_on_a_test_set_is_that_of_the_exact_power() {
    let place = place();
    let options = ["--train", "all.csv", "--test", "test.csv", "--no-timing", "--json", "--difference", "4.57"];
    let found: Value = serde_json::from_str(&said(&place, &options)).expect("JSON");
    let designs = found["designs"].as_array().expect("designs");
    assert_eq!(designs.len(), 1);
    // By scipy, as in fixtures/metrics/make_power.py: of 0.01, 0.02, … points, the first with a power of 0.8.
    assert_eq!(designs[0]["smallest_difference"], json!(4.57));
    let needed = designs[0]["examples_needed"].as_u64().expect("a number");
    assert!((380..=402).contains(&needed), "{needed}");
    assert_eq!((&designs[0]["test"], &designs[0]["seconds"]), (&json!("McNemar, exact"), &Value::Null));
    let few = said(&place, &["all.csv", "--no-timing", "--test-size", "5"]);
    assert!(few.contains("5 test examples") && few.contains("undetectable") && few.contains("not measured"), "{few}");
}

#[test]
fn a_plan_has_the_validation_examples_of_the_options_and_refuses_what_it_ignores() {
    let place = place();
    let validated =
        ["all.csv", "--approaches", "last-layer", "--validation-size", "0.2", "--early-stopping-patience", "1"];
    assert!(said(&place, &[&validated[..], &["--calibrate", "temperature"]].concat()).contains("test examples"));
    let unknown = ["plan", "all.csv", "--no-timing", "--model", "org/none"];
    let output = place.command(unknown[0]).args(&unknown[1..]).output().expect("it ran");
    assert!(output.status.success(), "no model is needed: {}", text(&output.stderr));
    for (options, expected) in [
        (&["all.csv", "--sizes", "8,all"][..], "--sizes"),
        (&["all.csv", "--metric", "f1"], "--metric"),
        (&["all.csv", "--folds", "3", "--label-issue-filter", "both"], "--label-issue-filter"),
        (&["all.csv", "--folds", "3", "--time-column", "text"], "--time-column"),
    ] {
        let output = place.command("plan").args(["--model", "embedded"]).args(options).output().expect("it ran");
        let error = text(&output.stderr);
        assert!(output.status.code() == Some(2) && error.contains(expected), "{options:?}: {error}");
    }
}

#[test]
fn a_plan_needs_classes() {
    let place = place();
    let output = place.command("plan").args(["values.csv", "--task", "regression", "--model", "embedded"]).output();
    let output = output.expect("it ran");
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("plan: needs one class per text; the task of the data is regression"));
}
