//! Experiments give the same results, byte for byte, on this machine, on one host of the same kind and on two.

use rekindle::data::twelve_sentences;
use serde_json::json;

use crate::common::{Place, models};
use crate::hosts::{EXPERIMENT, Host, anywhere};

/// Approaches that fit every task but ordered classes.
const APPROACHES: &str = "full,lora,probe,contrastive";

/// Compares the results of an experiment on this machine with those on one host and on two.
fn is_the_same_anywhere(place: &Place, backend: &str, options: &[&str]) {
    command_is_the_same_anywhere("experiment", place, backend, options);
}

fn command_is_the_same_anywhere(command: &str, place: &Place, backend: &str, arguments: &[&str]) {
    let results = |options: &[&str]| place.results_of(command, &[arguments, options].concat());
    let (local, _) = results(&["--backend", backend]);
    let hosts = [Host::local(place, "one", backend), Host::local(place, "other", backend)];
    let urls = [hosts[0].url.as_str(), &hosts[1].url];
    for urls in [&urls[..1], &urls] {
        let hosts = urls.iter().flat_map(|url| ["--host", url]);
        let options: Vec<&str> = ["--backend", "remote"].into_iter().chain(hosts).collect();
        let (spread, said) = results(&options);
        assert!(anywhere(spread) == anywhere(local.clone()), "{arguments:?}: {said}");
        for url in urls {
            assert!(said.contains(&format!("{url}  finished")), "{said}");
        }
    }
}

#[cfg(feature = "ndarray")]
#[test]
fn an_experiment() {
    is_the_same_anywhere(&Place::new(), "ndarray", &EXPERIMENT);
}

/// The approaches use every CPU kernel with its derivative.
#[test]
fn an_experiment_with_cpu_kernels() {
    let approaches = "feature-extraction:pooling=mean,last-layer,full:pretrain=2,gradual,lora,bitfit";
    let options = ["--folds", "2", "--epochs", "3", "--class-weights", "balanced", "--save-models"];
    let experiment = [&["--model", "embedded", "--approaches", approaches], &options[..]].concat();
    is_the_same_anywhere(&Place::new(), "flex", &experiment);
}

#[test]
fn every_family() {
    let approaches = "last-1,full,lora,probe,contrastive";
    for family in models::families() {
        let options = ["--model", "model", "--data", "data.csv", "--folds", "2", "--epochs", "2", "--max-length", "16"];
        is_the_same_anywhere(
            &models::place(family),
            "flex",
            &[&options[..], &["--approaches", approaches, "--save-models"]].concat(),
        );
    }
}

/// The trainings of a search are distributed. A limited number of them, and the patience of `fit`, need the same order everywhere.
#[test]
fn searches() {
    let place = Place::new();
    let space = "last-1:lr=1e-4|1e-3,full,lora,probe:C=1";
    let options = ["--model", "embedded", "--folds", "2", "--inner-folds", "3", "--epochs", "2"];
    let tune = [&options[..], &["--approaches", space, "--runs", "30", "--save-models"]].concat();
    command_is_the_same_anywhere("tune", &place, "flex", &tune);
    command_is_the_same_anywhere("fit", &place, "flex", &[&options[..], &["--runs", "36"]].concat());
}

/// Returns a folder with `data.jsonl`, 24 rows of sentences with the targets of a task.
fn rows(target: impl Fn(usize) -> serde_json::Value) -> Place {
    let sentences = twelve_sentences().examples;
    let line = |row: usize| {
        let mut line = target(row);
        line["text"] = format!("{} {}", sentences[row % 12].text, ["really", "hardly"][row / 12]).into();
        format!("{line}\n")
    };
    let place = Place::new();
    place.write("data.jsonl", (0..24).map(line).collect::<String>());
    place
}

fn task(place: &Place, approaches: &str, arguments: &[&str]) {
    let options = ["--model", "embedded", "--data", "data.jsonl", "--folds", "2", "--epochs", "2", "--save-models"];
    is_the_same_anywhere(place, "flex", &[&options[..], &["--approaches", approaches], arguments].concat());
}

#[test]
fn several_labels() {
    let labels = |row: usize| json!(["good", "cheap", "late"][..row % 4]);
    task(&rows(|row| json!({ "labels": labels(row) })), APPROACHES, &["--class-weights", "balanced"]);
}

#[test]
fn pairs() {
    let row = |row: usize| json!({ "other": format!("text {}", row % 5), "label": (["same", "another"][row % 2]) });
    task(&rows(row), APPROACHES, &["--text-pair-column", "other", "--symmetric"]);
}

#[test]
fn numbers_and_ordered_classes() {
    let place = rows(|row| json!({ "label": row % 12 / 3 }));
    task(&place, APPROACHES, &["--task", "regression"]);
    task(&place, "full,lora,probe", &["--task", "ordinal"]);
}

#[test]
fn windows_of_long_texts() {
    let place = rows(|row| json!({ "label": (["good", "bad"][row % 2]) }));
    task(&place, "full,last-layer,probe", &["--max-length", "8", "--long-texts", "windows:stride=2"]);
}
