//! Adapters of peft: read, merged and written.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use burn::tensor::Device;
use rekindle_checkpoint::with_values;
use rekindle_encoders::{LoraConfig, SequenceClassifier};
use rekindle_infer::{
    Adapter, BaseModel, InferError, LongTexts, ModelCard, Predictor, PretrainedModel, SavedModel, logits,
};
use serde_json::{Value, json};
use tempfile::TempDir;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures");

fn fixture(name: &str) -> PathBuf {
    Path::new(FIXTURES).join(name)
}

/// A model of the fixtures with a tokenizer.
fn base(folder: &Path, name: &str) -> PathBuf {
    let base = folder.join("base");
    fs::create_dir_all(&base).expect("a folder");
    for file in ["config.json", "model.safetensors"] {
        fs::copy(fixture(name).join(file), base.join(file)).expect("a fixture");
    }
    fs::copy(fixture("tokenizer/tokenizer.json"), base.join("tokenizer.json")).expect("a fixture");
    base
}

/// An adapter of the fixtures for a base model in `folder`, with other fields of its configuration.
fn adapter(folder: &Path, name: &str, base: &Path, changes: &[(&str, Value)]) -> PathBuf {
    let adapter = folder.join("adapter");
    fs::create_dir_all(&adapter).expect("a folder");
    fs::copy(fixture("peft").join(name).join("adapter_model.safetensors"), adapter.join("adapter_model.safetensors"))
        .expect("a fixture");
    let config = fs::read(fixture("peft").join(name).join("adapter_config.json")).expect("a fixture");
    let mut config: Value = serde_json::from_slice(&config).expect("JSON");
    config["base_model_name_or_path"] = base.to_str().into();
    for (field, value) in changes {
        config[*field] = value.clone();
    }
    fs::write(adapter.join("adapter_config.json"), config.to_string()).expect("written");
    adapter
}

#[test]
fn an_adapter_of_peft_has_the_logits_of_peft() {
    let golden: Value = serde_json::from_slice(&fs::read(fixture("peft/golden.json")).expect("read")).expect("JSON");
    for (name, expected) in golden.as_object().expect("cases") {
        let folder = TempDir::new().expect("a folder");
        let base = base(folder.path(), expected["base"].as_str().expect("a name"));
        let opened = PretrainedModel::from_folder(&adapter(folder.path(), name, &base, &[])).expect("an adapter");
        let ids: Vec<Vec<u32>> = serde_json::from_value(expected["ids"].clone()).expect("ids");
        let rows: Vec<Vec<f32>> = serde_json::from_value(expected["logits"].clone()).expect("logits");
        assert_eq!(opened.config.num_labels(), rows[0].len(), "{name}");
        let device = Device::flex();
        let (model, _) =
            SequenceClassifier::from_checkpoint(&opened.config, &opened.checkpoint, 0, &device).expect("a model");
        let done = &mut |_| std::ops::ControlFlow::Continue(());
        let ours = logits(&model.trainable(|_| false), &opened.config, &ids, 2, &device, done).expect("logits");
        for (ours, theirs) in ours.iter().zip(rows.iter().flatten()) {
            assert!((ours - theirs).abs() < 1e-4, "{name}: {ours} {theirs}");
        }
        assert_eq!(Predictor::new(&opened, &device).expect("a head").labels().len(), rows[0].len(), "{name}");
    }
}

#[test]
fn adapters_that_cannot_be_merged_are_named() {
    let message = |changes: &[(&str, Value)]| {
        let folder = TempDir::new().expect("a folder");
        let base = base(folder.path(), "distilbert/base");
        let adapter = adapter(folder.path(), "distilbert", &base, changes);
        PretrainedModel::from_folder(&adapter).expect_err("refused").to_string()
    };
    for (field, value, expected) in [
        ("peft_type", json!("IA3"), "`peft_type` is `IA3`"),
        ("use_dora", json!(true), "`use_dora` is not supported"),
        ("fan_in_fan_out", json!(true), "`fan_in_fan_out` is not supported"),
        ("init_lora_weights", json!("pissa_niter_4"), "changed the base model"),
        ("alpha_pattern", json!({"layer.[01]": 4}), "not a regular expression"),
        ("r", json!(3), "rank 2, but adapter_config.json says 3"),
        ("base_model_name_or_path", Value::Null, "no `base_model_name_or_path`"),
    ] {
        let message = message(&[(field, value)]);
        assert!(message.contains(expected), "{field}: {message}");
        assert!(message.contains("adapter"), "{message}");
    }
    let unknown = message(&[("base_model_name_or_path", json!("org/base"))]);
    assert!(unknown.contains("whose base model `org/base` is not the folder"), "{unknown}");

    let folder = TempDir::new().expect("a folder");
    let base = base(folder.path(), "distilbert/base");
    let adapter = adapter(folder.path(), "bert", &base, &[]);
    let error = PretrainedModel::from_folder(&adapter).expect_err("another family").to_string();
    assert!(error.contains("the base model has no"), "{error}");
    let weights = adapter.join("adapter_model.safetensors");
    fs::rename(&weights, adapter.join("adapter_model.bin")).expect("renamed");
    let error = PretrainedModel::from_folder(&adapter).expect_err("pickled").to_string();
    assert!(error.contains("pickle") && error.contains("safe_serialization"), "{error}");
    let error = PretrainedModel::from_folder(&folder.path().join("none")).expect_err("no folder");
    assert!(matches!(error, InferError::Folder { .. }), "{error}");
}

/// A model with trained adapters and head: what it saves, and its logits.
fn trained(folder: &Path, name: &str) -> (PathBuf, Vec<f32>) {
    let pretrained = PretrainedModel::from_folder(&base(folder, name)).expect("a model");
    let device = Device::flex();
    let classes = ["a", "b", "c"].map(String::from);
    let (config, model, _) = pretrained.load(&classes, 7, &device).expect("loaded");
    let lora = LoraConfig { r: 2, ..LoraConfig::default() };
    let model = model.with_lora(&lora, 3).expect("adapters");
    let changed = |name: &str, size: usize| {
        let value = |index: usize| ((index * 7 + name.len()) % 11) as f32 / 20.0 - 0.25;
        Ok::<_, ()>(name.ends_with(".lora.b").then(|| (0..size).map(value).collect()))
    };
    let model = with_values(&model, changed).expect("values");
    let card = ModelCard {
        title: "adapter".into(),
        library_name: "peft",
        pipeline_tag: "text-classification",
        base: Some(BaseModel::from(&pretrained)),
        sections: Vec::new(),
    };
    let long_texts = LongTexts::Truncate;
    let saved = SavedModel { tokenizer: &pretrained.tokenizer, max_length: 12, long_texts, card: &card.to_string() };
    let saved_in = folder.join("saved");
    let adapter = Adapter::of(&model, &lora).expect("an adapter");
    saved.save_adapter(&saved_in, &config, &adapter, &pretrained.id).expect("saved");
    let predictor = Predictor::from_model(config, model, pretrained.tokenizer.clone(), 12, &device);
    let predictions = predictor.predict(TEXTS).expect("predictions");
    (saved_in, predictions.into_iter().flat_map(|prediction| prediction.logits).collect())
}

const TEXTS: &[&str] = &["good film", "a bad one"];

#[test]
fn a_saved_adapter_opens_with_the_same_logits() {
    for name in ["distilbert/base", "encoders/bert/base", "encoders/roberta/base", "encoders/modernbert/base"] {
        let folder = TempDir::new().expect("a folder");
        let (saved, expected) = trained(folder.path(), name);
        let predictor = Predictor::from_folder(&saved, &Device::flex()).expect("a model");
        assert_eq!((predictor.labels(), predictor.max_length()), (&["a", "b", "c"].map(String::from)[..], 12));
        let predictions = predictor.predict(TEXTS).expect("predictions");
        let ours = predictions.iter().flat_map(|prediction| &prediction.logits);
        assert!(ours.zip(&expected).all(|(ours, expected)| (ours - expected).abs() < 1e-4), "{name}");
    }
}

/// Skipped without peft: `PYTHON` names an interpreter that has it, or else `python3` is asked.
#[test]
fn peft_opens_a_saved_adapter() {
    let python = std::env::var_os("PYTHON").unwrap_or_else(|| "python3".into());
    let has_peft = Command::new(&python).args(["-c", "import torch, peft"]).output();
    if !has_peft.is_ok_and(|output| output.status.success()) {
        println!("SKIPPED: {} has no peft", python.display());
        return;
    }
    for name in ["distilbert/base", "encoders/bert/base", "encoders/roberta/base", "encoders/modernbert/base"] {
        let folder = TempDir::new().expect("a folder");
        let (saved, expected) = trained(folder.path(), name);
        let arguments = json!({ "adapter": saved, "texts": TEXTS, "logits": expected });
        let checked = Command::new(&python).arg(fixture("peft/check.py")).arg(arguments.to_string()).output();
        let checked = checked.expect("it ran");
        let said = [checked.stdout, checked.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        assert!(checked.status.success(), "{name}: {} {}", said[0], said[1]);
    }
}
