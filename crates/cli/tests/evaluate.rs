//! Runs `rekindle evaluate`.

use std::fs;

use serde_json::{Value, json};

use crate::common::{Place, text};

/// Texts with the labels that a model of opinions may find.
fn reviews() -> Vec<(String, &'static str, &'static str)> {
    let mut all = Vec::new();
    for (index, thing) in ["film", "book", "meal", "room", "game", "song", "trip"].into_iter().enumerate() {
        let place = if index % 2 == 0 { "home" } else { "" };
        all.push((format!("The {thing} was great, a joy."), "1", place));
        all.push((format!("The {thing} was awful and broken."), "0", place));
        all.push((format!("The {thing} was there."), if index < 4 { "1" } else { "0" }, place));
    }
    all
}

/// Returns a folder with two trained models, `probe` and `last`, and the table `reviews.csv`.
fn trained() -> Place {
    let place = Place::new();
    place.results(&["--model", "embedded", "--save-models", "--approaches", "probe,last-layer"]);
    for (folder, name) in [("probe", "probe"), ("fine_tune_last_layer", "last")] {
        fs::rename(place.path(&format!("out/models/{folder}")), place.path(name)).expect("moved");
    }
    let rows = reviews().into_iter().map(|(text, label, place)| format!("\"{text}\",{label},{place}\n"));
    place.write("reviews.csv", format!("text,label,place\n{}", rows.collect::<String>()));
    place
}

fn evaluate(place: &Place, arguments: &[&str]) -> Value {
    let output = place.command("evaluate").arg("--json").args(arguments).output().expect("it ran");
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn refused(place: &Place, arguments: &[&str]) -> String {
    let output = place.command("evaluate").args(arguments).output().expect("it ran");
    assert!(!output.status.success(), "{arguments:?}");
    text(&output.stderr)
}

/// The predictions of a model for the texts of a table, as JSON lines.
fn predict(place: &Place, model: &str, data: &str) -> Vec<Value> {
    let arguments = ["--model", model, "--data", data, "--prefix", "predicted_", "--all-scores"];
    let output = place.command("predict").args(arguments).output().expect("it ran");
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// Whether each prediction is right.
fn right(rows: &[Value]) -> Vec<bool> {
    rows.iter().map(|row| row["predicted_label"] == row["label"]).collect()
}

fn share(right: &[bool]) -> f64 {
    right.iter().filter(|right| **right).count() as f64 / right.len() as f64
}

fn close(found: &Value, expected: f64) {
    let found = found.as_f64().expect("a number");
    assert!((found - expected).abs() < 1e-6, "{found} instead of {expected}");
}

#[test]
fn the_scores_are_those_of_the_predictions() {
    let place = trained();
    let results = evaluate(&place, &["--model", "probe", "--data", "reviews.csv", "--output", "report"]);
    let rows = predict(&place, "probe", "reviews.csv");
    let right = right(&rows);
    let record = &results["approaches"][0];
    assert_eq!((&record["approach"], &results["data"]["classes"]), (&json!("probe"), &json!(["0", "1"])));
    close(&record["accuracy"], share(&right));
    let accuracy = &record["scores"]["accuracy"];
    assert!(accuracy["n"] == 21 && accuracy["method"] == "bootstrap" && accuracy["interval"].is_array(), "{accuracy}");
    let count = |truth: &str, predicted: &str| {
        let is = |row: &&Value| row["label"] == truth && row["predicted_label"] == predicted;
        rows.iter().filter(is).count()
    };
    let confusion = json!([[count("0", "0"), count("0", "1")], [count("1", "0"), count("1", "1")]]);
    assert_eq!(record["quality"]["confusion"], confusion);
    let of_truth = |row: &Value| {
        let probability = row[format!("predicted_score_{}", row["label"].as_str().expect("a label"))].as_f64();
        -probability.expect("a score").ln()
    };
    close(&record["loss"], rows.iter().map(of_truth).sum::<f64>() / 21.0);
    assert_eq!(results["misread"]["total"], right.iter().filter(|right| !**right).count());

    let saved: Value =
        serde_json::from_slice(&fs::read(place.path("report/results.json")).expect("results")).expect("JSON");
    assert_eq!(saved, results);
    let table = fs::read_to_string(place.path("report/predictions.csv")).expect("predictions");
    assert_eq!(table.lines().count(), 22, "{table}");
    assert!(fs::read_to_string(place.path("report/report.html")).expect("a report").contains("probe on reviews.csv"));
    let again = refused(&place, &["--model", "probe", "--data", "reviews.csv", "--output", "report"]);
    assert!(again.contains("--overwrite"), "{again}");
}

#[test]
fn the_most_confident_errors_are_explained() {
    let place = trained();
    let results = evaluate(&place, &["--model", "last", "--data", "reviews.csv", "--output", "report"]);
    let example = &results["misread"]["sentences"][0];
    let (label, wrong) = (example["explanation"]["label"].as_str().expect("a label"), example["text"].as_str());
    let arguments = ["--model", "last", "--json", "--label", label, wrong.expect("a text")];
    let output = place.command("explain").args(arguments).output().expect("it ran");
    let explanation: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let words = example["explanation"]["words"].as_array().expect("words");
    assert_eq!(words.len(), explanation["words"].as_array().expect("words").len());
    for (word, expected) in words.iter().zip(explanation["words"].as_array().expect("words")) {
        assert_eq!((&word["start"], &word["end"]), (&expected["start"], &expected["end"]));
        // The report takes fewer points of the integral.
        let [found, expected] = [word, expected].map(|word| word["attribution"].as_f64().expect("a number"));
        assert!((found - expected).abs() < 1e-3, "{found} instead of {expected}");
    }
    let page = fs::read_to_string(place.path("report/report.html")).expect("a report");
    assert!(page.contains("<mark class=\"pro3\"") || page.contains("<mark class=\"con3\""));
}

#[test]
fn several_models_are_compared_on_the_same_texts() {
    let place = trained();
    let arguments = ["--model", "probe", "--model", "last", "--data", "reviews.csv"];
    let results = evaluate(&place, &arguments);
    let [probe, last] = ["probe", "last"].map(|model| right(&predict(&place, model, "reviews.csv")));
    let comparison = &results["comparisons"][0];
    assert_eq!((&comparison["a"], &comparison["b"]), (&json!("probe"), &json!("last")));
    assert_eq!((&comparison["method"], &comparison["n"]), (&json!("McNemar, exact"), &json!(21)));
    close(&comparison["difference"], share(&probe) - share(&last));
    let output = place.command("evaluate").args(arguments).args(["--by", "place"]).output().expect("it ran");
    let shown = text(&output.stdout);
    let accuracy = format!("{:.4}", share(&last));
    assert!(shown.lines().any(|line| line.starts_with("last ") && line.contains(&accuracy)), "{shown}");
    assert!(shown.contains("(empty)") && shown.contains("home"), "{shown}");
    let twice = refused(&place, &["--model", "probe", "--model", "probe", "--data", "reviews.csv"]);
    assert!(twice.contains("probe is given twice"), "{twice}");
}

#[test]
fn what_is_printed_ends_with_its_last_line() {
    let place = trained();
    let said = |options: &[&str]| {
        let base = ["--model", "probe", "--data", "reviews.csv"];
        let output = place.command("evaluate").args(base).args(options).output().expect("it ran");
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    let scores = said(&[]);
    assert!(scores.ends_with("\nF1: of class 1\n"), "{scores}");
    let slices = said(&["--by", "place"]);
    assert!(slices.contains("\nF1: of class 1\n\nplace "), "a blank line between: {slices}");
}

#[test]
fn slices_come_with_the_worst_first() {
    let place = trained();
    let results = evaluate(&place, &["--model", "last", "--data", "reviews.csv", "--by", "place"]);
    let rows = predict(&place, "last", "reviews.csv");
    let mut expected: Vec<(f64, &str, usize)> = ["", "home"]
        .into_iter()
        .map(|value| {
            let of: Vec<Value> = rows.iter().filter(|row| row["place"] == value).cloned().collect();
            (share(&right(&of)), value, of.len())
        })
        .collect();
    expected.sort_by(|a, b| a.0.total_cmp(&b.0));
    let slices = results["slices"].as_array().expect("slices");
    assert_eq!(slices.len(), 2);
    for (slice, (accuracy, value, n)) in slices.iter().zip(expected) {
        assert_eq!((&slice["column"], &slice["value"], &slice["n"]), (&json!("place"), &json!(value), &json!(n)));
        close(&slice["scores"]["accuracy"]["mean"], accuracy);
    }
}

#[test]
fn numbers_are_evaluated_as_the_model_predicts_them() {
    let place = trained();
    let stars =
        |(text, label, _): (String, &str, &str)| format!("\"{text}\",{}.5\n", 4 * label.parse::<u8>().expect("0 or 1"));
    place.write("stars.csv", format!("text,label\n{}", reviews().into_iter().map(stars).collect::<String>()));
    let options = ["--model", "embedded", "--data", "stars.csv", "--task", "regression", "--approaches", "probe"];
    place.results(&[&options[..], &["--save-models", "--max-length", "16"]].concat());
    let results = evaluate(&place, &["--model", "out/models/probe", "--data", "stars.csv"]);
    let rows = predict(&place, "out/models/probe", "stars.csv");
    let squares = rows.iter().map(|row| {
        let truth: f64 = row["label"].as_str().expect("a label").parse().expect("a number");
        (row["predicted_score"].as_f64().expect("a number") - truth).powi(2)
    });
    let rmse = (squares.sum::<f64>() / 21.0).sqrt();
    assert_eq!(results["data"]["task"], "regression");
    let found = results["approaches"][0]["scores"]["rmse"]["mean"].as_f64().expect("rmse");
    assert!((found - rmse).abs() < 1e-5, "{found} instead of {rmse}");
    let other = refused(&place, &["--model", "probe", "--model", "out/models/probe", "--data", "reviews.csv"]);
    assert!(other.contains("regression") && other.contains("single-label: 0, 1"), "{other}");
}

#[test]
fn what_does_not_fit_the_model_is_an_error() {
    let place = trained();
    place.write("named.csv", "text,label\nfine,good\nbroken,bad\n");
    let cases: [(&[&str], &[&str]); 4] = [
        (&["--data", "named.csv"], &["named.csv, line 2: label `good`", "labels bad, good", "predicts 0, 1"]),
        (&["--data", "reviews.csv", "--by", "shop"], &["--by shop", "`text`, `label`, `place`"]),
        (&["--data", "reviews.csv", "--metric", "rmse"], &["rmse"]),
        (&["--data", "none.csv"], &["none.csv"]),
    ];
    for (arguments, expected) in cases {
        let error = refused(&place, &[&["--model", "probe", "--quiet"], arguments].concat());
        assert!(expected.iter().all(|part| error.contains(part)), "{arguments:?}: {error}");
    }
}
