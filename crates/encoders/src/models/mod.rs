//! The models of all families, as enums: the set of families is closed, so that training needs no generic parameter and no
//! virtual call.

use std::path::Path;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use rekindle_checkpoint::{
    Checkpoint, CheckpointError, ClassMatch, LoadReport, ParamSpec, Parameter, Precision, parameters, reinitialize,
    trainable,
};
use rekindle_distilbert::{DistilBertForSequenceClassification, DistilBertModel};
use rekindle_nn::{
    LoraConfig, Mode, NamedLinear, NnError, ParamInfo, ParamRole, ParamRoles, Pooling, SequenceBatch, TokenSelection,
    TransformerEncoder, merge_adapters,
};

use crate::albert::{AlbertForSequenceClassification, AlbertModel};
use crate::bert::{BertForSequenceClassification, BertModel};
use crate::config::EncoderConfig;
use crate::deberta_v2::{DebertaV2ForSequenceClassification, DebertaV2Model};
use crate::electra::{ElectraForSequenceClassification, ElectraModel};
use crate::family::Family;
use crate::heads::{Classifier, MaskedLm};
use crate::initialize::initialize;
use crate::int8;
use crate::linear_storage::{LinearStorage, load};
use crate::modernbert::{ModernBertForSequenceClassification, ModernBertModel};
use crate::mpnet::{MpnetForSequenceClassification, MpnetModel};
use crate::roberta::RobertaForSequenceClassification;

/// Evaluates an expression for the model of any family.
macro_rules! each {
    ($enum:ident, $value:expr, $model:ident => $result:expr) => {
        match $value {
            $enum::DistilBert($model) => $result,
            $enum::Bert($model) => $result,
            $enum::Roberta($model) => $result,
            $enum::Electra($model) => $result,
            $enum::Mpnet($model) => $result,
            $enum::Albert($model) => $result,
            $enum::DebertaV2($model) => $result,
            $enum::ModernBert($model) => $result,
        }
    };
}

/// The model of the family of a configuration, with zeros.
macro_rules! new {
    ($enum:ident, $trait:ident, $config:expr, $device:expr) => {
        match $config.family {
            Family::DistilBert => $enum::DistilBert($trait::new($config, $device)),
            Family::Bert => $enum::Bert($trait::new($config, $device)),
            Family::Roberta | Family::XlmRoberta | Family::Camembert => $enum::Roberta($trait::new($config, $device)),
            Family::Electra => $enum::Electra($trait::new($config, $device)),
            Family::Mpnet => $enum::Mpnet($trait::new($config, $device)),
            Family::Albert => $enum::Albert($trait::new($config, $device)),
            Family::DebertaV2 => $enum::DebertaV2($trait::new($config, $device)),
            Family::ModernBert => $enum::ModernBert($trait::new($config, $device)),
        }
    };
}

mod masked_lm;

pub use masked_lm::MaskedLanguageModel;

/// An encoder without a head.
#[derive(Module, Debug)]
pub enum Encoder {
    /// DistilBERT.
    DistilBert(DistilBertModel),
    /// BERT.
    Bert(BertModel),
    /// RoBERTa, XLM-RoBERTa or CamemBERT.
    Roberta(BertModel),
    /// ELECTRA.
    Electra(ElectraModel),
    /// MPNet.
    Mpnet(MpnetModel),
    /// ALBERT.
    Albert(AlbertModel),
    /// DeBERTa-v2 or v3.
    DebertaV2(DebertaV2Model),
    /// ModernBERT.
    ModernBert(ModernBertModel),
}

impl Encoder {
    /// The encoder of `config` with zeros, to be filled from a checkpoint.
    pub(crate) fn new(config: &EncoderConfig, device: &Device) -> Self {
        SequenceClassifier::new(config, device).encoder()
    }

    /// Loads the encoder of `config` from a checkpoint, which may have a head.
    ///
    /// # Errors
    /// As [`SequenceClassifier::from_checkpoint`].
    pub fn from_checkpoint(
        config: &EncoderConfig,
        checkpoint: &Checkpoint,
        device: &Device,
    ) -> Result<Self, CheckpointError> {
        Self::from_checkpoint_in(&LinearStorage::F32, config, checkpoint, device)
    }

    /// Loads the encoder as [`SequenceClassifier::from_checkpoint_in`].
    ///
    /// # Errors
    /// As there.
    pub fn from_checkpoint_in(
        storage: &LinearStorage,
        config: &EncoderConfig,
        checkpoint: &Checkpoint,
        device: &Device,
    ) -> Result<Self, CheckpointError> {
        // The head that is dropped again is small.
        Ok(SequenceClassifier::from_checkpoint_in(storage, config, checkpoint, 0, device)?.0.encoder())
    }

    /// Writes the encoder alone to `path`. As in transformers, the names lack the prefix of the family. Layers in int8 are written so.
    ///
    /// # Errors
    /// When the file cannot be written; an existing one is then unchanged.
    pub fn save_safetensors(&self, path: &Path, precision: Precision) -> Result<(), CheckpointError> {
        int8::save(self, TransformerEncoder::linear_layers, path, precision)
    }

    /// Returns the modules of the linear layers that compute in f32, if others are in int8: what a `quantization_config` ignores.
    pub fn not_in_int8(&self) -> Option<Vec<String>> {
        int8::not_in_int8(self, TransformerEncoder::linear_layers)
    }
}

impl TransformerEncoder for Encoder {
    fn num_layers(&self) -> usize {
        each!(Self, self, encoder => encoder.num_layers())
    }

    fn embeddings(&self, batch: &SequenceBatch, mode: Mode) -> Tensor<2> {
        each!(Self, self, encoder => TransformerEncoder::embeddings(encoder, batch, mode))
    }

    fn layer(
        &self,
        index: usize,
        hidden: Tensor<2>,
        batch: &SequenceBatch,
        selection: TokenSelection,
        mode: Mode,
    ) -> Tensor<2> {
        each!(Self, self, encoder => encoder.layer(index, hidden, batch, selection, mode))
    }

    fn last_hidden_state(&self, hidden: Tensor<2>) -> Tensor<2> {
        each!(Self, self, encoder => encoder.last_hidden_state(hidden))
    }

    fn frozen_layers(&self) -> Option<usize> {
        each!(Self, self, encoder => encoder.frozen_layers())
    }

    fn role(&self, name: &str) -> ParamRole {
        each!(Self, self, encoder => encoder.role(name))
    }

    fn linear_layers(&mut self) -> Vec<NamedLinear<'_>> {
        each!(Self, self, encoder => encoder.linear_layers())
    }

    fn lora_targets(&self) -> &'static [&'static str] {
        each!(Self, self, encoder => encoder.lora_targets())
    }
}

/// An encoder with the sequence-classification head of its family: transformers' `AutoModelForSequenceClassification`.
#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant, reason = "Burn implements no Module for a Box, and a program has few models")]
pub enum SequenceClassifier {
    /// DistilBERT.
    DistilBert(DistilBertForSequenceClassification),
    /// BERT.
    Bert(BertForSequenceClassification),
    /// RoBERTa, XLM-RoBERTa or CamemBERT.
    Roberta(RobertaForSequenceClassification),
    /// ELECTRA.
    Electra(ElectraForSequenceClassification),
    /// MPNet.
    Mpnet(MpnetForSequenceClassification),
    /// ALBERT.
    Albert(AlbertForSequenceClassification),
    /// DeBERTa-v2 or v3.
    DebertaV2(DebertaV2ForSequenceClassification),
    /// ModernBERT.
    ModernBert(ModernBertForSequenceClassification),
}

impl SequenceClassifier {
    /// The model of `config` with zeros, to be filled from a checkpoint, or to count its parameters.
    pub fn new(config: &EncoderConfig, device: &Device) -> Self {
        new!(Self, Classifier, config, device)
    }

    /// Loads the model of `config` from a checkpoint.
    ///
    /// A head that the checkpoint lacks, or stores in another shape, is initialized from `seed`: weights normal with
    /// deviation `initializer_range`, biases zero. From [`Checkpoint::empty`] the whole model is initialized.
    ///
    /// # Errors
    /// When a tensor of the encoder is missing or of another shape, or cannot be read.
    pub fn from_checkpoint(
        config: &EncoderConfig,
        checkpoint: &Checkpoint,
        seed: u64,
        device: &Device,
    ) -> Result<(Self, LoadReport), CheckpointError> {
        Self::from_checkpoint_in(&LinearStorage::F32, config, checkpoint, seed, device)
    }

    /// Loads the model as [`from_checkpoint`](Self::from_checkpoint), with linear layers of the encoder that are not stored in f32. These
    /// are read one after the other, so that only one of them is in memory in f32.
    ///
    /// # Errors
    /// As [`from_checkpoint`](Self::from_checkpoint) and [`Linear::set_int8`](rekindle_nn::Linear::set_int8).
    pub fn from_checkpoint_in(
        storage: &LinearStorage,
        config: &EncoderConfig,
        checkpoint: &Checkpoint,
        seed: u64,
        device: &Device,
    ) -> Result<(Self, LoadReport), CheckpointError> {
        let (model, layout) = (Self::new(config, device), &config.family.spec().classifier);
        let initialize = |spec: &ParamSpec| initial(config, spec, seed);
        let (mut model, report) = match storage {
            LinearStorage::F32 => checkpoint.load(model, layout, &initialize, device)?,
            _ => load(model, Self::linear_layers, storage, checkpoint, layout, &initialize, device)?,
        };
        each!(Self, &mut model, model => model.loaded(&report));
        Ok((model, report))
    }

    /// Returns whether a checkpoint has a trained head for the classes of its configuration.
    pub fn has_head(config: &EncoderConfig, checkpoint: &Checkpoint) -> bool {
        let spec = config.family.spec();
        let shape = [config.num_labels(), config.hidden_size];
        spec.head.iter().all(|name| checkpoint.shape(name).is_some())
            && checkpoint.shape(&config.output_parameters()[0]) == Some(&shape[..])
    }

    /// The model that [`from_checkpoint`](Self::from_checkpoint) returns for another seed: the parameters that `report` says
    /// were initialized are initialized from it, all others are shared. Of an output layer whose classes match
    /// [partly](ClassMatch::Partly), the rows of known classes are kept.
    pub fn reinitialize(&self, config: &EncoderConfig, report: &LoadReport, seed: u64) -> Self {
        let mut model = reinitialize(self, report, |spec| initial(config, spec, seed));
        if let Some(ClassMatch::Partly { unknown, .. }) = &report.classes {
            let known: Vec<bool> = config.labels().iter().map(|label| !unknown.contains(label)).collect();
            let mut old = self.clone();
            let old = each!(Self, &mut old, old => old.parts_mut().2.clone());
            each!(Self, &mut model, model => {
                let (_, _, output) = model.parts_mut();
                *output = output.with_outputs_of(&old, &known);
            });
        }
        model
    }

    /// The same model for other classes, whose rows of the output layer are the given ones of this model, in their order.
    pub fn with_classes(&self, rows: &[usize]) -> Self {
        let mut model = self.clone();
        each!(Self, &mut model, model => {
            let (_, _, output) = model.parts_mut();
            *output = output.select_outputs(rows);
        });
        model
    }

    /// The same model, whose logits are `weight * logit + bias`, with a weight and a bias per class, in the output layer.
    pub fn with_scaled_logits(mut self, weights: &[f64], biases: &[f64]) -> Self {
        each!(Self, &mut self, model => {
            let (_, _, output) = model.parts_mut();
            *output = output.with_scaled_outputs(weights, biases);
        });
        self
    }

    /// Writes all tensors to `path` under transformers' names. Layers in int8 are written so, and their configuration must have
    /// [`with_int8`](EncoderConfig::with_int8).
    ///
    /// # Errors
    /// When the file cannot be written; an existing one is then unchanged.
    pub fn save_safetensors(&self, path: &Path, precision: Precision) -> Result<(), CheckpointError> {
        int8::save(self, Self::linear_layers, path, precision)
    }

    /// Returns the modules of the linear layers that compute in f32, if others are in int8: what a `quantization_config` ignores.
    pub fn not_in_int8(&self) -> Option<Vec<String>> {
        int8::not_in_int8(self, Self::linear_layers)
    }

    /// All parameters, in the order of the data.
    pub fn parameters(&self) -> Vec<Parameter> {
        parameters(self)
    }

    /// The same weights, with autodiff tracking only the parameters whose names `choose` accepts.
    pub fn trainable(&self, choose: impl Fn(&str) -> bool) -> Self {
        trainable(self, choose)
    }

    /// The logits of each sequence.
    ///
    /// # Shapes
    /// - output: `[sequences, num_labels]`
    pub fn forward(&self, batch: &SequenceBatch, mode: Mode) -> Tensor<2> {
        self.classify(self.pool(batch, mode), mode)
    }

    /// The pooled features of each sequence, which the head reads: the output of the encoder, pooled as
    /// [`pooling`](Self::pooling) says.
    ///
    /// # Shapes
    /// - output: `[sequences, hidden_size]`
    pub fn pool(&self, batch: &SequenceBatch, mode: Mode) -> Tensor<2> {
        each!(Self, self, model => {
            let (encoder, pooling) = model.parts();
            encoder.pool(batch, pooling, mode.at(0))
        })
    }

    /// The hidden states of all tokens after the first layers, without dropout, for [`forward_from`](Self::forward_from).
    ///
    /// # Shapes
    /// - output: `[tokens, hidden_size]`
    pub fn hidden_states(&self, batch: &SequenceBatch, layers: usize) -> Tensor<2> {
        each!(Self, self, model => model.parts().0.hidden_states(batch, layers))
    }

    /// The logits of each sequence from the [hidden states](Self::hidden_states) after the first `from` layers, which must be frozen and
    /// without dropout.
    ///
    /// # Shapes
    /// - hidden: `[tokens, hidden_size]`
    /// - output: `[sequences, num_labels]`
    pub fn forward_from(&self, from: usize, hidden: Tensor<2>, batch: &SequenceBatch, mode: Mode) -> Tensor<2> {
        let pooled = each!(Self, self, model => {
            let (encoder, pooling) = model.parts();
            let selection = pooling.selection();
            pooling.pool(batch, encoder.forward_from(from, hidden, batch, selection, mode.at(0)), selection)
        });
        self.classify(pooled, mode)
    }

    /// The head alone, on the features that [`pool`](Self::pool) returns.
    ///
    /// # Shapes
    /// - pooled: `[sequences, hidden_size]`
    /// - output: `[sequences, num_labels]`
    pub fn classify(&self, pooled: Tensor<2>, mode: Mode) -> Tensor<2> {
        each!(Self, self, model => model.classify(pooled, mode))
    }

    /// What the head reads of a sequence.
    pub fn pooling(&self) -> Pooling {
        each!(Self, self, model => model.parts().1)
    }

    /// The same model, whose head reads something else of a sequence.
    pub fn with_pooling(mut self, pooling: Pooling) -> Self {
        each!(Self, &mut self, model => *model.parts_mut().1 = pooling);
        self
    }

    /// Whether autodiff tracks no weight of the encoder.
    pub fn is_frozen(&self) -> bool {
        each!(Self, self, model => model.parts().0.is_frozen())
    }

    /// The number of layers before the first weight that autodiff tracks; `None` if the embeddings are tracked.
    pub fn frozen_layers(&self) -> Option<usize> {
        each!(Self, self, model => model.parts().0.frozen_layers())
    }

    /// The encoder, which shares its weights with this model.
    pub fn encoder(&self) -> Encoder {
        match self {
            Self::DistilBert(model) => Encoder::DistilBert(model.distilbert.clone()),
            Self::Bert(model) => Encoder::Bert(model.bert.clone()),
            Self::Roberta(model) => Encoder::Roberta(model.roberta.clone()),
            Self::Electra(model) => Encoder::Electra(model.electra.clone()),
            Self::Mpnet(model) => Encoder::Mpnet(model.mpnet.clone()),
            Self::Albert(model) => Encoder::Albert(model.albert.clone()),
            Self::DebertaV2(model) => Encoder::DebertaV2(model.deberta.clone()),
            Self::ModernBert(model) => Encoder::ModernBert(model.model.clone()),
        }
    }

    /// The same model with the encoder of a masked language model of its family. With one of another family, the model is
    /// returned unchanged.
    pub fn with_encoder_of(mut self, other: &MaskedLanguageModel) -> Self {
        match (&mut self, other) {
            (Self::DistilBert(model), MaskedLanguageModel::DistilBert(other)) => {
                model.set_encoder(other.encoder().clone());
            }
            (Self::Bert(model), MaskedLanguageModel::Bert(other)) => model.set_encoder(other.encoder().clone()),
            (Self::Roberta(model), MaskedLanguageModel::Roberta(other)) => model.set_encoder(other.encoder().clone()),
            (Self::Electra(model), MaskedLanguageModel::Electra(other)) => model.set_encoder(other.encoder().clone()),
            (Self::Mpnet(model), MaskedLanguageModel::Mpnet(other)) => model.set_encoder(other.encoder().clone()),
            (Self::Albert(model), MaskedLanguageModel::Albert(other)) => model.set_encoder(other.encoder().clone()),
            (Self::DebertaV2(model), MaskedLanguageModel::DebertaV2(other)) => {
                model.set_encoder(other.encoder().clone());
            }
            (Self::ModernBert(model), MaskedLanguageModel::ModernBert(other)) => {
                model.set_encoder(other.encoder().clone());
            }
            _ => {}
        }
        self
    }

    /// The linear layers of the encoder, which can get adapters, in the order of the data.
    pub fn linear_layers(&mut self) -> Vec<NamedLinear<'_>> {
        each!(Self, self, model => model.parts_mut().0.linear_layers())
    }

    /// The same weights with new adapters, which have no effect before they are trained.
    ///
    /// # Errors
    /// As [`LoraConfig::add_adapters`].
    pub fn with_lora(&self, config: &LoraConfig, seed: u64) -> Result<Self, NnError> {
        let mut model = self.clone();
        each!(Self, &mut model, model => config.add_adapters(model.parts_mut().0, seed))?;
        Ok(model)
    }

    /// The model with its adapters added to the weights, as by peft's `merge_and_unload`: the same function, in the shape of a
    /// checkpoint. Without adapters, the model is returned unchanged.
    pub fn merged(mut self) -> Self {
        each!(Self, &mut self, model => merge_adapters(model.parts_mut().0));
        self
    }
}

impl ParamRoles for SequenceClassifier {
    fn param_info(&self, name: &str) -> ParamInfo {
        each!(Self, self, model => info(model.parts().0, name, transform(model)))
    }
}

/// The prefixes of what peft does not train beside adapters.
fn transform<C: Classifier>(_: &C) -> &'static [&'static str] {
    C::TRANSFORM
}

/// The role of a parameter of a model with a head.
fn info(encoder: &impl TransformerEncoder, name: &str, transform: &[&str]) -> ParamInfo {
    let prefixes = Family::ALL.map(|family| family.spec().classifier.encoder);
    let role = match prefixes.iter().find_map(|prefix| name.strip_prefix(prefix)) {
        None if transform.iter().any(|prefix| name.starts_with(prefix)) => ParamRole::HeadTransform,
        None => ParamRole::Head,
        Some(base) if base.contains(".lora.") => ParamRole::Adapter,
        Some(base) => encoder.role(base),
    };
    ParamInfo { role, is_bias: name.ends_with(".bias") }
}

/// The tensors behind an encoder begin with one of these: those of classifiers, of masked language models, of the
/// discriminators of ELECTRA and DeBERTa-v3, and of question answering.
const HEADS: [&str; 15] = [
    "pre_classifier.",
    "classifier.",
    "score.",
    "head.",
    "vocab_",
    "cls.",
    "lm_head.",
    "decoder.",
    "predictions.",
    "generator_",
    "discriminator_predictions.",
    "lm_predictions.",
    "mask_predictions.",
    "sop_classifier.",
    "qa_outputs.",
];

/// Returns whether a checkpoint has an encoder and no head of any kind, as sentence-transformers saves the encoder of an
/// embedding model.
pub fn is_bare_encoder(checkpoint: &Checkpoint) -> bool {
    !checkpoint.is_empty() && !checkpoint.names().any(|name| HEADS.iter().any(|head| name.starts_with(head)))
}

/// The initial values of a parameter.
fn initial(config: &EncoderConfig, spec: &ParamSpec, seed: u64) -> Vec<f32> {
    match config.family {
        Family::DistilBert => config.distilbert().initialize(spec, seed),
        _ => initialize(config, spec, seed),
    }
}
