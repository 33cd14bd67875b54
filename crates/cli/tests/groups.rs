//! Runs the commands on examples that belong to groups.

use std::fs;

use serde_json::{Value, json};

use crate::common::{Place, text};

/// A table of 72 texts of 24 users.
fn table() -> String {
    let words = ["a joy", "great", "fine", "awful", "a shame", "broken"];
    let row = |row: usize| {
        let label = row * 7 % 2;
        format!("it was {} {row},{label},u{}\n", words[row % 3 + 3 * label], row / 3)
    };
    format!("text,label,user\n{}", (0..72).map(row).collect::<String>())
}

fn place() -> Place {
    let place = Place::new();
    place.write("all.csv", table());
    place
}

const OPTIONS: &[&str] = &["--model", "embedded", "--approaches", "probe", "--group-column", "user"];

/// Returns the users of the test examples of each fold.
fn users(place: &Place, results: &Value) -> Vec<Vec<u64>> {
    let predictions = fs::read_to_string(place.path("out/predictions.csv")).expect("predictions");
    let folds = results["design"]["folds"].as_u64().unwrap_or(1);
    let rows = predictions.lines().filter(|line| line.starts_with("probe,"));
    let mut users = vec![Vec::new(); folds as usize];
    for row in rows {
        let fields: Vec<&str> = row.split(',').collect();
        let line: u64 = fields[5].parse().expect("a line");
        users[fields[3].parse::<usize>().expect("a fold") - 1].push((line - 2) / 3);
    }
    users
}

#[test]
fn examples_of_a_group_are_in_one_fold() {
    let place = place();
    let (results, said) = place.results(&[OPTIONS, &["all.csv", "--folds", "4"]].concat());
    assert!(said.contains("72 examples in 24 groups (`user`), 4 folds"), "{said}");
    assert_eq!(results["design"]["group_column"], "user");
    let profile = &results["data"]["profile"];
    assert_eq!((&profile["groups"], &profile["largest_group"]), (&json!(24), &json!(3)));
    let folds = users(&place, &results);
    let tested: usize = folds.iter().map(Vec::len).sum();
    assert_eq!(tested, 72);
    for (fold, users) in folds.iter().enumerate() {
        assert!(
            folds
                .iter()
                .enumerate()
                .all(|(other, theirs)| other == fold || theirs.iter().all(|user| !users.contains(user)))
        );
    }
    let report = fs::read_to_string(place.path("out/report.html")).expect("a report");
    assert!(report.contains("72 examples in 24 groups, 4 folds"));
}

#[test]
fn intervals_and_tests_count_groups() {
    let place = place();
    let (results, said) = place.results(&[OPTIONS, &["all.csv", "--test-size", "0.9"]].concat());
    assert!(said.contains("test examples of 24 groups (`user`)"), "{said}");
    assert_eq!(results["approaches"][0]["scores"]["accuracy"]["method"], "bootstrap of groups");
    // An approach that classifies all examples correctly has no interval.
    assert!(results["baselines"][0]["scores"]["accuracy"]["interval"].is_array(), "{results}");
    for comparison in results["comparisons"].as_array().expect("comparisons") {
        assert_eq!(comparison["method"], "permutation of groups");
    }
    // Ten examples of five users: whatever the result, p is at least 1/16.
    let few: String = (0..40).map(|row| format!("text {row},{},u{}\n", row % 2, row / 2)).collect();
    place.write("few.csv", format!("text,label,user\n{few}"));
    let (_, said) = place.results(&[OPTIONS, &["few.csv", "--test-size", "10"]].concat());
    assert!(said.contains("5 groups of test examples are too few"), "{said}");
}

#[test]
fn groups_in_files_that_are_given_separately_are_counted() {
    let place = place();
    place.write("test.csv", "text,label,user\nnew,0,u1\nalso new,1,u1\nother,1,someone\n");
    let (results, said) = place.results(&[OPTIONS, &["all.csv", "--test", "test.csv"]].concat());
    assert_eq!(results["data"]["profile"]["group_leaks"], 2);
    assert!(said.contains("2 test examples are of groups (`user`) that have training examples, too"), "{said}");
    let options = ["all.csv", "--test", "test.csv", "--group-column", "user", "--model", "embedded"];
    let said = |options: &[&str]| {
        let output = place.command("data").args(options).output().expect("it ran");
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    let printed = said(&options);
    assert!(printed.contains("text (text), label (label), user (group)"), "{printed}");
    assert!(printed.contains("groups          24 (`user`); the largest, `u0`, has 3 (4.17 %)"), "{printed}");
    assert!(printed.contains("group leaks     2 (66.67 %): their group (`user`) is in all.csv, too"), "{printed}");
    let found: Value = serde_json::from_str(&said(&[&options[..], &["--json"]].concat())).expect("JSON");
    let groups = json!({"column": "user", "count": 24, "largest": {"name": "u0", "rows": 3}});
    assert_eq!((&found["data"]["groups"], &found["test"]["leaks"]["rows_of_groups"]), (&groups, &json!(2)));
}

#[test]
fn a_group_that_is_missing_stops_the_command() {
    let place = place();
    place.write("bad.csv", "text,label,user\na,0,u1\nb,1,\nc,1,u2\n");
    for options in [["bad.csv", "--group-column", "user"], ["bad.csv", "--group-column", "nobody"]] {
        let output = place.plain("experiment").args(["--model", "embedded", "-o", "out"]).args(options).output();
        let output = output.expect("it ran");
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{error}");
        assert!(
            error.contains("bad.csv, line 3: the group (`user`) is empty") || error.contains("no group column"),
            "{error}"
        );
    }
}

#[test]
fn nearly_equal_texts_are_in_one_fold_and_counted() {
    let place = Place::new();
    let things = ["wooden chair", "garden hose", "coffee mug", "phone charger", "winter jacket", "desk lamp"];
    let row = |row: usize| {
        let copy = if row.is_multiple_of(2) { "." } else { "!!" };
        format!(
            "Order {} of the {} has still not arrived{copy},{}\n",
            row / 2 * 7919 % 1000,
            things[row / 2 % 6],
            row / 2 % 2
        )
    };
    place.write("all.csv", format!("text,label\n{}", (0..48).map(row).collect::<String>()));
    place.write("test.csv", "text,label\nOrder 0 of the wooden chair has still not arrived,0\nsomething else,1\n");
    let options = ["--model", "embedded", "--approaches", "probe", "--near-duplicates=0.9", "all.csv"];
    let (results, said) = place.results(&[&options[..], &["--folds", "3"]].concat());
    assert!(said.contains("24 repeat or nearly repeat the text of another and stay with it"), "{said}");
    let profile = &results["data"]["profile"];
    assert_eq!((&results["design"]["near_duplicates"], &profile["near_duplicates"]), (&json!(0.9), &json!(24)));
    assert_eq!(profile["near_leaks"], Value::Null);
    let (results, said) = place.results(&[&options[..], &["--test", "test.csv"]].concat());
    assert_eq!(results["data"]["profile"]["near_leaks"], 1);
    assert!(said.contains("1 test example is nearly equal to training examples"), "{said}");
    let arguments = ["all.csv", "--test", "test.csv", "--near-duplicates=0.9", "--model", "embedded"];
    let output = place.command("data").args(arguments).output().expect("it ran");
    let said = text(&output.stdout);
    assert!(
        said.contains("near-duplicates 24 (50.00 %): a text before is equal, or nearly (similarity 0.9); 24 groups"),
        "{said}"
    );
    assert!(
        said.contains("line 2 `Order 0 of the wooden chair") && said.contains("near leaks      1 (50.00 %)"),
        "{said}"
    );
    let output = place.command("data").args(arguments).arg("--json").output().expect("it ran");
    let found: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(found["near_duplicates"]["example"]["lines"], json!([2, 3]));
}
