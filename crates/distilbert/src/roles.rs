//! The role of each parameter of DistilBERT.

use rekindle_nn::{ParamInfo, ParamRole, ParamRoles, TransformerEncoder};

use crate::classifier::DistilBertForSequenceClassification;
use crate::masked_lm::DistilBertForMaskedLM;
use crate::model::DistilBertModel;

impl ParamRoles for DistilBertForSequenceClassification {
    fn param_info(&self, name: &str) -> ParamInfo {
        info(&self.distilbert, name)
    }
}

impl ParamRoles for DistilBertForMaskedLM {
    fn param_info(&self, name: &str) -> ParamInfo {
        info(&self.distilbert, name)
    }
}

/// The role of a parameter of a model with a head.
fn info(encoder: &DistilBertModel, name: &str) -> ParamInfo {
    let role = match name.strip_prefix("distilbert.") {
        None => ParamRole::Head,
        Some(base) if base.contains(".lora.") => ParamRole::Adapter,
        Some(base) => encoder.role(base),
    };
    ParamInfo { role, is_bias: name.ends_with(".bias") }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::{Checkpoint, DistilBertConfig, LoraConfig};

    fn model(sinusoidal_pos_embds: bool) -> DistilBertForSequenceClassification {
        let (vocab_size, dim, hidden_dim, n_heads, n_layers) = (20, 8, 16, 2, 2);
        let config = DistilBertConfig {
            vocab_size,
            dim,
            hidden_dim,
            n_heads,
            n_layers,
            sinusoidal_pos_embds,
            ..DistilBertConfig::default()
        };
        let (model, _) =
            DistilBertForSequenceClassification::from_checkpoint(&config, &Checkpoint::empty(), 1, &Device::default())
                .expect("a model");
        model.with_lora(&LoraConfig::default(), 1).expect("adapters")
    }

    #[test]
    fn every_parameter_has_the_role_of_its_part() {
        let model = model(false);
        let role = |name: &str| model.param_info(name).role;
        let counts = |wanted: ParamRole| model.parameters().iter().filter(|one| role(&one.name) == wanted).count();
        assert_eq!(counts(ParamRole::Head), 4, "two linear maps");
        assert_eq!(counts(ParamRole::Embeddings), 4, "words, positions and a LayerNorm");
        assert_eq!([0, 1].map(|layer| counts(ParamRole::Layer(layer))), [16, 16], "six linear maps, two LayerNorms");
        assert_eq!(counts(ParamRole::Adapter), 8, "two matrices in two maps of two layers");
        assert_eq!(counts(ParamRole::Fixed), 0);
        assert!(model.param_info("distilbert.embeddings.LayerNorm.bias").is_bias);
        assert!(!model.param_info("distilbert.embeddings.LayerNorm.weight").is_bias);
    }

    #[test]
    fn sinusoidal_positions_are_fixed() {
        let name = "distilbert.embeddings.position_embeddings.weight";
        assert_eq!(model(true).param_info(name).role, ParamRole::Fixed);
        assert_eq!(model(false).param_info(name).role, ParamRole::Embeddings);
    }
}
