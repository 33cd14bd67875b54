//! Calibrated probabilities and thresholds, from the experiment to the predictions of a saved model.

use std::fs;

use serde_json::Value;

use crate::common::{Place, text};

/// Opinions, one in four of which has the wrong label, so that a model should not be sure.
fn opinions() -> String {
    let mut rows = String::from("text,label\n");
    for number in 0..160 {
        let words = ["great", "good", "nice", "awful", "bad", "poor"][number % 6];
        let thing = ["film", "book", "meal", "room", "game", "song", "trip", "show"][number / 6 % 8];
        let is_good = (number % 6 < 3) != (number * 7 % 4 == 0);
        let label = if is_good { "good" } else { "bad" };
        rows.push_str(&format!("The {thing} number {number} was {words}.,{label}\n"));
    }
    rows
}

fn place() -> Place {
    let place = Place::new();
    place.write("opinions.csv", opinions());
    place
}

const FIXED: [&str; 5] = ["--model", "embedded", "opinions.csv", "--max-length", "16"];

/// The rows of a CSV file, by the names of its columns.
fn table(place: &Place, name: &str) -> Vec<std::collections::HashMap<String, String>> {
    let mut reader = csv::Reader::from_path(place.path(name)).expect("a table");
    reader.deserialize().map(|row| row.expect("a row")).collect()
}

/// The probability of `good` for each test example of an approach in the run, and by its saved model.
fn probabilities(place: &Place, approach: &str) -> Vec<(f64, f64)> {
    let rows = table(place, "out/predictions.csv").into_iter().filter(|row| row["approach"] == approach);
    let (texts, run): (Vec<String>, Vec<f64>) =
        rows.map(|row| (row["text"].clone(), row["probability_good"].parse::<f64>().expect("a number"))).unzip();
    place.write("texts.txt", texts.join("\n"));
    let model = format!("out/models/{approach}");
    let output = place.command("predict").args(["--model", &model, "--input", "texts.txt", "--all-scores"]).output();
    let output = output.expect("it ran");
    assert!(output.status.success(), "{}", text(&output.stderr));
    let lines = text(&output.stdout);
    let saved = lines.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON")["score_good"].as_f64());
    let pairs: Vec<(f64, f64)> = run.into_iter().zip(saved.flatten()).collect();
    assert_eq!(pairs.len(), texts.len());
    pairs
}

fn config(place: &Place, approach: &str) -> Value {
    let json = fs::read(place.path(&format!("out/models/{approach}/config.json"))).expect("a configuration");
    serde_json::from_slice(&json).expect("JSON")
}

#[test]
fn the_saved_models_have_the_calibrated_probabilities_of_the_run() {
    let place = place();
    for (method, rows) in [("temperature", "--validation-size=60"), ("vector", "--calibration-folds=2")] {
        let options =
            ["--approaches", "probe,last-layer", "--epochs", "2", "--calibrate", method, rows, "--save-models"];
        let (results, _) = place.results(&[&FIXED[..], &options].concat());
        for record in results["approaches"].as_array().expect("approaches") {
            let approach = record["approach"].as_str().expect("a name");
            let calibration = &record["runs"][0]["calibration"];
            assert_eq!(calibration["method"], method, "{approach}");
            let source = if method == "vector" { "inner folds" } else { "validation examples" };
            assert_eq!(calibration["source"], source, "{approach}");
            let saved = &config(&place, approach)["rekindle_calibration"];
            assert_eq!(saved["weights"], calibration["weights"], "{approach}");
            assert_ne!(calibration["weights"][0], 1.0, "{approach}");
            for (run, saved) in probabilities(&place, approach) {
                assert!((run - saved).abs() < 2e-5, "{approach}, {method}: {run} and {saved}");
            }
            let quality = &record["quality"];
            for name in ["ece", "adaptive_ece", "brier", "nll"] {
                let [after, before] = ["probabilities", "uncalibrated"].map(|of| &quality[of]["scores"][name]);
                assert!(after["mean"].is_f64() && before["mean"].is_f64(), "{name}: {quality}");
                assert!(after["interval"][0].as_f64() < after["interval"][1].as_f64(), "{name}: {after}");
            }
            assert!(quality["probabilities"]["aurc"].is_f64());
        }
    }
    let report = fs::read_to_string(place.path("out/report.html")).expect("a report");
    assert!(report.contains("Adaptive ECE") && report.contains("Accuracy by coverage"));
}

#[test]
fn costs_move_the_threshold_of_two_classes_and_predict_uses_it() {
    let place = place();
    let options = ["--approaches", "probe", "--save-models", "--cost"];
    let of = |costs: &str| {
        let (results, _) = place.results(&[&FIXED[..], &options, &[costs]].concat());
        assert_eq!(results["arguments"]["cost"], costs);
        let thresholds = &results["approaches"][0]["runs"][0]["thresholds"];
        let saved = &config(&place, "probe")["rekindle_thresholds"];
        let of = |of: &Value| [0, 1].map(|class| of[class].as_f64().map(|threshold| threshold as f32));
        assert!(of(saved) == of(thresholds) && of(saved)[1].is_some(), "{saved}, {thresholds}");
        let rows = table(&place, "out/predictions.csv").into_iter().filter(|row| row["approach"] == "probe");
        rows.filter(|row| row["prediction"] == "good").collect::<Vec<_>>()
    };
    let many = of("fp=1,fn=20");
    let is_improbable = |probability: &str| probability.parse::<f64>().is_ok_and(|probability| probability < 0.5);
    let improbable = many.iter().find(|row| is_improbable(&row["probability_good"])).expect("a threshold below a half");
    let output = place.command("predict").args(["--model", "out/models/probe", &improbable["text"]]).output();
    let said = text(&output.expect("it ran").stdout);
    assert!(said.contains("\"label\":\"good\""), "{said}");
    assert!(many.len() > of("fp=20,fn=1").len() + 10);
    for (costs, expected) in [("fp=1", "fp=1,fn=10"), ("fp=0,fn=1", "above 0"), ("x=1,fn=1", "fp=1,fn=10")] {
        let output = place.run(&[&FIXED[..], &options, &[costs]].concat());
        assert!(text(&output.stderr).contains(expected), "{}", text(&output.stderr));
    }
}

#[test]
fn options_that_choose_thresholds_and_the_order_are_among_the_settings() {
    let place = place();
    let options = ["--approaches", "feature-extraction", "--epochs", "1", "--shuffle", "none"];
    let (results, _) =
        place.results(&[&options[..], &FIXED[..], &["--f-beta", "2", "--calibration-folds", "2"]].concat());
    let arguments = &results["arguments"];
    assert_eq!((&arguments["shuffle"], &arguments["f_beta"]), (&"none".into(), &2.0.into()));
    assert_eq!((&arguments["calibration_folds"], &arguments["cost"]), (&2.into(), &Value::Null));
    let report = fs::read_to_string(place.path("out/report.html")).expect("a report");
    for option in ["--shuffle", "--f-beta", "--calibration-folds"] {
        assert!(report.contains(option), "{option}");
    }
    assert!(!report.contains("--cost"));
}

#[test]
fn a_promised_error_leaves_texts_without_a_label() {
    let place = place();
    let options = ["--approaches", "probe", "--calibrate", "temperature", "--save-models"];
    let (results, _) = place.results(&[&FIXED[..], &options].concat());
    let promises = results["approaches"][0]["runs"][0]["calibration"]["promised_errors"].as_array().expect("promises");
    let (first, last) = (&promises[0], &promises[promises.len() - 1]);
    assert_eq!((&first["threshold"], &first["coverage"]), (&0.0.into(), &1.0.into()));
    let predict = |max_error: &str| {
        let arguments = ["--model", "out/models/probe", "--max-error", max_error, "The film was great.", "x"];
        place.command("predict").args(arguments).output().expect("it ran")
    };
    let output = predict(&first["error"].to_string());
    assert!(output.status.success() && !text(&output.stdout).contains("\"label\":null"), "{}", text(&output.stdout));
    let refused = text(&predict("0.0001").stderr);
    let least = format!("{:.4}", last["error"].as_f64().expect("a number"));
    assert!(refused.contains("--max-error") && refused.contains(&least), "{refused}");
    let evaluate = |option: &str, value: &str| {
        let arguments = ["--model", "out/models/probe", "--data", "opinions.csv", "--json", option, value];
        place.command("evaluate").args(arguments).output().expect("it ran")
    };
    let abstention = |option: &str, value: &str| {
        let results: Value = serde_json::from_slice(&evaluate(option, value).stdout).expect("results");
        results["approaches"][0]["quality"]["abstention"].clone()
    };
    let all = abstention("--max-error", &first["error"].to_string());
    assert_eq!((&all["threshold"], &all["coverage"]["mean"]), (&0.0.into(), &1.0.into()));
    let arguments = ["--model", "out/models/probe", "--data", "opinions.csv", "--prefix", "predicted_"];
    let output = place.command("predict").args(arguments).args(["--abstain-below", "0.7"]).output().expect("it ran");
    let rows: Vec<Value> = text(&output.stdout).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let predicted: Vec<&Value> = rows.iter().filter(|row| !row["predicted_label"].is_null()).collect();
    let wrong = predicted.iter().filter(|row| row["predicted_label"] != row["label"]).count() as f64;
    assert!(!predicted.is_empty() && predicted.len() < rows.len(), "{} of {}", predicted.len(), rows.len());
    let some = abstention("--abstain-below", "0.7");
    let close = |found: &Value, expected: f64| (found.as_f64().expect("a number") - expected).abs() < 1e-12;
    assert!(close(&some["coverage"]["mean"], predicted.len() as f64 / rows.len() as f64), "{some}");
    assert!(close(&some["error"]["mean"], wrong / predicted.len() as f64), "{some}");
    assert!(some["error"]["interval"].is_array() && some["error"]["n"] == predicted.len(), "{some}");
    let refused = text(&evaluate("--max-error", "0.0001").stderr);
    assert!(refused.contains("--max-error") && refused.contains(&least), "{refused}");
    let served = ["--model", "out/models/probe", "--max-error", "0.0001", "--listen", "127.0.0.1:0"];
    let refused = text(&place.command("serve").args(served).output().expect("it ran").stderr);
    assert!(refused.contains("--max-error") && refused.contains(&least), "{refused}");
    place.results(&[&FIXED[..], &["--approaches", "probe", "--save-models"]].concat());
    let refused = text(&predict("0.1").stderr);
    assert!(refused.contains("has no error bounds") && refused.contains("--calibrate"), "{refused}");
}

#[test]
fn what_cannot_be_chosen_is_an_error() {
    let place = place();
    for (options, expected) in [
        (&["--calibrate", "temperature"][..], "--validation-size, or --calibration-folds 5"),
        (&["--f-beta", "2", "--approaches", "full"], "--f-beta: no validation examples for full"),
        (&["--calibration-folds", "3", "--approaches", "probe"], "--calibration-folds: needs a calibration"),
        (&["--calibration-folds", "3", "--validation-size", "9"], "cannot be used with"),
        (&["--cost", "fp=1,fn=2", "--f-beta", "1"], "cannot be used with"),
        (&["--calibrate", "platt"], "vector"),
    ] {
        let output = place.run(&[&FIXED[..], options].concat());
        let error = text(&output.stderr);
        assert!(!output.status.success() && error.contains(expected), "{options:?}: {error}");
    }
}
