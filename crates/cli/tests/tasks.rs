//! Experiments with several labels, numbers and ordered classes, from the file to the prediction of a saved model.

use std::fmt::Write as _;
use std::fs;

use serde_json::Value;

use crate::common::{Place, text};

/// Short opinions about things, with what they say of them.
fn opinions() -> Vec<(String, &'static [&'static str], f64)> {
    let mut all = Vec::new();
    for thing in ["film", "book", "meal", "room", "game", "song", "trip", "show", "talk", "shop"] {
        let more: [(&str, &[&str], f64); 4] = [
            ("was great and cheap", &["good", "price"], 5.0),
            ("was great", &["good"], 4.5),
            ("was awful and expensive", &["bad", "price"], 0.5),
            ("was there", &[], 2.5),
        ];
        all.extend(more.map(|(words, labels, stars)| (format!("The {thing} {words}."), labels, stars)));
    }
    all
}

fn experiment(place: &Place, arguments: &[&str]) -> Value {
    let fixed =
        ["--model", "embedded", "--approaches", "probe,full,contrastive", "--epochs", "2", "--max-length", "16"];
    let output = place.run(&[&fixed[..], &["--save-models"], arguments].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    serde_json::from_slice(&fs::read(place.path("out/results.json")).expect("results")).expect("JSON")
}

/// The prediction of the saved probe for a text.
fn predict(place: &Place, words: &str) -> Value {
    let output = place.command("predict").args(["--model", "out/models/probe", words]).output().expect("it ran");
    assert!(output.status.success(), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// What an experiment says that cannot begin.
fn refused(place: &Place, arguments: &[&str]) -> String {
    let output = place.run(arguments);
    assert!(!output.status.success(), "{arguments:?}");
    text(&output.stderr)
}

fn config(place: &Place) -> Value {
    let json = fs::read(place.path("out/models/fine_tune_all/config.json")).expect("a configuration");
    serde_json::from_slice(&json).expect("JSON")
}

#[test]
fn several_labels_are_trained_measured_and_predicted() {
    let place = Place::new();
    let mut lines = String::new();
    for (text, labels, _) in opinions() {
        writeln!(lines, "{}", serde_json::json!({ "text": text, "labels": labels })).expect("memory");
    }
    place.write("opinions.jsonl", lines);
    let results = experiment(&place, &["--data", "opinions.jsonl", "--folds", "2"]);
    assert_eq!((&results["data"]["task"], &results["design"]["metric"]), (&"multi-label".into(), &"f1_micro".into()));
    assert_eq!(results["data"]["classes"], serde_json::json!(["bad", "good", "price"]));
    assert_eq!(results["data"]["class_counts"], serde_json::json!([10, 20, 20]));
    let probe = &results["approaches"][0];
    for metric in ["f1_micro", "f1_macro", "f1_samples", "average_precision", "accuracy", "hamming_loss", "loss"] {
        assert!(probe["scores"][metric]["mean"].is_f64(), "{metric}: {}", probe["scores"]);
    }
    assert!(
        probe["scores"]["f1_micro"]["mean"].as_f64() > results["baselines"][0]["scores"]["f1_micro"]["mean"].as_f64()
    );
    assert_eq!(probe["quality"]["per_class"].as_array().map(Vec::len), Some(3));
    let contrastive = &results["approaches"][2];
    assert!(
        contrastive["scores"]["f1_micro"]["mean"].as_f64()
            > results["baselines"][0]["scores"]["f1_micro"]["mean"].as_f64()
    );
    assert_eq!(config(&place)["problem_type"], "multi_label_classification");
    let found = predict(&place, "The film was great and cheap.");
    assert!(found["labels"].as_array().is_some_and(|labels| labels.contains(&"good".into())), "{found}");
    let rows = fs::read_to_string(place.path("out/predictions.csv")).expect("predictions");
    assert!(rows.contains("\"good,price\"") && rows.contains("probability_price"), "{rows}");
}

#[test]
fn separated_labels_and_columns_of_labels_are_the_same_examples() {
    let place = Place::new();
    let (mut joined, mut columns) = ("text;labels\n".to_string(), "text,good,bad,price\n".to_string());
    for (text, labels, _) in opinions() {
        writeln!(joined, "{text};{}", labels.join("|")).expect("memory");
        let has = |label| u8::from(labels.contains(&label));
        writeln!(columns, "{text},{},{},{}", has("good"), has("bad"), has("price")).expect("memory");
    }
    place.write("joined.csv", joined);
    place.write("columns.csv", columns);
    let rates = |results: &Value| results["baselines"][0]["scores"]["hamming_loss"]["mean"].clone();
    let first = experiment(&place, &["--data", "joined.csv", "--label-separator", "|", "--validation-size", "10"]);
    let second =
        experiment(&place, &["--data", "columns.csv", "--label-columns", "bad,good,price", "--validation-size", "10"]);
    assert_eq!(rates(&first), rates(&second));
    assert_eq!(first["data"]["sha256"], second["data"]["sha256"]);
    assert_eq!(first["approaches"][0]["runs"][0]["thresholds"].as_array().map(Vec::len), Some(3));
    assert_eq!(config(&place)["rekindle_thresholds"].as_array().map(Vec::len), Some(3));
}

#[test]
fn numbers_are_trained_measured_and_predicted() {
    let place = Place::new();
    let mut lines = "text,stars\n".to_string();
    opinions().iter().for_each(|(text, _, stars)| writeln!(lines, "{text},{stars}").expect("memory"));
    place.write("stars.csv", &lines);
    let results = experiment(&place, &["--data", "stars.csv", "--task", "regression"]);
    let probe = &results["approaches"][0];
    assert_eq!((&results["data"]["task"], &results["design"]["metric"]), (&"regression".into(), &"rmse".into()));
    assert!(
        probe.get("accuracy").is_none() && probe["scores"]["r2"]["mean"].as_f64() > Some(0.5),
        "{}",
        probe["scores"]
    );
    assert!(
        results["approaches"][2]["scores"]["r2"]["mean"].as_f64() > Some(0.5),
        "{}",
        results["approaches"][2]["scores"]
    );
    assert_eq!(config(&place)["problem_type"], "regression");
    let score = |text: &str| predict(&place, text)["score"].as_f64().expect("a number");
    assert!(score("The film was great.") > score("The film was awful and expensive."));
    let report = fs::read_to_string(place.path("out/report.html")).expect("a report");
    assert!(report.contains("Predicted values") && report.contains("Largest errors"));

    place.write("bad.csv", lines + "Fine.,many\n");
    let error = refused(&place, &["--data", "bad.csv", "--task", "regression"]);
    assert!(error.contains("line 42") && error.contains("`many` is not a number"), "{error}");
}

#[test]
fn ordered_classes_are_trained_and_measured() {
    let place = Place::new();
    let mut lines = "text,rating\n".to_string();
    for (text, _, stars) in opinions() {
        let rating = if stars < 1.0 {
            "low"
        } else if stars < 3.0 {
            "medium"
        } else {
            "high"
        };
        writeln!(lines, "{text},{rating}").expect("memory");
    }
    place.write("ratings.csv", lines);
    assert!(refused(&place, &["--data", "ratings.csv", "--task", "ordinal"]).contains("--label-order"));
    let data = |order: &str| {
        let arguments = ["ratings.csv", "--task", "ordinal", "--label-order", order];
        text(&place.command("data").args(arguments).output().expect("it ran").stderr)
    };
    assert!(data("low,high").contains("`medium` is not in `--label-order low,high`"));
    assert!(data("low,high,low").contains("`--label-order` has `low` twice"));
    let order = ["--data", "ratings.csv", "--task", "ordinal", "--label-order", "low,medium,high"];
    let results = experiment(&place, &order);
    assert_eq!(results["data"]["classes"], serde_json::json!(["low", "medium", "high"]));
    assert_eq!(results["design"]["metric"], "quadratic_weighted_kappa");
    assert!(results["approaches"][0]["scores"]["mae"]["mean"].is_f64());
    assert_eq!(config(&place)["rekindle_ordinal"], true);
}

#[test]
fn options_of_other_tasks_and_ambiguous_labels_are_errors() {
    let place = Place::new();
    place.write("a.csv", "text,label\na,joy\nb,anger\nc,\"joy,anger\"\n");
    place.write("b.csv", "text,label\na,1.5\nb,2\nc,2.5\nd,3\ne,4\n");
    for (arguments, expected) in [
        (&["--data", "a.csv"][..], &["joy,anger", "--label-separator ','", "--task single-label"][..]),
        (&["--data", "b.csv"], &["--task regression", "--task single-label"]),
        (&["--data", "b.csv", "--task", "regression", "--metric", "accuracy"], &["accuracy", "regression", "rmse"]),
        (&["--data", "a.csv", "--task", "regression", "--label-separator", ","], &["--label-separator", "multi-label"]),
        (&["--data", "a.csv", "--label-order", "joy,anger"], &["--label-order", "ordinal"]),
        (
            &[
                "--data",
                "b.csv",
                "--task",
                "regression",
                "--class-weights",
                "balanced",
                "--approaches",
                "probe",
                "--test-size",
                "1",
            ],
            &["--class-weights", "regression has no classes"],
        ),
        (
            &[
                "--data",
                "a.csv",
                "--label-separator",
                ",",
                "--class-weights",
                "1",
                "--approaches",
                "probe",
                "--test-size",
                "1",
            ],
            &["--class-weights", "1 weights for 2 classes"],
        ),
        (
            &[
                "--data",
                "a.csv",
                "--label-separator",
                ",",
                "--approaches",
                "contrastive:loss=supcon",
                "--model",
                "embedded",
                "--test-size",
                "1",
            ],
            &["only loss=cosine", "one class per text"],
        ),
    ] {
        let error = refused(&place, arguments);
        expected.iter().for_each(|part| assert!(error.contains(part), "{arguments:?}: `{part}` is not in {error}"));
    }
}
