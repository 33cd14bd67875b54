//! The model that is compiled into the program.

use rekindle_infer::EmbeddedModel;

/// A small DistilBERT (4 layers of 192, 8,000 WordPiece entries, lower case), which stands in where
/// distilbert-base-uncased is out of reach. Pretrained on generated English opinions alone, by `cargo xtask embedded`;
/// docs/transfer.md says what it is worth.
pub const EMBEDDED: EmbeddedModel = EmbeddedModel {
    id: "rekindle-mini",
    config: include_bytes!("../embedded/config.json"),
    weights: include_bytes!("../embedded/model.safetensors"),
    tokenizer: include_bytes!("../embedded/tokenizer.json"),
    licence: "mit",
};
