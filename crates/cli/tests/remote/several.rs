//! One run over several hosts, and features of one data set over several.
#![cfg(feature = "ndarray")]

use std::collections::BTreeMap;
use std::fs;

use rekindle::data::twelve_sentences;
use serde_json::Value;

use crate::common::{Place, models, text};
use crate::hosts::{Experiment, Host};

/// Without dropout, for which each host has its own masks; 27 steps of each approach.
const EXPERIMENT: [&str; 9] =
    ["experiment", "--model", "sober", "--approaches", "last-layer,full,lora", "--epochs", "9", "--batch-size", "4"];

/// Removes the dropout of a model, whatever its family calls it.
fn sober(place: &Place, model: &str) {
    let path = place.path(model).join("config.json");
    let mut config: Value = serde_json::from_slice(&fs::read(&path).expect("read")).expect("JSON");
    for part in ["", "seq_classif_", "attention_", "hidden_", "embedding_", "mlp_", "pooler_", "classifier_"] {
        config[format!("{part}dropout")] = 0.0.into();
    }
    for part in ["hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout_prob"] {
        config[part] = 0.0.into();
    }
    fs::write(path, config.to_string()).expect("written");
}

/// Returns loss and gradient norm of every step of every approach.
fn steps(place: &Place) -> Vec<[f64; 2]> {
    let results: Value =
        serde_json::from_slice(&fs::read(place.path("out/results.json")).expect("results")).expect("JSON");
    let approaches = results["approaches"].as_array().expect("approaches");
    let steps = approaches.iter().flat_map(|approach| approach["steps"].as_array().expect("steps"));
    steps.map(|step| ["loss", "grad_norm"].map(|name| step[name].as_f64().expect("a number"))).collect()
}

/// Runs an experiment whose runs are split over hosts; the first host is subjected to an event after some steps.
fn shared(place: &Place, urls: &[&str], happens: impl FnOnce()) -> String {
    let count = urls.len().to_string();
    let hosts = urls.iter().flat_map(|url| ["--host", url]);
    let options = ["--backend", "remote", "--devices-per-run", &count, "--checkpoint-every", "5"];
    let arguments: Vec<&str> = EXPERIMENT.into_iter().chain(options).chain(hosts).collect();
    let mut experiment = Experiment::command(place, None, &arguments);
    experiment.wait_for("  step 12 ");
    happens();
    let (code, said) = experiment.end();
    assert_eq!(code, Some(0), "{said}");
    said
}

fn compare(local: &[[f64; 2]], shared: &[[f64; 2]]) {
    assert_eq!(shared.len(), local.len());
    for (step, (local, shared)) in local.iter().zip(shared).enumerate() {
        let far = |index: usize| (local[index] - shared[index]).abs() / local[index].abs().max(1.0);
        assert!(far(0) < 1e-5 && far(1) < 1e-5, "step {step}: {local:?} {shared:?}");
    }
}

#[test]
fn a_run_on_several_hosts_takes_the_steps_of_one_device() {
    let place = Place::new();
    place.model("sober");
    sober(&place, "sober");
    let local = place.run(&[&EXPERIMENT[1..], &["--backend", "ndarray"]].concat());
    assert!(local.status.success(), "{}", text(&local.stderr));
    let alone = steps(&place);
    assert_eq!(alone.len(), 3 * 27);
    let mut hosts = ["one", "two", "three"].map(|name| Host::local(&place, name, "ndarray"));
    let urls = hosts.each_ref().map(|host| host.url.clone());
    let urls = urls.each_ref().map(String::as_str);
    shared(&place, &urls, || {});
    compare(&alone, &steps(&place));
    // The other hosts continue from the last checkpoint.
    let said = shared(&place, &urls[..2], || hosts[1].kill());
    assert!(said.contains("connection is retried"), "{said}");
    compare(&alone, &steps(&place));
}

#[test]
fn a_run_of_every_family_on_two_hosts_takes_the_steps_of_one_device() {
    for family in models::families() {
        let place = models::place(family);
        sober(&place, "model");
        let data = ["--data", "data.csv", "--test", "data.csv", "--epochs", "3", "--batch-size", "4"];
        let experiment = [&["--model", "model", "--approaches", "last-1,full,lora"], &data[..]].concat();
        let run = |options: &[&str]| {
            let output = place.run(&[&experiment[..], options].concat());
            assert!(output.status.success(), "{family}: {}", text(&output.stderr));
            steps(&place)
        };
        let alone = run(&["--backend", "flex"]);
        assert_eq!(alone.len(), 3 * 6, "{family}");
        let hosts = ["one", "two"].map(|name| Host::local(&place, name, "flex"));
        let urls = ["--host", &hosts[0].url, "--host", &hosts[1].url];
        compare(&alone, &run(&[&["--backend", "remote", "--devices-per-run", "2"], &urls[..]].concat()));
    }
}

#[test]
fn shards_of_a_killed_host_are_computed_by_the_others() {
    ["flex", "ndarray"].into_iter().for_each(shards_outlive_a_host);
}

fn shards_outlive_a_host(backend: &str) {
    let place = Place::new();
    let sentences: Vec<String> = twelve_sentences().examples.into_iter().map(|example| example.text).collect();
    let lines = (0..600).map(|index| format!("{} {}", sentences[index % 12], sentences[index * 7 % 11]));
    place.write("texts.txt", lines.collect::<Vec<_>>().join("\n"));
    let features = ["features", "--model", "embedded", "--input", "texts.txt", "--shard-size", "20"];
    let shards = || -> BTreeMap<String, Vec<u8>> {
        let entries = fs::read_dir(place.path("out")).expect("an output").map(|entry| entry.expect("an entry"));
        let shards = entries.filter(|entry| entry.path().extension().is_some_and(|end| end == "safetensors"));
        shards.map(|shard| (shard.file_name().display().to_string(), fs::read(shard.path()).expect("read"))).collect()
    };
    let (code, said) = Experiment::command(&place, None, &[&features[..], &["--backend", backend]].concat()).end();
    assert_eq!(code, Some(0), "{said}");
    let local = shards();
    assert_eq!(local.len(), 30);
    fs::remove_dir_all(place.path("out")).expect("removed");

    let mut hosts = ["one", "two"].map(|name| Host::local(&place, name, backend));
    let urls = hosts.each_ref().map(|host| host.url.clone());
    let remote = ["--backend", "remote", "--host", &urls[0], "--host", &urls[1]];
    let mut run = Experiment::command(&place, None, &[&features[..], &remote[..]].concat());
    run.wait_for(&format!("{}  wrote shard", urls[0]));
    hosts[0].kill();
    let (code, said) = run.end();
    assert_eq!(code, Some(0), "{said}");
    assert!(shards() == local, "the same, byte for byte: {said}");
    assert_eq!(said.matches("  wrote shard ").count(), 30, "each once: {said}");
}

#[test]
fn devices_that_cannot_share_a_run_are_an_error_before_any_work() {
    let place = Place::new();
    let refused = |arguments: &[&str], words: &str| {
        let arguments = [&EXPERIMENT[1..], &["--devices-per-run", "2"], arguments].concat();
        let output = place.run(&arguments);
        let said = text(&output.stderr);
        assert!(output.status.code() == Some(2) && said.contains(words), "{said}");
    };
    refused(&[], "--backend remote");
    let iroh = format!("iroh://{}@127.0.0.1:2", "a7".repeat(32));
    refused(&["--backend", "remote", "--host", "ws://127.0.0.1:1", "--host", &iroh], "cannot exchange data");
}
