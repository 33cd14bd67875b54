//! The tokenizer classes of transformers: what they build, and their default special tokens.

use tokenizers::ModelWrapper;

use crate::role::Role;

/// A class of transformers 5 that builds its parts from a vocabulary and the fields of `tokenizer_config.json`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// BERT, DistilBERT, ELECTRA.
    Bert,
    MpNet,
    Roberta,
    Gpt2,
    XlmRoberta,
    Camembert,
    Albert,
    DebertaV2,
    /// Every class that follows `tokenizer.json`.
    Plain,
}

/// The class of a name, without the suffix `Fast`.
const NAMES: [(&str, Class); 16] = [
    ("BertTokenizer", Class::Bert),
    ("DistilBertTokenizer", Class::Bert),
    ("ElectraTokenizer", Class::Bert),
    ("ConvBertTokenizer", Class::Bert),
    ("MobileBertTokenizer", Class::Bert),
    ("MPNetTokenizer", Class::MpNet),
    ("RobertaTokenizer", Class::Roberta),
    ("LongformerTokenizer", Class::Roberta),
    ("BartTokenizer", Class::Roberta),
    ("GPT2Tokenizer", Class::Gpt2),
    ("XLMRobertaTokenizer", Class::XlmRoberta),
    ("CamembertTokenizer", Class::Camembert),
    ("AlbertTokenizer", Class::Albert),
    ("DebertaV2Tokenizer", Class::DebertaV2),
    ("PreTrainedTokenizer", Class::Plain),
    ("TokenizersBackend", Class::Plain),
];
/// The class of a `model_type`, where no file names one.
const MODELS: [(&str, Class); 11] = [
    ("bert", Class::Bert),
    ("distilbert", Class::Bert),
    ("electra", Class::Bert),
    ("mpnet", Class::MpNet),
    ("roberta", Class::Roberta),
    ("gpt2", Class::Gpt2),
    ("xlm-roberta", Class::XlmRoberta),
    ("camembert", Class::Camembert),
    ("albert", Class::Albert),
    ("deberta-v2", Class::DebertaV2),
    ("modernbert", Class::Plain),
];

impl Class {
    /// Returns the class that `AutoTokenizer` chooses. An unknown name follows `tokenizer.json`.
    pub(crate) fn choose(name: Option<&str>, model_type: Option<&str>) -> Option<Self> {
        let of_model = model_type.and_then(Self::of_model);
        // transformers ignores the class that files of ModernBERT name.
        match name {
            Some(name) if of_model != Some(Self::Plain) => Some(Self::named(name).unwrap_or(Self::Plain)),
            _ => of_model,
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        let name = name.strip_suffix("Fast").unwrap_or(name);
        NAMES.iter().find(|(known, _)| *known == name).map(|(_, class)| *class)
    }

    pub(crate) fn of_model(model_type: &str) -> Option<Self> {
        MODELS.iter().find(|(known, _)| *known == model_type).map(|(_, class)| *class)
    }

    /// Returns whether the class builds its own parts around a model, whatever `tokenizer.json` says. For BERT's model, only
    /// the fields that `tokenizer_config.json` has change them.
    pub(crate) fn rebuilds(self, model: &ModelWrapper) -> bool {
        match self {
            Self::Roberta | Self::Gpt2 => matches!(model, ModelWrapper::BPE(_)),
            Self::XlmRoberta | Self::Camembert | Self::Albert | Self::DebertaV2 => {
                matches!(model, ModelWrapper::Unigram(_))
            }
            Self::Bert | Self::MpNet | Self::Plain => false,
        }
    }

    /// Returns the special token that the class has if no file names one.
    pub(crate) fn default_token(self, role: Role) -> Option<&'static str> {
        let [bos, eos, unk, sep, pad, cls, mask] = match self {
            Self::Bert => ["", "", "[UNK]", "[SEP]", "[PAD]", "[CLS]", "[MASK]"],
            Self::MpNet => ["<s>", "</s>", "[UNK]", "</s>", "<pad>", "<s>", "<mask>"],
            Self::Roberta | Self::XlmRoberta | Self::Camembert => {
                ["<s>", "</s>", "<unk>", "</s>", "<pad>", "<s>", "<mask>"]
            }
            Self::Gpt2 => ["<|endoftext|>", "<|endoftext|>", "<|endoftext|>", "", "", "", ""],
            Self::Albert => ["[CLS]", "[SEP]", "<unk>", "[SEP]", "<pad>", "[CLS]", "[MASK]"],
            Self::DebertaV2 => ["[CLS]", "[SEP]", "[UNK]", "[SEP]", "[PAD]", "[CLS]", "[MASK]"],
            Self::Plain => [""; 7],
        };
        let token = match role {
            Role::Bos => bos,
            Role::Eos => eos,
            Role::Unk => unk,
            Role::Sep => sep,
            Role::Pad => pad,
            Role::Cls => cls,
            Role::Mask => mask,
        };
        (!token.is_empty()).then_some(token)
    }

    /// Returns whether the mask token includes the space before it if a file gives its text only.
    pub(crate) fn strips_before_mask(self) -> bool {
        matches!(self, Self::MpNet | Self::Camembert)
    }

    /// Returns whether transformers gives `token_type_ids` to the model.
    pub(crate) fn has_type_ids(self) -> bool {
        matches!(self, Self::Bert | Self::DebertaV2)
    }
}
