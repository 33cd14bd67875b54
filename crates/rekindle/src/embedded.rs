//! The model that is compiled into the program.

use rekindle_experiment::EmbeddedModel;

/// A small DistilBERT with seeded random weights and a WordPiece vocabulary of its own, which stands in where
/// distilbert-base-uncased is out of reach. Made by `cargo xtask embedded`.
pub const EMBEDDED: EmbeddedModel = EmbeddedModel {
    id: "rekindle-embedded-random",
    config: include_bytes!("../embedded/config.json"),
    weights: include_bytes!("../embedded/model.safetensors"),
    tokenizer: include_bytes!("../embedded/tokenizer.json"),
};
