//! Every command with a model of every family: small random models with the tokenizers of `fixtures/tokenizer/families`.

use std::fs;

use rekindle::encoders::Family;
use rekindle::tokenizer::Tokenizer;
use serde_json::Value;

use crate::common::models::{families, place};
use crate::common::{Place, text, timeless};

/// What a command prints.
fn run(place: &Place, command: &str, arguments: &[&str]) -> String {
    let output = place.command(command).args(arguments).output().expect("it ran");
    assert!(output.status.success(), "{command} {arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// The JSON lines that a command prints.
fn lines(place: &Place, command: &str, arguments: &[&str]) -> Vec<Value> {
    run(place, command, arguments).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn approaches_train_and_saved_models_predict_in_every_family() {
    for family in families() {
        let place = place(family);
        let approaches = "feature-extraction,last-1,full,lora,bitfit,full:pretrain=1,probe,contrastive";
        let options =
            ["--data", "data.csv", "--model", "model", "--max-length", "16", "--epochs", "1", "--save-models"];
        let (results, _) = place.results(&[&options[..], &["--folds", "2", "--approaches", approaches]].concat());
        assert_eq!(results["approaches"].as_array().map(Vec::len), Some(8), "{family}");
        for model in fs::read_dir(place.path("out/models")).expect("models") {
            let model = model.expect("a folder").path();
            let predicted = lines(&place, "predict", &["--model", &model.to_string_lossy(), "so good", "very bad"]);
            let label = |line: &Value| ["good", "bad"].iter().any(|label| line["label"] == *label);
            assert!(predicted.len() == 2 && predicted.iter().all(label), "{family}: {predicted:?}");
        }
    }
}

#[test]
fn features_and_masked_words_in_every_family() {
    for family in families() {
        let place = place(family);
        run(&place, "features", &["--model", "model", "--input", "texts.txt", "--output", "features"]);
        let options = ["--corpus", "texts.txt", "--max-length", "16", "--steps", "2", "--model", "model"];
        run(&place, "pretrain", &[&options[..], &["--output", "base"]].concat());
        let tokenizer = Tokenizer::from_folder(&place.path("base")).expect("a tokenizer");
        let mask = tokenizer.mask_id().and_then(|id| tokenizer.token(id)).expect("a mask token");
        let filled = lines(&place, "fill-mask", &["--model", "base", &format!("so {mask}")]);
        assert!(filled[0].to_string().contains("token_str"), "{family}: {filled:?}");
    }
}

#[test]
fn an_interrupted_experiment_continues_with_the_same_bytes() {
    let place = place(Family::Roberta);
    let options = [
        "--data",
        "data.csv",
        "--model",
        "model",
        "--max-length",
        "16",
        "--epochs",
        "20",
        "--checkpoint-every",
        "1",
        "--save-models",
        "--folds",
        "2",
    ];
    let options = [&options[..], &["--approaches", "full,lora"]].concat();
    let files = |place: &Place| {
        let models = place.path("out/models");
        place.files().into_iter().filter(|(path, _)| path.starts_with(&models)).collect::<Vec<_>>()
    };
    let whole = place.results(&options).0;
    let models = files(&place);
    fs::remove_dir_all(place.path("out")).expect("removed");
    let mut child = std::process::Command::new(place.plain("experiment").get_program());
    child.current_dir(place.path("")).args(["experiment", "--offline", "--output", "out", "--overwrite"]);
    let mut child = child.args(&options).stdout(std::process::Stdio::null()).spawn().expect("it runs");
    let runs = place.path("out.checkpoint/run/trials");
    while fs::read_dir(&runs).map_or(0, Iterator::count) < 2 {
        assert!(child.try_wait().expect("a child").is_none(), "it ended before it was interrupted");
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    child.kill().expect("killed");
    child.wait().expect("ended");
    assert_eq!(timeless(place.results(&[&options[..], &["--resume"]].concat()).0), timeless(whole));
    assert!(files(&place) == models, "the models differ");
}

#[test]
fn an_unknown_target_of_adapters_is_an_error_before_anything_is_trained() {
    let place = place(Family::Bert);
    let approaches = "feature-extraction,lora:targets=w";
    let output = place.run(&["--data", "data.csv", "--model", "model", "--approaches", approaches]);
    let (printed, error) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(2), "{error}");
    for part in ["lora_targets_w", "no `w`", "query, key, value, dense"] {
        assert!(error.contains(part), "{part} in {error}");
    }
    assert!(!printed.contains("trained in"), "{printed}");
    assert!(!place.path("out").exists(), "nothing is written");
}
