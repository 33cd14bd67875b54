//! The permissions of saved models.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::PermissionsExt;

use burn::tensor::Device;
use rekindle_distilbert::{Checkpoint, DistilBertConfig, DistilBertForSequenceClassification, Precision};

#[test]
fn a_saved_model_has_the_usual_permissions() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = DistilBertConfig { vocab_size: 8, n_layers: 1, n_heads: 2, dim: 4, ..DistilBertConfig::default() };
    let (model, _) =
        DistilBertForSequenceClassification::from_checkpoint(&config, &Checkpoint::empty(), 0, &Device::flex())
            .expect("a model");
    let [saved, other] = ["model.safetensors", "other"].map(|name| folder.path().join(name));
    model.save_safetensors(&saved, Precision::F32).expect("saved");
    fs::write(&other, "").expect("written");
    let mode = |path| fs::metadata(path).expect("a file").permissions().mode();
    assert_eq!(mode(&saved), mode(&other));
}
