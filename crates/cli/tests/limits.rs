//! Extreme sizes and settings: a defined result, or a clear error.

use std::fmt::Write;

use serde_json::Value;

use crate::common::{Place, text};

/// Runs an experiment that must fail with an error, not a panic.
fn refused(place: &Place, options: &[&str], expected: &[&str]) {
    let output = place.run(options);
    let error = text(&output.stderr);
    assert!(output.status.code().is_some_and(|code| code != 0 && code != 101), "{options:?}: {}", output.status);
    for part in expected {
        assert!(error.contains(part), "{options:?}: `{part}` in {error}");
    }
    assert!(!error.contains("panicked"), "{error}");
}

fn finite(results: &Value) -> bool {
    let numbers = |approach: &Value| ["loss", "accuracy", "f1"].map(|score| approach[score].as_f64());
    let approaches = results["approaches"].as_array().expect("approaches");
    approaches.iter().flat_map(numbers).all(|number| number.is_some_and(f64::is_finite))
}

#[test]
fn zero_epochs_empty_batches_and_negative_rates_are_errors() {
    let place = Place::new();
    refused(&place, &["--model", "embedded", "--epochs", "0"], &["--epochs", "at least 1"]);
    refused(&place, &["--model", "embedded", "--batch-size", "0"], &["--batch-size", "at least 1"]);
    refused(
        &place,
        &["--model", "embedded", "--gradient-accumulation-steps", "0"],
        &["--gradient-accumulation-steps", "at least 1"],
    );
    let rates = ["feature-extraction:lr=-1", "feature-extraction:lr=nan", "full:lr=inf", "full:wd=-0.1"];
    for rate in rates {
        let value = rate.split_once('=').expect("a value").1;
        refused(&place, &["--model", "embedded", "--approaches", rate], &[rate, value]);
    }
    assert!(!place.path("out").join("results.json").exists());
}

/// A learning rate of 0 does not train: the new head is tested as initialised.
#[test]
fn a_learning_rate_of_zero_gives_a_result() {
    let loss = |epochs: &str| {
        let place = Place::new();
        let approaches = "feature-extraction:lr=0:wd=0";
        let (results, _) = place.results(&["--model", "embedded", "--approaches", approaches, "--epochs", epochs]);
        assert!(finite(&results), "{results:?}");
        results["approaches"][0]["epochs"][0]["eval_loss"].as_f64().expect("a loss")
    };
    assert_eq!(loss("1"), loss("2"));
}

#[test]
fn a_batch_may_be_larger_than_the_data() {
    let place = Place::new();
    let (results, _) = place.results(&["--model", "embedded", "--batch-size", "1000000000000"]);
    let steps = results["approaches"][0]["steps"].as_array().expect("steps");
    assert!(finite(&results) && steps.len() == 1, "{steps:?}");
}

#[test]
fn empty_texts_have_two_special_tokens() {
    let place = Place::new();
    place.write("empty.csv", "text,label\n,a\n,b\n,a\n,b\n,a\n,b\ngood,a\nbad,b\n");
    let (results, _) = place.results(&["--model", "embedded", "--data", "empty.csv", "--test-size", "2"]);
    assert!(finite(&results));
}

/// The memory for longer texts is tested in crates/tokenizer/tests/long.rs.
#[test]
fn a_text_of_two_megabytes_is_classified() {
    let place = Place::new();
    place.results(&["--model", "embedded", "--save-models", "--approaches", "feature-extraction"]);
    let predict = |part: &str| {
        place.write("long.txt", part.repeat((2 << 20) / part.len()) + "\nshort\n");
        let model = "out/models/feature_extraction_freeze_all";
        let output = place.command("predict").args(["--model", model, "--input", "long.txt"]).output().expect("it ran");
        assert!(output.status.success(), "{}", text(&output.stderr));
        let lines: Vec<Value> =
            text(&output.stdout).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!((lines.len(), lines[1]["text"].as_str()), (2, Some("short")));
        assert!(lines[0]["score"].as_f64().is_some_and(|score| (0.5..=1.0).contains(&score)));
    };
    ["so good ", "!", "x"].into_iter().for_each(predict);
    let long = "a very good film ".repeat(120_000);
    place.write("long.csv", format!("text,label\n{long},a\nso bad,b\ngood,a\nbad,b\n"));
    let (results, _) = place.results(&["--model", "embedded", "--data", "long.csv", "--test-size", "2"]);
    assert!(finite(&results));
    let output = place.command("data").args(["--model", "embedded", "long.csv"]).output().expect("it ran");
    assert!(output.status.success(), "{}", text(&output.stderr));
}

#[test]
fn a_hundred_thousand_classes_are_an_error() {
    let place = Place::new();
    let mut rows = String::from("text,label\n");
    for row in 0..200_000 {
        writeln!(rows, "sentence {row},class {}", row / 2).expect("written");
    }
    place.write("many.csv", rows);
    let split: &[&str] = &["--test-size", "0.5"];
    for design in [split, &["--folds", "2"]] {
        let options = [&["--model", "embedded", "--data", "many.csv"], design].concat();
        refused(&place, &options, &["100000 classes"]);
    }
    let output = place.command("data").args(["--model", "embedded", "many.csv"]).output().expect("it ran");
    assert!(output.status.success(), "{}", text(&output.stderr));
}

/// A damaged Parquet file on which the library panics, and results with a very long name.
#[test]
fn damaged_files_are_errors_without_a_panic_message() {
    let place = Place::new();
    let whole = std::fs::read("../../fixtures/data/parquet/plain_pages.parquet").expect("a fixture");
    for at in (4..whole.len() - 8).filter(|at| at % 40 == 0) {
        let mut damaged = whole.clone();
        damaged[at] = !damaged[at];
        place.write("a.parquet", damaged);
        let output = place.command("data").args(["--model", "embedded", "a.parquet"]).output().expect("it ran");
        assert!(!text(&output.stderr).contains("panicked"), "byte {at}: {}", text(&output.stderr));
    }
}
