//! `rekindle compare` as a user runs it.

#[path = "../../results/tests/samples/mod.rs"]
mod samples;

use rekindle::results::{CalibrationRecord, DroppedRecord, Results};
use serde_json::Value;

use crate::common::{Place, text};

/// A place with results in folders.
fn place(runs: &[(&str, &Results)]) -> Place {
    let place = Place::new();
    for (name, results) in runs {
        place.write(&format!("{name}/results.json"), serde_json::to_vec_pretty(results).expect("JSON"));
    }
    place
}

/// What the command printed.
fn said(place: &Place, runs: &[&str]) -> String {
    let output = place.plain("compare").args(runs).output().expect("it ran");
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
}

/// The cells of a line, which stand two blanks or more apart.
fn cells(line: &str) -> Vec<&str> {
    line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect()
}

/// Lines that begin with a name.
fn lines<'a>(said: &'a str, name: &str) -> Vec<Vec<&'a str>> {
    said.lines().map(cells).filter(|cells| cells.first() == Some(&name)).collect()
}

/// The folds again, with other settings, without one approach, and with other scores.
fn other() -> Results {
    let mut other = samples::folds();
    (other.seed, other.arguments.epochs, other.arguments.min_steps) = (7, 9, 100);
    other.arguments.long_texts = Some("head-tail".into());
    other.data.dropped = Some(DroppedRecord::new("wrong.csv", 2));
    (other.approaches[0].learning_rate, other.approaches[0].head_learning_rate) = (2e-5, Some(1e-3));
    let mut calibration = CalibrationRecord::default();
    calibration.method = "temperature".into();
    other.approaches[0].runs[0].calibration = Some(calibration);
    other.approaches[0].runs[0].thresholds = vec![0.3];
    other.approaches.pop();
    other.approaches[0].scores.get_mut("accuracy").expect("classes").mean = 0.8431;
    other.provenance.versions.pop();
    other
}

#[test]
fn what_differs_is_told_and_what_does_not_once() {
    let (first, second) = (samples::folds(), other());
    let place = place(&[("one", &first), ("two", &second)]);
    let said = said(&place, &["one", "two/results.json"]);
    let (different, same) = said.split_once("the same\n").expect("both");
    assert_eq!(lines(different, "seed"), [["seed", "42", "7"]]);
    assert_eq!(lines(different, "epochs"), [["epochs", "4", "9"]]);
    assert_eq!(lines(different, "fewest steps")[0][2], "100");
    assert_eq!(lines(different, "long texts"), [["long texts", "truncate", "head-tail"]]);
    assert_eq!(lines(different, "dropped label errors"), [["dropped label errors", "none", "2 of wrong.csv"]]);
    assert!(lines(different, "learning rates")[0][2].contains("2e-5 (head 1e-3)"), "{different}");
    assert_eq!(lines(different, "calibration"), [["calibration", "none", "temperature"]]);
    assert_eq!(lines(different, "thresholds"), [["thresholds", "fixed", "chosen"]]);
    assert_eq!(lines(different, "burn version"), [["burn version", "0.22.1", "–"]]);
    assert!(lines(different, "model").is_empty() && lines(different, "rekindle version").is_empty(), "{different}");
    assert_eq!(lines(same, "model"), [["model", "distilbert-base-uncased (hub)"]]);
    assert_eq!(lines(same, "data"), [["data", "reviews.csv"]]);
    assert_eq!(lines(same, "examples"), [["examples", "1180 in 5 folds"]]);
    assert!(lines(same, "seed").is_empty());

    let rows = lines(&said, "feature_extraction_freeze_all");
    assert_eq!(rows.len(), 3, "accuracy, F1, loss");
    assert_eq!(rows[0][1..], ["0.8200 [0.7990, 0.8389]", "0.8431 [0.7990, 0.8389]"]);
    let missing = lines(&said, "full_fine_tuning");
    assert_eq!(missing[0][2], "–", "an approach that one run did not try");
    assert_eq!(lines(&said, "majority")[0].len(), 3, "baselines too");
    assert!(said.contains("different test examples (seeds differ)"), "{said}");
    assert!(said.contains("differences between experiments were not tested"));
}

#[test]
fn other_data_sizes_and_kinds_of_interval_are_cautioned_about() {
    let (folds, many) = (samples::folds(), samples::many_classes(3));
    let place = place(&[("folds", &folds), ("many", &many), ("folds again", &folds)]);
    let said = said(&place, &["folds", "many", "folds again"]);
    for part in [
        "(data, counts, folds, seeds differ)",
        "different numbers of training examples",
        "by different methods: corrected t, bootstrap",
        "Experiments 1 and 3 have the same results.",
        "macro F1",
    ] {
        assert!(said.contains(part), "`{part}` in {said}");
    }
}

#[test]
fn a_test_file_is_the_same_at_any_seed() {
    let first = samples::many_classes(3);
    let mut second = first.clone();
    (second.seed, second.backend) = (99, "ndarray".into());
    let place = place(&[("one", &first), ("two", &second)]);
    let said = said(&place, &["one", "two"]);
    assert!(!said.contains("different test examples"), "{said}");
}

#[test]
fn one_run_is_shown_and_the_same_run_twice_is_no_news() {
    let results = samples::toy();
    let place = place(&[("out", &results)]);
    let alone = said(&place, &["out"]);
    assert_eq!(lines(&alone, "data"), [["data", "the twelve sentences"]]);
    assert!(lines(&alone, "fine_tune_last_layer").len() == 3 && !alone.contains("different"), "{alone}");
    assert!(!alone.contains("differences between experiments"), "nothing to caution about");
    let twice = said(&place, &["out", "out"]);
    assert!(twice.contains("Experiments 1 and 2 have the same results.") && !twice.contains("different\n"), "{twice}");
    assert!(!twice.contains("different test examples"));
}

#[test]
fn json_holds_the_same() {
    let (first, second) = (samples::folds(), other());
    let place = place(&[("one", &first), ("two", &second)]);
    let json: Value = serde_json::from_str(&said(&place, &["--json", "one", "two"])).expect("JSON");
    assert_eq!(json["runs"], serde_json::json!(["one", "two"]));
    assert!(
        json["different"]
            .as_array()
            .expect("settings")
            .contains(&serde_json::json!({"name": "seed", "values": ["42", "7"]}))
    );
    assert_eq!(json["scores"][0]["scores"][1]["accuracy"]["mean"], 0.8431);
    assert_eq!(json["scores"][3]["scores"][1], Value::Null);
    assert_eq!(json["scores"][4]["baseline"], true);
}

#[test]
fn what_cannot_be_read_is_told_by_name() {
    let place = place(&[("good", &samples::toy())]);
    place.write("empty/other.txt", "");
    place.write("broken/results.json", "{\"model\": ");
    place.write(
        "older/results.json",
        "{\"model\": {\"id\": \"m\", \"source\": \"hub\", \"sha256\": \"0\"}, \"seed\": 1}",
    );
    place.write("notes.txt", "no JSON at all");
    place.write("reviews.csv", "text,label\ngood,1\n");
    place.write("config.json", "{\"model_type\": \"distilbert\"}");
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n";
    place.write("pointer/results.json", pointer);
    let cases: [(&[&str], &[&str]); 9] = [
        (&["pointer"], &["pointer/results.json", "Git LFS pointer"]),
        (&["good", "nowhere"], &["nowhere: file not found", "output folder of an experiment"]),
        (&["empty"], &["empty/results.json", "file not found", "output folder"]),
        (&["good", "broken"], &["broken/results.json", "damaged file", "line 1"]),
        (&["older", "good"], &["older/results.json", "this version", "missing field `backend`", "again"]),
        (&["notes.txt"], &["notes.txt", "not the results of an experiment", "results.json"]),
        (&["reviews.csv"], &["reviews.csv", "not the results of an experiment", "results.json"]),
        (&["config.json"], &["config.json", "not the results of an experiment"]),
        (&[], &["RUN"]),
    ];
    for (runs, expected) in cases {
        let output = place.plain("compare").args(runs).output().expect("it ran");
        let error = text(&output.stderr);
        assert!(matches!(output.status.code(), Some(2..=5)), "{runs:?} failed by {}", output.status);
        for part in expected {
            assert!(error.contains(part), "{runs:?}: `{part}` in {error}");
        }
        assert!(output.stdout.is_empty() && !error.contains("panicked"), "{error}");
    }
}

/// The formatter has no columns as wide as this.
#[test]
fn a_name_as_long_as_a_book_is_no_panic() {
    let mut results = samples::toy();
    results.model.id = "m".repeat(100_000);
    let place = place(&[("one", &samples::toy()), ("two", &results)]);
    assert!(said(&place, &["one", "two"]).contains(&results.model.id));
}

#[test]
fn runs_on_five_data_sets_are_ranked_over_them() {
    let run = |number: usize| {
        let mut results = samples::folds();
        results.data.sha256 = format!("data set {number}");
        for (place, record) in results.approaches.iter_mut().chain(&mut results.baselines).enumerate() {
            // The second approach is 0.1 points below the first, and the others ten each.
            let below = if place == 0 { 0.0 } else { 0.001 + 0.1 * (place - 1) as f64 };
            record.scores.get_mut("accuracy").expect("classes").mean = 0.9 - below - 0.01 * number as f64;
        }
        results
    };
    let all: Vec<Results> = (0..6).map(run).collect();
    let names = ["a", "b", "c", "d", "e", "f"];
    let runs: Vec<(&str, &Results)> = names.into_iter().zip(&all).collect();
    let place = place(&runs);
    let said = said(&place, &[&names[..], &["--diagram", "ranks.svg"]].concat());
    let [first, second, third] = [0, 1, 2].map(|index| all[0].approaches[index].approach.clone());
    assert!(said.contains("over 6 data sets, by accuracy"), "{said}");
    assert_eq!(lines(&said, &first).last().map(|cells| cells[1]), Some("1.00"), "{said}");
    let pair = |a: &str, b: &str| lines(&said, &format!("{a} against {b}")).concat();
    assert_eq!(pair(&first, &second).last(), Some(&"equivalent"), "{said}");
    assert_eq!(pair(&second, &third).last(), Some(&"practically better"), "{said}");
    let diagram = std::fs::read_to_string(place.path("ranks.svg")).expect("a diagram");
    assert!(diagram.starts_with("<svg") && diagram.contains("critical difference") && diagram.contains(&first));

    let few = place.plain("compare").args(&names[..4]).args(["--rope", "1"]).output().expect("it ran");
    assert!(!few.status.success() && text(&few.stderr).contains("--rope: needs runs on at least five"));
    let json = place.plain("compare").args(names).arg("--json").output().expect("it ran");
    let json: Value = serde_json::from_slice(&json.stdout).expect("JSON");
    let comparison = &json["data_sets"];
    assert_eq!((&comparison["data_sets"], &comparison["rope"]), (&6.into(), &0.01.into()));
    // Of six data sets, all in one direction: twice 1 / 2^6.
    assert_eq!(comparison["pairs"][0]["p_value"], 0.03125);
}
