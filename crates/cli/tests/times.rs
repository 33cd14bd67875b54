//! Runs the commands on examples that have times.

use std::fs;

use serde_json::{Value, json};

use crate::common::{Place, text};

/// A table of 60 texts, one per day, not in the order of their days; the first and the last text are equal.
fn place() -> Place {
    let place = Place::new();
    let row = |row: usize| {
        let day = row * 7 % 60;
        let words = if row.is_multiple_of(2) { "a joy" } else { "awful" };
        let text = if day == 0 || day == 59 { "the same text".into() } else { format!("it was {words} {row}") };
        format!("{text},{},2024-{:02}-{:02}\n", row % 2, 1 + day / 20, 1 + day % 20)
    };
    place.write("all.csv", format!("text,label,date\n{}", (0..60).map(row).collect::<String>()));
    place
}

const OPTIONS: &[&str] = &["--model", "embedded", "--approaches", "probe", "--time-column", "date"];

#[test]
fn the_newest_examples_are_tested_on() {
    let place = place();
    let (results, said) =
        place.results(&[OPTIONS, &["all.csv", "--test-size", "15", "--validation-size", "5"]].concat());
    assert!(
        said.contains("15 test examples, 5 validation examples by time (`date`), tested from 2024-03-06 on"),
        "{said}"
    );
    assert_eq!(
        (&results["design"]["time_column"], &results["design"]["test_from"]),
        (&json!("date"), &json!(["2024-03-06"]))
    );
    assert_eq!((&results["data"]["train"], &results["data"]["profile"]["leaks"]), (&json!(40), &json!(1)));
    assert!(said.contains("1 test example has the text of training examples"), "{said}");
    let report = fs::read_to_string(place.path("out/report.html")).expect("a report");
    assert!(report.contains("by the column date: the test examples are those from 2024-03-06 on"));
}

#[test]
fn folds_are_tested_after_their_training_examples() {
    let place = place();
    let (results, said) = place.results(&[OPTIONS, &["all.csv", "--folds", "3"]].concat());
    assert!(
        said.contains("60 examples in 3 folds by time (`date`), tested from 2024-01-16, 2024-02-11, 2024-03-06 on"),
        "{said}"
    );
    let runs = results["approaches"][0]["runs"].as_array().expect("runs");
    let sizes: Vec<(&Value, &Value)> = runs.iter().map(|run| (&run["size"], &run["test"])).collect();
    assert_eq!(sizes, [(&json!(15), &json!(15)), (&json!(30), &json!(15)), (&json!(45), &json!(15))]);
}

#[test]
fn times_of_files_are_compared() {
    let place = place();
    place.write("test.csv", "text,label,date\nnew,0,2024-03-20\nnewer,1,2024-03-21\n");
    let (results, said) = place.results(&[OPTIONS, &["all.csv", "--test", "test.csv"]].concat());
    assert_eq!(results["data"]["profile"]["not_newer"], 1);
    assert!(said.contains("1 test example is not newer (`date`) than the newest training example"), "{said}");
    let options = ["all.csv", "--test", "test.csv", "--time-column", "date", "--model", "embedded"];
    let output = place.command("data").args(options).output().expect("it ran");
    let said = text(&output.stdout);
    assert!(said.contains("times           2024-01-01 to 2024-03-20 (`date`)"), "{said}");
    assert!(said.contains("not newer       1 (50.00 %): their time (`date`) is at most 2024-03-20"), "{said}");
    place.write("test.csv", "text,label,date\nnew,0,7\n");
    let output = place.plain("experiment").args(OPTIONS).args(["all.csv", "--test", "test.csv", "-o", "bad"]).output();
    let error = text(&output.expect("it ran").stderr);
    assert!(error.contains("test.csv: time `7` is a number, and the training examples have a date"), "{error}");
}
