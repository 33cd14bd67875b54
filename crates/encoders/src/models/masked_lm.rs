//! Masked language models of all families.

use std::path::Path;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use rekindle_checkpoint::{Checkpoint, CheckpointError, Layout, LoadReport, Precision, save};
use rekindle_distilbert::DistilBertForMaskedLM;
use rekindle_nn::{Mode, ParamInfo, ParamRoles, SequenceBatch};

use super::{info, initial};
use crate::albert::AlbertForMaskedLM;
use crate::bert::BertForMaskedLM;
use crate::config::EncoderConfig;
use crate::deberta_v2::DebertaV2ForMaskedLM;
use crate::electra::ElectraForMaskedLM;
use crate::family::Family;
use crate::heads::MaskedLm;
use crate::modernbert::ModernBertForMaskedLM;
use crate::mpnet::MpnetForMaskedLM;
use crate::roberta::RobertaForMaskedLM;

/// An encoder with the masked-language head of its family: transformers' `AutoModelForMaskedLM`.
#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant, reason = "Burn implements no Module for a Box, and a program has few models")]
pub enum MaskedLanguageModel {
    /// DistilBERT.
    DistilBert(DistilBertForMaskedLM),
    /// BERT.
    Bert(BertForMaskedLM),
    /// RoBERTa, XLM-RoBERTa or CamemBERT.
    Roberta(RobertaForMaskedLM),
    /// ELECTRA.
    Electra(ElectraForMaskedLM),
    /// MPNet.
    Mpnet(MpnetForMaskedLM),
    /// ALBERT.
    Albert(AlbertForMaskedLM),
    /// DeBERTa-v2 or v3.
    DebertaV2(DebertaV2ForMaskedLM),
    /// ModernBERT.
    ModernBert(ModernBertForMaskedLM),
}

impl MaskedLanguageModel {
    /// Loads the model of `config` from a checkpoint, as [`SequenceClassifier::from_checkpoint`](crate::SequenceClassifier::from_checkpoint) does.
    ///
    /// The projection to words is the word table, unless the configuration says otherwise. A checkpoint may contain it twice.
    ///
    /// # Errors
    /// As for the classifier, and when the checkpoint's projection differs from the word table.
    pub fn from_checkpoint(
        config: &EncoderConfig,
        checkpoint: &Checkpoint,
        seed: u64,
        device: &Device,
    ) -> Result<(Self, LoadReport), CheckpointError> {
        let model = new!(Self, MaskedLm, config, device);
        let layout = config.family.spec().masked_lm;
        let layout = Layout { tied: if config.tie_word_embeddings { layout.tied } else { &[] }, ..layout };
        checkpoint.load(model, &layout, &|spec| initial(config, spec, seed), device)
    }

    /// Writes all tensors to `path` under transformers' names; the word table once.
    ///
    /// # Errors
    /// When the file cannot be written; an existing one is then unchanged.
    pub fn save_safetensors(&self, path: &Path, precision: Precision) -> Result<(), CheckpointError> {
        save(self, path, precision)
    }

    /// The logits of every word at the tokens that [`SequenceBatch::selecting`] selected, or at all tokens.
    ///
    /// The head and most of the last layer compute these tokens only. The word table has two uses, whose gradients add up.
    ///
    /// # Shapes
    /// - output: `[selected, vocab_size]`
    pub fn forward(&self, batch: &SequenceBatch, mode: Mode) -> Tensor<2> {
        each!(Self, self, model => MaskedLm::forward(model, batch, mode))
    }
}

impl ParamRoles for MaskedLanguageModel {
    fn param_info(&self, name: &str) -> ParamInfo {
        each!(Self, self, model => info(model.encoder(), name, &[]))
    }
}
