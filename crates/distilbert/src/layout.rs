//! The names of DistilBERT's tensors in files.

use rekindle_checkpoint::{Checkpoint, Layout, NameMap};

use crate::bert;

/// The table that turns token ids into vectors, which is also the weight of the masked-language head.
pub(crate) const WORD_EMBEDDINGS: &str = "distilbert.embeddings.word_embeddings.weight";

/// An encoder that was saved alone lacks the prefix `distilbert.`.
const NAMES: NameMap = NameMap {
    markers: &[],
    prefix: "",
    rules: &[("embeddings.**", "distilbert.embeddings.**"), ("transformer.**", "distilbert.transformer.**")],
};

/// The classifier's files, those of a BERT among them.
pub(crate) const LAYOUT: Layout = Layout {
    encoder: "distilbert.",
    example: WORD_EMBEDDINGS,
    names: &[bert::NAMES, NAMES],
    added_rows: &[bert::TOKEN_TYPES],
    tied: &[],
};

/// The files of the masked-language model. They may contain the projector's weight, which is the word table.
pub(crate) const MASKED_LM_LAYOUT: Layout = Layout { tied: &[("vocab_projector.weight", WORD_EMBEDDINGS)], ..LAYOUT };

/// The tensors behind an encoder begin with one of these: those of a classifier, of a masked-language model and of question
/// answering.
const HEADS: [&str; 5] = ["pre_classifier.", "classifier.", "vocab_", "cls.", "qa_outputs."];

/// Returns whether a checkpoint has an encoder and no head of any kind, as sentence-transformers saves the encoder of an
/// embedding model.
pub fn is_bare_encoder(checkpoint: &Checkpoint) -> bool {
    !checkpoint.is_empty() && !checkpoint.names().any(|name| HEADS.iter().any(|head| name.starts_with(head)))
}

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
