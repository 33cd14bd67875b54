//! `rekindle experiment` as a user runs it: what it leaves, and what it says when it cannot go on.

use std::fs;

use rekindle::data::{TestSize, twelve_sentences};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde_json::Value;

use crate::common::{Place, text, timeless};

#[test]
fn the_twelve_sentences_leave_every_artifact() {
    let place = Place::new();
    let (results, said) = place.results(&["--model", "embedded"]);
    let data = &results["data"];
    assert_eq!((&data["train"], &data["test"]), (&9.into(), &3.into()));
    assert_eq!((&data["classes"], &data["class_counts"]), (&serde_json::json!(["0", "1"]), &serde_json::json!([5, 7])));
    assert_eq!((&results["model"]["source"], &results["seed"]), (&"embedded".into(), &42.into()));
    let names = ["feature_extraction_freeze_all", "fine_tune_last_layer"];
    for (approach, name) in results["approaches"].as_array().expect("approaches").iter().zip(names) {
        assert_eq!(approach["approach"], name);
        assert!(approach["trainable"].as_u64() < approach["total"].as_u64());
        let steps = approach["steps"].as_array().expect("steps");
        assert_eq!((steps.len(), &steps[1]["step"], &steps[1]["epoch"]), (2, &2.into(), &1.into()));
        assert_eq!(approach["epochs"][0]["eval_loss"], approach["loss"]);
        let spec = approach["spec"].as_str().expect("a spec");
        assert!(said.contains(&format!("\n{spec}")) && !said.contains(name), "{said}");
    }
    let summary = fs::read_to_string(place.path("out/tl_results.csv")).expect("summary");
    assert!(summary.starts_with("approach,accuracy,f1,loss\nfeature_extraction_freeze_all,"), "{summary}");
    assert_eq!(summary.lines().count(), 3);
    let history = fs::read_to_string(place.path("out/history.csv")).expect("history");
    assert_eq!(history.lines().count(), 5, "a header and two steps for each of two approaches");
    assert_eq!(predicted(&place, &results), 12, "three test sentences for each of two approaches and two baselines");
    let zip = fs::read(place.path("out.zip")).expect("zip");
    for name in ["results.json", "tl_results.csv", "scores.csv", "history.csv", "predictions.csv", "report.html"] {
        let name = format!("out/{name}");
        assert!(zip.windows(name.len()).any(|window| window == name.as_bytes()), "{name} is in the zip");
    }
    for part in ["9 training and 3 test", "missing", "classifier.weight", "trainable parameters", "epoch 1"] {
        assert!(said.contains(part), "`{part}` in {said}");
    }
}

/// Compares the rows of `predictions.csv` with the results, and returns their number.
fn predicted(place: &Place, results: &Value) -> usize {
    let bytes = fs::read(place.path("out/predictions.csv")).expect("predictions");
    let mut reader = csv::Reader::from_reader(bytes.as_slice());
    let header = reader.headers().expect("a header").clone();
    let column = |name: &str| header.iter().position(|column| column == name).expect(name);
    let rows: Vec<csv::StringRecord> = reader.records().map(|row| row.expect("a row")).collect();
    let classes: Vec<&str> =
        results["data"]["classes"].as_array().expect("classes").iter().flat_map(Value::as_str).collect();
    for row in &rows {
        let probability =
            |name: &&str| row[column(&format!("probability_{name}"))].parse::<f64>().expect("a probability");
        assert!((classes.iter().map(probability).sum::<f64>() - 1.0).abs() < 1e-6, "{row:?}");
        let predicted = probability(&&row[column("prediction")]);
        assert!(classes.iter().all(|class| probability(class) <= predicted), "{row:?}");
    }
    let names = [("approaches", "approach"), ("baselines", "baseline")];
    let records =
        names.iter().flat_map(|(key, name)| results[key].as_array().expect(key).iter().map(move |r| (r, *name)));
    for (approach, name) in records {
        let of_approach = || rows.iter().filter(|row| Some(&row[0]) == approach[name].as_str());
        let right = of_approach().filter(|row| row[column("label")] == row[column("prediction")]).count();
        let accuracy = right as f64 / of_approach().count() as f64;
        assert!((approach["accuracy"].as_f64().expect("accuracy") - accuracy).abs() < 1e-12, "{approach}");
    }
    rows.len()
}

#[test]
fn rows_are_named_by_their_lines_in_the_file() {
    let place = Place::new();
    let row = |index: usize| match index {
        // An example of two lines, and a blank line after it.
        3 => "\"a good\nfilm\",good\n\n".into(),
        _ => format!("film {index} is {},{}\n", ["bad", "good"][index % 2], ["bad", "good"][index % 2]),
    };
    place.write("data.csv", format!("text,label\n{}", (0..12).map(row).collect::<String>()));
    let options = ["--model", "embedded", "--data", "data.csv", "--folds", "2", "--approaches", "last-layer"];
    let (results, _) = place.results(&options);
    assert_eq!(predicted(&place, &results), 36, "an approach and two baselines are tested on every example once");
    let (table, page) =
        (fs::read_to_string(place.path("out/predictions.csv")), fs::read_to_string(place.path("out/report.html")));
    let (table, page) = (table.expect("predictions"), page.expect("a report"));
    let line = |index: u64| index + 2 + if index > 3 { 2 } else { 0 };
    for index in (0..12).filter(|index| *index != 3) {
        assert!(table.contains(&format!(",{},film {index} is", line(index))), "{index}: {table}");
    }
    assert!(table.contains(",5,\"a good\nfilm\",good,"), "{table}");
    let examples = results["misread"]["sentences"].as_array().expect("examples");
    assert!(!examples.is_empty());
    for example in examples {
        let line = example["line"].as_u64().expect("a line");
        let text = example["text"].as_str().expect("a text").split('\n').next().expect("a line");
        assert!(table.contains(&format!("{line},{text}")) || table.contains(&format!("{line},\"{text}")), "{example}");
        assert!(page.contains(&format!("line {line}")), "{example}");
    }
}

#[test]
fn the_same_seed_gives_the_same_results_and_another_seed_others() {
    let place = Place::new();
    let run = |seed: &str| timeless(place.results(&["--model", "embedded", "--epochs", "2", "--seed", seed]).0);
    let first = run("42");
    assert_eq!(run("42"), first);
    assert_ne!(run("43")["approaches"], first["approaches"]);
    // Without validation examples, the test examples are evaluated once.
    let approach = &first["approaches"][1];
    let [epoch] = &approach["epochs"].as_array().expect("epochs")[..] else { panic!("one epoch: {approach}") };
    assert_eq!((&epoch["epoch"], &epoch["eval_loss"]), (&2.into(), &approach["loss"]));
    let losses: Vec<f64> = approach["steps"].as_array().expect("steps")[2..]
        .iter()
        .map(|step| step["loss"].as_f64().expect("a loss"))
        .collect();
    let mean = (8.0 * losses[0] + losses[1]) / 9.0;
    assert!((epoch["train_loss"].as_f64().expect("a loss") - mean).abs() < 1e-9, "of nine examples in two batches");
}

#[test]
fn random_texts_that_occur_twice_cannot_be_predicted() {
    let place = Place::new();
    let mut state = 7u64;
    let mut random = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let text = |random: &mut dyn FnMut(u64) -> u64| {
        let word = |random: &mut dyn FnMut(u64) -> u64| format!("word{}", random(500));
        (0..8).map(|_| word(random)).collect::<Vec<_>>().join(" ")
    };
    let rows: Vec<(String, u64)> = (0..100).map(|_| (text(&mut random), random(2))).collect();
    // The second time in upper case and with more space: the same text.
    let twice = rows
        .iter()
        .map(|(text, label)| format!("{text},{label}\n{},{label}\n", text.to_uppercase().replace(' ', "  ")));
    place.write("twice.csv", format!("text,label\n{}", twice.collect::<String>()));
    let (results, said) =
        place.results(&["--model", "embedded", "twice.csv", "--folds", "5", "--approaches", "tfidf,probe"]);
    for approach in results["approaches"].as_array().expect("approaches") {
        let accuracy = approach["accuracy"].as_f64().expect("a number");
        assert!((0.3..0.7).contains(&accuracy), "{accuracy} is not chance");
    }
    assert!(said.contains("100 repeat the text of another and stay with it"), "{said}");
    assert!(!said.contains("ignificantly better than majority"), "{said}");
}

#[test]
fn auto_says_loudly_when_the_embedded_model_stands_in() {
    let place = Place::new();
    let (results, said) = place.results(&["--quiet"]);
    assert!(said.contains("warning") && said.contains("distilbert-base-uncased"), "{said}");
    assert_eq!(results["model"]["source"], "embedded");
}

#[test]
fn saved_models_are_checkpoints_to_start_from() {
    let place = Place::new();
    place.write(
        "data.jsonl",
        SENTENCES.map(|(text, label)| format!("{{\"text\":\"{text}\",\"label\":\"{label}\"}}\n")).concat(),
    );
    let options = ["--data", "data.jsonl", "--test-size", "3", "--save-models", "--approaches", "last-layer"];
    let (first, _) = place.results(&[&["--model", "embedded"], &options[..]].concat());
    assert_eq!(first["data"]["classes"], serde_json::json!(["bad", "fine", "good"]));
    let saved = place.path("out/models/fine_tune_last_layer");
    let config: Value = serde_json::from_slice(&fs::read(saved.join("config.json")).expect("config")).expect("JSON");
    assert_eq!(config["id2label"]["2"], "good");
    fs::rename(saved, place.path("saved")).expect("moved");
    let (second, said) = place.results(&[&["--model", "saved"], &options[..]].concat());
    assert!(said.contains("every tensor matched"), "{said}");
    assert_eq!(second["model"]["source"], "folder");
}

const SENTENCES: [(&str, &str); 9] = [
    ("good", "good"),
    ("very good", "good"),
    ("so good", "good"),
    ("bad", "bad"),
    ("very bad", "bad"),
    ("so bad", "bad"),
    ("fine", "fine"),
    ("very fine", "fine"),
    ("so fine", "fine"),
];

#[test]
fn each_wrong_input_is_a_clear_error_and_leaves_earlier_results_alone() {
    let place = Place::new();
    place.model("model");
    place.model("truncated");
    let weights = fs::read(place.path("model/model.safetensors")).expect("weights");
    place.write("truncated/model.safetensors", &weights[..weights.len() / 2]);
    place.write("no_config/model.safetensors", &weights);
    place.write("good.csv", "text,label\na,0\nb,1\nc,0\nd,1\n");
    place.write("one.csv", "text,label\na,0\nb,0\n");
    place.write("few.csv", "text,label\na,0\nb,1\nc,2\n");
    place.write("other.csv", "text,label\na,7\n");
    place.write("many.csv", format!("text,label\na,0\nb,1\n{}", "c\n".repeat(30)));
    place.write("file", "");
    place.results(&["--model", "model"]);
    let before = place.files();

    let cases: [(&[&str], &[&str]); 28] = [
        (
            &["--data", "many.csv"],
            &["many.csv, line 4: found 1 column,", "and 20 more\n", "`rekindle data` with", "all of them"],
        ),
        (&["--data", "none.csv"], &["none.csv", "No such file"]),
        (&["--model", "no_config"], &["no_config", "config.json"]),
        (&["--model", "truncated"], &["truncated/model.safetensors"]),
        (&["--model", "./nowhere"], &["nowhere"]),
        (&["--model", "org/unknown"], &["org/unknown", "cache"]),
        (&["--data", "good.csv", "--label-column", "stars"], &["good.csv", "stars", "text, label"]),
        (&["--data", "one.csv"], &["one.csv", "two classes"]),
        (&["--data", "few.csv"], &["class 0 has 1 row"]),
        (&["--data", "good.csv", "--test-size", "1"], &["test set", "2 classes"]),
        (&["--data", "good.csv", "--test-size", "4"], &["test size 4"]),
        (&["--data", "good.csv", "--test-size", "1.5"], &["1.5"]),
        (&["--train", "good.csv", "--test", "other.csv"], &["other.csv, line 2", "`7`"]),
        (&["--train", "good.csv"], &["--test"]),
        (&["--output", "file"], &["file"]),
        (&["--output", "file/below"], &["file"]),
        (&["--epochs", "0"], &["epochs"]),
        (&["--max-length", "100000"], &["100000", "128"]),
        (&["--approaches", "last-layr"], &["last-layr", "last-layer"]),
        (&["--backend", "abacus"], &["abacus", "flex"]),
        (&["--approaches", "last-9"], &["fine_tune_last_9_layers", "9 layers", "has 4"]),
        (&["--approaches", "lora:r=0"], &["r=0"]),
        (&["--folds", "20"], &["class 0", "20 folds"]),
        (&["--folds", "1"], &["folds"]),
        (&["--folds", "3", "--train", "good.csv", "--test", "good.csv"], &["--folds", "--train"]),
        (&["--sizes", "4,10"], &["size 10", "9 training examples"]),
        (&["--early-stopping-patience", "2"], &["--validation-size"]),
        (&["--class-weights", "1,2,3"], &["3 weights", "2 classes"]),
    ];
    for (options, expected) in cases {
        let model: &[&str] = if options.contains(&"--model") { &[] } else { &["--model", "model"] };
        let output = place.run(&[model, options].concat());
        let error = text(&output.stderr);
        assert!(matches!(output.status.code(), Some(2..=5)), "{options:?} failed by {}: {error}", output.status);
        for part in expected {
            assert!(error.contains(part), "{options:?}: `{part}` in {error}");
        }
        assert!(!error.contains("panicked"), "{error}");
        assert!(place.files() == before, "{options:?} changed files");
    }
}

/// A base whose last LayerNorm scales up to where its gradient, and nothing before it, leaves the numbers.
fn overflowing(place: &Place, name: &str) {
    place.model(name);
    let path = place.path(name).join("model.safetensors");
    let bytes = fs::read(&path).expect("weights");
    let changed: Vec<(String, Dtype, Vec<usize>, Vec<u8>)> = SafeTensors::deserialize(&bytes)
        .expect("safetensors")
        .iter()
        .map(|(name, tensor)| {
            let value: f32 = match name.rsplit("layer.3.").next().unwrap_or_default() {
                "sa_layer_norm.weight" => 1e-6,
                "sa_layer_norm.bias" | "ffn.lin2.weight" | "ffn.lin2.bias" => 0.0,
                "output_layer_norm.weight" => 1e17,
                _ => return (name.into(), tensor.dtype(), tensor.shape().into(), tensor.data().into()),
            };
            let count = tensor.shape().iter().product();
            (name.into(), Dtype::F32, tensor.shape().into(), value.to_le_bytes().repeat(count))
        })
        .collect();
    let views = changed.iter().map(|(name, dtype, shape, data)| {
        (name.as_str(), TensorView::new(*dtype, shape.clone(), data).expect("a tensor of that size"))
    });
    place.write(&format!("{name}/model.safetensors"), safetensors::serialize(views, None).expect("serialized"));
}

#[test]
fn a_run_that_fails_keeps_its_steps_and_the_earlier_results() {
    let place = Place::new();
    overflowing(&place, "model");
    place.results(&["--model", "embedded"]);
    let before = place.files();
    let output = place.run(&["--model", "model", "--epochs", "2"]);
    let error = text(&output.stderr);
    assert!(!output.status.success());
    for part in ["fine_tune_last_layer", "gradient norm", "on rows", "no checkpoint", "4 steps", "out.failed.csv"] {
        assert!(error.contains(part), "`{part}` in {error}");
    }
    let kept = fs::read_to_string(place.path("out.failed.csv")).expect("the steps before");
    let approaches: Vec<_> = kept.lines().skip(1).filter_map(|row| row.split(',').next()).collect();
    assert_eq!(approaches, ["feature_extraction_freeze_all"; 4]);
    assert!(error.contains("out.checkpoint"), "the approach that was done is kept: {error}");
    fs::remove_file(place.path("out.failed.csv")).expect("removed");
    fs::remove_dir_all(place.path("out.checkpoint")).expect("removed");
    assert!(place.files() == before, "earlier results stand");

    place.run(&["--model", "model", "--epochs", "2"]);
    place.results(&["--model", "embedded"]);
    for left in ["out.failed.csv", "out.checkpoint"] {
        assert!(!place.path(left).exists(), "{left} is of no use behind a run that succeeded");
    }
}

#[test]
fn folds_sizes_and_seeds_are_all_tried_and_compared() {
    let place = Place::new();
    let approaches = "feature-extraction,last-2:layer-decay=0.9,lora:r=2,bitfit";
    let options = ["--model", "embedded", "--folds", "2", "--repeats", "2", "--seeds", "1,2", "--sizes", "4,all"];
    let (results, said) = place.results(&[&options[..], &["--approaches", approaches]].concat());
    let design = serde_json::json!({
        "folds": 2, "repeats": 2, "seeds": [1, 2], "sizes": [4, 6], "validation": 0, "metric_for_best_model": null,
        "metric": "accuracy", "metric_label": "accuracy"
    });
    assert_eq!(results["design"], design);
    let names = ["feature_extraction_freeze_all", "fine_tune_last_2_layers_layer_decay0.9", "lora_r2", "bitfit"];
    for (approach, name) in results["approaches"].as_array().expect("approaches").iter().zip(names) {
        assert_eq!(approach["approach"], name);
        let runs = approach["runs"].as_array().expect("runs");
        assert_eq!(runs.len(), 2 * 2 * 2 * 2, "folds, repeats, seeds and sizes");
        let last: Vec<f64> =
            runs.iter().filter(|run| run["size"] == 6).map(|run| run["accuracy"].as_f64().expect("a number")).collect();
        let mean = last.iter().sum::<f64>() / last.len() as f64;
        assert!((mean - approach["accuracy"].as_f64().expect("a number")).abs() < 1e-12);
        assert_eq!(approach["scores"]["accuracy"]["n"], 4, "folds and repeats, seeds averaged");
        assert_eq!(approach["predictions"].as_array().map(Vec::len), Some(12), "every sentence is tested on");
        assert_eq!(approach["curve"][0]["size"], 4);
    }
    // Every pair of approaches, and each against two baselines, but for those that have not learned anything.
    let trained = results["approaches"].as_array().expect("approaches").iter().filter(|one| one["undertrained"] == 0);
    let trained = trained.count();
    assert_eq!(results["comparisons"].as_array().map(Vec::len), Some(trained * (trained - 1) / 2 + 2 * trained));
    assert_eq!(results["baselines"][1]["baseline"], "tfidf_logistic_regression");
    for part in ["12 examples in 2 folds, 2 times", "16 runs", "95 % interval", "majority"] {
        assert!(said.contains(part), "`{part}` in {said}");
    }
    let history = fs::read_to_string(place.path("out/history.csv")).expect("history");
    let steps: usize = results["approaches"]
        .as_array()
        .expect("approaches")
        .iter()
        .flat_map(|approach| approach["runs"].as_array().expect("runs"))
        .map(|run| run["steps"].as_array().expect("steps").len())
        .sum();
    assert_eq!(history.lines().count(), 1 + steps, "a row a step of every run");
    let scores = fs::read_to_string(place.path("out/scores.csv")).expect("scores");
    assert_eq!(scores.lines().count(), 1 + 6 * 2 * 3, "approaches and baselines, sizes, metrics");
}

#[test]
fn validation_sentences_choose_the_epoch_and_end_a_run() {
    let place = Place::new();
    let options = ["--model", "embedded", "--validation-size", "3", "--epochs", "30", "--early-stopping-patience", "2"];
    let (results, _) = place.results(&[&options[..], &["--approaches", "full:lr=5e-3", "--seed", "3"]].concat());
    assert_eq!((&results["data"]["train"], &results["design"]["validation"]), (&6.into(), &3.into()));
    let run = &results["approaches"][0]["runs"][0];
    let losses: Vec<f64> = run["epochs"]
        .as_array()
        .expect("epochs")
        .iter()
        .map(|epoch| epoch["eval_loss"].as_f64().expect("a number"))
        .collect();
    let best = run["best_epoch"].as_u64().expect("a number") as usize;
    let least = losses.iter().copied().fold(f64::INFINITY, f64::min);
    assert_eq!(losses[best - 1], least, "the best epoch has the least loss");
    assert!(losses.len() == best + 2 || losses.len() == 30, "it ends two epochs after the best: {losses:?}, {best}");
}

/// Adapters are merged into what is saved, a mean is written into its config.json; `predict` finds both again, and the loss
/// of its logits is the one that was tested.
#[test]
fn saved_models_predict_what_was_tested() {
    let place = Place::new();
    let approaches = "lora:r=2:lr=1e-2,feature-extraction:pooling=mean";
    let options = ["--model", "embedded", "--save-models", "--epochs", "3", "--approaches", approaches];
    let (results, _) = place.results(&options);
    let (_, test) = twelve_sentences().train_test_split(TestSize::Fraction(0.25), 42, true).expect("a split");
    for (index, name) in ["lora_r2_lr1e_2", "feature_extraction_freeze_all_pooling_mean"].into_iter().enumerate() {
        let mut predict = place.command("predict");
        predict.args(["--model", &format!("out/models/{name}")]);
        let output = predict.args(test.examples.iter().map(|example| &example.text)).output().expect("it ran");
        assert!(output.status.success(), "{}", text(&output.stderr));
        let answers = text(&output.stdout);
        let losses = answers.lines().zip(&test.examples).map(|(line, example)| {
            let line: Value = serde_json::from_str(line).expect("JSON");
            let logit = |class: usize| line["logits"][class].as_f64().expect("a logit");
            (logit(0).exp() + logit(1).exp()).ln() - logit(example.target.class().expect("a class"))
        });
        let loss = losses.sum::<f64>() / test.len() as f64;
        let tested = results["approaches"][index]["loss"].as_f64().expect("a loss");
        assert!((loss - tested).abs() < 1e-5, "{name}: {loss} predicted, {tested} tested");
    }
    let config = fs::read(place.path("out/models/feature_extraction_freeze_all_pooling_mean/config.json"));
    let config: Value = serde_json::from_slice(&config.expect("config")).expect("JSON");
    assert_eq!(config["classifier_pooling"], "mean");
}

#[test]
fn folds_lead_to_a_model_of_all_sentences() {
    let place = Place::new();
    let (results, said) =
        place.results(&["--model", "embedded", "--folds", "3", "--approaches", "last-layer", "--save-models"]);
    assert!(said.contains("on all examples"), "{said}");
    assert_eq!(results["approaches"][0]["runs"].as_array().map(Vec::len), Some(3));
    assert!(place.path("out/models/fine_tune_last_layer/model.safetensors").is_file());
}

#[test]
fn results_are_replaced_only_with_overwrite_and_those_of_the_demonstration_by_itself() {
    let place = Place::new();
    place.write("data.csv", "text,label\nso good,0\nvery good,0\nso bad,1\nvery bad,1\n");
    let run = |options: &[&str]| {
        let mut command = place.command("experiment");
        let base = ["--model", "embedded", "--approaches", "feature-extraction"];
        let output = command.args(base).args(options).output().expect("it ran");
        (output.status.code(), text(&output.stdout) + &text(&output.stderr))
    };
    let data = ["--data", "data.csv", "--test-size", "2"];
    let named = [&data[..], &["--output", "out", "--save-models"]].concat();
    assert_eq!(run(&named).0, Some(0));
    place.write("out/notes.txt", "mine");
    let before = place.files();
    let (code, said) = run(&named);
    assert!(code == Some(4) && said.contains("out: has the results") && said.contains("--overwrite"), "{said}");
    assert!(place.files() == before);
    let (code, said) = run(&[&data[..], &["--output", "out", "--overwrite"]].concat());
    assert!(code == Some(0) && said.contains("replaces the earlier results in out"), "{said}");
    assert!(!place.path("out/models").exists() && place.path("out/notes.txt").exists());

    assert_eq!(run(&[]).0, Some(0));
    let (code, said) = run(&[]);
    assert!(code == Some(0) && said.contains("replaces the earlier results"), "{said}");
    let (code, said) = run(&data);
    assert!(code == Some(4) && said.contains("--overwrite"), "{said}");
    assert_eq!(run(&[&data[..], &["--overwrite"]].concat()).0, Some(0));
    let (code, said) = run(&[]);
    assert!(code == Some(4) && said.contains("--overwrite"), "results from a file are kept: {said}");
}

/// The models are most of an output, and are there already.
#[test]
fn the_zip_has_the_models_only_on_request() {
    let place = Place::new();
    let options = ["--model", "embedded", "--approaches", "feature-extraction", "--save-models"];
    for (more, packed) in [(&[][..], false), (&["--zip-models"], true)] {
        place.results(&[&options[..], more].concat());
        let zip = fs::read(place.path("out.zip")).expect("a zip");
        let name = b"out/models/feature_extraction_freeze_all/model.safetensors";
        assert_eq!(zip.windows(name.len()).any(|window| window == name), packed);
    }
}

/// 60 examples of three classes, of which one is rare.
fn reviews() -> String {
    let words = ["fine film", "dull film", "odd film"];
    let row = |index: usize| {
        let class = if index % 10 == 9 { 2 } else { index % 2 };
        let text = if index.is_multiple_of(7) { words[(class + 1) % 3] } else { words[class] };
        format!("{text} number {index},{}\n", ["good", "bad", "odd"][class])
    };
    format!("text,label\n{}", (0..60).map(row).collect::<String>())
}

#[test]
fn the_metric_decides_on_ranking_tests_findings_and_report() {
    let place = Place::new();
    place.write("reviews.csv", reviews());
    let run = |more: &[&str]| {
        let common = ["--model", "embedded", "reviews.csv", "--approaches", "tfidf,majority"];
        let split = if more.contains(&"--folds") { &[][..] } else { &["--test-size", "0.5"] };
        place.results(&[&common, split, more].concat())
    };
    let comparison = |results: &Value| results["comparisons"][0].clone();
    let (results, said) = run(&[]);
    assert_eq!(
        (&results["design"]["metric"], &comparison(&results)["method"]),
        (&"accuracy".into(), &"McNemar, exact".into())
    );
    assert!(said.contains("accuracy  95 % interval           F1      loss"), "{said}");
    let cases = [
        ("f1", "macro F1", "highest macro F1", "permutation"),
        ("macro-f1", "macro F1", "highest macro F1", "permutation"),
        ("balanced_accuracy", "balanced accuracy", "highest balanced accuracy", "permutation"),
        ("MCC", "Matthews correlation", "highest Matthews correlation", "permutation"),
        ("loss", "loss", "lowest loss", "paired t"),
    ];
    for (metric, label, finding, method) in cases {
        let (results, said) = run(&["--metric", metric]);
        let (design, comparison) = (&results["design"], comparison(&results));
        assert_eq!((&design["metric_label"], &comparison["method"]), (&label.into(), &method.into()), "{metric}");
        let scores = |record: &Value| {
            let scores = &record["scores"];
            let score = match label {
                "macro F1" => &scores["f1"],
                "loss" => &scores["loss"],
                _ => &scores["other"],
            };
            score["mean"].as_f64().expect("a mean")
        };
        let [a, b] = [0, 1].map(|index| scores(&results["approaches"][index]));
        assert!((comparison["difference"].as_f64().expect("a difference") - (a - b)).abs() < 1e-12, "{metric}");
        assert!(results["findings"][0].as_str().is_some_and(|text| text.contains(finding)), "{}", results["findings"]);
        assert!(said.contains(&format!("approach  {label:>8}  95 % interval")), "{said}");
        let report = fs::read_to_string(place.path("out/report.html")).expect("a report");
        assert!(report.contains(&format!("Difference in {label}")), "{metric}");
        let scores = fs::read_to_string(place.path("out/scores.csv")).expect("scores");
        let name = design["metric"].as_str().expect("a name");
        assert!(scores.contains(&format!(",{name},")), "{scores}");
    }
    // Over folds, the same test for every metric.
    let (results, _) = run(&["--metric", "f1_weighted", "--folds", "3"]);
    assert_eq!(comparison(&results)["method"], "corrected t");
    let output = place.command("experiment").args(["--metric", "auc"]).output().expect("it ran");
    let error = text(&output.stderr);
    assert!(
        output.status.code() == Some(2) && error.contains("unknown metric `auc`: expected accuracy, balanced_"),
        "{error}"
    );
}

#[test]
fn texts_of_unknown_words_are_a_caution() {
    let place = Place::new();
    let row = |index: usize| format!("\u{4f60}\u{597d} \u{4e16}\u{754c} {index},{}\n", ["a", "b"][index % 2]);
    place.write("data.csv", format!("text,label\n{}", (0..12).map(row).collect::<String>()));
    let options = ["--model", "embedded", "data.csv", "--approaches", "majority"];
    let (results, said) = place.results(&options);
    let caution = "51 of 60 tokens (85 %) are unknown to the vocabulary of the model";
    assert!(said.contains(caution) && results["findings"].to_string().contains(caution), "{said}");
}
