//! A search against scikit-learn's `GridSearchCV` inside `cross_val_score`, and what it promises beyond it.
//!
//! The golden numbers are scikit-learn's: `fixtures/search/make.py`.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use burn::tensor::Device;
use rekindle_data::{Dataset, ReadOptions, TestSize};
use rekindle_experiment::{
    Approach, Budget, Experiment, ExperimentError, ExperimentStore, Outcome, Progress, Sampling, Search,
};
use rekindle_infer::PretrainedModel;
use rekindle_metrics::Scorer;
use rekindle_results::{Results, RunRecord, TrialRecord};
use rekindle_train::Stop;
use serde::Deserialize;
use tempfile::TempDir;

use crate::reference::golden::{close, fixture};

#[derive(Deserialize)]
struct Golden {
    seed: u64,
    values: Vec<f64>,
    texts: Vec<String>,
    labels: Vec<usize>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    metric: String,
    outer: Vec<Outer>,
}

#[derive(Deserialize)]
struct Outer {
    test: Vec<usize>,
    scores: Vec<Vec<f64>>,
    chosen: usize,
    score: f64,
}

/// The texts of the golden table as a data set, and its values of C as a space.
fn golden() -> (Golden, Dataset, Vec<Approach>) {
    let golden: Golden = fixture("search/golden.json");
    let folder = TempDir::new().expect("a folder");
    let mut table = "text,label\n".to_string();
    golden.texts.iter().zip(&golden.labels).for_each(|(text, label)| writeln!(table, "{text},{label}").expect("text"));
    let path = folder.path().join("texts.csv");
    fs::write(&path, table).expect("written");
    let data = Dataset::read(&path, &ReadOptions::default()).expect("a table");
    let values: Vec<String> = golden.values.iter().map(f64::to_string).collect();
    let candidates = Approach::parse_space(&format!("tfidf:C={}", values.join("|"))).expect("a space");
    (golden, data, candidates)
}

fn model() -> PretrainedModel {
    PretrainedModel::from_folder(Path::new("../rekindle/embedded")).expect("a model")
}

fn experiment(search: Search, metric: Scorer) -> Experiment {
    Experiment {
        approaches: vec![search.into_approach("tune")],
        baselines: Vec::new(),
        seeds: vec![42],
        metric: Some(metric),
        ..Experiment::notebook()
    }
}

fn run(
    experiment: &Experiment,
    sampling: &Sampling,
    store: Option<&ExperimentStore>,
) -> Result<Outcome, ExperimentError> {
    experiment.run(&model(), sampling, ("flex", &Device::flex()), Instant::now(), store, &mut |_| ())
}

fn runs(outcome: &Outcome) -> &[RunRecord] {
    &outcome.results.approaches[0].runs
}

fn without_times(trials: &[TrialRecord]) -> Vec<TrialRecord> {
    let mut trials = trials.to_vec();
    trials.iter_mut().for_each(|trial| trial.seconds = 0.0);
    trials
}

#[test]
fn without_halving_scores_and_choice_are_those_of_scikit_learn() {
    let (Golden { seed, cases, .. }, data, candidates) = golden();
    let sampling = Sampling::folds(data, 4, 1, seed as u32).expect("folds");
    for Case { metric, outer } in cases {
        let search = Search { inner_folds: 3, halving: None, ..Search::new(candidates.clone()) };
        let metric: Scorer = metric.parse().expect("a metric");
        let outcome = run(&experiment(search, metric), &sampling, None).expect("it ran");
        assert_eq!(runs(&outcome).len(), outer.len());
        let mut score = 0.0;
        for ((run, theirs), sample) in runs(&outcome).iter().zip(&outer).zip(&sampling.samples) {
            assert_eq!(sample.test, theirs.test);
            for (trial, scores) in run.trials.iter().zip(&theirs.scores) {
                let what = format!("{metric:?}, fold {}, {}", run.fold, trial.approach);
                trial.scores.iter().zip(scores).for_each(|(ours, theirs)| close(*ours, *theirs, 1e-4, &what));
                assert_eq!(trial.scores.len(), scores.len(), "{what}");
            }
            let chosen = run.trials.iter().position(|trial| trial.chosen);
            assert_eq!(chosen, Some(theirs.chosen), "{metric:?}, fold {}", run.fold);
            assert_eq!(run.hyperparameters["approach"], candidates[theirs.chosen].spec);
            score += theirs.score / outer.len() as f64;
        }
        let Results { approaches, design, .. } = &outcome.results;
        let ours = design.ranked(&approaches[0].scores).expect("a score");
        close(ours.mean, score, 1e-4, &format!("{metric:?} of the search"));
    }
}

/// Runs a search over the golden space, which stops after some trials if it is told to.
fn halving(folder: &Path, stop_after: Option<usize>) -> Result<Outcome, ExperimentError> {
    let (Golden { seed, .. }, data, candidates) = golden();
    let sampling = Sampling::folds(data, 4, 1, seed as u32).expect("folds");
    let search = Search { inner_folds: 3, halving: Some(2), budget: Budget::Runs(40), ..Search::new(candidates) };
    let (experiment, stop) = (experiment(search, Scorer::Accuracy), Stop::default());
    let (store, mut trials) = (ExperimentStore::new(folder, None, stop.clone()), 0);
    let mut observe = |progress: Progress<'_>| {
        trials += usize::from(matches!(progress, Progress::Trial(_)));
        if Some(trials) == stop_after {
            stop.request();
        }
    };
    experiment.run(&model(), &sampling, ("flex", &Device::flex()), Instant::now(), Some(&store), &mut observe)
}

#[test]
fn a_budget_of_runs_is_kept_and_an_interrupted_search_goes_on_to_the_same_result() {
    let whole = halving(TempDir::new().expect("a folder").path(), None).expect("it ran");
    for run in runs(&whole) {
        let trained: usize = run.trials.iter().map(|trial| trial.scores.len()).sum();
        // Of ten trainings, five candidates for one fold, three for two, and two for three.
        assert_eq!((trained, run.trials.len()), (10, 5), "{:?}", run.trials);
        let most = run.trials.iter().map(|trial| trial.rung).max();
        let chosen: Vec<&TrialRecord> = run.trials.iter().filter(|trial| trial.chosen).collect();
        assert_eq!((chosen.len(), Some(chosen[0].rung)), (1, most), "chosen from the last rung");
        assert!(run.trials.iter().all(|trial| trial.test_scores.len() == trial.scores.len()));
    }
    let search = whole.results.approaches[0].search.as_ref().expect("a search");
    assert_eq!((search.budget_runs, search.searches, search.candidates.len()), (Some(40), 4, 5));
    assert_eq!(search.effects[0].setting, "tfidf:C");
    assert!(search.optimism.is_some());

    let folder = TempDir::new().expect("a folder");
    for trials in [1, 4, 9] {
        assert!(halving(folder.path(), Some(trials)).is_err_and(|error| error.is_interruption()));
    }
    let resumed = halving(folder.path(), None).expect("it ran");
    let times = runs(&resumed).iter().zip(runs(&whole));
    times.for_each(|(resumed, whole)| assert_eq!(without_times(&resumed.trials), without_times(&whole.trials)));
    assert_eq!(resumed.results.predictions, whole.results.predictions);
}

#[test]
fn a_search_without_time_trains_once_and_leaves_none_to_the_others() {
    let (Golden { seed, .. }, data, candidates) = golden();
    let sampling = Sampling::folds(data, 4, 1, seed as u32).expect("folds");
    let first = candidates[0].spec.clone();
    let budget = Budget::Time(Duration::from_nanos(1));
    let search = Search { inner_folds: 3, is_shuffled: false, budget, ..Search::new(candidates) };
    let (experiment, mut warned) = (experiment(search, Scorer::Accuracy), Vec::new());
    let mut observe = |progress: Progress<'_>| {
        if let Progress::ShortBudget { approach, seconds, enough } = progress {
            assert!(enough >= 8.0 * seconds, "four searches with two trainings each: {enough} and {seconds}");
            warned.push(approach.to_owned());
        }
    };
    let outcome = experiment.run(&model(), &sampling, ("flex", &Device::flex()), Instant::now(), None, &mut observe);
    let outcome = outcome.expect("it ran");
    assert_eq!(warned, [&*first]);
    let trained = runs(&outcome).iter().map(|run| run.trials.iter().map(|trial| trial.scores.len()).collect());
    assert_eq!(trained.collect::<Vec<Vec<usize>>>(), [[1], [0], [0], [0]]);
    for run in runs(&outcome) {
        assert!(run.trials[0].chosen && run.accuracy.is_some());
        assert_eq!(run.hyperparameters["approach"], first);
    }
    let said = outcome.results.findings.join(" ");
    assert!(said.contains("in all 4 runs") && said.contains("1 of 5 candidates were tried"), "{said}");
}

#[test]
fn a_training_that_takes_longer_than_the_time_that_is_left_is_stopped() {
    let (_, data, _) = golden();
    let (train, test) = data.train_test_split(TestSize::Fraction(0.25), 42, true).expect("a split");
    // The first candidate says nothing about the time of the second.
    let candidates = Approach::parse_space("tfidf:C=1,full:epochs=100000").expect("a space");
    let budget = Budget::Time(Duration::from_secs(3));
    let search = Search { inner_folds: 2, is_shuffled: false, budget, ..Search::new(candidates) };
    let outcome = run(&experiment(search, Scorer::Accuracy), &Sampling::fixed(train, None, test), None);
    let outcome = outcome.expect("it ran");
    let trials = &runs(&outcome)[0].trials;
    assert_eq!((trials[0].chosen, trials[0].scores.len(), trials[1].scores.len()), (true, 2, 0));
    assert!(trials[1].failed.as_ref().is_some_and(|reason| reason.contains("the time of the search was spent")));
    assert!(trials[1].seconds < 30.0, "{trials:?}");
}

#[test]
fn the_labels_of_test_examples_choose_nothing() {
    let (_, data, candidates) = golden();
    let choose = |shift: usize| {
        let (train, mut test) = data.train_test_split(TestSize::Fraction(0.25), 42, true).expect("a split");
        let targets: Vec<_> = test.examples.iter().map(|example| example.target.clone()).collect();
        let count = targets.len();
        test.examples.iter_mut().enumerate().for_each(|(row, one)| one.target = targets[(row + shift) % count].clone());
        let search = Search::new(candidates.clone());
        let outcome = run(&experiment(search, Scorer::Accuracy), &Sampling::fixed(train, None, test), None);
        runs(&outcome.expect("it ran"))[0].clone()
    };
    let (first, second) = (choose(0), choose(1));
    assert_eq!(first.hyperparameters, second.hyperparameters);
    for (one, other) in first.trials.iter().zip(&second.trials) {
        assert_eq!((&one.scores, one.rung, one.chosen), (&other.scores, other.rung, other.chosen));
    }
    assert!(first.trials.iter().zip(&second.trials).any(|(one, other)| one.test_scores != other.test_scores));
}

#[test]
fn a_candidate_that_diverges_is_out_and_the_final_model_has_a_search_of_its_own() {
    let (_, data, _) = golden();
    let (train, test) = data.train_test_split(TestSize::Fraction(0.5), 42, true).expect("a split");
    let sampling = Sampling::fixed(train, None, test);
    let candidates = Approach::parse_space("last-1:lr=1e30,probe:C=1|10:pooling=mean").expect("a space");
    let search = Search { inner_folds: 2, halving: None, ..Search::new(candidates) };
    let experiment = Experiment { keep_models: true, refit: true, ..experiment(search, Scorer::Accuracy) };
    let outcome = run(&experiment, &sampling, None).expect("it ran");
    let trials = &runs(&outcome)[0].trials;
    let failed: Vec<bool> = trials.iter().map(|trial| trial.failed.is_some()).collect();
    assert_eq!(failed, [true, false, false], "{trials:?}");
    assert!(!trials[0].chosen && trials[0].rung == 0);
    let search = outcome.results.approaches[0].search.as_ref().expect("a search");
    assert_eq!((search.searches, search.final_trials.len()), (2, 3));
    assert!(search.final_trials.iter().all(|trial| trial.test_scores.is_empty()), "all examples are trained on");
    assert_eq!(outcome.models.len(), 1);

    let alone = Search { inner_folds: 2, ..Search::new(Approach::parse_space("last-1:lr=1e30").expect("a space")) };
    let error = run(&self::experiment(alone, Scorer::Accuracy), &sampling, None).expect_err("nothing is left");
    assert!(error.to_string().starts_with("no candidate could be trained; last-1:lr=1e30: "), "{error}");
}
