//! The names of DistilBERT's tensors in files.

use rekindle_checkpoint::{Layout, NameMap};

/// The table that turns token ids into vectors, which is also the weight of the masked-language head.
pub(crate) const WORD_EMBEDDINGS: &str = "distilbert.embeddings.word_embeddings.weight";

/// An encoder that was saved alone lacks the prefix `distilbert.`.
const NAMES: NameMap = NameMap {
    markers: &[],
    prefix: "",
    rules: &[("embeddings.**", "distilbert.embeddings.**"), ("transformer.**", "distilbert.transformer.**")],
};

/// The classifier's files.
pub const LAYOUT: Layout =
    Layout { encoder: "distilbert.", pooler: None, example: WORD_EMBEDDINGS, names: &[NAMES], ignored: &[], tied: &[] };

/// The files of the masked-language model. They may contain the projector's weight, which is the word table.
pub const MASKED_LM_LAYOUT: Layout = Layout { tied: &[("vocab_projector.weight", WORD_EMBEDDINGS)], ..LAYOUT };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_an_encoder_without_prefix_get_one() {
        let name = "transformer.layer.0.ffn.lin1.bias";
        assert_eq!(NAMES.parameter(name), format!("distilbert.{name}"));
        for name in ["classifier.bias", WORD_EMBEDDINGS] {
            assert_eq!(NAMES.parameter(name), name);
        }
    }
}
