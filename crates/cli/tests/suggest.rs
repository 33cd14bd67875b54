//! Suggestions of what to label next.

use std::fs;
use std::process::Output;

use serde_json::Value;

use crate::common::{Place, text};

/// A folder with labelled texts, a model that is trained on them with a learning curve, and texts without labels.
fn place() -> Place {
    let place = Place::new();
    let words = [["awful", "bad", "poor", "dreadful"], ["great", "good", "lovely", "wonderful"]];
    let row = |row: usize| format!("it is {} {row},{}\n", words[row % 2][row / 2 % 4], ["bad", "good"][row % 2]);
    place.write("data.csv", format!("text,label\n{}", (0..36).map(row).collect::<String>()));
    let options = ["--model", "embedded", "data.csv", "--approaches", "probe:C=1:layers=last", "--save-models"];
    place.results(&[&options[..], &["--folds", "3", "--sizes", "6,12,24"]].concat());
    let unlabelled = "text,id\na good film,1\nneither bad nor good,2\nA  Good film,3\n,4\na poor one,5\nwhat a day,6\n";
    place.write("unlabelled.csv", unlabelled);
    place
}

fn model(place: &Place) -> String {
    let models = fs::read_dir(place.path("out/models")).expect("models");
    let name = models.map(|model| model.expect("a model").file_name()).next().expect("a model");
    format!("out/models/{}", name.display())
}

fn suggest(place: &Place, options: &[&str]) -> Output {
    let model = model(place);
    let base = ["--model", model.as_str(), "--data", "unlabelled.csv"];
    place.command("suggest").args(base).args(options).output().expect("it ran")
}

#[test]
fn different_texts_are_suggested_with_their_columns_and_a_forecast() {
    let place = place();
    let output = suggest(&place, &["--count", "3", "--results", "out"]);
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{err}");
    let rows: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(rows.len(), 3);
    for row in &rows {
        let keys: Vec<&String> = row.as_object().expect("an object").keys().collect();
        assert_eq!(keys, ["text", "id", "label", "score", "reason"]);
        assert!(row["id"] != "3" && row["id"] != "4", "repeated or empty: {row}");
        let (label, score) = (row["label"].as_str().expect("a label"), row["score"].as_f64().expect("a score"));
        let reason = row["reason"].as_str().expect("a reason");
        assert!(score >= 0.5 && reason.starts_with(&format!("{label} {score:.3} or ")), "{row}");
    }
    assert!(err.contains("3 of 4 texts suggested, without 2 empty or repeated"), "{err}");
    let forecast = "from 24 to 27 labels drawn at random, the accuracy of probe:C=1:layers=last would improve by ";
    assert!(err.contains(forecast) && err.contains("over 3 sizes and 3 runs"), "{err}");
    assert_eq!(text(&suggest(&place, &["--count", "3"]).stdout), out, "the same seed");

    let output = suggest(&place, &["--output", "next.csv", "--quiet"]);
    assert!(text(&output.stderr).contains("only 4 different texts"), "{}", text(&output.stderr));
    let table = fs::read_to_string(place.path("next.csv")).expect("the output");
    assert!(table.starts_with("text,id,label,score,reason\n") && table.lines().count() == 5, "{table}");
    let error = text(&suggest(&place, &["--output", "next.csv"]).stderr);
    assert!(error.contains("next.csv: already exists") && error.contains("--overwrite"), "{error}");
    #[cfg(feature = "parquet")]
    assert!(suggest(&place, &["--output", "next.parquet"]).status.success());
}

#[test]
fn labels_are_those_of_predict() {
    let place = place();
    // With such costs, the second class is predicted from a small probability.
    let options = ["--model", "embedded", "data.csv", "--approaches", "probe:C=1:layers=last", "--save-models"];
    place.results(&[&options[..], &["--folds", "3", "--cost", "fp=1,fn=100"]].concat());
    let model = model(&place);
    let labels = |command: &str| {
        let arguments = ["--model", model.as_str(), "--data", "unlabelled.csv", "--output-format", "jsonl"];
        let output = place.command(command).args(arguments).output().expect("it ran");
        let rows =
            text(&output.stdout).lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON")).collect();
        let rows: Vec<Value> = rows;
        rows.into_iter()
            .map(|row| (row["id"].to_string(), row["label"].to_string()))
            .collect::<std::collections::BTreeMap<_, _>>()
    };
    let predicted = labels("predict");
    let suggested = labels("suggest");
    let config = fs::read_to_string(place.path(&format!("{model}/config.json"))).expect("a configuration");
    let config: Value = serde_json::from_str(&config).expect("JSON");
    let threshold = config["rekindle_thresholds"][1].as_f64().expect("a threshold");
    let output = suggest(&place, &["--count", "4"]);
    let distances: Vec<f64> = text(&output.stdout)
        .lines()
        .map(|line| {
            let row: Value = serde_json::from_str(line).expect("JSON");
            let score = row["score"].as_f64().expect("a score");
            let good = if row["label"] == "good" { score } else { 1.0 - score };
            ((good / (1.0 - good)).ln() - (threshold / (1.0 - threshold)).ln()).abs()
        })
        .collect();
    assert!(threshold < 0.4 && distances.len() == 4 && distances.is_sorted(), "{threshold}: {distances:?}");
    assert!(suggested.len() == 4 && suggested.iter().all(|(id, label)| predicted[id] == *label), "{suggested:?}");
}

#[test]
fn what_cannot_be_suggested_or_forecast_is_said() {
    let place = place();
    place.write("unlabelled.csv", "text,label\nwhat a day,\na poor one,\n");
    let output = suggest(&place, &["--count", "1", "--output-format", "csv"]);
    assert!(text(&output.stderr).contains("the table has a column `label`"), "{}", text(&output.stderr));
    assert!(text(&output.stdout).starts_with("text,label,predicted_label,predicted_score,predicted_reason\n"));
    let output = suggest(&place, &["--prefix", ""]);
    assert!(output.status.code() == Some(2) && text(&output.stderr).contains("--prefix"), "{}", text(&output.stderr));

    let options = ["--model", "embedded", "data.csv", "--approaches", "probe:C=1:layers=last", "--output", "flat"];
    assert!(place.run(&options).status.success());
    let said = text(&suggest(&place, &["--results", "flat/results.json"]).stderr);
    assert!(said.contains("cannot be said: the learning curve has 1 size") && said.contains("--sizes"), "{said}");

    place.write("unlabelled.csv", "text\n \n");
    let output = suggest(&place, &[]);
    assert!(output.status.code() == Some(3) && text(&output.stderr).contains("unlabelled.csv: no texts"));
}
