//! A distributed experiment has the results of one device, whichever workers connect late, fail or refuse.
#![cfg(feature = "flex")]

use std::time::{Duration, Instant};

use burn::tensor::Device;
use rekindle::data::twelve_sentences;
use rekindle::embedded::EMBEDDED;
use rekindle::encoders::Pooling;
use rekindle::experiment::{
    Approach, Budget, DistributedRun, DistributedWork, Engine, Experiment, ExperimentError, ExperimentStore,
    Extraction, ExtractionEvent, Outcome, Progress, Sampling, Search, TrainedModel,
};
use rekindle::infer::{LongTexts, Model, PretrainedModel};
use rekindle::remote::{Devices, Event, Unavailable, Worker};
use rekindle::train::{Stop, TrainingArguments};
use serde_json::Value;
use tempfile::TempDir;

use crate::common::timeless;

/// The probe, and a search among probes, have no seeds.
const APPROACHES: &str = "feature-extraction,last-layer,lora,last-1:pretrain=1,probe";

fn experiment() -> Experiment {
    let candidates = Approach::parse_space("probe:C=0.1|1|10|100").expect("a space");
    // Two rungs, of one inner fold and of all; the budget is enough for five trainings of each of seven searches.
    let (inner_folds, budget, patience) = (3, Budget::Runs(35), Some(2));
    let search = Search { inner_folds, budget, patience, ..Search::new(candidates) }.into_approach("tune");
    let approaches = Approach::parse_list(APPROACHES).expect("approaches");
    Experiment {
        approaches: approaches.into_iter().chain([search]).collect(),
        arguments: TrainingArguments { num_train_epochs: 2, ..TrainingArguments::default() },
        seeds: vec![1, 2],
        sizes: vec![Some(4), None],
        keep_models: true,
        ..Experiment::notebook()
    }
}

/// The outcome, and the events of the workers by name.
fn run(workers: Vec<Worker>) -> (Result<Outcome, ExperimentError>, Vec<(String, String)>) {
    run_on(&experiment(), workers)
}

fn run_on(experiment: &Experiment, workers: Vec<Worker>) -> (Result<Outcome, ExperimentError>, Vec<(String, String)>) {
    let folder = TempDir::new().expect("a folder");
    let store = ExperimentStore::new(folder.path(), None, Stop::default());
    let pretrained = PretrainedModel::embedded(EMBEDDED).expect("the model");
    let sampling = Sampling::folds(twelve_sentences(), 3, 1, 42).expect("folds");
    let mut said = Vec::new();
    let mut observe = |progress: Progress<'_>| {
        if let Progress::Worker { name, event } = progress {
            let event = match event {
                Event::Ready(_) => "ready",
                Event::Finished(DistributedRun { work: DistributedWork::Training { .. }, .. }) => "trained",
                Event::Finished(_) => "done",
                Event::GivenUp(_) => "given up",
                _ => return,
            };
            said.push((name.to_owned(), event.to_owned()));
        }
    };
    let device = Device::flex();
    let engine = Engine { backend: "flex", device: &device, workers };
    let outcome = experiment.run(&pretrained, &sampling, engine, Instant::now(), Some(&store), &mut observe);
    (outcome, said)
}

fn worker(name: &str, connect: impl FnMut() -> Result<Devices, Unavailable> + Send + 'static) -> Worker {
    Worker { name: name.into(), connect: Box::new(connect) }
}

/// Results as JSON, and models as bytes; times aside.
fn comparable(outcome: &Outcome) -> (Value, Vec<Vec<u8>>) {
    let results = timeless(serde_json::to_value(&outcome.results).expect("JSON"));
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("model.safetensors");
    let bytes = |(_, model): &(String, TrainedModel)| {
        let precision = rekindle::encoders::Precision::F32;
        match &model.model {
            Model::Sequence(model) => model.save_safetensors(&path, precision),
            Model::Sentence(model) => model.save_safetensors(&path, precision),
            _ => panic!("another kind of model"),
        }
        .expect("saved");
        std::fs::read(&path).expect("read")
    };
    let models = outcome.models.iter().map(bytes).collect();
    (results, models)
}

#[test]
fn results_do_not_depend_on_the_workers() {
    let (alone, said) = run(Vec::new());
    assert!(said.is_empty());
    let mut asked = 0;
    let late = worker("late", move || {
        asked += 1;
        if asked < 3 { Err(Unavailable::Away("not yet".into())) } else { Ok(Device::flex().into()) }
    });
    let never = worker("never", || Err(Unavailable::Refused("wrong token".into())));
    let (spread, said) = run(vec![
        worker("first", || Ok(Device::flex().into())),
        late,
        never,
        worker("other", || Ok(Device::flex().into())),
    ]);
    let (alone, spread) = (alone.expect("alone"), spread.expect("spread"));
    assert!(comparable(&alone) == comparable(&spread), "the same, byte for byte");
    let count = |news: &str, name: &str| said.iter().filter(|entry| **entry == (name.into(), news.into())).count();
    assert_eq!(count("given up", "never"), 1, "{said:?}");
    let done = ["first", "late", "other"].map(|name| count("done", name));
    // Four approaches with two seeds, the probe, the search and two baselines; a final model each, except for baselines.
    let runs = 4 * (3 * 2 * 2 + 1) + 2 * (3 * 2 + 1) + 2 * (3 * 2);
    assert_eq!(done.iter().sum::<usize>(), runs, "each run once: {said:?}");
    assert!(done[0] > 0 && done[2] > 0, "{said:?}");
    let searches = spread.results.approaches.last().expect("the search");
    let all_runs = searches.runs.iter().map(|run| &run.trials);
    let trials: Vec<_> =
        all_runs.chain([&searches.search.as_ref().expect("a search").final_trials]).flatten().collect();
    let trained = ["first", "late", "other"].map(|name| count("trained", name));
    let scores = trials.iter().map(|trial| trial.scores.len()).sum::<usize>();
    assert_eq!(trained.iter().sum::<usize>(), scores, "each training once, and none that is not needed: {said:?}");
}

#[test]
fn a_search_without_time_trains_once_on_workers_too() {
    let candidates = Approach::parse_space("probe:C=1|10|100").expect("a space");
    let budget = Budget::Time(Duration::from_nanos(1));
    let search = Search { inner_folds: 3, budget, is_shuffled: false, ..Search::new(candidates) };
    let experiment = Experiment { approaches: vec![search.into_approach("tune")], ..experiment() };
    let workers = ["one", "other"].map(|name| worker(name, || Ok(Device::flex().into())));
    let (outcome, _) = run_on(&experiment, workers.into());
    for run in &outcome.expect("results").results.approaches[0].runs {
        let trials: Vec<_> =
            run.trials.iter().map(|trial| (&*trial.approach, trial.scores.len(), trial.chosen)).collect();
        assert_eq!(trials, [("probe:C=1", 1, true)]);
    }
}

#[test]
fn if_every_worker_refuses_the_last_reason_is_the_error() {
    let refuses = |reason: &'static str| worker(reason, move || Err(Unavailable::Refused(reason.into())));
    let (outcome, said) = run(vec![refuses("wrong token"), refuses("another version")]);
    let error = outcome.expect_err("no device").to_string();
    assert!(error.contains("wrong token") || error.contains("another version"), "{error}");
    assert_eq!(said.len(), 2);
}

#[test]
fn shards_of_features_do_not_depend_on_the_workers() {
    let pretrained = PretrainedModel::embedded(EMBEDDED).expect("the model");
    let texts: Vec<(String, Option<String>)> =
        (0..61).map(|index| (format!("the {index} {}", "very ".repeat(index % 7)), None)).collect();
    let make = |workers: Vec<Worker>| {
        let folder = TempDir::new().expect("a folder");
        let (pooling, at) = (Pooling::Cls, folder.path().to_path_buf());
        let extraction = Extraction {
            pooling,
            max_length: 64,
            long_texts: LongTexts::Truncate,
            batch_size: 4,
            shard_size: 3,
            folder: at,
        };
        let mut done = Vec::new();
        let mut observe = |event: ExtractionEvent<'_>| {
            if let ExtractionEvent::Worker { name, event: Event::Finished(number) } = event {
                done.push((number, name.to_owned()));
            }
        };
        let stop = Stop::default();
        let made = extraction.run(&pretrained, texts.clone(), "flex", workers, &stop, &mut observe);
        made.expect("shards");
        let files = std::fs::read_dir(folder.path()).expect("a folder").map(|entry| entry.expect("an entry").path());
        let mut files: Vec<_> = files.map(|path| (path.file_name().map(Into::into), std::fs::read(path))).collect();
        files.sort_by(|(one, _): &(Option<std::ffi::OsString>, _), (other, _)| one.cmp(other));
        let files: Vec<_> = files.into_iter().map(|(name, content)| (name, content.expect("read"))).collect();
        (files, done)
    };
    let (alone, _) = make(vec![worker("alone", || Ok(Device::flex().into()))]);
    let mut asked = 0;
    let late = worker("late", move || {
        asked += 1;
        if asked < 2 { Err(Unavailable::Away("not yet".into())) } else { Ok(Device::flex().into()) }
    });
    let (spread, mut done) = make(vec![worker("first", || Ok(Device::flex().into())), late]);
    assert_eq!(spread.len(), 21 + 1);
    assert!(alone == spread, "the same, byte for byte");
    done.sort();
    assert!(done.iter().map(|(number, _)| *number).eq(0..21), "each once: {done:?}");
}
