//! Small random models of every family, with the tokenizers of `fixtures/tokenizer/families`.

use std::fs;
use std::path::Path;

use burn::tensor::Device;
use rekindle::encoders::{Checkpoint, EncoderConfig, Family, Precision, SequenceClassifier};
use rekindle::tokenizer::Tokenizer;
use serde_json::json;

use super::Place;

/// DistilBERT, the embedded model, is what all other tests use.
pub fn families() -> impl Iterator<Item = Family> {
    Family::ALL.into_iter().filter(|&family| family != Family::DistilBert)
}

/// Returns a folder with a model of two layers, its tokenizer, a file of texts and one with labels.
pub fn place(family: Family) -> Place {
    let place = Place::new();
    let files = Path::new("../../fixtures/tokenizer/families").join(family.model_type());
    for name in ["tokenizer.json", "tokenizer_config.json"] {
        place.write(&format!("model/{name}"), fs::read(files.join(name)).expect("a tokenizer"));
    }
    let tokenizer = Tokenizer::from_folder(&place.path("model")).expect("a tokenizer");
    let config = json!({
        "model_type": family.model_type(), "vocab_size": tokenizer.ids(), "pad_token_id": tokenizer.pad_id(),
        "hidden_size": 16, "embedding_size": 16, "intermediate_size": 16, "num_hidden_layers": 2,
        "num_attention_heads": 2, "max_position_embeddings": 40, "relative_attention": true, "pos_att_type": ["c2p", "p2c"],
        "local_attention": 8, "initializer_range": 0.3,
    });
    place.write("model/config.json", config.to_string());
    let config = EncoderConfig::from_folder(&place.path("model")).expect("a configuration");
    let (model, _) =
        SequenceClassifier::from_checkpoint(&config, &Checkpoint::empty(), 1, &Device::default()).expect("a model");
    model.save_safetensors(&place.path("model/model.safetensors"), Precision::F32).expect("saved");
    let texts = ["a joy to use", "very bad", "so good", "never again", "I like it", "I hate it", "great", "poor"];
    place.write("texts.txt", format!("{}\n", texts.join("\n")));
    let rows = texts.iter().enumerate().map(|(row, text)| format!("{text},{}\n", ["good", "bad"][row % 2]));
    place.write("data.csv", format!("text,label\n{}", rows.collect::<String>()));
    place
}
