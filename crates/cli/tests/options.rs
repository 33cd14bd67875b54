//! No option is ignored: every file on the command line is read, and options that would have no effect are errors.

use crate::common::{Place, text};

const ROWS: &str = "text,label\nso good,0\nvery good,0\nso bad,1\nvery bad,1\n";

/// A folder with labelled texts.
fn place() -> Place {
    let place = Place::new();
    ["good.csv", "more.csv"].into_iter().for_each(|name| place.write(name, ROWS));
    place.write("texts.txt", "so good\nso bad\n");
    place
}

/// What a command prints when it fails, and its exit code.
fn refused(place: &Place, command: &str, options: &[&str]) -> (Option<i32>, String) {
    let output = place.plain(command).args(options).output().expect("it ran");
    assert!(!output.status.success(), "{command} {options:?}: {}", text(&output.stdout));
    let error = text(&output.stderr);
    assert!(!error.contains("panicked"), "{error}");
    (output.status.code(), error)
}

/// Options that name something to read: the command, the name of the option, and a command line on which it is missing.
const MISSING: &[(&str, &str, &[&str])] = &[
    ("data", "file", &["none"]),
    ("data", "data", &["--data", "none"]),
    ("data", "test", &["good.csv", "--test", "none"]),
    ("data", "model", &["good.csv", "--model", "./none"]),
    ("experiment", "model", &["--model", "./none", "--output", "out"]),
    ("experiment", "file", &["none", "--output", "out"]),
    ("experiment", "file", &["none", "--test", "good.csv", "--output", "out"]),
    ("experiment", "data", &["--data", "none", "--output", "out"]),
    ("experiment", "data", &["--data", "none", "--test", "good.csv", "--output", "out"]),
    ("experiment", "data", &["--data", "none", "--folds", "2", "--output", "out"]),
    ("experiment", "train", &["--train", "none", "--test", "good.csv", "--output", "out"]),
    ("experiment", "test", &["--train", "good.csv", "--test", "none", "--output", "out"]),
    ("experiment", "test", &["--data", "good.csv", "--test", "none", "--output", "out"]),
    ("experiment", "test", &["--data", "good.csv", "--test", "none", "--validation", "more.csv", "--output", "out"]),
    ("experiment", "validation", &["--data", "good.csv", "--validation", "none", "--output", "out"]),
    ("experiment", "validation", &["--data", "good.csv", "--test", "more.csv", "--validation", "none", "-o", "out"]),
    ("experiment", "validation", &["--train", "good.csv", "--test", "more.csv", "--validation", "none", "-o", "out"]),
    ("experiment", "drop_label_issues", &["good.csv", "--drop-label-issues", "none", "--output", "out"]),
    ("experiment", "token_file", &["--token-file", "none", "--output", "out"]),
    ("tune", "space", &["--data", "good.csv", "--space", "none", "--output", "out"]),
    ("plan", "model", &["good.csv", "--test", "more.csv", "--model", "./none"]),
    ("plan", "file", &["none"]),
    ("plan", "data", &["--data", "none"]),
    ("plan", "train", &["--train", "none", "--test", "good.csv"]),
    ("plan", "test", &["--train", "good.csv", "--test", "none"]),
    ("plan", "validation", &["--data", "good.csv", "--validation", "none"]),
    ("plan", "drop_label_issues", &["good.csv", "--drop-label-issues", "none"]),
    ("plan", "token_file", &["good.csv", "--test-size", "2", "--token-file", "none"]),
    ("compare", "runs", &["none"]),
    ("predict", "model", &["--model", "./none", "text"]),
    ("predict", "input", &["--model", "model", "--input", "none"]),
    ("predict", "data", &["--model", "model", "--data", "none"]),
    ("predict", "token_file", &["--model", "model", "--token-file", "none", "text"]),
    ("evaluate", "model", &["--model", "./none", "--data", "good.csv"]),
    ("evaluate", "data", &["--model", "model", "--data", "none"]),
    ("evaluate", "token_file", &["--model", "model", "--data", "good.csv", "--token-file", "none"]),
    ("suggest", "model", &["--model", "./none", "--data", "good.csv"]),
    ("suggest", "data", &["--model", "model", "--data", "none"]),
    ("suggest", "results", &["--model", "model", "--data", "good.csv", "--results", "none"]),
    ("suggest", "token_file", &["--model", "model", "--data", "good.csv", "--token-file", "none"]),
    ("vocab", "corpus", &["--corpus", "none", "--output", "out"]),
    ("vocab", "corpus", &["--corpus", "texts.txt", "none", "--output", "out"]),
    ("pretrain", "corpus", &["--corpus", "none", "--model", "model", "--output", "out"]),
    ("pretrain", "corpus", &["--corpus", "texts.txt", "none", "--model", "model", "--output", "out"]),
    ("pretrain", "model", &["--corpus", "texts.txt", "--model", "./none", "--output", "out"]),
    ("pretrain", "vocab", &["--corpus", "texts.txt", "--vocab", "none", "--output", "out"]),
    ("pretrain", "token_file", &["--corpus", "texts.txt", "--model", "model", "--token-file", "none", "-o", "out"]),
    ("features", "input", &["--input", "none", "--model", "embedded", "--output", "out"]),
    ("features", "data", &["--data", "none", "--model", "embedded", "--output", "out"]),
    ("features", "model", &["--input", "texts.txt", "--model", "./none", "--output", "out"]),
    ("features", "token_file", &["--input", "texts.txt", "--model", "model", "--token-file", "none", "-o", "out"]),
    ("explain", "model", &["--model", "./none", "good"]),
    ("explain", "token_file", &["--model", "model", "--token-file", "none", "good"]),
    ("fill-mask", "model", &["--model", "./none", "[MASK]"]),
    ("fill-mask", "token_file", &["--model", "model", "--token-file", "none", "[MASK]"]),
    ("devices", "token_file", &["--token-file", "none"]),
    ("serve", "model", &["--model", "./none"]),
    ("serve", "model", &["--model", "name=./none"]),
    ("serve", "token_file", &["--model", "model", "--token-file", "none"]),
    ("host", "token_file", &["--token-file", "none"]),
    ("export", "model", &["--model", "./none", "--onnx", "out.onnx"]),
    ("export", "token_file", &["--model", "model", "--onnx", "out.onnx", "--token-file", "none"]),
    ("export", "data", &["--model", "model", "--onnx", "out.onnx", "--int8", "--data", "none.csv"]),
];

/// Commands with the options of `experiment`.
const SEARCHES: [&str; 2] = ["tune", "fit"];

/// Options that name something to write.
const WRITTEN: &[&str] = &["output", "identity", "onnx", "diagram"];

#[test]
fn every_file_on_the_command_line_is_read() {
    let place = place();
    place.model("model");
    let searches = SEARCHES.iter().flat_map(|search| {
        let rows = MISSING.iter().filter(|(command, ..)| *command == "experiment");
        rows.map(move |(_, option, arguments)| (*search, *option, *arguments))
    });
    for (command, option, arguments) in MISSING.iter().copied().chain(searches) {
        let is_known = ["data", "experiment", "tune", "fit", "plan"].contains(&command) && option != "model";
        let model: &[&str] = if is_known { &["--offline", "--model", "embedded"] } else { &[] };
        let before = place.files();
        let (_, error) = refused(&place, command, &[model, arguments].concat());
        let named = error.contains("none") || error.contains(&format!("--{}", option.replace('_', "-")));
        assert!(named, "{command} {arguments:?}: {error}");
        assert!(place.files() == before, "{command} {arguments:?} wrote files");
    }
}

#[test]
fn every_option_with_a_file_is_in_the_table() {
    for command in rekindle_cli::command().get_subcommands() {
        for option in command.get_arguments() {
            let names: Vec<&str> =
                option.get_value_names().unwrap_or_default().iter().map(|name| name.as_str()).collect();
            let is_file = names.iter().any(|name| ["FILE", "FOLDER", "RUN"].iter().any(|part| name.contains(part)));
            let (command, option) = (command.get_name(), option.get_id().as_str());
            let is_tested = |command| MISSING.iter().any(|(other, name, _)| (*other, *name) == (command, option));
            let tested = is_tested(command) || (SEARCHES.contains(&command) && is_tested("experiment"));
            assert!(!is_file || tested || WRITTEN.contains(&option), "{command} --{option} is not tested");
        }
    }
}

/// Command lines with an option that has no effect, and two parts of the message.
const WITHOUT_EFFECT: &[(&str, &[&str], [&str; 2])] = &[
    ("experiment", &["--train", "good.csv"], ["--train", "--test"]),
    ("experiment", &["--test", "good.csv"], ["--test", "--data"]),
    ("experiment", &["--validation", "good.csv"], ["--validation", "--data"]),
    ("experiment", &["--test", "good.csv", "--validation", "more.csv"], ["--test", "--data"]),
    ("experiment", &["--train", "good.csv", "--data", "more.csv", "--test", "more.csv"], ["--train", "--data"]),
    ("experiment", &["--folds", "3", "--test", "good.csv"], ["--folds", "--test"]),
    ("experiment", &["--data", "good.csv", "--folds", "2", "--test", "more.csv"], ["--folds", "--test"]),
    ("experiment", &["--data", "good.csv", "--folds", "2", "--validation", "more.csv"], ["--folds", "--validation"]),
    ("experiment", &["--train", "good.csv", "--folds", "2"], ["--folds", "--train"]),
    ("experiment", &["--data", "good.csv", "--folds", "2", "--test-size", "1"], ["--folds", "--test-size"]),
    ("experiment", &["--data", "good.csv", "--test", "more.csv", "--test-size", "1"], ["--test", "--test-size"]),
    ("experiment", &["--data", "good.csv", "--repeats", "3"], ["--repeats", "--folds"]),
    ("experiment", &["--data", "good.csv", "--label-issue-filter", "both"], ["--label-issue-filter", "--folds"]),
    ("experiment", &["--drop-label-issues", "good.csv"], ["--drop-label-issues", "--data"]),
    ("experiment", &["--zip-models"], ["--zip-models", "--save-models"]),
    ("experiment", &["--learning-rate", "1e-3", "--approaches", "probe"], ["--learning-rate", "--approaches"]),
    ("experiment", &["--epochs", "5", "--approaches", "probe,tfidf"], ["--epochs", "epochs"]),
    ("experiment", &["--warmup-steps", "5", "--approaches", "probe"], ["--warmup-steps", "learning rate"]),
    (
        "experiment",
        &["--lr-scheduler-type", "cosine", "--approaches", "majority"],
        ["--lr-scheduler-type", "learning rate"],
    ),
    (
        "experiment",
        &["--gradient-accumulation-steps", "2", "--approaches", "contrastive"],
        ["--gradient-accumulation-steps", "pairs"],
    ),
    (
        "experiment",
        &[
            "--early-stopping-patience",
            "2",
            "--validation-size",
            "0.5",
            "--approaches",
            "contrastive",
            "--data",
            "x.csv",
        ],
        ["--early-stopping-patience", "selects an epoch"],
    ),
    ("experiment", &["--train", "good.csv", "--test", "more.csv", "--repeats", "3"], ["--repeats", "--folds"]),
    (
        "experiment",
        &["--data", "good.csv", "--validation", "more.csv", "--validation-size", "1"],
        ["--validation", "--validation-size"],
    ),
    ("experiment", &["--metric-for-best-model", "f1"], ["--metric-for-best-model", "--validation-size"]),
    ("experiment", &["--early-stopping-patience", "2"], ["--early-stopping-patience", "--validation-size"]),
    ("experiment", &["--seeds", "1,2,1"], ["--seeds", "1 is given twice"]),
    ("experiment", &["--sizes", "4,all,4"], ["--sizes", "4 is given twice"]),
    ("experiment", &["--text-column", "a"], ["--text-column", "--data"]),
    ("experiment", &["--label-column", "a"], ["--label-column", "--data"]),
    ("experiment", &["--no-header"], ["--no-header", "--data"]),
    ("experiment", &["--task", "regression"], ["--task", "--data"]),
    ("experiment", &["--group-column", "a"], ["--group-column", "--data"]),
    ("experiment", &["--near-duplicates"], ["--near-duplicates", "--data"]),
    ("experiment", &["--time-column", "a"], ["--time-column", "--data"]),
    ("experiment", &["good.csv", "--time-column", "a", "--group-column", "b"], ["--time-column", "--group-column"]),
    (
        "experiment",
        &["good.csv", "--time-column", "a", "--folds", "2", "--repeats", "2"],
        ["--repeats", "--time-column"],
    ),
    ("experiment", &["--label-separator", ","], ["--label-separator", "--data"]),
    ("experiment", &["--token-file", "texts.txt"], ["--token-file", "--backend remote"]),
    ("experiment", &["--host", "ws://a:1"], ["--host", "--backend remote"]),
    ("experiment", &["--devices-per-run", "2"], ["--devices-per-run", "--backend remote"]),
    ("experiment", &["--epochs", "5", "--approaches", "full:epochs=3,probe"], ["--epochs", "names its own"]),
    ("experiment", &["--lr", "1e-3", "--approaches", "full:lr=1e-5"], ["--learning-rate", "names its own"]),
    ("tune", &["--budget", "1m", "--runs", "5"], ["--budget", "--runs"]),
    ("tune", &["--space", "probe", "--approaches", "tfidf:C=1|2"], ["--space", "--approaches"]),
    ("tune", &["--space", "probe", "--epochs", "3"], ["--epochs", "trains in epochs"]),
    ("tune", &["--lr", "1e-3"], ["--learning-rate", "names its own"]),
    ("fit", &["--approaches", "probe"], ["--approaches", "rekindle tune"]),
    ("fit", &["--budget", "1m", "--runs", "5"], ["--budget", "--runs"]),
    ("plan", &["good.csv", "--save-models"], ["--save-models", "experiment"]),
    ("plan", &["good.csv", "--output", "out"], ["--output", "experiment"]),
    ("plan", &["good.csv", "--metric", "f1"], ["--metric", "accuracy"]),
    ("plan", &["good.csv", "--difference", "20"], ["--difference", "--disagreement"]),
    ("plan", &["--folds", "3"], ["plan", "--data"]),
    ("fit", &["--repeats", "3"], ["--repeats", "--folds"]),
    ("features", &["--input", "texts.txt", "--text-column", "a", "-o", "out"], ["--text-column", "--input"]),
    ("features", &["--input", "texts.txt", "--label-column", "a", "-o", "out"], ["--label-column", "--input"]),
    ("features", &["--input", "texts.txt", "--no-header", "-o", "out"], ["--no-header", "--input"]),
    ("features", &["--input", "texts.txt", "--data", "good.csv", "-o", "out"], ["--input", "--data"]),
    ("features", &["--input", "texts.txt", "--token-file", "none", "-o", "out"], ["--token-file", "--backend remote"]),
    ("predict", &["text", "--input", "texts.txt"], ["--input", "TEXT"]),
    ("predict", &["text", "--output", "labels.csv"], ["--output", "--data"]),
    ("predict", &["text", "--data", "good.csv"], ["--data", "TEXT"]),
    ("predict", &["text", "--separator", ";"], ["--separator", "--data"]),
    ("predict", &["text", "--token-file", "texts.txt"], ["--token-file", "--backend remote"]),
    ("pretrain", &["--corpus", "texts.txt", "--layers", "2", "-o", "out"], ["--layers", "--model"]),
    ("pretrain", &["--corpus", "texts.txt", "--vocab", "vocab", "-o", "out"], ["--vocab", "--model"]),
    ("pretrain", &["--corpus", "texts.txt", "--steps", "2", "--epochs", "2", "-o", "out"], ["--steps", "--epochs"]),
];

/// The model does not exist: options are checked first.
#[test]
fn an_option_without_effect_is_an_error_before_anything_is_loaded() {
    let place = place();
    let before = place.files();
    for (command, options, parts) in WITHOUT_EFFECT {
        let (code, error) = refused(&place, command, &[&["--model", "./nowhere"], *options].concat());
        assert_eq!(code, Some(2), "{command} {options:?}: {error}");
        for part in parts {
            assert!(error.contains(part), "{command} {options:?}: `{part}` in {error}");
        }
        assert!(place.files() == before, "{command} {options:?} wrote files");
    }
    let (code, error) = refused(&place, "devices", &["--token-file", "texts.txt"]);
    assert!(code == Some(2) && error.contains("--host"), "{error}");
}

#[test]
fn numbers_that_cannot_be_used_are_named_by_their_option() {
    let place = place();
    let options =
        ["--epochs", "--batch-size", "--gradient-accumulation-steps", "--repeats", "--early-stopping-patience"];
    for option in options {
        let (code, error) = refused(&place, "experiment", &["--model", "./nowhere", option, "0"]);
        assert!(code == Some(2) && error.contains(option) && error.contains("at least 1"), "{error}");
    }
    let (code, error) = refused(&place, "experiment", &["--model", "./nowhere", "--folds", "1"]);
    assert!(code == Some(2) && error.contains("--folds") && error.contains("at least 2"), "{error}");
    let pretrain = ["--corpus", "texts.txt", "--output", "out"];
    for option in ["--epochs", "--steps", "--batch-size"] {
        let options = [&pretrain[..], &["--model", "./nowhere", option, "0"]].concat();
        let (code, error) = refused(&place, "pretrain", &options);
        assert!(code == Some(2) && error.contains(option) && error.contains("at least 1"), "{error}");
    }
}

#[test]
fn data_with_a_test_file_is_trained_on_completely() {
    let place = place();
    place.write("test.csv", "text,label\nfine,0\nawful,1\nnice,0\n");
    let base = ["--model", "embedded", "--approaches", "feature-extraction"];
    let counts = |options: &[&str]| {
        let (results, _) = place.results(&[&base[..], options].concat());
        let files: Vec<String> = serde_json::from_value(results["data"]["files"].clone()).expect("files");
        let numbers = [&results["data"]["train"], &results["data"]["test"], &results["design"]["validation"]];
        (files, numbers.map(|number| number.as_u64().expect("a number")), results["approaches"][0]["loss"].clone())
    };
    let (files, numbers, loss) = counts(&["--data", "good.csv", "--test", "test.csv"]);
    assert_eq!((files, numbers), (vec!["good.csv".into(), "test.csv".into()], [4, 3, 0]));
    let (_, same, same_loss) = counts(&["--train", "good.csv", "--test", "test.csv"]);
    assert_eq!((same, same_loss), (numbers, loss));
    let (files, numbers, _) = counts(&["--data", "good.csv", "--test", "test.csv", "--validation", "more.csv"]);
    assert_eq!((files.len(), numbers), (3, [4, 3, 4]));
    let (files, numbers, _) = counts(&["--data", "good.csv", "--test-size", "2", "--validation", "more.csv"]);
    assert_eq!((files.len(), numbers), (2, [2, 2, 4]));
}

#[test]
fn texts_of_training_examples_in_other_files_are_counted() {
    let place = place();
    place.write("test.csv", "text,label\nSO  good,0\nnot seen,1\nvery\u{a0}bad,1\n");
    let options = ["--model", "embedded", "good.csv", "--test", "test.csv", "--validation", "more.csv"];
    let (results, said) = place.results(&[&options[..], &["--approaches", "feature-extraction"]].concat());
    assert!(said.contains("2 test examples have the texts of training examples"), "{said}");
    assert!(said.contains("4 validation examples have the texts"), "{said}");
    let profile = &results["data"]["profile"];
    assert_eq!((&profile["leaks"], &profile["validation_leaks"]), (&2.into(), &4.into()));
}

#[test]
fn equal_texts_are_in_one_fold() {
    let place = Place::new();
    let rows: String =
        (0..12).map(|row| format!("text {},{}\nTEXT  {},{}\n", row, row % 2, row, row / 2 % 2)).collect();
    place.write("twice.csv", format!("text,label\n{rows}"));
    let options = ["--model", "embedded", "twice.csv", "--folds", "3", "--approaches", "feature-extraction"];
    let (results, said) = place.results(&options);
    assert!(said.contains("24 examples in 3 folds; 12 repeat the text of another and stay with it"), "{said}");
    assert_eq!(results["data"]["profile"]["leaks"], 0);
}
