//! An experiment spread over devices comes to what one device comes to, whoever comes late, goes or never comes.
#![cfg(feature = "flex")]

mod common;

use std::time::Instant;

use burn::tensor::Device;
use common::timeless;
use rekindle::data::twelve_sentences;
use rekindle::embedded::EMBEDDED;
use rekindle::experiment::{
    Approach, Engine, Experiment, ExperimentError, Host, HostNews, Outcome, Output, PretrainedModel, Progress,
    Sampling, Unavailable,
};
use rekindle::train::{Stop, TrainingArguments};
use serde_json::Value;
use tempfile::TempDir;

fn experiment() -> Experiment {
    Experiment {
        approaches: Approach::parse_list("feature-extraction,last-layer,lora,last-1:pretrain=1").expect("approaches"),
        arguments: TrainingArguments { num_train_epochs: 2, ..TrainingArguments::default() },
        seeds: vec![1, 2],
        sizes: vec![Some(4), None],
        keep_models: true,
        ..Experiment::notebook()
    }
}

/// The outcome, and what hosts said: names and words.
fn run(hosts: Vec<Host>) -> (Result<Outcome, ExperimentError>, Vec<(String, String)>) {
    let folder = TempDir::new().expect("a folder");
    let output = Output::prepare(&folder.path().join("out")).expect("an output");
    let journal = output.journal(None, Stop::default());
    let pretrained = PretrainedModel::embedded(EMBEDDED).expect("the model");
    let sampling = Sampling::folds(twelve_sentences(), 3, 1, 42).expect("folds");
    let mut said = Vec::new();
    let mut observe = |progress: Progress<'_>| {
        if let Progress::Host { name, news } = progress {
            let news = match news {
                HostNews::Ready => "ready",
                HostNews::Done { .. } => "done",
                HostNews::GivenUp { .. } => "given up",
                _ => return,
            };
            said.push((name.to_owned(), news.to_owned()));
        }
    };
    let device = Device::flex();
    let engine = Engine { backend: "flex", device: &device, hosts };
    let outcome = experiment().run(&pretrained, &sampling, engine, Instant::now(), Some(&journal), &mut observe);
    (outcome, said)
}

fn host(name: &str, connect: impl FnMut() -> Result<Device, Unavailable> + Send + 'static) -> Host {
    Host { name: name.into(), connect: Box::new(connect) }
}

/// Results as JSON, and models as bytes; times aside.
fn comparable(outcome: &Outcome) -> (Value, Vec<Vec<u8>>) {
    let results = timeless(serde_json::to_value(&outcome.results).expect("JSON"));
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("model.safetensors");
    let bytes = |(_, model): &(_, rekindle::distilbert::DistilBertForSequenceClassification)| {
        model.save_safetensors(&path, rekindle::distilbert::Precision::F32).expect("saved");
        std::fs::read(&path).expect("read")
    };
    let models = outcome.models.iter().map(bytes).collect();
    (results, models)
}

#[test]
fn several_devices_come_to_what_one_comes_to() {
    let (alone, said) = run(Vec::new());
    assert!(said.is_empty());
    let mut asked = 0;
    let late = host("late", move || {
        asked += 1;
        if asked < 3 { Err(Unavailable::Away("not yet".into())) } else { Ok(Device::flex()) }
    });
    let never = host("never", || Err(Unavailable::Refused("wrong token".into())));
    let (spread, said) =
        run(vec![host("first", || Ok(Device::flex())), late, never, host("other", || Ok(Device::flex()))]);
    assert!(comparable(&alone.expect("alone")) == comparable(&spread.expect("spread")), "the same, byte for byte");
    let count = |news: &str, name: &str| said.iter().filter(|entry| **entry == (name.into(), news.into())).count();
    assert_eq!(count("given up", "never"), 1, "{said:?}");
    let done = ["first", "late", "other"].map(|name| count("done", name));
    assert_eq!(done.iter().sum::<usize>(), 4 * (3 * 2 * 2 + 1), "each run once: {said:?}");
    assert!(done[0] > 0 && done[2] > 0, "{said:?}");
}

#[test]
fn where_every_host_refuses_the_last_says_why() {
    let refuses = |reason: &'static str| host(reason, move || Err(Unavailable::Refused(reason.into())));
    let (outcome, said) = run(vec![refuses("wrong token"), refuses("another version")]);
    let error = outcome.expect_err("no device").to_string();
    assert!(error.contains("wrong token") || error.contains("another version"), "{error}");
    assert_eq!(said.len(), 2);
}
