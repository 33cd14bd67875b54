//! Runs the commands on text pairs.

use std::fs;

use serde_json::{Value, json};

use crate::common::{Place, text};

/// Pairs that say the same and pairs that do not; the last pair is the first one with exchanged texts.
fn place() -> Place {
    let place = Place::new();
    let texts = ["a joy to use", "very bad", "so good", "never again", "I like it", "I hate it", "great", "poor"];
    let row = |row: usize| format!("{}\t{}\t{}\t{row}\n", row % 2, texts[row % 8], texts[(row * 3 + 1 + row % 2) % 8]);
    let swapped = "0\tvery bad\ta joy to use\t24\n";
    let rows: String = (0..24).map(row).chain([swapped.to_string()]).collect();
    place.write("pairs.txt", format!("\u{feff}same\t#1 String\t#2 String\tid\n{rows}"));
    place
}

const COLUMNS: [&str; 6] = ["--label-column", "same", "--text-column", "#1 String", "--text-pair-column", "#2 String"];

fn lines(output: &[u8]) -> Vec<Value> {
    text(output).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn an_experiment_reads_both_texts_and_shows_them() {
    let place = place();
    let options = ["--data", "pairs.txt", "--model", "embedded", "--epochs", "1", "--save-models"];
    let approaches = ["--approaches", "feature-extraction,last-layer,probe,contrastive:epochs=1"];
    let (results, said) = place.results(&[&options[..], &approaches, &COLUMNS, &["--symmetric"]].concat());
    assert!(said.contains("repeat the texts of another"), "{said}");
    for example in results["misread"]["sentences"].as_array().expect("examples") {
        assert!(example["text_pair"].is_string(), "{example}");
    }
    let mut table = csv(&fs::read(place.path("out/predictions.csv")).expect("predictions.csv"));
    assert_eq!(table.remove(0)[6..10], ["text", "text_pair", "label", "prediction"]);
    let report = fs::read_to_string(place.path("out/report.html")).expect("report.html");
    assert!(report.contains("class=\"second\""), "both texts are in the report");

    let card = fs::read_to_string(place.path("out/models/probe/README.md")).expect("a card");
    assert!(card.contains(r"printf 'a text\tanother text\n' | rekindle predict --model FOLDER --pairs"), "{card}");

    // The saved models predict what the experiment predicted.
    for (approach, folder) in [("fine_tune_last_layer", "fine_tune_last_layer"), ("probe", "probe")] {
        let rows: Vec<_> = table.iter().filter(|row| row[0] == approach).collect();
        let input: String = rows.iter().map(|row| format!("{}\t{}\n", row[6], row[7])).collect();
        let model = format!("out/models/{folder}");
        let mut command = place.command("predict");
        let output = command.args(["--model", &model, "--pairs"]).write_stdin(input).output().expect("it ran");
        assert!(output.status.success(), "{}", text(&output.stderr));
        let predicted = lines(&output.stdout);
        assert_eq!(predicted.len(), rows.len());
        for (line, row) in predicted.iter().zip(rows) {
            assert_eq!((&line["text"], &line["text_pair"]), (&json!(row[6]), &json!(row[7])));
            let probability: f64 = row[if line["label"] == "0" { 10 } else { 11 }].parse().expect("a number");
            assert!((probability - line["score"].as_f64().expect("a score")).abs() < 1e-5, "{line} {row:?}");
        }
    }
    // The second text counts.
    let mut command = place.command("predict");
    let output = command.args(["--model", "out/models/fine_tune_last_layer", "--pairs", "a\tb", "a\tc"]).output();
    let output = output.expect("it ran");
    let two = lines(&output.stdout);
    assert_ne!(two[0]["logits"], two[1]["logits"]);
}

/// Rows of a table without quotation marks.
fn csv(bytes: &[u8]) -> Vec<Vec<String>> {
    text(bytes).lines().map(|line| line.split(',').map(String::from).collect()).collect()
}

#[test]
fn a_profile_counts_the_tokens_of_both_texts() {
    let place = place();
    let profile = |more: &[&str]| {
        let mut command = place.command("data");
        let output = command.args(["pairs.txt", "--model", "embedded"]).args(COLUMNS).args(more).output();
        let output = output.expect("it ran");
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    let profile_json =
        |more: &[&str]| serde_json::from_str::<Value>(&profile(&[more, &["--json"]].concat())).expect("JSON");
    let found = &profile_json(&[])["data"];
    assert_eq!((&found["text_pair_column"], &found["text_column"]), (&json!("#2 String"), &json!("#1 String")));
    assert_eq!((&found["classes"][0]["example"]["text_pair"], &found["rows"]), (&json!("very bad"), &json!(25)));
    // [CLS] a joy to use [SEP] very bad [SEP], if each of these words is one token.
    assert_eq!(found["tokens"]["max"], 9);
    let symmetric = &profile_json(&["--symmetric"])["data"];
    assert_eq!((&found["duplicates"], &symmetric["duplicates"]), (&json!(16), &json!(18)));
    let said = profile(&[]);
    assert!(said.contains("same (label), #1 String (text), #2 String (text pair), id"), "{said}");
    assert!(said.contains("line 2: a joy to use / very bad"), "{said}");
}

#[test]
fn features_of_a_pair_are_one_vector() {
    let place = place();
    let features = |name: &str, columns: &[&str]| {
        let mut command = place.command("features");
        command.args(["--model", "embedded", "--data", "pairs.txt", "--output", name]).args(columns);
        let output = command.output().expect("it ran");
        assert!(output.status.success(), "{}", text(&output.stderr));
        fs::read(place.path(name).join("features-00000-of-00001.safetensors")).expect("a shard")
    };
    let (pairs, singles) = (features("pairs", &COLUMNS), features("singles", &COLUMNS[..4]));
    assert!(pairs.len() == singles.len() && pairs != singles);
}

#[test]
fn what_pairs_cannot_do_is_an_error_before_any_training() {
    let place = place();
    place.write("lines.txt", "a\tb\n\nc\td\te\n");
    let experiment =
        |more: &[&str]| place.run(&[&["--data", "pairs.txt", "--model", "embedded"][..], &COLUMNS, more].concat());
    let predict = |more: &[&str]| {
        let mut command = place.command("predict");
        command.args(["--model", "embedded"]).args(more).output().expect("it ran")
    };
    place.model("model");
    for (output, expected) in [
        (experiment(&["--approaches", "probe:names=1"]), "names: not possible with text pairs"),
        (experiment(&["--approaches", "full:pretrain=1"]), "pretrain: not possible with text pairs"),
        (place.run(&["--data", "pairs.txt", "--symmetric"]), "--text-pair-column"),
        (place.run(&["--text-pair-column", "b"]), "--text-pair-column: needs a file"),
        (predict(&["--pairs", "a"]), "no classification head"),
    ] {
        let error = text(&output.stderr);
        assert!(!output.status.success() && error.contains(expected), "{expected}: {error}");
    }
    assert!(!place.path("out/results.json").exists());
}
