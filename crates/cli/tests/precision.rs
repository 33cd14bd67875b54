//! Runs commands with `--precision int8`.

use std::fs;

use serde_json::Value;

use crate::common::{Place, text};

/// A folder with a trained model, `model`, and the table `reviews.csv`.
fn trained() -> Place {
    let place = Place::new();
    place.results(&["--model", "embedded", "--save-models", "--approaches", "last-layer"]);
    fs::rename(place.path("out/models/fine_tune_last_layer"), place.path("model")).expect("moved");
    let row = |index: usize| {
        format!("the {} was {},{}\n", ["film", "meal"][index % 2], ["great", "awful"][index / 2 % 2], 1 - index / 2 % 2)
    };
    place.write("reviews.csv", format!("text,label\n{}", (0..24).map(row).collect::<String>()));
    place
}

fn run(place: &Place, command: &str, arguments: &[&str]) -> String {
    let output = place.command(command).args(arguments).output().expect("it ran");
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

fn refused(place: &Place, command: &str, arguments: &[&str]) -> String {
    let output = place.command(command).args(arguments).output().expect("it ran");
    assert!(!output.status.success(), "{arguments:?}");
    text(&output.stderr)
}

#[test]
fn predictions_and_features_in_int8_are_close_to_those_in_f32() {
    let place = trained();
    let scores = |options: &[&str]| {
        let arguments = [&["--model", "model", "--data", "reviews.csv", "--prefix", "predicted_"], options].concat();
        let lines = run(&place, "predict", &arguments);
        let score = |line: &str| serde_json::from_str::<Value>(line).expect("JSON")["predicted_score"].as_f64();
        lines.lines().map(|line| score(line).expect("a score")).collect::<Vec<f64>>()
    };
    let (plain, int8) = (scores(&[]), scores(&["--precision", "int8"]));
    assert_eq!((plain.len(), plain == int8, scores(&["--precision", "f32"])), (24, false, plain.clone()));
    assert!(plain.iter().zip(&int8).all(|(plain, int8)| (plain - int8).abs() < 0.05), "{plain:?}\n{int8:?}");

    // A run in int8 does not go on with results in f32.
    let output = ["--model", "model", "--data", "reviews.csv"];
    run(&place, "features", &[&output[..], &["--output", "features"]].concat());
    let error = refused(
        &place,
        "features",
        &[&output[..], &["--output", "features", "--resume", "--precision", "int8"]].concat(),
    );
    assert!(error.contains("--precision was absent, is int8"), "{error}");
    run(&place, "features", &[&output[..], &["--output", "in_int8", "--precision", "int8"]].concat());
    let error = refused(&place, "features", &[&output[..], &["--output", "in_int8", "--resume"]].concat());
    assert!(error.contains("--precision was int8, is absent"), "{error}");
    let [plain, int8] = ["features", "in_int8"]
        .map(|folder| fs::read(place.path(folder).join("features-00000-of-00001.safetensors")).expect("a shard"));
    assert!(plain.len() == int8.len() && plain != int8);
}

#[test]
fn models_are_evaluated_in_both_precisions() {
    let place = trained();
    let arguments = ["--model", "model", "--data", "reviews.csv", "--precision", "f32,int8", "--json"];
    let found: Value = serde_json::from_str(&run(&place, "evaluate", &arguments)).expect("JSON");
    let names: Vec<&str> =
        found["approaches"].as_array().expect("models").iter().filter_map(|model| model["approach"].as_str()).collect();
    assert_eq!(names, ["model", "model (int8)"]);
    let [plain, int8] = [0, 1].map(|place| &found["approaches"][place]);
    assert_eq!((&plain["precision"], &int8["precision"]), (&Value::Null, &"int8".into()));
    assert_eq!((&plain["total"], &found["model"]["id"]), (&int8["total"], &"model".into()));
    assert_eq!(found["comparisons"].as_array().map(Vec::len), Some(1));
    let error = refused(&place, "evaluate", &["--model", "model", "--data", "reviews.csv", "--precision", "int8,int8"]);
    assert!(error.contains("--precision: int8 is given twice"), "{error}");
    let twice = ["--model", "model", "--model", "model", "--data", "reviews.csv", "--precision", "int8"];
    let error = refused(&place, "evaluate", &twice);
    assert!(error.contains("--model: model is given twice"), "{error}");
}

#[test]
fn only_flex_computes_in_int8() {
    let place = trained();
    let of = |command: &str, arguments: &[&str]| {
        refused(
            &place,
            command,
            &[&["--precision", "int8", "--backend", "wgpu", "--model", "model"], arguments].concat(),
        )
    };
    for (command, arguments) in [
        ("predict", &["good"][..]),
        ("evaluate", &["--data", "reviews.csv"]),
        ("suggest", &["--data", "reviews.csv"]),
        ("serve", &[]),
        ("features", &["--data", "reviews.csv", "--output", "features"]),
    ] {
        let error = of(command, arguments);
        assert!(error.contains("--precision int8") && error.contains("--backend flex"), "{command}: {error}");
    }
    let error = refused(&place, "predict", &["--precision", "int4", "--model", "model", "good"]);
    assert!(error.contains("must be f32 or int8"), "{error}");
}
