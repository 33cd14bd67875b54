//! Suspected label errors of an experiment with folds, and training without them.

use std::fs;

use crate::common::{Place, text};

/// Rows of which two have the wrong label: 6 and 13.
fn place() -> Place {
    let place = Place::new();
    let words = [["awful", "bad", "poor", "dreadful"], ["great", "good", "lovely", "wonderful"]];
    let row = |row: usize| {
        let label = if [6, 13].contains(&row) { 1 - row % 2 } else { row % 2 };
        let [first, second] = [row / 2 % 4, row / 8 % 4].map(|word| words[row % 2][word]);
        format!("it is {first} and {second} {row},{}\n", ["bad", "good"][label])
    };
    let rows: String = (0..40).map(row).collect();
    place.write("data.csv", format!("text,label\n{rows}"));
    place
}

const FOLDS: [&str; 7] = ["--model", "embedded", "data.csv", "--approaches", "probe", "--folds", "4"];

#[test]
fn wrong_labels_are_found_by_folds_and_may_be_dropped_from_training() {
    let place = place();
    let (results, said) = place.results(&FOLDS);
    let table = fs::read_to_string(place.path("out/label_issues.csv")).expect("label_issues.csv");
    let mut rows: Vec<&str> = table.lines().collect();
    assert_eq!(rows.remove(0), "row,given,suspected,margin,method,line,text");
    for row in ["6,good,bad,-0.", "13,bad,good,-0."] {
        assert!(rows.iter().any(|line| line.starts_with(row) && line.contains(",prune_by_noise_rate,")), "{table}");
    }
    assert!(rows.iter().any(|row| row.contains(",8,it is dreadful and awful 6")), "{table}");
    let record = &results["label_issues"];
    assert_eq!((&record["approach"], &record["examples"]), (&"probe".into(), &40.into()));
    assert_eq!(record["issues"].as_array().map(Vec::len), Some(rows.len()));
    assert!(
        said.contains("of 40 labels are probably wrong, by the predictions of `probe`; label_issues.csv"),
        "{said}"
    );
    let report = fs::read_to_string(place.path("out/report.html")).expect("a report");
    assert!(report.contains("Suspected label errors") && report.contains("it is dreadful and awful 6"));

    place.write("wrong.csv", "row,given\n6,good\n13,bad\n");
    let (dropped, said) = place.results(&[&FOLDS[..], &["--drop-label-issues", "wrong.csv"]].concat());
    assert!(said.contains("40 examples in 4 folds; 2 label errors of wrong.csv not trained on"), "{said}");
    assert!(said.contains("2 training examples are listed as label errors and left out"), "{said}");
    let data = &dropped["data"];
    assert_eq!((&data["dropped"]["file"], &data["dropped"]["examples"]), (&"wrong.csv".into(), &2.into()));
    let sum = |name: &str| {
        let runs = dropped["approaches"][0]["runs"].as_array().expect("runs");
        runs.iter().map(|run| run[name].as_u64().expect("a number")).sum::<u64>()
    };
    assert_eq!((sum("test"), sum("size")), (40, 3 * 38), "every example is tested on");
    let report = fs::read_to_string(place.path("out/report.html")).expect("a report");
    assert!(report.contains("Dropped label errors"));
}

#[test]
fn without_folds_there_are_no_label_errors_and_test_examples_are_not_dropped() {
    let place = place();
    place.results(&FOLDS);
    let all: String = (0..40)
        .map(|row| format!("{row},{}\n", ["bad", "good"][if [6, 13].contains(&row) { 1 - row % 2 } else { row % 2 }]))
        .filter(|row| !row.starts_with('2'))
        .collect();
    place.write("most.csv", format!("row,given\n{all}"));
    let split = ["--model", "embedded", "data.csv", "--approaches", "probe", "--test-size", "10"];
    let (results, _) = place.results(&[&split[..], &["--drop-label-issues", "most.csv"]].concat());
    assert!(!place.path("out/label_issues.csv").exists(), "the file of the earlier results is removed");
    assert!(results["label_issues"].is_null());
    let number = |value: &serde_json::Value| value.as_u64().expect("a number");
    let (train, test) = (number(&results["data"]["train"]), number(&results["data"]["test"]));
    assert_eq!((train + number(&results["data"]["dropped"]["examples"]), test), (30, 10));
    assert!(train < 12, "only rows 2 and 20 to 29 may be left");
}

#[test]
fn a_model_that_is_no_better_than_chance_suspects_nothing() {
    let place = Place::new();
    // Labels that follow nothing in the texts.
    let rows: String = (0..40).map(|row| format!("number {row},{}\n", ["bad", "good"][row * row / 3 % 2])).collect();
    place.write("noise.csv", format!("text,label\n{rows}"));
    let options =
        ["--model", "embedded", "noise.csv", "--approaches", "probe:C=1000:layers=last:pooling=mean", "--folds", "4"];
    let (results, said) = place.results(&options);
    assert!(
        said.contains("Label errors are not listed: on held-out examples, the predictions of `probe:C=1000"),
        "{said}"
    );
    assert!(results["label_issues"].is_null() && !said.contains("probably wrong"), "{said}");
    assert!(!place.path("out/label_issues.csv").exists());
}

#[test]
fn a_file_of_other_data_is_an_error_before_anything_is_trained() {
    let place = place();
    place.write("labels.csv", "text,label\na,1\nb,2.5\nc,3\nd,4\n");
    let all: String = (0..40).filter(|row| row % 2 == 0 && *row != 6).map(|row| format!("{row},bad\n")).collect();
    for (file, content, expected) in [
        ("header.csv", "row,class\n6,good\n", "header.csv: is a table with the columns row, class; expected"),
        ("other.csv", "row,given\n6,good\n7,bad\n", "other.csv, line 3: row 7 has the label `good` in the data"),
        ("long.csv", "row,given\n40,good\n", "long.csv, line 2: row 40 does not exist; the data has the rows 0 to 39"),
        ("class.csv", &format!("row,given\n{all}13,bad\n"), "no training example of class `bad`"),
    ] {
        place.write(file, content);
        let before = place.files();
        let output = place.run(&[&FOLDS[..], &["--drop-label-issues", file]].concat());
        let error = text(&output.stderr);
        assert!(!output.status.success() && error.contains(expected), "{file}: {error}");
        assert!(place.files() == before, "{file}: nothing is written");
    }
    let values = ["--model", "embedded", "labels.csv", "--task", "regression", "--folds", "2"];
    for (option, value) in [("--drop-label-issues", "other.csv"), ("--label-issue-filter", "both")] {
        let output = place.run(&[&values[..], &[option, value]].concat());
        let error = text(&output.stderr);
        assert!(output.status.code() == Some(2) && error.contains(option) && error.contains("regression"), "{error}");
    }
}
