//! The halves of a batch, computed in parallel, have the rows of the whole batch.
#![cfg(feature = "flex")]

use burn::tensor::{Device, Tensor};
use rekindle_distilbert::{
    Checkpoint, DistilBertConfig, DistilBertForSequenceClassification, Mode, SequenceBatch, TokenSelection,
    TransformerEncoder,
};

/// The rounding errors of sums of about this many terms, relative to the largest value.
const BOUND: f32 = 2e-6;

fn values(tensor: Tensor<2>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}

#[test]
fn halves() {
    let config = DistilBertConfig {
        vocab_size: 40,
        dim: 24,
        hidden_dim: 48,
        n_heads: 3,
        n_layers: 2,
        max_position_embeddings: 32,
        ..DistilBertConfig::default()
    };
    let device = Device::flex();
    let (model, _) = DistilBertForSequenceClassification::from_checkpoint(&config, &Checkpoint::empty(), 1, &device)
        .expect("a model");
    let ids: Vec<u32> = (0..60).map(|index| index % 40).collect();
    let cu_seqlens = [0, 9, 30, 31, 47, 60];
    let batch = SequenceBatch::new(&ids, &[1; 60], &cu_seqlens, &config, &device).expect("a batch");
    let (first, second) = batch.halves().expect("long enough to be cut");
    assert_eq!((first.tokens(), second.tokens()), (30, 30));
    for selection in [TokenSelection::All, TokenSelection::First] {
        let whole = values(model.distilbert.forward(&batch, selection, Mode::Eval));
        let alone: Vec<f32> = cu_seqlens
            .windows(2)
            .flat_map(|pair| {
                let ids = &ids[pair[0]..pair[1]];
                let mask = vec![1; ids.len()];
                let batch = SequenceBatch::new(ids, &mask, &[0, ids.len()], &config, &device).expect("a batch");
                assert!(batch.halves().is_none());
                values(model.distilbert.forward(&batch, selection, Mode::Eval))
            })
            .collect();
        assert_eq!(whole.len(), alone.len());
        let largest = alone.iter().fold(0f32, |largest, value| largest.max(value.abs()));
        assert!(largest > 0.0, "nothing to compare");
        for (index, (whole, alone)) in whole.iter().zip(&alone).enumerate() {
            assert!((whole - alone).abs() <= BOUND * largest, "{index}: {whole} in halves, {alone} alone");
        }
    }
}
