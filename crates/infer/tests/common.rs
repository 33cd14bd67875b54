//! Models for tests.

use std::fs;
use std::path::Path;

use burn::tensor::Device;
use rekindle_checkpoint::{Checkpoint, Precision};
use rekindle_encoders::{EncoderConfig, Family, SequenceClassifier};
use rekindle_infer::{Predictor, PretrainedModel};
use rekindle_tokenizer::Tokenizer;
use serde_json::json;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures");

/// A classifier of a family with random weights and its own tokenizer.
pub fn random(family: Family, folder: &Path) -> Predictor {
    let tokenizers = Path::new(FIXTURES).join("tokenizer");
    let files = tokenizers.join("families").join(family.model_type());
    let files = if files.is_dir() { files } else { tokenizers };
    for name in ["tokenizer.json", "tokenizer_config.json"].into_iter().filter(|name| files.join(name).is_file()) {
        fs::copy(files.join(name), folder.join(name)).expect("a tokenizer");
    }
    let tokenizer = Tokenizer::from_folder(folder).expect("a tokenizer");
    let config = json!({
        "model_type": family.model_type(), "vocab_size": tokenizer.ids(), "pad_token_id": tokenizer.pad_id(),
        "hidden_size": 16, "embedding_size": 16, "intermediate_size": 16, "num_hidden_layers": 2,
        "num_attention_heads": 2, "dim": 16, "hidden_dim": 16, "n_layers": 2, "n_heads": 2,
        "max_position_embeddings": 40, "relative_attention": true, "pos_att_type": ["c2p", "p2c"],
        "local_attention": 8, "initializer_range": 0.3,
    });
    fs::write(folder.join("config.json"), config.to_string()).expect("written");
    let config = EncoderConfig::from_folder(folder).expect("a configuration");
    let device = Device::flex();
    let (model, _) = SequenceClassifier::from_checkpoint(&config, &Checkpoint::empty(), 1, &device).expect("a model");
    model.save_safetensors(&folder.join("model.safetensors"), Precision::F32).expect("saved");
    let pretrained = PretrainedModel::from_folder(folder).expect("a model");
    Predictor::new(&pretrained, &device).expect("a classifier")
}
