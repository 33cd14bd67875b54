//! Model folders as people have them: classes in another order, lengths that training fixed, and folders that are no models.

use std::fs;
use std::path::Path;

use burn::tensor::Device;
use rekindle_checkpoint::ClassMatch;
use rekindle_infer::{
    BaseModel, InferError, LongTexts, ModelCard, Predictor, PretrainedModel, SAVED_FILES, SavedModel, logits,
};
use serde_json::{Value, json};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures");

/// A model without a head, in a folder.
fn encoder(folder: &Path) {
    fs::create_dir_all(folder).expect("a folder");
    for (from, name) in [
        ("distilbert/base/config.json", "config.json"),
        ("distilbert/base/model.safetensors", "model.safetensors"),
        ("tokenizer/tokenizer.json", "tokenizer.json"),
    ] {
        fs::copy(Path::new(FIXTURES).join(from), folder.join(name)).expect("a fixture");
    }
}

fn open(folder: &Path) -> Result<PretrainedModel, InferError> {
    PretrainedModel::from_folder(folder)
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| name.to_string()).collect()
}

/// Saves a classifier with a head for three classes, of at most 5 tokens per text.
fn trained(folder: &Path) -> PretrainedModel {
    encoder(&folder.join("base"));
    let base = open(&folder.join("base")).expect("a model");
    let (config, model, _) = base.load(&names(&["Bad", "good", "mixed"]), 7, &Device::flex()).expect("loaded");
    let sections = vec![("Usage", "rekindle predict".to_string())];
    let base_model = Some(BaseModel::from(&base));
    let card = ModelCard {
        title: "trained".into(),
        library_name: "transformers",
        pipeline_tag: "text-classification",
        base: base_model,
        sections,
    };
    let saved = SavedModel {
        tokenizer: &base.tokenizer,
        max_length: 5,
        long_texts: LongTexts::Truncate,
        card: &card.to_string(),
    };
    saved.save_classifier(&folder.join("trained"), &config, &model).expect("saved");
    open(&folder.join("trained")).expect("a model")
}

#[test]
fn a_saved_model_keeps_its_length_and_has_a_card() {
    let folder = tempfile::tempdir().expect("a folder");
    let model = trained(folder.path());
    assert_eq!((model.trained_max_length(), model.tokenizer.model_max_length()), (Some(5), Some(5)));
    assert_eq!(Predictor::new(&model, &Device::flex()).expect("a classifier").max_length(), 5);
    assert!(SAVED_FILES.iter().all(|name| folder.path().join("trained").join(name).is_file()));
    let card = fs::read_to_string(folder.path().join("trained/README.md")).expect("a card");
    assert!(card.contains("# trained") && card.contains("The weights come from `"), "{card}");

    let base = open(&folder.path().join("base")).expect("a model");
    assert_eq!(base.trained_max_length(), None, "no file says one");
    fs::write(folder.path().join("base/tokenizer_config.json"), r#"{"model_max_length": 512}"#).expect("written");
    let base = open(&folder.path().join("base")).expect("a model");
    assert_eq!(base.trained_max_length(), Some(40), "all positions, because it has a head");
    let labels = r#"{"0": "a", "1": "b", "2": "c"}"#;
    let config = fs::read_to_string(folder.path().join("base/config.json")).expect("read");
    let mut config: Value = serde_json::from_str(&config).expect("JSON");
    config["id2label"] = serde_json::from_str(labels).expect("JSON");
    fs::write(folder.path().join("base/config.json"), config.to_string()).expect("written");
    let base = open(&folder.path().join("base")).expect("a model");
    assert_eq!(base.trained_max_length(), None, "without a head, positions are no training");
}

/// The logits of a text by a model that is loaded for these classes, and how the classes matched.
fn answer(model: &PretrainedModel, classes: &[&str], seed: u64) -> (Vec<f32>, Option<ClassMatch>) {
    let device = Device::flex();
    let (config, classifier, report) = model.load(&names(classes), seed, &device).expect("loaded");
    let ids = [model.tokenizer.encode("good movie", 5).expect("ids")];
    let mut go_on = |_| std::ops::ControlFlow::Continue(());
    (logits(&classifier, &config, &ids, 1, &device, &mut go_on).expect("logits"), report.classes)
}

#[test]
fn a_trained_head_is_matched_by_the_names_of_its_classes() {
    let folder = tempfile::tempdir().expect("a folder");
    let model = trained(folder.path());
    let (own, matched) = answer(&model, &["Bad", "good", "mixed"], 1);
    assert_eq!(matched, None);
    let [bad, good, mixed] = own[..] else { panic!("three classes") };

    let (logits, matched) = answer(&model, &["GOOD", "mixed", "bad"], 1);
    assert_eq!((logits, matched), (vec![good, mixed, bad], Some(ClassMatch::ByName { unused: vec![] })));
    let (logits, matched) = answer(&model, &["mixed", "bad"], 1);
    assert_eq!((logits, matched), (vec![mixed, bad], Some(ClassMatch::ByName { unused: names(&["good"]) })));
    let (logits, matched) = answer(&model, &["0", "1", "2"], 1);
    assert_eq!(
        (logits, matched),
        (own.clone(), Some(ClassMatch::ByPosition { head: names(&["Bad", "good", "mixed"]) }))
    );

    let (logits, matched) = answer(&model, &["good", "fair", "bad", "new"], 1);
    let Some(ClassMatch::Partly { unknown, head, .. }) = matched else { panic!("{matched:?}") };
    assert_eq!((unknown, head), (names(&["fair", "new"]), names(&["Bad", "good", "mixed"])));
    assert_eq!((logits[0], logits[2]), (good, bad));
    assert!(own.iter().all(|old| *old != logits[1] && *old != logits[3]), "initialised");
    let (again, _) = answer(&model, &["good", "fair", "bad", "new"], 2);
    assert_eq!((again[0], again[2]), (good, bad));
    assert!(again[1] != logits[1] && again[3] != logits[3], "by the seed");
}

#[test]
fn folders_that_are_no_models_say_where_the_models_are() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let refused = |name: &str| {
        let error = open(&path(name)).expect_err("refused");
        assert!(matches!(error, InferError::NotAModel { .. }), "{error}");
        error.to_string()
    };
    encoder(&path("out/models/full"));
    encoder(&path("out/models/last_layer"));
    fs::write(path("out/results.json"), "{}").expect("written");
    let error = refused("out");
    for expected in ["results of an experiment", "models/full", "models/last_layer"] {
        assert!(error.contains(expected), "{error}");
    }
    assert!(refused("out/models").contains("no config.json here; the models below it are"));
    fs::create_dir(path("out/models/full/onnx")).expect("a folder");
    assert!(refused("out/models/full/onnx").contains("the model is the folder above"));

    fs::create_dir(path("plain")).expect("a folder");
    fs::write(path("plain/results.json"), "{}").expect("written");
    assert!(refused("plain").contains("--save-models"));
}

#[test]
fn a_classifier_of_another_family_predicts_its_classes() {
    for (family, label) in [("bert", "LABEL_"), ("roberta", "LABEL_"), ("electra", "LABEL_")] {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(family);
        encoder(&path);
        for name in ["config.json", "model.safetensors"] {
            let from = Path::new(FIXTURES).join("encoders").join(family).join("base").join(name);
            fs::copy(from, path.join(name)).expect("a fixture");
        }
        let classifier = Predictor::new(&open(&path).expect("a model"), &Device::flex()).expect("a head");
        let predictions = classifier.classify(&["good"], 8, 1).expect("predictions");
        assert!(predictions[0].label.starts_with(label), "{predictions:?}");
    }
}

#[test]
fn git_lfs_pointers_are_named_as_such() {
    for name in ["config.json", "model.safetensors", "tokenizer.json"] {
        let folder = tempfile::tempdir().expect("a folder");
        encoder(folder.path());
        let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 466062\n";
        fs::write(folder.path().join(name), pointer).expect("written");
        let error = open(folder.path()).expect_err("refused").to_string();
        assert!(error.contains(name) && error.contains("git lfs pull"), "{error}");
    }
}

#[test]
fn nulls_and_numbers_in_a_configuration() {
    let folder = tempfile::tempdir().expect("a folder");
    encoder(folder.path());
    let path = folder.path().join("config.json");
    let mut config: Value = serde_json::from_slice(&fs::read(&path).expect("read")).expect("JSON");
    let mut labels = |id2label: Value| {
        config["id2label"] = id2label;
        config["pad_token_id"] = Value::Null;
        fs::write(&path, config.to_string()).expect("written");
        open(folder.path()).map(|model| model.config.labels()).map_err(|error| error.to_string())
    };
    assert_eq!(labels(Value::Null).expect("labels"), ["LABEL_0", "LABEL_1"]);
    assert_eq!(labels(json!({"0": 1, "1": 2.5, "2": true})).expect("labels"), ["1", "2.5", "True"]);
    let error = labels(json!({"0": null, "1": "a"})).expect_err("refused");
    assert!(error.contains("config.json: field `id2label`") && error.contains("`0` is null"), "{error}");
}
