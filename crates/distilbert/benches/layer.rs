//! One layer of the base size, forward and backward.
#![allow(missing_docs, clippy::expect_used)]

use burn::tensor::{Device, Distribution, Tensor};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use rekindle_distilbert::{
    Checkpoint, DistilBertConfig, DistilBertForSequenceClassification, Mode, SequenceBatch, TokenSelection,
};

fn layer(criterion: &mut Criterion) {
    let device = Device::default();
    let config = DistilBertConfig { n_layers: 1, vocab_size: 64, ..DistilBertConfig::default() };
    let (model, _) = DistilBertForSequenceClassification::from_checkpoint(&config, &Checkpoint::empty(), 0, &device)
        .expect("a model");
    let mut group = criterion.benchmark_group("layer, 768 wide, sentences of 23 tokens");
    group.sample_size(20);
    for sentences in [1, 8, 32] {
        let tokens = 23 * sentences;
        let cu_seqlens: Vec<usize> = (0..=sentences).map(|sentence| 23 * sentence).collect();
        let batch =
            SequenceBatch::new(&vec![5; tokens], &vec![1; tokens], &cu_seqlens, &config, &device).expect("a batch");
        let hidden = Tensor::<2>::random([tokens, config.dim], Distribution::Normal(0.0, 1.0), &device);
        for (name, mode) in [("forward", Mode::Eval), ("forward, with dropout", Mode::Train { seed: 1 })] {
            let layer = &model.distilbert.transformer.layer[0];
            group.bench_function(BenchmarkId::new(name, tokens), |bencher| {
                bencher.iter(|| layer.forward(hidden.clone(), &batch, TokenSelection::All, mode));
            });
        }
        let tracked = model.trainable(|_| true);
        let layer = &tracked.distilbert.transformer.layer[0];
        group.bench_function(BenchmarkId::new("forward and backward", tokens), |bencher| {
            let hidden = hidden.clone().autodiff().require_grad();
            bencher.iter(|| {
                layer.forward(hidden.clone(), &batch, TokenSelection::All, Mode::Train { seed: 1 }).sum().backward()
            });
        });
    }
}

criterion_group!(benches, layer);
criterion_main!(benches);
