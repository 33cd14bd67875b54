//! Runs `rekindle predict`.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

use rekindle::data::{ReadOptions, Table};
use serde_json::{Value, json};

use crate::common::{Place, text};

/// Returns a folder with a trained model in `model`.
fn trained() -> Place {
    let place = Place::new();
    place.results(&["--model", "embedded", "--save-models", "--approaches", "feature-extraction"]);
    std::fs::rename(place.path("out/models/feature_extraction_freeze_all"), place.path("model")).expect("moved");
    place
}

fn lines(output: &[u8]) -> Vec<Value> {
    text(output).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn all_inputs_give_the_same_predictions_in_the_order_of_the_texts() {
    let place = trained();
    let texts = ["good", "a rather long text about nothing in particular, really", "", "bad \u{1f600} é"];
    let predict = |options: &[&str], input: &str| {
        let output = place.command("predict").args(["--model", "model"]).args(options).write_stdin(input).output();
        let output = output.expect("it ran");
        assert!(output.status.success(), "{}", text(&output.stderr));
        lines(&output.stdout)
    };
    let answers = predict(&texts, "");
    for (answer, text) in answers.iter().zip(texts) {
        assert_eq!(answer["text"], text);
        assert!(answer["label"] == "0" || answer["label"] == "1");
        let logits: Vec<f64> = answer["logits"].as_array().expect("logits").iter().filter_map(Value::as_f64).collect();
        let best = logits.iter().copied().fold(f64::MIN, f64::max);
        let softmax = 1.0 / logits.iter().map(|logit| (logit - best).exp()).sum::<f64>();
        assert!((answer["score"].as_f64().expect("a score") - softmax).abs() < 1e-6, "{answer}");
    }
    assert_eq!(predict(&[], &texts.join("\r\n")), answers, "standard input");
    place.write("texts.txt", texts.join("\n"));
    assert_eq!(predict(&["--input", "texts.txt"], ""), answers, "a file");
    let marked = format!("\u{feff}{}", texts.join("\n"));
    assert_eq!(predict(&[], &marked), answers, "standard input with a byte order mark");
    place.write("marked.txt", marked);
    assert_eq!(predict(&["--input", "marked.txt"], ""), answers, "a file with a byte order mark");
    let many = predict(&["--input", "-", "--batch-size", "3"], &texts.join("\n").repeat(2000));
    assert_eq!(many.len(), 3 * 2000 + 1, "the last text of a copy and the first of the next are one line");
    assert_eq!(many[0]["text"], "good");
}

/// Runs `predict` with the model in `model`, and returns its standard output.
fn predict(place: &Place, options: &[&str]) -> String {
    let output = place.command("predict").args(["--model", "model"]).args(options).output().expect("it ran");
    assert!(output.status.success(), "{options:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// Returns the exit code and the error of `predict` with the model in `model`.
fn refused(place: &Place, options: &[&str]) -> (Option<i32>, String) {
    let output = place.command("predict").args(["--model", "model"]).args(options).output().expect("it ran");
    (output.status.code(), text(&output.stderr))
}

/// The program with the model in `model`, as a process that runs beside the test.
fn process(place: &Place, options: &[&str]) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("rekindle"));
    command.current_dir(place.path("")).env_clear().env("HF_HOME", place.path("cache"));
    command.args(["predict", "--offline", "--model", "model"]).args(options);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    command
}

#[test]
fn a_line_on_an_open_pipe_is_answered_before_the_next_is_sent() {
    let place = trained();
    let mut child = process(&place, &[]).spawn().expect("it runs");
    let (mut input, output) = (child.stdin.take().expect("a pipe"), child.stdout.take().expect("a pipe"));
    let mut answers = BufReader::new(output).lines();
    for line in ["good", "bad", "", "so bad"] {
        writeln!(input, "{line}").expect("sent");
        let answer: Value = serde_json::from_str(&answers.next().expect("an answer").expect("read")).expect("JSON");
        assert_eq!(answer["text"], line);
    }
    drop(input);
    assert!(answers.next().is_none() && child.wait().expect("ended").success());
}

#[test]
fn a_table_keeps_its_columns_and_gets_its_predictions() {
    let place = trained();
    place.write("in.csv", "id;text;note\n007;good;\"a, \"\"b\"\"\"\n2;\"bad; really\";\n");
    let alone = lines(predict(&place, &["good", "bad; really"]).as_bytes());
    predict(&place, &["--data", "in.csv", "--output", "out.csv"]);
    let row =
        |number: usize| format!("{},{}", alone[number]["label"].as_str().expect("a label"), alone[number]["score"]);
    let expected =
        format!("id,text,note,label,score\n007,good,\"a, \"\"b\"\"\",{}\n2,bad; really,,{}\n", row(0), row(1));
    assert_eq!(fs::read_to_string(place.path("out.csv")).expect("read"), expected);
    assert_eq!(predict(&place, &["--data", "in.csv", "--output-format", "csv"]), expected);
    assert!(!place.path("out.csv.partial").exists());

    place.write("in.jsonl", "{\"n\":1.0,\"text\":\"good\",\"tags\":[1]}\n{\"text\":\"bad; really\",\"new\":null}\n");
    let found = predict(&place, &["--data", "in.jsonl"]);
    let (label, score) = (&alone[0]["label"], &alone[0]["score"]);
    let first = format!("{{\"n\":1.0,\"text\":\"good\",\"tags\":[1],\"label\":{label},\"score\":{score}}}\n");
    assert!(found.starts_with(&first), "{found}");

    predict(&place, &["--data", "in.jsonl", "--output", "out.parquet", "--all-scores"]);
    place.write("labelled.csv", "text,label\ngood,1\n");
    assert!(predict(&place, &["--data", "labelled.csv"]).contains("predicted_label"));
    predict(&place, &["--data", "out.parquet", "--output", "again.parquet", "--prefix", "new_"]);
    let table = Table::open(&place.path("again.parquet"), &ReadOptions::default()).expect("opened");
    let names: Vec<&str> = table.columns().iter().map(AsRef::as_ref).collect();
    let labels = ["label", "score", "score_0", "score_1", "new_label", "new_score"];
    assert_eq!(names, [&["n", "text", "tags", "new"], &labels[..]].concat());
    let rows: Vec<_> = table.map(|row| row.expect("a row")).collect();
    assert_eq!((&rows[0].cells[4].1, &rows[1].cells[5].1), (&rows[0].cells[8].1, &rows[1].cells[9].1));
}

#[test]
fn what_would_be_lost_or_ambiguous_is_an_error() {
    let place = trained();
    place.write("in.csv", "text,label\ngood,1\n");
    place.write("null.jsonl", "{\"text\":\"a\"}\n{\"text\":null}\n");
    place.write("out.csv", "mine");
    let cases: [(&[&str], &str, i32); 10] = [
        (&["--data", "in.csv", "--prefix", ""], "name them differently with `--prefix`", 2),
        (&["--data", "in.csv", "--prefix", "p_", "--output", "out.csv"], "out.csv: already exists", 4),
        (
            &["--data", "in.csv", "--prefix", "p_", "--output", "out.xlsx"],
            "out.xlsx: expected a file ending in .csv",
            2,
        ),
        (&["--data", "null.jsonl", "--output", "new.csv"], "null.jsonl, line 2: `text` is null", 3),
        (&["--data", "in.csv", "--text-column", "body"], "no text column `body`", 3),
        (&["--data", "in.csv", "x"], "cannot be used with", 2),
        (&["--output", "new.csv", "x"], "--output: needs a table to read; add --data", 2),
        (&["--text-column", "body", "x"], "--text-column: needs a table to read; add --data", 2),
        (&["--threshold", "1.5", "x"], "between 0 and 1", 2),
        (&["--data", "in.csv", "--resume"], "--output <FILE>", 2),
    ];
    for (options, expected, code) in cases {
        let (ended, error) = refused(&place, options);
        assert!(ended == Some(code) && error.contains(expected), "{options:?}: {error}");
    }
    assert_eq!(fs::read_to_string(place.path("out.csv")).expect("read"), "mine");
    assert!(!place.path("new.csv").exists() && !place.path("new.csv.partial").exists());
    predict(&place, &["--data", "in.csv", "--prefix", "p_", "--output", "out.csv", "--overwrite"]);
    assert!(fs::read_to_string(place.path("out.csv")).expect("read").starts_with("text,label,p_label,p_score\n"));
}

#[test]
fn a_decision_has_a_rank_a_threshold_and_a_least_score() {
    let place = trained();
    let one = |options: &[&str]| lines(predict(&place, &[options, &["good"]].concat()).as_bytes())[0].clone();
    let plain = one(&[]);
    let [all, other] = [one(&["--all-scores"]), one(&["--top-k", "5"])];
    let label = plain["label"].as_str().expect("a label");
    assert_eq!((&all[format!("score_{label}")], &other["label"]), (&plain["score"], &plain["label"]));
    assert_eq!(other["score_2"], all[format!("score_{}", other["label_2"].as_str().expect("a label"))]);
    assert!(other.get("label_3").is_none(), "there are two classes");
    for (threshold, expected) in [("0", "1"), ("1", "0")] {
        let found = one(&["--threshold", threshold, "--all-scores"]);
        assert_eq!((&found["label"], &found["score"]), (&json!(expected), &found[format!("score_{expected}")]));
    }
    let none = one(&["--abstain-below", "1"]);
    assert_eq!((&none["label"], &none["score"]), (&Value::Null, &plain["score"]));
    assert_eq!(one(&["--abstain-below", "0.1"]), plain);
}

#[test]
fn an_interrupted_table_is_resumed_with_the_same_bytes() {
    let place = trained();
    let rows: String = (0..4000).map(|row| format!("{row},good {row}\n")).collect();
    place.write("in.csv", format!("id,text\n{rows}"));
    let options = ["--data", "in.csv", "--max-length", "8", "--output"];
    predict(&place, &[&options[..], &["whole.csv"]].concat());

    let mut child = process(&place, &[&options[..], &["out.csv"]].concat()).spawn().expect("it runs");
    let stored = place.path("out.csv.partial/logits.f32");
    while fs::metadata(&stored).map_or(0, |file| file.len()) == 0 && child.try_wait().expect("a state").is_none() {
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().expect("killed");
    child.wait().expect("ended");
    assert!(stored.exists() && !place.path("out.csv").exists(), "killed before the end");

    let (code, error) = refused(&place, &[&options[..], &["out.csv"]].concat());
    assert!(code == Some(4) && error.contains("--resume"), "{error}");
    let changed = ["--data", "in.csv", "--max-length", "9", "--output", "out.csv", "--resume"];
    let (code, error) = refused(&place, &changed);
    assert!(code == Some(3) && error.contains("--max-length was 8, is 9"), "{error}");
    let (code, error) = refused(&place, &[&options[..], &["out.csv", "--resume"]].concat());
    assert!(code == Some(0) && error.contains("4,000 rows") && !error.contains("4,000 of them"), "{error}");
    let [whole, resumed] = ["whole.csv", "out.csv"].map(|name| fs::read(place.path(name)).expect("read"));
    assert!(whole == resumed, "the same bytes");
    assert!(!place.path("out.csv.partial").exists());
}

#[test]
fn a_table_as_input_is_a_warning() {
    let place = trained();
    place.write("reviews.csv", "id,text\n1,good\n2,bad\n");
    let output =
        place.command("predict").args(["--model", "model", "--input", "reviews.csv"]).output().expect("it ran");
    let warning = text(&output.stderr);
    assert!(output.status.success() && lines(&output.stdout).len() == 3, "{warning}");
    assert!(warning.contains("reviews.csv: looks like a table (line 1: `id,text`)"), "{warning}");
}

#[test]
fn texts_that_cannot_be_classified_are_errors() {
    let place = trained();
    place.write("pointer.txt", "version https://git-lfs.github.com/spec/v1\n");
    place.model("headless");
    place.write("bytes.txt", b"good\n\xff\n");
    place.write("pairs.tsv", "a\tb\nc\td\te\n");
    let cases: [(&[&str], &str, i32); 9] = [
        (&["--model", "model", "--pairs", "--input", "pairs.tsv"], "pairs.tsv, line 2: found 2 tabs; with --pairs", 3),
        (&["--model", "model", "--pairs", "a\tb", "c"], "text 2: found no tab; with --pairs", 3),
        (&["--model", "model", "--input", "pointer.txt"], "git lfs pull", 3),
        (&["--model", "headless", "x"], "no classification head", 3),
        (&["--model", "./none", "x"], "none", 3),
        (&["--model", "model", "--input", "none.txt"], "none.txt", 3),
        (&["--model", "model", "--input", "bytes.txt"], "bytes.txt, line 2", 3),
        (&["--model", "model", "--max-length", "129", "x"], "128 positions", 2),
        (&["--model", "model", "--max-length", "2", "x"], "at least 3", 2),
    ];
    for (options, expected, code) in cases {
        let output = place.command("predict").args(options).output().expect("it ran");
        let error = text(&output.stderr);
        assert!(output.status.code() == Some(code) && error.contains(expected), "{options:?}: {error}");
    }
}

#[test]
fn models_of_sentence_transformers_are_saved_and_read() {
    let place = Place::new();
    let approaches = "contrastive:epochs=1,setfit:loss=supcon:r=2:layers=last2:epochs=1";
    place.results(&["--model", "embedded", "--save-models", "--approaches", approaches]);
    for (folder, modules) in [("contrastive_epochs1", 4), ("contrastive_loss_supcon_r2_layers_last2_epochs1", 5)] {
        let folder = format!("out/models/{folder}");
        let list: Value =
            serde_json::from_slice(&std::fs::read(place.path(&format!("{folder}/modules.json"))).expect("a file"))
                .expect("JSON");
        assert_eq!(list.as_array().map(Vec::len), Some(modules));
        let output = place.command("predict").args(["--model", &folder, "good", "bad"]).output().expect("it ran");
        assert!(output.status.success(), "{}", text(&output.stderr));
        let answers = lines(&output.stdout);
        assert_eq!(answers.len(), 2);
        assert!(answers.iter().all(|answer| answer["label"] == "0" || answer["label"] == "1"));
    }
}
