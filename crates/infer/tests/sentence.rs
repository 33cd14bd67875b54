//! Model folders of sentence-transformers and SetFit.
//!
//! The folder and the numbers are from `fixtures/contrastive/make_folder.py`.

use std::fs;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use rekindle_checkpoint::Checkpoint;
use rekindle_encoders::{Embedding, Encoder, Pooling, SentenceClassifier};
use rekindle_infer::{LinearPrecision, LongTexts, ModelCard, Predictor, PretrainedModel, SavedModel};
use serde::Deserialize;
use tempfile::TempDir;

#[derive(Deserialize)]
struct Golden {
    texts: Vec<String>,
    outputs: Vec<Vec<f32>>,
    decisions: Vec<f32>,
}

fn fixtures() -> PathBuf {
    Path::new("../../fixtures/contrastive").into()
}

fn golden() -> Golden {
    serde_json::from_slice(&fs::read(fixtures().join("folder_golden.json")).expect("fixture")).expect("JSON")
}

fn open(folder: &Path) -> PretrainedModel {
    PretrainedModel::from_folder(folder).expect("a model")
}

fn logits(folder: &Path, texts: &[String]) -> Vec<Vec<f32>> {
    let classifier = Predictor::new(&open(folder), &Device::flex()).expect("a classifier");
    let predictions = classifier.classify(texts, classifier.max_length(), 8).expect("predictions");
    predictions.into_iter().map(|prediction| prediction.logits).collect()
}

fn refusal(folder: &Path) -> String {
    Predictor::new(&open(folder), &Device::flex()).expect_err("a refusal").to_string()
}

/// A copy of the folder to change.
fn copy() -> TempDir {
    fn copy_all(from: &Path, to: &Path) {
        fs::create_dir_all(to).expect("a folder");
        for entry in fs::read_dir(from).expect("a folder") {
            let entry = entry.expect("an entry");
            let target = to.join(entry.file_name());
            match entry.path().is_dir() {
                true => copy_all(&entry.path(), &target),
                false => drop(fs::copy(entry.path(), target).expect("copied")),
            }
        }
    }
    let folder = tempfile::tempdir().expect("a folder");
    copy_all(&fixtures().join("sentence_transformers"), folder.path());
    folder
}

fn replace(path: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(path).expect("a file");
    assert!(text.contains(from), "{from} in {text}");
    fs::write(path, text.replace(from, to)).expect("written");
}

/// Keeps the first modules only.
fn keep_modules(folder: &Path, count: usize) {
    let path = folder.join("modules.json");
    let mut modules: Vec<serde_json::Value> = serde_json::from_slice(&fs::read(&path).expect("a file")).expect("JSON");
    modules.truncate(count);
    fs::write(path, serde_json::to_string(&modules).expect("JSON")).expect("written");
}

fn check(ours: &[Vec<f32>], theirs: &[Vec<f32>]) {
    assert_eq!(ours.len(), theirs.len());
    for (ours, theirs) in ours.iter().flatten().zip(theirs.iter().flatten()) {
        assert!((ours - theirs).abs() <= 1e-5, "{ours} here, {theirs} there");
    }
}

#[test]
fn logits_are_the_output_of_sentence_transformers() {
    let Golden { texts, outputs, .. } = golden();
    let folder = fixtures().join("sentence_transformers");
    let modules = open(&folder).modules().expect("modules").expect("modules");
    assert_eq!(modules.embedding, Embedding { pooling: Pooling::Mean, layers: 2, normalize: true });
    check(&logits(&folder, &texts), &outputs);
    let classifier = Predictor::new(&open(&folder), &Device::flex()).expect("a classifier");
    assert!(
        ["bad", "good", "neutral"]
            .contains(&classifier.classify(&texts, 20, 8).expect("predictions")[0].label.as_str())
    );
}

#[test]
fn a_saved_folder_in_int8_gives_the_same_logits() {
    let Golden { texts, outputs, .. } = golden();
    let model = open(&fixtures().join("sentence_transformers")).with_precision(LinearPrecision::Int8).expect("int8");
    let int8 = Predictor::new(&model, &Device::flex()).expect("a classifier");
    let predictions = int8.classify(&texts, int8.max_length(), 8).expect("predictions");
    let wanted: Vec<_> = predictions.into_iter().map(|prediction| prediction.logits).collect();
    assert!(wanted != outputs);
    let folder = tempfile::tempdir().expect("a folder");
    int8.save(folder.path(), "# A card\n").expect("saved");
    assert_eq!(open(folder.path()).precision(), LinearPrecision::Int8);
    assert_eq!(logits(folder.path(), &texts), wanted);
}

#[test]
fn a_saved_folder_gives_the_same_logits() {
    let Golden { texts, outputs, .. } = golden();
    let from = fixtures().join("sentence_transformers");
    let (pretrained, device) = (open(&from), Device::flex());
    let modules = pretrained.modules().expect("modules").expect("modules");
    let encoder = Encoder::from_checkpoint(&pretrained.config, &pretrained.checkpoint, &device).expect("an encoder");
    let mut model = SentenceClassifier::new(encoder, modules.embedding, &pretrained.config, &device);
    let dense = Checkpoint::open(&from.join("4_Dense")).expect("weights");
    let values = |name| dense.values(name).expect("values").expect("a tensor");
    let weight = burn::tensor::TensorData::new(values("linear.weight"), [3, 16]);
    let weight = burn::tensor::Tensor::<2>::from_data(weight, &device).transpose();
    model.classifier.weight = burn::module::Param::from_tensor(weight);
    let bias = burn::tensor::Tensor::<1>::from_data(values("linear.bias").as_slice(), &device);
    model.classifier.bias = Some(burn::module::Param::from_tensor(bias));
    for embedding in [modules.embedding, Embedding { layers: 1, normalize: false, pooling: Pooling::Cls }] {
        model.embedding = embedding;
        let folder = tempfile::tempdir().expect("a folder");
        let card = ModelCard {
            title: "a".into(),
            library_name: "sentence-transformers",
            pipeline_tag: "text-classification",
            base: None,
            sections: vec![],
        };
        let saved = SavedModel {
            tokenizer: &pretrained.tokenizer,
            max_length: 20,
            long_texts: LongTexts::Truncate,
            card: &card.to_string(),
        };
        let files = saved.save_sentence_classifier(folder.path(), &pretrained.config, &model).expect("saved");
        for file in files {
            assert!(folder.path().join(&file).is_file(), "{file}");
        }
        let saved = open(folder.path()).modules().expect("modules").expect("modules");
        assert_eq!((saved.embedding, saved.max_length), (embedding, Some(20)));
        let ours = logits(folder.path(), &texts);
        match embedding == modules.embedding {
            true => check(&ours, &outputs),
            false => assert_eq!(ours.len(), texts.len()),
        }
    }
}

#[test]
fn a_setfit_folder_with_a_safetensors_head_is_read() {
    let Golden { texts, decisions, .. } = golden();
    let folder = copy();
    keep_modules(folder.path(), 3);
    let config = r#"{"labels": ["no", "yes"], "normalize_embeddings": true}"#;
    fs::write(folder.path().join("config_setfit.json"), config).expect("written");
    fs::copy(fixtures().join("setfit_head.safetensors"), folder.path().join("model_head.safetensors")).expect("copied");
    let expected: Vec<Vec<f32>> = decisions.iter().map(|&decision| vec![0.0, decision]).collect();
    check(&logits(folder.path(), &texts), &expected);
    let classifier = Predictor::new(&open(folder.path()), &Device::flex()).expect("a classifier");
    let expected = if decisions[0] > 0.0 { "yes" } else { "no" };
    assert_eq!(classifier.classify(&texts, 20, 8).expect("predictions")[0].label, expected);
    fs::write(folder.path().join("config_setfit.json"), r#"{"labels": ["a", "b", "c"]}"#).expect("written");
    assert!(refusal(folder.path()).contains("head of 2 classes; the model has 3"));
}

#[test]
fn a_pickled_head_is_refused_with_the_way_out() {
    let folder = copy();
    keep_modules(folder.path(), 4);
    assert!(refusal(folder.path()).contains("no classification head"));
    fs::write(folder.path().join("model_head.pkl"), "cos\nsystem\n").expect("written");
    let message = refusal(folder.path());
    assert!(message.contains("model_head.pkl: ") && message.contains("model_head.safetensors"), "{message}");
}

#[test]
fn modules_that_are_not_supported_are_errors() {
    let cases: [(&str, &str, &str, &str); 9] = [
        ("modules.json", "dense.Dense", "lstm.LSTM", "module `LSTM`"),
        ("modules.json", "\"2_Pooling\"", "\"../2_Pooling\"", "path `../2_Pooling`"),
        ("modules.json", "normalize.Normalize", "dense.Dense", "in this order"),
        ("modules.json", "[", "", "modules.json: "),
        ("2_Pooling/config.json", "mean", "max", "pooling by `max`"),
        ("4_Dense/config.json", "Identity", "Tanh", "linear head"),
        ("4_Dense/config.json", "\"in_features\": 16", "\"in_features\": 8", "the encoder has 16"),
        ("4_Dense/config.json", "\"out_features\": 3", "\"out_features\": 4", "linear.weight"),
        ("1_WeightedLayerPooling/config.json", "\"layer_start\": 2", "\"layer_start\": 1", "equal weights"),
    ];
    for (file, from, to, expected) in cases {
        let folder = copy();
        replace(&folder.path().join(file), from, to);
        let message = refusal(folder.path());
        assert!(message.contains(expected), "`{expected}` in {message}");
    }
    let folder = copy();
    fs::remove_file(folder.path().join("4_Dense/model.safetensors")).expect("removed");
    assert!(refusal(folder.path()).contains("4_Dense"), "{}", refusal(folder.path()));
}
