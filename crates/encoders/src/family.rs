//! The model families, and what their files say of themselves.

use std::fmt;

use rekindle_checkpoint::{CheckpointError, ConfigFile, Layout};

use crate::{albert, bert, deberta_v2, distilbert, electra, modernbert, mpnet, roberta};

/// A model family: a `model_type` of transformers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Family {
    /// DistilBERT (Sanh et al., 2019).
    DistilBert,
    /// BERT (Devlin et al., 2018), and the many models of its architecture: MiniLM, BGE, E5, FinBERT.
    Bert,
    /// RoBERTa (Liu et al., 2019), and models of its architecture: DistilRoBERTa, BERTweet.
    Roberta,
    /// XLM-RoBERTa (Conneau et al., 2019), for a hundred languages: multilingual E5.
    XlmRoberta,
    /// CamemBERT (Martin et al., 2019), for French.
    Camembert,
    /// ELECTRA (Clark et al., 2020).
    Electra,
    /// MPNet (Song et al., 2020), the base of all-mpnet-base-v2.
    Mpnet,
    /// ALBERT (Lan et al., 2019).
    Albert,
    /// DeBERTa-v2 and v3 (He et al., 2020 and 2021).
    DebertaV2,
    /// ModernBERT (Warner et al., 2024), and Ettin.
    ModernBert,
}

/// What the files of a family look like. Each family's module has one.
pub(crate) struct FamilySpec {
    /// `model_type` in config.json.
    pub(crate) model_type: &'static str,
    /// The prefix of transformers' class names.
    pub(crate) class: &'static str,
    /// The fields of config.json and their defaults, of transformers' configuration class, as JSON.
    pub(crate) defaults: &'static str,
    /// Pairs of a field of [`EncoderConfig`] and the family's name of it, where these differ.
    pub(crate) renamed: &'static [(&'static str, &'static str)],
    /// Fields that may have one value only, as JSON.
    pub(crate) required: &'static [(&'static str, &'static str)],
    /// Checks the fields that the family alone has.
    pub(crate) check: fn(&ConfigFile) -> Result<(), CheckpointError>,
    /// Matrices between the encoder and the output layer, without which a file has no head of this family.
    pub(crate) head: &'static [&'static str],
    /// The output layer of the classifier, which has a row per class.
    pub(crate) output: &'static str,
    /// The files of the classifier.
    pub(crate) classifier: Layout,
    /// The files of the masked language model.
    pub(crate) masked_lm: Layout,
    /// The kind of tokenizer that the family's models usually have.
    pub(crate) tokenizer: &'static str,
    /// Whether the family's models usually distinguish the texts of a pair by segments.
    pub(crate) segments: bool,
    /// The default targets of adapters.
    pub(crate) targets: &'static [&'static str],
    /// Models of the hub, for example.
    pub(crate) examples: &'static [&'static str],
}

impl Family {
    /// All families, in the order of their appearance.
    pub const ALL: [Self; 10] = [
        Self::DistilBert,
        Self::Bert,
        Self::Roberta,
        Self::XlmRoberta,
        Self::Camembert,
        Self::Electra,
        Self::Mpnet,
        Self::Albert,
        Self::DebertaV2,
        Self::ModernBert,
    ];

    pub(crate) fn spec(self) -> &'static FamilySpec {
        match self {
            Self::DistilBert => &distilbert::SPEC,
            Self::Bert => &bert::SPEC,
            Self::Roberta => &roberta::ROBERTA,
            Self::XlmRoberta => &roberta::XLM_ROBERTA,
            Self::Camembert => &roberta::CAMEMBERT,
            Self::Electra => &electra::SPEC,
            Self::Mpnet => &mpnet::SPEC,
            Self::Albert => &albert::SPEC,
            Self::DebertaV2 => &deberta_v2::SPEC,
            Self::ModernBert => &modernbert::SPEC,
        }
    }

    /// Returns the family of a `model_type`.
    pub fn of(model_type: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|family| family.model_type() == model_type)
    }

    /// Returns the `model_type` in config.json.
    pub fn model_type(self) -> &'static str {
        self.spec().model_type
    }

    /// Returns models of the hub of this family, for example.
    pub fn examples(self) -> &'static [&'static str] {
        self.spec().examples
    }

    /// Returns the kind of tokenizer that models of this family usually have. Any kind works.
    pub fn tokenizer(self) -> &'static str {
        self.spec().tokenizer
    }

    /// Returns whether models of this family usually distinguish the texts of a pair by segments.
    pub fn has_segments(self) -> bool {
        self.spec().segments
    }

    /// Returns whether transformers' classifier of this family follows `classifier_pooling`. All others read the first token.
    pub fn has_pooling(self) -> bool {
        self == Self::ModernBert
    }

    /// Returns the linear layers that get adapters by default, the
    /// [`target_modules`](rekindle_nn::LoraConfig::target_modules) of LoRA.
    pub fn lora_targets(self) -> &'static [&'static str] {
        self.spec().targets
    }

    /// Returns all values of `model_type`, for messages.
    pub(crate) fn known() -> String {
        Self::ALL.map(Self::model_type).join(", ")
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.model_type())
    }
}

/// Returns whether a parameter, by its name in a checkpoint, is the table of word embeddings of a model of any family.
pub fn is_word_table(name: &str) -> bool {
    ["embeddings.word_embeddings.weight", "embeddings.tok_embeddings.weight"].iter().any(|table| name.ends_with(table))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use burn::tensor::Device;
    use rekindle_nn::TransformerEncoder;

    use super::*;
    use crate::{Encoder, EncoderConfig};

    #[test]
    fn the_defaults_of_a_family_are_a_model_with_its_targets() {
        for family in Family::ALL {
            assert_eq!(Family::of(family.model_type()), Some(family));
            let json = format!(r#"{{ "model_type": "{family}" }}"#);
            let config = EncoderConfig::from_json(json.as_bytes(), Path::new("config.json")).expect("defaults");
            let mut encoder = Encoder::new(&config, &Device::default());
            assert_eq!(encoder.lora_targets(), family.lora_targets(), "{family}");
            let is_layer = |name: &str, target: &str| name.ends_with(&format!(".{target}"));
            let names: Vec<String> = encoder.linear_layers().into_iter().map(|layer| layer.name).collect();
            for target in family.lora_targets() {
                assert!(names.iter().any(|name| is_layer(name, target)), "{family}, {target}: {names:?}");
            }
        }
    }
}
