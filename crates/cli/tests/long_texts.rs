//! Runs the commands on texts that are longer than the maximum length.

use std::fs;

use serde_json::{Value, json};

use crate::common::{Place, text};

/// Texts of 4 to 60 words, of which some have their only telling word at the end.
fn place() -> Place {
    let place = Place::new();
    let row = |row: usize| {
        let word = ["good", "bad"][row % 2];
        let filler = "the film was a film and ".repeat(row % 7);
        if row.is_multiple_of(3) {
            format!("{word} {filler}\t{}\n", row % 2)
        } else {
            format!("{filler}{word}\t{}\n", row % 2)
        }
    };
    place.write("data.tsv", format!("text\tlabel\n{}", (0..24).map(row).collect::<String>()));
    place
}

const OPTIONS: [&str; 10] = [
    "--data",
    "data.tsv",
    "--model",
    "embedded",
    "--max-length",
    "12",
    "--epochs",
    "1",
    "--save-models",
    "--approaches",
];

fn lines(output: &[u8]) -> Vec<Value> {
    text(output).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// The rows of predictions.csv of an approach.
fn predictions(place: &Place, approach: &str) -> Vec<Vec<String>> {
    let csv = fs::read_to_string(place.path("out/predictions.csv")).expect("predictions.csv");
    let rows = csv.lines().map(|line| line.split(',').map(String::from).collect::<Vec<String>>());
    rows.filter(|row| row[0] == approach).collect()
}

#[test]
fn saved_models_read_long_texts_as_they_were_trained() {
    let place = place();
    let approaches = "feature-extraction,last-layer,probe,contrastive:epochs=1";
    let mut losses = Vec::new();
    for setting in ["truncate", "head-tail", "windows:stride=3:pool=max"] {
        let batch = ["--batch-size", "4", "--long-texts", setting];
        let (results, _) = place.results(&[&OPTIONS[..], &[approaches], &batch].concat());
        let recorded = &results["arguments"]["long_texts"];
        assert_eq!(*recorded, if setting == "truncate" { Value::Null } else { json!(setting) });
        losses.push(results["approaches"][1]["loss"].to_string());
        for approach in ["fine_tune_last_layer", "probe", "contrastive_epochs1"] {
            let rows = predictions(&place, approach);
            let input: String = rows.iter().map(|row| format!("{}\n", row[6])).collect();
            let model = format!("out/models/{approach}");
            let mut command = place.command("predict");
            let output = command.args(["--model", &model]).write_stdin(input).output().expect("it ran");
            assert!(output.status.success(), "{}", text(&output.stderr));
            let predicted = lines(&output.stdout);
            assert_eq!(predicted.len(), rows.len());
            for (line, row) in predicted.iter().zip(rows) {
                let probability: f64 = row[if line["label"] == "0" { 9 } else { 10 }].parse().expect("a number");
                let score = line["score"].as_f64().expect("a score");
                assert!((probability - score).abs() < 1e-5, "{setting}, {approach}: {line} {row:?}");
            }
        }
    }
    losses.dedup();
    assert_eq!(losses.len(), 3, "the settings differ");
    let saved = fs::read(place.path("out/models/probe/tokenizer_config.json")).expect("saved");
    let saved: Value = serde_json::from_slice(&saved).expect("JSON");
    assert_eq!(saved["long_texts"], "windows:stride=3:pool=max");
    let card = fs::read_to_string(place.path("out/models/probe/README.md")).expect("a card");
    assert!(card.contains("`windows:stride=3:pool=max`"), "{card}");

    // The option replaces the setting of the model, and another value of the setting is an error.
    let long = format!("{}good", "the film was bad and ".repeat(9));
    let predict = |more: &[&str]| {
        let mut command = place.command("predict");
        command.args(["--model", "out/models/fine_tune_last_layer", &long]).args(more).output().expect("it ran")
    };
    let logits = |more: &[&str]| lines(&predict(more).stdout)[0]["logits"].clone();
    assert_eq!(logits(&[]), logits(&["--long-texts", "windows:pool=max:stride=3"]));
    assert_ne!(logits(&[]), logits(&["--long-texts", "truncate"]));
    assert_ne!(logits(&[]), logits(&["--long-texts", "head-tail"]));
    let wrong = json!({ "long_texts": "sideways" }).to_string();
    place.write("out/models/fine_tune_last_layer/tokenizer_config.json", wrong);
    let error = text(&predict(&[]).stderr);
    assert!(error.contains("tokenizer_config.json: `long_texts`: expected truncate, head-tail"), "{error}");
}

#[test]
fn features_of_a_long_text_are_pooled_over_its_windows() {
    let place = place();
    let features = |name: &str, more: &[&str]| {
        let mut command = place.command("features");
        command.args(["--model", "embedded", "--data", "data.tsv", "--max-length", "12", "--output", name]).args(more);
        let output = command.output().expect("it ran");
        assert!(output.status.success(), "{}", text(&output.stderr));
        fs::read(place.path(name).join("features-00000-of-00001.safetensors")).expect("a shard")
    };
    let [truncated, head_tail, mean, max] = ["truncate", "head-tail", "windows", "windows:pool=max"]
        .map(|setting| features(&setting.replace([':', '='], "_"), &["--long-texts", setting]));
    assert_eq!(truncated, features("default", &[]), "truncation is the default");
    assert!(truncated != head_tail && truncated != mean && mean != max && mean.len() == max.len());
    let described = fs::read_to_string(place.path("windows_pool_max/features.json")).expect("a description");
    assert!(described.contains("windows:stride=0:pool=max"), "{described}");
}

#[test]
fn what_is_not_possible_is_an_error_that_names_the_option() {
    let place = place();
    place.write("pairs.csv", "premise,hypothesis,label\na,b,0\nc,d,1\ne,f,0\ng,h,1\n");
    let pairs = ["--data", "pairs.csv", "--test-size", "2", "--text-pair-column", "hypothesis", "--model", "embedded"];
    let row = |row: usize| format!("{row} {}\t{}\n", "the film was good and ".repeat(80), row % 2);
    let long = format!("text\tlabel\n{}", (0..8).map(row).collect::<String>());
    place.write("long.tsv", &long);
    let windows = ["--data", "long.tsv", "--model", "embedded", "--max-length", "12", "--long-texts", "windows"];
    for (options, expected, code) in [
        (
            &[&pairs[..], &["--long-texts", "windows"]].concat()[..],
            "`--long-texts windows:stride=0:pool=mean`: not possible with text pairs",
            2,
        ),
        (
            &[&OPTIONS[..], &["full", "--long-texts", "windows:stride=10"]].concat(),
            "a stride of 10 is too large: a window has 10 tokens",
            2,
        ),
        (&["--long-texts", "windows:size=3"], "unknown option `size=3`", 2),
        (
            &[&windows[..], &["--test-size", "0.25", "--approaches", "full"]].concat(),
            "windows, and training computes them at once, at most 32",
            2,
        ),
    ] {
        let output = place.run(options);
        let error = text(&output.stderr);
        assert!(output.status.code() == Some(code) && error.contains(expected), "{expected}: {error}");
        assert!(!place.path("out/results.json").exists());
    }
}

#[test]
fn a_profile_recommends_a_setting() {
    let place = place();
    let words = |count: usize| format!("{}\t{}\n", "good ".repeat(count), count % 2);
    place.write("long.tsv", format!("text\tlabel\n{}", (0..20).map(|row| words(100 + row * 20)).collect::<String>()));
    let profile = |file: &str| {
        let output = place.command("data").args([file, "--model", "embedded", "--json"]).output().expect("it ran");
        serde_json::from_slice::<Value>(&output.stdout).expect("JSON")["data"]["long_texts"].clone()
    };
    assert_eq!(profile("data.tsv"), json!({ "recommended": "truncate", "max_length": 64 }));
    assert_eq!(profile("long.tsv"), json!({ "recommended": "windows", "max_length": 128 }));
    let output = place.command("data").args(["long.tsv", "--model", "embedded"]).output().expect("it ran");
    let said = text(&output.stdout);
    assert!(
        said.contains("long texts      --long-texts windows --max-length 128; longer are then 18 (90.00 %)"),
        "{said}"
    );
}
