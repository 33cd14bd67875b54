//! Runs `rekindle predict`.

use serde_json::Value;

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
