//! `rekindle tune` and `rekindle fit`.

use std::fs;
use std::process::{Output, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::common::{Place, text, timeless};

/// A folder with 40 labelled texts.
fn place() -> Place {
    let place = Place::new();
    let words = ["good", "fine", "nice", "great", "bad", "poor", "awful", "dull"];
    let row = |row: usize| format!("a {} film number {},{}\n", words[row % 8], row * 7 % 40, usize::from(row % 8 > 3));
    place.write("films.csv", format!("text,label\n{}", (0..40).map(row).collect::<String>()));
    place
}

fn run(place: &Place, command: &str, options: &[&str]) -> Output {
    let base = ["films.csv", "--model", "embedded", "--output", "out", "--overwrite"];
    place.command(command).args(base).args(options).output().expect("it ran")
}

fn results(place: &Place, command: &str, options: &[&str]) -> (Value, String) {
    place.results_of(command, &[&["films.csv", "--model", "embedded"], options].concat())
}

#[test]
fn a_search_reports_its_trials_and_repeats_itself() {
    let place = place();
    place.write("space.txt", "# the baseline\ntfidf:C=0.1|1|10\n\nprobe:C=1:pooling=mean|cls   # two candidates\n");
    let options = ["--space", "space.txt", "--folds", "3", "--inner-folds", "3", "--runs", "18"];
    let (first, said) = results(&place, "tune", &options);
    assert!(
        said.contains("search   5 candidates, 3 inner folds, successive halving by 3; 18 runs for 3 searches"),
        "{said}"
    );
    assert!(said.contains("rung 1/2  1/5  "), "{said}");
    let record = &first["approaches"][0];
    assert_eq!(record["search"]["candidates"].as_array().map(Vec::len), Some(5));
    for run in record["runs"].as_array().expect("runs") {
        let trials = run["trials"].as_array().expect("trials");
        let trained: usize = trials.iter().map(|trial| trial["scores"].as_array().map_or(0, Vec::len)).sum();
        assert!(trained <= 6, "a quarter of the budget: {trials:?}");
        let chosen: Vec<&Value> = trials.iter().filter(|trial| trial["chosen"] == true).collect();
        assert_eq!((chosen.len(), &run["hyperparameters"]["approach"]), (1, &chosen[0]["approach"]));
    }
    let (second, _) = results(&place, "tune", &options);
    assert_eq!(timeless(first), timeless(second));

    let list = ["--approaches", "tfidf:C=1|10", "--halving", "off", "--inner-folds", "2"];
    let (grid, said) = results(&place, "tune", &list);
    assert!(said.contains("search   2 candidates, 2 inner folds, no halving; one search"), "{said}");
    let trials = grid["approaches"][0]["runs"][0]["trials"].as_array().expect("trials");
    assert!(trials.iter().all(|trial| trial["scores"].as_array().map(Vec::len) == Some(2)));
}

#[test]
fn a_budget_that_is_too_short_is_said_and_leaves_a_model() {
    let place = place();
    let (results, said) = results(&place, "fit", &["--budget", "0.001s", "--folds", "2"]);
    assert!(said.contains("the budget is too short to compare candidates: a training of probe takes"), "{said}");
    let search = &results["approaches"][0]["search"];
    assert_eq!((search["searches"].as_u64(), search["final_trials"][0]["chosen"].as_bool()), (Some(3), Some(true)));
    assert!(place.path("out/models/fit/config.json").exists());
}

#[test]
fn what_is_wrong_with_a_space_or_a_budget_is_said() {
    let place = place();
    let refused = |options: &[&str]| {
        let output = run(&place, "tune", options);
        assert!(!output.status.success());
        text(&output.stderr)
    };
    for (space, parts) in [
        ("probe\n\nfull:lr=fast\n", ["space.txt, line 3", "full:lr=fast"]),
        ("probe:C=1|10\nprobe:C=10\n", ["space.txt, line 2", "`probe:C=10` is given twice"]),
        ("# nothing\n", ["space.txt", "no approach to try"]),
    ] {
        place.write("space.txt", space);
        let error = refused(&["--space", "space.txt"]);
        assert!(parts.iter().all(|part| error.contains(part)), "{error}");
    }
    place.write("space.txt", "probe\ntfidf\n");
    let error = refused(&["--space", "space.txt", "--save-models"]);
    assert!(error.contains("--save-models: the candidate `tfidf"), "{error}");
    let error = refused(&["--space", "prboe"]);
    assert!(error.contains("prboe") && error.contains("all, probe, contrastive, fine-tuning"), "{error}");
    let error = refused(&["--space", "probe", "--folds", "4", "--runs", "3"]);
    assert!(error.contains("--runs: 3 trainings are too few for 4 searches"), "{error}");
    for (option, value) in [("--budget", "20"), ("--budget", "0s"), ("--halving", "1"), ("--inner-folds", "1")] {
        let error = refused(&[option, value]);
        assert!(error.contains(option), "{error}");
    }
}

#[test]
fn fit_leaves_a_model_of_all_examples_and_the_score_of_the_whole_procedure() {
    let place = place();
    let (fitted, said) = results(&place, "fit", &["--runs", "12"]);
    assert!(said.contains("40 examples in 5 folds") && said.contains("12 runs for 6 searches"), "{said}");
    let record = &fitted["approaches"][0];
    let trials = record["search"]["final_trials"].as_array().expect("trials");
    let chosen = trials.iter().find(|trial| trial["chosen"] == true).expect("a choice")["approach"].as_str();
    let finding = format!("The final model is `{}", chosen.expect("an approach"));
    assert!(said.contains(&finding) && said.contains("model in out/models/fit"), "{said}");
    assert_eq!((&record["approach"], record["runs"].as_array().map(Vec::len)), (&"fit".into(), Some(5)));
    assert_eq!(record["search"]["final_trials"][0]["approach"], "probe");
    let mut predict = place.command("predict");
    let output = predict.args(["a good film", "--model", "out/models/fit"]).output().expect("it ran");
    assert!(output.status.success(), "{}", text(&output.stderr));

    // An option decides on the test examples.
    let (fitted, _) = results(&place, "fit", &["--runs", "4", "--test-size", "10"]);
    assert_eq!((&fitted["data"]["test"], &fitted["design"]["folds"]), (&10.into(), &Value::Null));
    assert_eq!(fitted["approaches"][0]["search"]["searches"], 2, "the model is trained on all examples");
    place.write("test.csv", "text,label\na fine story,0\na poor story,1\n");
    let (fitted, _) = results(&place, "fit", &["--runs", "4", "--test", "test.csv"]);
    assert_eq!(fitted["approaches"][0]["search"]["searches"], 1, "the examples of a test file stay unseen");
}

#[test]
fn a_killed_search_goes_on_to_the_same_results_and_models() {
    let place = place();
    let options = [
        "--approaches",
        "last-1:lr=1e-4|1e-3,probe:C=1",
        "--epochs",
        "2",
        "--folds",
        "2",
        "--inner-folds",
        "2",
        "--runs",
        "18",
        "--save-models",
        "--checkpoint-every",
        "2",
    ];
    let model = || fs::read(place.path("out/models/tune/config.json")).expect("a model");
    let (whole, _) = results(&place, "tune", &options);
    let (whole, config) = (timeless(whole), model());
    fs::remove_dir_all(place.path("out")).expect("removed");
    for (run, trials) in [("00000", 2), ("00001", 3), ("00002", 1)] {
        let mut command = std::process::Command::new(place.plain("tune").get_program());
        let base = ["tune", "films.csv", "--model", "embedded", "--output", "out", "--overwrite", "--resume"];
        command.current_dir(place.path("")).args(base).args(options).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().expect("it runs");
        let inner = place.path(&format!("out.checkpoint/run/trials/{run}/run/trials"));
        while fs::read_dir(&inner).map_or(0, Iterator::count) < trials {
            assert!(child.try_wait().expect("a child").is_none(), "it ended before it was interrupted");
            thread::sleep(Duration::from_millis(1));
        }
        child.kill().expect("killed");
        child.wait().expect("ended");
    }
    let changed = [&options[..9], &["21", "--resume"], &options[10..]].concat();
    let error = text(&run(&place, "tune", &changed).stderr);
    assert!(error.contains("--budget or --runs was 18 runs, is 21 runs"), "{error}");
    let (resumed, said) = results(&place, "tune", &[&options[..], &["--resume"]].concat());
    assert!(said.contains("resumed  from"), "{said}");
    assert_eq!(timeless(resumed), whole);
    assert_eq!(model(), config);
}

#[test]
fn numbers_have_contrastive_candidates() {
    let place = Place::new();
    let row = |row: usize| format!("a film of {} stars {row},{}\n", ["no", "two", "five"][row % 3], row % 3 * 2);
    place.write("films.csv", format!("text,label\n{}", (0..18).map(row).collect::<String>()));
    let (results, said) =
        results(&place, "tune", &["--task", "regression", "--space", "contrastive", "--inner-folds", "2"]);
    assert_eq!(results["data"]["task"], "regression");
    let trained = said.matches("  contrastive:lr=").count();
    assert_eq!(trained, 6, "four candidates on one inner fold, the better two on the other: {said}");
}
