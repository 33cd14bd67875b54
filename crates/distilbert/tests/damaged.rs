//! Damaged config.json, safetensors and shard indices cause no panic, no hang and no large allocation, and errors name the file
//! and the place in it.

#[path = "../../data/tests/mutate/mod.rs"]
mod mutate;

use std::fs;
use std::path::Path;

use burn::tensor::Device;
use mutate::{Mutator, Outcome, overwrite, survive, tried};
use rekindle_distilbert::{
    Checkpoint, CheckpointError, DistilBertConfig, DistilBertForMaskedLM, DistilBertForSequenceClassification,
    Precision,
};
use serde_json::Value;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/distilbert");

/// What an error says about the place: a field, a line of JSON or a tensor, or that it concerns the whole file.
const PLACES: [&str; 8] = [
    "field `",
    "not valid JSON: ",
    "tensor `",
    "tensors `",
    "not a whole safetensors file: ",
    "none of the tensors",
    "tensors of the encoder are missing",
    "shard `",
];

fn fixture(name: &str) -> Vec<u8> {
    fs::read(Path::new(FIXTURES).join(name)).expect("a fixture")
}

fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).expect("JSON")
}

/// Loads the classifier and the masked-language model of a folder.
fn load(folder: &Path) -> Result<DistilBertConfig, CheckpointError> {
    let config = DistilBertConfig::from_folder(folder)?;
    let checkpoint = Checkpoint::open(folder)?;
    DistilBertForSequenceClassification::from_checkpoint(&config, &checkpoint, 0, &Device::flex())?;
    DistilBertForMaskedLM::from_checkpoint(&config, &checkpoint, 0, &Device::flex())?;
    Ok(config)
}

/// Loads folders in which one file is damaged.
fn damaged(name: &str, cases: u64, files: &[(&str, &[u8])], damage: impl Fn(u64, &mut Mutator) -> Vec<u8>) -> Outcome {
    let folder = tempfile::tempdir().expect("a folder");
    for (other, content) in files {
        fs::write(folder.path().join(other), content).expect("written");
    }
    let path = folder.path().join(name);
    let cases = tried(cases);
    let outcome = survive(name, cases, &[&[".json", ".safetensors"], &PLACES], |case| {
        overwrite(&path, damage(case, &mut Mutator::new(case)));
        load(folder.path()).map(drop).map_err(|error| error.to_string())
    });
    assert!(outcome.read > cases / 100 && outcome.refused > cases / 20, "damage of both kinds: {outcome:?}");
    outcome
}

/// config.json and model.safetensors.
type Files = (Vec<u8>, Vec<u8>);

/// A checkpoint of a few kilobytes: one layer, eight words.
fn tiny() -> Files {
    let config = DistilBertConfig {
        vocab_size: 8,
        max_position_embeddings: 4,
        n_layers: 1,
        n_heads: 2,
        dim: 4,
        hidden_dim: 8,
        ..DistilBertConfig::default()
    };
    let (model, _) =
        DistilBertForSequenceClassification::from_checkpoint(&config, &Checkpoint::empty(), 1, &Device::flex())
            .expect("a model");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("model.safetensors");
    model.save_safetensors(&path, Precision::F32).expect("saved");
    (config.to_json().into_bytes(), fs::read(path).expect("saved"))
}

#[test]
fn config_json() {
    let (config, weights) = tiny();
    let configs = [config, fixture("base/config.json"), fixture("labels4/config.json")];
    let values = configs.each_ref().map(|config| json(config));
    damaged("config.json", 10_000, &[("model.safetensors", &weights)], |case, mutator| {
        let which = if case % 3 > 0 { 0 } else { 1 + mutator.below(2) };
        match mutator.below(3) {
            0 => mutator.damage(&configs[which]),
            _ => mutator.damage_json(&values[which]),
        }
    });
}

#[test]
fn safetensors() {
    let (config, weights) = tiny();
    damaged("model.safetensors", 8_000, &[("config.json", &config)], |_, mutator| mutator.damage_safetensors(&weights));
}

#[test]
fn shard_index() {
    let names = ["config.json", "model-00001-of-00003.safetensors", "model-00002-of-00003.safetensors"];
    let last = "model-00003-of-00003.safetensors";
    let files = [names[0], names[1], names[2], last].map(|name| (name, fixture(&format!("sharded/{name}"))));
    let files = files.each_ref().map(|(name, content)| (*name, content.as_slice()));
    let index = fixture("sharded/model.safetensors.index.json");
    let value = json(&index);
    damaged("model.safetensors.index.json", 4_000, &files, |_, mutator| match mutator.below(3) {
        0 => mutator.damage(&index),
        _ => mutator.damage_json(&value),
    });
}

/// Configurations and headers that describe impossible sizes, and what their errors contain.
#[test]
fn impossible_sizes_are_rejected() {
    let (config, weights) = tiny();
    let (length, rest) = weights.split_first_chunk().expect("a length");
    let (header, body) = rest.split_at(u64::from_le_bytes(*length) as usize);
    let header = String::from_utf8(header.to_vec()).expect("JSON");
    let with = |field: &str, value: u64| {
        let mut config = json(&config);
        config[field] = value.into();
        (config.to_string().into_bytes(), weights.clone())
    };
    let safetensors =
        |header: &str| (config.clone(), [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), body].concat());
    let huge = |words: u64, end: u64| {
        let tensor = |name: &str, shape: u64, start: u64, end: u64| {
            format!("\"{name}\":{{\"dtype\":\"U8\",\"shape\":[{shape}],\"data_offsets\":[{start},{end}]}}")
        };
        safetensors(&format!("{{{},{}}}", tensor("a", words, 0, words), tensor("b", end - words, words, end)))
    };
    let mut no_labels = json(&config);
    no_labels["num_labels"] = 1_000_000_000.into();
    no_labels.as_object_mut().expect("fields").remove("id2label");
    let cases: [(&str, Files, &[&str]); 11] = [
        ("layers", with("n_layers", 1_000_000_000), &["config.json", "field `n_layers`: 1000000000"]),
        ("words", with("vocab_size", 1_000_000_000_000), &["config.json", "field `vocab_size`: 1000000000000"]),
        ("positions", with("max_position_embeddings", 4_000_000_000), &["field `max_position_embeddings`: "]),
        ("width", with("dim", 1 << 20), &["field `n_layers`: ", "parameters"]),
        ("hidden", with("hidden_dim", 1 << 60), &["field `hidden_dim`: "]),
        ("classes", (no_labels.to_string().into(), weights.clone()), &["field `num_labels`: 1000000000 classes"]),
        (
            "a header of 2^60 bytes",
            (config.clone(), [&(1u64 << 60).to_le_bytes()[..], rest].concat()),
            &["safetensors"],
        ),
        ("a tensor of 2^60 bytes", huge(1, 1 << 60), &["model.safetensors", "is it cut off?"]),
        ("tensors of 2^64 bytes", huge(1 << 63, u64::MAX), &["model.safetensors", "not a whole safetensors file"]),
        ("no bytes at all", (config.clone(), Vec::new()), &["safetensors"]),
        ("another shape", safetensors(&header.replace("[8,4]", "[4,8]")), &["word_embeddings", "[4, 8]", "[8, 4]"]),
    ];
    let folder = tempfile::tempdir().expect("a folder");
    for (name, (config, weights), expected) in cases {
        fs::write(folder.path().join("config.json"), config).expect("written");
        fs::write(folder.path().join("model.safetensors"), weights).expect("written");
        let places: Vec<&[&str]> = expected.chunks(1).collect();
        let outcome = survive(name, 1, &places, |_| load(folder.path()).map(drop).map_err(|error| error.to_string()));
        assert!(outcome.refused == 1 && outcome.memory < 1 << 20, "{name}: {outcome:?}");
    }
}

#[test]
fn damage_that_was_once_accepted() {
    let folder = tempfile::tempdir().expect("a folder");
    let refusal = |files: &[(&str, Vec<u8>)]| {
        for (name, content) in files {
            fs::write(folder.path().join(name), content).expect("written");
        }
        load(folder.path()).expect_err("refused").to_string()
    };
    let (config, weights) = tiny();
    for deviation in [1e300, 1e-300] {
        let mut config = json(&config);
        config["initializer_range"] = deviation.into();
        let files = [("config.json", config.to_string().into_bytes()), ("model.safetensors", weights.clone())];
        assert!(refusal(&files).contains("field `initializer_range`"), "{deviation}");
    }
    // A missing shard.
    fs::remove_file(folder.path().join("model.safetensors")).expect("removed");
    let index = fixture("sharded/model.safetensors.index.json");
    let error = refusal(&[("config.json", fixture("sharded/config.json")), ("model.safetensors.index.json", index)]);
    assert!(error.contains("index.json: shard `model-00001-of-00003.safetensors` is not"), "{error}");
}
