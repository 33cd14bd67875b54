//! Damaged config.json and safetensors of every family cause no panic, no hang and no large allocation, and errors name the file
//! and the place in it. Shards and impossible sizes are tested with DistilBERT.
#![allow(clippy::unwrap_used)]

#[path = "../../data/tests/mutate/mod.rs"]
mod mutate;

use std::fs;
use std::path::Path;

use burn::tensor::Device;
use mutate::{Mutator, overwrite, survive, tried};
use rekindle_encoders::{
    Checkpoint, CheckpointError, EncoderConfig, Family, MaskedLanguageModel, Precision, SequenceClassifier,
};
use serde_json::{Value, json};

/// What an error says about the place: a field, a line of JSON or a tensor, or that it concerns the whole file.
const PLACES: [&str; 7] = [
    "field `",
    "not valid JSON: ",
    "tensor `",
    "tensors `",
    "not a whole safetensors file: ",
    "none of the tensors",
    "tensors of the encoder are missing",
];

/// Loads the classifier and the masked-language model of a folder.
fn load(folder: &Path) -> Result<(), CheckpointError> {
    let config = EncoderConfig::from_folder(folder)?;
    let checkpoint = Checkpoint::open(folder)?;
    SequenceClassifier::from_checkpoint(&config, &checkpoint, 0, &Device::flex())?;
    MaskedLanguageModel::from_checkpoint(&config, &checkpoint, 0, &Device::flex())?;
    Ok(())
}

/// The smallest model of a family: one layer, eight words.
fn tiny(family: Family) -> (Value, Vec<u8>) {
    let config = json!({
        "model_type": family.model_type(), "vocab_size": 8, "hidden_size": 4, "embedding_size": 4, "intermediate_size": 8,
        "num_hidden_layers": 1, "num_attention_heads": 2, "max_position_embeddings": 8, "pad_token_id": 1,
    });
    let read = EncoderConfig::from_json(config.to_string().as_bytes(), Path::new("config.json")).unwrap();
    let (model, _) = SequenceClassifier::from_checkpoint(&read, &Checkpoint::empty(), 1, &Device::flex()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    model.save_safetensors(&path, Precision::F32).unwrap();
    (config, fs::read(path).unwrap())
}

/// Loads folders of every family in which one file is damaged.
fn damaged(name: &str, cases: u64, damage: impl Fn(Family, &Value, &[u8], &mut Mutator) -> Vec<u8>) {
    // DistilBERT has tests of its own.
    for family in Family::ALL.into_iter().filter(|&family| family != Family::DistilBert) {
        let (config, weights) = tiny(family);
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
        fs::write(folder.path().join("model.safetensors"), &weights).unwrap();
        load(folder.path()).unwrap();
        let cases = tried(cases);
        let outcome = survive(&format!("{family}, {name}"), cases, &[&[".json", ".safetensors"], &PLACES], |case| {
            let mut mutator = Mutator::new(case);
            overwrite(&folder.path().join(name), damage(family, &config, &weights, &mut mutator));
            load(folder.path()).map_err(|error| error.to_string())
        });
        assert!(outcome.read > cases / 100 && outcome.refused > cases / 20, "{family}, {name}: {outcome:?}");
    }
}

#[test]
fn config_json() {
    damaged("config.json", 600, |family, tiny, _, mutator| {
        let folder = Path::new("../../fixtures/encoders").join(family.model_type());
        let saved: Value = serde_json::from_slice(&fs::read(folder.join("base/config.json")).unwrap()).unwrap();
        let config = if mutator.below(3) > 0 { tiny } else { &saved };
        match mutator.below(3) {
            0 => mutator.damage(config.to_string().as_bytes()),
            _ => mutator.damage_json(config),
        }
    });
}

#[test]
fn safetensors() {
    damaged("model.safetensors", 300, |_, _, weights, mutator| mutator.damage_safetensors(weights));
}

#[test]
fn a_family_that_is_not_supported_is_an_error_that_lists_those_that_are() {
    let refusal = |config: Value| {
        let path = Path::new("model/config.json");
        EncoderConfig::from_json(config.to_string().as_bytes(), path).unwrap_err().to_string()
    };
    let plain = refusal(json!({ "model_type": "gpt2" }));
    let absent = refusal(json!({ "hidden_size": 8 }));
    let code = json!({ "AutoModel": "modeling_hf_nomic_bert.NomicBertModel" });
    let remote = refusal(json!({ "model_type": "nomic_bert", "auto_map": code }));
    for error in [&plain, &absent, &remote] {
        assert!(error.contains("model/config.json") && error.contains("model_type"), "{error}");
        for family in Family::ALL {
            assert!(error.contains(family.model_type()), "{family} in {error}");
        }
    }
    assert!(plain.contains("gpt2") && !plain.contains("auto_map"), "{plain}");
    assert!(remote.contains("`auto_map`") && remote.contains("never run"), "{remote}");
}
